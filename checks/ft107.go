package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/entry"
)

// FT107 finds an op-pointer label that is not on the ADRP of the pair that
// loads function_trace_op.
var FT107 = check("FT107", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	const label = "function_trace_op_ptr"
	at, ok := im.Addr(label)
	if !ok {
		return notApplicable("no %s", label)
	}
	op, ok := im.Addr("function_trace_op")
	if !ok {
		return inconclusive("%s is at %#x, but the image has no symbol function_trace_op to compare with", label, at)
	}
	loaded, isPair := adrpLoad(im, at)
	switch {
	case !im.IsText(at) && !isPair:
		return inconclusive("%s (%#x) is outside text: see FT102", label, at)
	case isPair && loaded == op:
	case isPair:
		report(pass, at, say("%s is on a pair that loads something else", label).
			Because("the ADRP+LDR pair at %#x loads %s, function_trace_op is at %#x", at, im.At(loaded), op).
			Because("a builder that replaces the pair leaves the real load in the copy").
			Do("Move the label to the ADRP of the pair that loads function_trace_op"))
	default:
		// Say where the pair is, if it is in the code that follows.
		start, ok := im.Addr("ftrace_common")
		if !ok {
			start, _ = im.Addr("ftrace_caller")
		}
		for a := start; a < start+entry.MaxWords; a += a64.Size {
			if to, ok := adrpLoad(im, a); ok && to == op {
				report(pass, at, say("%s is not on the load of function_trace_op", label).
					Because("it is at %#x, on %s", at, text(im, at)).
					Because("the ADRP of the pair that loads function_trace_op is at %s, %+d bytes from the label", im.At(a), a64.Offset(at, a)).
					Because("a builder replaces the two instructions at the label, and so the wrong ones").
					Do("Move the label to the ADRP"))
				return examined("1 label")
			}
		}
		report(pass, at, say("%s is not on the load of function_trace_op", label).
			Because("it is at %#x, on %s", at, text(im, at)).
			Because("no ADRP+LDR pair that loads function_trace_op (%#x) follows ftrace_common", op).
			Do("Put the label on the ADRP of that pair"))
	}
	return examined("1 label")
})

// adrpLoad is the address that the pair ADRP Xn; LDR Xt, [Xn, #imm] at addr
// loads from.
func adrpLoad(im *elfscan.Image, addr uint64) (from uint64, ok bool) {
	adrp, ok1 := im.Word(addr)
	ldr, ok2 := im.Word(addr + a64.Size)
	if !ok1 || !ok2 || a64.Classify(adrp) != a64.ADRP || ldr&0xffc00000 != 0xf9400000 || a64.Rn(ldr) != a64.Rd(adrp) {
		return 0, false
	}
	page, _ := a64.Target(adrp, addr)
	return page + uint64(ldr>>10&0xfff)*8, true
}
