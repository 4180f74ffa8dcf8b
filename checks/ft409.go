package checks

import (
	"fmt"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
)

// siteFuncs are the kernel's functions that a callsite goes through in its life,
// in the order in which findings about them are looked for.
var siteFuncs = []string{"ftrace_init_nop", "ftrace_make_call", "ftrace_modify_call", "ftrace_make_nop", "module_frob_arch_sections", "module_finalize"}

// FT409 executes the functions that prepare, enable and disable callsites.
var FT409 = check("FT409", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	kernel, none := kernelOf(pass)
	if kernel == nil {
		return notApplicable("%v", none)
	}
	if pass.ResultOf[SiteRuns].(*SiteResults).Insns != nil {
		return judgeInsns(pass)
	}
	return judgeSites(pass, siteFuncs, pass.ResultOf[SiteRuns].(*SiteResults).Skipped, func(run *callsite.Run, t *SiteTable, more string) {
		step := run.Failed()
		on, generic := "callsite "+t.name(im, run.Site.Entry)+inCase(step), "does with a callsite what it must not"
		if strings.HasPrefix(step.Func, "module_") && kernel == im {
			on, generic = step.Case, "does with a module what it must not"
		}
		c, rest := misdeed(step.Func, generic, step.Diffs)
		switch {
		case step.Died:
			c, rest = say("%s does not return", step.Func), step.Diffs
		case step.Wrong && step.Got != step.Want:
			c, rest = say("%s leaves other words at a callsite than it must", step.Func), step.Diffs
		case step.Wrong:
			c, rest = say("%s returns %d where %s is due", step.Func, step.Returned, step.WantRet), step.Diffs
		}
		c = c.Because("executed on %s", on)
		if step.Wrong && !step.Died {
			c = c.Because("it returns %d and leaves %s", step.Returned, siteState(im, run.Site, t, step.Got)).
				Because("by the model it returns %s and leaves %s", step.WantRet, siteState(im, run.Site, t, step.Want))
		}
		for _, d := range firstOf(rest, 3) {
			c = c.Because("%s", itDoes(d))
		}
		switch {
		case c.Fix != "":
		case step.Died:
			c = c.Do("Let %s return an error instead", step.Func)
		case step.Wrong:
			c = c.Do("Let %s return %s and leave %s", step.Func, step.WantRet, siteState(im, run.Site, t, step.Want))
		default:
			c = c.Do("Compare %s with the kernel's own of era %s", step.Func, t.Era)
		}
		reportRun(pass, kernel, step.Func, run.Site, c, more)
	})
}, Sites, SiteRuns, InKernel)

// judgeInsns judges the life of callsites that are one instruction.
func judgeInsns(pass *analysis.Pass) (any, error) {
	im := image(pass)
	t, _ := sitesOf(pass)
	res := pass.ResultOf[SiteRuns].(*SiteResults)
	kernel, _ := kernelOf(pass)
	reported := map[string]bool{} // functions
	calls := 0
	var stuck error
	for _, r := range res.Insns {
		calls += r.Steps
		if r.Err != nil && stuck == nil {
			stuck = fmt.Errorf("callsite %s: %w", t.name(im, r.Site.Entry), r.Err)
		}
		st := r.Failed
		if st == nil || reported[st.Func] {
			continue
		}
		reported[st.Func] = true
		c, rest := misdeed(st.Func, "does with a callsite what it must not", st.Diffs)
		c = c.Because("executed on callsite %s: %s", t.name(im, r.Site.Entry), st.Case)
		for _, d := range firstOf(rest, 3) {
			c = c.Because("%s", itDoes(d))
		}
		reportRun(pass, kernel, st.Func, r.Site, c.Do("Let %s check what stands there, and write the call or the NOP", st.Func), "")
	}
	if stuck != nil {
		return finding.Outcome{Status: finding.Inconclusive, Why: stuck}, nil
	}
	what := fmt.Sprintf("%s of the functions that change callsites, executed on %s", plural.Of(calls, "call"), plural.Of(len(res.Insns), "callsite"))
	if res.Placed != "" {
		what += ", the module placed " + res.Placed
	}
	return examined("%s", what)
}

// siteState is the state of a callsite as its ops and its instructions.
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
