package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/internal/plural"
)

// FT402 finds callsites whose ops literal is not aligned.
var FT402 = check("FT402", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	t, none := sitesOf(pass)
	if t == nil {
		return notApplicable("%v", none)
	}
	if t.Shape.Literal == 0 {
		return notApplicable("callsites of era %s have no ops literal", t.Era)
	}
	for _, s := range t.Callsites {
		if a := s.Entry; a%8 != 0 && s.Text {
			report(pass, a, say("the ops literal of callsite %s is %s off 8-byte alignment", t.label(im, a), plural.Of(a%8, "byte")).
				Because("the literal is at %#x: ftrace_caller finds it by clearing the low bits of LR, and would take other bytes for the ops", a).
				Because("ftrace_call_adjust() drops such a callsite with a warning where it checks").
				Do("Build with -fmin-function-alignment=8 or -falign-functions=8"))
		}
	}
	return examined("%s", plural.Of(len(t.Addrs), "callsite"))
}, Sites)
