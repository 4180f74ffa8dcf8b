package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/elfscan"
)

// FT410 finds callsites of another era's shape.
var FT410 = check("FT410", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	t, why := sitesOf(pass)
	if t == nil {
		return notApplicable("%s", why)
	}
	for _, a := range t.Addrs {
		site := im.SiteAs(a, t.Shape)
		if !im.IsText(a) || site.OK && (t.Shape == elfscan.ShapeMcount || im.FunctionAt(site.Func)) {
			continue
		}
		// The words are not the era's, or they are but no function begins
		// where it should: does another shape explain both?
		other := im.GuessShape(a)
		if other == elfscan.ShapeUnknown || other == t.Shape {
			continue
		}
		if site.OK && !im.FunctionAt(im.SiteAs(a, other).Func) {
			continue // FT407
		}
		report(pass, a, "callsite %s is %s, the other callsites are %s (era %s): %s. Its object was built with other flags, and ftrace patches the wrong words of it",
			im.At(a), other, t.Shape, t.Era, words(im, a, other))
	}
	return examined("%d callsites", len(t.Addrs))
}, Sites)
