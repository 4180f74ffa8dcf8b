package x64

import (
	"golang.org/x/arch/x86/x86asm"

	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/x64"
)

// Each function executes an instruction. It returns false if the instruction failed,
// and then Core.Failed says why and registers are as before.

func nop(*Machine, *op) bool { return true }

func mov(m *Machine, o *op) bool {
	v, ok := m.get(&o.b)
	return ok && m.set(&o.a, v)
}

func movSigned(m *Machine, o *op) bool {
	v, ok := m.get(&o.b)
	return ok && m.set(&o.a, signed(v, o.b.size))
}

func lea(m *Machine, o *op) bool { return m.set(&o.a, m.address(&o.b)) }

func xchg(m *Machine, o *op) bool {
	a, ok1 := m.get(&o.a)
	b, ok2 := m.get(&o.b)
	if !ok1 || !ok2 {
		return false
	}
	if o.b.kind == mem { // the store can fail: it comes first
		return m.set(&o.b, a) && m.set(&o.a, b)
	}
	return m.set(&o.a, b) && m.set(&o.b, a)
}

func bswap(m *Machine, o *op) bool {
	v, _ := m.get(&o.a)
	var out uint64
	for range o.size {
		out = out<<8 | v&0xff
		v >>= 8
	}
	return m.set(&o.a, out)
}

// stackSize is the size of an operand on the stack: 8 bytes, or 2 with a prefix.
func stackSize(o *op) uint8 {
	if o.size == 2 {
		return 2
	}
	return 8
}

func push(m *Machine, o *op) bool {
	v, ok := m.get(&o.a)
	if o.a.kind == imm {
		return m.push(v, 8)
	}
	return ok && m.push(v, stackSize(o))
}

func pop(m *Machine, o *op) bool {
	v, ok := m.pop(stackSize(o))
	if !ok {
		return false
	}
	if !m.set(&o.a, v) { // an address by RSP is computed after the pop
		m.R[RSP] -= uint64(stackSize(o))
		return false
	}
	return true
}

func leave(m *Machine, _ *op) bool {
	v, ok := m.Get(m.R[RBP], 8)
	if ok {
		m.R[RSP], m.R[RBP] = m.R[RBP]+8, v
	}
	return ok
}

func pushf(m *Machine, o *op) bool { return m.push(m.Flags&^(1<<16|1<<17)|flagOne, stackSize(o)) }

func popf(m *Machine, o *op) bool {
	v, ok := m.pop(stackSize(o))
	if ok {
		change := changing & mask(stackSize(o))
		m.Flags = m.Flags&^change | v&change | flagOne
	}
	return ok
}

func lahf(m *Machine, _ *op) bool {
	m.R[RAX] = m.R[RAX]&^0xff00 | (m.Flags&0xd5|flagOne)<<8
	return true
}

func sahf(m *Machine, _ *op) bool {
	m.Flags = m.Flags&^0xd5 | m.R[RAX]>>8&0xd5
	return true
}

func setFlag(bit uint64, on bool) func(*Machine, *op) bool {
	return func(m *Machine, _ *op) bool {
		m.Flags &^= bit
		if on {
			m.Flags |= bit
		}
		return true
	}
}

func cmc(m *Machine, _ *op) bool {
	m.Flags ^= FlagCF
	return true
}

// widen is CBW, CWDE, CDQE: AL to AX, AX to EAX, EAX to RAX.
func widen(m *Machine, o *op) bool {
	m.setReg(RAX, o.size, signed(m.R[RAX], o.size/2))
	return true
}

// spread is CWD, CDQ, CQO: the sign of RAX to all of RDX.
func spread(m *Machine, o *op) bool {
	m.setReg(RDX, o.size, uint64(int64(signed(m.R[RAX], o.size))>>63))
	return true
}

// holds reports whether a condition holds.
func (m *Machine) holds(cc uint8) bool {
	f := func(bit uint64) bool { return m.Flags&bit != 0 }
	var is bool
	switch cc >> 1 {
	case 0:
		is = f(FlagOF)
	case 1:
		is = f(FlagCF)
	case 2:
		is = f(FlagZF)
	case 3:
		is = f(FlagCF) || f(FlagZF)
	case 4:
		is = f(FlagSF)
	case 5:
		is = f(FlagPF)
	case 6:
		is = f(FlagSF) != f(FlagOF)
	default:
		is = f(FlagZF) || f(FlagSF) != f(FlagOF)
	}
	return is != (cc&1 == 1)
}

func jcc(m *Machine, o *op) bool {
	if m.holds(o.cc) {
		m.next = o.to
	}
	return true
}

func setcc(m *Machine, o *op) bool {
	v := uint64(0)
	if m.holds(o.cc) {
		v = 1
	}
	return m.set(&o.a, v)
}

// cmov loads its operand in any case, and writes the register in any case: the upper
// half of a 32-bit one becomes zero.
func cmov(m *Machine, o *op) bool {
	v, ok := m.get(&o.b)
	if !ok {
		return false
	}
	if !m.holds(o.cc) {
		v, _ = m.get(&o.a)
	}
	return m.set(&o.a, v)
}

func jrcxz(m *Machine, o *op) bool {
	if m.R[RCX] == 0 {
		m.next = o.to
	}
	return true
}

func loop(m *Machine, o *op) bool {
	m.R[RCX]--
	if m.R[RCX] != 0 {
		m.next = o.to
	}
	return true
}

// target is where a branch goes.
func (m *Machine) target(o *op) (uint64, bool) {
	if o.kind == x64.Call || o.kind == x64.Jump {
		return o.to, true
	}
	return m.get(&o.a)
}

func call(m *Machine, o *op) bool {
	to, ok := m.target(o)
	if !ok || !m.push(m.next, 8) {
		return false
	}
	m.next = to
	return true
}

func jmp(m *Machine, o *op) bool {
	to, ok := m.target(o)
	if ok {
		m.next = to
	}
	return ok
}

func ret(m *Machine, o *op) bool {
	to, ok := m.pop(8)
	if ok {
		m.R[RSP] += o.a.disp // RET imm16
		m.next = to
	}
	return ok
}

func rdtsc(m *Machine, _ *op) bool {
	m.R[RAX], m.R[RDX] = m.Steps&0xffff_ffff, m.Steps>>32
	return true
}

func trap(m *Machine, _ *op) bool {
	if m.OnTrap != nil && m.OnTrap(m.PC) == emu.Continue {
		return true
	}
	m.Fail(emu.Break, m.PC, 0)
	return false
}

// maxRepeat bounds the steps of one string instruction: each counts as a quarter of
// an instruction.
const maxRepeat = 1 << 20

// str is a string instruction: one step of size bytes, or with a prefix RCX of them.
// One that compares ends where ZF is not what the prefix says.
func str(step func(m *Machine, size uint8, delta uint64) bool, size uint8, compares bool) func(*Machine, *op) bool {
	return func(m *Machine, o *op) bool {
		delta := uint64(size)
		if m.Flags&FlagDF != 0 {
			delta = -delta
		}
		if o.rep == 0 {
			return step(m, size, delta)
		}
		for n := 0; m.R[RCX] != 0; n++ {
			if n == maxRepeat || n%4 == 3 && !m.Step() {
				m.Fail(emu.StepLimit, m.PC, 0)
				return false
			}
			if !step(m, size, delta) {
				return false
			}
			m.R[RCX]--
			if compares && (m.Flags&FlagZF != 0) != (x86asm.Prefix(o.rep) == x86asm.PrefixREP) {
				break
			}
		}
		return true
	}
}

func movs(m *Machine, size uint8, delta uint64) bool {
	v, ok := m.Get(m.R[RSI], size)
	if !ok || !m.Put(m.R[RDI], v, size) {
		return false
	}
	m.R[RSI] += delta
	m.R[RDI] += delta
	return true
}

func stos(m *Machine, size uint8, delta uint64) bool {
	if !m.Put(m.R[RDI], m.R[RAX]&mask(size), size) {
		return false
	}
	m.R[RDI] += delta
	return true
}

func lods(m *Machine, size uint8, delta uint64) bool {
	v, ok := m.Get(m.R[RSI], size)
	if !ok {
		return false
	}
	m.setReg(RAX, size, v)
	m.R[RSI] += delta
	return true
}

func cmps(m *Machine, size uint8, delta uint64) bool {
	a, ok1 := m.Get(m.R[RSI], size)
	b, ok2 := m.Get(m.R[RDI], size)
	if !ok1 || !ok2 {
		return false
	}
	sub(m, a, b, size)
	m.R[RSI] += delta
	m.R[RDI] += delta
	return true
}

func scas(m *Machine, size uint8, delta uint64) bool {
	b, ok := m.Get(m.R[RDI], size)
	if !ok {
		return false
	}
	sub(m, m.R[RAX]&mask(size), b, size)
	m.R[RDI] += delta
	return true
}
