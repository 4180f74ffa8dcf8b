package report_test

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/picture"
	"github.com/ftlint/ftlint/report"
	"github.com/ftlint/ftlint/rules"
)

// TestOwnRule runs a check of a rule that is not of the catalogue beside the
// others: each format must take its finding.
func TestOwnRule(t *testing.T) {
	own := &analysis.Analyzer{
		Name:       "ACME1",
		Doc:        "has-entry: the image has entry code\n\nMore of it.",
		Requires:   []*analysis.Analyzer{checks.Image},
		ResultType: reflect.TypeFor[finding.Outcome](),
		Run: func(pass *analysis.Pass) (any, error) {
			im := pass.ResultOf[checks.Image].(*elfscan.Image)
			addr, _ := im.Addr("ftrace_caller")
			pass.Reportf(im.Pos(addr), "entry code at %#x", addr)
			return finding.Outcome{Examined: "1 label"}, nil
		},
	}
	res := lint.File(t.Context(), "../testdata/vmlinux-samples/regs-good.elf", lint.Config{Checks: append(slices.Clone(checks.All), own), Pictures: picture.All})
	if len(res.Errors) > 0 {
		t.Fatal(res.Errors)
	}
	want := rules.Rule{ID: "ACME1", Name: "has-entry", Severity: rules.Warning, Title: "the image has entry code", On: rules.Kernels | rules.Modules}
	if len(res.Findings) != 1 || res.Findings[0].Rule != want {
		t.Fatalf("findings %+v, want one of %+v", res.Findings, want)
	}
	failOn := rules.Warning
	run := &report.Run{Results: []*finding.Result{res}, FailOn: &failOn}
	for _, f := range report.Formats {
		var b bytes.Buffer
		if err := f.Write(&b, run); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
		for _, s := range []string{"ACME1", "entry code at 0x"} {
			if !strings.Contains(b.String(), s) {
				t.Errorf("%s: the report lacks %q", f.Name, s)
			}
		}
	}
}
