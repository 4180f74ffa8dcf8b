package checks

import (
	"fmt"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/trampoline"
	"github.com/ftlint/ftlint/world"
)

// FT308 executes the builder where it must fail, and finds what it leaves
// behind.
var FT308 = builtCheck("FT308", func(pass *analysis.Pass, runs []*trampoline.Run, s *spots) {
	seen := map[string]bool{}
	for _, r := range runs {
		left, kinds := residue(r)
		if left == nil || seen[kinds] {
			continue
		}
		seen[kinds] = true
		pc, what := failing(r)
		s.add(r, pc, kinds, "with %s, the builder %s. Set the members of the ops last, when nothing can fail any more, and free what was allocated on every way out", what, strings.Join(left, ", "))
	}
}, trampoline.NoMemory, trampoline.BadCopy, trampoline.BadPerm, trampoline.BadPatch, trampoline.FarAbove, trampoline.FarBelow, trampoline.FarCallback, trampoline.AlienSlot)

// residue is what a builder that failed has left behind; nil if nothing, or if
// it did not fail.
func residue(r *trampoline.Run) (left []string, kinds string) {
	broken := brokenBy(r)
	if r.Trampoline != 0 && broken == "" {
		return nil, ""
	}
	for _, a := range r.Areas {
		if !a.Freed && !a.Contains(r.Trampoline) {
			left = append(left, fmt.Sprintf("leaves %#x bytes at %#x allocated", a.Size, a.Addr))
			kinds += "leak "
		}
	}
	if r.Trampoline != 0 {
		return append(left, fmt.Sprintf("leaves %#x in ops->trampoline, %s", r.Trampoline, broken)), kinds + "pointer"
	}
	if r.AllocTramp {
		left = append(left, "leaves FTRACE_OPS_FL_ALLOC_TRAMP in ops->flags with no trampoline")
		kinds += "flags "
	}
	if r.Size != 0 {
		left = append(left, fmt.Sprintf("leaves %#x in ops->trampoline_size with no trampoline", r.Size))
		kinds += "size "
	}
	return left, kinds
}

// brokenBy says what is wrong with the trampoline that a builder has left in a
// run where something failed; "" if it works all the same, or if the builder
// has told of it. What it tells of memory that is missing does not make it
// memory.
func brokenBy(r *trampoline.Run) string {
	a := r.Area(r.Trampoline)
	switch {
	case r.Situation == trampoline.NoMemory:
		return "where there is none"
	case a == nil && (r.Situation == trampoline.BadCopy || r.Situation == trampoline.BadPerm || r.Situation == trampoline.BadPatch):
		return "which is freed memory"
	case r.Situation == trampoline.BadCopy && !r.Called:
		return "a trampoline that was not copied in full"
	case r.Situation == trampoline.BadPerm && a.PermAt(r.Trampoline)&writeExec != emu.Exec:
		return fmt.Sprintf("a trampoline whose page is %v", a.PermAt(r.Trampoline))
	case r.Situation == trampoline.BadPatch && !r.Warns() && !r.Called:
		return "a trampoline that does not call its callback"
	case r.Situation == trampoline.BadPatch && !r.Warns() && r.Graph && !r.Graphed:
		return "a trampoline that does not come to ftrace_graph_caller"
	}
	return ""
}

// failing is what failed in a run, and the address of the builder's call of
// it.
func failing(r *trampoline.Run) (pc uint64, what string) {
	what = r.Situation.String()
	n := 0
	for _, e := range r.Events {
		switch e.Kind {
		case world.Alloc:
			if pc == 0 {
				pc = e.PC
			}
			if e.Addr == 0 {
				return e.PC, e.Func + "() failing"
			}
		case world.Protect:
			if e.Err {
				return e.PC, e.Func + "() failing"
			}
		case world.ReadInsn, world.Patch, world.PatchLiteral:
			if e.Err {
				return e.PC, e.Func + "() failing"
			}
		case world.Copy:
			n++
			if e.Err {
				return e.PC, fmt.Sprintf("copy %d, %s() of %#x bytes, failing", n, e.Func, e.Size)
			}
		}
	}
	return pc, what
}
