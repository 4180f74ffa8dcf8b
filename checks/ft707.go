package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/bpf"
	"github.com/ftlint/ftlint/internal/plural"
)

// FT707 finds literals of BPF programs that a processor can read in part, while another
// writes them.
var FT707 = check("FT707", func(pass *analysis.Pass) (any, error) {
	res, out, done := bpfRun(pass)
	if done {
		return out, nil
	}
	im := image(pass)
	parts := bpfDefects(im, res, "FT707")
	for i := range parts {
		reportBPF(pass, &parts[i], "writes the literal of a program's PLT in parts", "Write the literal by one store of 8 bytes")
	}
	var torn *bpf.Compiled
	n := 0
	for i := range res.Compiled {
		if c := &res.Compiled[i]; c.Torn() {
			n++
			if torn == nil {
				torn = c
			}
		}
	}
	switch {
	case torn != nil:
		at, fn := torn.Alloc, "bpf_int_jit_compile"
		if at == 0 {
			at = torn.Store
		}
		report(pass, at, say("%s does not align the literal of a program's PLT", fn).
			Because("a program compiled at %#x has the literal at %#x, which is %d mod 8", torn.Addr, torn.Literal, torn.Literal%8).
			Because("%s writes it while another processor may load it: a load that is not aligned can get half of each address", im.At(torn.Store)).
			Because("%d of %d programs are so, by the random offset in their memory", n, len(res.Compiled)).
			Do("Ask for memory that is aligned to 8 bytes (\"bpf, arm64: Force 8-byte alignment for JIT buffer\")"),
			related(im, torn.Store, "the store: %s", im.At(torn.Store)))
	case len(parts) > 0:
	case len(res.Compiled) == 0 && len(res.Stuck) > 0:
		return inconclusive("%s", stuckOf(res))
	case len(res.Compiled) == 0:
		return notApplicable("BPF programs have no PLT (bpf_arch_text_poke)")
	}
	return examined("%s at different offsets in their memory", plural.Of(len(res.Compiled), "compiled program"))
}, BPF)
