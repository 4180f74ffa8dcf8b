package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/internal/plural"
)

// FT201 finds callsites that cannot reach their entry code.
var FT201 = check("FT201", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	t, none := sitesOf(pass)
	if t == nil {
		return notApplicable("%v", none)
	}
	reach := t.Arch.Call
	n, worst := 0, int64(0)
	for _, name := range []string{"ftrace_caller", "ftrace_regs_caller"} {
		target, ok := im.Addr(name)
		if !ok {
			continue
		}
		n++
		for _, s := range t.Callsites {
			if !s.Text {
				continue // FT403
			}
			a, call := s.Entry, s.Call
			off := a64.Offset(call, target)
			if abs(off) > abs(worst) {
				worst = off
			}
			if !reach.Contains(off) {
				report(pass, a, say("callsite %s cannot reach %s", t.label(im, a), name).
					Because("its BL at %#x is %+d bytes from %s (%#x), BL reaches %+d..%+d", call, off, name, target, reach.Min, reach.Max).
					Because("vmlinux has no PLT for ftrace: the callsite cannot be traced").
					Do("Link the code nearer to %s, or mark it notrace", name), relatedAs(im, target, "the entry code", name)...)
			}
		}
	}
	if n == 0 {
		return inconclusive("the image has neither ftrace_caller nor ftrace_regs_caller")
	}
	return examined("%s, the farthest %+.1f MiB from its entry code", plural.Of(len(t.Addrs), "callsite"), float64(worst)/(1<<20))
}, Sites)
