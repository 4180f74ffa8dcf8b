package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/elfscan"
)

// branchedTo are the entry points that BR or BLR reach, and from where. A BL
// needs no landing pad, nor does a RET (return_to_handler). BTI c accepts all of
// these branches.
var branchedTo = []struct {
	name, from string
	branch     a64.BranchType
	eras       []elfscan.Era // nil: all
}{
	{"ftrace_caller", "BR x16 in a module's PLT entry for ftrace", a64.BranchIP, nil},
	{"ftrace_regs_caller", "BR x16 in a module's PLT entry for ftrace", a64.BranchIP, nil},
	{"ftrace_stub", "BLR x4 of ftrace_caller, as the callback of ftrace_nop_ops", a64.BranchCall, []elfscan.Era{elfscan.EraCallops}},
	{"ftrace_stub_direct_tramp", "BR x17 of ftrace_caller_direct", a64.BranchIP, []elfscan.Era{elfscan.EraCallops}},
	{"ftrace_stub_graph", "an indirect call, as the fgraph callback while there is none", a64.BranchCall, nil},
}

// FT114 finds entry points without a landing pad in a kernel that is built
// with BTI.
var FT114 = check("FT114", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	t, why := sitesOf(pass)
	if t == nil {
		return notApplicable("%s", why)
	}
	if t.BTI == 0 {
		return notApplicable("the kernel is not built with BTI: none of %d callsites has a landing pad", len(t.Addrs))
	}
	n := 0
	for _, e := range branchedTo {
		at, ok := im.Addr(e.name)
		if !ok || !im.IsText(at) || !isEra(t.Era, e.eras) {
			continue
		}
		n++
		if w, _ := im.Word(at); !e.branch.Accepts(w) {
			report(pass, at, "%s (%#x) begins with %s, no landing pad, and is reached by %s: in a guarded page that is a Branch Target exception. Begin it with BTI c (%d of %d callsites have BTI: this kernel is built with it)",
				e.name, at, text(im, at), e.from, t.BTI, len(t.Addrs))
		}
	}
	return examined("%d entry points", n)
}, Sites)

func isEra(e elfscan.Era, among []elfscan.Era) bool {
	for _, a := range among {
		if a == e {
			return true
		}
	}
	return among == nil
}
