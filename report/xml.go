package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/rules"
)

// writeXML writes a document.
func writeXML(w io.Writer, doc any) error {
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

type checkstyleDoc struct {
	XMLName xml.Name          `xml:"checkstyle"`
	Version string            `xml:"version,attr"`
	Files   []*checkstyleFile `xml:"file"`
}

type checkstyleFile struct {
	Name   string            `xml:"name,attr"`
	Errors []checkstyleError `xml:"error"`
}

type checkstyleError struct {
	Line     int    `xml:"line,attr"` // 0: the file as a whole
	Column   int    `xml:"column,attr,omitempty"`
	Severity string `xml:"severity,attr"`
	Message  string `xml:"message,attr"`
	Source   string `xml:"source,attr"`
}

var checkstyleSeverity = map[rules.Severity]string{rules.Error: "error", rules.Warning: "warning", rules.Note: "info"}

// writeCheckstyle writes Checkstyle's XML: the findings by file.
func writeCheckstyle(w io.Writer, run *Run) error {
	doc := checkstyleDoc{Version: "8.0"}
	byName := map[string]*checkstyleFile{}
	add := func(name string, e checkstyleError) {
		file := byName[name]
		if file == nil {
			file = &checkstyleFile{Name: name}
			byName[name] = file
			doc.Files = append(doc.Files, file)
		}
		file.Errors = append(file.Errors, e)
	}
	for _, res := range run.Results {
		for i := range res.Findings {
			f := &res.Findings[i]
			add(f.Path, checkstyleError{f.Line, f.Col, checkstyleSeverity[f.Rule.Severity], strings.Join(slices.Concat([]string{OneLine(f.Headline)}, proof(f), input(res, f)), "\n"), "ftlint." + f.Rule.ID + "." + f.Rule.Name})
		}
		for _, err := range res.Errors {
			add(res.Path, checkstyleError{0, 0, "error", OneLine(err.Error()), "ftlint"})
		}
		for _, line := range leftOut(res) {
			add(res.Path, checkstyleError{0, 0, "info", line, "ftlint"})
		}
	}
	for _, err := range run.Errors {
		add("ftlint", checkstyleError{0, 0, "error", OneLine(err.Error()), "ftlint"})
	}
	slices.SortStableFunc(doc.Files, func(a, b *checkstyleFile) int { return strings.Compare(a.Name, b.Name) })
	return writeXML(w, doc)
}

type junitDoc struct {
	XMLName xml.Name `xml:"testsuites"`
	Name    string   `xml:"name,attr"`
	junitCounts
	Suites []junitSuite `xml:"testsuite"`
}

type junitCounts struct {
	Tests    int `xml:"tests,attr"`
	Failures int `xml:"failures,attr"`
	Errors   int `xml:"errors,attr"`
	Skipped  int `xml:"skipped,attr"`
}

// junitProperties have a suite's properties; a struct of their own, so that the XML
// has an element around them.
type junitProperties struct {
	List []junitProperty `xml:"property"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitSuite struct {
	Name string `xml:"name,attr"`
	junitCounts
	Properties junitProperties `xml:"properties"`

	Cases []junitCase `xml:"testcase"`
	Out   string      `xml:"system-out,omitempty"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Failure *junitProblem `xml:"failure"`
	Error   *junitProblem `xml:"error"`
	Skipped *junitSkipped `xml:"skipped"`
	Out     string        `xml:"system-out,omitempty"`
}

type junitProblem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

type junitSkipped struct {
	Message string `xml:"message,attr"`
}

// writeJUnit writes JUnit's XML: a suite for each input, and in it a test case
// for each rule. Findings that do not make the run fail are a case's output. A
// rule that did not apply, or came to no verdict, is skipped. The class of a case
// names the input, because GitLab merges cases with the same class and name.
func writeJUnit(w io.Writer, run *Run) error {
	doc := junitDoc{Name: "ftlint"}
	addSuite := func(s junitSuite) {
		for _, c := range s.Cases {
			s.Tests++
			switch {
			case c.Failure != nil:
				s.Failures++
			case c.Error != nil:
				s.Errors++
			case c.Skipped != nil:
				s.Skipped++
			}
		}
		doc.Tests, doc.Failures = doc.Tests+s.Tests, doc.Failures+s.Failures
		doc.Errors, doc.Skipped = doc.Errors+s.Errors, doc.Skipped+s.Skipped
		doc.Suites = append(doc.Suites, s)
	}
	failed := func(input string, errs []error) junitCase {
		return junitCase{Class: "ftlint", Name: input, Error: &junitProblem{OneLine(errs[0].Error()), "input", strings.Join(texts(errs), "\n")}}
	}
	for _, res := range run.Results {
		suite := junitSuite{Name: res.Path, Properties: versions(run, res), Out: strings.Join(oneLines(NoteLines(res)), "\n")}
		if len(res.Errors) > 0 {
			suite.Cases = append(suite.Cases, failed(res.Path, res.Errors))
		}
		found := byRule(res)
		for _, r := range res.Rules {
			c := junitCase{Class: junitClass(res.Path), Name: r.Rule.ID + " " + r.Rule.Name}
			status, why := Status(r)
			switch {
			case r.Findings > 0 && run.fails(r.Rule.Severity):
				c.Failure = &junitProblem{summary(r, found[r.Rule.ID]), r.Rule.Severity.String(), lines(res, r, found[r.Rule.ID])}
			case r.Findings > 0:
				c.Out = summary(r, found[r.Rule.ID]) + "\n" + lines(res, r, found[r.Rule.ID])
			case status != "passed":
				c.Skipped = &junitSkipped{OneLine(status + ": " + why)}
			}
			if part := notExecuted(r); part != "" {
				c.Out = joined("\n", strings.TrimSuffix(c.Out, "\n"), part)
			}
			suite.Cases = append(suite.Cases, c)
		}
		addSuite(suite)
	}
	if len(run.Errors) > 0 {
		addSuite(junitSuite{Name: "ftlint", Properties: versions(run, nil), Cases: []junitCase{failed("run", run.Errors)}})
	}
	return writeXML(w, doc)
}

// versions names ftlint and, by the names of JSON's fields, the image of an input. res
// is nil for no input.
func versions(run *Run, res *finding.Result) (p junitProperties) {
	add := func(name, value string) {
		if value != "" {
			p.List = append(p.List, junitProperty{name, OneLine(value)})
		}
	}
	add("ftlint", run.Version)
	add("schema", strconv.Itoa(SchemaVersion))
	if res == nil || res.Image == nil {
		return p
	}
	im := imageOf(res)
	add("module", im.Module)
	add("release", im.Release)
	add("compiler", im.Compiler)
	add("build", im.Build)
	add("build_id", im.BuildID)
	add("vermagic", im.Vermagic)
	add("era", im.Era)
	return p
}

// summary says how many findings a rule has, and what the first is.
func summary(r finding.RuleRun, found []*finding.Finding) string {
	s := plural.Of(r.Findings, r.Rule.Severity.String())
	if len(found) > 0 {
		s += ": " + OneLine(found[0].Headline)
	}
	return s
}

// lines returns findings of a rule in the form of text.
func lines(res *finding.Result, r finding.RuleRun, found []*finding.Finding) string {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintln(&b, line(res, f))
	}
	if n := r.Findings - len(found); n > 0 {
		fmt.Fprintln(&b, more(n, r.Rule, notShown))
	}
	return b.String()
}

// oneLines applies OneLine to each line, in place.
func oneLines(lines []string) []string {
	for i := range lines {
		lines[i] = OneLine(lines[i])
	}
	return lines
}

// junitClass returns the class of an input's cases. Jenkins takes the part before
// the last dot as the package: it is always ftlint.
func junitClass(path string) string {
	return "ftlint." + strings.ReplaceAll(OneLine(cleanPath(path)), ".", "_")
}
