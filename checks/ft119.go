package checks

import (
	"fmt"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/patching"
)

// FT119 executes the makers of instructions and compares their words with those
// of the Arm ARM.
var FT119 = check("FT119", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	made := patching.Make(im, pass.ResultOf[Sites].(*SiteTable).BTI > 0, pass.ResultOf[Options].(Settings).Exhaustive)
	if made.None != nil {
		return notApplicable("%v", made.None)
	}
	var stuck error
	found := false
	for _, w := range made.Wrong {
		if w.Err != nil {
			stuck = fmt.Errorf("%s: %w", w.Call(), w.Err)
			continue
		}
		found = true
		if len(w.Diffs) > 0 {
			report(pass, w.Fn, "%s, executed, %s", w.Call(), some(w.Diffs, 3))
			continue
		}
		more := ""
		if w.Count > 1 {
			more = fmt.Sprintf(", and %s with other operands", plural(w.Count-1, "wrong word"))
		}
		word := func(v uint32) string {
			if w.Number {
				return fmt.Sprintf("%#x", v)
			}
			return fmt.Sprintf("%08x (%s)", v, a64.Text(v, w.PC(), nil))
		}
		report(pass, w.Fn, "%s returns %s, not %s%s. By the Arm ARM the latter is the instruction with these operands, or the kernel's BRK where there is none (AARCH64_BREAK_FAULT): compare it with arch/arm64/lib/insn.c",
			w.Call(), word(w.Got), word(w.Want), more)
	}
	if stuck != nil && !found {
		return inconclusive("%w", stuck)
	}
	not := ""
	if len(made.Skipped) > 0 {
		not = "; not executed: " + strings.Join(made.Skipped, ", ")
	}
	return examined("%s of %s of instructions%s", plural(made.Executed, "call"), plural(made.Makers, "maker"), not)
}, Options, Sites)
