package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/builder"
)

// FT203 executes the builder with memory, or the callback, out of reach, and
// finds branches that do not arrive.
var FT203 = builtCheck("FT203", func(pass *analysis.Pass, runs []*builder.TrampRun, s *spots) {
	for _, r := range runs {
		slot := farBreaks(runs, r)
		if slot == 0 {
			continue
		}
		w, _ := r.Word(slot)
		label, target := "ftrace_call", r.Func
		if slot == r.GraphAt {
			label = "ftrace_graph_call"
			target, _ = s.im.Addr("ftrace_graph_caller")
		}
		// Where the instruction was made, rather than where it was put.
		pc, advice := uint64(0), "it does not reach, and nothing tests that: test the distance before"
		if e := r.Writer(slot); e != nil {
			pc = e.PC
		}
		for _, e := range r.Events {
			if e.Kind == builder.Gen && e.Addr == slot && uint32(e.Value) == w {
				pc = e.PC
				if a64.Classify(w) == a64.Break {
					advice = "check what " + e.Func + "() returns for AARCH64_BREAK_FAULT"
				}
			}
		}
		sp := s.add(r, pc, "", "with %v (at %#x, the target %#x is %s away) the builder writes %08x %s to %s, the slot of %s, and returns success: %s, and fail or go through a PLT",
			r.Situation, r.Trampoline, target, mebibytes(a64.Offset(slot, target)), w, word(s.im, r, w, slot), at(r, slot), label, advice)
		if e := r.Writer(slot); sp != nil && e != nil && e.PC != pc {
			sp.related = relatedTo(s.im, e.PC, "written here")
		}
	}
}, builder.Near, builder.FarAbove, builder.FarBelow, builder.FarCallback)

// farBreaks is the address of the slot whose branch does not arrive in a run
// with something out of reach, though it does with all in reach; else 0.
func farBreaks(runs []*builder.TrampRun, r *builder.TrampRun) uint64 {
	if r.Situation == builder.Near || r.Trampoline == 0 {
		return 0
	}
	for _, near := range runs {
		if near.Situation != builder.Near || near.Regs != r.Regs || near.Graph != r.Graph {
			continue
		}
		switch {
		case near.Called && !r.Called:
			return r.CallAt
		case near.Graphed && !r.Graphed && r.Called:
			return r.GraphAt
		}
	}
	return 0
}
