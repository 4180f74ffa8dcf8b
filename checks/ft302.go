package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/trampoline"
	"github.com/ftlint/ftlint/world"
)

// FT302 finds pages that are writable and executable for a while.
var FT302 = builtCheck("FT302", func(pass *analysis.Pass, runs []*trampoline.Run, s *spots) {
	forGood := false // the page stays writable and executable: FT301
	for _, r := range runs {
		a := r.Area(r.Trampoline)
		forGood = forGood || r.Situation == trampoline.Near && a != nil && a.PermAt(r.Trampoline)&writeExec == writeExec
	}
	for _, r := range runs {
		for i := range r.Areas {
			a := &r.Areas[i]
			var from *world.Event // made the area writable and executable
			calls := 0
			for k := range r.Events {
				e := &r.Events[k]
				if e.Kind != world.Alloc && e.Kind != world.Protect && e.Kind != world.Free || e.Addr-a.Addr >= a.Size {
					if from != nil && e.Kind != world.Store && e.Kind != world.Trap {
						calls++
					}
					continue
				}
				switch {
				case e.Kind == world.Free && from != nil && !forGood:
					s.add(r, from.PC, "", "its page %#x is %v from %s() here until it is freed: call set_memory_ro() first", a.Addr, from.Perm, from.Func)
					from = nil
				case e.Perm&writeExec == writeExec && from == nil:
					from, calls = e, 0
				case e.Perm&writeExec != writeExec && from != nil:
					s.add(r, from.PC, "", "its page %#x is %v from %s() here until %s(), %s later (%s): swap them", a.Addr, from.Perm, from.Func, e.Func, plural(calls+1, "call"), s.line(e.PC))
					from = nil
				}
			}
		}
	}
}, trampoline.Near, trampoline.Updated, trampoline.FarAbove, trampoline.FarBelow, trampoline.FarCallback, trampoline.Released)
