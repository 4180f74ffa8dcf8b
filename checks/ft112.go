package checks

import (
	"fmt"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// FT112 finds a template that is live kernel text, patched in place.
var FT112 = check("FT112", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	t := pass.ResultOf[Template].(*TemplateCode)
	if t == nil {
		return notApplicable(noTemplate)
	}
	var live []Region
	var words []string
	for _, r := range t.Regions {
		if im.IsText(r.Start) {
			live = append(live, r)
			words = append(words, fmt.Sprintf("%s (%#x, %#x bytes)", r.Label, r.Start, r.Limit()-r.Start))
		}
	}
	if len(t.Regions) == 0 {
		return inconclusive("no region has both its labels in order")
	}
	if len(live) > 0 {
		slots := ""
		for _, name := range []string{"ftrace_call", "ftrace_graph_call"} {
			if a, ok := im.Addr(name); ok && live[len(live)-1].Contains(a) {
				slots += fmt.Sprintf("; %s at %#x is patched while it is live, so a copy has whatever it held at that moment", name, a)
			}
		}
		report(pass, live[len(live)-1].Start, "the template is live, executable kernel text: %s%s. A template that is only copied belongs in .rodata",
			strings.Join(words, ", "), slots)
	}
	return examined("%d regions", len(t.Regions))
}, Template)
