package a64_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"golang.org/x/arch/arm64/arm64asm"

	"github.com/ftlint/ftlint/a64"
)

// The words of the encoders, in the words of a decoder that is not ours. Operands
// at the edges of their fields, and those right beyond.
func TestEncode(t *testing.T) {
	type word = func() (uint32, bool)
	for _, c := range []struct {
		encode word
		want   string // "" if there is no such instruction
	}{
		{func() (uint32, bool) { return a64.EncodeHint(1) }, "yield"},
		{func() (uint32, bool) { return a64.EncodeHint(127) }, "hint #0x7f"},
		{func() (uint32, bool) { return a64.EncodeHint(128) }, ""},
		{func() (uint32, bool) { return a64.EncodeBranchReg(a64.BR, 16) }, "br x16"},
		{func() (uint32, bool) { return a64.EncodeBranchReg(a64.BLR, 30) }, "blr x30"},
		{func() (uint32, bool) { return a64.EncodeBranchReg(a64.Ret, 9) }, "ret x9"},
		{func() (uint32, bool) { return a64.EncodeBranchReg(a64.Ret, 32) }, ""},
		{func() (uint32, bool) { return a64.EncodeBranchReg(a64.Call, 9) }, ""},
		{func() (uint32, bool) { return a64.EncodeCompare(pc, pc+1<<20-4, 7, false, false) }, "cbz w7, .+0xffffc"},
		{func() (uint32, bool) { return a64.EncodeCompare(pc, pc-1<<20, 7, true, true) }, "cbnz x7, .+0xfffffffffff00000"},
		{func() (uint32, bool) { return a64.EncodeCompare(pc, pc+1<<20, 7, true, true) }, ""},
		{func() (uint32, bool) { return a64.EncodeCond(pc, pc+8, 11) }, "b.lt .+0x8"},
		{func() (uint32, bool) { return a64.EncodeCond(pc, pc+8, 16) }, ""},
		{func() (uint32, bool) { return a64.EncodeAdr(pc, pc+1<<20-1, 5, false) }, "adr x5, .+0xfffff"},
		{func() (uint32, bool) { return a64.EncodeAdr(pc, pc+0x12345678, 16, true) }, "adrp x16, .+0x12345000"},
		{func() (uint32, bool) { return a64.EncodeAdr(pc, pc+1<<20, 5, false) }, ""},
		{func() (uint32, bool) { return a64.EncodeLoadLiteral(pc, pc+8, 16, true) }, "ldr x16, .+0x8"},
		{func() (uint32, bool) { return a64.EncodeLoadLiteral(pc, pc-4, 3, false) }, "ldr w3, .+0xfffffffffffffffc"},
		{func() (uint32, bool) { return a64.EncodeArithImm(a64.ADD, true, 16, 16, 0xabc) }, "add x16, x16, #0xabc"},
		{func() (uint32, bool) { return a64.EncodeArithImm(a64.SUBS, false, 1, 2, 0xfff000) }, "subs w1, w2, #0xfff, lsl #12"},
		{func() (uint32, bool) { return a64.EncodeArithImm(a64.ADDS, true, 1, 2, 1) }, "adds x1, x2, #0x1"},
		{func() (uint32, bool) { return a64.EncodeArithImm(a64.SUB, true, 1, 2, 0x1001) }, ""},
		{func() (uint32, bool) { return a64.EncodeArithImm(a64.SUB, true, 1, 2, 1<<24) }, ""},
		{func() (uint32, bool) { return a64.EncodeArithReg(a64.SUB, true, 1, 2, 3, 63) }, "sub x1, x2, x3, lsl #63"},
		{func() (uint32, bool) { return a64.EncodeArithReg(a64.ADD, false, 1, 2, 3, 32) }, ""},
		{func() (uint32, bool) { return a64.EncodeLogicReg(a64.ORR, true, 9, 31, 30, 0) }, "mov x9, x30"},
		{func() (uint32, bool) { return a64.EncodeLogicReg(a64.BIC, false, 1, 2, 3, 31) }, "bic w1, w2, w3, lsl #31"},
		{func() (uint32, bool) { return a64.EncodeLogicReg(a64.EON, true, 1, 2, 3, 5) }, "eon x1, x2, x3, lsl #5"},
		{func() (uint32, bool) { return a64.EncodeLogicReg(a64.ANDS, true, 1, 2, 3, 0) }, "ands x1, x2, x3"},
		{func() (uint32, bool) { return a64.EncodeLogicImm(a64.AND, true, 1, 2, 0x0ff0) }, "and x1, x2, #0xff0"},
		{func() (uint32, bool) { return a64.EncodeLogicImm(a64.ORR, false, 1, 2, 0x80000001) }, "orr w1, w2, #0x80000001"},
		{func() (uint32, bool) { return a64.EncodeLogicImm(a64.EOR, true, 1, 2, 0x5555555555555555) }, "eor x1, x2, #0x5555555555555555"},
		{func() (uint32, bool) { return a64.EncodeLogicImm(a64.ANDS, true, 1, 2, 0xfffffffffffffff0) }, "ands x1, x2, #0xfffffffffffffff0"},
		{func() (uint32, bool) { return a64.EncodeLogicImm(a64.ORR, true, 1, 2, 0xc3ffc3ffc3ffc3ff) }, "orr x1, x2, #0xc3ffc3ffc3ffc3ff"},
		{func() (uint32, bool) { return a64.EncodeLogicImm(a64.AND, true, 1, 2, 5) }, ""},
		{func() (uint32, bool) { return a64.EncodeLogicImm(a64.AND, true, 1, 2, 0) }, ""},
		{func() (uint32, bool) { return a64.EncodeLogicImm(a64.AND, false, 1, 2, 0xffffffff) }, ""},
		{func() (uint32, bool) { return a64.EncodeLogicImm(a64.AND, false, 1, 2, 1<<32) }, ""},
		{func() (uint32, bool) { return a64.EncodeLogicImm(a64.BIC, false, 1, 2, 1) }, ""},
		{func() (uint32, bool) { return a64.EncodeMove(a64.MOVZ, true, 1, 0xffff, 48) }, "mov x1, #0xffff000000000000"},
		{func() (uint32, bool) { return a64.EncodeMove(a64.MOVK, false, 1, 0xabcd, 16) }, "movk w1, #0xabcd, lsl #16"},
		{func() (uint32, bool) { return a64.EncodeMove(a64.MOVN, true, 1, 2, 0) }, "mov x1, #0xfffffffffffffffd"},
		{func() (uint32, bool) { return a64.EncodeMove(a64.MOVZ, false, 1, 1, 32) }, ""},
		{func() (uint32, bool) { return a64.EncodeMove(a64.MOVZ, true, 1, 1<<16, 0) }, ""},
		{func() (uint32, bool) { return a64.EncodeMove(a64.MOVZ, true, 1, 1, 8) }, ""},
		{func() (uint32, bool) { return a64.EncodeBitfield(a64.UBFM, true, 1, 2, 7, 40) }, "ubfx x1, x2, #7, #34"},
		{func() (uint32, bool) { return a64.EncodeBitfield(a64.SBFM, false, 1, 2, 3, 9) }, "sbfx w1, w2, #3, #7"},
		{func() (uint32, bool) { return a64.EncodeBitfield(a64.BFM, true, 1, 2, 60, 3) }, "bfi x1, x2, #4, #4"},
		{func() (uint32, bool) { return a64.EncodeBitfield(a64.BFM, false, 1, 2, 32, 3) }, ""},
		{func() (uint32, bool) { return a64.EncodeExtr(true, 1, 2, 3, 63) }, "extr x1, x2, x3, #63"},
		{func() (uint32, bool) { return a64.EncodeExtr(false, 1, 2, 3, 32) }, ""},
		{func() (uint32, bool) { return a64.EncodeReverse(16, false, 1, 2) }, "rev16 w1, w2"},
		{func() (uint32, bool) { return a64.EncodeReverse(32, true, 1, 2) }, "rev32 x1, x2"},
		{func() (uint32, bool) { return a64.EncodeReverse(64, true, 1, 2) }, "rev x1, x2"},
		{func() (uint32, bool) { return a64.EncodeReverse(64, false, 1, 2) }, ""},
		{func() (uint32, bool) { return a64.EncodeTwo(a64.UDIV, true, 1, 2, 3) }, "udiv x1, x2, x3"},
		{func() (uint32, bool) { return a64.EncodeTwo(a64.RORV, false, 1, 2, 3) }, "ror w1, w2, w3"},
		{func() (uint32, bool) { return a64.EncodeMultiply(false, true, 1, 4, 2, 3) }, "madd x1, x2, x3, x4"},
		{func() (uint32, bool) { return a64.EncodeMultiply(true, false, 1, 4, 2, 3) }, "msub w1, w2, w3, w4"},
		{func() (uint32, bool) { return a64.EncodeAccessReg(a64.Load, 3, 1, 2, 3) }, "ldr x1, [x2,x3]"},
		{func() (uint32, bool) { return a64.EncodeAccessReg(a64.Store, 0, 1, 2, 3) }, "strb w1, [x2,x3]"},
		{func() (uint32, bool) { return a64.EncodeAccessReg(a64.LoadSigned, 2, 1, 2, 3) }, "ldrsw x1, [x2,x3]"},
		{func() (uint32, bool) { return a64.EncodeAccessReg(a64.LoadSigned, 3, 1, 2, 3) }, ""},
		{func() (uint32, bool) { return a64.EncodeAccessImm(a64.Load, 3, 1, 2, 32760) }, "ldr x1, [x2,#32760]"},
		{func() (uint32, bool) { return a64.EncodeAccessImm(a64.Store, 1, 1, 2, 2) }, "strh w1, [x2,#2]"},
		{func() (uint32, bool) { return a64.EncodeAccessImm(a64.LoadSigned, 1, 1, 2, 2) }, "ldrsh x1, [x2,#2]"},
		{func() (uint32, bool) { return a64.EncodeAccessImm(a64.Load, 3, 1, 2, 32768) }, ""},
		{func() (uint32, bool) { return a64.EncodeAccessImm(a64.Load, 3, 1, 2, 4) }, ""},
		{func() (uint32, bool) { return a64.EncodePair(false, true, true, 29, 30, 31, -512) }, "stp x29, x30, [sp,#-512]!"},
		{func() (uint32, bool) { return a64.EncodePair(true, false, false, 1, 2, 3, 252) }, "ldp w1, w2, [x3],#252"},
		{func() (uint32, bool) { return a64.EncodePair(true, false, true, 1, 2, 3, 512) }, ""},
		{func() (uint32, bool) { return a64.EncodePair(true, false, true, 1, 2, 3, 4) }, ""},
		{func() (uint32, bool) { return a64.EncodeExclusive(true, false, 2, 1, 2, 31) }, "ldxr w1, [x2]"},
		{func() (uint32, bool) { return a64.EncodeExclusive(true, true, 3, 1, 2, 31) }, "ldaxr x1, [x2]"},
		{func() (uint32, bool) { return a64.EncodeExclusive(false, false, 3, 1, 2, 3) }, "stxr w3, x1, [x2]"},
		{func() (uint32, bool) { return a64.EncodeExclusive(false, true, 0, 1, 2, 3) }, "stlxrb w3, w1, [x2]"},
		{func() (uint32, bool) { return a64.EncodeOrdered(true, 3, 1, 2) }, "ldar x1, [x2]"},
		{func() (uint32, bool) { return a64.EncodeOrdered(false, 1, 1, 2) }, "stlrh w1, [x2]"},
		{func() (uint32, bool) { return a64.EncodeBarrier(false, 0xb) }, "dmb ish"},
		{func() (uint32, bool) { return a64.EncodeBarrier(true, 0xf) }, "dsb sy"},
		{func() (uint32, bool) { return a64.EncodeBarrier(true, 16) }, ""},
	} {
		w, ok := c.encode()
		if ok != (c.want != "") {
			t.Errorf("%08x, %v: %q is expected", w, ok, c.want)
			continue
		}
		if !ok {
			continue
		}
		inst, err := arm64asm.Decode(binary.LittleEndian.AppendUint32(nil, w))
		if got := strings.TrimSpace(strings.ToLower(arm64asm.GNUSyntax(inst))); err != nil || got != c.want {
			t.Errorf("%08x is %q (%v), not %q", w, got, err, c.want)
		}
	}
}

// The decoder does not know these: words of GNU as 2.40.
func TestEncodeAtomics(t *testing.T) {
	for _, c := range []struct {
		asm    string
		encode func() (uint32, bool)
		want   uint32
	}{
		{"ldadd w3, w1, [x2]", func() (uint32, bool) { return a64.EncodeAtomic(a64.LDADD, false, false, 2, 1, 2, 3) }, 0xb8230041},
		{"ldclra x3, x1, [x2]", func() (uint32, bool) { return a64.EncodeAtomic(a64.LDCLR, true, false, 3, 1, 2, 3) }, 0xf8a31041},
		{"ldeorl x3, x1, [x2]", func() (uint32, bool) { return a64.EncodeAtomic(a64.LDEOR, false, true, 3, 1, 2, 3) }, 0xf8632041},
		{"ldsetal x3, x1, [x2]", func() (uint32, bool) { return a64.EncodeAtomic(a64.LDSET, true, true, 3, 1, 2, 3) }, 0xf8e33041},
		{"swpal w3, w1, [x2]", func() (uint32, bool) { return a64.EncodeAtomic(a64.SWP, true, true, 2, 1, 2, 3) }, 0xb8e38041},
		{"cas x3, x1, [x2]", func() (uint32, bool) { return a64.EncodeCAS(false, false, 3, 1, 2, 3) }, 0xc8a37c41},
		{"casal w3, w1, [x2]", func() (uint32, bool) { return a64.EncodeCAS(true, true, 2, 1, 2, 3) }, 0x88e3fc41},
		{"casa w3, w1, [x2]", func() (uint32, bool) { return a64.EncodeCAS(true, false, 2, 1, 2, 3) }, 0x88e37c41},
		{"mrs x5, tpidr_el1", func() (uint32, bool) { return a64.EncodeMRS(5, 0x4684) }, 0xd538d085},
		{"mrs x7, sp_el0", func() (uint32, bool) { return a64.EncodeMRS(7, 0x4208) }, 0xd5384107},
	} {
		if got, ok := c.encode(); !ok || got != c.want {
			t.Errorf("%s: %08x, %v; %08x is expected", c.asm, got, ok, c.want)
		}
	}
	if _, ok := a64.EncodeCAS(true, true, 2, 32, 2, 3); ok {
		t.Error("cas with x32 is made")
	}
}
