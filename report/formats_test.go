package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"github.com/xeipuuv/gojsonschema"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/child"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/report"
	"github.com/ftlint/ftlint/rules"
)

// evil is what names and messages out of a hostile file may hold: one thing at
// a time, too, for what escapes one may not escape another.
const evil = "a:b,c%25 <&'\"> ]]> ::error::x\x1b[31m\x00\r\n#\xff\ufffe é \u2028 \u202e"

var evils = []string{evil, "a\xff", "a\u2028ok 1 x", "a\u2029", "a\u0085not ok 1", "a\u202e", "a\x1c", "a\r::error::", "a%0A::error::x", "a##[error]x", "a # SKIP", "a\ufffe", "a]]>"}

// hostile is a run with such names everywhere.
func hostile() *report.Run { return hostileWith(evil) }

func hostileWith(evil string) *report.Run {
	rule, _ := rules.Lookup("FT301")
	other, _ := rules.Lookup("FT407")
	place := finding.Place{Path: "dir/" + evil, Line: 7, Col: 3, Addr: 0xffff800080000000}
	f := finding.Finding{Place: place, Rule: rule, Claim: finding.Claim{Headline: "message " + evil, Evidence: []string{"fact " + evil, "another"}, Fix: "mend " + evil}, Symbol: "symbol " + evil, Insn: "insn " + evil, Source: "source " + evil,
		Related: []finding.Related{{Place: place, Message: "related " + evil}}, Identity: finding.Identity{Rule: rule.ID, Object: evil, Symbol: evil, Text: evil}}
	twin := f
	twin.Line = 8
	unplaced := finding.Finding{Place: finding.Place{Path: evil}, Rule: other, Claim: finding.Claim{Headline: evil}}
	failOn := rules.Error
	return &report.Run{
		Version: "1.2.3", FailOn: &failOn,
		Errors: []error{errors.New("run " + evil)},
		Results: []*finding.Result{{
			Path: evil, Findings: []finding.Finding{f, twin, unplaced}, Errors: []error{errors.New("input " + evil)},
			Rules: []finding.RuleRun{{Rule: rule, Findings: 2}, {Rule: other, Findings: 4}},
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
		runs[path] = &report.Run{Version: "1", Results: []*finding.Result{lint.File(t.Context(), path, lint.Config{})}}
	}
	return runs
}

// sarifSchema is the standard's schema, as go-sarif has it.
func sarifSchema(t *testing.T) *gojsonschema.Schema {
	t.Helper()
	dir, err := child.Command(t, "go", "list", "-f", "{{.Dir}}", "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif").Output()
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(strings.TrimSpace(string(dir)), "schema.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var text string
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && len(lit.Value) > len(text) {
			text = lit.Value
		}
		return true
	})
	text, err = strconv.Unquote(text)
	if err != nil {
		t.Fatal(err)
	}
	schema, err := gojsonschema.NewSchema(gojsonschema.NewStringLoader(text))
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// Reports in SARIF are valid by the standard's schema; their rules have help,
// their fingerprints are unique, and each finding has what GitHub asks for.
func TestSARIFSchema(t *testing.T) {
	schema := sarifSchema(t)
	problems := func(text string) []gojsonschema.ResultError {
		res, err := schema.Validate(gojsonschema.NewStringLoader(text))
		if err != nil {
			t.Fatal(err)
		}
		return res.Errors()
	}
	for name, run := range reports(t) {
		text := write(t, "sarif", run)
		for _, p := range problems(text) {
			t.Errorf("%s: %v", name, p)
		}
		doc, err := sarif.FromString(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r := doc.Runs[0]
		if n := len(rules.All()); len(r.Tool.Driver.Rules) != n {
			t.Errorf("%s: %d rules, the catalogue has %d", name, len(r.Tool.Driver.Rules), n)
		}
		for _, rule := range r.Tool.Driver.Rules {
			if !strings.HasPrefix(*rule.Help.Markdown, "# "+*rule.ID) || rule.DefaultConfiguration.Level == "" {
				t.Errorf("rule %s: help %.20q, level %q", *rule.ID, *rule.Help.Markdown, rule.DefaultConfiguration.Level)
			}
			for _, text := range []*string{rule.ShortDescription.Text, rule.FullDescription.Text} { // GitHub's limits
				if n := len(*text); n == 0 || n > 1024 {
					t.Errorf("rule %s: a description of %d bytes", *rule.ID, n)
				}
			}
		}
		seen := map[string]bool{}
		var findings []finding.Finding
		for _, res := range run.Results {
			findings = append(findings, res.Findings...)
		}
		if len(r.Results) != len(findings) {
			t.Fatalf("%s: %d results of %d findings", name, len(r.Results), len(findings))
		}
		for i, res := range r.Results {
			id := res.PartialFingerprints["primaryLocationLineHash"]
			if seen[id] || !regexp.MustCompile(`^[0-9a-f]{32}:[1-9][0-9]*$`).MatchString(id) {
				t.Errorf("%s: fingerprint %q", name, id)
			}
			seen[id] = true
			if got := *r.Tool.Driver.Rules[res.RuleIndex].ID; got != *res.RuleID {
				t.Errorf("%s: rule %s has the index of %s", name, *res.RuleID, got)
			}
			f := findings[i]
			at := res.Locations[0].PhysicalLocation
			if line := at.Region.StartLine; *res.Message.Text == "" || *at.ArtifactLocation.URI == "" || line == nil || *line != max(f.Line, 1) {
				t.Errorf("%s: %s is at %s", name, f.Text(), *at.ArtifactLocation.URI)
			}
			if len(res.RelatedLocations) != len(f.Related) {
				t.Errorf("%s: %s: %d related locations, want %d", name, f.Text(), len(res.RelatedLocations), len(f.Related))
			}
			if f.Symbol != "" && *res.Locations[0].LogicalLocations[0].FullyQualifiedName != report.OneLine(f.Symbol) {
				t.Errorf("%s: %s is not at %s", name, f.Text(), f.Symbol)
			}
			if f.Addr != 0 && res.Properties.Properties["address"] != fmt.Sprintf("%#x", f.Addr) {
				t.Errorf("%s: %s: properties %v", name, f.Text(), res.Properties.Properties)
			}
		}
		// Errors, rules without a verdict, and what is not in the report.
		var want []string
		errs := len(run.Errors)
		for _, res := range run.Results {
			errs += len(res.Errors)
			for _, r := range res.Rules {
				if r.Status == finding.Inconclusive {
					want = append(want, "warning")
				}
				if name == "hostile" && r.Findings == 4 {
					want = append(want, "note")
				}
			}
			if res.Patch != nil {
				want = append(want, slices.Repeat([]string{"note"}, len(res.Patch.Notes))...)
			}
		}
		want = append(want, slices.Repeat([]string{"error"}, errs)...)
		var got []string
		for _, n := range r.Invocations[0].ToolExecutionNotifications {
			got = append(got, n.Level)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: notifications %q, want %q", name, got, want)
		}
		status := map[bool]int{true: 2}[errs > 0]
		if got := r.Invocations[0]; *got.ExecutionSuccessful != (errs == 0) || *got.ExitCode != status {
			t.Errorf("%s: executionSuccessful %v, exit code %d, with %d errors", name, *got.ExecutionSuccessful, *got.ExitCode, errs)
		}
		if len(r.Artifacts) != len(run.Results) {
			t.Errorf("%s: %d artifacts of %d inputs", name, len(r.Artifacts), len(run.Results))
		}
	}
	// The judge judges.
	for old, bad := range map[string]string{`"startLine":7`: `"startLine":0`, `"startColumn"`: `"startColumns"`, `"level":"error"`: `"level":"bad"`} {
		text := write(t, "sarif", hostile())
		if !strings.Contains(text, old) || len(problems(strings.Replace(text, old, bad, 1))) == 0 {
			t.Errorf("the schema takes %s", bad)
		}
	}
}

// The columns of SARIF are those of UTF-16.
func TestSARIFColumns(t *testing.T) {
	rule, _ := rules.Lookup("FT501")
	const source = "\té😀 mov\xff\xfe"
	col := strings.Index(source, "mov") + 1
	for end, want := range map[int]string{0: "11", col + 3: "9"} {
		text := write(t, "sarif", &report.Run{Results: []*finding.Result{{Findings: []finding.Finding{{Place: finding.Place{Path: "a.S", Line: 2, Col: col, EndCol: end}, Rule: rule, Source: source}}}}})
		if want := `"region":{"startLine":2,"startColumn":6,"endColumn":` + want + `,"snippet":{"text":"\té😀 mov��"}}`; !strings.Contains(text, want) {
			t.Errorf("want %s in\n%s", want, text[strings.Index(text, `"results"`):])
		}
	}
}

// The exit code in SARIF is the exit status.
func TestSARIFExitCode(t *testing.T) {
	warning, _ := rules.Lookup("FT407")
	ok := &finding.Result{Rules: []finding.RuleRun{{Rule: warning}}}
	found := &finding.Result{Rules: []finding.RuleRun{{Rule: warning, Findings: 1}}}
	bad := &finding.Result{Errors: []error{errors.New("x")}}
	failOn := func(s rules.Severity) *rules.Severity { return &s }
	for _, test := range []struct {
		run  report.Run
		want int
	}{
		{report.Run{Results: []*finding.Result{ok}, FailOn: failOn(rules.Warning)}, 0},
		{report.Run{Results: []*finding.Result{ok, found}, FailOn: failOn(rules.Warning)}, 1},
		{report.Run{Results: []*finding.Result{ok, found}, FailOn: failOn(rules.Error)}, 0},
		{report.Run{Results: []*finding.Result{ok, found}}, 0},
		{report.Run{Results: []*finding.Result{bad, found}, FailOn: failOn(rules.Warning)}, 2},
		{report.Run{Results: []*finding.Result{ok}, Errors: bad.Errors}, 2},
	} {
		if text := write(t, "sarif", &test.run); !strings.Contains(text, fmt.Sprintf(`"exitCode":%d}`, test.want)) && !strings.Contains(text, fmt.Sprintf(`"exitCode":%d,`, test.want)) {
			t.Errorf("%+v: the exit code is not %d", test.run, test.want)
		}
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
		for _, err := range run.Errors {
			failed(err)
		}
		for _, res := range run.Results {
			for _, err := range res.Errors {
				failed(err)
			}
		}
		for _, res := range run.Results {
			for _, f := range res.Findings {
				line, col := fmt.Sprint(f.Line), fmt.Sprint(f.Col)
				if f.Line == 0 {
					line, col = "", ""
				}
				text := report.OneLine(f.Headline) + " [" + f.Rule.ID + " " + f.Rule.Name + "]"
				for _, fact := range f.Evidence {
					text += "\n" + report.OneLine(fact)
				}
				if f.Fix != "" {
					text += "\nfix: " + report.OneLine(f.Fix)
				}
				if res.Patch == nil && f.Path != res.Path {
					in := res.Path
					if report.OneLine(in) != in {
						in = fmt.Sprintf("%q", in)
					}
					text += "\nin " + in
				}
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
			if name == "hostile" {
				want = append(want, fmt.Sprintf(`notice ""   ftlint %q`, fmt.Sprintf("%q: 3 more findings of FT407 site-not-at-entry are not shown (--max-per-rule)", evil)))
			}
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
		if name == "hostile" {
			want++ // what is not shown
		}
		if len(issues) != want {
			t.Errorf("%s: %d entries, want %d", name, len(issues), want)
		}
		seen := map[string]bool{}
		for _, i := range issues {
			if i.Description == "" || i.CheckName == "" || i.Location.Path == "" || strings.HasPrefix(i.Location.Path, "./") || i.Location.Lines.Begin < 1 || seen[i.Fingerprint] || i.Fingerprint == "" {
				t.Errorf("%s: %+v", name, i)
			}
			seen[i.Fingerprint] = true
			// What could not be judged has no rule, and is a blocker; what is not
			// shown is information.
			allowed := []string{"blocker", "info"}
			id, _, _ := strings.Cut(i.CheckName, " ")
			if rule, ok := rules.Lookup(id); ok {
				allowed = []string{map[rules.Severity]string{rules.Error: "critical", rules.Warning: "major", rules.Note: "info"}[rule.Severity]}
			} else if id != "ftlint" {
				t.Errorf("%s: no rule %q", name, id)
			}
			if !slices.Contains(allowed, i.Severity) {
				t.Errorf("%s: %s has the severity %q, want %q", name, i.CheckName, i.Severity, allowed)
			}
		}
	}
}

// Every format writes the hostile runs in valid UTF-8 and says all their
// errors. A format that is read by lines has none that a name made: no line end
// of Unicode's, no control character, nothing that turns text around.
func TestHostileNames(t *testing.T) {
	control := func(r rune) bool { return r != '\n' && r != '\t' && (r < ' ' || r == 0x7f) }
	unsafe := func(r rune) bool {
		return control(r) || r != '\n' && r != '\t' && unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
	}
	for _, evil := range evils {
		for _, f := range report.Formats {
			out := write(t, f.Name, hostileWith(evil))
			bad := control
			switch f.Name {
			case "text", "github", "ktap", "html":
				bad = unsafe
				if lines, want := strings.Count(out, "\n"), strings.Count(write(t, f.Name, hostileWith("a")), "\n"); lines != want {
					t.Errorf("%s of %q has %d lines, with a plain name %d", f.Name, evil, lines, want)
				}
			}
			if !utf8.ValidString(out) || strings.ContainsFunc(out, bad) {
				t.Errorf("%s of %q: %q", f.Name, evil, out)
			}
			if f.Name == "text" {
				continue // errors are not part of it: they go to standard error
			}
			for _, what := range []string{"run a", "input a", "message a"} {
				if !strings.Contains(out, what) {
					t.Errorf("%s of %q: %q is not in %q", f.Name, evil, what, out)
				}
			}
		}
	}
}

// What XML documents have is well-formed, and all in one document.
func TestHostileXML(t *testing.T) {
	for _, evil := range evils {
		for _, format := range []string{"checkstyle", "junit"} {
			depth, roots := 0, 0
			for dec := xml.NewDecoder(strings.NewReader(write(t, format, hostileWith(evil)))); ; {
				tok, err := dec.Token()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatalf("%s of %q: %v", format, evil, err)
				}
				switch tok.(type) {
				case xml.StartElement:
					if depth == 0 {
						roots++
					}
					depth++
				case xml.EndElement:
					depth--
				}
			}
			if roots != 1 {
				t.Errorf("%s of %q: %d documents", format, evil, roots)
			}
		}
	}
}

// With --max-per-rule each format that has a place for it says how many
// findings are not shown.
func TestNotShown(t *testing.T) {
	for _, f := range report.Formats {
		switch f.Name {
		case "json", "jsonl", "html": // the count of the rule says it
			continue
		}
		if out := write(t, f.Name, hostile()); !strings.Contains(out, "3 more findings of FT407 site-not-at-entry are not shown") {
			t.Errorf("%s: %s", f.Name, out)
		}
	}
}

// A path is in a report as a repository has it.
func TestCleanPaths(t *testing.T) {
	rule, _ := rules.Lookup("FT407")
	run := &report.Run{Results: []*finding.Result{{Path: "./out/vmlinux", Findings: []finding.Finding{{Place: finding.Place{Path: "./out/vmlinux"}, Rule: rule, Claim: finding.Claim{Headline: "m"}}}, Errors: []error{errors.New("e")}}}}
	for format, want := range map[string]string{"gitlab": `"path": "out/vmlinux"`, "github": "file=out/vmlinux,", "sarif": `"uri":"out/vmlinux"`} {
		if out := write(t, format, run); !strings.Contains(out, want) || strings.Contains(out, "./out") {
			t.Errorf("%s: want %s in %s", format, want, out)
		}
	}
}

// A finding is known again when lines move, and a new one beside it is not.
func TestFingerprintsSurviveMoves(t *testing.T) {
	prints := func(before, added string) (list []string) {
		patch := fmt.Sprintf("--- a/arch/arm64/kernel/entry.S\n+++ b/arch/arm64/kernel/entry.S\n@@ -%d,0 +%d,%d @@\n%s", strings.Count(before, "\n"), strings.Count(before, "\n")+1, strings.Count(added, "\n"), added)
		path := filepath.Join(t.TempDir(), "a.patch")
		if err := os.WriteFile(path, []byte(patch), 0o666); err != nil {
			t.Fatal(err)
		}
		doc, err := sarif.FromString(write(t, "sarif", &report.Run{Results: []*finding.Result{lint.File(t.Context(), path, lint.Config{})}}))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range doc.Runs[0].Results {
			list = append(list, r.PartialFingerprints["primaryLocationLineHash"])
		}
		return list
	}
	const call = "+\tcallq\tftrace_caller\n"
	one := prints("", call)
	if len(one) != 1 {
		t.Fatalf("%d findings, want 1", len(one))
	}
	if got := prints("\n\n\n", "+// more\n"+call); !slices.Equal(got, one) {
		t.Errorf("further down: %v, was %v", got, one)
	}
	if got := prints("", call+call); len(got) != 2 || got[0] != one[0] || got[1] == one[0] {
		t.Errorf("twice: %v, once %v", got, one)
	}
	if got := prints("", "+\tcallq\tother\n"); len(got) != 1 || got[0] == one[0] {
		t.Errorf("another: %v, the first %v", got, one)
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
	if want := []string{"run", "finding", "finding", "finding", "input", "error"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
