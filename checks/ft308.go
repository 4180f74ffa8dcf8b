package checks

import (
	"fmt"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/builder"
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
}, builder.NoMemory, builder.BadCopy, builder.FarAbove, builder.FarBelow, builder.FarCallback, builder.AlienSlot)

// residue is what a builder that failed has left behind; nil if nothing, or if
// it did not fail.
func residue(r *builder.TrampRun) (left []string, kinds string) {
	mustFail := r.Situation == builder.NoMemory || r.Situation == builder.BadCopy && !r.Called
	if r.Trampoline != 0 && !mustFail {
		return nil, ""
	}
	for _, a := range r.Areas {
		if !a.Freed && !a.Contains(r.Trampoline) {
			left = append(left, fmt.Sprintf("leaves %#x bytes at %#x allocated", a.Size, a.Addr))
			kinds += "leak "
		}
	}
	if r.Trampoline != 0 {
		where := "which is freed memory"
		if r.Area(r.Trampoline) != nil {
			where = "a trampoline that was not copied in full"
		}
		if r.Situation == builder.NoMemory {
			where = "where there is none"
		}
		return append(left, fmt.Sprintf("leaves %#x in ops->trampoline, %s", r.Trampoline, where)), kinds + "pointer"
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
		case builder.Copy:
			n++
			if e.Err {
				return e.PC, fmt.Sprintf("copy %d, %s() of %#x bytes, failing", n, e.Func, e.Size)
			}
		}
	}
	return pc, what
}
