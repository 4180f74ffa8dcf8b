package checks

import (
	"fmt"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/builder"
)

// FT109 finds literals that are not 8-byte aligned, and says of which variant
// of the trampoline.
var FT109 = withModel(builtCheck("FT109", func(pass *analysis.Pass, runs []*builder.TrampRun, s *spots) {
	for _, r := range runs {
		for _, d := range r.Diffs {
			if d.Kind == builder.Misaligned {
				s.addDiff(r, d, otherVariant(runs, r)+". Round the size of the code up to 8")
			}
		}
	}
}, builder.Near))

// otherVariant says where the literal of the other variant is.
func otherVariant(runs []*builder.TrampRun, r *builder.TrampRun) string {
	for _, o := range runs {
		if o.Regs != r.Regs && o.Trampoline != 0 && o.Literal != 0 {
			return fmt.Sprintf("; the one for %s is at %s", o.Variant(), at(o, o.Literal))
		}
	}
	return ""
}
