package checks

import (
	"golang.org/x/tools/go/analysis"
)

// FT410 finds callsites of another era's shape.
var FT410 = check("FT410", func(pass *analysis.Pass) (any, error) {
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
		if site.OK && (!t.Shape.SavesLR || site.AtFunc) {
			continue
		}
		// Either the words do not match the era's shape, or they do and no
		// function begins where the shape asks for one.
		other, mixed := t.otherShape(a)
		if !mixed {
			continue // FT401, FT407
		}
		report(pass, a, "callsite %s is %s, the other callsites are %s (era %s): %s. Its object was built with other flags, and ftrace patches the wrong words of it",
			t.name(im, a), other, t.Shape, t.Era, words(im, a, other))
	}
	return examined("%d callsites", len(t.Addrs))
}, Sites)
