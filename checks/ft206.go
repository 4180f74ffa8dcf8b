package checks

import (
	"fmt"
	"slices"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/world"
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
	var stuck error
	var skipped []error
	if maker := t.Arch.Patching.Branch; !slices.ContainsFunc(runs.Borders, func(b callsite.Border) bool { return b.Func == maker }) {
		skipped = append(skipped, &world.Lack{What: maker + " (the image has no such function)"})
	}
	for _, b := range runs.Borders {
		if b.Err != nil && stuck == nil {
			stuck = fmt.Errorf("a target %+#x bytes away: %s: %w", b.Distance, b.Func, b.Err)
		}
		if b.Err != nil || b.OK {
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
		c := say("%s refuses a target that BL reaches", b.Func)
		did := fmt.Sprintf("executed with a target %+#x bytes from the BL, it returns %d and leaves %08x (%s)", b.Distance, b.Returned, b.Got, left)
		must := ""
		switch {
		case len(b.Diffs) > 0:
			c.Headline = fmt.Sprintf("%s misbehaves with a target at the border of BL's range", b.Func)
			did = fmt.Sprintf("executed with a target %+#x bytes from the BL, it %s", b.Distance, some(b.Diffs, 3))
		case b.Func != "ftrace_make_call":
			did = fmt.Sprintf("executed with a target %+#x bytes from the BL, it makes %08x (%s)", b.Distance, b.Got, left)
			if !b.Reachable {
				c.Headline, must = fmt.Sprintf("%s makes a branch to a target that BL does not reach", b.Func), "it must make a BRK"
			}
		case b.Enabled: // and reachable: else it is OK
			c.Headline = fmt.Sprintf("%s takes ftrace_caller for a target that BL reaches", b.Func)
			must = "the callsite need not be enabled through ftrace_caller"
		case b.Reachable && b.Returned == 0:
			c.Headline, must = fmt.Sprintf("%s does not call a target that BL reaches", b.Func), "the callsite must call the target"
		case b.Reachable:
			must = "the callsite could be enabled"
		case b.Returned != 0:
			c.Headline = fmt.Sprintf("%s refuses a target that it could call through ftrace_caller", b.Func)
			must = "for other targets out of reach ftrace_make_call() or ftrace_make_nop() takes ftrace_caller, which goes on by ops->direct_call"
		default:
			c.Headline, must = fmt.Sprintf("%s enables a callsite whose BL does not reach", b.Func), "it must refuse, or go through a PLT"
		}
		c = c.Because("%s", did).Because("BL reaches -0x8000000..+0x7fffffc")
		if must != "" {
			c = c.Because("%s", must)
		}
		claim(pass, fn, c)
	}
	if stuck != nil {
		return finding.Outcome{Status: finding.Inconclusive, Why: stuck, Skipped: skipped}, nil
	}
	return partly(skipped, "%d distances at the borders of +-128 MiB", len(callsite.BorderDistances))
}, Sites, SiteRuns)
