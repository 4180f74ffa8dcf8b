package checks

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
)

// siteFuncs are the functions that a callsite's life is made of.
var siteFuncs = []string{"ftrace_init_nop", "ftrace_make_call", "ftrace_modify_call", "ftrace_make_nop", "module_frob_arch_sections", "module_finalize"}

// FT409 executes the functions that enable and disable callsites.
var FT409 = check("FT409", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	kernel, none := kernelOf(pass)
	if kernel == nil {
		return notApplicable("%v", none)
	}
	return judgeSites(pass, siteFuncs, func(run *callsite.Run, t *SiteTable, more string) {
		step := run.Failed()
		fn, _ := kernel.Addr(step.Func)
		var what []string
		if step.Wrong && !step.Died {
			what = append(what, fmt.Sprintf("returns %d and leaves %s; by the model it returns %s and leaves %s", step.Returned, siteState(im, run.Site, t, step.Got), step.WantRet, siteState(im, run.Site, t, step.Want)))
		}
		what = append(what, step.Diffs...)
		on := "callsite " + t.name(im, run.Site.Entry) + inCase(step)
		if strings.HasPrefix(step.Func, "module_") && kernel == im {
			on = step.Case
		}
		reportRun(pass, kernel, fn, run.Site, "%s, executed on %s, %s%s", step.Func, on, some(what, 3), more)
	})
}, Sites, SiteRuns, InKernel)

// inCase is what is special about a step.
func inCase(s *callsite.Step) string {
	if s.Case == "" {
		return ""
	}
	return " (" + s.Case + ")"
}

// judgeSites calls f for the first callsite on which each of the functions
// differs from the model, more telling on how many others it does, and makes
// the outcome. What differs in corner cases alone counts as well.
func judgeSites(pass *analysis.Pass, funcs []string, f func(run *callsite.Run, t *SiteTable, more string)) (any, error) {
	t, none := sitesOf(pass)
	if t == nil {
		return notApplicable("%v", none)
	}
	runs := pass.ResultOf[SiteRuns].(*SiteResults)
	if runs.None != nil {
		return notApplicable("%v", runs.None)
	}
	for _, fn := range funcs {
		differs := func(r callsite.Run) bool { step := r.Failed(); return step != nil && step.Func == fn }
		if i := slices.IndexFunc(runs.Failed, differs); i >= 0 {
			n := 0
			for _, r := range runs.Failed {
				if differs(r) {
					n++
				}
			}
			f(&runs.Failed[i], t, andMore(n))
		} else if i := slices.IndexFunc(runs.Corners, differs); i >= 0 {
			f(&runs.Corners[i], t, "")
		}
	}
	stuck := append(slices.Clone(runs.Stuck), runs.Corners...)
	i := slices.IndexFunc(stuck, func(s callsite.Run) bool { return s.KeptFrom(funcs) })
	if i >= 0 {
		return inconclusive("callsite %s: %v%s", t.name(image(pass), stuck[i].Site.Entry), stuck[i].Err, andMore(len(runs.Stuck)))
	}
	untried := ""
	if runs.Untried != nil {
		untried = "; not executed: " + runs.Untried.Error()
	}
	switch {
	case runs.kinds == nil:
	case runs.Placed == "":
		return examined("%d callsites by the model: in other modules one of each of their kinds is executed", len(t.Addrs))
	default:
		return examined("%d of %d callsites executed, the module placed %s", runs.Executed, len(t.Addrs), runs.Placed)
	}
	return examined("%d of %d callsites executed, one in %d corner cases%s", runs.Executed, len(t.Addrs), len(runs.Corners), untried)
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
	if noun, ok := strings.CutSuffix(what, "y"); ok {
		return fmt.Sprintf("%d %sies", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// siteState is the words of a callsite in the assembler's words.
func siteState(im *elfscan.Image, s callsite.Site, t *SiteTable, st callsite.State) string {
	var out []string
	if t.Shape.Literal != 0 {
		out = append(out, "ops "+im.At(st.Literal))
	}
	if t.Shape.SavesLR {
		out = append(out, "`"+a64.Text(st.First, s.Call-a64.Size, im.Name)+"`")
	}
	return strings.Join(append(out, "`"+a64.Text(st.Second, s.Call, im.Name)+"`"), ", ")
}
