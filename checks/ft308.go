package checks

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/trampoline"
	"github.com/ftlint/ftlint/world"
)

// FT308 executes the builder in situations in which it must fail, and finds
// memory, pointers and flags that the builder leaves behind.
var FT308 = builtCheck("FT308", func(pass *analysis.Pass, runs []*trampoline.Run, s *spots) {
	seen := map[string]bool{}
	for _, r := range runs {
		left, kinds := residue(r)
		if left == nil || seen[kinds] {
			continue
		}
		seen[kinds] = true
		pc, what := failing(r)
		c := say("the builder leaves %s behind when it fails", strings.Join(strings.Fields(kinds), ", "))
		for _, l := range left {
			c = c.Because("it %s", l)
		}
		s.add(r, pc, kinds, c.Because("it fails with %s", what).
			Do("Set the members of the ops last, when nothing can fail any more, and free what was allocated on every way out"))
	}
}, trampoline.NoMemory, trampoline.BadCopy, trampoline.BadPerm, trampoline.BadPatch,
	trampoline.FarAbove, trampoline.FarBelow, trampoline.FarCallback, trampoline.AlienSlot)

// residue lists the things that a builder left behind when it failed. The list is
// nil if there are none, or if the builder did not fail. kinds names the kinds of
// these things, for comparison.
func residue(r *trampoline.Run) (left []string, kinds string) {
	broken := brokenBy(r)
	if r.Trampoline != 0 && broken == "" {
		return nil, ""
	}
	for _, a := range r.Areas {
		if !a.Freed && !a.Contains(r.Trampoline) {
			left = append(left, fmt.Sprintf("leaves %#x bytes at %#x allocated", a.Size, a.Addr))
			kinds += "memory "
		}
	}
	if r.Trampoline != 0 {
		return append(left, fmt.Sprintf("leaves %#x in ops->trampoline, %s", r.Trampoline, broken)), kinds + "ops->trampoline"
	}
	if r.AllocTramp {
		left = append(left, "leaves FTRACE_OPS_FL_ALLOC_TRAMP in ops->flags with no trampoline")
		kinds += "ops->flags "
	}
	if r.Size != 0 {
		left = append(left, fmt.Sprintf("leaves %#x in ops->trampoline_size with no trampoline", r.Size))
		kinds += "ops->trampoline_size "
	}
	return left, kinds
}

// brokenBy says what is wrong with the trampoline that a builder left in a run in
// which something failed. It is "" if the trampoline works nevertheless, or if
// the builder warned. A warning is no excuse for a pointer to memory that was not
// allocated or that is freed.
func brokenBy(r *trampoline.Run) string {
	a := r.Area(r.Trampoline)
	switch {
	case r.Situation == trampoline.NoMemory:
		return "where no memory was given"
	case a == nil && (r.Situation == trampoline.BadCopy || r.Situation == trampoline.BadPerm || r.Situation == trampoline.BadPatch):
		return "which is freed memory"
	case r.Situation == trampoline.BadCopy && (!r.Called || differs(r)):
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

// differs reports whether the trampoline is not the model's.
func differs(r *trampoline.Run) bool {
	return slices.ContainsFunc(r.Diffs, func(d trampoline.Diff) bool { return d.Kind != trampoline.Misconduct })
}

// failing names the call that failed in a run, and the address at which the
// builder makes this call.
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
