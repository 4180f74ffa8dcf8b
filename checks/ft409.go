package checks

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/builder"
	"github.com/ftlint/ftlint/elfscan"
)

// siteFuncs are the functions that a callsite's life is made of.
var siteFuncs = []string{"ftrace_init_nop", "ftrace_make_call", "ftrace_modify_call", "ftrace_make_nop"}

// FT409 executes the functions that enable and disable callsites.
var FT409 = check("FT409", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	return judgeSites(pass, siteFuncs, func(runs *SiteResults, t *SiteTable, n int, i int) {
		run := &runs.Failed[i]
		step := run.Failed()
		fn, _ := im.Addr(step.Func)
		reportWith(pass, fn, relatedTo(im, run.Site.Entry, "the callsite"), "%s, executed on callsite %s, returns %d and leaves %s; by the model it returns %s and leaves %s%s",
			step.Func, t.name(im, run.Site.Entry), step.Returned, siteState(im, run.Site, t, step.Got), step.WantRet, siteState(im, run.Site, t, step.Want), andMore(n))
	})
}, Sites, SiteRuns)

// judgeSites calls f for the first callsite on which each of the functions
// differs from the model, n being on how many it does, and makes the outcome.
func judgeSites(pass *analysis.Pass, funcs []string, f func(runs *SiteResults, t *SiteTable, n, i int)) (any, error) {
	t, why := sitesOf(pass)
	if t == nil {
		return notApplicable("%s", why)
	}
	runs := pass.ResultOf[SiteRuns].(*SiteResults)
	if runs.Why != "" {
		return notApplicable("%s", runs.Why)
	}
	for _, fn := range funcs {
		count, first := 0, -1
		for i := range runs.Failed {
			if runs.Failed[i].Failed().Func == fn {
				count++
				if first < 0 {
					first = i
				}
			}
		}
		if count > 0 {
			f(runs, t, count, first)
		}
	}
	for _, s := range runs.Stuck {
		if i := slices.IndexFunc(funcs, func(fn string) bool { return strings.HasPrefix(s.Err.Error(), fn+":") }); i >= 0 {
			return inconclusive("callsite %s: %v%s", t.name(image(pass), s.Site.Entry), s.Err, andMore(len(runs.Stuck)))
		}
	}
	return examined("%d of %d callsites executed", runs.Executed, len(t.Addrs))
}

// andMore says that the same holds for n-1 others.
func andMore(n int) string {
	if n <= 1 {
		return ""
	}
	return fmt.Sprintf(" (and so on %s)", plural(n-1, "more callsite"))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// siteState is the words of a callsite in the assembler's words.
func siteState(im *elfscan.Image, s elfscan.Site, t *SiteTable, st builder.SiteState) string {
	var out []string
	if t.Shape == elfscan.ShapeCallops {
		out = append(out, "ops "+im.At(st.Literal))
	}
	if t.Shape != elfscan.ShapeMcount {
		out = append(out, "`"+a64.Text(st.First, s.Call-a64.Size, im.Name)+"`")
	}
	return strings.Join(append(out, "`"+a64.Text(st.Second, s.Call, im.Name)+"`"), ", ")
}
