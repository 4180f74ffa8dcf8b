package checks

import (
	"fmt"
	"reflect"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/patching"
)

// Patching is the interface that patches text, executed, *patching.Runs.
var Patching = &analysis.Analyzer{
	Name:     "patching",
	Doc:      "execute aarch64_insn_patch_text_nosync and its kin through the fixmap",
	Requires: []*analysis.Analyzer{Image, Sites},
	Run: func(pass *analysis.Pass) (any, error) {
		return patching.Execute(image(pass), pass.ResultOf[Sites].(*SiteTable).BTI > 0), nil
	},
	ResultType: reflect.TypeFor[*patching.Runs](),
}

// FT118 executes the functions that write to text, and judges what they do to
// memory, to the fixmap, to their lock and to the caches.
var FT118 = check("FT118", func(pass *analysis.Pass) (any, error) {
	runs := pass.ResultOf[Patching].(*patching.Runs)
	if runs.None != nil {
		return notApplicable("%v", runs.None)
	}
	var stuck error
	told := map[string]bool{}
	for i, r := range runs.All {
		switch {
		case r.Err != nil:
			if stuck == nil {
				stuck = fmt.Errorf("%s, executed %s: %w", r.Func, r.Case, r.Err)
			}
		case !told[r.Func]:
			told[r.Func] = true
			c, rest := misdeed(r.Func, "does not patch text as it must", r.Diffs)
			c = c.Because("executed %s", r.Case)
			for _, d := range firstOf(rest, 3) {
				c = c.Because("%s", itDoes(d))
			}
			// The functions share code: one defect is one finding.
			var others []string
			for _, o := range runs.All[i+1:] {
				if !told[o.Func] && len(o.Diffs) > 0 && o.Diffs[0] == r.Diffs[0] {
					told[o.Func] = true
					others = append(others, o.Func)
				}
			}
			if len(others) > 0 {
				c = c.Because("so does %s", strings.Join(others, ", "))
			}
			report(pass, r.Fn, c.Because("ftrace patches callsites through it").Do("Compare it with arch/arm64/kernel/patching.c (insn.c before 5.18)"))
		}
	}
	if stuck != nil && len(told) == 0 {
		return inconclusive("%w", stuck)
	}
	not := ""
	if len(runs.Skipped) > 0 {
		not = "; not executed: " + strings.Join(runs.Skipped, ", ")
	}
	return examined("%s of the interface, on %s%s", plural.Of(runs.Executed, "call"), plural.Of(runs.Places, "place"), not)
}, Patching)
