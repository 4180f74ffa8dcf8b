package checks

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/entry"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/hook"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/trampoline"
)

// FT113 executes a callsite through the entry code and through trampolines, and
// the return of a probed function, and finds context that is not restored.
var FT113 = check("FT113", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	t, none := sitesOf(pass)
	if t == nil {
		return notApplicable("%v", none)
	}
	runs := pass.ResultOf[EntryRuns].([]entry.Run)
	tramps := pass.ResultOf[TrampRuns].([]TrampPath)
	hooks := pass.ResultOf[Hooks].([]hook.Hook)
	runs = slices.DeleteFunc(slices.Clone(runs), func(p entry.Run) bool { // FT117 reports the callback itself
		return slices.ContainsFunc(hooks, func(h hook.Hook) bool { return h.Addr == p.Callback && len(h.Failed) > 0 })
	})
	if len(runs)+len(tramps) == 0 {
		return inconclusive("no callsite to start from, or no entry code")
	}
	var stuck []string
	for i, p := range runs {
		if p.Err != nil {
			stuck = append(stuck, p.Name+": "+p.Err.Error())
		}
		// The paths through one entry point mostly differ in the same way: the
		// first of them is reported.
		first := slices.IndexFunc(runs, func(q entry.Run) bool { return q.Entry == p.Entry && len(q.Diffs) > 0 })
		if len(p.Diffs) == 0 || first != i {
			continue
		}
		more := 0
		for _, q := range runs[i+1:] {
			if q.Entry == p.Entry && len(q.Diffs) > 0 {
				more++
			}
		}
		c := say("%s does not preserve the context", labelOf(im, p.Entry)).Because("executed: %s", p.Name)
		if p.FromSite {
			c = c.Because("from callsite %s", t.name(im, p.Site))
		}
		for _, d := range firstOf(p.Diffs, 4) {
			c = c.Because("%s", d)
		}
		if more > 0 {
			c = c.Because("and on %s through it", plural.Of(more, "more path"))
		}
		fix := "Let %s do what was expected above"
		if p.FromSite {
			fix = "Save and restore what is named above on every path through %s"
		}
		report(pass, p.Entry, c.Do(fix, labelOf(im, p.Entry)))
	}
	lossy := func(label string) bool {
		return slices.ContainsFunc(runs, func(p entry.Run) bool { return len(p.Diffs) > 0 && labelOf(im, p.Entry) == label })
	}
	tramps = slices.DeleteFunc(slices.Clone(tramps), func(p TrampPath) bool { // a faithful copy of what is reported above
		return len(p.Diffs) > 0 && len(p.Of.Diffs) == 0 && lossy(p.Of.Variant())
	})
	stuck = append(stuck, reportTramps(pass, t, tramps)...)
	skipped := unsureDirect(im, runs, pass.ResultOf[Types].(*callsite.Types))
	if stuck != nil {
		return finding.Outcome{Status: finding.Inconclusive, Why: errors.New(some(stuck, 2)), Skipped: skipped}, nil
	}
	return partly(skipped, "%s through entry code, trampolines and returns of probed functions", plural.Of(len(runs)+len(tramps), "path"))
}, Sites, EntryRuns, Built, TrampRuns, Types, Hooks)

// unsureDirect says what was not executed of direct calls, with the reason, where
// the kernel has them and the place of ops->direct_call is not known: then it is
// taken from the entry code itself.
func unsureDirect(im *elfscan.Image, runs []entry.Run, types *callsite.Types) []error {
	path := arch.Path{How: arch.Direct, Entry: "ftrace_caller"}.String()
	switch _, has := im.Addr("ftrace_caller_direct"); {
	case !has || types.HasDirectCall:
		return nil
	case slices.ContainsFunc(runs, func(r entry.Run) bool { return r.Name == path }):
		return []error{fmt.Errorf("direct calls by the kernel's own layout of ftrace_ops (%w)", types.NoDirectCall)}
	}
	return []error{fmt.Errorf("direct calls (%w)", types.NoDirectCall)}
}

// reportTramps reports trampolines that do not restore the context, unless
// another rule explains the trampoline. The finding is at the builder's line that
// made the difference. stuck are the executions that reached no verdict.
func reportTramps(pass *analysis.Pass, t *SiteTable, tramps []TrampPath) (stuck []string) {
	s := &spots{pass: pass, im: image(pass)}
	all := pass.ResultOf[Built].(*trampoline.Results)
	for _, p := range tramps {
		switch {
		case explained(all, p.Of.Regs):
			// by FT103, FT105, FT106, FT108, FT110 or FT111
		case p.Err != nil:
			stuck = append(stuck, p.Name+": "+p.Err.Error())
		case len(p.Diffs) > 0:
			pc := p.Of.Copied()
			if pc == 0 {
				pc = all.Builder
			}
			for _, d := range p.Of.Diffs {
				if d.Origin != 0 && d.PC != 0 {
					pc = d.PC
					break
				}
			}
			c := say("the trampoline for %s does not preserve the context", p.Of.Variant()).Because("executed from callsite %s:", t.name(s.im, p.Site))
			for _, d := range firstOf(p.Diffs, 4) {
				c = c.Because("%s", d)
			}
			if len(p.Of.Diffs) > 0 {
				for _, fact := range append([]string{p.Of.Diffs[0].What}, p.Of.Diffs[0].Facts...) {
					c = c.Because("%s", fact)
				}
			}
			s.add(p.Of, pc, "", c.Do("Let the builder write the trampoline as the template has it"))
		}
	}
	s.report()
	return stuck
}

// explained reports whether a rule about one kind of difference reports the
// trampoline of a variant.
func explained(all *trampoline.Results, regs bool) bool {
	for i := range all.Runs {
		r := &all.Runs[i]
		if r.Regs != regs || r.Situation != trampoline.Near {
			continue
		}
		for _, d := range r.Diffs {
			if d.Kind < trampoline.Unexplained && d.Kind != trampoline.Misaligned {
				return true
			}
		}
	}
	return false
}
