//go:build unix

package lint_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/lint"
)

// A cutter is a context that cuts a file to nothing when it is asked the nth
// time whether it is done, which it is not.
type cutter struct {
	context.Context
	path string
	left atomic.Int64
}

func (c *cutter) Err() error {
	if c.left.Add(-1) == 0 {
		_ = os.Truncate(c.path, 0)
	}
	return nil
}

// The driver asks whether to go on before each check, each callsite that is
// executed and each module. A kernel image that is cut at any of these moments
// leaves inputs without a verdict, and the process alive.
func TestCutAtEachMoment(t *testing.T) {
	sites := []*analysis.Analyzer{checks.FT408, checks.FT409}
	for _, test := range []struct {
		kernel  string
		modules []string
		cfg     lint.Config
	}{
		{samples + "callops-good.elf", nil, lint.Config{Checks: sites, Settings: checks.Settings{Exhaustive: true}}},
		{"../testdata/module-samples/kernel-callops.elf", []string{"../testdata/module-samples/good-callops.ko", "../testdata/module-samples/no-ftrace-plt.ko"}, lint.Config{}},
	} {
		image, err := os.ReadFile(test.kernel)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "vmlinux")
		said, moments := 0, int64(0)
		for {
			if err := os.WriteFile(path, image, 0o600); err != nil {
				t.Fatal(err)
			}
			moments++
			ctx := &cutter{Context: context.Background(), path: path}
			ctx.left.Store(moments)
			results := 0
			_, err := lint.Run(ctx, lint.Inputs{Images: []string{path}, Modules: test.modules}, test.cfg, func(res *finding.Result) {
				results++
				for _, err := range res.Errors {
					said++
					if !strings.HasPrefix(err.Error(), res.Path+": ") || !strings.HasSuffix(err.Error(), "changed while it was read") {
						t.Errorf("%s, moment %d: %v", test.kernel, moments, err)
					}
				}
			})
			if err != nil || results != 1+len(test.modules) {
				t.Errorf("%s, moment %d: %d results, %v", test.kernel, moments, results, err)
			}
			if ctx.left.Load() > 0 {
				break // there are no more moments
			}
		}
		if said == 0 || moments < 5 {
			t.Errorf("%s: cut at %d moments, which is said %d times", test.kernel, moments, said)
		}
		t.Logf("%s: cut at %d moments, which is said %d times", test.kernel, moments, said)
	}
}
