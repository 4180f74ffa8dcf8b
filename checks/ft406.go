package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/entry"
)

// FT406 finds direct calls from the entry code to functions that are traced.
var FT406 = check("FT406", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	t, none := sitesOf(pass)
	if t == nil {
		return notApplicable("%v", none)
	}
	code := pass.ResultOf[Entry].(*entry.Code)
	if len(code.Words) == 0 && im.Module() != nil {
		return notApplicable("a module has no entry code: that of the kernel calls no module")
	}
	if len(code.Words) == 0 {
		return inconclusive("no entry code was found")
	}
	for _, c := range code.Calls {
		if site, ok := siteOf(im, t, c.Target); ok {
			reportWith(pass, c.At, relatedTo(im, site, "its callsite"), "the entry code calls %s with %s at %s, and that function has a callsite (%#x): when it is traced, the entry code calls itself without end. Mark %s notrace",
				im.Name(c.Target), text(im, c.At), im.At(c.At), site, im.Name(c.Target))
		}
	}
	return examined("%d instructions of entry code, %d calls", len(code.Words), len(code.Calls))
}, Sites, Entry)

// siteOf is the entry in the table of the callsite of the function that begins at
// fn.
func siteOf(im *elfscan.Image, t *SiteTable, fn uint64) (site uint64, ok bool) {
	for _, off := range []uint64{0, a64.Size, ^uint64(8) + 1} { // at the function's start, behind a BTI, 8 bytes before the start
		if a := fn + off; t.Contains(a) && t.Site(a).Func == fn {
			return a, true
		}
	}
	if !t.Shape.SavesLR { // behind the prologue
		if s, ok := im.SymbolAt(fn); ok && s.Addr == fn {
			for a := fn; a < s.End(); a += a64.Size {
				if t.Contains(a) {
					return a, true
				}
			}
		}
	}
	return 0, false
}
