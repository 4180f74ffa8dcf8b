package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/rules"
)

// gitlabIssue is an entry of GitLab's code quality report: the part of Code
// Climate's format that GitLab documents.
type gitlabIssue struct {
	Description string         `json:"description"`
	CheckName   string         `json:"check_name"`
	Fingerprint string         `json:"fingerprint"`
	Severity    string         `json:"severity"`
	Location    gitlabLocation `json:"location"`
}

type gitlabLocation struct {
	Path  string      `json:"path"`
	Lines gitlabLines `json:"lines"`
}

type gitlabLines struct {
	Begin int `json:"begin"`
}

var gitlabSeverity = map[rules.Severity]string{rules.Error: "critical", rules.Warning: "major", rules.Note: "info"}

// writeGitLab writes a code quality report. What could not be judged is in it
// as a blocker.
func writeGitLab(w io.Writer, run *Run) error {
	issues := []gitlabIssue{}
	ids := fingerprints{}
	problem := func(path string, err error) {
		f := lint.Finding{Identity: lint.Identity{Object: path, Text: err.Error()}}
		issues = append(issues, gitlabIssue{err.Error(), "ftlint", ids.next(&f), "blocker", gitlabLocation{path, gitlabLines{1}}})
	}
	for _, res := range run.Results {
		for i := range res.Findings {
			f := &res.Findings[i]
			issues = append(issues, gitlabIssue{
				Description: strings.Join(append([]string{headline(f)}, notes(f)...), "\n"),
				CheckName:   fmt.Sprintf("%s %s", f.Rule.ID, f.Rule.Name),
				Fingerprint: ids.next(f),
				Severity:    gitlabSeverity[f.Rule.Severity],
				Location:    gitlabLocation{f.Path, gitlabLines{max(f.Line, 1)}},
			})
		}
		for _, err := range res.Errors {
			problem(res.Path, err)
		}
	}
	for _, err := range run.Errors {
		problem("ftlint", err)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(issues)
}
