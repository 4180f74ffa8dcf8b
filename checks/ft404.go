package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/internal/plural"
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
			report(pass, a, say("callsite %s is in the callsite table twice", t.label(im, a)).
				Because("two entries are %#x", a).
				Because("ftrace counts the callsite twice, and the second fails its check of the old instruction").
				Do("Drop one of the two entries"))
		} else if end := t.Callsites[i-1].Call + t.Arch.CallSize; t.Shape != nil && a < end {
			report(pass, a, say("callsite %s overlaps the callsite before it", t.label(im, a)).
				Because("it is at %#x, %s behind callsite %s, which is %s long", a, plural.Of(a-before, "byte"), t.name(im, before), plural.Of(end-before, "byte")).
				Do("Drop the entry that is not the function's callsite"),
				relatedTo(im, before, "the other callsite")...)
		}
	}
	return examined("%s", plural.Of(len(t.Addrs), "callsite"))
}, Sites)
