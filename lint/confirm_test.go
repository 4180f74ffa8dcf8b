package lint

import (
	"testing"

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
		patch := &Result{
			Findings: []Finding{{Rule: rule, Patched: Place{Path: "a.S", Line: 10}}},
			spans:    []span{{"a.S", 10, 11, test.name, test.name == ""}, {"b.S", 20, 20, "", true}},
		}
		f := Finding{Rule: rule, Place: Place{Path: "b.S", Line: 20}}
		if got := confirm([]*Result{patch}, f, test.function, "vmlinux"); got != test.want || patch.Findings[0].Confirmed != test.want {
			t.Errorf("a patch in function %q, a finding in function %q: confirmed %v", test.name, test.function, got)
		}
	}
}
