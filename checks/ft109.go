package checks

import (
	"fmt"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/trampoline"
)

// FT109 finds ops literals that are not 8-byte aligned, and says which variant of
// the trampoline has such a literal.
var FT109 = withModel(builtCheck("FT109", func(pass *analysis.Pass, runs []*trampoline.Run, s *spots) {
	for _, r := range runs {
		for _, d := range r.Diffs {
			if d.Kind == trampoline.Misaligned {
				s.addDiff(r, d, "Round the size of the code up to 8", otherVariant(runs, r)...)
			}
		}
	}
}, trampoline.Near))

// otherVariant says where the literal of the other variant is.
func otherVariant(runs []*trampoline.Run, r *trampoline.Run) []string {
	for _, o := range runs {
		if o.Regs != r.Regs && o.Trampoline != 0 && o.Literal != 0 {
			return []string{fmt.Sprintf("the literal for %s is at %s", o.Variant(), at(o, o.Literal))}
		}
	}
	return nil
}
