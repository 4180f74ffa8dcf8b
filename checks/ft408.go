package checks

import (
	"fmt"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/callsite"
)

// FT408 executes ftrace_call_adjust on callsites.
var FT408 = check("FT408", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	kernel, none := kernelOf(pass)
	if kernel == nil {
		return notApplicable("%v", none)
	}
	if _, ok := kernel.Addr("ftrace_call_adjust"); !ok {
		return notApplicable("the image has no ftrace_call_adjust (an inline function before 6.3)")
	}
	return judgeSites(pass, []string{"ftrace_call_adjust"}, nil, func(run *callsite.Run, t *SiteTable, more string) {
		step := run.Failed()
		what := fmt.Sprintf("returns %#x; the BL belongs at %s", uint64(step.Returned), im.At(run.Site.Call))
		switch {
		case step.Died || !step.Wrong:
			what = some(step.Diffs, 3)
		case step.Case != "":
			what = fmt.Sprintf("returns %#x; by the model it returns %s", uint64(step.Returned), step.WantRet)
		}
		reportRun(pass, kernel, step.Func, run.Site, "ftrace_call_adjust, executed on callsite %s%s, %s. Its words: %s%s",
			t.name(im, run.Site.Entry), inCase(step), what, words(im, run.Site.Entry, t.Shape), more)
	})
}, Sites, SiteRuns, InKernel)
