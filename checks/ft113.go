package checks

import (
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/builder"
)

// FT113 executes a callsite through the entry code and finds what does not
// come back as it was.
var FT113 = check("FT113", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	t, why := sitesOf(pass)
	if t == nil {
		return notApplicable("%s", why)
	}
	runs := pass.ResultOf[EntryRuns].([]builder.PathRun)
	if len(runs) == 0 {
		return inconclusive("no callsite to start from, or no entry code")
	}
	var stuck []string
	for i, p := range runs {
		if p.Err != nil {
			stuck = append(stuck, p.Name+": "+p.Err.Error())
		}
		// What one path through an entry point shows, others mostly repeat.
		first := slices.IndexFunc(runs, func(q builder.PathRun) bool { return q.Entry == p.Entry && len(q.Diffs) > 0 })
		if len(p.Diffs) == 0 || first != i {
			continue
		}
		more := 0
		for _, q := range runs[i+1:] {
			if q.Entry == p.Entry && len(q.Diffs) > 0 {
				more++
			}
		}
		also, from := "", ""
		if more > 0 {
			also = " (and on " + plural(more, "more path") + " through it)"
		}
		if p.FromSite {
			from = ", from callsite " + t.name(im, p.Site)
		}
		report(pass, p.Entry, "%s, executed%s: %s%s", p.Name, from, some(p.Diffs, 4), also)
	}
	if stuck != nil {
		return inconclusive("%s", some(stuck, 2))
	}
	return examined("%d paths through the entry code", len(runs))
}, Sites, EntryRuns)

// some joins the first n of list and says how many more there are.
func some(list []string, n int) string {
	if len(list) <= n {
		return strings.Join(list, "; ")
	}
	return strings.Join(list[:n], "; ") + "; and " + plural(len(list)-n, "more difference")
}
