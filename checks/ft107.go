package checks

import (
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/entry"
	"github.com/ftlint/ftlint/internal/plural"
)

// FT107 finds an op-pointer label that is not on the load of function_trace_op: on
// arm64, not on the ADRP of the pair.
var FT107 = check("FT107", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	var none []string
	n := 0
	for _, r := range im.Arch().Regions {
		for _, slot := range r.Slots {
			if slot.Is != arch.OpLoad {
				continue
			}
			if at, ok := im.Addr(slot.Label); !ok {
				none = append(none, slot.Label)
			} else if why := judgeOpLabel(pass, slot.Label, at, r.Start); why != "" {
				return inconclusive("%s", why)
			} else {
				n++
			}
		}
	}
	if n == 0 {
		return notApplicable("no %s", strings.Join(none, ", no "))
	}
	return examined("%s", plural.Of(n, "label"))
})

// judgeOpLabel reports the label, which stands at at in the region that begins at the
// symbol region, unless it is on the load of function_trace_op. why says why there is
// no verdict.
func judgeOpLabel(pass *analysis.Pass, label string, at uint64, region string) (why string) {
	im := image(pass)
	op, ok := im.Addr("function_trace_op")
	if !ok {
		return im.At(at) + ": the image has no symbol function_trace_op to compare with"
	}
	load := im.Arch().OpInsn
	loaded, isLoad := opLoad(im, at)
	switch {
	case !im.IsText(at) && !isLoad:
		return label + " is outside text: see FT102"
	case isLoad && loaded == op:
	case isLoad:
		report(pass, at, say("%s is on a load of something else", label).
			Because("the %s at %#x loads %s, function_trace_op is at %#x", load, at, im.At(loaded), op).
			Because("a builder that replaces the load leaves the real one in the copy").
			Do("Move the label to the load of function_trace_op"))
	default:
		// Say where the load is, if it is in the code that follows.
		start, ok := im.Addr(region)
		if !ok {
			start, _ = im.Addr("ftrace_caller")
		}
		for a := start; a < start+entry.MaxInsns; {
			if to, ok := opLoad(im, a); ok && to == op {
				report(pass, at, say("%s is not on the load of function_trace_op", label).
					Because("it is at %#x, on %s", at, text(im, at)).
					Because("the %s that loads function_trace_op is at %s, %+d bytes from the label", load, im.At(a), int64(a-at)).
					Because("a builder replaces what stands at the label, and so the wrong code").
					Do("Move the label to the load"))
				return ""
			}
			in, ok := im.Insn(a)
			if !ok {
				break
			}
			a += in.Size
		}
		report(pass, at, say("%s is not on the load of function_trace_op", label).
			Because("it is at %#x, on %s", at, text(im, at)).
			Because("no %s that loads function_trace_op (%#x) follows %s", load, op, region).
			Do("Put the label on that load"))
	}
	return ""
}

// opLoad is the address that the load of function_trace_op at addr loads from.
func opLoad(im *elfscan.Image, addr uint64) (from uint64, ok bool) {
	return im.Arch().OpLoad(im.Code(addr, 2*im.Arch().MaxInsn), addr)
}
