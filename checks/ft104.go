package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/internal/plural"
)

// FT104 finds end labels that stand on the last instruction.
var FT104 = check("FT104", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	t := pass.ResultOf[Template].(*TemplateRegions)
	if t == nil {
		return notApplicable(noTemplate)
	}
	for _, r := range t.Regions {
		if r.OnLast {
			report(pass, r.End, say("%s stands on the last instruction, not after it", r.EndLabel).
				Because("the last instruction is %s at %s+%#x", text(im, r.Last), r.Label, r.Last-r.Start).
				Because("%s..%s is %#x bytes, the code is %#x: every use of the label must add %s by hand", r.Label, r.EndLabel, r.End-r.Start, r.Limit()-r.Start, plural.Of(r.Limit()-r.End, "byte")).
				Do("Put the label behind the instruction"))
		}
	}
	if len(t.Regions) == 0 {
		return inconclusive("no region has both its labels in order")
	}
	return examined("%s", plural.Of(len(t.Regions), "end label"))
}, Template)
