package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/rules"
)

// GitHub's escapes of a workflow command's text and of its properties
// (actions/toolkit, packages/core/src/command.ts).
var (
	githubText     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	githubProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

var githubCommand = map[rules.Severity]string{rules.Error: "error", rules.Warning: "warning", rules.Note: "notice"}

// writeGitHub writes workflow commands, which GitHub shows as annotations.
func writeGitHub(w io.Writer, run *Run) error {
	b := bufio.NewWriter(w)
	failed := func(err error) {
		fmt.Fprintf(b, "::error title=ftlint::%s\n", githubText.Replace(OneLine(err.Error())))
	}
	for _, res := range run.Results {
		for i := range res.Findings {
			f := &res.Findings[i]
			fmt.Fprintf(b, "::%s file=%s", githubCommand[f.Rule.Severity], githubProperty.Replace(OneLine(f.Path)))
			if f.Line > 0 {
				fmt.Fprintf(b, ",line=%d,col=%d", f.Line, f.Col)
			}
			text := strings.Join(append([]string{headline(f)}, notes(f)...), "\n")
			fmt.Fprintf(b, ",title=%s::%s\n", githubProperty.Replace(f.Rule.ID+" "+f.Rule.Name), githubText.Replace(text))
		}
		for _, err := range res.Errors {
			failed(err)
		}
		for _, more := range left(res) {
			fmt.Fprintf(b, "::notice title=ftlint::%s\n", githubText.Replace(more))
		}
	}
	for _, err := range run.Errors {
		failed(err)
	}
	return b.Flush()
}

// left says of which rules findings are not in the report.
func left(res *lint.Result) (lines []string) {
	kept := byRule(res)
	for _, r := range res.Rules {
		if n := r.Findings - len(kept[r.Rule.ID]); n > 0 {
			lines = append(lines, fmt.Sprintf("%s: %d more findings of %s %s are not shown (--max-per-rule)", printable(res.Path), n, r.Rule.ID, r.Rule.Name))
		}
	}
	return lines
}
