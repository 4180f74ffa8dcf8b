package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/internal/plural"
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
		c := say("%s is a name that only x86 has", s.Name).Because("it is at %#x", s.Addr)
		if ism.Instead != "" {
			c = c.Do("Use what arm64 has: %s", ism.Instead)
		}
		if im.IsText(s.Addr) {
			report(pass, s.Addr, c)
		} else {
			reportImage(pass, c)
		}
	}
	return examined("%s", plural.Of(n, "name"))
})
