// Package consumers has the reports that ftlint writes read by the programs
// they are for, and compares what these make of them with the JSON report of
// the same input.
package consumers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/joshdk/go-junit"
	"github.com/reviewdog/errorformat"
	"github.com/reviewdog/reviewdog/parser"
	"github.com/reviewdog/reviewdog/proto/rdf"
)

const root = "../.."

// runs are what is linted at once: images with findings of all severities, with
// and without source lines, clean ones, modules, patches, and files that cannot
// be read, one of them with a name that needs escapes everywhere.
var runs = [][]string{
	{
		"testdata/vmlinux-samples/builders/rfc-builder.elf",
		"testdata/vmlinux-samples/etext-loose.elf",
		"testdata/vmlinux-samples/regs-good.elf",
		"patchchecks/testdata/example.patch",
		"no such: file,100%, <&'\"> ::error::#1\n",
		"no such\u2028ok 1 file",
	},
	{"testdata/module-samples/kernel-callops.elf", "testdata/module-samples", "nowhere.ko"},
}

// oneLine is a name of runs as it is on a line.
func oneLine(s string) string {
	return strings.NewReplacer("\n", `\n`, "\u2028", `\u2028`).Replace(s)
}

// each runs test for each of runs.
func each(t *testing.T, test func(t *testing.T, inputs []string)) {
	for i, inputs := range runs {
		t.Run(fmt.Sprint(i), func(t *testing.T) { test(t, inputs) })
	}
}

var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "consumers")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "ftlint")
	build := exec.Command("go", "build", "-o", program, "./cmd/ftlint")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%v\n%s", err, out))
	}
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// report is what ftlint writes to standard output for inputs.
func report(t *testing.T, inputs []string, format string, more ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, append(append([]string{"-q", "--max-per-rule", "0", "-f", format}, more...), inputs...)...)
	cmd.Dir = root
	out, err := cmd.Output()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 2 { // one input cannot be read
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	return string(out)
}

type place struct {
	Path    string
	Line    int
	Column  int
	Message string
}

type finding struct {
	place
	Severity, Rule, Name, Fingerprint string
	Evidence                          []string
	Fix                               string
	Related                           []place
}

// proof is what stands below the headline of a finding: evidence, fix, and the input
// if the finding is in a source file of an image.
func (in *input) proof(f *finding) []string {
	lines := slices.Clone(f.Evidence)
	if f.Fix != "" {
		lines = append(lines, "fix: "+f.Fix)
	}
	if in.Patches == nil && f.Path != in.Path {
		lines = append(lines, "in "+in.Path)
	}
	return lines
}

// whole is the headline and the proof of a finding.
func (in *input) whole(f *finding) string {
	return strings.Join(append([]string{f.Message}, in.proof(f)...), "\n")
}

type input struct {
	Path     string
	Errors   []string
	Patches  *struct{}
	Findings []finding
	Rules    []struct {
		Rule, Name, Severity, Status, Why string
		Findings                          int
		Skipped                           []string
	}
}

// want is the JSON report. Errors about no single input are those of an input
// called ftlint, as the other formats have it.
func want(t *testing.T, inputs []string) (list []input) {
	t.Helper()
	var doc struct {
		Inputs []input
		Errors []string
	}
	if err := json.Unmarshal([]byte(report(t, inputs, "json")), &doc); err != nil {
		t.Fatal(err)
	}
	errors, severities := 0, map[string]int{}
	for _, in := range doc.Inputs {
		errors += len(in.Errors)
		for _, f := range in.Findings {
			severities[f.Severity]++
		}
	}
	if errors == 0 || severities["error"] == 0 || severities["warning"] == 0 {
		t.Fatalf("the inputs show too little: %d errors, %v", errors, severities)
	}
	if len(doc.Errors) > 0 {
		doc.Inputs = append(doc.Inputs, input{Path: "ftlint", Errors: doc.Errors})
	}
	return doc.Inputs
}

func equal(t *testing.T, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Fatalf("%d entries, want %d; missing:\n%s", len(got), len(want), want[i])
		case i >= len(want):
			t.Fatalf("%d entries, want %d; too many:\n%s", len(got), len(want), got[i])
		case got[i] != want[i]:
			t.Fatalf("entry %d of %d:\n%s\nwant\n%s", i, len(want), got[i], want[i])
		}
	}
}

var reviewdogSeverity = map[string]string{"error": "ERROR", "warning": "WARNING", "note": "INFO"}

func diagnostics(list []*rdf.Diagnostic) (out []string) {
	for _, d := range list {
		start := d.GetLocation().GetRange().GetStart()
		out = append(out, fmt.Sprintf("%s:%d:%d %s %s %s", d.GetLocation().GetPath(), start.GetLine(), start.GetColumn(), d.GetSeverity(), d.GetCode().GetValue(), d.GetMessage()))
	}
	return out
}

// reviewdog reads Checkstyle's XML: all findings, and what could not be read.
func TestCheckstyle(t *testing.T) {
	each(t, func(t *testing.T, inputs []string) {
		got, err := parser.NewCheckStyleParser().Parse(strings.NewReader(report(t, inputs, "checkstyle")))
		if err != nil {
			t.Fatal(err)
		}
		var wanted []string
		for _, in := range want(t, inputs) {
			for _, f := range in.Findings {
				wanted = append(wanted, fmt.Sprintf("%s:%d:%d %s ftlint.%s.%s %s", f.Path, f.Line, f.Column, reviewdogSeverity[f.Severity], f.Rule, f.Name, in.whole(&f)))
			}
			for _, e := range in.Errors {
				wanted = append(wanted, fmt.Sprintf("%s:0:0 ERROR ftlint %s", in.Path, oneLine(e)))
			}
		}
		list := diagnostics(got)
		slices.Sort(list)
		slices.Sort(wanted)
		equal(t, list, wanted)
	})
}

// reviewdog reads SARIF: all findings at their places; those that are about a
// whole file are at its first line.
func TestSARIF(t *testing.T) {
	each(t, func(t *testing.T, inputs []string) {
		got, err := parser.NewSarifParser().Parse(strings.NewReader(report(t, inputs, "sarif")))
		if err != nil {
			t.Fatal(err)
		}
		var wanted []string
		for _, in := range want(t, inputs) {
			for _, f := range in.Findings {
				column := f.Column
				if column == 1 {
					column = 0 // of a region without an end: the whole line
				}
				wanted = append(wanted, fmt.Sprintf("%s:%d:%d %s %s %s", f.Path, max(f.Line, 1), column, reviewdogSeverity[f.Severity], f.Rule, in.whole(&f)))
			}
		}
		equal(t, diagnostics(got), wanted)
	})
}

// The text of findings is read with the errorformat that docs/formats.md gives
// for reviewdog.
func TestErrorformat(t *testing.T) {
	each(t, func(t *testing.T, inputs []string) {
		doc, err := os.ReadFile(filepath.Join(root, "docs/formats.md"))
		if err != nil {
			t.Fatal(err)
		}
		var formats []string
		for _, m := range regexp.MustCompile(`-efm='([^']+)'`).FindAllStringSubmatch(string(doc), -1) {
			formats = append(formats, m[1])
		}
		if len(formats) == 0 {
			t.Fatal("docs/formats.md gives no -efm")
		}
		efm, err := errorformat.NewErrorformat(formats)
		if err != nil {
			t.Fatal(err)
		}
		var got, wanted []string
		for s := efm.NewScanner(strings.NewReader(report(t, inputs, "text", "--no-group"))); s.Scan(); {
			if e := s.Entry(); e.Valid {
				got = append(got, fmt.Sprintf("%s:%d:%d %c %s", e.Filename, e.Lnum, e.Col, e.Type, e.Text))
			}
		}
		for _, in := range want(t, inputs) {
			for _, f := range in.Findings {
				wanted = append(wanted, fmt.Sprintf("%s:%d:%d %s %s [%s %s]", f.Path, f.Line, f.Column, f.Severity[:1], f.Message, f.Rule, f.Name))
				for _, r := range f.Related {
					if r.Message == "this line of the patch" { // text has this place among the evidence
						continue
					}
					wanted = append(wanted, fmt.Sprintf("%s:%d:%d n %s", r.Path, r.Line, r.Column, r.Message))
				}
			}
		}
		equal(t, got, wanted)
	})
}

// A JUnit parser counts the rules of each input by what became of them. No two
// test cases have one class and name: GitLab takes those for one.
func TestJUnit(t *testing.T) {
	each(t, func(t *testing.T, inputs []string) {
		for _, failOn := range []string{"error", "note", "never"} {
			suites, err := junit.Ingest([]byte(report(t, inputs, "junit", "--fail-on", failOn)))
			if err != nil {
				t.Fatal(err)
			}
			var got, wanted []string
			seen := map[string]bool{}
			for _, s := range suites {
				for _, c := range s.Tests {
					if id := c.Classname + "\n" + c.Name; seen[id] {
						t.Errorf("two test cases %q", id)
					} else {
						seen[id] = true
					}
					why := ""
					if c.Error != nil {
						why = c.Error.Error()
					}
					if c.Status == junit.StatusFailed { // its first finding
						why = why[:strings.Index(why, "]\n")+2]
					}
					got = append(got, fmt.Sprintf("%s: %s %s %s %s", s.Name, c.Name, c.Status, c.Message, why))
				}
			}
			for _, in := range want(t, inputs) {
				for _, e := range in.Errors {
					name := in.Path
					if name == "ftlint" {
						name = "run"
					}
					wanted = append(wanted, fmt.Sprintf("%s: %s error %s %s", in.Path, name, oneLine(e), e))
				}
				for _, r := range in.Rules {
					status, message, why := "passed", "", ""
					var of []finding
					for _, f := range in.Findings {
						if f.Rule == r.Rule {
							of = append(of, f)
						}
					}
					switch {
					case r.Findings > 0 && (failOn == "note" || failOn == r.Severity):
						status = "failed"
						message = fmt.Sprintf("%d %s%s: %s", len(of), r.Severity, map[bool]string{true: "s"}[len(of) > 1], of[0].Message)
						at := of[0].Path
						if of[0].Line > 0 {
							at = fmt.Sprintf("%s:%d:%d", at, of[0].Line, of[0].Column)
						}
						why = fmt.Sprintf("%s: %s: %s [%s %s]\n", at, r.Severity, of[0].Message, r.Rule, r.Name)
					case r.Status == "not applicable" || r.Status == "inconclusive":
						status, message = "skipped", r.Status+": "+r.Why
					}
					wanted = append(wanted, fmt.Sprintf("%s: %s %s %s %s %s", in.Path, r.Rule, r.Name, status, message, why))
				}
			}
			equal(t, got, wanted)
		}
	})
}

// kernelTests is the folder of kunit's parser in a kernel's source that
// scripts/fetch-kernels got.
func kernelTests(t *testing.T) []string {
	dir := os.Getenv("FTLINT_KERNELS")
	if dir == "" {
		cache, _ := os.UserCacheDir()
		dir = filepath.Join(cache, "ftlint", "kernels")
	}
	found, _ := filepath.Glob(filepath.Join(dir, "*/current/src/tools/testing/kunit"))
	found = slices.DeleteFunc(found, func(dir string) bool { // before 5.16 it read TAP
		b, err := os.ReadFile(filepath.Join(dir, "kunit_parser.py"))
		return err != nil || !bytes.Contains(b, []byte("KTAP"))
	})
	if len(found) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("no tools/testing/kunit: run scripts/fetch-kernels")
		}
		t.Skip("SKIPPED: no tools/testing/kunit: run scripts/fetch-kernels")
	}
	return found
}

type ktapTest struct {
	Name, Status     string
	Errors, Expected int
	Log              []string
	Tests            []ktapTest
}

// The KTAP parser of the kernel's own tools reads the report without an error,
// and sees each rule as what became of it.
func TestKTAP(t *testing.T) {
	each(t, func(t *testing.T, inputs []string) {
		for _, dir := range kernelTests(t) {
			for _, failOn := range []string{"error", "warning"} {
				cmd := exec.CommandContext(t.Context(), "python3", "kunit.py", dir)
				cmd.Stdin = strings.NewReader(report(t, inputs, "ktap", "--fail-on", failOn))
				var stderr bytes.Buffer
				cmd.Stderr = &stderr
				out, err := cmd.Output()
				if err != nil {
					t.Fatalf("%v\n%s", err, stderr.Bytes())
				}
				var top ktapTest
				if err := json.Unmarshal(out, &top); err != nil {
					t.Fatal(err)
				}
				if top.Errors != 0 {
					t.Errorf("the parser finds %d errors in it:\n%s", top.Errors, stderr.Bytes())
				}
				var got, wanted []string
				for _, in := range top.Tests {
					got = append(got, in.Name+" "+in.Status)
					for _, r := range in.Tests {
						got = append(got, fmt.Sprintf("%s: %s %s %d lines", in.Name, r.Name, r.Status, len(r.Log)))
					}
				}
				for _, in := range want(t, inputs) {
					status, name := "SKIPPED", strings.ReplaceAll(oneLine(in.Path), "#", "_")
					var rules []string
					for _, r := range in.Rules {
						lines := min(1, len(r.Skipped)) // which cases were not executed
						for _, f := range in.Findings {
							if f.Rule == r.Rule {
								lines += 1 + len(in.proof(&f)) + len(f.Related)
							}
						}
						s := "SUCCESS"
						switch {
						case r.Findings > 0 && (r.Severity == "error" || r.Severity == failOn):
							s, status = "FAILURE", "FAILURE"
						case r.Status == "not applicable" || r.Status == "inconclusive":
							s = "SKIPPED"
						case status == "SKIPPED":
							status = "SUCCESS"
						}
						rules = append(rules, fmt.Sprintf("%s: %s %s %s %d lines", name, r.Rule, r.Name, s, lines))
					}
					if len(in.Errors) > 0 {
						status = "FAILURE"
					}
					wanted = append(append(wanted, name+" "+status), rules...)
				}
				equal(t, got, wanted)
			}
		}
	})
}
