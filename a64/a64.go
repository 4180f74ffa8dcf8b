// Package a64 is about A64 instruction words. It classifies and prints them, finds
// the address that a PC-relative instruction refers to, and encodes the few
// instructions that ftrace writes, with range checks.
//
// Encodings are from the Arm Architecture Reference Manual (DDI 0487),
// chapter C4, "A64 Instruction Set Encoding". Addresses and offsets are in
// bytes; a word is 32 bits, always little-endian in memory.
package a64

import (
	"fmt"
	"strings"
	"sync"

	"golang.org/x/arch/arm64/arm64asm"
)

// Size is the size of every A64 instruction, in bytes.
const Size = 4

// Words that are constants.
const (
	NOP     = 0xd503201f // hint #0
	PACIASP = 0xd503233f // hint #25: signs LR; an implicit landing pad
	PACIBSP = 0xd503237f // hint #27
	BTI     = 0xd503241f // hint #32: no branch may land here
	BTIc    = 0xd503245f // hint #34: landing pad for calls
	BTIj    = 0xd503249f // hint #36: landing pad for jumps
	BTIjc   = 0xd50324df // hint #38: landing pad for both
	RET     = 0xd65f03c0 // ret x30
)

// Words that undo PACIASP and PACIBSP before a return.
const (
	autiasp = 0xd50323bf // hint #29
	autibsp = 0xd50323ff // hint #31
)

// Registers with a role of their own.
const (
	LR  = 30 // the link register, X30
	XZR = 31 // the zero register, or SP, as the instruction says
)

// Kind is the class of an instruction, as far as ftrace cares.
type Kind uint8

const (
	Other   Kind = iota
	Nop          // NOP
	Hint         // any other instruction of the hint space that is not a landing pad
	Landing      // BTI, PACIASP, PACIBSP: BranchType.Accepts says which branches
	Branch       // B
	Call         // BL
	BCond        // B.cond, BC.cond
	CBZ          // CBZ, CBNZ
	TBZ          // TBZ, TBNZ
	BR           // BR, BRAA, ...
	BLR          // BLR, BLRAA, ...
	Ret          // RET, RETAA, RETAB
	ERet         // ERET, ERETAA, ...
	ADR          // ADR
	ADRP         // ADRP
	LDRLit       // LDR, LDRSW, PRFM (literal), general or SIMD register
	Break        // BRK
)

var kindNames = [...]string{"other", "NOP", "hint", "landing pad", "B", "BL", "B.cond", "CBZ", "TBZ",
	"BR", "BLR", "RET", "ERET", "ADR", "ADRP", "LDR literal", "BRK"}

func (k Kind) String() string { return kindNames[k] }

// Classify is the class of the instruction word w.
func Classify(w uint32) Kind {
	switch {
	case w&0xfffff01f == 0xd503201f: // hint space, C4.1.94
		switch w {
		case NOP:
			return Nop
		case PACIASP, PACIBSP, BTI, BTIc, BTIj, BTIjc:
			return Landing
		}
		return Hint
	case w&0xfc000000 == 0x14000000:
		return Branch
	case w&0xfc000000 == 0x94000000:
		return Call
	case w&0xff000000 == 0x54000000:
		return BCond
	case w&0x7e000000 == 0x34000000:
		return CBZ
	case w&0x7e000000 == 0x36000000:
		return TBZ
	case w&0x9f000000 == 0x10000000:
		return ADR
	case w&0x9f000000 == 0x90000000:
		return ADRP
	case w&0x3b000000 == 0x18000000:
		return LDRLit
	case w&0xffe0001f == 0xd4200000:
		return Break
	case w&0xfe000000 == 0xd6000000: // unconditional branch (register)
		if w>>16&0x1f != 0x1f || w>>12&0xf != 0 {
			return Other
		}
		switch w >> 21 & 0xf {
		case 0b0000, 0b1000:
			return BR
		case 0b0001, 0b1001:
			return BLR
		case 0b0010:
			return Ret
		case 0b0100:
			return ERet
		}
	}
	return Other
}

// IsPCRelative reports whether instructions of kind k compute an address from
// their own.
func (k Kind) IsPCRelative() bool {
	switch k {
	case Branch, Call, BCond, CBZ, TBZ, ADR, ADRP, LDRLit:
		return true
	}
	return false
}

// EndsFlow reports whether execution never goes on to the next word.
func (k Kind) EndsFlow() bool { return k == Branch || k == BR || k == Ret || k == ERet }

// Rd is the register number in bits 0-4: the destination of most
// instructions, the register that CBZ and TBZ test.
func Rd(w uint32) int { return int(w & 31) }

// Rn is the register number in bits 5-9: the first source, the base of a
// load, the target register of BR, BLR and RET.
func Rn(w uint32) int { return int(w >> 5 & 31) }

// Rm is the register number in bits 16-20: the second source.
func Rm(w uint32) int { return int(w >> 16 & 31) }

// A BranchType is the value of PSTATE.BTYPE after a branch out of a guarded page:
// the processor checks it against the instruction at the target (DDI 0487,
// D8.4.5, "BTYPE"; the branches are in C6.2). Zero is for all other instructions,
// also RET: they need no landing pad at their target.
type BranchType uint8

const (
	BranchIP   BranchType = 0b01 // BR through X16 or X17, as PLT entries have it
	BranchCall BranchType = 0b10 // BLR
	BranchJump BranchType = 0b11 // BR through any other register
)

var branchTypeNames = [...]string{"no indirect branch", "BR x16 or x17", "BLR", "BR"}

func (t BranchType) String() string { return branchTypeNames[t] }

// BranchTypeOf is the type of the branch w; zero if w is not BR or BLR.
func BranchTypeOf(w uint32) BranchType {
	switch Classify(w) {
	case BLR:
		return BranchCall
	case BR:
		if n := Rn(w); n == 16 || n == 17 {
			return BranchIP
		}
		return BranchJump
	}
	return 0
}

// Accepts reports whether a branch of type t may land on w in a guarded page.
// BTI c does not accept BranchJump, BTI j does not accept BranchCall. PACIASP
// and PACIBSP accept what BTI c accepts: Linux sets SCTLR_EL1.BT1 for its own
// code and BT0 for programs (bti_enable(), "arm64: Basic Branch Target
// Identification support"). BRK and HLT come before the Branch Target
// exception: their own exception is taken.
func (t BranchType) Accepts(w uint32) bool {
	if t == 0 || w&0xffe0001f == 0xd4200000 || w&0xffe0001f == 0xd4400000 {
		return true
	}
	switch w {
	case BTIjc:
		return true
	case BTIc, PACIASP, PACIBSP:
		return t != BranchJump
	case BTIj:
		return t != BranchCall
	}
	return false
}

// Reach is how far an instruction reaches from its own address, in bytes:
// Min <= target-pc <= Max, in steps of Step. ADRP counts from page to page.
type Reach struct{ Min, Max, Step int64 }

// Reach of each PC-relative kind: DDI 0487, C3.1 and C6.2.
var (
	reach26 = Reach{-128 << 20, 128<<20 - 4, 4}   // B, BL
	reach19 = Reach{-1 << 20, 1<<20 - 4, 4}       // B.cond, CBZ, LDR literal
	reach14 = Reach{-32 << 10, 32<<10 - 4, 4}     // TBZ
	reach21 = Reach{-1 << 20, 1<<20 - 1, 1}       // ADR
	reach33 = Reach{-4 << 30, 4<<30 - 4096, 4096} // ADRP
)

// ReachOf is the reach of instructions of kind k; it is zero for those that
// are not PC-relative.
func ReachOf(k Kind) Reach {
	switch k {
	case Branch, Call:
		return reach26
	case BCond, CBZ, LDRLit:
		return reach19
	case TBZ:
		return reach14
	case ADR:
		return reach21
	case ADRP:
		return reach33
	}
	return Reach{}
}

// Contains reports whether an instruction with this reach can encode off, in
// bytes.
func (r Reach) Contains(off int64) bool {
	return r.Step != 0 && r.Min <= off && off <= r.Max && off%r.Step == 0
}

// Offset is the distance from from to to, in bytes. Addresses wrap as the
// processor's do.
func Offset(from, to uint64) int64 { return int64(to - from) }

// Target is the address that the PC-relative instruction w at pc refers to:
// where a branch goes, what ADR computes (for ADRP the page), what LDR
// literal loads. ok is false for an instruction that is not PC-relative.
func Target(w uint32, pc uint64) (addr uint64, ok bool) {
	switch Classify(w) {
	case Branch, Call:
		return pc + uint64(signed(w, 0, 26)<<2), true
	case BCond, CBZ, LDRLit:
		return pc + uint64(signed(w, 5, 19)<<2), true
	case TBZ:
		return pc + uint64(signed(w, 5, 14)<<2), true
	case ADR:
		return pc + uint64(adrImm(w)), true
	case ADRP:
		return pc&^0xfff + uint64(adrImm(w)<<12), true
	}
	return 0, false
}

// signed is the n-bit field of w at bit lo, sign-extended.
func signed(w uint32, lo, n uint) int64 {
	return int64(w) << (64 - lo - n) >> (64 - n)
}

func adrImm(w uint32) int64 { return signed(w, 5, 19)<<2 | int64(w>>29&3) }

// A RangeError says that an instruction cannot reach its target.
type RangeError struct {
	Kind       Kind
	PC, Target uint64 // addresses
}

func (e *RangeError) Error() string {
	r := ReachOf(e.Kind)
	off := Offset(e.PC, e.Target)
	if r.Min <= off && off <= r.Max {
		return fmt.Sprintf("%v at %#x cannot aim at %#x: the distance %+#x is not a multiple of %d", e.Kind, e.PC, e.Target, off, r.Step)
	}
	return fmt.Sprintf("%v at %#x cannot reach %#x: the distance is %+#x, the range %+#x..%+#x", e.Kind, e.PC, e.Target, off, r.Min, r.Max)
}

// Relocate is w, an instruction that refers to target, encoded for the
// address pc. It fails with a *RangeError if target is out of reach, and
// returns w itself if w is not PC-relative.
func Relocate(w uint32, pc, target uint64) (uint32, error) {
	k := Classify(w)
	off := Offset(pc, target)
	if k == ADRP {
		off = Offset(pc&^0xfff, target&^0xfff)
	}
	if k.IsPCRelative() && !ReachOf(k).Contains(off) {
		return 0, &RangeError{k, pc, target}
	}
	switch k {
	case Branch, Call:
		return w&^0x03ffffff | uint32(off>>2)&0x03ffffff, nil
	case BCond, CBZ, LDRLit:
		return w&^(0x7ffff<<5) | uint32(off>>2)&0x7ffff<<5, nil
	case TBZ:
		return w&^(0x3fff<<5) | uint32(off>>2)&0x3fff<<5, nil
	case ADRP:
		off >>= 12
		fallthrough
	case ADR:
		return w&0x9f00001f | uint32(off)&3<<29 | uint32(off>>2)&0x7ffff<<5, nil
	}
	return w, nil
}

// EncodeB is B target at pc, EncodeBL is BL target at pc. The error is a
// *RangeError if the distance is beyond -128 MiB .. +128 MiB-4.
func EncodeB(pc, target uint64) (uint32, error)  { return Relocate(0x14000000, pc, target) }
func EncodeBL(pc, target uint64) (uint32, error) { return Relocate(0x94000000, pc, target) }

// EncodeMOV is MOV Xrd, Xrm: ORR Xrd, XZR, Xrm.
func EncodeMOV(rd, rm int) uint32 { return 0xaa0003e0 | uint32(rm)<<16 | uint32(rd) }

// IsMOV reports whether w is MOV Xrd, Xrm (ORR Xrd, XZR, Xrm) between general
// registers.
func IsMOV(w uint32) (rd, rm int, ok bool) {
	return Rd(w), Rm(w), w&0xffe0ffe0 == 0xaa0003e0
}

// decoding guards arm64asm.Decode, which writes to a package variable (in
// golang.org/x/arch v0.33.0 still). Only what is printed is decoded: in all runs
// that were measured, waiting for the lock takes microseconds.
var decoding sync.Mutex

// Text is w at pc in the assembler's words, with targets as names: name, if
// not nil, gives the text for an address ("ftrace_common+0x10", or "" to keep
// the number).
func Text(w uint32, pc uint64, name func(addr uint64) string) string {
	switch w { // arm64asm has no name for these
	case PACIASP:
		return "paciasp"
	case PACIBSP:
		return "pacibsp"
	case autiasp:
		return "autiasp"
	case autibsp:
		return "autibsp"
	case BTI:
		return "bti"
	case BTIc:
		return "bti c"
	case BTIj:
		return "bti j"
	case BTIjc:
		return "bti jc"
	}
	decoding.Lock()
	inst, err := arm64asm.Decode([]byte{byte(w), byte(w >> 8), byte(w >> 16), byte(w >> 24)})
	decoding.Unlock()
	if err != nil {
		return fmt.Sprintf(".inst %#08x", w)
	}
	text := strings.TrimSpace(strings.ToLower(arm64asm.GNUSyntax(inst)))
	text = strings.ReplaceAll(text, ",#", ", #")
	if Classify(w) == TBZ { // arm64asm loses bit 5 of the bit number
		r, bit := "w", w>>19&31
		if w>>31 == 1 {
			r, bit = "x", bit+32
		}
		reg := fmt.Sprintf("%s%d", r, Rd(w))
		if Rd(w) == XZR {
			reg = r + "zr"
		}
		text = fmt.Sprintf("%v %s, #%d, .", strings.Fields(text)[0], reg, bit)
	}
	target, ok := Target(w, pc)
	if !ok {
		return text
	}
	to := fmt.Sprintf("%#x", target)
	if name != nil {
		if n := name(target); n != "" {
			to = n
		}
	}
	// GNUSyntax prints the target last, as an offset from the instruction.
	if i := strings.LastIndexAny(text, " ,"); i >= 0 {
		text = text[:i+1]
		if !strings.HasSuffix(text, " ") {
			text += " "
		}
	}
	return text + to
}
