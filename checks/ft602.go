package checks

import (
	"slices"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/trampoline"
	"github.com/ftlint/ftlint/world"
)

// FT602 executes the builder with an unexpected word in a slot, or with reads that
// fail, and finds slots that the builder overwrites nevertheless.
var FT602 = builtCheck("FT602", func(pass *analysis.Pass, runs []*trampoline.Run, s *spots) {
	for _, r := range runs {
		for i, e := range r.Events {
			unread := func(p world.Event) bool { return p.Kind == world.ReadInsn && p.Err && p.Addr == e.Addr }
			if e.Kind == world.Patch && !e.Err && slices.ContainsFunc(r.Events[:i], unread) {
				s.add(r, e.PC, "unread", "with %v, %s() writes %08x %s to %s although what is there could not be read: fail",
					r.Situation, e.Func, e.Value, word(s.im, r, uint32(e.Value), e.Addr), at(r, e.Addr))
			}
			if e.Kind == world.Patch && !e.Err && r.Slot != "" && uint32(e.Old) == r.Alien && r.Area(e.Addr) != nil {
				s.add(r, e.PC, "", "with %v (%s holds %08x %s), %s() writes %08x %s over it at %s with no check of what was there: compare with the BL or the NOP that belongs there, and fail",
					r.Situation, r.Slot, r.Alien, word(s.im, r, r.Alien, e.Addr), e.Func, e.Value, word(s.im, r, uint32(e.Value), e.Addr), at(r, e.Addr))
			}
		}
	}
}, trampoline.AlienSlot, trampoline.AlienUpdate, trampoline.BadPatch, trampoline.BadUpdate)
