package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/internal/plural"
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
		if site.OK && (!t.Shape.AtEntry() || site.AtFunc) {
			continue
		}
		// Either the words do not match the era's shape, or they do and no
		// function begins where the shape asks for one.
		other, mixed := t.otherShape(a)
		if !mixed {
			continue // FT401, FT407
		}
		report(pass, a, say("callsite %s has the shape of another era", t.label(im, a)).
			Because("at %#x stand %s: that is %s", a, words(im, a, other), other).
			Because("the other callsites are %s (era %s)", t.Shape, t.Era).
			Because("ftrace patches the wrong words of it").
			Do("Build its object with the flags of the others"))
	}
	return examined("%s", plural.Of(len(t.Addrs), "callsite"))
}, Sites)
