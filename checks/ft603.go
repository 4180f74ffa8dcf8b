package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
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
			s.add(r, h.Mask.PC, "", "%s cuts %#x to %d bits for the offset of %s, stored to %s (%s), and nothing compares it with the range of %v, %+#x..%+#x: test it, or use %s",
				text(s.im, h.Mask.PC), h.Mask.In, h.Mask.Width, word(s.im, r, h.Word, h.At), at(r, h.At), s.line(h.PC),
				kind, reach.Min, reach.Max, makers[kind])
		}
	}
}, trampoline.Near, trampoline.Updated)
