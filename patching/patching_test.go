package patching

import (
	"testing"

	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/images"
)

// The interface of every kernel is as it must be.
func TestKernels(t *testing.T) {
	images.Each(t, func(t *testing.T, im *elfscan.Image) {
		runs := Execute(im)
		if runs.None != nil {
			t.Skip(runs.None)
		}
		for _, r := range runs.All {
			t.Errorf("%s %s: %v %v", r.Func, r.Case, r.Diffs, r.Err)
		}
		t.Logf("%d calls, %d places, skipped: %v", runs.Executed, runs.Places, runs.Skipped)
	})
}

func BenchmarkExecute(b *testing.B) {
	im := images.Kernel(b, "trixie")
	for b.Loop() {
		Execute(im)
	}
}
