package lint_test

import (
	"bytes"
	"debug/elf"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/rules"
)

const samples = "../testdata/vmlinux-samples/"

// own is a check of somebody's own, as the package comment of checks allows.
func own(name string, run func(*analysis.Pass) (any, error), requires ...*analysis.Analyzer) *analysis.Analyzer {
	return &analysis.Analyzer{Name: name, Doc: name + ": a check of our own", Run: run,
		Requires: append([]*analysis.Analyzer{checks.Image}, requires...), ResultType: reflect.TypeFor[finding.Outcome]()}
}

func passes(*analysis.Pass) (any, error) { return finding.Outcome{Examined: "all"}, nil }

// whyNot is why a rule came to no verdict; "" if it came to one.
func whyNot(r finding.RuleRun) string {
	if r.Why == nil {
		return ""
	}
	return r.Why.Error()
}

// A check that panics or fails is inconclusive, said once, and keeps no other
// from running.
func TestFailingChecks(t *testing.T) {
	broken := &analysis.Analyzer{Name: "broken", Doc: "shared", Run: func(*analysis.Pass) (any, error) { return nil, errors.New("cannot tell") },
		ResultType: reflect.TypeFor[int]()}
	list := []*analysis.Analyzer{
		own("panics", func(*analysis.Pass) (any, error) { panic("off by one") }),
		own("needs", passes, broken),
		own("needstoo", passes, broken),
		own("fine", passes),
	}
	if err := analysis.Validate(list); err != nil {
		t.Fatal(err)
	}
	res := lint.File(t.Context(), samples+"regs-good.elf", lint.Config{Checks: list})
	want := map[string]string{"panics": "panics: internal error: off by one", "needs": "cannot tell", "needstoo": "cannot tell", "fine": ""}
	for _, r := range res.Rules {
		if w, ok := want[r.Rule.ID]; !ok || whyNot(r) != w {
			t.Errorf("%s is inconclusive: %q, want %q", r.Rule.ID, whyNot(r), w)
		}
		delete(want, r.Rule.ID)
	}
	if len(want) > 0 {
		t.Errorf("nothing is said of %v", want)
	}
	var said []string
	for _, err := range res.Errors {
		said = append(said, err.Error())
	}
	slices.Sort(said)
	if got := strings.Join(said, "\n"); got != res.Path+": cannot tell\n"+res.Path+": panics: internal error: off by one" {
		t.Errorf("the errors are\n%s\none for the panic and one for what failed were expected", got)
	}
}

// What several checks share is computed once.
func TestSharedOnce(t *testing.T) {
	n := 0
	shared := &analysis.Analyzer{Name: "shared", Doc: "shared", Run: func(*analysis.Pass) (any, error) { n++; return n, nil }, ResultType: reflect.TypeFor[int]()}
	var list []*analysis.Analyzer
	for _, name := range []string{"a", "b", "c", "d"} {
		list = append(list, own(name, func(pass *analysis.Pass) (any, error) {
			if pass.ResultOf[shared] != 1 {
				t.Errorf("%s is given %v", name, pass.ResultOf[shared])
			}
			return passes(pass)
		}, shared))
	}
	lint.File(t.Context(), samples+"regs-good.elf", lint.Config{Checks: list})
	if n != 1 {
		t.Errorf("a shared result was computed %d times", n)
	}
}

// Of more findings than are shown, those at the lowest addresses are, and all
// are counted.
func TestMaxPerRule(t *testing.T) {
	im, err := elfscan.Open(samples+"regs-good.elf", "")
	if err != nil {
		t.Fatal(err)
	}
	defer im.Close()
	text, _ := im.Addr("_stext")
	many := own("many", func(pass *analysis.Pass) (any, error) {
		im := pass.ResultOf[checks.Image].(*elfscan.Image)
		for i := range uint64(50) {
			pass.Report(analysis.Diagnostic{Pos: im.Pos(text + (i*7%50)*4), Message: "here"})
		}
		return passes(pass)
	})
	res := lint.Image(t.Context(), im, lint.Config{Checks: []*analysis.Analyzer{many}, MaxPerRule: 5})
	var addrs []uint64
	for _, f := range res.Findings {
		addrs = append(addrs, f.Addr)
	}
	slices.Sort(addrs)
	if want := []uint64{text, text + 4, text + 8, text + 12, text + 16}; !slices.Equal(addrs, want) || res.Rules[0].Findings != 50 {
		t.Errorf("%d findings, at %#x; want 50, at %#x", res.Rules[0].Findings, addrs, want)
	}
}

// damaged writes a copy of a sample in which a symbol has another value.
func damaged(t *testing.T, sample, symbol string, value uint64) string {
	t.Helper()
	b, err := os.ReadFile(samples + sample)
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	syms, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(syms, func(s elf.Symbol) bool { return s.Name == symbol })
	if i < 0 {
		t.Fatalf("%s has no symbol %s", sample, symbol)
	}
	at := f.Section(".symtab").Offset + uint64(i+1)*24 + 8
	f.ByteOrder.PutUint64(b[at:], value)
	path := filepath.Join(t.TempDir(), "vmlinux")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// A callsite table that lies leaves the rules about callsites without a
// verdict; the error is said once, and the others are judged.
func TestTableThatLies(t *testing.T) {
	res := lint.File(t.Context(), damaged(t, "regs-good.elf", "__start_mcount_loc", 0x1000), lint.Config{})
	if len(res.Errors) != 1 || !strings.Contains(res.Errors[0].Error(), "callsite table: ") {
		t.Errorf("errors %v; one about the callsite table was expected", res.Errors)
	}
	for _, r := range res.Rules {
		switch r.Rule.ID {
		case "FT201", "FT401", "FT403", "FT404", "FT405", "FT407":
			if !strings.Contains(whyNot(r), "callsite table: ") || r.Examined != "" || r.Findings != 0 {
				t.Errorf("%s without callsites: %+v", r.Rule.ID, r)
			}
		case "FT101", "FT102", "FT207", "FT303":
			if r.Status == finding.Inconclusive || r.Examined == "" {
				t.Errorf("%s needs no callsites: %+v", r.Rule.ID, r)
			}
		}
	}
}

// A file that cannot be read is one error, and no rule is said to have run.
func TestUnreadable(t *testing.T) {
	for _, path := range []string{filepath.Join(t.TempDir(), "nothing"), t.TempDir(), "lint_test.go"} {
		res := lint.File(t.Context(), path, lint.Config{})
		if len(res.Errors) != 1 || !strings.HasPrefix(res.Errors[0].Error(), path+": ") || res.Image != nil || len(res.Rules) != 0 || len(res.Findings) != 0 {
			t.Errorf("%s: %+v", path, res)
		}
	}
}

// A file that is cut while it is read leaves rules without a verdict, and the
// process alive.
func TestCutWhileRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the file is read whole")
	}
	b, err := os.ReadFile(samples + "regs-good.elf")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "vmlinux")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	im, err := elfscan.Open(path, "")
	if err != nil {
		t.Fatal(err)
	}
	defer im.Close()
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	res := lint.Image(t.Context(), im, lint.Config{})
	if len(res.Errors) != 1 || res.Errors[0].Error() != path+": the file changed while it was read" {
		t.Errorf("errors %v", res.Errors)
	}
	for _, r := range res.Rules {
		if r.Status != finding.Inconclusive && whyNot(r) != "not a module" {
			t.Errorf("%s has a verdict on a file that is gone: %+v", r.Rule.ID, r)
		}
	}
}

// A panic that is in no check is an error of the input, in one line.
func TestPanicOutsideChecks(t *testing.T) {
	for _, path := range []string{"../testdata/vmlinux-samples/regs-good.elf", "../patchchecks/testdata/example.patch"} {
		res := lint.File(t.Context(), path, lint.Config{Checks: []*analysis.Analyzer{nil}})
		if len(res.Errors) != 1 || !strings.HasPrefix(res.Errors[0].Error(), path+": driver: internal error: ") || res.Path != path {
			t.Errorf("%s: %v", path, res.Errors)
		}
	}
}

// Callsites that the kernel itself disables are worth a note, unless the user
// says otherwise.
func TestHarmlessIsNote(t *testing.T) {
	for _, c := range []struct {
		sample string
		chosen map[string]rules.Severity
		want   rules.Severity
	}{
		{"site-not-at-entry", nil, rules.Warning},
		{"site-not-at-entry-disabled", nil, rules.Note},
		{"site-not-at-entry-disabled", map[string]rules.Severity{"FT407": rules.Error}, rules.Error},
	} {
		res := lint.File(t.Context(), samples+c.sample+".elf", lint.Config{Severity: c.chosen})
		r := ruleRun(t, res, "FT407")
		if len(res.Findings) != 1 || res.Findings[0].Rule.Severity != c.want || r.Rule.Severity != c.want || r.Findings != 1 {
			t.Errorf("%s with %v: %+v, findings %+v; want one %v", c.sample, c.chosen, r, res.Findings, c.want)
		}
	}
}
