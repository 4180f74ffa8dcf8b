package emu

import (
	"slices"
	"strings"
)

// A form is one encoding: the words w with w&mask == value. The table of all
// of them is the instruction set of the machine. Bits that are neither in mask
// nor a field of the format are ignored by the processor.
type form struct {
	name        string
	mask, value uint32
	code        opcode
	format      format
}

// format says which fields a word has and where, and what to make of register
// number 31: SP for the operands that are called base here, XZR elsewhere.
type format uint8

const (
	fmtNone        format = iota // no fields
	fmtHint                      // no fields that matter
	fmtAddImm                    // Rd base, Rn base, sh, imm12
	fmtAddsImm                   // Rd, Rn base, sh, imm12
	fmtShifted                   // Rd, Rn, Rm, shift (not ROR), imm6
	fmtExtended                  // Rd base, Rn base, Rm, option, imm3
	fmtExtendeds                 // Rd, Rn base, Rm, option, imm3
	fmtLogImm                    // Rd base, Rn, N, immr, imms
	fmtLogsImm                   // Rd, Rn, N, immr, imms
	fmtLogical                   // Rd, Rn, Rm, shift, imm6
	fmtMove                      // Rd, hw, imm16
	fmtADR                       // Rd, immhi, immlo
	fmtADRP                      //
	fmtBitfield                  // Rd, Rn, immr, imms
	fmtExtract                   // Rd, Rn, Rm, imms
	fmtCSel                      // Rd, Rn, Rm, cond
	fmtCCmpReg                   // Rn, Rm, cond, nzcv
	fmtCCmpImm                   // Rn, imm5, cond, nzcv
	fmt3                         // Rd, Rn, Rm, Ra
	fmt2                         // Rd, Rn, Rm
	fmt1                         // Rd, Rn
	fmtPAuth                     // Rd and Rn, which do not matter
	fmtB                         // imm26
	fmtBCond                     // cond, imm19
	fmtCB                        // Rt, imm19
	fmtTB                        // Rt, b40, b5, imm14
	fmtBReg                      // Rn
	fmtBRegAuth                  // Rn, Rm, which does not matter
	fmtRetAuth                   // LR
	fmtImm16                     // imm16
	fmtBarrier                   // CRm
	fmtPState                    // op1, CRm, op2
	fmtSYS                       // op1, CRn, CRm, op2, Rt
	fmtSysReg                    // op0, op1, CRn, CRm, op2, Rt
	fmtUImm                      // Rt, Rn base, imm12 scaled
	fmtUnscaled                  // Rt, Rn base, imm9
	fmtPost                      // Rt, Rn base, imm9, writes Rn
	fmtPre                       // Rt, Rn base, imm9, writes Rn
	fmtRegOff                    // Rt, Rn base, Rm, option, S
	fmtLiteral                   // Rt, imm19
	fmtPair                      // Rt, Rt2, Rn base, imm7 scaled
	fmtPairPost                  // the same, writes Rn
	fmtPairPre                   // the same, writes Rn
	fmtOrdered                   // Rt, Rn base
	fmtStoreEx                   // Rs, Rt, Rn base
	fmtStoreExPair               // Rs, Rt, Rt2, Rn base
	fmtLoadExPair                // Rt, Rt2, Rn base
	fmtAtomic                    // Rs, Rt, Rn base
	fmtCASP                      // Rs and Rt, which are even, Rn base
	fmtFMovIn                    // Rd SIMD, Rn
	fmtFMovOut                   // Rd, Rn SIMD
	fmtVecImm                    // Rd SIMD, Q, op, cmode, a:b:c:d:e:f:g:h
	fmtVecIn                     // Rd SIMD, Rn, Q, imm5
	fmtVecOut                    // Rd, Rn SIMD, Q, imm5
	fmtVec3                      // Rd, Rn, Rm, all SIMD, Q
)

// wx makes the two forms of an instruction whose bit 31 (sf) says 32 or 64
// bits.
func wx(name string, mask, value uint32, w, x opcode, f format) []form {
	return []form{
		{name + " (w)", mask, value, w, f},
		{name + " (x)", mask, value | 1<<31, x, f},
	}
}

// forms is the table. Its encodings are those of DDI 0487, C4.1.
//
// arm64asm checks it, in TestArm64asm, and does not do its work: it lacks LSE
// and pointer authentication, accepts words whose fixed bits are wrong, and its
// Decode writes to a variable of the package, so that machines could not run
// in parallel.
var forms = slices.Concat(immediateForms(), registerForms(), branchForms(), loadStoreForms(), pairForms(), atomicForms(), vectorForms())

// immediateForms are data processing, immediate: C4.1.92.
func immediateForms() (t []form) {
	add := func(f ...form) { t = append(t, f...) }
	add(form{"ADR", 0x9f000000, 0x10000000, opMovImm, fmtADR},
		form{"ADRP", 0x9f000000, 0x90000000, opMovImm, fmtADRP})
	add(wx("ADD (immediate)", 0xff800000, 0x11000000, opAddImmW, opAddImm, fmtAddImm)...)
	add(wx("SUB (immediate)", 0xff800000, 0x51000000, opAddImmW, opAddImm, fmtAddImm)...)
	add(wx("ADDS (immediate)", 0xff800000, 0x31000000, opAddsImmW, opAddsImm, fmtAddsImm)...)
	add(wx("SUBS (immediate)", 0xff800000, 0x71000000, opSubsImmW, opSubsImm, fmtAddsImm)...)
	add(wx("AND (immediate)", 0xff800000, 0x12000000, opAndImm, opAndImm, fmtLogImm)...)
	add(wx("ORR (immediate)", 0xff800000, 0x32000000, opOrrImmW, opOrrImm, fmtLogImm)...)
	add(wx("EOR (immediate)", 0xff800000, 0x52000000, opEorImmW, opEorImm, fmtLogImm)...)
	add(wx("ANDS (immediate)", 0xff800000, 0x72000000, opAndsImmW, opAndsImm, fmtLogsImm)...)
	add(wx("MOVN", 0xff800000, 0x12800000, opMovImm, opMovImm, fmtMove)...)
	add(wx("MOVZ", 0xff800000, 0x52800000, opMovImm, opMovImm, fmtMove)...)
	add(wx("MOVK", 0xff800000, 0x72800000, opMovkW, opMovk, fmtMove)...)
	for i, n := range []string{"SBFM", "BFM", "UBFM"} {
		v := uint32(i)<<29 | 0x13000000
		c := [...][2]opcode{{opSbfmW, opSbfm}, {opBfmW, opBfm}, {opUbfm, opUbfm}}[i]
		add(form{n + " (w)", 0xffe08000, v, c[0], fmtBitfield},
			form{n + " (x)", 0xffc00000, v | 0x80400000, c[1], fmtBitfield})
	}
	add(form{"EXTR (w)", 0xffe08000, 0x13800000, opExtrW, fmtExtract},
		form{"EXTR (x)", 0xffe00000, 0x93c00000, opExtr, fmtExtract})
	return t
}

// registerForms are data processing, register: C4.1.95.
func registerForms() (t []form) {
	add := func(f ...form) { t = append(t, f...) }
	add(wx("ADD (shifted)", 0xff200000, 0x0b000000, opAddW, opAdd, fmtShifted)...)
	add(wx("SUB (shifted)", 0xff200000, 0x4b000000, opSubW, opSub, fmtShifted)...)
	add(wx("ADDS (shifted)", 0xff200000, 0x2b000000, opAddsW, opAdds, fmtShifted)...)
	add(wx("SUBS (shifted)", 0xff200000, 0x6b000000, opSubsW, opSubs, fmtShifted)...)
	add(wx("ADD (extended)", 0xffe00000, 0x0b200000, opAddExtW, opAddExt, fmtExtended)...)
	add(wx("SUB (extended)", 0xffe00000, 0x4b200000, opSubExtW, opSubExt, fmtExtended)...)
	add(wx("ADDS (extended)", 0xffe00000, 0x2b200000, opAddsExtW, opAddsExt, fmtExtendeds)...)
	add(wx("SUBS (extended)", 0xffe00000, 0x6b200000, opSubsExtW, opSubsExt, fmtExtendeds)...)
	add(wx("ADC", 0xffe0fc00, 0x1a000000, opAdcW, opAdc, fmt2)...)
	add(wx("ADCS", 0xffe0fc00, 0x3a000000, opAdcsW, opAdcs, fmt2)...)
	add(wx("SBC", 0xffe0fc00, 0x5a000000, opSbcW, opSbc, fmt2)...)
	add(wx("SBCS", 0xffe0fc00, 0x7a000000, opSbcsW, opSbcs, fmt2)...)
	add(wx("AND (shifted)", 0xff200000, 0x0a000000, opAndW, opAnd, fmtLogical)...)
	add(wx("BIC", 0xff200000, 0x0a200000, opBicW, opBic, fmtLogical)...)
	add(wx("ORR (shifted)", 0xff200000, 0x2a000000, opOrrW, opOrr, fmtLogical)...)
	add(wx("ORN", 0xff200000, 0x2a200000, opOrnW, opOrn, fmtLogical)...)
	add(wx("EOR (shifted)", 0xff200000, 0x4a000000, opEorW, opEor, fmtLogical)...)
	add(wx("EON", 0xff200000, 0x4a200000, opEonW, opEon, fmtLogical)...)
	add(wx("ANDS (shifted)", 0xff200000, 0x6a000000, opAndsW, opAnds, fmtLogical)...)
	add(wx("BICS", 0xff200000, 0x6a200000, opBicsW, opBics, fmtLogical)...)
	add(wx("CSEL", 0xffe00c00, 0x1a800000, opCselW, opCsel, fmtCSel)...)
	add(wx("CSINC", 0xffe00c00, 0x1a800400, opCsincW, opCsinc, fmtCSel)...)
	add(wx("CSINV", 0xffe00c00, 0x5a800000, opCsinvW, opCsinv, fmtCSel)...)
	add(wx("CSNEG", 0xffe00c00, 0x5a800400, opCsnegW, opCsneg, fmtCSel)...)
	add(wx("CCMN (register)", 0xffe00c10, 0x3a400000, opCcmnW, opCcmn, fmtCCmpReg)...)
	add(wx("CCMP (register)", 0xffe00c10, 0x7a400000, opCcmpW, opCcmp, fmtCCmpReg)...)
	add(wx("CCMN (immediate)", 0xffe00c10, 0x3a400800, opCcmnImmW, opCcmnImm, fmtCCmpImm)...)
	add(wx("CCMP (immediate)", 0xffe00c10, 0x7a400800, opCcmpImmW, opCcmpImm, fmtCCmpImm)...)
	add(wx("MADD", 0xffe08000, 0x1b000000, opMaddW, opMadd, fmt3)...)
	add(wx("MSUB", 0xffe08000, 0x1b008000, opMsubW, opMsub, fmt3)...)
	add(form{"SMADDL", 0xffe08000, 0x9b200000, opSmaddl, fmt3},
		form{"SMSUBL", 0xffe08000, 0x9b208000, opSmsubl, fmt3},
		form{"UMADDL", 0xffe08000, 0x9ba00000, opUmaddl, fmt3},
		form{"UMSUBL", 0xffe08000, 0x9ba08000, opUmsubl, fmt3},
		form{"SMULH", 0xffe0fc00, 0x9b407c00, opSmulh, fmt2},
		form{"UMULH", 0xffe0fc00, 0x9bc07c00, opUmulh, fmt2})
	add(wx("UDIV", 0xffe0fc00, 0x1ac00800, opUdivW, opUdiv, fmt2)...)
	add(wx("SDIV", 0xffe0fc00, 0x1ac00c00, opSdivW, opSdiv, fmt2)...)
	add(wx("LSLV", 0xffe0fc00, 0x1ac02000, opLslvW, opLslv, fmt2)...)
	add(wx("LSRV", 0xffe0fc00, 0x1ac02400, opLsrvW, opLsrv, fmt2)...)
	add(wx("ASRV", 0xffe0fc00, 0x1ac02800, opAsrvW, opAsrv, fmt2)...)
	add(wx("RORV", 0xffe0fc00, 0x1ac02c00, opRorvW, opRorv, fmt2)...)
	for i, n := range []string{"B", "H", "W", "X"} {
		v := uint32(0x1ac04000) | uint32(i)<<10 | uint32(i/3)<<31
		add(form{"CRC32" + n, 0xffe0fc00, v, opCrc32, fmt2},
			form{"CRC32C" + n, 0xffe0fc00, v | 0x1000, opCrc32c, fmt2})
	}
	add(wx("RBIT", 0xfffffc00, 0x5ac00000, opRbitW, opRbit, fmt1)...)
	add(wx("REV16", 0xfffffc00, 0x5ac00400, opRev16W, opRev16, fmt1)...)
	add(form{"REV (w)", 0xfffffc00, 0x5ac00800, opRevW, fmt1},
		form{"REV32", 0xfffffc00, 0xdac00800, opRev32, fmt1},
		form{"REV (x)", 0xfffffc00, 0xdac00c00, opRev, fmt1})
	add(wx("CLZ", 0xfffffc00, 0x5ac01000, opClzW, opClz, fmt1)...)
	add(wx("CLS", 0xfffffc00, 0x5ac01400, opClsW, opCls, fmt1)...)
	for i, n := range []string{"PACIA", "PACIB", "PACDA", "PACDB", "AUTIA", "AUTIB", "AUTDA", "AUTDB"} {
		v := uint32(0xdac10000) | uint32(i)<<10
		add(form{n, 0xfffffc00, v, opNop, fmtPAuth},
			form{n[:4] + "Z" + n[4:], 0xffffffe0, v | 0x23e0, opNop, fmtPAuth})
	}
	add(form{"XPACI", 0xffffffe0, 0xdac143e0, opNop, fmtPAuth},
		form{"XPACD", 0xffffffe0, 0xdac147e0, opNop, fmtPAuth})
	return t
}

// branchForms are branches, exceptions and system instructions: C4.1.93.
func branchForms() []form {
	return []form{
		{"B", 0xfc000000, 0x14000000, opB, fmtB},
		{"BL", 0xfc000000, 0x94000000, opBL, fmtB},
		{"B.cond", 0xff000010, 0x54000000, opBCond, fmtBCond},
		{"CBZ (w)", 0xff000000, 0x34000000, opCbzW, fmtCB},
		{"CBZ (x)", 0xff000000, 0xb4000000, opCbz, fmtCB},
		{"CBNZ (w)", 0xff000000, 0x35000000, opCbnzW, fmtCB},
		{"CBNZ (x)", 0xff000000, 0xb5000000, opCbnz, fmtCB},
		{"TBZ", 0x7f000000, 0x36000000, opTbz, fmtTB},
		{"TBNZ", 0x7f000000, 0x37000000, opTbnz, fmtTB},
		{"BR", 0xfffffc1f, 0xd61f0000, opBR, fmtBReg},
		{"BLR", 0xfffffc1f, 0xd63f0000, opBLR, fmtBReg},
		{"RET", 0xfffffc1f, 0xd65f0000, opRet, fmtBReg},
		{"BRAAZ, BRABZ", 0xfffff81f, 0xd61f081f, opBR, fmtBReg},
		{"BLRAAZ, BLRABZ", 0xfffff81f, 0xd63f081f, opBLR, fmtBReg},
		{"BRAA, BRAB", 0xfffff800, 0xd71f0800, opBR, fmtBRegAuth},
		{"BLRAA, BLRAB", 0xfffff800, 0xd73f0800, opBLR, fmtBRegAuth},
		{"RETAA, RETAB", 0xfffffbff, 0xd65f0bff, opRet, fmtRetAuth},
		{"ERET", 0xffffffff, 0xd69f03e0, opException, fmtNone},
		{"ERETAA, ERETAB", 0xfffffbff, 0xd69f0bff, opException, fmtNone},
		{"SVC", 0xffe0001f, 0xd4000001, opException, fmtImm16},
		{"HVC", 0xffe0001f, 0xd4000002, opException, fmtImm16},
		{"SMC", 0xffe0001f, 0xd4000003, opException, fmtImm16},
		{"HLT", 0xffe0001f, 0xd4400000, opException, fmtImm16},
		{"BRK", 0xffe0001f, 0xd4200000, opBrk, fmtImm16},
		// NOP, YIELD, WFE, BTI, PACIASP, CSDB, ... : what hints ask for is nothing
		// here, but for those of decodeHint, and those that are not allocated are NOPs.
		{"HINT", 0xfffff01f, 0xd503201f, opNop, fmtHint},
		{"CLREX", 0xfffff0ff, 0xd503305f, opClrex, fmtBarrier},
		{"DSB", 0xfffff0ff, 0xd503309f, opBarrier, fmtBarrier},
		{"DMB", 0xfffff0ff, 0xd50330bf, opBarrier, fmtBarrier},
		{"ISB", 0xfffff0ff, 0xd50330df, opBarrier, fmtBarrier},
		{"SB", 0xffffffff, 0xd50330ff, opNop, fmtNone},
		{"MSR (immediate)", 0xfff8f01f, 0xd500401f, opMsrImm, fmtPState},
		{"SYS", 0xfff80000, 0xd5080000, opMaint, fmtSYS},
		{"MSR", 0xfff00000, 0xd5100000, opMsr, fmtSysReg},
		{"MRS", 0xfff00000, 0xd5300000, opMrs, fmtSysReg},
	}
}

// loadStoreForms are loads and stores of one register: C4.1.94. value is that of
// the form with an unscaled offset.
func loadStoreForms() (t []form) {
	add := func(f ...form) { t = append(t, f...) }
	for _, a := range []struct {
		name  string
		value uint32
		code  opcode
	}{
		{"STRB", 0x38000000, opStore}, {"LDRB", 0x38400000, opLoad}, {"LDRSB (x)", 0x38800000, opLoadS}, {"LDRSB (w)", 0x38c00000, opLoadSW},
		{"STRH", 0x78000000, opStore}, {"LDRH", 0x78400000, opLoad}, {"LDRSH (x)", 0x78800000, opLoadS}, {"LDRSH (w)", 0x78c00000, opLoadSW},
		{"STR (w)", 0xb8000000, opStore}, {"LDR (w)", 0xb8400000, opLoad}, {"LDRSW", 0xb8800000, opLoadS},
		{"STR (x)", 0xf8000000, opStore}, {"LDR (x)", 0xf8400000, opLoad}, {"PRFM", 0xf8800000, opNop},
		{"STR (b)", 0x3c000000, opStV}, {"LDR (b)", 0x3c400000, opLdV}, {"STR (q)", 0x3c800000, opStV}, {"LDR (q)", 0x3cc00000, opLdV},
		{"STR (h)", 0x7c000000, opStV}, {"LDR (h)", 0x7c400000, opLdV},
		{"STR (s)", 0xbc000000, opStV}, {"LDR (s)", 0xbc400000, opLdV},
		{"STR (d)", 0xfc000000, opStV}, {"LDR (d)", 0xfc400000, opLdV},
	} {
		add(form{a.name + ", unsigned offset", 0xffc00000, a.value | 0x01000000, a.code, fmtUImm},
			form{a.name + ", unscaled", 0xffe00c00, a.value, a.code, fmtUnscaled},
			form{a.name + ", register", 0xffe00c00, a.value | 0x200800, a.code, fmtRegOff})
		if a.name == "PRFM" {
			continue
		}
		add(form{a.name + ", post", 0xffe00c00, a.value | 0x400, a.code, fmtPost},
			form{a.name + ", pre", 0xffe00c00, a.value | 0xc00, a.code, fmtPre})
		if a.value&(1<<26) == 0 { // LDTR, STTR: at EL1 with UAO or on kernel memory, like LDUR and STUR
			add(form{a.name + ", unprivileged", 0xffe00c00, a.value | 0x800, a.code, fmtUnscaled})
		}
	}
	add(form{"LDR (w), literal", 0xff000000, 0x18000000, opLoad, fmtLiteral},
		form{"LDR (x), literal", 0xff000000, 0x58000000, opLoad, fmtLiteral},
		form{"LDRSW, literal", 0xff000000, 0x98000000, opLoadS, fmtLiteral},
		form{"PRFM, literal", 0xff000000, 0xd8000000, opNop, fmtLiteral},
		form{"LDR (s), literal", 0xff000000, 0x1c000000, opLdV, fmtLiteral},
		form{"LDR (d), literal", 0xff000000, 0x5c000000, opLdV, fmtLiteral},
		form{"LDR (q), literal", 0xff000000, 0x9c000000, opLdV, fmtLiteral})
	return t
}

// pairForms are loads and stores of pairs: C4.1.94. value is that of the form
// that writes the base after the access.
func pairForms() (t []form) {
	add := func(f ...form) { t = append(t, f...) }
	for _, a := range []struct {
		name  string
		value uint32
		code  opcode
	}{
		{"STP (w)", 0x28800000, opStorePair}, {"LDP (w)", 0x28c00000, opLoadPair}, {"LDPSW", 0x68c00000, opLoadPairS},
		{"STP (x)", 0xa8800000, opStorePair}, {"LDP (x)", 0xa8c00000, opLoadPair},
		{"STP (s)", 0x2c800000, opStpV}, {"LDP (s)", 0x2cc00000, opLdpV},
		{"STP (d)", 0x6c800000, opStpV}, {"LDP (d)", 0x6cc00000, opLdpV},
		{"STP (q)", 0xac800000, opStpV}, {"LDP (q)", 0xacc00000, opLdpV},
	} {
		add(form{a.name + ", post", 0xffc00000, a.value, a.code, fmtPairPost},
			form{a.name + ", offset", 0xffc00000, a.value ^ 0x01800000, a.code, fmtPair},
			form{a.name + ", pre", 0xffc00000, a.value | 0x01000000, a.code, fmtPairPre})
		if a.name != "LDPSW" {
			add(form{strings.Replace(a.name, "P", "NP", 1), 0xffc00000, a.value ^ 0x00800000, a.code, fmtPair})
		}
	}
	return t
}

// atomicForms are exclusive, ordered and atomic: C4.1.94. Orderings other than
// those that have an opcode of their own are bits that do not matter to one
// processor.
func atomicForms() (t []form) {
	add := func(f ...form) { t = append(t, f...) }
	for size, n := range []string{"B", "H", " (w)", " (x)"} {
		s := uint32(size) << 30
		add(form{"STXR" + n + ", STLXR" + n, 0xffe07c00, 0x08007c00 | s, opStxr, fmtStoreEx},
			form{"LDXR" + n + ", LDAXR" + n, 0xffff7c00, 0x085f7c00 | s, opLdxr, fmtOrdered},
			form{"STLLR" + n + ", STLR" + n, 0xffff7c00, 0x089f7c00 | s, opStlr, fmtOrdered},
			form{"LDLAR" + n + ", LDAR" + n, 0xffff7c00, 0x08df7c00 | s, opLdar, fmtOrdered},
			form{"LDAPR" + n, 0xfffffc00, 0x38bfc000 | s, opLdar, fmtOrdered},
			form{"CAS" + n, 0xffa07c00, 0x08a07c00 | s, opCas, fmtAtomic},
			form{"LDADD" + n, 0xff20fc00, 0x38200000 | s, opLdadd, fmtAtomic},
			form{"LDCLR" + n, 0xff20fc00, 0x38201000 | s, opLdclr, fmtAtomic},
			form{"LDEOR" + n, 0xff20fc00, 0x38202000 | s, opLdeor, fmtAtomic},
			form{"LDSET" + n, 0xff20fc00, 0x38203000 | s, opLdset, fmtAtomic},
			form{"LDSMAX" + n, 0xff20fc00, 0x38204000 | s, opLdsmax, fmtAtomic},
			form{"LDSMIN" + n, 0xff20fc00, 0x38205000 | s, opLdsmin, fmtAtomic},
			form{"LDUMAX" + n, 0xff20fc00, 0x38206000 | s, opLdumax, fmtAtomic},
			form{"LDUMIN" + n, 0xff20fc00, 0x38207000 | s, opLdumin, fmtAtomic},
			form{"SWP" + n, 0xff20fc00, 0x38208000 | s, opSwp, fmtAtomic})
		if size < 2 {
			continue
		}
		add(form{"STXP" + n + ", STLXP" + n, 0xffe00000, 0x08200000 | s, opStxp, fmtStoreExPair},
			form{"LDXP" + n + ", LDAXP" + n, 0xffff0000, 0x087f0000 | s, opLdxp, fmtLoadExPair},
			form{"CASP" + n, 0xffa07c00, 0x08207c00 | s&^(1<<31), opCasp, fmtCASP})
	}
	return t
}

// vectorForms are SIMD, as far as moving data around goes: C4.1.96.
func vectorForms() []form {
	return []form{
		{"FMOV (w to s)", 0xfffffc00, 0x1e270000, opFmovInS, fmtFMovIn},
		{"FMOV (s to w)", 0xfffffc00, 0x1e260000, opFmovOutS, fmtFMovOut},
		{"FMOV (x to d)", 0xfffffc00, 0x9e670000, opFmovInD, fmtFMovIn},
		{"FMOV (d to x)", 0xfffffc00, 0x9e660000, opFmovOutD, fmtFMovOut},
		{"FMOV (x to high d)", 0xfffffc00, 0x9eaf0000, opFmovInH, fmtFMovIn},
		{"FMOV (high d to x)", 0xfffffc00, 0x9eae0000, opFmovOutH, fmtFMovOut},
		{"MOVI, MVNI, ORR, BIC, FMOV (vector, immediate)", 0x9ff80c00, 0x0f000400, opVecImm, fmtVecImm},
		{"DUP (general)", 0xbfe0fc00, 0x0e000c00, opDup, fmtVecIn},
		{"INS (general)", 0xffe0fc00, 0x4e001c00, opIns, fmtVecIn},
		{"UMOV", 0xbfe0fc00, 0x0e003c00, opUmov, fmtVecOut},
		{"SMOV", 0xbfe0fc00, 0x0e002c00, opSmov, fmtVecOut},
		{"AND (vector)", 0xbfe0fc00, 0x0e201c00, opVecAnd, fmtVec3},
		{"BIC (vector)", 0xbfe0fc00, 0x0e601c00, opVecBic, fmtVec3},
		{"ORR (vector)", 0xbfe0fc00, 0x0ea01c00, opVecOrr, fmtVec3},
		{"ORN (vector)", 0xbfe0fc00, 0x0ee01c00, opVecOrn, fmtVec3},
		{"EOR (vector)", 0xbfe0fc00, 0x2e201c00, opVecEor, fmtVec3},
	}
}

// byTop is the rows of forms that a word can match, by its top byte.
var byTop = func() (index [256][]*form) {
	for i := range forms {
		f := &forms[i]
		for top := range uint32(256) {
			if (top<<24^f.value)&f.mask&0xff000000 == 0 {
				index[top] = append(index[top], f)
			}
		}
	}
	return
}()

// formOf is the form that w has, or nil.
func formOf(w uint32) *form {
	for _, f := range byTop[w>>24] {
		if w&f.mask == f.value {
			return f
		}
	}
	return nil
}
