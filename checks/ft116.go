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
	explained := map[place]bool{}
	for _, r := range runs {
		for _, d := range r.Diffs {
			if d.Kind != builder.Unexplained && d.Origin != 0 {
				explained[place{r.Regs, d.Origin}] = true
			}
		}
	}
	context := map[bool]bool{} // variants of which FT113 speaks
	for _, p := range pass.ResultOf[TrampRuns].([]TrampPath) {
		context[p.Run.Regs] = len(p.Diffs) > 0
	}
	for _, r := range runs {
		for _, d := range r.Diffs {
			if d.Kind == builder.Unexplained && !explained[place{r.Regs, d.Origin}] && (d.Origin == 0 || !context[r.Regs]) {
				s.addDiff(r, d, "")
			}
		}
	}
}, builder.Near, builder.Updated), TrampRuns)
