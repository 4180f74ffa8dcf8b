package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/internal/plural"
)

// FT403 finds entries of the callsite table that do not point at code.
var FT403 = check("FT403", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	t := pass.ResultOf[Sites].(*SiteTable)
	if known, none := sitesOf(pass); known == nil && t.Entries == nil {
		return notApplicable("%v", none)
	}
	for _, site := range t.Callsites {
		a := site.Entry
		if site.Text {
			continue
		}
		where := "no section of the image"
		if s, ok := im.SectionAt(a); ok {
			where = s.Name + ", which is not executable"
		}
		reportImage(pass, say("the callsite table points to no code at %#x", a).
			Because("%s is %#x, in %s", t.Place(a), a, where).
			Because("ftrace would read and patch it as a callsite").
			Do("Drop the entry, or keep the code that it points to"))
	}
	return examined("%s, %d of them blank", plural.Of(len(t.Entries.Values), "entry"), t.Blank)
}, Sites)
