package lint_test

import (
	"fmt"

	"github.com/ftlint/ftlint/a64"
)

// A mutant is code with one instruction changed, or two neighbours swapped.
type mutant struct {
	addr  uint64
	words []uint32 // what stands at addr: one word, or two
	how   string   // "drop", "Rn", "imm+1", ...
}

// A field is bits of an instruction word.
type field struct {
	name     string
	lo, bits uint
}

func (f field) of(w uint32) uint32 { return w >> f.lo & (1<<f.bits - 1) }
func (f field) with(w, v uint32) uint32 {
	m := uint32(1)<<f.bits - 1
	return w&^(m<<f.lo) | v&m<<f.lo
}

var (
	fieldRd = field{"Rd", 0, 5}
	fieldRn = field{"Rn", 5, 5}
	fieldRm = field{"Rm", 16, 5}
	fieldRa = field{"Rt2", 10, 5}
)

// An encoding is a class of instructions, the words w with w&mask == value,
// and what is worth changing in it (DDI 0487, C4.1).
type encoding struct {
	mask, value uint32
	regs        []field
	imms        []field  // changed by one unit up and down
	flips       []flip   // bits that make another operation of it
	effect      effectOf // see insn
}

type flip struct {
	name string
	bits uint32
}

var (
	addSub  = flip{"add/sub", 1 << 30}
	loadSt  = flip{"load/store", 1 << 22}
	wide    = flip{"size", 1 << 30}
	logical = flip{"and/orr", 1 << 29}
	imm12   = field{"imm", 10, 12}
	imm9    = field{"imm", 12, 9}
	imm7    = field{"imm", 15, 7}
	imm19   = field{"target", 5, 19}
	imm26   = field{"target", 0, 26}
	imms    = field{"imms", 10, 6}
	immr    = field{"immr", 16, 6}
)

// encodings are the instructions that the entry code and the site functions
// are made of. The first that fits counts.
var encodings = []encoding{
	{0x1f800000, 0x12800000, []field{fieldRd}, []field{{"imm", 5, 16}}, []flip{{"movz/movn", 1 << 30}, {"movz/movk", 1 << 29}}, effectMove},
	{0x9f000000, 0x10000000, []field{fieldRd}, []field{imm19, {"low bits", 29, 2}}, nil, effectRd},
	{0x9f000000, 0x90000000, []field{fieldRd}, []field{imm19, {"low bits", 29, 2}}, nil, effectRd},
	{0x1f800000, 0x11000000, []field{fieldRd, fieldRn}, []field{imm12}, []flip{addSub}, effectAddImm},
	{0x1f800000, 0x12000000, []field{fieldRd, fieldRn}, []field{imms, immr}, []flip{logical}, effectLogImm},
	{0x1f800000, 0x13000000, []field{fieldRd, fieldRn}, []field{imms, immr}, []flip{{"signed", 1 << 30}}, effectBitfield},
	{0x1f000000, 0x0a000000, []field{fieldRd, fieldRn, fieldRm}, []field{{"shift", 10, 6}}, []flip{logical, {"not", 1 << 21}}, effectReg},
	{0x1f200000, 0x0b000000, []field{fieldRd, fieldRn, fieldRm}, []field{{"shift", 10, 6}}, []flip{addSub}, effectReg},
	{0x1f200000, 0x0b200000, []field{fieldRd, fieldRn, fieldRm}, []field{{"shift", 10, 3}}, []flip{addSub}, effectExt},
	{0x1fe00800, 0x1a400000, []field{fieldRn, fieldRm}, []field{{"nzcv", 0, 4}}, []flip{{"condition", 1 << 12}}, effectCCmp},
	{0x1fe00800, 0x1a400800, []field{fieldRn}, []field{{"imm", 16, 5}, {"nzcv", 0, 4}}, []flip{{"condition", 1 << 12}}, effectCCmp},
	{0x1fe00000, 0x1a800000, []field{fieldRd, fieldRn, fieldRm}, nil, []flip{{"condition", 1 << 12}, {"not", 1 << 30}}, effectCSel},
	{0x5fe00000, 0x1ac00000, []field{fieldRd, fieldRn, fieldRm}, nil, nil, effectReg},
	{0x5fe00000, 0x5ac00000, []field{fieldRd, fieldRn}, nil, nil, effectReg1},

	{0xfc000000, 0x14000000, nil, []field{imm26}, []flip{{"b/bl", 1 << 31}}, effectBranch},
	{0xfc000000, 0x94000000, nil, []field{imm26}, []flip{{"b/bl", 1 << 31}}, effectBranch},
	{0xff000010, 0x54000000, nil, []field{imm19}, []flip{{"condition", 1}}, effectBCond},
	{0x7e000000, 0x34000000, []field{fieldRd}, []field{imm19}, []flip{{"condition", 1 << 24}}, effectTest},
	{0x7e000000, 0x36000000, []field{fieldRd}, []field{{"target", 5, 14}, {"bit", 19, 5}}, []flip{{"condition", 1 << 24}}, effectTest},
	{0xfffffc1f, 0xd61f0000, []field{fieldRn}, nil, []flip{{"br/blr", 1 << 21}}, effectBRn},
	{0xfffffc1f, 0xd63f0000, []field{fieldRn}, nil, []flip{{"br/blr", 1 << 21}}, effectBRn},
	{0xfffffc1f, 0xd65f0000, []field{fieldRn}, nil, []flip{{"ret/br", 1 << 22}}, effectBRn},
	{0xfff00000, 0xd5300000, []field{fieldRd}, []field{{"register", 5, 3}}, nil, effectRd},

	{0x3e000000, 0x28000000, []field{fieldRd, fieldRa, fieldRn}, []field{imm7}, []flip{loadSt, {"size", 1 << 31}}, effectPair},
	{0x3f000000, 0x39000000, []field{fieldRd, fieldRn}, []field{imm12}, []flip{loadSt, wide}, effectLoad},
	{0x3f200000, 0x38000000, []field{fieldRd, fieldRn}, []field{imm9}, []flip{loadSt, wide}, effectLoad},
	{0x3f200c00, 0x38200800, []field{fieldRd, fieldRn, fieldRm}, nil, []flip{loadSt, wide}, effectLoad},
}

func encodingOf(w uint32) *encoding {
	for i := range encodings {
		if w&encodings[i].mask == encodings[i].value {
			return &encodings[i]
		}
	}
	return nil
}

// mutants are the mutants of the word w at addr; next is the word behind it,
// if the code goes on there.
func mutants(addr uint64, w uint32, next uint32, hasNext bool) []mutant {
	var out []mutant
	seen := map[uint32]bool{w: true}
	add := func(m uint32, how string) {
		if !seen[m] {
			seen[m] = true
			out = append(out, mutant{addr, []uint32{m}, how})
		}
	}
	if w == a64.NOP {
		return nil // nothing to change: padding, or a slot
	}
	add(a64.NOP, "drop")
	if e := encodingOf(w); e != nil {
		for _, f := range e.regs {
			n := f.of(w) + 1
			if n > 31 {
				n = 30
			}
			add(f.with(w, n), f.name)
		}
		for _, f := range e.imms {
			add(f.with(w, f.of(w)+1), f.name+"+1")
			add(f.with(w, f.of(w)-1), f.name+"-1")
		}
		for _, f := range e.flips {
			add(w^f.bits, f.name)
		}
	}
	if hasNext && next != w {
		out = append(out, mutant{addr, []uint32{next, w}, "swap"})
	}
	return out
}

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

type effectOf func(w uint32) insn

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
	if e := encodingOf(w); e != nil {
		return e.effect(w)
	}
	return insn{}
}

func (m *mutant) String() string { return fmt.Sprintf("%#x %s %08x", m.addr, m.how, m.words) }
