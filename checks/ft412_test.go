package checks_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/lint"
)

// A table that the kernel may sort, by a call whose effect is not known, is
// neither a finding nor a pass.
func TestSortedLater(t *testing.T) {
	res := lint.File(t.Context(), filepath.Join(samples, "sites-sorted-later.elf"), lint.Config{})
	for _, r := range res.Rules {
		if r.Rule.ID != "FT412" {
			continue
		}
		if r.Status != finding.Inconclusive || !strings.Contains(r.Why.Error(), "calls fix_table, whose effect is not known") {
			t.Errorf("FT412: %v: %v", r.Status, r.Why)
		}
		return
	}
	t.Error("FT412 did not run")
}
