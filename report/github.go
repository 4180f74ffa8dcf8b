package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/ftlint/ftlint/rules"
)

// GitHub's escapes of a workflow command's text and of its properties
// (actions/toolkit, packages/core/src/command.ts).
var (
	githubText     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	githubProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

var githubCommand = map[rules.Severity]string{rules.Error: "error", rules.Warning: "warning", rules.Note: "notice"}

// writeGitHub writes workflow commands, which GitHub shows as annotations: up to
// ten errors, ten warnings and ten notices of a step. Errors about inputs come
// first, so that they are among the ten.
func writeGitHub(w io.Writer, run *Run) error {
	b := bufio.NewWriter(w)
	about := func(command, text string) {
		fmt.Fprintf(b, "::%s title=ftlint::%s\n", command, githubText.Replace(OneLine(text)))
	}
	for _, err := range run.Errors {
		about("error", err.Error())
	}
	for _, res := range run.Results {
		for _, err := range res.Errors {
			about("error", err.Error())
		}
	}
	for _, res := range run.Results {
		for i := range res.Findings {
			f := &res.Findings[i]
			fmt.Fprintf(b, "::%s file=%s", githubCommand[f.Rule.Severity], githubProperty.Replace(OneLine(cleanPath(f.Path))))
			if f.Line > 0 {
				fmt.Fprintf(b, ",line=%d,col=%d", f.Line, f.Col)
			}
			fmt.Fprintf(b, ",title=%s::%s\n", githubProperty.Replace(f.Rule.ID+" "+f.Rule.Name), githubText.Replace(whole(res, f)))
		}
		for _, line := range append(NoteLines(res), leftOut(res)...) {
			about("notice", line)
		}
	}
	return b.Flush()
}
