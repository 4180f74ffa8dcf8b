package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/report"
	"github.com/ftlint/ftlint/rules"
)

// evil is what names and messages out of a hostile file may hold.
const evil = "a:b,c%25 <&'\"> ]]> ::error::x\x1b[31m\x00\r\n#\xff\ufffe é"

// hostile is a run with such names everywhere.
func hostile() *report.Run {
	rule, _ := rules.Lookup("FT301")
	other, _ := rules.Lookup("FT407")
	place := lint.Place{Path: "dir/" + evil, Line: 7, Col: 3, Addr: 0xffff800080000000}
	f := lint.Finding{Place: place, Rule: rule, Message: "message " + evil, Symbol: "symbol " + evil, Insn: "insn " + evil, Source: "source " + evil,
		Related: []lint.Related{{Place: place, Message: "related " + evil}}, Identity: lint.Identity{Rule: rule.ID, Object: evil, Symbol: evil, Text: evil}}
	twin := f
	twin.Line = 8
	unplaced := lint.Finding{Place: lint.Place{Path: evil}, Rule: other, Message: evil}
	failOn := rules.Error
	return &report.Run{
		Version: "1.2.3", FailOn: &failOn,
		Errors: []error{errors.New("run " + evil)},
		Results: []*lint.Result{{
			Path: evil, Findings: []lint.Finding{f, twin, unplaced}, Errors: []error{errors.New("input " + evil)},
			Rules: []lint.RuleRun{{Rule: rule, Findings: 2}, {Rule: other, Findings: 4}},
		}},
	}
}

func write(t *testing.T, format string, run *report.Run) string {
	t.Helper()
	f, err := report.LookupFormat(format)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := f.Write(&b, run); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// reports are runs to write: a hostile one, an empty one, and real ones.
func reports(t *testing.T) map[string]*report.Run {
	runs := map[string]*report.Run{"hostile": hostile(), "empty": {}}
	for _, path := range []string{"../testdata/vmlinux-samples/builders/rfc-builder.elf", "../testdata/vmlinux-samples/regs-good.elf", "../patchchecks/testdata/example.patch", "nowhere"} {
		runs[path] = &report.Run{Version: "1", Results: []*lint.Result{lint.File(path, token.NewFileSet(), lint.Config{})}}
	}
	return runs
}

// Reports in SARIF are valid by the standard's schema; their rules have help,
// and their fingerprints are unique.
func TestSARIFSchema(t *testing.T) {
	for name, run := range reports(t) {
		doc, err := sarif.FromBytes([]byte(write(t, "sarif", run)), sarif.WithStrictValidation())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := doc.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		r := doc.Runs[0]
		if n := len(rules.All()); len(r.Tool.Driver.Rules) != n {
			t.Errorf("%s: %d rules, the catalogue has %d", name, len(r.Tool.Driver.Rules), n)
		}
		for _, rule := range r.Tool.Driver.Rules {
			if !strings.HasPrefix(*rule.Help.Markdown, "# "+*rule.ID) || rule.DefaultConfiguration.Level == "" {
				t.Errorf("rule %s: help %.20q, level %q", *rule.ID, *rule.Help.Markdown, rule.DefaultConfiguration.Level)
			}
		}
		seen := map[string]bool{}
		for _, res := range r.Results {
			id := res.PartialFingerprints["primaryLocationLineHash"]
			if seen[id] || !regexp.MustCompile(`^[0-9a-f]{32}:[1-9][0-9]*$`).MatchString(id) {
				t.Errorf("%s: fingerprint %q", name, id)
			}
			seen[id] = true
			if got := *r.Tool.Driver.Rules[res.RuleIndex].ID; got != *res.RuleID {
				t.Errorf("%s: rule %s has the index of %s", name, *res.RuleID, got)
			}
		}
		problems := len(run.Errors)
		for _, res := range run.Results {
			problems += len(res.Errors)
		}
		if got := *r.Invocations[0].ExecutionSuccessful; got != (problems == 0) {
			t.Errorf("%s: executionSuccessful is %v with %d errors", name, got, problems)
		}
	}
	// The judge judges.
	bad, _ := sarif.FromString(strings.Replace(write(t, "sarif", hostile()), `"startLine":7`, `"startLine":0`, 1))
	if bad.Validate() == nil {
		t.Error("the schema takes a line 0")
	}
}

// workflowCommand reads a line as GitHub's runner does (actions/runner,
// src/Runner.Common/ActionCommand.cs, TryParseV2): "::name key=value,...::text".
func workflowCommand(line string) (name string, props map[string]string, text string, ok bool) {
	rest, ok := strings.CutPrefix(line, "::")
	head, text, found := strings.Cut(rest, "::")
	if !ok || !found {
		return "", nil, "", false
	}
	unescape := func(s string, pairs ...string) string {
		for i := 0; i < len(pairs); i += 2 {
			s = strings.ReplaceAll(s, pairs[i], pairs[i+1])
		}
		return s
	}
	name, list, _ := strings.Cut(head, " ")
	props = map[string]string{}
	for _, p := range strings.Split(list, ",") {
		k, v, _ := strings.Cut(p, "=")
		props[k] = unescape(v, "%0D", "\r", "%0A", "\n", "%3A", ":", "%2C", ",", "%25", "%")
	}
	return name, props, unescape(text, "%0D", "\r", "%0A", "\n", "%25", "%"), true
}

// What GitHub's runner makes of the workflow commands are the findings and the
// errors; no name out of a file makes a command of its own.
func TestGitHubCommands(t *testing.T) {
	for name, run := range reports(t) {
		var got, want []string
		for line := range strings.Lines(write(t, "github", run)) {
			command, p, text, ok := workflowCommand(strings.TrimSuffix(line, "\n"))
			if !ok {
				t.Fatalf("%s: no command: %q", name, line)
			}
			got = append(got, fmt.Sprintf("%s %q %s %s %s %q", command, p["file"], p["line"], p["col"], p["title"], text))
		}
		failed := func(err error) { want = append(want, fmt.Sprintf(`error ""   ftlint %q`, report.OneLine(err.Error()))) }
		for _, res := range run.Results {
			for _, f := range res.Findings {
				line, col := fmt.Sprint(f.Line), fmt.Sprint(f.Col)
				if f.Line == 0 {
					line, col = "", ""
				}
				text := report.OneLine(f.Message) + " [" + f.Rule.ID + " " + f.Rule.Name + "]"
				for _, r := range f.Related {
					at := r.Path
					if r.Line > 0 {
						at = fmt.Sprintf("%s:%d:%d", r.Path, r.Line, r.Col)
					}
					if strings.Contains(at, "\x00") {
						at = fmt.Sprintf("%q:%d:%d", r.Path, r.Line, r.Col)
					}
					text += "\n" + at + ": note: " + report.OneLine(r.Message)
				}
				want = append(want, fmt.Sprintf("%s %q %s %s %s %s %q", map[rules.Severity]string{rules.Error: "error", rules.Warning: "warning", rules.Note: "notice"}[f.Rule.Severity], report.OneLine(f.Path), line, col, f.Rule.ID, f.Rule.Name, text))
			}
			for _, err := range res.Errors {
				failed(err)
			}
			if name == "hostile" {
				want = append(want, fmt.Sprintf(`notice ""   ftlint %q`, fmt.Sprintf("%q: 3 more findings of FT407 site-not-at-entry are not shown (--max-per-rule)", evil)))
			}
		}
		for _, err := range run.Errors {
			failed(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// Entries of a code quality report are what GitLab documents: a description, a
// check name, a unique fingerprint, one of its severities, a path and a line.
func TestGitLabFields(t *testing.T) {
	for name, run := range reports(t) {
		var issues []struct {
			Description string `json:"description"`
			CheckName   string `json:"check_name"`
			Fingerprint string `json:"fingerprint"`
			Severity    string `json:"severity"`
			Location    struct {
				Path  string `json:"path"`
				Lines struct {
					Begin int `json:"begin"`
				} `json:"lines"`
			} `json:"location"`
		}
		dec := json.NewDecoder(strings.NewReader(write(t, "gitlab", run)))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&issues); err != nil || issues == nil {
			t.Fatalf("%s: %v, %v", name, issues, err)
		}
		want := len(run.Errors)
		for _, res := range run.Results {
			want += len(res.Errors) + len(res.Findings)
		}
		if len(issues) != want {
			t.Errorf("%s: %d entries, want %d", name, len(issues), want)
		}
		seen := map[string]bool{}
		for _, i := range issues {
			if i.Description == "" || i.CheckName == "" || i.Location.Path == "" || i.Location.Lines.Begin < 1 || seen[i.Fingerprint] || i.Fingerprint == "" ||
				!slices.Contains([]string{"info", "minor", "major", "critical", "blocker"}, i.Severity) {
				t.Errorf("%s: %+v", name, i)
			}
			seen[i.Fingerprint] = true
		}
	}
}

// Every format writes the hostile run, with valid encoding and no control
// character but line ends and tabs, says all its errors, and is never the same
// as a clean run's.
func TestHostileNames(t *testing.T) {
	for _, f := range report.Formats {
		out := write(t, f.Name, hostile())
		if strings.ContainsAny(out, "\x1b\x00\r") {
			t.Errorf("%s: control characters in %q", f.Name, out)
		}
		if f.Name == "text" {
			continue // errors are not part of it: they go to standard error
		}
		for _, what := range []string{"run a", "input a", "message a"} {
			if !strings.Contains(out, what) {
				t.Errorf("%s: %q is not in %q", f.Name, what, out)
			}
		}
	}
}

// JSON Lines are JSON, each told by its type.
func TestJSONL(t *testing.T) {
	var got []string
	for line := range strings.Lines(write(t, "jsonl", hostile())) {
		var v struct{ Type, Rule, Message, Path string }
		if err := json.Unmarshal([]byte(line), &v); err != nil && !strings.HasPrefix(line, `{"type":"input"`) {
			t.Fatal(err)
		}
		got = append(got, v.Type)
	}
	if want := []string{"finding", "finding", "finding", "input", "error"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
