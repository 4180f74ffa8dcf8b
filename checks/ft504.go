package checks

import (
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/rules"
)

// FT504 finds symbols that only another architecture has.
var FT504 = check("FT504", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	isms := rules.IsmsIn(im.Arch().Name)
	n := 0
	for _, ism := range isms.Words {
		if ism.Rule != "FT504" || strings.HasSuffix(ism.Token, "*") { // which stands for many names
			continue
		}
		n++
		s, ok := im.Lookup(ism.Token)
		if !ok {
			continue
		}
		c := say("%s is a name that only %s has", s.Name, isms.Of).Because("it is at %#x", s.Addr)
		if ism.Instead != "" {
			c = c.Do("Use what %s has: %s", isms.In, ism.Instead)
		} else {
			c = c.Because("%s has nothing in its place", isms.In).Do("Give it a name of its own")
		}
		if im.IsText(s.Addr) {
			report(pass, s.Addr, c)
		} else {
			reportImage(pass, c)
		}
	}
	return examined("%s", plural.Of(n, "name"))
})
