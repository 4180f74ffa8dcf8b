package patching

import (
	"github.com/ftlint/ftlint/a64"
)

// makers are the functions of arch/arm64/lib/insn.c (before 5.18
// arch/arm64/kernel/insn.c) that ftrace and the BPF JIT use. Where the value of
// an enumerator differs between kernels it is read from the kernel's types; the
// numbers here are the same in all.
var makers = append([]maker{
	{name: "aarch64_insn_gen_branch_imm", ftrace: true, cases: func(c *cases) {
		branch := func(pc, target, typ uint64) {
			encode := a64.EncodeB
			if typ == branchLink {
				encode = a64.EncodeBL
			}
			w, err := encode(pc, target)
			c.try(w, err == nil && pc%a64.Size == 0 && typ <= branchLink, pc, target, typ)
		}
		for _, d := range c.offsets(26, 4) {
			branch(pcOf, far(d), branchLink)
			if c.amount == many || d == 0 || d&0x3ff_ffff == 4 || d >= 128<<20-4 || d < -128<<20 {
				branch(pcOf, far(d), branchNolink)
			}
		}
		for _, d := range []int64{1 << 31, -1 << 31, 1 << 32, -1 << 32, 1<<32 + 64, 1 << 47} {
			branch(pcOf, far(d), branchLink)
		}
		c.badPCs(func(pc, target uint64) { branch(pc, target, branchLink) })
		branch(pcOf, pcOf+64, branchReturn)
		branch(pcOf, pcOf+64, branchNone)
	}},
	{name: "aarch64_insn_gen_nop", ftrace: true, cases: func(c *cases) { c.try(a64.NOP, true) }},
	{name: "aarch64_insn_gen_hint", ftrace: true, cases: func(c *cases) {
		for _, imm := range c.bits(7) {
			w, ok := a64.EncodeHint(imm)
			c.try(w, ok, imm<<5) // enum aarch64_insn_hint_cr_op is in place
		}
	}},
	{name: "aarch64_insn_gen_move_reg", ftrace: true, cases: func(c *cases) {
		move := func(dst, src uint64, wide bool) {
			w, ok := a64.EncodeLogicReg(a64.ORR, wide, dst, a64.XZR, src, 0)
			c.try(w, ok, dst, src, variant(wide))
		}
		for _, r := range c.regs() {
			move(r, a64.LR, true)
			move(9, r, true)
			move(r, 21, false)
		}
		c.try(0, false, 9, a64.LR, 2)
	}},
	{name: "aarch64_insn_gen_branch_reg", ftrace: true, cases: func(c *cases) {
		for typ, kind := range []a64.Kind{branchNolink: a64.BR, branchLink: a64.BLR, branchReturn: a64.Ret} {
			for _, r := range c.regs() {
				w, ok := a64.EncodeBranchReg(kind, r)
				c.try(w, ok, r, uint64(typ))
			}
		}
		for typ := uint64(branchZero); typ <= branchNone; typ++ {
			c.try(0, false, 16, typ)
		}
	}},
	{name: "aarch64_insn_gen_adr", ftrace: true, cases: func(c *cases) {
		adr := func(pc, target, reg uint64, page bool) {
			typ := uint64(adrpType)
			if !page {
				typ = adrType
			}
			w, ok := a64.EncodeAdr(pc, target, reg, page)
			c.try(w, ok, pc, target, reg, typ)
		}
		for _, d := range c.offsets(21, 4096) { // not beyond 2^43 bytes, where a kernel's s32 wraps
			adr(pcOf, far(d), 16, true)
			if d&0xfff_ffff == 0x1000 || c.amount == many {
				adr(pcOf&^0xfff|0xffc, pcOf&^0xfff+uint64(d)+0xfff, 16, true)
				adr(pcOf&^0xfff|0xffc, pcOf&^0xfff+uint64(d), 16, true) // a page away, and fewer bytes
			}
		}
		for _, d := range c.offsets(21, 1) {
			adr(pcOf, far(d), 16, false)
		}
		for _, r := range c.regs() {
			adr(pcOf, far(0x12345), r, true)
			adr(pcOf, far(-0x1235), r, false)
		}
		c.try(0, false, pcOf, pcOf, 16, 2)
		c.try(0, false, 0x10_0000_0100, 0x10_0000_0100, 16, 2) // in reach, even if cut to 32 bits
	}},
	{name: "aarch64_insn_gen_add_sub_imm", ftrace: true, cases: func(c *cases) {
		arith := func(op uint64, wide bool, dst, src, imm uint64) {
			w, ok := a64.EncodeArithImm(arithOps[op], wide, dst, src, imm)
			c.try(w, ok, dst, src, imm, variant(wide), op)
		}
		for op := range arithOps {
			for _, wide := range both {
				arith(uint64(op), wide, 16, 21, 0xabc)
				arith(uint64(op), wide, 21, 16, 0xabc000)
			}
		}
		for _, imm := range c.bits(24) {
			arith(0, true, 16, 16, imm)
		}
		for _, imm := range []uint64{0xfff, 0x1000, 0x1001, 0xfff000, 0xfff001, 1 << 24, 1 << 31, 0xffff_ffff, 0xffff_f000} {
			arith(0, true, 16, 16, imm)
		}
		for _, r := range c.regs() {
			arith(0, true, r, 16, 8)
			arith(0, true, 16, r, 8)
		}
		c.try(0, false, 16, 16, 8, 2, 0)
		c.try(0, false, 16, 16, 8, 1, 4)
	}},
	{name: "aarch64_insn_gen_logical_shifted_reg", ftrace: true, cases: func(c *cases) {
		logic := func(op uint64, wide bool, dst, src, reg, shift uint64) {
			w, ok := a64.EncodeLogicReg(a64.LogicOp(op), wide, dst, src, reg, shift)
			c.try(w, ok, dst, src, reg, shift, variant(wide), op)
		}
		for op := range uint64(8) { // enum aarch64_insn_logic_type is in the order of the encodings
			for _, wide := range both {
				logic(op, wide, 10, 21, 9, 5)
			}
		}
		for _, shift := range append(c.bits(6), 31, 32, 64, 0xffff_ffff) {
			logic(2, true, 9, 31, 30, shift)
			logic(2, false, 9, 31, 30, shift)
		}
		for _, wide := range both { // a register that does not exist, beside ones whose bits are those of the word
			logic(0, wide, 32, 0, 0, 0)
			logic(2, wide, 0, 32, 0, 0)
			logic(7, wide, 31, 31, 32, 0)
		}
		for _, r := range c.regs() {
			logic(2, true, r, 31, 30, 0)
			logic(2, true, 9, r, 30, 0)
			logic(2, true, 9, 31, r, 0)
		}
		c.try(0, false, 9, 31, 30, 0, 2, 2)
		c.try(0, false, 9, 31, 30, 0, 1, 8)
	}},
	{name: "aarch64_insn_encode_immediate", ftrace: true, cases: func(c *cases) {
		for typ, f := range immediates {
			for _, word := range []uint32{0, 0xffff_ffff, 0x1400_0000} {
				for _, imm := range append(c.bits(f.bits), 1<<f.bits, ^uint64(0), 1<<40) {
					if c.amount != many && word == 0x1400_0000 && imm > 3 {
						continue
					}
					c.try(f.put(word, imm), true, uint64(typ), uint64(word), imm)
				}
			}
		}
		c.try(0, false, 1, a64.BreakFault, 4)
		c.try(0, false, uint64(len(immediates)), 0, 4)
	}},
	{name: "aarch64_insn_decode_immediate", takes: true, ftrace: true, cases: func(c *cases) {
		for typ, f := range immediates {
			for _, imm := range c.bits(f.bits) {
				c.try(uint32(imm), true, uint64(typ), uint64(f.put(0, imm)))
			}
			c.try(0, true, uint64(typ), uint64(f.put(0xffff_ffff, 0)))
		}
		for _, word := range []uint64{0xffff_ffff, 0x1234_5678, 0xf0ff_fff0} {
			c.try(0, true, uint64(len(immediates)), word)
			c.try(0, true, 99, word)
		}
	}},
	{name: "aarch64_insn_decode_register", takes: true, ftrace: true, cases: func(c *cases) {
		for typ, lo := range []uint{0, 5, 10, 16, 0, 10} { // Rt, Rn, Rt2, Rm, Rd, Ra
			for _, r := range c.bits(5) {
				c.try(uint32(r), true, uint64(typ), r<<lo)
			}
			c.try(0, true, uint64(typ), 0xffff_ffff&^(31<<lo))
		}
	}},
	{name: "aarch64_insn_adrp_get_offset", takes: true, ftrace: true, cases: func(c *cases) {
		// It returns bytes as an s32: pages beyond that are not its domain.
		for _, d := range c.offsets(20, 4096) {
			if w, ok := a64.EncodeAdr(0, uint64(d), 16, true); ok && int64(int32(d)) == d {
				c.try(uint32(d), true, uint64(w))
			}
		}
	}},
	{name: "aarch64_insn_adrp_set_offset", ftrace: true, cases: func(c *cases) {
		for _, d := range c.offsets(20, 4096) {
			if w, ok := a64.EncodeAdr(0, uint64(d), 16, true); ok && int64(int32(d)) == d {
				c.try(w, true, 0x9000_0010, uint64(uint32(d)))
				c.try(w, true, 0xf0ff_fff0, uint64(uint32(d)))
			}
		}
	}},
}, makersOfJIT...)

// Values of enum aarch64_insn_branch_type and enum aarch64_insn_adr_type.
const (
	branchNolink = 0
	branchLink   = 1
	branchReturn = 2
	branchZero   = 3
	branchNZero  = 4
	branchNone   = 5 // no such type

	adrpType = 0
	adrType  = 1
)

// arithOps are the values of enum aarch64_insn_adsb_type.
var arithOps = []a64.ArithOp{a64.ADD, a64.SUB, a64.ADDS, a64.SUBS}

// A field is where an immediate is in a word. split is for ADR and ADRP, whose
// two lowest bits are at bit 29.
type field struct {
	bits, lo uint
	split    bool
}

// immediates are the fields by enum aarch64_insn_imm_type: those of ADR; of 26,
// 19, 16, 14, 12, 9, 7 and 6 bits; imms, immr and N.
var immediates = []field{
	{21, 5, true}, {26, 0, false}, {19, 5, false}, {16, 5, false}, {14, 5, false}, {12, 10, false},
	{9, 12, false}, {7, 15, false}, {6, 10, false}, {6, 10, false}, {6, 16, false}, {1, 22, false},
}

// put is word with imm in the field.
func (f field) put(word uint32, imm uint64) uint32 {
	if f.split {
		low, high := field{bits: 2, lo: 29}, field{bits: 19, lo: 5}
		return high.put(low.put(word, imm), imm>>2)
	}
	mask := uint32(1)<<f.bits - 1
	return word&^(mask<<f.lo) | uint32(imm)&mask<<f.lo
}
