package report

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/ftlint/ftlint/finding"
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

// writeGitLab writes a code quality report. Errors about inputs are blockers.
func writeGitLab(w io.Writer, run *Run) error {
	issues := []gitlabIssue{}
	ids := fingerprints{}
	about := func(severity, path, text string) {
		f := finding.Finding{Identity: finding.Identity{Object: path, Text: text}}
		issues = append(issues, gitlabIssue{OneLine(text), "ftlint", ids.next(&f), severity, gitlabLocation{cleanPath(path), gitlabLines{1}}})
	}
	for _, res := range run.Results {
		for i := range res.Findings {
			f := &res.Findings[i]
			issues = append(issues, gitlabIssue{
				Description: whole(res, f),
				CheckName:   fmt.Sprintf("%s %s", f.Rule.ID, f.Rule.Name),
				Fingerprint: ids.next(f),
				Severity:    gitlabSeverity[f.Rule.Severity],
				Location:    gitlabLocation{cleanPath(f.Path), gitlabLines{max(f.Line, 1)}},
			})
		}
		for _, err := range res.Errors {
			about("blocker", res.Path, err.Error())
		}
		for _, line := range leftOut(res) {
			about("info", res.Path, line)
		}
	}
	for _, err := range run.Errors {
		about("blocker", "ftlint", err.Error())
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(issues)
}
