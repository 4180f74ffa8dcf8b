package checks

import (
	"golang.org/x/tools/go/analysis"
)

// FT114 finds entry points without a landing pad in a kernel that is built
// with BTI.
var FT114 = check("FT114", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	t, none := sitesOf(pass)
	if t == nil {
		return notApplicable("%v", none)
	}
	if t.BTI == 0 {
		return notApplicable("the kernel is not built with BTI: none of %d callsites has a landing pad", len(t.Addrs))
	}
	n := 0
	for _, e := range t.Era.Indirect {
		at, ok := im.Addr(e.Symbol)
		if !ok || !im.IsText(at) {
			continue
		}
		n++
		if w, _ := im.Word(at); !e.Branch.Accepts(w) {
			report(pass, at, "%s (%#x) begins with %s, no landing pad, and is reached by %s: in a guarded page that is a Branch Target exception. Begin it with BTI c (%d of %d callsites have BTI: this kernel is built with it)",
				e.Symbol, at, text(im, at), e.From, t.BTI, len(t.Addrs))
		}
	}
	return examined("%d entry points", n)
}, Sites)
