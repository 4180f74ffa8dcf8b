// Package x64 is about x86-64 instructions. It decodes, classifies and prints
// them, finds the address that an instruction refers to, moves instructions, and
// encodes the few that ftrace writes, with range checks.
//
// Decoding is that of golang.org/x/arch/x86/x86asm, with ENDBR64 and the few
// instructions beside it that x86asm does not know. "SDM" in comments is Intel's
// Software Developer's Manual. Addresses and sizes are in bytes.
package x64

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"golang.org/x/arch/x86/x86asm"
)

// MaxSize bounds the size of an instruction.
const MaxSize = 15

// CallSize is the size of CALL and JMP with a 32-bit displacement.
const CallSize = 5

// Opcodes of instructions that ftrace writes.
const (
	OpCall   = 0xe8 // CALL rel32
	OpJump   = 0xe9 // JMP rel32
	OpInt3   = 0xcc
	OpMovEAX = 0xb8 // MOV imm32 to EAX
	OpRet    = 0xc3
	OpShort  = 0xeb // JMP rel8
)

// Nop5 is the NOP of 5 bytes that the kernel puts where a callsite calls nothing
// (SDM, "NOP": the recommended multi-byte sequences).
var Nop5 = [CallSize]byte{0x0f, 0x1f, 0x44, 0x00, 0x00}

// Endbr are the bytes of ENDBR64, the landing pad of indirect branches.
var Endbr = [4]byte{0xf3, 0x0f, 0x1e, 0xfa}

// Operations that x86asm does not know.
const (
	ENDBR64 = x86asm.Op(0xff00) + iota
	CLAC
	STAC
)

// Kind is the class of an instruction, as far as ftrace cares.
type Kind uint8

const (
	Other Kind = iota
	Nop
	Landing // ENDBR64
	Call    // CALL rel32
	Jump    // JMP rel
	JumpIf  // Jcc, JRCXZ, LOOP
	CallReg // CALL through a register or memory
	JumpReg // JMP through a register or memory
	Ret     // RET
	IRet    // IRET, SYSRET
	Trap    // INT3, UD0, UD1, UD2, HLT
)

var kindNames = [...]string{"other", "NOP", "landing pad", "CALL", "JMP", "Jcc", "indirect CALL", "indirect JMP", "RET", "IRET", "trap"}

func (k Kind) String() string { return kindNames[k] }

// EndsFlow reports whether no instruction of this kind goes on to the next one.
func (k Kind) EndsFlow() bool {
	return k == Jump || k == JumpReg || k == Ret || k == IRet || k == Trap
}

// An Insn is a decoded instruction.
type Insn struct {
	x86asm.Inst
	Kind Kind
}

// beside are the instructions that x86asm does not know.
var beside = []struct {
	code []byte
	op   x86asm.Op
	name string
}{
	{Endbr[:], ENDBR64, "endbr64"},
	{[]byte{0x0f, 0x01, 0xca}, CLAC, "clac"},
	{[]byte{0x0f, 0x01, 0xcb}, STAC, "stac"},
}

// Decode decodes the instruction at the start of code. ok is false if the bytes are
// no instruction that it knows.
func Decode(code []byte) (in Insn, ok bool) {
	for i := range beside {
		if b := &beside[i]; bytes.HasPrefix(code, b.code) {
			in.Op, in.Len, in.Mode = b.op, len(b.code), 64
			if b.op == ENDBR64 {
				in.Kind = Landing
			}
			return in, true
		}
	}
	inst, err := x86asm.Decode(code[:min(len(code), MaxSize)], 64)
	if err != nil || inst.Op == 0 || inst.Len == 0 {
		return Insn{}, false
	}
	for i, a := range inst.Args {
		// x86asm does not extend the sign of a displacement of 32 bits behind an
		// index. Only MOV of a register and an absolute address has 64 bits.
		if m, ok := a.(x86asm.Mem); ok && m.Disp == int64(uint32(m.Disp)) && inst.AddrSize == 64 && (inst.Opcode>>24&^3 != 0xa0 || inst.Op != x86asm.MOV) {
			m.Disp = int64(int32(m.Disp))
			inst.Args[i] = m
		}
	}
	return Insn{inst, kindOf(&inst)}, true
}

func kindOf(in *x86asm.Inst) Kind {
	_, relative := in.Args[0].(x86asm.Rel)
	switch in.Op {
	case x86asm.NOP, x86asm.FNOP:
		return Nop
	case x86asm.CALL:
		if relative {
			return Call
		}
		return CallReg
	case x86asm.JMP:
		if relative {
			return Jump
		}
		return JumpReg
	case x86asm.RET, x86asm.LRET:
		return Ret
	case x86asm.IRET, x86asm.IRETD, x86asm.IRETQ, x86asm.SYSRET, x86asm.SYSEXIT:
		return IRet
	case x86asm.INT, x86asm.UD0, x86asm.UD1, x86asm.UD2, x86asm.HLT:
		return Trap
	}
	if relative {
		return JumpIf
	}
	return Other
}

// Target is the address that a PC-relative instruction at pc refers to: where a
// branch goes, or the operand in memory that is addressed by RIP.
func (in *Insn) Target(pc uint64) (addr uint64, ok bool) {
	next := pc + uint64(in.Len)
	for _, a := range in.Args {
		switch a := a.(type) {
		case x86asm.Rel:
			return next + uint64(int64(a)), true
		case x86asm.Mem:
			if a.Base == x86asm.RIP {
				return next + uint64(a.Disp), true
			}
		}
	}
	return 0, false
}

// Reach are the displacements that a CALL or a JMP can encode from the instruction
// behind it.
const (
	MinReach = math.MinInt32
	MaxReach = math.MaxInt32
)

// reaches reports whether a displacement of 32 bits leads from the address next to
// target.
func reaches(next, target uint64) bool {
	d := int64(target - next)
	return MinReach <= d && d <= MaxReach
}

// EncodeCall is CALL at pc to target, EncodeJump JMP. ok is false if target is out of
// reach.
func EncodeCall(pc, target uint64) (code [CallSize]byte, ok bool) { return encode(OpCall, pc, target) }
func EncodeJump(pc, target uint64) (code [CallSize]byte, ok bool) { return encode(OpJump, pc, target) }

func encode(op byte, pc, target uint64) (code [CallSize]byte, ok bool) {
	next := pc + CallSize
	code[0] = op
	binary.LittleEndian.PutUint32(code[1:], uint32(target-next))
	return code, reaches(next, target)
}

// Retarget changes code, the bytes of a PC-relative instruction at pc, so that the
// instruction refers to target. ok is false if the instruction is not PC-relative or
// does not reach target; the bytes are then as they were.
func Retarget(code []byte, pc, target uint64) (ok bool) {
	in, ok := Decode(code)
	if !ok || in.PCRel == 0 {
		return false
	}
	d := int64(target - pc - uint64(in.Len))
	switch field := code[in.PCRelOff:]; in.PCRel {
	case 1:
		if d != int64(int8(d)) {
			return false
		}
		field[0] = byte(d)
	case 4:
		if d != int64(int32(d)) {
			return false
		}
		binary.LittleEndian.PutUint32(field, uint32(d))
	default:
		return false
	}
	return true
}

// Text is the instruction at the start of code, at pc, in the words of GNU as. name
// gives an address in words and may be nil or return "". If the bytes are no known
// instruction, the text is the first byte.
func Text(code []byte, pc uint64, name func(addr uint64) string) string {
	in, ok := Decode(code)
	if !ok {
		if len(code) == 0 {
			return "(nothing)"
		}
		return fmt.Sprintf(".byte %#02x", code[0])
	}
	for i := range beside {
		if beside[i].op == in.Op {
			return beside[i].name
		}
	}
	at := func(addr uint64) string {
		if name != nil {
			if s := name(addr); s != "" {
				return s
			}
		}
		return fmt.Sprintf("%#x", addr)
	}
	target, relative := in.Target(pc)
	text := x86asm.GNUSyntax(in.Inst, pc, func(addr uint64) (string, uint64) {
		if relative && addr == target {
			return at(addr), addr
		}
		return "", 0
	})
	if i := strings.Index(text, "(%rip)"); i >= 0 && relative { // behind a segment, x86asm looks up no name
		from := strings.LastIndexAny(text[:i], ":, ") + 1
		if addr := at(target); !strings.HasPrefix(addr, "0x") {
			text = text[:from] + addr + text[i:]
		}
	}
	switch in.Op { // GNU as needs no suffix in 64-bit code
	case x86asm.CALL, x86asm.RET, x86asm.JMP:
		for _, op := range []string{"call", "ret", "jmp"} {
			text = strings.Replace(text, op+"q", op, 1)
		}
	}
	return text
}

// Size is the size of the instruction at the start of code, 1 if the bytes are no
// known instruction.
func Size(code []byte) int {
	if in, ok := Decode(code); ok {
		return in.Len
	}
	return 1
}
