package a64

import "math/bits"

// The functions here encode instructions of which ftrace and the BPF JIT make
// words (DDI 0487, C4.1 and C6.2). wide selects 64-bit registers. ok is false if
// there is no such instruction: an operand is out of range.

// BreakFault is the word of which the kernel's makers of instructions say that
// there is no instruction with these operands: BRK #0x100 (AARCH64_BREAK_FAULT).
const BreakFault = 0xd4202000

// regs reports whether all are numbers of registers.
func regs(numbers ...uint64) bool {
	for _, n := range numbers {
		if n > 31 {
			return false
		}
	}
	return true
}

func sf(wide bool) uint32 {
	if wide {
		return 1 << 31
	}
	return 0
}

// at is the n lowest bits of v, at bit lo of a word.
func at(v uint64, lo, n uint) uint32 { return uint32(v&(1<<n-1)) << lo }

// EncodeHint is HINT #imm.
func EncodeHint(imm uint64) (w uint32, ok bool) {
	return 0xd503201f | at(imm, 5, 7), imm < 128
}

// EncodeBranchReg is BR, BLR or RET.
func EncodeBranchReg(kind Kind, rn uint64) (w uint32, ok bool) {
	base := map[Kind]uint32{BR: 0xd61f0000, BLR: 0xd63f0000, Ret: 0xd65f0000}[kind]
	return base | at(rn, 5, 5), base != 0 && regs(rn)
}

// EncodeCompare is CBZ or, if nonzero, CBNZ.
func EncodeCompare(pc, target, rt uint64, wide, nonzero bool) (w uint32, ok bool) {
	w = 0x34000000 | sf(wide) | at(rt, 0, 5)
	if nonzero {
		w |= 1 << 24
	}
	w, err := Relocate(w, pc, target)
	return w, err == nil && regs(rt)
}

// EncodeCond is B.cond.
func EncodeCond(pc, target, cond uint64) (w uint32, ok bool) {
	w, err := Relocate(0x54000000|at(cond, 0, 4), pc, target)
	return w, err == nil && cond < 16
}

// EncodeAdr is ADR or, if page, ADRP.
func EncodeAdr(pc, target, rd uint64, page bool) (w uint32, ok bool) {
	w, err := Relocate(0x10000000|sf(page)|at(rd, 0, 5), pc, target)
	return w, err == nil && regs(rd)
}

// EncodeLoadLiteral is LDR (literal).
func EncodeLoadLiteral(pc, target, rt uint64, wide bool) (w uint32, ok bool) {
	w, err := Relocate(0x18000000|sf(wide)>>1|at(rt, 0, 5), pc, target)
	return w, err == nil && regs(rt)
}

// An ArithOp is an addition or subtraction, with or without flags.
type ArithOp uint32

// Values are those of the fields op and S.
const (
	ADD  ArithOp = 0b00
	ADDS ArithOp = 0b01
	SUB  ArithOp = 0b10
	SUBS ArithOp = 0b11
)

// EncodeArithImm is ADD, SUB, ... (immediate).
func EncodeArithImm(op ArithOp, wide bool, rd, rn, imm uint64) (w uint32, ok bool) {
	w = 0x11000000 | sf(wide) | uint32(op)<<29 | at(rd, 0, 5) | at(rn, 5, 5)
	if imm >= 1<<12 {
		if imm&0xfff != 0 || imm >= 1<<24 {
			return 0, false
		}
		w, imm = w|1<<22, imm>>12
	}
	return w | at(imm, 10, 12), regs(rd, rn)
}

// EncodeArithReg is ADD, SUB, ... (shifted register) with LSL #shift.
func EncodeArithReg(op ArithOp, wide bool, rd, rn, rm, shift uint64) (w uint32, ok bool) {
	w = 0x0b000000 | sf(wide) | uint32(op)<<29 | at(rd, 0, 5) | at(rn, 5, 5) | at(shift, 10, 6) | at(rm, 16, 5)
	return w, regs(rd, rn, rm) && shift < width(wide)
}

// width is the size of a register in bits.
func width(wide bool) uint64 {
	if wide {
		return 64
	}
	return 32
}

// A LogicOp is a logical operation.
type LogicOp uint32

// Values are those of the fields opc and N.
const (
	AND  LogicOp = 0b000
	BIC  LogicOp = 0b001
	ORR  LogicOp = 0b010
	ORN  LogicOp = 0b011
	EOR  LogicOp = 0b100
	EON  LogicOp = 0b101
	ANDS LogicOp = 0b110
	BICS LogicOp = 0b111
)

// EncodeLogicReg is AND, BIC, ... (shifted register) with LSL #shift.
func EncodeLogicReg(op LogicOp, wide bool, rd, rn, rm, shift uint64) (w uint32, ok bool) {
	w = 0x0a000000 | sf(wide) | uint32(op>>1)<<29 | uint32(op&1)<<21 | at(rd, 0, 5) | at(rn, 5, 5) | at(shift, 10, 6) | at(rm, 16, 5)
	return w, regs(rd, rn, rm) && shift < width(wide)
}

// EncodeLogicImm is AND, ORR, EOR or ANDS (immediate).
func EncodeLogicImm(op LogicOp, wide bool, rd, rn, imm uint64) (w uint32, ok bool) {
	w = 0x12000000 | sf(wide) | uint32(op>>1)<<29 | at(rd, 0, 5) | at(rn, 5, 5)
	fields, ok := bitmask(wide, imm)
	return w | fields, ok && op&1 == 0 && regs(rd, rn)
}

// bitmask is the fields N, immr and imms of a bitmask immediate: DecodeBitMasks()
// in DDI 0487, J1.1.3, turned around. Such a number repeats an element of 2, 4, ...
// 64 bits, and an element is a run of ones, rotated.
func bitmask(wide bool, imm uint64) (fields uint32, ok bool) {
	if !wide {
		if imm>>32 != 0 {
			return 0, false
		}
		imm |= imm << 32
	}
	if imm == 0 || imm == ^uint64(0) {
		return 0, false
	}
	size := 64
	for size > 2 && bits.RotateLeft64(imm, size/2) == imm {
		size /= 2
	}
	element := imm & (^uint64(0) >> (64 - size))
	ones := bits.OnesCount64(element)
	run := ^uint64(0) >> (64 - ones)
	for r := range size { // element is run, rotated right by r
		if rotated := (run>>r | run<<(size-r)) & (^uint64(0) >> (64 - size)); rotated == element {
			imms := uint32(-2*size)&0x3f | uint32(ones-1)
			n := uint32(size >> 6)
			return n<<22 | uint32(r)<<16 | imms<<10, true
		}
	}
	return 0, false
}

// A MoveOp is a move of 16 bits.
type MoveOp uint32

// Values are those of the field opc.
const (
	MOVN MoveOp = 0b00
	MOVZ MoveOp = 0b10
	MOVK MoveOp = 0b11
)

// EncodeMove is MOVZ, MOVN or MOVK with LSL #shift.
func EncodeMove(op MoveOp, wide bool, rd, imm, shift uint64) (w uint32, ok bool) {
	w = 0x12800000 | sf(wide) | uint32(op)<<29 | at(shift/16, 21, 2) | at(imm, 5, 16) | at(rd, 0, 5)
	return w, regs(rd) && imm < 1<<16 && shift%16 == 0 && shift < width(wide)
}

// A BitfieldOp is a move of a bit field.
type BitfieldOp uint32

// Values are those of the field opc.
const (
	SBFM BitfieldOp = 0b00
	BFM  BitfieldOp = 0b01
	UBFM BitfieldOp = 0b10
)

// EncodeBitfield is SBFM, BFM or UBFM.
func EncodeBitfield(op BitfieldOp, wide bool, rd, rn, immr, imms uint64) (w uint32, ok bool) {
	w = 0x13000000 | sf(wide) | sf(wide)>>9 | uint32(op)<<29 | at(immr, 16, 6) | at(imms, 10, 6) | at(rn, 5, 5) | at(rd, 0, 5)
	return w, regs(rd, rn) && immr < width(wide) && imms < width(wide)
}

// EncodeExtr is EXTR.
func EncodeExtr(wide bool, rd, rn, rm, lsb uint64) (w uint32, ok bool) {
	w = 0x13800000 | sf(wide) | sf(wide)>>9 | at(rm, 16, 5) | at(lsb, 10, 6) | at(rn, 5, 5) | at(rd, 0, 5)
	return w, regs(rd, rn, rm) && lsb < width(wide)
}

// EncodeReverse is REV16, REV (of 32 bits: REV32 if wide) or REV of 64 bits.
func EncodeReverse(size uint64, wide bool, rd, rn uint64) (w uint32, ok bool) {
	opcode := map[uint64]uint32{16: 1, 32: 2, 64: 3}[size]
	w = 0x5ac00000 | sf(wide) | opcode<<10 | at(rn, 5, 5) | at(rd, 0, 5)
	return w, opcode != 0 && (size < 64 || wide) && regs(rd, rn)
}

// A TwoOp is an operation on two registers.
type TwoOp uint32

// Values are those of the field opcode.
const (
	UDIV TwoOp = 0b000010
	SDIV TwoOp = 0b000011
	LSLV TwoOp = 0b001000
	LSRV TwoOp = 0b001001
	ASRV TwoOp = 0b001010
	RORV TwoOp = 0b001011
)

// EncodeTwo is UDIV, SDIV, LSL, ... (register).
func EncodeTwo(op TwoOp, wide bool, rd, rn, rm uint64) (w uint32, ok bool) {
	w = 0x1ac00000 | sf(wide) | at(rm, 16, 5) | uint32(op)<<10 | at(rn, 5, 5) | at(rd, 0, 5)
	return w, regs(rd, rn, rm)
}

// EncodeMultiply is MADD or, if subtract, MSUB: ra plus or minus rn times rm.
func EncodeMultiply(subtract, wide bool, rd, ra, rn, rm uint64) (w uint32, ok bool) {
	w = 0x1b000000 | sf(wide) | at(rm, 16, 5) | at(ra, 10, 5) | at(rn, 5, 5) | at(rd, 0, 5)
	if subtract {
		w |= 1 << 15
	}
	return w, regs(rd, ra, rn, rm)
}

// An Access is a load or a store.
type Access uint32

// Values are those of the field opc.
const (
	Store      Access = 0b00
	Load       Access = 0b01
	LoadSigned Access = 0b10 // into 64 bits
)

// EncodeAccessReg is STR, LDR, LDRS (register), of 8<<size bits, at rn plus rm.
func EncodeAccessReg(op Access, size, rt, rn, rm uint64) (w uint32, ok bool) {
	w = 0x38206800 | at(size, 30, 2) | uint32(op)<<22 | at(rm, 16, 5) | at(rn, 5, 5) | at(rt, 0, 5)
	return w, regs(rt, rn, rm) && size < 4 && (op != LoadSigned || size < 3)
}

// EncodeAccessImm is STR, LDR, LDRS (unsigned immediate), at rn plus imm bytes.
func EncodeAccessImm(op Access, size, rt, rn, imm uint64) (w uint32, ok bool) {
	w = 0x39000000 | at(size, 30, 2) | uint32(op)<<22 | at(imm>>size, 10, 12) | at(rn, 5, 5) | at(rt, 0, 5)
	return w, regs(rt, rn) && size < 4 && imm%(1<<size) == 0 && imm>>size < 1<<12 && (op != LoadSigned || size < 3)
}

// EncodePair is STP or LDP with write-back: before the access (pre) or after it.
func EncodePair(load, pre, wide bool, rt, rt2, rn uint64, imm int64) (w uint32, ok bool) {
	w = 0x28800000 | sf(wide) | at(rt2, 10, 5) | at(rn, 5, 5) | at(rt, 0, 5)
	if load {
		w |= 1 << 22
	}
	if pre {
		w |= 1 << 24
	}
	scale := int64(width(wide) / 8)
	return w | at(uint64(imm/scale), 15, 7), regs(rt, rt2, rn) && imm%scale == 0 && imm/scale >= -64 && imm/scale < 64
}

// EncodeExclusive is LDXR or STXR, or with ordered LDAXR or STLXR. rs gets the
// status of a store; of a load it is 31.
func EncodeExclusive(load, ordered bool, size, rt, rn, rs uint64) (w uint32, ok bool) {
	w = 0x08007c00 | at(size, 30, 2) | at(rs, 16, 5) | at(rn, 5, 5) | at(rt, 0, 5)
	if load {
		w |= 1 << 22
	}
	if ordered {
		w |= 1 << 15
	}
	return w, regs(rt, rn, rs) && size < 4
}

// EncodeOrdered is LDAR or STLR.
func EncodeOrdered(load bool, size, rt, rn uint64) (w uint32, ok bool) {
	w = 0x089ffc00 | at(size, 30, 2) | at(rn, 5, 5) | at(rt, 0, 5)
	if load {
		w |= 1 << 22
	}
	return w, regs(rt, rn) && size < 4
}

// An AtomicOp is an atomic operation on memory.
type AtomicOp uint32

// Values are those of the fields o3 and opc.
const (
	LDADD AtomicOp = 0b0000
	LDCLR AtomicOp = 0b0001
	LDEOR AtomicOp = 0b0010
	LDSET AtomicOp = 0b0011
	SWP   AtomicOp = 0b1000
)

// EncodeAtomic is LDADD, LDCLR, ..., with the ordering of a load (acquire), of a
// store (release) or both. rt gets the old value.
func EncodeAtomic(op AtomicOp, acquire, release bool, size, rt, rn, rs uint64) (w uint32, ok bool) {
	w = 0x38200000 | at(size, 30, 2) | uint32(op)<<12 | at(rs, 16, 5) | at(rn, 5, 5) | at(rt, 0, 5)
	if acquire {
		w |= 1 << 23
	}
	if release {
		w |= 1 << 22
	}
	return w, regs(rt, rn, rs) && size < 4
}

// EncodeCAS is CAS, CASA, CASL or CASAL: rt goes to memory if rs is there.
func EncodeCAS(acquire, release bool, size, rt, rn, rs uint64) (w uint32, ok bool) {
	w = 0x08a07c00 | at(size, 30, 2) | at(rs, 16, 5) | at(rn, 5, 5) | at(rt, 0, 5)
	if acquire {
		w |= 1 << 22
	}
	if release {
		w |= 1 << 15
	}
	return w, regs(rt, rn, rs) && size < 4
}

// EncodeBarrier is DMB or, if sync, DSB, with the field CRm.
func EncodeBarrier(sync bool, crm uint64) (w uint32, ok bool) {
	w = 0xd50330bf | at(crm, 8, 4)
	if sync {
		w = 0xd503309f | at(crm, 8, 4)
	}
	return w, crm < 16
}

// EncodeMRS is MRS of the register with the fields op0, op1, CRn, CRm and op2 in
// 15 bits, without the highest bit of op0.
func EncodeMRS(rt, register uint64) (w uint32, ok bool) {
	return 0xd5300000 | at(register, 5, 15) | at(rt, 0, 5), regs(rt)
}
