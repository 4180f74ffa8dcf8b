package report

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/picture"
	"github.com/ftlint/ftlint/rules"
)

// A Run is one call of ftlint, the subject of a report.
type Run struct {
	Results []*finding.Result // in the order of the inputs
	Errors  []error           // about no single input
	Version string            // of ftlint
	SrcTree string            // folder of the kernel sources; "" for none
	Date    time.Time         // that the report bears; zero for none

	NoGroup bool // show findings that several kernels have for each of them

	FailOn *rules.Severity // lowest severity that fails the run; nil for none
	// MaxPerRule bounds the findings of a rule that text shows; 0 for all.
	MaxPerRule int
}

// ManyKernels reports whether more than one kernel was judged, so that findings are
// shown once for all of them.
func (run *Run) ManyKernels() bool { return !run.NoGroup && manyKernels(run.Results) }

func manyKernels(results []*finding.Result) bool {
	n := 0
	for _, res := range results {
		if !res.IsModule && res.Patch == nil {
			n++
		}
	}
	return n > 1
}

// fails reports whether findings of the severity make the run fail.
func (run *Run) fails(s rules.Severity) bool { return run.FailOn != nil && s >= *run.FailOn }

// failed reports whether res makes the run fail, by its findings or its errors.
func (run *Run) failed(res *finding.Result) bool {
	for _, r := range res.Rules {
		if r.Findings > 0 && run.fails(r.Rule.Severity) {
			return true
		}
	}
	return len(res.Errors) > 0
}

// exitCode returns the exit status of ftlint: 2 if something could not be judged,
// 1 for findings at or above FailOn, else 0.
func (run *Run) exitCode() int {
	code := 0
	if len(run.Errors) > 0 {
		code = 2
	}
	for _, res := range run.Results {
		switch {
		case len(res.Errors) > 0:
			code = 2
		case run.failed(res):
			code = max(code, 1)
		}
	}
	return code
}

// A Format is a format of reports.
type Format struct {
	Name  string // as -f and -o take it
	Doc   string // description in a few words
	Write func(w io.Writer, run *Run) error

	Pictures []*analysis.Analyzer // whose results the report shows
}

// Formats are all formats.
var Formats = []Format{
	{Name: "text", Doc: "lines as compilers print them", Write: writeText},
	{Name: "json", Doc: "one JSON document: findings, and what became of each rule", Write: writeJSON},
	{Name: "jsonl", Doc: "the same as lines of JSON, one a finding", Write: writeJSONL},
	{Name: "sarif", Doc: "SARIF 2.1.0, for code scanning", Write: writeSARIF},
	{Name: "github", Doc: "GitHub's workflow commands: annotations", Write: writeGitHub},
	{Name: "gitlab", Doc: "GitLab's code quality report", Write: writeGitLab},
	{Name: "checkstyle", Doc: "Checkstyle's XML", Write: writeCheckstyle},
	{Name: "junit", Doc: "JUnit's XML: a test case for each rule", Write: writeJUnit},
	{Name: "ktap", Doc: "KTAP, as kernel selftests print: a test for each rule", Write: writeKTAP},
	{Name: "html", Doc: "a page to look at: findings, pictures, listings", Write: writeHTML, Pictures: picture.All},
}

// FormatOf returns the format of a template.
func FormatOf(t *Template) Format { return Format{Name: "template", Write: t.write} }

// LookupFormat returns the format with that name.
func LookupFormat(name string) (Format, error) {
	var names []string
	for _, f := range Formats {
		if f.Name == name {
			return f, nil
		}
		names = append(names, f.Name)
	}
	return Format{}, fmt.Errorf("format %q: want %s", name, strings.Join(names, ", "))
}

// writeText writes the whole run as text, for -o text=FILE.
func writeText(w io.Writer, run *Run) error {
	t := Text{W: w, Many: manyKernels(run.Results), SrcTree: run.SrcTree, MaxPerRule: run.MaxPerRule}
	if run.ManyKernels() {
		return t.WriteShared(run.Results)
	}
	for _, res := range run.Results {
		if err := t.Write(res); err != nil {
			return err
		}
	}
	return t.More(run.Results)
}

// fingerprints makes fingerprints unique: the second and later findings of an
// identity get a number.
type fingerprints map[string]int

func (ids fingerprints) next(f *finding.Finding) string {
	s := f.Identity.Fingerprint()
	ids[s]++
	if n := ids[s]; n > 1 {
		return fmt.Sprintf("%s:%d", s, n)
	}
	return s
}

// headline returns a finding on one line, without its place.
func headline(f *finding.Finding) string {
	return fmt.Sprintf("%s [%s %s]", OneLine(f.Headline), f.Rule.ID, f.Rule.Name)
}

// proof returns the evidence of a finding and its fix, one line each.
func proof(f *finding.Finding) []string {
	lines := oneLines(slices.Clone(f.Evidence))
	if f.Fix != "" {
		lines = append(lines, "fix: "+OneLine(f.Fix))
	}
	return lines
}

// whole returns a finding without its place, in lines: headline, evidence, fix, the
// input if the finding does not name it, related places.
func whole(res *finding.Result, f *finding.Finding) string {
	return strings.Join(slices.Concat([]string{headline(f)}, proof(f), input(res, f), notes(f)), "\n")
}

// input is a line that names the kernel image or module of a finding whose place is
// in a source file; none if the place names it, or if the finding is in a patch.
func input(res *finding.Result, f *finding.Finding) []string {
	if res.Patch != nil || f.Path == res.Path {
		return nil
	}
	return []string{"in " + printable(res.Path)}
}

// notes returns the related places of a finding, one line each.
func notes(f *finding.Finding) (lines []string) {
	for _, r := range f.Related {
		lines = append(lines, fmt.Sprintf("%s: note: %s", position(r.Place), OneLine(r.Message)))
	}
	return lines
}

// line returns a finding in the form of text, with its related places.
func line(res *finding.Result, f *finding.Finding) string {
	return fmt.Sprintf("%s: %v: %s", position(f.Place), f.Rule.Severity, whole(res, f))
}

// leftOut returns a line for each rule that has findings which are not in the
// report.
func leftOut(res *finding.Result) (lines []string) {
	kept := byRule(res)
	for _, r := range res.Rules {
		if n := r.Findings - len(kept[r.Rule.ID]); n > 0 {
			lines = append(lines, fmt.Sprintf("%s: %s", printable(res.Path), more(n, r.Rule, notShown)))
		}
	}
	return lines
}

const notShown = "are not shown"

// more says how many findings of a rule are not in the report: what is "are not
// shown", or the like.
func more(n int, r rules.Rule, what string) string {
	if n == 1 {
		what = strings.Replace(what, "are", "is", 1)
	}
	return fmt.Sprintf("%s of %s %s %s (--max-per-rule)", plural.Of(n, "more finding"), r.ID, r.Name, what)
}

// unread returns the notes about patches; nil for other inputs.
func unread(res *finding.Result) []finding.Note {
	if res.Patch == nil {
		return nil
	}
	return res.Patch.Notes
}

// NoteLines returns the notes about patches as lines to print.
func NoteLines(res *finding.Result) (lines []string) {
	for _, n := range unread(res) {
		at := ""
		if n.Line > 0 {
			at = fmt.Sprintf(":%d", n.Line)
		}
		lines = append(lines, fmt.Sprintf("%s%s: note: %s", res.Path, at, n.Text))
	}
	return lines
}

// cleanPath returns a relative path without "./", as paths in a repository are.
func cleanPath(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Clean(path)
}

// byRule returns the findings of each rule, by its ID.
func byRule(res *finding.Result) map[string][]*finding.Finding {
	m := map[string][]*finding.Finding{}
	for i := range res.Findings {
		f := &res.Findings[i]
		m[f.Rule.ID] = append(m[f.Rule.ID], f)
	}
	return m
}
