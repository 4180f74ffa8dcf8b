package checks

import (
	"fmt"
	"slices"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
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
		report(pass, fn, wrongAt(&b))
	}
	if stuck != nil {
		return finding.Outcome{Status: finding.Inconclusive, Why: stuck, Skipped: skipped}, nil
	}
	return partly(skipped, "%s at the borders of +-128 MiB", plural.Of(len(callsite.BorderDistances), "distance"))
}, Sites, SiteRuns)

// wrongAt says what the function did wrong at the border, and what it must do.
func wrongAt(b *callsite.Border) finding.Claim {
	at := fmt.Sprintf("executed with a target %+#x bytes from the BL, it ", b.Distance)
	if len(b.Diffs) > 0 {
		c := say("%s misbehaves with a target at the border of BL's range", b.Func).Because("%s", at+b.Diffs[0])
		for _, d := range firstOf(b.Diffs[1:], 2) {
			c = c.Because("%s", itDoes(d))
		}
		return c.Do("Compare %s with the kernel's own", b.Func)
	}
	left := a64.Text(b.Got, 0, nil)
	switch {
	case b.Calls:
		left = "a BL to the target"
	case b.Enabled:
		left = "a BL to ftrace_caller"
	case a64.Classify(b.Got) == a64.Call:
		left = "a BL elsewhere"
	}
	if b.Func != "ftrace_make_call" { // a maker of branches
		what, must, fix := "a branch to a target that BL does not reach", "it must make a BRK", "Let %s return AARCH64_BREAK_FAULT where the offset is not within -SZ_128M and SZ_128M - 4"
		if b.Reachable {
			what, must, fix = "no branch to a target that BL reaches", "it must make a branch to the target", "Let %s take each offset from -SZ_128M to SZ_128M - 4"
		}
		return say("%s makes %s", b.Func, what).Because("%smakes %08x (%s)", at, b.Got, left).Because("BL reaches -0x8000000..+0x7fffffc, so %s", must).Do(fix, b.Func)
	}
	const reach = "BL reaches -0x8000000..+0x7fffffc, so "
	what, must, fix := "", "", "Take ftrace_caller only where the target is out of BL's reach (-SZ_128M to SZ_128M - 4)"
	switch {
	case b.Calls:
		what, must = "enables the callsite and returns an error", "the callsite is enabled, so it must return 0"
		fix = "Return 0 when the callsite has been patched"
	case b.Reachable && b.Enabled && b.Returned == 0:
		what, must = "takes ftrace_caller for a target that BL reaches", reach+"the callsite need not be enabled through ftrace_caller"
	case b.Reachable:
		what, must = "does not call a target that BL reaches", reach+"it must call the target and return 0"
		fix = "Patch in a BL to the target wherever it is within -SZ_128M and SZ_128M - 4"
	case b.Routed:
		what = "refuses a target that it could call through ftrace_caller"
		must = "ftrace_caller reaches the target by ops->direct_call, so it must take ftrace_caller here and return 0"
		fix = "Call ftrace_caller where the target is out of reach and in ops->direct_call"
	case b.Returned != 0:
		what, must = "refuses a target and changes the callsite nevertheless", "it refuses, so it must leave the callsite as it was"
		fix = "Return the error before the callsite is patched"
	default:
		what, must = "enables a callsite whose BL does not reach", reach+"it must refuse or go through a PLT"
		fix = "Return -EINVAL where neither the target nor a PLT entry for it is in reach"
	}
	return say("%s %s", b.Func, what).Because("%sreturns %d and leaves %08x (%s)", at, b.Returned, b.Got, left).Because("%s", must).Do("%s", fix)
}
