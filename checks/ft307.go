package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/builder"
)

// FT307 finds executable memory that is given back as it is.
var FT307 = builtCheck("FT307", func(pass *analysis.Pass, runs []*builder.TrampRun, s *spots) {
	for _, r := range runs {
		for _, e := range r.Events {
			if e.Kind == builder.Free && e.Err {
				s.add(r, e.PC, "", "with %v, %s() frees %#x while it is %v, and nothing resets its permissions: call set_vm_flush_reset_perms() behind the allocation, or set_memory_nx() and set_memory_rw() here",
					r.Situation, e.Func, e.Addr, e.Perm)
			}
		}
	}
}, builder.Near, builder.Updated, builder.FarAbove, builder.FarBelow, builder.FarCallback, builder.NoMemory, builder.BadCopy, builder.AlienSlot, builder.Released, builder.BadRelease)
