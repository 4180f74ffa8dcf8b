package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
)

// FT704 finds generators that emit more than they have computed. That they compute far
// more than they emit is a note.
var FT704 = check("FT704", func(pass *analysis.Pass) (any, error) {
	res, out, done := bpfRun(pass)
	if done {
		return out, nil
	}
	outcome, defects := bpfJudge(pass, res, "FT704", "emits more than was computed",
		"Compute the size with the flags, addresses and lists that the code is emitted for")
	if n := len(res.Roomy); n > 0 && defects == 0 && outcome.Status == finding.Judged {
		first := &res.Roomy[0]
		report(pass, res.Kernel.Size, say("arch_bpf_trampoline_size computes far more than is emitted").
			Because("for the trampoline for %s it computes %d bytes, and %d are emitted", first.Case.String(), first.Computed, first.Emitted).
			Because("everything is out of a branch's reach there, so that no trampoline for it is longer").
			Because("seen in %s", plural.Of(n, "case")).
			Do("Count the instructions by the code that emits them, and multiply their number by 4 once"))
		outcome.Harmless = true
	}
	return outcome, nil
}, BPF)
