package checks

import (
	"fmt"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/internal/plural"
)

// FT112 finds a template that is live kernel text, patched in place.
var FT112 = check("FT112", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	t := pass.ResultOf[Template].(*TemplateRegions)
	if t == nil {
		return notApplicable(noTemplate)
	}
	var at uint64
	var words []string
	for _, l := range im.Arch().Regions {
		start, ok := im.Addr(l.Start)
		if !ok || !im.IsText(start) {
			continue
		}
		at = start // the last region is ftrace_common, which the others branch to
		words = append(words, fmt.Sprintf("%s (%#x)", l.Start, start))
	}
	if at != 0 {
		c := say("the template is live, executable kernel text").Because("its regions are %s", strings.Join(words, ", "))
		for _, name := range []string{"ftrace_call", "ftrace_graph_call"} {
			if a, ok := im.Addr(name); ok && im.IsText(a) {
				c = c.Because("%s (%#x) is patched while the code is live, so that a copy has whatever it held at that moment", name, a)
			}
		}
		report(pass, at, c.Do("Put a template that is only copied into .rodata"))
	}
	return examined("%s in text", plural.Of(len(words), "region"))
}, Template)
