package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/trampoline"
	"github.com/ftlint/ftlint/world"
)

const writeExec = emu.Write | emu.Exec

// FT301 finds trampolines whose pages are writable and executable when the
// builder returns.
var FT301 = builtCheck("FT301", func(pass *analysis.Pass, runs []*trampoline.Run, s *spots) {
	for _, r := range runs {
		a := r.Area(r.Trampoline)
		if r.Trampoline == 0 || a == nil || a.PermAt(r.Trampoline)&writeExec != writeExec {
			continue
		}
		alloc, last := permEvents(r, a)
		switch {
		case last != nil:
			s.add(r, last.PC, "", say("the trampoline's pages stay writable and executable").
				Because("the builder returns with the page at %#x %v", r.Trampoline, a.PermAt(r.Trampoline)).
				Because("%s() makes it so here, on memory from %s(), which is %v", last.Func, alloc.Func, alloc.Perm).
				Because("what is patched later goes through %s(), which writes through an alias", s.im.Arch().Patching.Interface).
				Do("Call set_memory_ro() before %s()", last.Func))
		case alloc != nil:
			s.add(r, alloc.PC, "", say("the trampoline's pages stay writable and executable").
				Because("the builder returns with the page at %#x %v, as %s() gave it", r.Trampoline, a.PermAt(r.Trampoline), alloc.Func).
				Do("Call set_memory_ro()"))
		}
	}
}, trampoline.Near)

// permEvents are the allocation of an area, and the change of its permissions
// that made the area writable and executable for good. last is nil if no change
// did that.
func permEvents(r *trampoline.Run, a *world.Area) (alloc, last *world.Event) {
	for i := range r.Events {
		e := &r.Events[i]
		switch {
		case e.Kind == world.Alloc && e.Addr == a.Addr:
			alloc = e
		case e.Kind == world.Protect && e.Addr-a.Addr < a.Size && e.Perm&writeExec == writeExec && last == nil:
			last = e
		case e.Kind == world.Protect && e.Addr-a.Addr < a.Size && e.Perm&writeExec != writeExec:
			last = nil
		}
	}
	return alloc, last
}
