package checks

import (
	"fmt"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/callsite"
)

// FT206 executes ftrace_make_call with targets at the borders of BL's range.
var FT206 = check("FT206", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	t, none := sitesOf(pass)
	if t == nil {
		return notApplicable("%v", none)
	}
	runs := pass.ResultOf[SiteRuns].(*SiteResults)
	switch {
	case runs.None != nil:
		return notApplicable("%v", runs.None)
	case len(runs.Failed) > 0:
		return inconclusive("%s fails on ordinary callsites (FT408, FT409)", runs.Failed[0].Failed().Func)
	}
	for _, b := range runs.Borders {
		if b.Err != nil {
			return inconclusive("a target %+#x bytes away: %v", b.Distance, b.Err)
		}
		if b.OK {
			continue
		}
		fn, _ := im.Addr(b.Func)
		left := a64.Text(b.Got, 0, nil)
		switch {
		case b.Enabled:
			left = "a BL to ftrace_caller"
		case a64.Classify(b.Got) == a64.Call:
			left = "a BL elsewhere"
		}
		did := fmt.Sprintf("%s, executed with a target %+#x bytes from the BL, returns %d and leaves %08x (%s)", b.Func, b.Distance, b.Returned, b.Got, left)
		switch {
		case len(b.Diffs) > 0:
			report(pass, fn, "%s, executed with a target %+#x bytes from the BL, %s", b.Func, b.Distance, some(b.Diffs, 3))
		case b.Func != "ftrace_make_call" && b.Reachable:
			report(pass, fn, "%s, executed with a target %+#x bytes from the BL, makes %08x (%s): BL reaches that far (-0x8000000..+0x7fffffc)", b.Func, b.Distance, b.Got, left)
		case b.Func != "ftrace_make_call":
			report(pass, fn, "%s, executed with a target %+#x bytes from the BL, makes %08x (%s): BL reaches -0x8000000..+0x7fffffc, so it must make a BRK", b.Func, b.Distance, b.Got, left)
		case b.Enabled: // and reachable: else it is OK
			report(pass, fn, "%s: BL reaches that far (-0x8000000..+0x7fffffc), so the callsite need not be enabled through ftrace_caller", did)
		case b.Reachable && b.Returned == 0:
			report(pass, fn, "%s: BL reaches that far (-0x8000000..+0x7fffffc), and the callsite must call the target", did)
		case b.Reachable:
			report(pass, fn, "%s: BL reaches that far (-0x8000000..+0x7fffffc), and the callsite could be enabled", did)
		case b.Returned != 0:
			report(pass, fn, "%s at the callsite: BL does not reach that far, but ftrace_caller does, by ops->direct_call, so the callsite must call ftrace_caller", did)
		default:
			report(pass, fn, "%s at the callsite: BL reaches -0x8000000..+0x7fffffc, so it must refuse or go through a PLT", did)
		}
	}
	return examined("%d distances at the borders of +-128 MiB", len(callsite.BorderDistances))
}, Sites, SiteRuns)
