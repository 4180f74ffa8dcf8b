package checks

import (
	"errors"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/bpf"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
)

// examinedWay is what FT714 looks at in each image.
const examinedWay = "the way from callsites to BPF trampolines"

// FT714 finds functions with a callsite to which BPF trampolines cannot be attached.
var FT714 = check("FT714", func(pass *analysis.Pass) (any, error) {
	res, out, done := bpfRun(pass)
	if done {
		return out, nil
	}
	t, none := sitesOf(pass)
	switch {
	case t == nil:
		return notApplicable("%v", none)
	case !res.Kernel.HasSite:
		reportImage(pass, say("BPF trampolines cannot be attached to kernel functions, only to BPF programs").
			Because("ftrace of this kernel has no direct calls (CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS, on arm64 from 6.4 on)").
			Because("%s have no fentry, fexit, fmod_ret or LSM programs", plural.Of(len(t.Addrs), "callsite")).
			Do("Take a kernel from 6.4 on, built with CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS, or trace by kprobes"))
		return examined(examinedWay)
	}
	why, funcs := map[string][]*bpf.Traceable{}, map[string]int{}
	var reasons []string
	for i := range res.Unsupported {
		u := &res.Unsupported[i]
		if why[u.Why] == nil {
			reasons = append(reasons, u.Why)
		}
		why[u.Why] = append(why[u.Why], u)
		funcs[u.Why] += len(u.Funcs)
	}
	total := 0
	for _, n := range funcs {
		total += n
	}
	if total > 0 {
		c := say("%s with a callsite cannot have BPF programs", plural.Of(total, "function"))
		for _, reason := range reasons {
			c = c.Because("%s: %s, such as %s", plural.Of(funcs[reason], "function"), reason, why[reason][0].Funcs[0])
		}
		reportImage(pass, c.Do("Trace these functions by kprobes"))
	}
	if !pass.ResultOf[Options].(Settings).Exhaustive {
		left := errors.New("the prototype of each function (give --exhaustive)")
		return finding.Outcome{Examined: examinedWay, Skipped: []error{left}}, nil
	}
	return examined(examinedWay+", %s of functions", plural.Of(res.Prototypes, "prototype"))
}, BPF, Sites, Options)
