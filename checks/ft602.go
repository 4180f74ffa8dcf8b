package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/builder"
)

// FT602 executes the builder with a word in a slot that nobody expects there,
// and finds it overwritten.
var FT602 = builtCheck("FT602", func(pass *analysis.Pass, runs []*builder.TrampRun, s *spots) {
	for _, r := range runs {
		for _, e := range r.Events {
			if e.Kind == builder.Patch && uint32(e.Old) == builder.Alien && r.Area(e.Addr) != nil {
				s.add(r, e.PC, "", "with %v (%s holds %08x %s), %s() writes %08x %s over it at %s with no check of what was there: compare with the BL or the NOP that belongs there, and fail",
					r.Situation, r.Slot, builder.Alien, word(s.im, r, builder.Alien, e.Addr), e.Func, e.Value, word(s.im, r, uint32(e.Value), e.Addr), at(r, e.Addr))
			}
		}
	}
}, builder.AlienSlot, builder.AlienUpdate)
