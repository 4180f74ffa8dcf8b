package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/builder"
)

// FT116 finds what differs from the model and has no rule of its own.
var FT116 = withModel(builtCheck("FT116", func(pass *analysis.Pass, runs []*builder.TrampRun, s *spots) {
	type place struct {
		regs   bool
		origin uint64
	}
	covered := map[place]bool{}
	for _, r := range runs {
		for _, d := range r.Diffs {
			if d.Kind < builder.Unexplained && d.Origin != 0 {
				covered[place{r.Regs, d.Origin}] = true
			}
		}
	}
	context := map[bool]bool{} // variants of which FT113 speaks
	for _, p := range pass.ResultOf[TrampRuns].([]TrampPath) {
		context[p.Run.Regs] = len(p.Diffs) > 0
	}
	for _, r := range runs {
		if stays(r) && !r.Warns() && !explained(pass.ResultOf[Built].(*builder.Trampolines), r.Regs) {
			s.silent(r)
		}
		for _, d := range r.Diffs {
			switch {
			case d.Kind == builder.Misconduct,
				d.Kind == builder.Unexplained && works(r) && !covered[place{r.Regs, d.Origin}] && (d.Origin == 0 || !context[r.Regs]):
				s.addDiff(r, d, "")
			}
		}
	}
}, builder.Near, builder.FarAbove, builder.FarBelow, builder.EdgeAbove, builder.EdgeBelow, builder.FarCallback, builder.NoMemory, builder.BadCopy, builder.BadPerm,
	builder.BadPatch, builder.AlienSlot, builder.Owned, builder.OwnedFreed, builder.Updated, builder.GraphSwitched, builder.FarUpdate, builder.BadUpdate,
	builder.AlienUpdate, builder.Released, builder.BadRelease, builder.Rebuilt, builder.EdgeCallback), TrampRuns)

// works tells whether a trampoline must be as the model has it: whether all is
// in reach, and nothing fails.
func works(r *builder.TrampRun) bool {
	switch r.Situation {
	case builder.Near, builder.Updated, builder.GraphSwitched, builder.Rebuilt:
		return true
	}
	return false
}

// stays tells whether an update that failed left the trampoline as it was.
func stays(r *builder.TrampRun) bool {
	switch r.Situation {
	case builder.BadUpdate, builder.FarUpdate:
		return r.Executed && !r.Called && r.Kept()
	case builder.AlienUpdate:
		slot := r.CallAt
		if r.Slot == "ftrace_graph_call" {
			slot = r.GraphAt
		}
		w, ok := r.Word(slot)
		return ok && w == r.Alien
	}
	return false
}

// silent adds that an update has failed, and nobody is told.
func (s *spots) silent(r *builder.TrampRun) {
	pc, _ := s.im.Addr("arch_ftrace_update_trampoline")
	s.add(r, pc, "silent", "with %v, the trampoline stays as it was, and the builder neither warns nor gives it up: ftrace goes on as if it called the new callback", r.Situation)
}
