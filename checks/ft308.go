package checks

import (
	"fmt"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/builder"
	"github.com/ftlint/ftlint/emu"
)

// FT308 executes the builder where it must fail, and finds what it leaves
// behind.
var FT308 = builtCheck("FT308", func(pass *analysis.Pass, runs []*builder.TrampRun, s *spots) {
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
}, builder.NoMemory, builder.BadCopy, builder.BadPerm, builder.BadPatch, builder.FarAbove, builder.FarBelow, builder.FarCallback, builder.AlienSlot)

// residue is what a builder that failed has left behind; nil if nothing, or if
// it did not fail.
func residue(r *builder.TrampRun) (left []string, kinds string) {
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
func brokenBy(r *builder.TrampRun) string {
	a := r.Area(r.Trampoline)
	switch {
	case r.Situation == builder.NoMemory:
		return "where there is none"
	case a == nil && (r.Situation == builder.BadCopy || r.Situation == builder.BadPerm || r.Situation == builder.BadPatch):
		return "which is freed memory"
	case r.Situation == builder.BadCopy && !r.Called:
		return "a trampoline that was not copied in full"
	case r.Situation == builder.BadPerm && a.PermAt(r.Trampoline)&writeExec != emu.Exec:
		return fmt.Sprintf("a trampoline whose page is %v", a.PermAt(r.Trampoline))
	case r.Situation == builder.BadPatch && !r.Warns() && !r.Called:
		return "a trampoline that does not call its callback"
	case r.Situation == builder.BadPatch && !r.Warns() && r.Graph && !r.Graphed:
		return "a trampoline that does not come to ftrace_graph_caller"
	}
	return ""
}

// failing is what failed in a run, and the address of the builder's call of
// it.
func failing(r *builder.TrampRun) (pc uint64, what string) {
	what = r.Situation.String()
	n := 0
	for _, e := range r.Events {
		switch e.Kind {
		case builder.Alloc:
			if pc == 0 {
				pc = e.PC
			}
			if e.Addr == 0 {
				return e.PC, e.Func + "() failing"
			}
		case builder.Protect:
			if e.Err {
				return e.PC, e.Func + "() failing"
			}
		case builder.ReadInsn, builder.Patch, builder.PatchLiteral:
			if e.Err {
				return e.PC, e.Func + "() failing"
			}
		case builder.Copy:
			n++
			if e.Err {
				return e.PC, fmt.Sprintf("copy %d, %s() of %#x bytes, failing", n, e.Func, e.Size)
			}
		}
	}
	return pc, what
}
