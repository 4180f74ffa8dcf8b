package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/internal/plural"
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
		report(pass, a, say("callsite %s has other instructions than era %s", t.label(im, a), t.Era).
			Because("at %#x stand %s", a, words(im, a, t.Shape)).
			Because("era %s has %s", t.Era, t.Shape).
			Because("%s names it; ftrace refuses the callsite %s and switches itself off", t.Place(a), when).
			Do("Build the function with the kernel's CC_FLAGS_FTRACE, or mark it notrace"))
	}
	return examined("%s", plural.Of(len(t.Addrs), "callsite"))
}, Sites)
