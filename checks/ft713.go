package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/internal/plural"
)

// FT713 finds compiled BPF programs that lose registers, their frame or their stack.
var FT713 = check("FT713", func(pass *analysis.Pass) (any, error) {
	res, out, done := bpfRun(pass)
	if done {
		return out, nil
	}
	// One defect has many programs lose something, each with another instruction to blame:
	// the first of them is the simplest.
	defects := bpfDefects(image(pass), res, "FT713")
	if len(defects) > 0 {
		reportBPF(pass, &defects[0], "makes a program that loses registers, its frame or its stack",
			"Save on the way into a program what the way out of it, a tail call and an exception's callback restore, in the same order")
	}
	switch {
	case len(defects) == 0 && len(res.StuckJIT) > 0:
		return inconclusive("%w", res.StuckJIT[0])
	case len(res.Jitted) == 0:
		return notApplicable("the JIT leaves to the interpreter all programs that use registers or stack (bpf_int_jit_compile)")
	}
	n := 0
	for _, j := range res.Jitted {
		n += j.Progs
	}
	return examined("%s in %s", plural.Of(n, "compiled program"), plural.Of(len(res.Jitted), "execution"))
}, BPF)
