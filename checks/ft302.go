package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/internal/plural"
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
					s.add(r, from.PC, "", say("the trampoline's pages are writable and executable until they are freed").
						Because("the page at %#x is %v from %s() here on", a.Addr, from.Perm, from.Func).
						Do("Call set_memory_ro() before %s()", from.Func))
					from = nil
				case e.Perm&writeExec == writeExec && from == nil:
					from, calls = e, 0
				case e.Perm&writeExec != writeExec && from != nil:
					s.add(r, from.PC, "", say("the trampoline's pages are writable and executable for a while").
						Because("the page at %#x is %v from %s() here until %s(), %s later (%s)", a.Addr, from.Perm, from.Func, e.Func, plural.Of(calls+1, "call"), s.line(e.PC)).
						Do("Swap the two calls"))
					from = nil
				}
			}
		}
	}
}, trampoline.Near, trampoline.Updated, trampoline.FarAbove, trampoline.FarBelow, trampoline.FarCallback, trampoline.Released)
