package checks

import (
	"slices"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/trampoline"
	"github.com/ftlint/ftlint/world"
)

// FT203 executes the builder with memory, or the callback, out of reach, and
// finds branches that do not arrive.
var FT203 = builtCheck("FT203", func(pass *analysis.Pass, runs []*trampoline.Run, s *spots) {
	plt, broken := false, false
	for _, r := range runs {
		far := r.Situation == trampoline.FarAbove || r.Situation == trampoline.FarBelow
		plt = plt || r.Trampoline != 0 && r.Called && (far || r.Situation == trampoline.FarCallback)
		broken = broken || far && farBreaks(runs, r) != 0
	}
	// An update shows the same as building does, so that it comes last.
	var built, updated []*trampoline.Run
	for _, r := range runs {
		if r.Situation == trampoline.FarUpdate {
			updated = append(updated, r)
		} else {
			built = append(built, r)
		}
	}
	runs = append(built, updated...)
	for _, r := range runs {
		slot := farBreaks(runs, r)
		if slot == 0 {
			if edge := r.Situation == trampoline.EdgeAbove || r.Situation == trampoline.EdgeBelow; edge && r.Called && !plt && !broken {
				s.addEdge(r)
			}
			if plt && r.Situation == trampoline.EdgeCallback && r.Trampoline == 0 {
				s.addGap(r)
			}
			continue
		}
		w, _ := r.Word(slot)
		label, target := "ftrace_call", r.Func
		if slot == r.GraphAt {
			label = "ftrace_graph_call"
			target, _ = s.im.Addr("ftrace_graph_caller")
		}
		// The finding is where the instruction was made, if that is known, else
		// where it was stored.
		pc, fix := uint64(0), "Test the distance before, and fail or go through a PLT"
		if e := r.Writer(slot); e != nil {
			pc = e.PC
		}
		for _, e := range r.Events {
			if e.Kind == world.Gen && e.Addr == slot && uint32(e.Value) == w {
				pc = e.PC
				if a64.Classify(w) == a64.Break {
					fix = "Check what " + e.Func + "() returns for AARCH64_BREAK_FAULT, and fail or go through a PLT"
				}
			}
		}
		sp := s.add(r, pc, "", say("the builder writes a branch at %s that does not arrive, and returns success", label).
			Because("the trampoline is at %#x, the target %#x is %s away", r.Trampoline, target, mebibytes(a64.Offset(slot, target))).
			Because("%08x %s is written to %s, the slot of %s", w, word(s.im, r, w, slot), at(r, slot), label).
			Do("%s", fix))
		if e := r.Writer(slot); sp != nil && e != nil && e.PC != pc {
			sp.related = relatedTo(s.im, e.PC, "written here")
		}
	}
}, trampoline.Near, trampoline.FarAbove, trampoline.FarBelow, trampoline.EdgeAbove, trampoline.EdgeBelow,
	trampoline.FarCallback, trampoline.EdgeCallback, trampoline.FarUpdate)

// addEdge adds the finding that a builder without a PLT takes memory that a
// callsite does not reach.
func (s *spots) addEdge(r *trampoline.Run) {
	for _, e := range r.Events {
		if e.Kind == world.Alloc && e.Addr != 0 {
			s.add(r, e.PC, "", say("the builder takes memory that a callsite's BL does not reach").
				Because("the trampoline is at %#x, and the builder returns success", r.Trampoline).
				Because("ftrace_make_call() fails for that callsite, and ftrace is switched off").
				Do("Refuse memory from which _text or _end is out of reach"))
			return
		}
	}
}

// farBreaks is the address of the slot whose branch does not arrive in a run with
// something out of reach, while it arrives with everything in reach. It is 0 if
// there is no such slot.
func farBreaks(runs []*trampoline.Run, r *trampoline.Run) uint64 {
	switch r.Situation {
	case trampoline.Near, trampoline.EdgeAbove, trampoline.EdgeBelow:
		return 0
	case trampoline.FarUpdate: // a builder may refuse the update
		if r.Kept() || !slices.ContainsFunc(r.Events, func(e world.Event) bool { return e.Addr == r.CallAt && e.Kind == world.Patch }) {
			return 0
		}
	}
	if r.Area(r.Trampoline) == nil { // not a trampoline: FT308
		return 0
	}
	for _, near := range runs {
		if near.Situation != trampoline.Near || near.Regs != r.Regs || near.Graph != r.Graph {
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

// addGap adds the finding that a builder with a PLT makes no trampoline for a
// callback at one distance, while it makes trampolines for nearer and farther
// callbacks.
func (s *spots) addGap(r *trampoline.Run) {
	for _, e := range r.Events {
		if e.Kind == world.Alloc {
			s.add(r, e.PC, "gap", say("the builder makes no trampoline for a callback %+#x bytes away", r.Distance).
				Because("it has a PLT for callbacks farther away").
				Because("BL reaches -0x8000000..+0x7fffffc, and the PLT must begin right behind").
				Do("Go through the PLT for each callback that BL does not reach"))
			return
		}
	}
}
