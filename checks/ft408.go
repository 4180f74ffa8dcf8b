package checks

import (
	"golang.org/x/tools/go/analysis"
)

// FT408 executes ftrace_call_adjust on callsites.
var FT408 = check("FT408", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	fn, ok := im.Addr("ftrace_call_adjust")
	if !ok {
		return notApplicable("the image has no ftrace_call_adjust (an inline function before 6.3)")
	}
	return judgeSites(pass, []string{"ftrace_call_adjust"}, func(runs *SiteResults, t *SiteTable, n int, i int) {
		run := &runs.Failed[i]
		step := run.Failed()
		reportWith(pass, fn, relatedTo(im, run.Site.Entry, "the callsite"), "ftrace_call_adjust, executed on callsite %s, returns %#x; the BL belongs at %s. Its words: %s%s",
			t.name(im, run.Site.Entry), uint64(step.Returned), im.At(run.Site.Call), words(im, run.Site.Entry, t.Shape), andMore(n))
	})
}, Sites, SiteRuns)
