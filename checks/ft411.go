package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/entry"
	"github.com/ftlint/ftlint/internal/plural"
)

// FT411 compares the register in which callsites save LR with the register from
// which the entry code reads the caller.
var FT411 = check("FT411", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	t, none := sitesOf(pass)
	if t == nil {
		return notApplicable("%v", none)
	}
	if !t.Shape.SavesLR {
		return notApplicable("callsites of era %s save LR in the frame, not in a register", t.Era)
	}
	kernel, none := kernelOf(pass)
	if kernel == nil {
		return notApplicable("%v", none)
	}
	read, at, ok := entry.ParentRegister(kernel)
	if !ok {
		return inconclusive("no `mov x1, xN` (parent_ip) was found in the entry code before it calls")
	}
	place := relatedTo(kernel, at, "the entry code reads it here")

	// A callsite that is initialised in the image shows its register.
	n := 0
	for _, s := range t.Callsites {
		a := s.Entry
		if s.Saved < 0 {
			continue
		}
		n++
		if int(s.Saved) != read {
			report(pass, a, say("callsite %s saves LR in x%d, the entry code reads x%d", t.label(im, a), s.Saved, read).
				Because("the callsite at %#x has %s", a, text(im, s.Call-a64.Size)).
				Because("the entry code takes the caller by %s at %s, and so returns to a wild address", text(kernel, at), kernel.At(at)).
				Do("Let ftrace_init_nop() and the entry code agree on one register"), place...)
		}
	}
	if n == len(t.Addrs) {
		return examined("%s", plural.Of(n, "callsite"))
	}
	// The other callsites are NOPs until ftrace_init_nop() writes the instruction
	// that saves LR.
	init, ok := kernel.Addr("ftrace_init_nop")
	if !ok {
		return inconclusive("callsites are NOPs, and the image has no ftrace_init_nop that says what they become")
	}
	runs := pass.ResultOf[SiteRuns].(*SiteResults)
	if runs.Saved < 0 {
		return inconclusive("ftrace_init_nop, executed, makes no `mov xN, x30`%s", runs.whySuffix())
	}
	if runs.Saved != read {
		if kernel != im {
			init = t.Addrs[0]
		}
		report(pass, init, say("callsites save LR in x%d, the entry code reads x%d", runs.Saved, read).
			Because("ftrace_init_nop(), executed, makes `mov x%d, x30`", runs.Saved).
			Because("the entry code takes the caller by %s at %s, and so returns to a wild address", text(kernel, at), kernel.At(at)).
			Do("Let ftrace_init_nop() and the entry code agree on one register"), place...)
	}
	return examined("%s: LR in x%d", plural.Of(len(t.Addrs), "callsite"), runs.Saved)
}, Sites, SiteRuns, InKernel)
