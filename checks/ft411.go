package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/elfscan"
)

// FT411 compares the register that callsites save LR in with the one that the
// entry code reads.
var FT411 = check("FT411", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	t, why := sitesOf(pass)
	if t == nil {
		return notApplicable("%s", why)
	}
	if t.Era == elfscan.EraMcount {
		return notApplicable("callsites of era mcount save LR in the frame, not in a register")
	}
	entry, ok := im.Addr("ftrace_caller")
	if !ok {
		return inconclusive("the image has no ftrace_caller")
	}
	read, at, ok := readsParent(im, entry)
	if !ok {
		return inconclusive("no `mov x1, xN` (parent_ip) was found in the entry code before it calls")
	}
	place := relatedTo(im, at, "the entry code reads it here")

	// Callsites that are initialised say the register themselves.
	n := 0
	for _, a := range t.Addrs {
		s := im.SiteAs(a, t.Shape)
		if s.Saved < 0 {
			continue
		}
		n++
		if s.Saved != read {
			reportWith(pass, a, place, "callsite %s saves LR in x%d, %s; the entry code takes the caller from x%d (%s at %s), and so returns to a wild address", t.name(im, a), s.Saved, text(im, s.Call-a64.Size), read, text(im, at), im.At(at))
		}
	}
	if n == len(t.Addrs) {
		return examined("%d callsites", n)
	}
	// The others are NOPs until ftrace_init_nop() writes what it makes.
	init, ok := im.Lookup("ftrace_init_nop")
	if !ok {
		return inconclusive("callsites are NOPs, and the image has no ftrace_init_nop that says what they become")
	}
	saved, made, ok := makesMove(im, init)
	if !ok {
		return inconclusive("ftrace_init_nop does not show which MOV it makes")
	}
	if saved != read {
		reportWith(pass, made, place, "ftrace_init_nop makes callsites save LR in x%d (%s at %s); the entry code takes the caller from x%d (%s at %s), and so returns to a wild address", saved, text(im, made), im.At(made), read, text(im, at), im.At(at))
	}
	return examined("%d callsites: LR in x%d", len(t.Addrs), saved)
}, Sites)

// readsParent finds the register that the entry code passes as parent_ip: the
// last MOV X1, Xn before it calls the callback.
func readsParent(im *elfscan.Image, pc uint64) (reg int, at uint64, ok bool) {
	for range maxEntryWords {
		w, mapped := im.Word(pc)
		if !mapped {
			return 0, 0, false
		}
		if rd, rm, mov := a64.IsMOV(w); mov && rd == 1 && rm != a64.XZR {
			reg, at, ok = rm, pc, true
		}
		switch kind := a64.Classify(w); kind {
		case a64.Call, a64.BLR, a64.Ret, a64.BR:
			return reg, at, ok
		case a64.Branch:
			pc, _ = a64.Target(w, pc)
			continue
		}
		pc += a64.Size
	}
	return 0, 0, false
}

// makesMove finds which MOV Xn, LR the function makes: the register number
// that it passes to aarch64_insn_gen_move_reg(dst, LR, 64 bits).
func makesMove(im *elfscan.Image, fn elfscan.Symbol) (reg int, at uint64, ok bool) {
	gen, ok := im.Addr("aarch64_insn_gen_move_reg")
	if !ok || fn.Size > 4096 {
		return 0, 0, false
	}
	var imm [3]int // what MOV Wn, #imm left in w0..w2
	var set [3]uint64
	for pc := fn.Addr; pc < fn.End(); pc += a64.Size {
		w, _ := im.Word(pc)
		if w&0xffe00000 == 0x52800000 && a64.Rd(w) < 3 { // MOVZ Wd, #imm16
			imm[a64.Rd(w)], set[a64.Rd(w)] = int(w>>5&0xffff), pc
		}
		if target, _ := a64.Target(w, pc); a64.Classify(w) == a64.Call {
			if target == gen && set[0] != 0 && set[1] != 0 && imm[1] == a64.LR && imm[0] < a64.LR {
				return imm[0], set[0], true
			}
			set = [3]uint64{}
		}
	}
	return 0, 0, false
}
