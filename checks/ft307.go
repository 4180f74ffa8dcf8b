package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/trampoline"
	"github.com/ftlint/ftlint/world"
)

// FT307 finds executable memory that is freed without a reset of its permissions.
var FT307 = builtCheck("FT307", func(pass *analysis.Pass, runs []*trampoline.Run, s *spots) {
	for _, r := range runs {
		for _, e := range r.Events {
			if e.Kind == world.Free && e.Err {
				s.add(r, e.PC, "", say("executable memory is freed with no reset of its permissions").
					Because("%s() frees %#x while it is %v", e.Func, e.Addr, e.Perm).
					Do("Call set_vm_flush_reset_perms() behind the allocation, or set_memory_nx() and set_memory_rw() here"))
			}
		}
	}
}, trampoline.Near, trampoline.Updated, trampoline.FarAbove, trampoline.FarBelow, trampoline.FarCallback,
	trampoline.NoMemory, trampoline.BadCopy, trampoline.AlienSlot, trampoline.Released, trampoline.BadRelease)
