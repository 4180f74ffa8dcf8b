package emu

import "math/bits"

// An op is a decoded instruction: what to do, the registers as indices of
// cpu.r, and the rest of the fields, ready for use. PC-relative addresses are
// absolute.
type op struct {
	code opcode
	mode mode  // of the address, for loads and stores
	rd   uint8 // destination; Rt of loads and stores
	rn   uint8 // first source; base register
	rm   uint8 // second source; Rs of atomics
	ra   uint8 // third source; Rt2 of pairs
	sh   uint8 // shift amount, condition, or size in bytes
	ext  uint8 // shift type, extension, or second shift amount
	imm  uint64
}

// mode is how a load or store makes its address.
type mode uint8

const (
	modeImm  mode = iota // Rn + imm
	modeReg              // Rn + Rm extended as ext says and shifted by imm
	modePre              // Rn + imm, which Rn becomes
	modePost             // Rn; Rn becomes Rn + imm
)

// opcode is what an op does. W operates on 32 bits; S sets flags.
type opcode uint8

const (
	opNone          opcode = iota // not decoded yet
	opUnknown                     // no form has the word
	opUndefined                   // the architecture does not allocate the word
	opUnpredictable               // the architecture leaves the effect to the processor
	opHook
	opUnknownSysReg
	opNop

	opMovImm // also ADR and ADRP
	opMovk
	opMovkW
	opMov
	opMovW
	opAddImm // also SUB
	opAddImmW
	opAddsImm
	opAddsImmW
	opSubsImm
	opSubsImmW
	opAndImm // also W
	opOrrImm
	opOrrImmW
	opEorImm
	opEorImmW
	opAndsImm
	opAndsImmW
	opSbfm
	opSbfmW
	opUbfm // also W
	opBfm
	opBfmW
	opExtr
	opExtrW

	opAdd
	opAddW
	opSub
	opSubW
	opAdds
	opAddsW
	opSubs
	opSubsW
	opAddExt
	opAddExtW
	opSubExt
	opSubExtW
	opAddsExt
	opAddsExtW
	opSubsExt
	opSubsExtW
	opAdc
	opAdcW
	opAdcs
	opAdcsW
	opSbc
	opSbcW
	opSbcs
	opSbcsW
	opAnd
	opAndW
	opBic
	opBicW
	opOrr
	opOrrW
	opOrn
	opOrnW
	opEor
	opEorW
	opEon
	opEonW
	opAnds
	opAndsW
	opBics
	opBicsW
	opCsel
	opCselW
	opCsinc
	opCsincW
	opCsinv
	opCsinvW
	opCsneg
	opCsnegW
	opCcmn
	opCcmnW
	opCcmp
	opCcmpW
	opCcmnImm
	opCcmnImmW
	opCcmpImm
	opCcmpImmW
	opMadd
	opMaddW
	opMsub
	opMsubW
	opSmaddl
	opSmsubl
	opUmaddl
	opUmsubl
	opSmulh
	opUmulh
	opUdiv
	opUdivW
	opSdiv
	opSdivW
	opLslv
	opLslvW
	opLsrv
	opLsrvW
	opAsrv
	opAsrvW
	opRorv
	opRorvW
	opCrc32
	opCrc32c
	opRbit
	opRbitW
	opRev16
	opRev16W
	opRev32
	opRev
	opRevW
	opClz
	opClzW
	opCls
	opClsW

	opB
	opBL
	opBCond
	opCbz
	opCbzW
	opCbnz
	opCbnzW
	opTbz
	opTbnz
	opBR
	opBLR
	opRet
	opSignLR
	opAuthLR
	opStripLR
	opException
	opBrk
	opClrex
	opBarrier
	opMsrImm
	opMaint
	opMsr
	opMrs
	opMsrNZCV
	opMrsNZCV
	opMrsCounter

	opLoad   // of 1, 2, 4 or 8 bytes
	opLoadS  // the sign extended to 64 bits
	opLoadSW // the sign extended to 32 bits
	opStore
	opLoadPair
	opLoadPairS
	opStorePair
	opLdV
	opStV
	opLdpV
	opStpV
	opLdxr
	opStxr
	opLdxp
	opStxp
	opLdar
	opStlr
	opCas
	opCasp
	opLdadd
	opLdclr
	opLdeor
	opLdset
	opLdsmax
	opLdsmin
	opLdumax
	opLdumin
	opSwp

	opFmovInS
	opFmovInD
	opFmovInH
	opFmovOutS
	opFmovOutD
	opFmovOutH
	opVecImm
	opDup
	opIns
	opUmov
	opSmov
	opVecAnd
	opVecBic
	opVecOrr
	opVecOrn
	opVecEor
	numOpcodes
)

// field is the n bits of w from bit lo.
func field(w uint32, lo, n uint) uint8 { return uint8(w >> lo & (1<<n - 1)) }

// signed is the n bits of w from bit lo, sign-extended.
func signed(w uint32, lo, n uint) uint64 {
	return uint64(int64(w) << (64 - lo - n) >> (64 - n))
}

// src, dst and base turn a register field into an index of cpu.r.
func src(n uint8) uint8 {
	if n == 31 {
		return regZero
	}
	return n
}

func dst(n uint8) uint8 {
	if n == 31 {
		return regSink
	}
	return n
}

func base(n uint8) uint8 { return n } // regSP is 31

// allocated reports whether w lies in a group of encodings that has instructions:
// of the top level, of data processing with an immediate, of exceptions, and of
// branches to a register (DDI 0487, C4.1). UDF is in the first group that has none.
func allocated(w uint32) bool {
	wide := w>>31 == w>>22&1 // sf is N
	switch w >> 25 & 0xf {
	case 0b0000:
		return w>>31 == 1 // SME; without bit 31, reserved
	case 0b0001, 0b0011:
		return false
	case 0b1001:
		switch opc := w >> 29 & 3; w >> 23 & 3 {
		case 0b01: // MOVN, MOVZ, MOVK
			return opc != 1
		case 0b10: // SBFM, BFM, UBFM
			return opc != 3 && wide
		}
	}
	switch w >> 24 {
	case 0b1101_0100:
		switch opc, op2, ll := w>>21&7, w>>2&7, w&3; {
		case op2 != 0:
			return false
		case opc == 0b000, opc == 0b101: // SVC, HVC, SMC; DCPS1 to DCPS3
			return ll != 0
		case opc == 0b001, opc == 0b010, opc == 0b011: // BRK, HLT, TCANCEL
			return ll == 0
		}
		return false
	case 0b1101_0110:
		return w>>16&31 == 31 && (w>>10&63 != 0 || w&31 == 0)
	}
	return true
}

// decode is the instruction w at pc. Its code is opUndefined where the
// architecture has no instruction: in a group that is not allocated, and where a
// form has a field with a reserved value. It is opUnpredictable where the
// architecture leaves the effect to the processor (CONSTRAINED UNPREDICTABLE, DDI
// 0487, K1.2), and opUnknown if no form has another w.
func decode(w uint32, pc uint64) op {
	f := formOf(w)
	if f == nil {
		if !allocated(w) {
			return op{code: opUndefined}
		}
		return op{code: opUnknown}
	}
	var (
		rd, rn, rm = field(w, 0, 5), field(w, 5, 5), field(w, 16, 5)
		ra         = field(w, 10, 5)
		x          = w>>31 == 1
		undefined  = op{code: opUndefined}
	)
	o := op{code: f.code, rd: dst(rd), rn: src(rn), rm: src(rm), ra: src(ra)}
	switch f.format {
	case fmtAddImm, fmtAddsImm, fmtLogImm, fmtLogsImm, fmtMove, fmtADR, fmtADRP, fmtBitfield, fmtExtract:
		return decodeImmediate(f, w, pc, o)
	case fmtShifted, fmtLogical:
		o.ext, o.sh = field(w, 22, 2), field(w, 10, 6)
		if o.ext == 3 && f.format == fmtShifted || !x && o.sh >= 32 {
			return undefined
		}
		if o.rn == regZero && o.ext == 0 && o.sh == 0 {
			switch o.code {
			case opOrr:
				o.code = opMov
			case opOrrW:
				o.code = opMovW
			}
		}

	case fmtExtended, fmtExtendeds:
		o.rn = base(rn)
		if f.format == fmtExtended {
			o.rd = base(rd)
		}
		o.ext, o.sh = field(w, 13, 3), field(w, 10, 3)
		if o.sh > 4 {
			return undefined
		}

	case fmtCSel:
		o.sh = field(w, 12, 4)
	case fmtCCmpReg:
		o.sh, o.ext = field(w, 12, 4), field(w, 0, 4)
	case fmtCCmpImm:
		o.sh, o.ext = field(w, 12, 4), field(w, 0, 4)
		o.imm = uint64(rm)
	case fmt2:
		o.sh = 1 << field(w, 10, 2) // the size, for CRC32
	case fmt3, fmt1:
	case fmtHint:
		return decodeHint(w)

	case fmtB, fmtBCond, fmtCB, fmtTB, fmtBReg, fmtBRegAuth, fmtRetAuth, fmtImm16, fmtBarrier, fmtPState, fmtSYS, fmtSysReg:
		return decodeBranch(f, w, pc, o)
	case fmtUImm, fmtUnscaled, fmtPost, fmtPre, fmtRegOff, fmtLiteral, fmtPair, fmtPairPost, fmtPairPre:
		return decodeLoadStore(f, w, pc)

	case fmtOrdered, fmtAtomic, fmtStoreEx, fmtLoadExPair, fmtStoreExPair, fmtCASP:
		return decodeAtomic(f, w, o)
	case fmtFMovIn:
		o.rd = rd
	case fmtFMovOut:
		o.rn = rn
	case fmtVecImm, fmtVecIn, fmtVecOut, fmtVec3:
		return decodeVector(f, w)
	}
	return o
}

// decodeImmediate is decode for data processing with an immediate operand; o has
// the registers.
func decodeImmediate(f *form, w uint32, pc uint64, o op) op {
	rd, rn, x := field(w, 0, 5), field(w, 5, 5), w>>31 == 1
	undefined := op{code: opUndefined}
	switch f.format {
	case fmtAddImm, fmtAddsImm:
		o.rn = base(rn)
		o.imm = uint64(w >> 10 & 0xfff << (w >> 22 & 1 * 12))
		if f.format == fmtAddImm {
			o.rd = base(rd)
			if w>>30&1 == 1 {
				o.imm = -o.imm
			}
		}

	case fmtLogImm, fmtLogsImm:
		if f.format == fmtLogImm {
			o.rd = base(rd)
		}
		var ok bool
		o.imm, ok = bitmask(w>>22&1, w>>10&0x3f, w>>16&0x3f, x)
		if !ok {
			return undefined
		}

	case fmtMove:
		shift := w >> 21 & 3 * 16
		if !x && shift >= 32 {
			return undefined
		}
		o.sh = uint8(shift)
		o.imm = uint64(w>>5&0xffff) << shift
		if w>>29&3 == 0 { // MOVN
			o.imm = ^o.imm
			if !x {
				o.imm &= 0xffffffff
			}
		}

	case fmtADR:
		o.imm = pc + (signed(w, 5, 19)<<2 | uint64(w>>29&3))
	case fmtADRP:
		o.imm = pc&^0xfff + (signed(w, 5, 19)<<2|uint64(w>>29&3))<<12

	case fmtBitfield: // (x << sh) >> ext, and for BFM the bits imm of that
		width := uint8(32)
		if x {
			width = 64
		}
		immr, imms := field(w, 16, 6), field(w, 10, 6)
		o.sh = 63 - imms
		o.imm = 1<<(imms+1) - 1 // for imms 63 the shift gives 0, and o.imm is all ones
		if imms >= immr {
			o.ext = o.sh + immr
			o.imm >>= immr
		} else {
			o.ext = o.sh - (width - immr)
			o.imm <<= width - immr
		}

	case fmtExtract:
		o.sh = field(w, 10, 6)
	}
	return o
}

// decodeHint is decode for hints. Those that sign LR, check its signature or
// strip it do something if the machine signs (DDI 0487, C6.2, "PACIA", "AUTIA",
// "XPACD"). The others are NOPs.
func decodeHint(w uint32) op {
	hint := field(w, 5, 7)
	o := op{code: opSignLR, sh: hint >> 1 & 1, rm: regSP} // the key is A or B
	if hint&1 == 0 {
		o.rm = regZero // PACIAZ and its kin
	}
	switch hint {
	case 7:
		o.code = opStripLR
	case 24, 25, 26, 27:
	case 28, 29, 30, 31:
		o.code = opAuthLR
	default:
		return op{code: opNop}
	}
	return o
}

// decodeBranch is decode for branches, exceptions and system instructions; o has
// the registers.
func decodeBranch(f *form, w uint32, pc uint64, o op) op {
	switch f.format {
	case fmtB:
		o.imm = pc + signed(w, 0, 26)<<2
	case fmtBCond:
		o.sh = field(w, 0, 4)
		o.imm = pc + signed(w, 5, 19)<<2
	case fmtCB:
		o.rn = src(field(w, 0, 5))
		o.imm = pc + signed(w, 5, 19)<<2
	case fmtTB:
		o.rn = src(field(w, 0, 5))
		o.sh = field(w, 19, 5) | field(w, 31, 1)<<5
		o.imm = pc + signed(w, 5, 14)<<2
	case fmtBReg, fmtBRegAuth:
	case fmtRetAuth:
		o.rn, o.rm, o.sh, o.ext = 30, regSP, field(w, 10, 1), 1
	case fmtImm16:
		o.imm = uint64(w >> 5 & 0xffff)
	case fmtBarrier:
		o.sh = field(w, 5, 2)
	case fmtPState:
		return decodePState(w)
	case fmtSYS:
		return decodeSYS(w)
	case fmtSysReg:
		return decodeSysReg(w)
	}
	return o
}

// decodeAtomic is decode for ordered, exclusive and atomic loads and stores; o
// has the registers.
func decodeAtomic(f *form, w uint32, o op) op {
	rd, rn, rm, ra := field(w, 0, 5), field(w, 5, 5), field(w, 16, 5), field(w, 10, 5)
	unpredictable := op{code: opUnpredictable}
	switch f.format {
	case fmtOrdered, fmtAtomic, fmtStoreEx:
		o.rn = base(rn)
		o.sh = 1 << field(w, 30, 2)
		switch o.code {
		case opStlr:
			o.rd = src(rd)
		case opStxr: // Rd is Rs, the status
			if rm == rd || rm == rn && rn != 31 {
				return unpredictable
			}
			o.rd, o.rm = dst(rm), src(rd)
		case opCas: // Rs is compared and loaded
			o.rd, o.rm, o.ra = src(rd), src(rm), dst(rm)
		}
	case fmtLoadExPair:
		o.rn, o.ra = base(rn), dst(ra)
		o.sh = 4 << field(w, 30, 1)
		if rd == ra {
			return unpredictable
		}
	case fmtStoreExPair:
		o.rn = base(rn)
		o.sh = 4 << field(w, 30, 1)
		if rm == rd || rm == ra || rm == rn && rn != 31 {
			return unpredictable
		}
		o.rd, o.rm = dst(rm), src(rd)
	case fmtCASP:
		o.rn = base(rn)
		o.rd, o.rm = rd, rm // with the next, for which 31 is XZR
		o.sh = 4 << field(w, 30, 1)
		if rd&1 == 1 || rm&1 == 1 {
			return unpredictable
		}
	}
	return o
}

// decodeLoadStore is decode for loads and stores with an address mode.
func decodeLoadStore(f *form, w uint32, pc uint64) op {
	rt, rn, rt2 := field(w, 0, 5), field(w, 5, 5), field(w, 10, 5)
	vector := w>>26&1 == 1
	load := true
	o := op{code: f.code, rn: base(rn)}
	switch f.code {
	case opStore, opStV, opStorePair, opStpV:
		load = false
	}
	switch {
	case vector:
		o.rd, o.ra = rt, rt2
	case load:
		o.rd, o.ra = dst(rt), dst(rt2)
	default:
		o.rd, o.ra = src(rt), src(rt2)
	}

	var scale uint8 // log2 of the size
	switch f.format {
	case fmtPair, fmtPairPost, fmtPairPre:
		scale = 2 + field(w, 31, 1)
		if vector {
			scale = 2 + field(w, 30, 2)
		}
	case fmtLiteral:
		scale = 2 + field(w, 30, 2)
		if f.code == opLoadS {
			scale = 2
		}
	default:
		scale = field(w, 30, 2)
		if vector && w>>23&1 == 1 {
			scale = 4
		}
	}
	o.sh = 1 << scale

	switch f.format {
	case fmtUImm:
		o.imm = uint64(w>>10&0xfff) << scale
	case fmtUnscaled:
		o.imm = signed(w, 12, 9)
	case fmtPost:
		o.mode, o.imm = modePost, signed(w, 12, 9)
	case fmtPre:
		o.mode, o.imm = modePre, signed(w, 12, 9)
	case fmtRegOff:
		o.mode, o.rm, o.ext = modeReg, src(field(w, 16, 5)), field(w, 13, 3)
		if o.ext&2 == 0 { // not UXTW, UXTX, SXTW or SXTX
			return op{code: opUndefined}
		}
		if w>>12&1 == 1 {
			o.imm = uint64(scale) // the shift
		}
	case fmtLiteral:
		o.rn, o.imm = regZero, pc+signed(w, 5, 19)<<2
	case fmtPair:
		o.imm = signed(w, 15, 7) << scale
	case fmtPairPost:
		o.mode, o.imm = modePost, signed(w, 15, 7)<<scale
	case fmtPairPre:
		o.mode, o.imm = modePre, signed(w, 15, 7)<<scale
	}

	pair := false
	switch f.format {
	case fmtPair, fmtPairPost, fmtPairPre:
		pair = true
		if load && rt == rt2 {
			return op{code: opUnpredictable}
		}
	}
	if (o.mode == modePre || o.mode == modePost) && !vector && rn != 31 && (rn == rt || pair && rn == rt2) {
		return op{code: opUnpredictable}
	}
	return o
}

// bitmask is the immediate of a logical instruction: DecodeBitMasks of DDI
// 0487, J1.
func bitmask(n, imms, immr uint32, x bool) (uint64, bool) {
	if !x && n == 1 {
		return 0, false
	}
	log := bits.Len32(n<<6|^imms&0x3f) - 1 // of the size of an element
	if log < 1 {
		return 0, false
	}
	size := uint32(1) << log
	s, r := imms&(size-1), immr&(size-1)
	if s == size-1 {
		return 0, false
	}
	e := uint64(1)<<(s+1) - 1
	if r != 0 {
		e = e>>r | e<<(size-r)
	}
	if size < 64 {
		e &= 1<<size - 1
	}
	for ; size < 64; size *= 2 {
		e |= e << size
	}
	if !x {
		e &= 0xffffffff
	}
	return e, true
}

// writesBase reports whether a load or store changes its base register.
func (o *op) writesBase() bool { return o.mode >= modePre }
