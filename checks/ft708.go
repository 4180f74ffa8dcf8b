package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/bpf"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
)

// FT708 finds changes of permissions by which a page of BPF's code is writable and
// executable.
var FT708 = check("FT708", func(pass *analysis.Pass) (any, error) {
	res, out, done := bpfRun(pass)
	if done {
		return out, nil
	}
	im := image(pass)
	type call struct {
		bpf.WXMoment
		what, line string
	}
	var calls []call
	n, stays := map[string]int{}, map[string]bool{} // by line
	add := func(what string, list []bpf.WXMoment) {
		for _, m := range list {
			line := (&spots{im: im}).line(m.PC)
			if n[line]++; n[line] == 1 {
				calls = append(calls, call{m, what, line})
			}
			stays[line] = stays[line] || m.Stays
		}
	}
	for i := range res.Pokes {
		add(res.Pokes[i].What, res.Pokes[i].WX)
	}
	for i := range res.Compiled {
		add("to compile a program", res.Compiled[i].WX)
	}
	grave := false
	for _, m := range calls {
		fn := labelOf(im, m.PC)
		if s, ok := im.SymbolAt(m.PC); ok {
			fn = s.Name
		}
		c := say("%s makes a page of a BPF program writable and executable for a moment", fn)
		if stays[m.line] {
			grave = true
			c = say("%s leaves a page of a BPF program writable and executable", fn)
		}
		c = c.Because("executed %s, it calls %s() on a page that is executable", m.what, m.Func)
		if n[m.line] > 1 {
			c = c.Because("it does so in %d cases", n[m.line])
		}
		report(pass, m.PC, c.Do("Write through an alias (aarch64_insn_write_literal_u64()), and leave the permissions as they are"))
	}
	if len(res.Stuck) > 0 && len(calls) == 0 {
		return inconclusive("%s", stuckOf(res))
	}
	what := plural.Of(len(res.Pokes), "change") + " of programs' entries, " + plural.Of(len(res.Compiled), "compiled program")
	return finding.Outcome{Examined: what, Grave: grave}, nil
}, BPF)
