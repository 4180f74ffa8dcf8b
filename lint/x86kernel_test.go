package lint_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/rules"
)

// A real x86-64 kernel has every callsite judged, its builder and its entry code
// executed, and no defect that would break it. No rule is inconclusive, and none is
// judged whose page says that it does not apply there.
func TestX64Kernels(t *testing.T) {
	executed := []string{"FT103", "FT105", "FT106", "FT108", "FT111", "FT113", "FT116", "FT301", "FT302", "FT305", "FT307", "FT308", "FT409"}
	for _, suite := range []string{"bookworm-amd64", "trixie-amd64"} {
		t.Run(suite, func(t *testing.T) {
			res := run(t, filepath.Join(needKernel(t, suite, false), "vmlinux"), lint.Config{})
			if im := res.Image; im.Era != arch.Fentry.Name || im.Callsites < 30_000 {
				t.Errorf("era %s, %d callsites", im.Era, im.Callsites)
			}
			for _, f := range res.Findings {
				if f.Rule.Severity != rules.Note {
					t.Errorf("%s: %s", f.Rule.ID, f.Headline)
				}
			}
			judged := map[string]bool{}
			for _, r := range res.Rules {
				switch r.Status {
				case finding.Inconclusive:
					t.Errorf("%s is inconclusive: %v", r.Rule.ID, r.Why)
				case finding.Judged:
					judged[r.Rule.ID] = true
					if page, _ := r.Rule.Page(); strings.Contains(page, "On x86-64 the rule does not apply") {
						t.Errorf("%s is judged, and its page says that it does not apply", r.Rule.ID)
					}
				}
			}
			for _, id := range executed {
				if !judged[id] {
					t.Errorf("%s is not judged", id)
				}
			}
		})
	}
}
