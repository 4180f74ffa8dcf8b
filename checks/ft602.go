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
				s.add(r, e.PC, "unread", say("the builder patches text that it could not read").
					Because("%s() writes %08x %s to %s", e.Func, e.Value, word(s.im, r, uint32(e.Value), e.Addr), at(r, e.Addr)).
					Do("Fail when the read fails"))
			}
			if e.Kind == world.Patch && !e.Err && r.Slot != "" && uint32(e.Old) == r.Alien && r.Area(e.Addr) != nil {
				s.add(r, e.PC, "", say("the builder patches the copy of %s with no check of what was there", r.Slot).
					Because("%s holds %08x %s, which belongs in no slot", r.Slot, r.Alien, word(s.im, r, r.Alien, e.Addr)).
					Because("%s() writes %08x %s over it at %s", e.Func, e.Value, word(s.im, r, uint32(e.Value), e.Addr), at(r, e.Addr)).
					Do("Compare with the BL or the NOP that belongs there, and fail"))
			}
		}
	}
}, trampoline.AlienSlot, trampoline.AlienUpdate, trampoline.BadPatch, trampoline.BadUpdate)
