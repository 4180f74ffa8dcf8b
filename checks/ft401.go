package checks

import (
	"golang.org/x/tools/go/analysis"
)

// FT401 finds callsites whose words match the shape of no era. FT410 finds those
// with the shape of another era.
var FT401 = check("FT401", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	t, none := sitesOf(pass)
	if t == nil {
		return notApplicable("%v", none)
	}
	for _, s := range t.Callsites {
		a := s.Entry
		if !s.Text || s.OK {
			continue
		}
		if _, mixed := t.otherShape(a); mixed {
			continue
		}
		when := "at boot"
		if im.Module() != nil {
			when = "when the module is loaded"
		}
		report(pass, a, "callsite %s is not %s, as era %s has it: %s. %s; ftrace refuses it %s and switches itself off",
			t.name(im, a), t.Shape, t.Era, words(im, a, t.Shape), t.Place(a), when)
	}
	return examined("%d callsites", len(t.Addrs))
}, Sites)
