package checks

import (
	"fmt"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/trampoline"
	"github.com/ftlint/ftlint/world"
)

// FT306 finds trampolines with instructions whose last store is not followed by
// maintenance of the instruction cache.
var FT306 = builtCheck("FT306", func(pass *analysis.Pass, runs []*trampoline.Run, s *spots) {
	for _, r := range runs {
		area := r.Area(r.Trampoline)
		if area == nil {
			continue
		}
		size := r.Code
		if size == 0 { // the builder's own number, which may be anything
			size = min(r.Size, area.Addr+area.Size-r.Trampoline)
		}
		// The number of stale words, the address of the first, and the index of the
		// last store to one of them.
		stale, first, last := 0, uint64(0), -1
		for a := r.Trampoline; a < r.Trampoline+size; a += a64.Size {
			if a-r.Literal < 8 {
				continue
			}
			if i := lastStore(r.Events, a); i >= 0 && !maintained(r.Events[i+1:], a) {
				if stale == 0 {
					first = a
				}
				stale++
				last = max(last, i)
			}
		}
		if stale == 0 {
			continue
		}
		e, pc := r.Events[last], uint64(0)
		how := "becomes executable"
		for _, p := range r.Events {
			if p.Kind == world.Protect && p.Perm&emu.Exec != 0 && pc == 0 {
				pc, how = p.PC, "becomes executable by "+p.Func+"()"
			}
		}
		if pc == 0 {
			pc, how = e.PC, "is executable"
		}
		c := say("new code %s with no cache maintenance after its last store", how).
			Because("%d of the %s at %#x..%#x are stale, the first at %s", stale, plural.Of(size/a64.Size, "instruction"), r.Trampoline, r.Trampoline+size, at(r, first)).
			Because("the last plain store is at %s, to %s", s.line(e.PC), at(r, e.Addr))
		early := ""
		for _, p := range r.Events[:last] {
			if p.Kind == world.ICache {
				early = fmt.Sprintf("%s() at %s comes before that store", p.Func, s.line(p.PC))
			}
		}
		if early != "" {
			c = c.Because("%s", early)
		}
		s.add(r, pc, "", c.Do("Call flush_icache_range() over the trampoline behind the last store"))
	}
}, trampoline.Near, trampoline.Updated)

// lastStore is the index of the event that last wrote the word at addr, if that
// is a plain store. It is -1 if nothing wrote the word, or if the patching
// interface did, which maintains the caches.
func lastStore(events []world.Event, addr uint64) int {
	for i := len(events) - 1; i >= 0; i-- {
		e := &events[i]
		switch e.Kind {
		case world.Store, world.Copy, world.Patch, world.PatchLiteral:
			if e.Err || addr-e.Addr >= e.Size {
				continue
			}
			if e.ByInterface() {
				return -1
			}
			return i
		}
	}
	return -1
}

// maintained reports whether one of the events maintains the cache line of addr.
func maintained(events []world.Event, addr uint64) bool {
	const line = 64 // bytes: the size on today's processors
	for i := range events {
		e := &events[i]
		if e.Kind != world.ICache || e.Size == 0 {
			continue
		}
		start, end := e.Addr&^(line-1), (e.Addr+e.Size+line-1)&^(line-1)
		if e.Size == ^uint64(0) || start <= addr && addr < end {
			return true
		}
	}
	return false
}
