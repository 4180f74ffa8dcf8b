package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
)

// FT404 finds entries of the callsite table that are equal, and callsites that
// share words.
var FT404 = check("FT404", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	t, none := sitesOf(pass)
	if t == nil {
		return notApplicable("%v", none)
	}
	for i := 1; i < len(t.Callsites); i++ {
		before, a := t.Addrs[i-1], t.Addrs[i]
		if !t.Callsites[i].Text {
			continue
		}
		if a == before {
			report(pass, a, "two entries of the callsite table are %s: ftrace counts the callsite twice, and the second fails its check of the old instruction", t.name(im, a))
		} else if end := t.Callsites[i-1].Call + a64.Size; t.Shape != nil && a < end {
			reportWith(pass, a, relatedTo(im, before, "the other callsite"), "callsite %s begins %d bytes behind callsite %s, which is %d bytes long: they share words",
				t.name(im, a), a-before, t.name(im, before), end-before)
		}
	}
	return examined("%d callsites", len(t.Addrs))
}, Sites)
