package lint_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/lint"
)

// A check that does not see that the run is to end is left behind, and so is the
// image that it looks at: Run returns, says that it was interrupted, and the
// check can go on reading.
func TestAbandoned(t *testing.T) {
	t.Parallel()
	in := lint.Inputs{Images: []string{filepath.Join(moduleSamples, "kernel-regs.elf")}, Modules: []string{filepath.Join(moduleSamples, "good-regs.ko")}}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("told to end")
	goOn, size := make(chan struct{}), make(chan int64, 1)
	var at time.Time
	stuck := own("stuck", func(pass *analysis.Pass) (any, error) {
		im := pass.ResultOf[checks.Image].(*elfscan.Image)
		at = time.Now()
		cancel(why)
		<-goOn
		size <- im.Size()
		return passes(pass)
	})
	emitted := 0
	total, err := lint.Run(ctx, in, lint.Config{Checks: []*analysis.Analyzer{stuck}, Workers: 2}, func(*finding.Result) { emitted++ })
	took := time.Since(at)
	close(goOn)
	if err != nil || emitted != 0 || !errors.Is(total.Interrupted, why) || !strings.HasSuffix(total.Interrupted.Error(), ": judged 0 of 1 module") {
		t.Errorf("%d results, %+v, %v", emitted, total, err)
	}
	if took > 10*time.Second {
		t.Errorf("it took %v to leave the check behind", took)
	}
	if n := <-size; n == 0 {
		t.Error("the image is closed under the check")
	}
}

// A check that sees it within the grace is waited for, and its result counts.
func TestNotAbandoned(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	slow := own("slow", func(pass *analysis.Pass) (any, error) {
		cancel()
		time.Sleep(100 * time.Millisecond)
		return passes(pass)
	})
	in := lint.Inputs{Images: []string{samples + "regs-good.elf"}}
	var got []*finding.Result
	total, err := lint.Run(ctx, in, lint.Config{Checks: []*analysis.Analyzer{slow}}, func(res *finding.Result) { got = append(got, res) })
	if err != nil || total.Interrupted != nil || len(got) != 1 || len(got[0].Rules) != 1 || got[0].Rules[0].Examined != "all" {
		t.Errorf("%+v, %v: %d results", total, err, len(got))
	}
}

// A run whose last input was not judged by all checks was interrupted, although
// it gave a result of each input.
func TestCutShort(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	first := own("first", func(pass *analysis.Pass) (any, error) { cancel(); return passes(pass) })
	second := own("second", func(pass *analysis.Pass) (any, error) { t.Error("it is run"); return passes(pass) }, first)
	n := 0
	total, err := lint.Run(ctx, lint.Inputs{Images: []string{samples + "regs-good.elf"}}, lint.Config{Checks: []*analysis.Analyzer{second}}, func(*finding.Result) { n++ })
	if err != nil || n != 1 || !errors.Is(total.Interrupted, context.Canceled) {
		t.Errorf("%d results, %+v, %v", n, total, err)
	}
}
