package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/internal/plural"
)

// FT101 finds labels that the image's era needs and the image lacks.
var FT101 = check("FT101", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	era := table(pass).Era
	if era == arch.None {
		return notApplicable("no ftrace in this image")
	}
	has := func(name string) bool { _, ok := im.Lookup(name); return ok }
	needed := 0
	for _, l := range era.Labels {
		if !l.NeededIn(has) {
			continue
		}
		needed++
		if has(l.Name) {
			continue
		}
		c := say("%s is missing, which era %s needs", l.Name, era).
			Because("%s: %s", l.Name, l.Role).
			Because("it is needed for %s", l.NeededBy).
			Do("Define the label")
		if at, ok := im.Addr("ftrace_caller"); ok && im.IsText(at) {
			report(pass, at, c)
		} else {
			reportImage(pass, c)
		}
	}
	return examined("%s of era %s", plural.Of(needed, "label"), era)
})
