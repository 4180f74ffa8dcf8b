package checks

import (
	"debug/elf"

	"golang.org/x/tools/go/analysis"
)

// FT407 finds callsites that belong to no function symbol.
var FT407 = check("FT407", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	t, none := sitesOf(pass)
	if t == nil {
		return notApplicable("%v", none)
	}
	for _, site := range t.Callsites {
		a := site.Entry
		if !site.Text {
			continue // FT403
		}
		const leftover = "This is what an overridden weak function leaves behind; ftrace patches it, and shows it under the name of the function before it"
		if !t.Shape.SavesLR {
			// The callsite stands behind the prologue, so it lies within a function.
			if s, ok := im.SymbolAt(a); ok && s.Type == elf.STT_FUNC && s.Size > 0 && a >= s.End() {
				report(pass, a, "callsite %s lies in no function: %s ends at %#x. %s", t.name(im, a), s.Name, s.End(), leftover)
			}
			continue
		}
		if site.AtFunc || !site.OK {
			continue // a malformed callsite: FT401
		}
		if _, mixed := t.otherShape(a); mixed {
			continue // FT410
		}
		report(pass, a, "callsite %s is not at the entry of a function: no function symbol stands at %#x. %s", t.name(im, a), site.Func, leftover)
	}
	return examined("%d callsites", len(t.Addrs))
}, Sites)
