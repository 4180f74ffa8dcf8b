package checks

import (
	"errors"
	"fmt"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/world"
)

// FT412 finds a callsite table that does not ascend in a kernel that does not
// sort it.
var FT412 = check("FT412", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	t, none := sitesOf(pass)
	if t == nil {
		return notApplicable("%v", none)
	}
	var before, worst, above uint64 // the first entry that is below the one before it
	descents := 0
	for _, v := range t.Entries.Values {
		if v == 0 {
			continue // a blank entry is passed over
		}
		if v < before {
			if descents++; descents == 1 {
				worst, above = v, before
			}
		}
		before = v
	}
	if descents == 0 {
		return examined("%s, which ascend", plural.Of(len(t.Addrs), "entry"))
	}
	what := fmt.Sprintf("%s is %s, below the entry before it, %s", t.Place(worst), t.name(im, worst), t.name(im, above))
	kernel, none := kernelOf(pass)
	if kernel == nil {
		return notApplicable("the table does not ascend, and what the kernel makes of that is not known: %v", none)
	}
	of, err := callsite.Of(kernel)
	if err != nil {
		return inconclusive("%s, and whether the kernel sorts the table is not known: %w", what, err)
	}
	reading := of.Read(im.Module() != nil)
	var lack *world.Lack
	switch {
	case reading.Sorts:
		return examined("%s, which do not ascend and which ftrace_process_locs, executed, sorts", plural.Of(len(t.Addrs), "entry"))
	case errors.As(reading.Err, &lack):
		return notApplicable("the table does not ascend, and what the kernel makes of that is not known: %w", reading.Err)
	case reading.Err != nil:
		return inconclusive("%s, and whether the kernel sorts the table is not known: %w", what, reading.Err)
	}
	c := say("the callsite table does not ascend, and the kernel does not sort it").Because("%s", what)
	if descents > 1 {
		c = c.Because("that is the first of %s", plural.Of(descents, "such entry"))
	}
	reportImage(pass, c.Because("ftrace_process_locs, executed, does not sort the table").
		Because("ftrace looks callsites up by bisection and does not find some of them: they cannot be traced by name, livepatched, or used by BPF").
		Do("Have the build sort the table (scripts/sorttable), or the kernel (without CONFIG_BUILDTIME_MCOUNT_SORT)"))
	return examined("%s", plural.Of(len(t.Addrs), "entry"))
}, Sites, InKernel)
