package x64

import (
	"golang.org/x/arch/x86/x86asm"

	"github.com/ftlint/ftlint/x64"
)

// kindOf an operand.
type operandKind uint8

const (
	none operandKind = iota
	reg
	regHigh // AH, CH, DH, BH
	mem
	imm
)

// An operand is an operand of an instruction.
type operand struct {
	kind        operandKind
	size        uint8 // in bytes
	reg         uint8
	base, index int8 // of mem; -1: none
	scale       uint8
	seg         x86asm.Reg // FS, GS, or 0
	narrow      bool       // addresses have 32 bits
	disp        uint64     // of mem, the address of the next instruction included where that is the base; of imm, the value
}

// An op is a decoded instruction.
type op struct {
	do   func(m *Machine, o *op) bool // false: Failed says why
	a, b operand
	c    operand
	size uint8 // of the operation, in bytes
	len  uint8 // in bytes
	cc   uint8 // the condition of Jcc, SETcc, CMOVcc
	rep  uint8 // of string instructions: the prefix, or 0
	lock bool
	kind x64.Kind
	to   uint64 // where a direct branch goes
}

// regOf is the operand of a register.
func regOf(r x86asm.Reg) (o operand, ok bool) {
	o = operand{kind: reg, base: -1, index: -1}
	switch {
	case r >= x86asm.AL && r <= x86asm.BL:
		o.size, o.reg = 1, uint8(r-x86asm.AL)
	case r >= x86asm.AH && r <= x86asm.BH:
		o.size, o.reg, o.kind = 1, uint8(r-x86asm.AH), regHigh
	case r >= x86asm.SPB && r <= x86asm.R15B:
		o.size, o.reg = 1, uint8(r-x86asm.SPB)+RSP
	case r >= x86asm.AX && r <= x86asm.R15W:
		o.size, o.reg = 2, uint8(r-x86asm.AX)
	case r >= x86asm.EAX && r <= x86asm.R15L:
		o.size, o.reg = 4, uint8(r-x86asm.EAX)
	case r >= x86asm.RAX && r <= x86asm.R15:
		o.size, o.reg = 8, uint8(r-x86asm.RAX)
	default:
		return o, false
	}
	return o, true
}

// number is the number of a register in an address, -1 for none.
func number(r x86asm.Reg) (n int8, ok bool) {
	if r == 0 {
		return -1, true
	}
	o, ok := regOf(r)
	return int8(o.reg), ok && o.size >= 4
}

// operandOf is the operand of an argument. next is the address behind the
// instruction, size the size of an operand in memory.
func operandOf(in *x64.Insn, arg x86asm.Arg, next uint64) (o operand, ok bool) {
	switch a := arg.(type) {
	case nil:
		return operand{}, true
	case x86asm.Reg:
		return regOf(a)
	case x86asm.Imm:
		return operand{kind: imm, size: 8, disp: uint64(a)}, true
	case x86asm.Rel:
		return operand{kind: imm, size: 8, disp: next + uint64(int64(a))}, true
	case x86asm.Mem:
		o = operand{kind: mem, size: uint8(in.MemBytes), scale: a.Scale, disp: uint64(a.Disp), narrow: in.AddrSize == 32}
		switch a.Segment {
		case x86asm.FS, x86asm.GS:
			o.seg = a.Segment
		}
		if a.Base == x86asm.RIP || a.Base == x86asm.EIP {
			o.base, o.index, o.disp = -1, -1, o.disp+next
			return o, true
		}
		var ok1, ok2 bool
		o.base, ok1 = number(a.Base)
		o.index, ok2 = number(a.Index)
		return o, ok1 && ok2
	}
	return o, false
}

// address is the address of an operand in memory, less the segment's.
func (m *Machine) address(p *operand) uint64 {
	a := p.disp
	if p.base >= 0 {
		a += m.R[p.base]
	}
	if p.index >= 0 {
		a += m.R[p.index] * uint64(p.scale)
	}
	if p.narrow {
		a = uint64(uint32(a))
	}
	return a
}

// linear is the address of an operand in memory.
func (m *Machine) linear(p *operand) uint64 {
	a := m.address(p)
	switch p.seg {
	case x86asm.FS:
		a += m.FS
	case x86asm.GS:
		a += m.GS
	}
	return a
}

// mask is the numbers of size bytes.
func mask(size uint8) uint64 { return ^uint64(0) >> (64 - 8*uint(size)) }

// signed extends a number of size bytes with its sign.
func signed(v uint64, size uint8) uint64 {
	sh := 64 - 8*uint(size)
	return uint64(int64(v<<sh) >> sh)
}

// get is the value of an operand.
func (m *Machine) get(p *operand) (uint64, bool) {
	switch p.kind {
	case reg:
		return m.R[p.reg] & mask(p.size), true
	case regHigh:
		return m.R[p.reg] >> 8 & 0xff, true
	case imm:
		return p.disp, true
	}
	return m.Get(m.linear(p), p.size)
}

// set changes an operand. Writing 32 bits of a register clears the upper half.
func (m *Machine) set(p *operand, v uint64) bool {
	switch p.kind {
	case reg:
		switch p.size {
		case 8:
			m.R[p.reg] = v
		case 4:
			m.R[p.reg] = uint64(uint32(v))
		default:
			m.R[p.reg] = m.R[p.reg]&^mask(p.size) | v&mask(p.size)
		}
		return true
	case regHigh:
		m.R[p.reg] = m.R[p.reg]&^0xff00 | v&0xff<<8
		return true
	}
	return m.Put(m.linear(p), v, p.size)
}

// setReg changes size bytes of a general register.
func (m *Machine) setReg(n uint8, size uint8, v uint64) {
	p := operand{kind: reg, size: size, reg: n}
	m.set(&p, v)
}
