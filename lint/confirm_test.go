package lint

import (
	"testing"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/rules"
)

// Two places outside of any function are not in the same function: an image's
// finding that has no symbol does not confirm a patch's finding elsewhere.
func TestConfirmWithoutNames(t *testing.T) {
	rule, _ := rules.Lookup("FT104")
	for _, test := range []struct {
		name, function string
		want           bool
	}{
		{"", "", false},
		{"", "ftrace_caller", false},
		{"ftrace_caller", "", false},
		{"ftrace_caller", "ftrace_caller", true},
	} {
		patch := &finding.Result{
			Findings: []finding.Finding{{Rule: rule, Patched: finding.Place{Path: "a.S", Line: 10}}},
			Patch: &finding.PatchFacts{Touched: []finding.Span{
				{Path: "a.S", First: 10, Last: 11, Func: test.name},
				{Path: "b.S", First: 20, Last: 20},
			}},
		}
		f := finding.Finding{Rule: rule, Place: finding.Place{Path: "b.S", Line: 20}, Identity: finding.Identity{Symbol: test.function}}
		if got := confirm([]*finding.Result{patch}, f, "vmlinux"); got != test.want || patch.Findings[0].Confirmed != test.want {
			t.Errorf("a patch in function %q, a finding in function %q: confirmed %v", test.name, test.function, got)
		}
	}
}
