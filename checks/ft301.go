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
			s.add(r, last.PC, "", "the builder returns with its page %#x %v: %s() here, on memory from %s(), which is %v. Call set_memory_ro() first; what is patched later goes through aarch64_insn_patch_text_nosync(), which writes through an alias",
				r.Trampoline, a.PermAt(r.Trampoline), last.Func, alloc.Func, alloc.Perm)
		case alloc != nil:
			s.add(r, alloc.PC, "", "the builder returns with its page %#x %v, as %s() gave it: call set_memory_ro()", r.Trampoline, a.PermAt(r.Trampoline), alloc.Func)
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
