package checks

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/bpf"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/world"
)

// BPF is what the image's generators of code for BPF make, *bpf.Results. In an image
// that has none nothing is executed.
var BPF = &analysis.Analyzer{
	Name:     "bpf",
	Doc:      "execute the image's generator of BPF trampolines, and what it generates",
	Requires: []*analysis.Analyzer{Image, Options, Sites, Types},
	Run: func(pass *analysis.Pass) (any, error) {
		t := pass.ResultOf[Sites].(*SiteTable)
		if image(pass).Module() != nil {
			return &bpf.Results{None: &world.Lack{What: "a module has no generator of BPF trampolines"}}, nil
		}
		settings := pass.ResultOf[Options].(Settings)
		return bpf.Run(t.Table, pass.ResultOf[Types].(*callsite.Types), t.BTI > 0, settings.Exhaustive, settings.stopped)
	},
	ResultType: reflect.TypeFor[*bpf.Results](),
}

// A bpfDefect is one kind of defect in the generator of BPF trampolines, or in what it
// generates: the differences of a kind that the same line is to blame for.
type bpfDefect struct {
	fn     string      // the function that is to blame
	first  *bpf.Failed // a case whose trampoline shows it, or nil
	jitted *bpf.Jitted // compiled programs that show it, or nil
	while  string      // what was executed, if first and jitted are nil
	diffs  []bpf.Diff  // of the first case
	cases  int         // whose trampolines show it
}

// bpfRules are the IDs of the rules about kinds of differences.
var bpfRules = [...]string{
	bpf.Context: "FT701", bpf.Registers: "FT702", bpf.Return: "FT703", bpf.Size: "FT704", bpf.Outside: "FT705", bpf.Reach: "FT706", bpf.Torn: "FT707",
	bpf.Unwind: "FT709", bpf.LandingPad: "FT710", bpf.Hooks: "FT711", bpf.Detach: "FT712", bpf.Frame: "FT713", bpf.ICache: "FT715", bpf.Failing: "FT716",
}

// BPFRule is the ID of the rule about a kind of difference.
func BPFRule(kind bpf.DiffKind) string { return bpfRules[kind] }

// bpfCheck makes the analyzer of a rule that looks at the executed generator. does says
// what the function that is to blame does, fix what to do about it.
func bpfCheck(id, does, fix string) *analysis.Analyzer {
	return check(id, func(pass *analysis.Pass) (any, error) {
		res, out, done := bpfRun(pass)
		if done {
			return out, nil
		}
		outcome, _ := bpfJudge(pass, res, id, does, fix)
		return outcome, nil
	}, BPF)
}

// bpfJudge reports the defects that a rule of bpfCheck is about.
func bpfJudge(pass *analysis.Pass, res *bpf.Results, id, does, fix string) (out finding.Outcome, defects int) {
	list := bpfDefects(image(pass), res, id)
	for i := range list {
		reportBPF(pass, &list[i], does, fix)
	}
	if len(res.Stuck) > 0 && len(list) == 0 {
		return finding.Outcome{Status: finding.Inconclusive, Why: errors.New(stuckOf(res))}, 0
	}
	return finding.Outcome{Examined: fmt.Sprintf("%s, executed %d times; %s of code patched",
		plural.Of(res.Builds, "BPF trampoline"), res.Runs, plural.Of(len(res.Pokes), "change"))}, len(list)
}

// stuckOf says why cases have no verdict.
func stuckOf(res *bpf.Results) string {
	text := res.Stuck[0].Error()
	if n := len(res.Stuck); n > 1 {
		text += fmt.Sprintf(" (and so on in %s)", plural.Of(n-1, "more case"))
	}
	return text
}

// bpfDefects groups the differences that a rule is about by the line that is to blame.
func bpfDefects(im *elfscan.Image, res *bpf.Results, id string) (list []bpfDefect) {
	index := map[string]int{}
	add := func(d bpfDefect) {
		first := d.diffs[0]
		key := d.fn
		if pc := first.Emitter.PC; pc != 0 {
			key = im.LineOfCall(pc)
		}
		i, ok := index[key]
		if !ok {
			i = len(list)
			index[key] = i
			list = append(list, d)
		}
		if d.first != nil {
			list[i].cases++
		}
	}
	of := func(diffs []bpf.Diff) (out []bpf.Diff) {
		for _, d := range diffs {
			if bpfRules[d.Kind] == id {
				out = append(out, d)
			}
		}
		return out
	}
	for i := range res.Failed {
		f := &res.Failed[i]
		if diffs := of(f.Diffs); len(diffs) > 0 {
			add(bpfDefect{fn: blamed(im, diffs[0], "arch_prepare_bpf_trampoline"), first: f, diffs: diffs})
		}
	}
	for i := range res.Pokes {
		p := &res.Pokes[i]
		if diffs := of(p.Diffs); len(diffs) > 0 {
			add(bpfDefect{fn: blamed(im, diffs[0], "bpf_arch_text_poke"), while: p.What, diffs: diffs})
		}
	}
	for i := range res.Compiled {
		c := &res.Compiled[i]
		if diffs := of(c.Diffs); len(diffs) > 0 {
			add(bpfDefect{fn: blamed(im, diffs[0], "bpf_int_jit_compile"), while: "for a program of two instructions", diffs: diffs})
		}
	}
	for i := range res.Jitted {
		j := &res.Jitted[i]
		if diffs := of(j.Diffs); len(diffs) > 0 {
			add(bpfDefect{fn: blamed(im, diffs[0], "bpf_int_jit_compile"), jitted: j, diffs: diffs})
		}
	}
	return list
}

// blamed is the function that is to blame for a difference: the one that emitted the
// wrong word, if that is known.
func blamed(im *elfscan.Image, d bpf.Diff, fn string) string {
	if s, ok := im.SymbolAt(d.Emitter.PC); ok && d.Emitter.PC != 0 {
		name, _, _ := strings.Cut(s.Name, ".") // without ".constprop.0"
		return name
	}
	return fn
}

// reportBPF reports a defect.
func reportBPF(pass *analysis.Pass, d *bpfDefect, does, fix string) {
	im := image(pass)
	first := d.diffs[0]
	c, what := say("%s %s", d.fn, does), "trampoline"
	switch {
	case d.jitted != nil:
		what = "program"
		c = c.Because("compiled and executed: %s", d.jitted.What)
	case d.first == nil:
		c = c.Because("executed %s, it %s", d.while, first.Text)
	default:
		c = c.Because("in the trampoline for %s", d.first.Case.String())
		if d.first.While != "" {
			c = c.Because("with %s", d.first.While)
		}
	}
	if d.jitted != nil || d.first != nil {
		for _, diff := range d.diffs[:min(3, len(d.diffs))] {
			c = c.Because("%s", itDoes(diff.Text))
		}
		if n := len(d.diffs); n > 3 {
			c = c.Because("and %s", plural.Of(n-3, "more difference"))
		}
	}
	if first.At != 0 {
		c = c.Because("the instruction to blame is `%s` at %s+%#x", a64.Text(first.Word, first.At, im.Name), what, first.Offset)
		for _, pc := range first.Emitter.Callers[:min(1, len(first.Emitter.Callers))] {
			c = c.Because("emitted in a call at %s", im.At(pc))
		}
	}
	if d.cases > 1 {
		c = c.Because("seen in %s", plural.Of(d.cases, "case"))
	}
	pc := cmp.Or(first.Emitter.PC, addrOf(im, d.fn))
	pos := im.Pos(pc)
	if w, ok := im.Word(pc); ok && a64.Classify(w) != a64.Call && addrOf(im, d.fn) != pc { // a store, by a helper
		pos = im.PosOfCall(pc)
	}
	pass.Report(c.Do("%s", fix).Diagnostic(pos))
}

// addrOf is the address of a function that the image has.
func addrOf(im *elfscan.Image, name string) uint64 {
	addr, _ := im.Addr(name)
	return addr
}

// bpfRun is the common beginning of the rules on what was executed for BPF. done reports whether out and err are the rule's outcome.
func bpfRun(pass *analysis.Pass) (res *bpf.Results, out any, done bool) {
	res = pass.ResultOf[BPF].(*bpf.Results)
	switch {
	case res.None != nil:
		return res, finding.Outcome{Status: finding.NotApplicable, Why: res.None}, true
	case res.Err != nil:
		return res, finding.Outcome{Status: finding.Inconclusive, Why: res.Err}, true
	}
	return res, nil, false
}
