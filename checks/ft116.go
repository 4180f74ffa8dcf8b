package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/trampoline"
)

// FT116 finds differences from the model that no other rule is about.
var FT116 = withModel(builtCheck("FT116", func(pass *analysis.Pass, runs []*trampoline.Run, s *spots) {
	type place struct {
		regs   bool
		origin uint64
	}
	covered := map[place]bool{}
	for _, r := range runs {
		for _, d := range r.Diffs {
			if d.Kind < trampoline.Unexplained && d.Origin != 0 {
				covered[place{r.Regs, d.Origin}] = true
			}
		}
	}
	context := map[bool]bool{} // variants that FT113 reports, by Regs
	for _, p := range pass.ResultOf[TrampRuns].([]TrampPath) {
		context[p.Of.Regs] = len(p.Diffs) > 0
	}
	for _, r := range runs {
		if stays(r) && !r.Warns() && !explained(pass.ResultOf[Built].(*trampoline.Results), r.Regs) {
			s.silent(r)
		}
		for _, d := range r.Diffs {
			switch {
			case d.Kind == trampoline.Misconduct,
				d.Kind == trampoline.Unexplained && works(r) && !covered[place{r.Regs, d.Origin}] && (d.Origin == 0 || !context[r.Regs]):
				s.addDiff(r, d, "Compare the builder with the duties that ftlint explain FT116 lists")
			}
		}
	}
}, trampoline.Near, trampoline.FarAbove, trampoline.FarBelow, trampoline.EdgeAbove, trampoline.EdgeBelow,
	trampoline.FarCallback, trampoline.EdgeCallback, trampoline.NoMemory, trampoline.BadCopy, trampoline.BadPerm, trampoline.BadPatch,
	trampoline.AlienSlot, trampoline.Owned, trampoline.OwnedFreed, trampoline.Released, trampoline.BadRelease, trampoline.Rebuilt,
	trampoline.Updated, trampoline.GraphSwitched, trampoline.FarUpdate, trampoline.BadUpdate, trampoline.AlienUpdate), TrampRuns)

// works reports whether the trampoline must match the model: in the run's
// situation everything is in reach, and nothing fails.
func works(r *trampoline.Run) bool {
	switch r.Situation {
	case trampoline.Near, trampoline.Updated, trampoline.GraphSwitched, trampoline.Rebuilt:
		return true
	}
	return false
}

// stays reports whether an update failed and left the trampoline as it was.
func stays(r *trampoline.Run) bool {
	switch r.Situation {
	case trampoline.BadUpdate, trampoline.FarUpdate:
		return r.Executed && !r.Called && r.Kept()
	case trampoline.AlienUpdate:
		slot := r.CallAt
		if r.Slot == "ftrace_graph_call" {
			slot = r.GraphAt
		}
		w, ok := r.Word(slot)
		return ok && w == r.Alien
	}
	return false
}

// silent adds the finding that an update failed and the builder did not report
// the failure.
func (s *spots) silent(r *trampoline.Run) {
	pc, _ := s.im.Addr("arch_ftrace_update_trampoline")
	s.add(r, pc, "silent", say("the builder hides that an update of the trampoline failed").
		Because("the trampoline stays as it was, and the builder neither warns nor gives it up").
		Because("ftrace goes on as if the trampoline called the new callback").
		Do("Warn, and give the trampoline up"))
}
