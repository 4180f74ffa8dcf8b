package callsite_test

import (
	"testing"

	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/images"
)

func insnRuns(t *testing.T, im *elfscan.Image, most int) (runs []callsite.InsnRun) {
	t.Helper()
	table, err := callsite.Of(im)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range table.Sites() {
		if len(runs) == most {
			break
		}
		if !s.OK || !s.Text {
			continue
		}
		x, err := callsite.NewInsnExecutor(table)
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, x.Run(s))
	}
	return runs
}

// The functions of real kernels, and correct ones of our own, do with a callsite what
// they must, in every situation.
func TestRunInsn(t *testing.T) {
	for name, im := range map[string]func() *elfscan.Image{
		"bookworm": func() *elfscan.Image { return images.Kernel(t, "bookworm-amd64") },
		"trixie":   func() *elfscan.Image { return images.Kernel(t, "trixie-amd64") },
		"sample":   func() *elfscan.Image { return images.Sample(t, "x86/good.elf") },
	} {
		for _, r := range insnRuns(t, im(), 3) {
			steps := 42 // 11 at boot, 11 after it, 10 by ftrace_replace_code(), twice
			if name == "sample" {
				steps = 22 // it has no ftrace_replace_code()
			}
			if r.Err != nil || r.Failed != nil || r.Steps != steps {
				t.Errorf("%s: %d steps, %+v, %v", name, r.Steps, r.Failed, r.Err)
			}
		}
	}
}
