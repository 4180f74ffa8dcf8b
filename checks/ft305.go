package checks

import (
	"fmt"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/trampoline"
	"github.com/ftlint/ftlint/world"
)

// FT305 finds plain stores to memory that is read-only or executable.
var FT305 = builtCheck("FT305", func(pass *analysis.Pass, runs []*trampoline.Run, s *spots) {
	for _, r := range runs {
		for i, e := range r.Events {
			if e.Kind != world.Store && e.Kind != world.Copy || e.Err || e.ByInterface() || e.Perm&writeExec == emu.Write {
				continue
			}
			by := e.Func + "()"
			if e.Func == "" {
				by = text(s.im, e.PC)
			}
			kind, harm := "executable", "the instruction cache is not told, and another CPU may be executing the code"
			if e.Perm&emu.Write == 0 {
				kind, harm = "read-only", "the store faults, and the kernel dies of it"
			}
			s.add(r, e.PC, "", say("the builder stores straight to %s memory", kind).
				Because("%s stores %s to %s (%#x), which is %v%s", by, plural.Of(e.Size, "byte"), at(r, e.Addr), e.Addr, e.Perm, madeSo(s, r, i)).
				Because("%s", harm).
				Do("Use %s(), or store before the permissions change", s.im.Arch().Patching.Interface))
		}
	}
}, trampoline.Near, trampoline.Updated, trampoline.FarAbove, trampoline.FarBelow, trampoline.FarCallback)

// madeSo names the call that made the page read-only or executable to which event
// i stores.
func madeSo(s *spots, r *trampoline.Run, i int) string {
	e := &r.Events[i]
	bad := func(p emu.Perm) bool {
		if e.Perm&emu.Write == 0 {
			return p&emu.Write == 0
		}
		return p&emu.Exec != 0
	}
	out, was := "", false
	for k := range r.Events[:i] {
		p := &r.Events[k]
		if p.Kind != world.Protect && p.Kind != world.Alloc || e.Addr-p.Addr >= p.Size {
			continue
		}
		if bad(p.Perm) && !was {
			out = fmt.Sprintf(" since %s() at %s", p.Func, s.line(p.PC))
		}
		was = bad(p.Perm)
	}
	return out
}
