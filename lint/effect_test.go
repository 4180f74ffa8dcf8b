package lint_test

import (
	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/internal/mutants"
)

// regSet is a set of registers: bits 0-30 are X0-X30.
type regSet uint64

const (
	setSP regSet = 1 << (31 + iota)
	setN
	setZ
	setC
	setV
	setFlags = setN | setZ | setC | setV
)

// condition is the flags that a condition looks at (DDI 0487, C1.2.4).
func condition(cond uint32) regSet {
	return [8]regSet{setZ, setC, setN, setV, setC | setZ, setN | setV, setZ | setN | setV, 0}[cond>>1&7]
}

func regs(list ...uint32) (s regSet) {
	for _, r := range list {
		if r < 31 {
			s |= 1 << r
		}
	}
	return s
}

func span(from, to uint32) (s regSet) {
	for r := from; r <= to; r++ {
		s |= 1 << r
	}
	return s
}

// An insn is what an instruction reads and writes.
type insn struct {
	known       bool
	def, use    regSet
	load, store bool
	base        uint32 // of the address of a load or store
	off, size   int64  // of the access, in bytes, if regOff is false
	regOff      bool
	writeback   int64 // added to the base
}

// effects are the effects of instructions, by class.
var effects = map[mutants.Class]func(w uint32) insn{
	mutants.Move: effectMove, mutants.Address: effectRd, mutants.AddImm: effectAddImm, mutants.LogImm: effectLogImm, mutants.Bitfield: effectBitfield,
	mutants.Reg: effectReg, mutants.Reg1: effectReg1, mutants.Ext: effectExt, mutants.CCmp: effectCCmp, mutants.CSel: effectCSel,
	mutants.Branch: effectBranch, mutants.BCond: effectBCond, mutants.Test: effectTest, mutants.BRn: effectBRn,
	mutants.Pair: effectPair, mutants.Load: effectLoad,
}

func sp(r uint32) regSet {
	if r == 31 {
		return setSP
	}
	return 1 << r
}

func flagsIf(b bool) regSet {
	if b {
		return setFlags
	}
	return 0
}

func effectRd(w uint32) insn { return insn{known: true, def: regs(w & 31)} }

func effectMove(w uint32) insn {
	i := effectRd(w)
	if w>>29&3 == 3 {
		i.use = i.def // MOVK
	}
	return i
}

func effectAddImm(w uint32) insn {
	s := w>>29&1 == 1
	i := insn{known: true, def: sp(w & 31), use: sp(w >> 5 & 31)}
	if s {
		i.def = regs(w&31) | setFlags
	}
	return i
}

func effectLogImm(w uint32) insn {
	i := insn{known: true, def: sp(w & 31), use: regs(w >> 5 & 31)}
	if w>>29&3 == 3 {
		i.def = regs(w&31) | setFlags
	}
	return i
}

func effectBitfield(w uint32) insn {
	i := insn{known: true, def: regs(w & 31), use: regs(w >> 5 & 31)}
	if w>>29&3 == 1 {
		i.use |= i.def // BFM
	}
	return i
}

func effectReg(w uint32) insn {
	logic := w&0x1f000000 == 0x0a000000
	s := logic && w>>29&3 == 3 || w&0x1f000000 == 0x0b000000 && w>>29&1 == 1
	return insn{known: true, def: regs(w&31) | flagsIf(s), use: regs(w>>5&31, w>>16&31)}
}

func effectReg1(w uint32) insn {
	return insn{known: true, def: regs(w & 31), use: regs(w >> 5 & 31)}
}

func effectExt(w uint32) insn {
	i := effectAddImm(w)
	i.use |= regs(w >> 16 & 31)
	return i
}

func effectCCmp(w uint32) insn {
	i := insn{known: true, def: setFlags, use: condition(w>>12) | regs(w>>5&31)}
	if w>>11&1 == 0 {
		i.use |= regs(w >> 16 & 31)
	}
	return i
}

func effectCSel(w uint32) insn {
	return insn{known: true, def: regs(w & 31), use: regs(w>>5&31, w>>16&31) | condition(w>>12)}
}

func effectBranch(uint32) insn  { return insn{known: true} }
func effectBCond(w uint32) insn { return insn{known: true, use: condition(w)} }
func effectTest(w uint32) insn  { return insn{known: true, use: regs(w & 31)} }
func effectBRn(w uint32) insn   { return insn{known: true, use: regs(w >> 5 & 31)} }

func signExtend(v uint32, bits uint) int64 { return int64(v) << (64 - bits) >> (64 - bits) }

func effectPair(w uint32) insn {
	size := int64(4) << (w >> 31)
	off := signExtend(w>>15&0x7f, 7) * size
	i := insn{known: true, base: w >> 5 & 31, use: sp(w >> 5 & 31), off: off, size: 2 * size}
	if w>>22&1 == 1 {
		i.load, i.def = true, regs(w&31, w>>10&31)
	} else {
		i.store, i.use = true, i.use|regs(w&31, w>>10&31)
	}
	switch w >> 23 & 3 {
	case 1: // post-indexed
		i.off, i.writeback = 0, off
		i.def |= sp(i.base)
	case 3:
		i.writeback = off
		i.def |= sp(i.base)
	}
	return i
}

func effectLoad(w uint32) insn {
	size := int64(1) << (w >> 30)
	i := insn{known: true, base: w >> 5 & 31, use: sp(w >> 5 & 31), size: size}
	if w>>22&3 != 0 {
		i.load, i.def = true, regs(w&31)
	} else {
		i.store, i.use = true, i.use|regs(w&31)
	}
	switch {
	case w>>24&1 == 1:
		i.off = int64(w>>10&0xfff) * size
	case w>>21&1 == 1:
		i.regOff, i.use = true, i.use|regs(w>>16&31)
	default:
		i.off = signExtend(w>>12&0x1ff, 9)
		switch w >> 10 & 3 {
		case 1:
			i.off, i.writeback, i.def = 0, i.off, i.def|sp(i.base)
		case 3:
			i.writeback, i.def = i.off, i.def|sp(i.base)
		}
	}
	return i
}

// effect is what the instruction w reads and writes. Hints do nothing on a
// processor without the feature that they hint at.
func effect(w uint32) insn {
	switch a64.Classify(w) {
	case a64.Nop, a64.Hint, a64.Landing, a64.Break:
		return insn{known: true}
	}
	if of, ok := effects[mutants.ClassOf(w)]; ok {
		return of(w)
	}
	return insn{}
}
