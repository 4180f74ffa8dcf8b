package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/trampoline"
)

// FT603 finds offsets that the builder cuts to the width of a field without a
// comparison that bounds the offset.
var FT603 = builtCheck("FT603", func(pass *analysis.Pass, runs []*trampoline.Run, s *spots) {
	for _, r := range runs {
		for _, h := range r.HandMade(s.im) {
			if h.Mask == nil || s.inEncoder(h.Mask.PC) {
				continue
			}
			kind := a64.Classify(h.Word)
			reach := a64.ReachOf(kind)
			s.add(r, h.Mask.PC, "", say("the builder cuts an offset to %s with no check of its range", plural.Of(h.Mask.Width, "bit")).
				Because("%s cuts %#x, the offset of %s, stored to %s (%s)", text(s.im, h.Mask.PC), h.Mask.In, word(s.im, r, h.Word, h.At), at(r, h.At), s.line(h.PC)).
				Because("nothing compares the offset with the range of %v, %+#x..%+#x", kind, reach.Min, reach.Max).
				Do("Test the offset, or use %s", makers[kind]))
		}
	}
}, trampoline.Near, trampoline.Updated)
