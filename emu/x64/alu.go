package x64

import (
	"math/bits"

	"github.com/ftlint/ftlint/emu"
)

// An operation is a result of two numbers of size bytes. It sets the flags.
type operation func(m *Machine, a, b uint64, size uint8) uint64

// put changes the status flags of a mask.
func (m *Machine) put(which, flags uint64) { m.Flags = m.Flags&^which | flags&which }

// of is SF, ZF and PF of a result.
func of(v uint64, size uint8) (flags uint64) {
	v &= mask(size)
	if v == 0 {
		flags |= FlagZF
	}
	if v>>(8*size-1) != 0 {
		flags |= FlagSF
	}
	if bits.OnesCount8(uint8(v))%2 == 0 {
		flags |= FlagPF
	}
	return flags
}

func when(is bool, flag uint64) uint64 {
	if is {
		return flag
	}
	return 0
}

// carrying adds, with a carry. Subtracting is adding the complement; borrow says that
// it was done, and CF and AF are then the other way round.
func (m *Machine) carrying(a, b, carry uint64, size uint8, borrow bool) uint64 {
	b &= mask(size)
	a &= mask(size)
	sum, c := bits.Add64(a, b, carry)
	if size < 8 {
		c = sum >> (8 * size) & 1
		sum &= mask(size)
	}
	top := uint64(1) << (8*size - 1)
	flags := of(sum, size) | when((a^sum)&(b^sum)&top != 0, FlagOF)
	flags |= when((c == 1) != borrow, FlagCF) | when((a&15+b&15+carry > 15) != borrow, FlagAF)
	m.put(status, flags)
	return sum
}

func (m *Machine) carry() uint64 { return m.Flags & FlagCF }

func add(m *Machine, a, b uint64, size uint8) uint64 { return m.carrying(a, b, 0, size, false) }
func adc(m *Machine, a, b uint64, size uint8) uint64 { return m.carrying(a, b, m.carry(), size, false) }
func sub(m *Machine, a, b uint64, size uint8) uint64 { return m.carrying(a, ^b, 1, size, true) }
func sbb(m *Machine, a, b uint64, size uint8) uint64 {
	return m.carrying(a, ^b, 1-m.carry(), size, true)
}

// logic sets the flags of a logical result. AF is undefined.
func (m *Machine) logic(v uint64, size uint8) uint64 {
	m.put(status, of(v, size))
	return v
}

func and(m *Machine, a, b uint64, size uint8) uint64 { return m.logic(a&b, size) }
func or(m *Machine, a, b uint64, size uint8) uint64  { return m.logic(a|b, size) }
func xor(m *Machine, a, b uint64, size uint8) uint64 { return m.logic(a^b, size) }

// arith is an instruction that changes its first operand. The flags of one that
// fails are as before.
func arith(f operation) func(*Machine, *op) bool {
	return func(m *Machine, o *op) bool {
		a, ok1 := m.get(&o.a)
		b, ok2 := m.get(&o.b)
		if !ok1 || !ok2 {
			return false
		}
		before := m.Flags
		if !m.set(&o.a, f(m, a, b, o.size)) {
			m.Flags = before
			return false
		}
		return true
	}
}

// compare is an instruction that sets the flags alone.
func compare(f operation) func(*Machine, *op) bool {
	return func(m *Machine, o *op) bool {
		a, ok1 := m.get(&o.a)
		b, ok2 := m.get(&o.b)
		if ok1 && ok2 {
			f(m, a, b, o.size)
		}
		return ok1 && ok2
	}
}

// change is an instruction of one operand.
func change(m *Machine, o *op, f func(v uint64) uint64) bool {
	v, ok := m.get(&o.a)
	before := m.Flags
	if !ok || !m.set(&o.a, f(v)) {
		m.Flags = before
		return false
	}
	return true
}

func not(m *Machine, o *op) bool { return change(m, o, func(v uint64) uint64 { return ^v }) }
func neg(m *Machine, o *op) bool {
	return change(m, o, func(v uint64) uint64 { return sub(m, 0, v, o.size) })
}

// inc and dec leave CF alone.
func inc(m *Machine, o *op) bool {
	cf := m.carry()
	return change(m, o, func(v uint64) uint64 { v = add(m, v, 1, o.size); m.put(FlagCF, cf); return v })
}

func dec(m *Machine, o *op) bool {
	cf := m.carry()
	return change(m, o, func(v uint64) uint64 { v = sub(m, v, 1, o.size); m.put(FlagCF, cf); return v })
}

// wide sets RDX:RAX, or AX for bytes.
func (m *Machine) wide(hi, lo uint64, size uint8) {
	if size == 1 {
		m.setReg(RAX, 2, lo&0xff|hi<<8)
		return
	}
	m.setReg(RAX, size, lo)
	m.setReg(RDX, size, hi)
}

// product is the halves of a product of numbers of size bytes.
func product(a, b uint64, size uint8) (hi, lo uint64) {
	if size == 8 {
		return bits.Mul64(a, b)
	}
	p := a * b
	return p >> (8 * size) & mask(size), p & mask(size)
}

// signedProduct is product of signed numbers. fits reports whether the lower half has
// all of it.
func signedProduct(a, b uint64, size uint8) (hi, lo uint64, fits bool) {
	x, y := signed(a, size), signed(b, size)
	if size == 8 {
		hi, lo = bits.Mul64(x, y)
		hi -= uint64(int64(x)>>63)&y + uint64(int64(y)>>63)&x
		return hi, lo, hi == uint64(int64(lo)>>63)
	}
	p := x * y
	hi, lo = p>>(8*size)&mask(size), p&mask(size)
	return hi, lo, p == signed(lo, size)
}

// mul and imul leave SF, ZF, AF and PF undefined.
func mul(m *Machine, o *op) bool {
	b, ok := m.get(&o.a)
	if !ok {
		return false
	}
	hi, lo := product(m.R[RAX]&mask(o.size), b, o.size)
	m.wide(hi, lo, o.size)
	m.put(FlagCF|FlagOF, when(hi != 0, FlagCF|FlagOF))
	return true
}

func imul(m *Machine, o *op) bool {
	a, ok := m.get(&o.a)
	if !ok {
		return false
	}
	if o.b.kind == none {
		hi, lo, fits := signedProduct(m.R[RAX], a, o.size)
		m.wide(hi, lo, o.size)
		m.put(FlagCF|FlagOF, when(!fits, FlagCF|FlagOF))
		return true
	}
	b, ok := m.get(&o.b)
	if !ok {
		return false
	}
	if o.c.kind != none {
		a = o.c.disp
	}
	_, lo, fits := signedProduct(a, b, o.size)
	m.put(FlagCF|FlagOF, when(!fits, FlagCF|FlagOF))
	return m.set(&o.a, lo)
}

// div and idiv leave all flags undefined.
func div(m *Machine, o *op) bool {
	b, ok := m.get(&o.a)
	if !ok {
		return false
	}
	hi, lo := m.dividend(o.size)
	if hi >= b { // also where b is 0
		return m.divideError()
	}
	q, r := bits.Div64(hi, lo, b)
	if o.size < 8 {
		v := hi<<(8*o.size) | lo
		q, r = v/b, v%b
	}
	m.wide(r, q, o.size)
	return true
}

// dividend is the halves of RDX:RAX, or of AX for bytes.
func (m *Machine) dividend(size uint8) (hi, lo uint64) {
	if size == 1 {
		return m.R[RAX] >> 8 & 0xff, m.R[RAX] & 0xff
	}
	return m.R[RDX] & mask(size), m.R[RAX] & mask(size)
}

func (m *Machine) divideError() bool {
	m.Fail(emu.Exception, m.PC, 0)
	return false
}

func idiv(m *Machine, o *op) bool {
	b, ok := m.get(&o.a)
	if !ok {
		return false
	}
	hi, lo := m.dividend(o.size)
	d := int64(signed(b, o.size))
	if d == 0 {
		return m.divideError()
	}
	if o.size < 8 {
		v := int64(signed(hi<<(8*o.size)|lo, 2*o.size))
		if d == -1 && v == -1<<63 {
			return m.divideError()
		}
		q, r := v/d, v%d
		if q != int64(signed(uint64(q), o.size)) {
			return m.divideError()
		}
		m.wide(uint64(r), uint64(q), o.size)
		return true
	}
	negative, less := int64(hi) < 0, d < 0
	if negative {
		var c uint64
		lo, c = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, c)
	}
	by := uint64(d)
	if less {
		by = -by
	}
	if hi >= by {
		return m.divideError()
	}
	q, r := bits.Div64(hi, lo, by)
	if negative != less {
		if q > 1<<63 {
			return m.divideError()
		}
		q = -q
	} else if q >= 1<<63 {
		return m.divideError()
	}
	if negative {
		r = -r
	}
	m.wide(r, q, 8)
	return true
}

// A shifter shifts v of size bytes by n, which is not 0 and less than 64. flags are
// CF, OF and, of shifts but not of rotates, the others.
type shifter func(m *Machine, v uint64, n uint, size uint8) (out, flags, which uint64)

// count is the number of bits to shift by: modulo 64, or 32 for smaller operands.
func shiftCount(v uint64, size uint8) uint {
	if size == 8 {
		return uint(v & 63)
	}
	return uint(v & 31)
}

// shift is an instruction that shifts or rotates. With a count of 0 no flag changes.
func shift(f shifter) func(*Machine, *op) bool {
	return func(m *Machine, o *op) bool {
		v, ok1 := m.get(&o.a)
		by, ok2 := uint64(1), true
		if o.b.kind != none {
			by, ok2 = m.get(&o.b)
		}
		if !ok1 || !ok2 {
			return false
		}
		n := shiftCount(by, o.size)
		if n == 0 {
			return m.set(&o.a, v)
		}
		out, flags, which := f(m, v, n, o.size)
		if !m.set(&o.a, out) {
			return false
		}
		m.put(which, flags)
		return true
	}
}

const szp = FlagSF | FlagZF | FlagPF

func shl(_ *Machine, v uint64, n uint, size uint8) (out, flags, which uint64) {
	width := uint(8 * size)
	out = v << n & mask(size)
	cf := n <= width && v>>(width-n)&1 == 1
	top := out>>(width-1)&1 == 1
	return out, of(out, size) | when(cf, FlagCF) | when(cf != top, FlagOF), szp | FlagCF | FlagOF
}

func shr(_ *Machine, v uint64, n uint, size uint8) (out, flags, which uint64) {
	out = v >> n
	return out, of(out, size) | when(v>>(n-1)&1 == 1, FlagCF) | when(v>>(8*size-1)&1 == 1, FlagOF), szp | FlagCF | FlagOF
}

func sar(_ *Machine, v uint64, n uint, size uint8) (out, flags, which uint64) {
	x := int64(signed(v, size))
	out = uint64(x>>n) & mask(size)
	return out, of(out, size) | when(uint64(x>>(n-1))&1 == 1, FlagCF), szp | FlagCF | FlagOF
}

func rol(_ *Machine, v uint64, n uint, size uint8) (out, flags, which uint64) {
	width := uint(8 * size)
	n %= width
	out = (v<<n | v>>(width-n)) & mask(size)
	cf := out&1 == 1
	return out, when(cf, FlagCF) | when(cf != (out>>(width-1) == 1), FlagOF), FlagCF | FlagOF
}

func ror(_ *Machine, v uint64, n uint, size uint8) (out, flags, which uint64) {
	width := uint(8 * size)
	n %= width
	out = (v>>n | v<<(width-n)) & mask(size)
	top := out>>(width-1) == 1
	return out, when(top, FlagCF) | when(top != (out>>(width-2)&1 == 1), FlagOF), FlagCF | FlagOF
}

// rcl and rcr rotate through CF, bit by bit.
func rcl(m *Machine, v uint64, n uint, size uint8) (out, flags, which uint64) {
	width := uint(8 * size)
	cf := m.carry()
	for range n % (width + 1) {
		v, cf = v<<1&mask(size)|cf, v>>(width-1)&1
	}
	return v, when(cf == 1, FlagCF) | when((v>>(width-1)&1 == 1) != (cf == 1), FlagOF), FlagCF | FlagOF
}

func rcr(m *Machine, v uint64, n uint, size uint8) (out, flags, which uint64) {
	width := uint(8 * size)
	cf := m.carry()
	for range n % (width + 1) {
		v, cf = v>>1|cf<<(width-1), v&1
	}
	return v, when(cf == 1, FlagCF) | when((v>>(width-1)&1 == 1) != (v>>(width-2)&1 == 1), FlagOF), FlagCF | FlagOF
}

// double is SHLD and SHRD.
func double(m *Machine, o *op, f func(a, b uint64, n, width uint) (out uint64, cf bool)) bool {
	a, ok := m.get(&o.a)
	if !ok {
		return false
	}
	b, _ := m.get(&o.b)
	by, _ := m.get(&o.c)
	n := shiftCount(by, o.size)
	if n == 0 {
		return m.set(&o.a, a)
	}
	width := uint(8 * o.size)
	out, cf := f(a, b, n, width)
	out &= mask(o.size)
	if !m.set(&o.a, out) {
		return false
	}
	m.put(szp|FlagCF|FlagOF, of(out, o.size)|when(cf, FlagCF)|when((a^out)>>(width-1)&1 == 1, FlagOF))
	return true
}

func shld(m *Machine, o *op) bool {
	return double(m, o, func(a, b uint64, n, width uint) (uint64, bool) {
		return a<<n | b>>(width-n), n <= width && a>>(width-n)&1 == 1
	})
}

func shrd(m *Machine, o *op) bool {
	return double(m, o, func(a, b uint64, n, width uint) (uint64, bool) {
		return a>>n | b<<(width-n), a>>(n-1)&1 == 1
	})
}

// What BT and its kin do with the bit.
const (
	btKeep = iota
	btSet
	btReset
	btFlip
)

// bit is BT and its kin. In memory a register's number of a bit can lie outside of the
// operand.
func bit(what int) func(*Machine, *op) bool {
	return func(m *Machine, o *op) bool {
		n, _ := m.get(&o.b)
		at := o.a
		if at.kind == mem && o.b.kind == reg {
			bytes := int64(signed(n, o.size)) >> (3 + bits.TrailingZeros8(o.size)) * int64(o.size)
			at.disp += uint64(bytes)
		}
		n %= uint64(8 * o.size)
		v, ok := m.get(&at)
		if !ok {
			return false
		}
		is := v>>n&1 == 1
		switch what {
		case btSet:
			v |= 1 << n
		case btReset:
			v &^= 1 << n
		case btFlip:
			v ^= 1 << n
		}
		if what != btKeep && !m.set(&at, v) {
			return false
		}
		m.put(FlagCF, when(is, FlagCF))
		return true
	}
}

// scan is BSF and BSR. The register is undefined if no bit is set: as with qemu, it
// keeps what the operation's size has of it.
func scan(reverse bool) func(*Machine, *op) bool {
	return func(m *Machine, o *op) bool {
		v, ok := m.get(&o.b)
		if !ok {
			return false
		}
		m.put(FlagZF, when(v == 0, FlagZF))
		if v == 0 {
			before, _ := m.get(&o.a)
			return m.set(&o.a, before)
		}
		n := bits.TrailingZeros64(v)
		if reverse {
			n = bits.Len64(v) - 1
		}
		return m.set(&o.a, uint64(n))
	}
}

func trailing(v uint64, size uint8) uint64 {
	return min(uint64(bits.TrailingZeros64(v)), 8*uint64(size))
}
func leading(v uint64, size uint8) uint64 {
	return uint64(bits.LeadingZeros64(v)) - (64 - 8*uint64(size))
}
func ones(v uint64, _ uint8) uint64 { return uint64(bits.OnesCount64(v)) }

// count is TZCNT, LZCNT and POPCNT.
func count(f func(v uint64, size uint8) uint64) func(*Machine, *op) bool {
	isOnes := f(^uint64(0), 8) == 64
	return func(m *Machine, o *op) bool {
		v, ok := m.get(&o.b)
		if !ok {
			return false
		}
		n := f(v, o.size)
		if isOnes {
			m.put(status, when(v == 0, FlagZF))
		} else {
			m.put(FlagCF|FlagZF, when(v == 0, FlagCF)|when(n == 0, FlagZF))
		}
		return m.set(&o.a, n)
	}
}

func xadd(m *Machine, o *op) bool {
	a, ok := m.get(&o.a)
	if !ok {
		return false
	}
	b, _ := m.get(&o.b)
	before := m.Flags
	sum := add(m, a, b, o.size)
	if o.a.kind != mem {
		m.set(&o.b, a)
		return m.set(&o.a, sum)
	}
	if !m.set(&o.a, sum) {
		m.Flags = before
		return false
	}
	return m.set(&o.b, a)
}

func cmpxchg(m *Machine, o *op) bool {
	a, ok := m.get(&o.a)
	if !ok {
		return false
	}
	b, _ := m.get(&o.b)
	before, acc := m.Flags, m.R[RAX]&mask(o.size)
	sub(m, acc, a, o.size)
	if acc == a {
		if !m.set(&o.a, b) {
			m.Flags = before
			return false
		}
		return true
	}
	// The operand is written in any case, RAX if it differs.
	if o.a.kind == mem && !m.set(&o.a, a) {
		m.Flags = before
		return false
	}
	m.setReg(RAX, o.size, a)
	return true
}

// cmpxchg2 is CMPXCHG8B and CMPXCHG16B.
func cmpxchg2(m *Machine, o *op) bool {
	half := o.a.size / 2
	at := m.linear(&o.a)
	if half == 8 && at%16 != 0 {
		m.Fail(emu.Misaligned, at, 0)
		return false
	}
	lo, ok1 := m.Get(at, half)
	hi, ok2 := m.Get(at+uint64(half), half)
	if !ok1 || !ok2 || !m.CanPut(at, half*2) {
		return false
	}
	if lo == m.R[RAX]&mask(half) && hi == m.R[RDX]&mask(half) {
		m.put(FlagZF, FlagZF)
		return m.Put(at, m.R[RBX]&mask(half), half) && m.Put(at+uint64(half), m.R[RCX]&mask(half), half)
	}
	m.put(FlagZF, 0)
	m.setReg(RAX, half, lo)
	m.setReg(RDX, half, hi)
	return true
}
