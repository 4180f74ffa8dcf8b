package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
)

// FT206 executes ftrace_make_call with targets at the borders of BL's range.
var FT206 = check("FT206", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	t, why := sitesOf(pass)
	if t == nil {
		return notApplicable("%s", why)
	}
	runs := pass.ResultOf[SiteRuns].(*SiteResults)
	switch {
	case runs.Why != "":
		return notApplicable("%s", runs.Why)
	case len(runs.Failed) > 0:
		return inconclusive("%s fails on ordinary callsites (FT408, FT409)", runs.Failed[0].Failed().Func)
	}
	fn, _ := im.Addr("ftrace_make_call")
	for _, b := range runs.Borders {
		if b.Err != nil {
			return inconclusive("a target %+#x bytes away: %v", b.Distance, b.Err)
		}
		if b.OK {
			continue
		}
		left := a64.Text(b.Got, 0, nil)
		if a64.Classify(b.Got) == a64.Call {
			left = "a BL elsewhere"
		}
		if b.Reachable {
			report(pass, fn, "ftrace_make_call, executed with a target %+#x bytes from the BL, returns %d and leaves %08x (%s): BL reaches that far (-0x8000000..+0x7fffffc), and the callsite could be enabled", b.Distance, b.Returned, b.Got, left)
		} else {
			report(pass, fn, "ftrace_make_call, executed with a target %+#x bytes from the BL, returns %d and leaves %08x (%s) at the callsite: BL reaches -0x8000000..+0x7fffffc, so it must refuse or go through a PLT", b.Distance, b.Returned, b.Got, left)
		}
	}
	return examined("%d distances at the borders of +-128 MiB", len(runs.Borders))
}, Sites, SiteRuns)
