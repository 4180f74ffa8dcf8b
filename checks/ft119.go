package checks

import (
	"fmt"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/internal/plural"
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
			c := say("%s misbehaves", labelOf(im, w.Fn))
			for _, d := range firstOf(w.Diffs, 3) {
				c = c.Because("%s, executed, %s", w.Call(), d)
			}
			report(pass, w.Fn, c)
			continue
		}
		word := func(v uint32) string {
			if w.Number {
				return fmt.Sprintf("%#x", v)
			}
			return fmt.Sprintf("%08x (%s)", v, a64.Text(v, w.PC(), nil))
		}
		c := say("%s makes a wrong instruction", labelOf(im, w.Fn)).
			Because("%s returns %s", w.Call(), word(w.Got)).
			Because("by the Arm ARM it is %s, or the kernel's BRK where no instruction has these operands (AARCH64_BREAK_FAULT)", word(w.Want))
		if w.Count > 1 {
			c = c.Because("it gives %s with other operands", plural.Of(w.Count-1, "wrong word"))
		}
		report(pass, w.Fn, c.Do("Compare it with arch/arm64/lib/insn.c"))
	}
	if stuck != nil && !found {
		return inconclusive("%w", stuck)
	}
	not := ""
	if len(made.Skipped) > 0 {
		not = "; not executed: " + strings.Join(made.Skipped, ", ")
	}
	return examined("%s of %s of instructions%s", plural.Of(made.Executed, "call"), plural.Of(made.Makers, "maker"), not)
}, Options, Sites)
