package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/rules"
)

// FT504 finds symbols that only x86 has.
var FT504 = check("FT504", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	n := 0
	for _, ism := range rules.X86 {
		if ism.Rule != "FT504" {
			continue
		}
		n++
		s, ok := im.Lookup(ism.Token)
		if !ok {
			continue
		}
		instead := ""
		if ism.Instead != "" {
			instead = "; arm64 has " + ism.Instead
		}
		if im.IsText(s.Addr) {
			report(pass, s.Addr, "%s (%#x) is a name that only x86 has%s", s.Name, s.Addr, instead)
		} else {
			reportImage(pass, "%s (%#x) is a name that only x86 has%s", s.Name, s.Addr, instead)
		}
	}
	return examined("%d names", n)
})
