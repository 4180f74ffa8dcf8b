package patching

import (
	"math/rand/v2"

	"github.com/ftlint/ftlint/a64"
)

// makersOfJIT are the makers that the BPF JIT uses and ftrace does not.
var makersOfJIT = []maker{
	{name: "aarch64_insn_gen_comp_branch_imm", cases: func(c *cases) {
		for _, wide := range both {
			for typ := uint64(branchZero); typ <= branchNZero; typ++ {
				compare := func(pc, target, reg uint64) {
					w, ok := a64.EncodeCompare(pc, target, reg, wide, typ == branchNZero)
					c.try(w, ok && pc%a64.Size == 0, pc, target, reg, variant(wide), typ)
				}
				for _, d := range c.offsets(19, 4) {
					compare(pcOf, far(d), 21)
				}
				for _, r := range c.regs() {
					compare(pcOf, far(64), r)
				}
				c.badPCs(func(pc, target uint64) { compare(pc, target, 21) })
			}
		}
		c.try(0, false, pcOf, pcOf, 21, 0, branchLink)
		c.try(0, false, pcOf, pcOf, 21, 2, branchZero)
	}},
	{name: "aarch64_insn_gen_cond_branch_imm", cases: func(c *cases) {
		// Old kernels have no check of the range here: the JIT has one of its own.
		for cond := range uint64(15) {
			for _, d := range c.offsets(19, 4) {
				if w, ok := a64.EncodeCond(pcOf, far(d), cond); ok {
					c.try(w, true, pcOf, far(d), cond)
				}
			}
		}
		c.try(0, false, pcOf, pcOf, 15)
	}},
	{name: "aarch64_insn_gen_load_store_reg", typed: true, cases: func(c *cases) {
		for op, name := range []string{a64.Store: "LDST_STORE_REG_OFFSET", a64.Load: "LDST_LOAD_REG_OFFSET", a64.LoadSigned: "LDST_SIGNED_LOAD_REG_OFFSET"} {
			op := a64.Access(op)
			typ, ok := c.optional(name, op == a64.LoadSigned)
			c.free = 0
			if op == a64.LoadSigned {
				c.free = 1 << 15 // LSL or SXTX: all the same for an offset of 64 bits
			}
			for size := uint64(0); size < sizesOf(op) && ok; size++ {
				for _, r := range c.regs() {
					for _, args := range [][3]uint64{{r, 10, 21}, {10, r, 21}, {10, 21, r}} {
						w, ok := a64.EncodeAccessReg(op, size, args[0], args[1], args[2])
						c.try(w, ok, args[0], args[1], args[2], size, typ)
					}
				}
			}
			if c.free = 0; ok {
				c.try(0, false, 1, 2, 3, 4, typ)
			}
		}
	}},
	{name: "aarch64_insn_gen_load_store_imm", typed: true, cases: func(c *cases) {
		for op, name := range []string{a64.Store: "LDST_STORE_IMM_OFFSET", a64.Load: "LDST_LOAD_IMM_OFFSET", a64.LoadSigned: "LDST_SIGNED_LOAD_IMM_OFFSET"} {
			op := a64.Access(op)
			typ, ok := c.optional(name, op == a64.LoadSigned)
			for size := uint64(0); size < sizesOf(op) && ok; size++ {
				access := func(reg, base, imm uint64) {
					w, ok := a64.EncodeAccessImm(op, size, reg, base, imm)
					c.try(w, ok, reg, base, imm, size, typ)
				}
				for _, imm := range c.bits(12) {
					access(10, 21, imm<<size)
				}
				for _, imm := range []uint64{1, 2, 4, 1 << (12 + size), 0xffff_ffff, 1 << 31} {
					access(10, 21, imm)
				}
				for _, r := range c.regs() {
					access(r, 21, 0)
					access(10, r, 0)
				}
			}
		}
	}},
	{name: "aarch64_insn_gen_load_literal", cases: func(c *cases) {
		for _, wide := range both {
			load := func(pc, target, reg uint64) {
				w, ok := a64.EncodeLoadLiteral(pc, target, reg, wide)
				c.try(w, ok && pc%a64.Size == 0, pc, target, reg, variant(wide))
			}
			for _, d := range c.offsets(19, 4) {
				load(pcOf, far(d), 21)
			}
			for _, r := range c.regs() {
				load(pcOf, far(64), r)
			}
			c.badPCs(func(pc, target uint64) { load(pc, target, 21) })
		}
	}},
	{name: "aarch64_insn_gen_load_store_pair", typed: true, cases: func(c *cases) {
		for _, load := range both {
			for _, pre := range both {
				typ, ok := c.value(pairName(load, pre))
				for _, wide := range both {
					if !ok {
						continue
					}
					step := int64(4)
					if wide {
						step = 8
					}
					pair := func(reg1, reg2, base uint64, d int64) {
						w, ok := a64.EncodePair(load, pre, wide, reg1, reg2, base, d)
						c.try(w, ok, reg1, reg2, base, uint64(uint32(d)), variant(wide), typ)
					}
					for _, d := range append(c.offsets(7, step), 1, 2, 4, -1, -2, -4) {
						pair(10, 21, 31, d)
					}
					for _, r := range c.regs() {
						pair(r, 21, 31, 16)
						pair(10, r, 31, 16)
						pair(10, 21, r, 16)
					}
				}
			}
		}
	}},
	{name: "aarch64_insn_gen_load_acq_store_rel", typed: true, cases: func(c *cases) {
		for i, name := range []string{"LDST_STORE_REL", "LDST_LOAD_ACQ"} {
			load := i == 1
			typ, known := c.value(name)
			for size := uint64(0); size < 4 && known; size++ {
				for _, r := range c.regs() {
					for _, args := range [][2]uint64{{r, 21}, {10, r}} {
						w, ok := a64.EncodeOrdered(load, size, args[0], args[1])
						c.try(w, ok, args[0], args[1], size, typ)
					}
				}
			}
		}
	}},
	{name: "aarch64_insn_gen_load_store_ex", typed: true, cases: func(c *cases) {
		for _, x := range []struct {
			name          string
			load, ordered bool
		}{
			{"LDST_LOAD_EX", true, false}, {"LDST_LOAD_ACQ_EX", true, true}, {"LDST_STORE_EX", false, false}, {"LDST_STORE_REL_EX", false, true},
		} {
			typ, known := c.optional(x.name, x.ordered)
			for size := uint64(0); size < 4 && known; size++ {
				for _, r := range c.regs() {
					for _, args := range [][3]uint64{{r, 21, 9}, {10, r, 9}, {10, 21, r}} {
						w, ok := a64.EncodeExclusive(x.load, x.ordered, size, args[0], args[1], args[2])
						c.try(w, ok, args[0], args[1], args[2], size, typ)
					}
				}
			}
		}
	}},
	{name: "aarch64_insn_gen_ldadd", cases: func(c *cases) { // until 5.18
		for size := uint64(2); size < 4; size++ {
			for _, r := range c.regs() {
				for _, args := range [][3]uint64{{r, 21, 9}, {10, r, 9}, {10, 21, r}} {
					w, ok := a64.EncodeAtomic(a64.LDADD, false, false, size, args[0], args[1], args[2])
					c.try(w, ok, args[0], args[1], args[2], size)
				}
			}
		}
		c.try(0, false, 1, 2, 3, 1)
	}},
	{name: "aarch64_insn_gen_stadd", cases: func(c *cases) { // until 5.18
		for size := uint64(2); size < 4; size++ {
			for _, r := range c.regs() {
				for _, args := range [][2]uint64{{r, 9}, {21, r}} {
					w, ok := a64.EncodeAtomic(a64.LDADD, false, false, size, a64.XZR, args[0], args[1])
					c.try(w, ok, args[0], args[1], size)
				}
			}
		}
	}},
	{name: "aarch64_insn_gen_atomic_ld_op", cases: func(c *cases) {
		for op, atomic := range []a64.AtomicOp{a64.LDADD, a64.LDCLR, a64.LDEOR, a64.LDSET, a64.SWP} { // enum aarch64_insn_mem_atomic_op
			for order := range uint64(4) {
				for size := uint64(2); size < 4; size++ {
					for _, r := range c.regs() {
						for _, args := range [][3]uint64{{r, 21, 9}, {10, r, 9}, {10, 21, r}} {
							w, ok := a64.EncodeAtomic(atomic, order&1 != 0, order&2 != 0, size, args[0], args[1], args[2])
							c.try(w, ok, args[0], args[1], args[2], size, uint64(op), order)
						}
					}
				}
			}
		}
		c.try(0, false, 1, 2, 3, 1, 0, 0)
		c.try(0, false, 1, 2, 3, 3, 5, 0)
		c.try(0, false, 1, 2, 3, 3, 0, 4)
	}},
	{name: "aarch64_insn_gen_cas", cases: func(c *cases) {
		for order := range uint64(4) { // enum aarch64_insn_mem_order_type: acquire is bit 0, release bit 1
			for size := uint64(2); size < 4; size++ {
				for _, r := range c.regs() {
					for _, args := range [][3]uint64{{r, 21, 9}, {10, r, 9}, {10, 21, r}} {
						w, ok := a64.EncodeCAS(order&1 != 0, order&2 != 0, size, args[0], args[1], args[2])
						c.try(w, ok, args[0], args[1], args[2], size, order)
					}
				}
			}
		}
		c.try(0, false, 1, 2, 3, 1, 0)
		c.try(0, false, 1, 2, 3, 3, 4)
	}},
	{name: "aarch64_insn_gen_bitfield", cases: func(c *cases) {
		for typ, op := range []a64.BitfieldOp{a64.BFM, a64.UBFM, a64.SBFM} { // enum aarch64_insn_bitfield_type
			for _, wide := range both {
				move := func(dst, src, immr, imms uint64) {
					w, ok := a64.EncodeBitfield(op, wide, dst, src, immr, imms)
					c.try(w, ok, dst, src, immr, imms, variant(wide), uint64(typ))
				}
				for _, i := range c.upTo(65) {
					move(10, 21, i, 7)
					move(10, 21, 7, i)
				}
				for _, r := range c.regs() {
					move(r, 21, 3, 7)
					move(10, r, 3, 7)
				}
			}
		}
		c.try(0, false, 1, 2, 3, 4, 2, 0)
		c.try(0, false, 1, 2, 3, 4, 1, 3)
	}},
	{name: "aarch64_insn_gen_movewide", cases: func(c *cases) {
		for typ, op := range []a64.MoveOp{a64.MOVZ, a64.MOVK, a64.MOVN} { // enum aarch64_insn_movewide_type
			for _, wide := range both {
				move := func(dst, imm, shift uint64) {
					w, ok := a64.EncodeMove(op, wide, dst, imm, shift)
					c.try(w, ok, dst, imm, shift, variant(wide), uint64(typ))
				}
				for _, imm := range append(c.bits(16), 1<<16, 0xffff_ffff) {
					move(10, imm, 16)
				}
				for _, shift := range []uint64{0, 1, 8, 16, 24, 32, 48, 64, 0xffff_fff0} {
					move(10, 0xabcd, shift)
				}
				for _, r := range c.regs() {
					move(r, 0xabcd, 0)
				}
			}
		}
		c.try(0, false, 1, 2, 0, 2, 0)
		c.try(0, false, 1, 2, 0, 1, 3)
	}},
	{name: "aarch64_insn_gen_add_sub_shifted_reg", cases: func(c *cases) {
		for typ, op := range arithOps {
			for _, wide := range both {
				arith := func(dst, src, reg, shift uint64) {
					w, ok := a64.EncodeArithReg(op, wide, dst, src, reg, shift)
					c.try(w, ok, dst, src, reg, shift, variant(wide), uint64(typ))
				}
				for _, shift := range append(c.bits(6), 31, 32, 64, 0xffff_ffff) {
					arith(10, 21, 9, shift)
				}
				for _, r := range c.regs() {
					arith(r, 21, 9, 3)
					arith(10, r, 9, 3)
					arith(10, 21, r, 3)
				}
			}
		}
	}},
	{name: "aarch64_insn_gen_data1", cases: func(c *cases) {
		for typ, size := range []uint64{16, 32, 64} { // enum aarch64_insn_data1_type
			for _, wide := range both {
				for _, r := range c.regs() {
					for _, args := range [][2]uint64{{r, 21}, {10, r}} {
						w, ok := a64.EncodeReverse(size, wide, args[0], args[1])
						c.try(w, ok, args[0], args[1], variant(wide), uint64(typ))
					}
				}
			}
		}
		c.try(0, false, 1, 2, 1, 3)
	}},
	{name: "aarch64_insn_gen_data2", cases: func(c *cases) {
		for typ, op := range []a64.TwoOp{a64.UDIV, a64.SDIV, a64.LSLV, a64.LSRV, a64.ASRV, a64.RORV} { // enum aarch64_insn_data2_type
			for _, wide := range both {
				for _, r := range c.regs() {
					for _, args := range [][3]uint64{{r, 21, 9}, {10, r, 9}, {10, 21, r}} {
						w, ok := a64.EncodeTwo(op, wide, args[0], args[1], args[2])
						c.try(w, ok, args[0], args[1], args[2], variant(wide), uint64(typ))
					}
				}
			}
		}
		c.try(0, false, 1, 2, 3, 1, 6)
	}},
	{name: "aarch64_insn_gen_data3", cases: func(c *cases) {
		for typ := range uint64(2) { // MADD, MSUB
			for _, wide := range both {
				for _, r := range c.regs() {
					for _, args := range [][4]uint64{{r, 21, 9, 30}, {10, r, 9, 30}, {10, 21, r, 30}, {10, 21, 9, r}} {
						w, ok := a64.EncodeMultiply(typ == 1, wide, args[0], args[1], args[2], args[3])
						c.try(w, ok, args[0], args[1], args[2], args[3], variant(wide), typ)
					}
				}
			}
		}
	}},
	{name: "aarch64_insn_gen_logical_immediate", cases: func(c *cases) {
		// enum aarch64_insn_logic_type is in the order of the encodings.
		logic := func(typ uint64, wide bool, src, dst, imm uint64) {
			w, ok := a64.EncodeLogicImm(a64.LogicOp(typ), wide, dst, src, imm)
			c.try(w, ok, typ, variant(wide), src, dst, imm)
		}
		for typ := uint64(0); typ < 8; typ += 2 { // AND, ORR, EOR, ANDS
			for _, wide := range both {
				for _, r := range c.regs() {
					logic(typ, wide, r, 21, 0xff0)
					logic(typ, wide, 10, r, 0xff0)
				}
			}
		}
		for _, imm := range c.logicImmediates() {
			logic(0, false, 10, 21, uint64(imm))
			logic(0, true, 10, 21, uint64(int64(int32(imm)))) // the JIT's are sign-extended from 32 bits
		}
		logic(0, false, 10, 21, 1<<32)
		c.try(0, false, 1, 1, 10, 21, 0xff0)
	}},
	{name: "aarch64_insn_gen_extr", cases: func(c *cases) {
		for _, wide := range both {
			for _, i := range c.upTo(65) {
				w, ok := a64.EncodeExtr(wide, 10, 21, 9, i)
				c.try(w, ok, variant(wide), 9, 21, 10, i)
			}
			for _, r := range c.regs() {
				for _, args := range [][3]uint64{{r, 21, 9}, {10, r, 9}, {10, 21, r}} {
					w, ok := a64.EncodeExtr(wide, args[0], args[1], args[2], 5)
					c.try(w, ok, variant(wide), args[2], args[1], args[0], 5)
				}
			}
		}
	}},
	{name: "aarch64_insn_gen_dmb", cases: func(c *cases) { barriers(c, false) }},
	{name: "aarch64_insn_gen_dsb", cases: func(c *cases) { barriers(c, true) }},
	{name: "aarch64_insn_gen_mrs", cases: func(c *cases) {
		for _, r := range c.regs() {
			for _, reg := range []uint64{0x4684, 0x6682, 0x4208} { // TPIDR_EL1, TPIDR_EL2, SP_EL0
				w, ok := a64.EncodeMRS(r, reg)
				c.try(w, ok, r, reg)
			}
		}
	}},
	{name: "aarch64_get_branch_offset", takes: true, cases: func(c *cases) {
		for _, b := range branchWords {
			for _, d := range c.offsets(b.bits, 4) {
				if w, err := a64.Relocate(b.word, 0, uint64(d)); err == nil {
					c.try(uint32(d), true, uint64(w))
				}
			}
		}
	}},
	{name: "aarch64_set_branch_offset", cases: func(c *cases) {
		for _, b := range branchWords {
			for _, d := range c.offsets(b.bits, 4) {
				if w, err := a64.Relocate(b.word, 0, uint64(d)); err == nil {
					c.try(w, true, uint64(b.word), uint64(uint32(d)))
				}
			}
		}
	}},
}

// branchWords are branches, with the size of the field of their distance in bits.
var branchWords = []struct {
	word uint32
	bits uint
}{
	{0x14000000, 26}, {0x94000000, 26}, {0x54000001, 19}, {0x35000015, 19}, {0xb4000015, 19}, {0x36280015, 14}, {0xb7f80015, 14},
}

// optional is value of an enumerator that not every kernel has: without it there
// is nothing to execute.
func (c *cases) optional(name string, optional bool) (v uint64, ok bool) {
	if optional {
		return c.enum(name)
	}
	return c.value(name)
}

// sizesOf is the number of sizes that an access can have: a signed load of 64
// bits is none.
func sizesOf(op a64.Access) uint64 {
	if op == a64.LoadSigned {
		return 3
	}
	return 4
}

func pairName(load, pre bool) string {
	name := "LDST_STORE_PAIR_"
	if load {
		name = "LDST_LOAD_PAIR_"
	}
	if pre {
		return name + "PRE_INDEX"
	}
	return name + "POST_INDEX"
}

// barriers are the cases of DMB and DSB, by enum aarch64_insn_mb_type.
func barriers(c *cases, sync bool) {
	for typ, crm := range []uint64{0xf, 0xe, 0xd, 0xb, 0xa, 0x9, 0x7, 0x6, 0x5} {
		w, ok := a64.EncodeBarrier(sync, crm)
		c.try(w, ok, uint64(typ))
	}
}

// logicImmediates are 32-bit numbers of which some are bitmask immediates: every
// run of ones, rotated, in elements of every size, each also with one bit
// flipped, and some numbers at random.
func (c *cases) logicImmediates() (list []uint32) {
	if c.amount == few {
		return []uint32{0, ^uint32(0), 1, 0xff0, 0xc000_0003, 0x5555_5555, 0x0ff1_0ff1, 0x1234_5678}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for size := 2; size <= 32; size *= 2 {
		for ones := 1; ones < size; ones++ {
			for rot := range size {
				run := uint64(1)<<ones - 1
				element := (run>>rot | run<<(size-rot)) & (1<<size - 1)
				var v uint64
				for at := 0; at < 32; at += size {
					v |= element << at
				}
				list = append(list, uint32(v))
				if rot%8 == 0 {
					list = append(list, uint32(v)^1<<r.UintN(32))
				}
			}
		}
	}
	return append(list, 0, ^uint32(0), r.Uint32(), r.Uint32())
}
