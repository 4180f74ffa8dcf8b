package report_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/picture"
	"github.com/ftlint/ftlint/report"
	"github.com/ftlint/ftlint/rules"
)

// found is a result with one finding at a place.
func found(place finding.Place, message string) *finding.Result {
	rule, _ := rules.Lookup("FT104")
	return &finding.Result{
		Path:     "vmlinux",
		Findings: []finding.Finding{{Place: place, Rule: rule, Claim: finding.Claim{Headline: message}}},
		Rules:    []finding.RuleRun{{Rule: rule, Findings: 1}},
	}
}

func text(t *testing.T, tree string, res *finding.Result) string {
	t.Helper()
	var b bytes.Buffer
	w := report.Text{W: &b, SrcTree: tree}
	if err := w.Write(res); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Evidence and fix stand below the source line, indented, and before other places.
func TestParts(t *testing.T) {
	res := found(finding.Place{Path: "x.S", Line: 7, Col: 1}, "m")
	f := &res.Findings[0]
	f.Claim = f.Because("it is %d\nbytes long", 4).Because("it ends").Do("Make it longer")
	f.Source = "ret"
	f.Related = []finding.Related{{Place: finding.Place{Path: "y.S", Line: 8, Col: 1}, Message: "here"}}
	want := `x.S:7:1: warning: m [FT104 end-label-before-ret]
     7 | ret
       | ^~~
  it is 4\nbytes long
  it ends
  fix: Make it longer
y.S:8:1: note: here
`
	if diff := cmp.Diff(want, text(t, "", res)); diff != "" {
		t.Error(diff)
	}
	if first, _, _ := strings.Cut(want, "\n"); f.TextLine() != first { // --ignore matches in it
		t.Errorf("TextLine is %q, want %q", f.TextLine(), first)
	}
}

// Where the columns are known, carets stand under what is between them. Where the
// first alone is known, they stand under the word that begins there.
func TestCaret(t *testing.T) {
	const line = "\tif (ftrace_call(ip) < 0)\t/* no */"
	for _, c := range []struct {
		col, end int
		want     string
	}{
		{1, 0, "\t^~~~~~~~~~~~~~~~~~~~~~~~"},
		{6, 0, "\t    ^~~~~~~~~~~"},
		{5, 0, "\t   ^"},
		{400, 0, "\t^~~~~~~~~~~~~~~~~~~~~~~~"},
		{6, 21, "\t    ^~~~~~~~~~~~~~~"},
		{27, 35, "\t                        \t^~~~~~~~"},
		{1, 2, "^"},
		{6, 6, "\t    ^~~~~~~~~~~"},
		{6, 400, "\t    ^~~~~~~~~~~"},
	} {
		res := found(finding.Place{Path: "x.c", Line: 7, Col: c.col, EndCol: c.end}, "m")
		res.Findings[0].Source = line
		_, got, _ := strings.Cut(text(t, "", res), line+"\n")
		if got != "       | "+c.want+"\n" {
			t.Errorf("columns %d to %d:\n%q\n%q", c.col, c.end, got, c.want)
		}
	}
}

// The source line stands below the finding, with a caret under its code: not
// under its indent nor under its comment.
func TestSourceLine(t *testing.T) {
	tree := t.TempDir()
	source := "first\n\tret\tx9\t\t// the end\n// all comment\n\n"
	if err := os.WriteFile(filepath.Join(tree, "a.S"), []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		line int
		want string
	}{
		{1, "     1 | first\n       | ^~~~~\n"},
		{2, "     2 | \tret\tx9\t\t// the end\n       | \t^~~~~~\n"},
		{3, "     3 | // all comment\n       | ^~~~~~~~~~~~~~\n"},
		{4, "     4 | \n"},
		{99, ""}, // the tree is of another version
	} {
		want := "a.S:" + map[int]string{1: "1", 2: "2", 3: "3", 4: "4", 99: "99"}[test.line] + ":1: warning: m [FT104 end-label-before-ret]\n" + test.want
		if got := text(t, tree, found(finding.Place{Path: "a.S", Line: test.line, Col: 1}, "m")); got != want {
			t.Errorf("line %d:\n%s\nwant\n%s", test.line, got, want)
		}
	}
}

// A file name out of an image's DWARF leads to no file outside the tree, not
// over a symbolic link either, and to none that is no source.
func TestSourceStaysInTree(t *testing.T) {
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	if err := os.Mkdir(tree, 0o755); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("password\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"file": secret, "relative": "../secret", "folder": dir, "loop": "loop"} {
		if err := os.Symlink(to, filepath.Join(tree, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"../secret", secret, "a/../../secret", "file", "relative", "folder/secret", "loop", "."} {
		want := path + ":1:1: warning: m [FT104 end-label-before-ret]\n"
		if got := text(t, tree, found(finding.Place{Path: path, Line: 1, Col: 1}, "m")); got != want {
			t.Errorf("%s shows a file outside the tree:\n%s", path, got)
		}
	}

	// Links within it are followed, and the tree itself may be one.
	if err := os.WriteFile(filepath.Join(tree, "a.S"), []byte("ret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"tree/b.S": "a.S", "link": "tree"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if got := text(t, filepath.Join(dir, "link"), found(finding.Place{Path: "b.S", Line: 1, Col: 1}, "m")); !strings.Contains(got, "1 | ret\n") {
		t.Errorf("a link within the tree is not followed:\n%s", got)
	}
}

// Names out of a file that means harm print no control character, and break
// no line.
func TestControlCharacters(t *testing.T) {
	got := text(t, "", found(finding.Place{Path: "a\nb", Line: 1, Col: 1}, "symbol \x1b[31m\r\nerror: x\x7f"))
	want := `"a\nb":1:1: warning: symbol \x1b[31m\r\nerror: x\x7f [FT104 end-label-before-ret]` + "\n"
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := report.OneLine("für $x é"); got != "für $x é" {
		t.Errorf("OneLine changes what needs no change: %q", got)
	}
}

// Nor do listings, whose names are those of an image too.
func TestControlCharactersInListings(t *testing.T) {
	const evil = "a\x1b]0;x\a\u009b\n\u202eb"
	const plain = `a\x1b]0;x\a\u009b\n\u202eb`
	var b bytes.Buffer
	err := report.Terminal{Writer: &b}.Show([]picture.Listing{{Title: evil, Lines: []picture.Line{
		{Labels: []string{evil}, Text: evil, Model: evil, Note: evil},
		{Text: evil},
	}}})
	want := plain + "\n" + plain + ":\n  0:  00000000  " + plain + "  = " + plain + "  // " + plain + "\n  0:  00000000  " + plain + "\n"
	if got := b.String(); err != nil || got != want {
		t.Errorf("%q, %v\nwant %q", got, err, want)
	}
}

// A finding without a line is at its image; what is left out is counted.
func TestPlaces(t *testing.T) {
	res := found(finding.Place{Path: "vmlinux", Addr: 0xffff800010000000}, "m")
	res.Findings[0].Related = []finding.Related{{Place: finding.Place{Path: "x.S", Line: 7, Col: 1}, Message: "label"}}
	res.Rules[0].Findings = 21
	want := "vmlinux: warning: m [FT104 end-label-before-ret]\nx.S:7:1: note: label\n" +
		"vmlinux: note: 20 more findings of FT104 end-label-before-ret are not shown (--max-per-rule)\n"
	if first := res.Findings[0].TextLine(); !strings.HasPrefix(want, first+"\n") {
		t.Errorf("TextLine is %q", first)
	}
	if got := text(t, "", res); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// A rule that reached no verdict, or could not run, is never a pass.
func TestStatus(t *testing.T) {
	for _, test := range []struct {
		run         finding.RuleRun
		status, why string
	}{
		{finding.RuleRun{}, "passed", ""},
		{finding.RuleRun{Findings: 1}, "findings", ""},
		{finding.RuleRun{Outcome: finding.Outcome{Status: finding.NotApplicable, Why: errors.New("no ftrace")}}, "not applicable", "no ftrace"},
		{finding.RuleRun{Outcome: finding.Outcome{Status: finding.Inconclusive, Why: errors.New("step limit")}}, "inconclusive", "step limit"},
		{finding.RuleRun{Findings: 1, Outcome: finding.Outcome{Status: finding.Inconclusive, Why: errors.New("step limit")}}, "findings", "step limit"},
	} {
		if status, why := report.Status(test.run); status != test.status || why != test.why {
			t.Errorf("%+v: %s (%s), want %s (%s)", test.run, status, why, test.status, test.why)
		}
	}
}
