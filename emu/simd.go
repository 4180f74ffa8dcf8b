package emu

import "math/bits"

// ld128 and st128 load and store size bytes, 1 to 16, of a SIMD register.
func (m *Machine) ld128(a uint64, size uint8) (v [2]uint64, ok bool) {
	if size < 16 {
		v[0], ok = m.ld(a, size)
		return v, ok
	}
	if v[0], ok = m.ld(a, 8); ok {
		v[1], ok = m.ld(a+8, 8)
	}
	return v, ok
}

func (m *Machine) st128(a uint64, v [2]uint64, size uint8) bool {
	if size < 16 {
		return m.st(a, v[0], size)
	}
	return m.st(a, v[0], 8) && m.st(a+8, v[1], 8)
}

// vectorLoadStore executes loads and stores of SIMD registers. If it returns
// false, m.stop says why.
func (m *Machine) vectorLoadStore(o *op) bool {
	a, ok := m.address(o)
	if !ok {
		return false
	}
	first, second := &m.Q[o.rd&31], &m.Q[o.ra&31]
	next := a + uint64(o.sh) // of a pair
	switch o.code {
	case opLdV:
		v, ok := m.ld128(a, o.sh)
		if !ok {
			return false
		}
		*first = v
	case opStV:
		if !m.st128(a, *first, o.sh) {
			return false
		}
	case opLdpV:
		v, ok := m.ld128(a, o.sh)
		if !ok {
			return false
		}
		w, ok := m.ld128(next, o.sh)
		if !ok {
			return false
		}
		*first, *second = v, w
	case opStpV:
		if !m.st128(a, *first, o.sh) || !m.st128(next, *second, o.sh) {
			return false
		}
	}
	m.writeback(o)
	return true
}

// decodeVector is decode for SIMD registers. ext is 1 if the vector has 16
// bytes, sh the size of an element, imm its number or the constant.
func decodeVector(f *form, w uint32) op {
	rd, rn, q := field(w, 0, 5), field(w, 5, 5), field(w, 30, 1)
	o := op{code: f.code, rd: rd, rn: rn, rm: field(w, 16, 5), ext: q}
	unknown := op{code: opUnknown}
	if f.format == fmtVec3 {
		return o
	}
	if f.format == fmtVecImm {
		var ok bool
		if o.imm, ok = vectorImm(w); !ok {
			return unknown
		}
		o.sh = 0 // replace
		if cmode := field(w, 12, 4); cmode&1 == 1 && cmode < 12 {
			o.sh = 1 + field(w, 29, 1) // ORR, BIC
		}
		return o
	}
	imm5 := field(w, 16, 5)
	scale := uint8(bits.TrailingZeros8(imm5))
	if imm5&15 == 0 {
		return unknown
	}
	o.sh, o.imm = 1<<scale, uint64(imm5>>(scale+1))
	switch o.code {
	case opDup:
		o.rn = src(rn)
		if scale == 3 && q == 0 {
			return unknown
		}
	case opIns:
		o.rn = src(rn)
	case opUmov: // X for 8 bytes, W for less
		o.rd = dst(rd)
		if (scale == 3) != (q == 1) {
			return unknown
		}
	case opSmov:
		o.rd = dst(rd)
		if scale == 3 || scale == 2 && q == 0 {
			return unknown
		}
	}
	return o
}

// vectorImm is the constant of MOVI, MVNI, ORR, BIC and FMOV (vector,
// immediate), inverted where the instruction inverts it: AdvSIMDExpandImm of
// DDI 0487, J1. For BIC the constant has the bits that stay.
func vectorImm(w uint32) (uint64, bool) {
	imm8 := uint64(w>>16&7<<5 | w>>5&31)
	cmode, invert, q := field(w, 12, 4), w>>29&1 == 1, w>>30&1 == 1
	const each8, each16, each32 = 0x0101010101010101, 0x0001000100010001, 0x0000000100000001
	var v uint64
	switch {
	case cmode < 8:
		v = imm8 << (8 * (cmode >> 1)) * each32
	case cmode < 12:
		v = imm8 << (8 * (cmode >> 1 & 1)) * each16
	case cmode == 12:
		v = (imm8<<8 | 0xff) * each32
	case cmode == 13:
		v = (imm8<<16 | 0xffff) * each32
	case cmode == 14 && !invert:
		v = imm8 * each8
	case cmode == 14: // each bit is a byte
		for i := range 8 {
			if imm8>>i&1 == 1 {
				v |= 0xff << (8 * i)
			}
		}
		return v, true
	case !invert: // FMOV of single precision: aBbbbbbc defgh000...
		b := imm8 >> 6 & 1
		v = (imm8>>7<<31 | (1^b)<<30 | b*31<<25 | imm8&63<<19) * each32
	case q: // of double precision
		b := imm8 >> 6 & 1
		return imm8>>7<<63 | (1^b)<<62 | b*255<<54 | imm8&63<<48, true
	default:
		return 0, false
	}
	if invert {
		v = ^v
	}
	return v, true
}

// vector executes instructions on SIMD registers without a memory operand.
func (m *Machine) vector(o *op) {
	q := &m.Q
	n, k := q[o.rn&31], q[o.rm&31] // where rn is general, n is not used
	general := m.r[o.rn]
	var v [2]uint64
	switch o.code {
	case opFmovInS:
		v[0] = uint64(uint32(general))
	case opFmovInD:
		v[0] = general
	case opFmovInH:
		v = [2]uint64{q[o.rd&31][0], general}
	case opFmovOutS:
		m.r[o.rd] = uint64(uint32(n[0]))
		return
	case opFmovOutD:
		m.r[o.rd] = n[0]
		return
	case opFmovOutH:
		m.r[o.rd] = n[1]
		return
	case opIns:
		v = q[o.rd&31]
		half, at := element(o)
		keep := ^uint64(0) << (64 - 8*o.sh) >> (64 - 8*o.sh) << at
		v[half] = v[half]&^keep | general<<at&keep
		q[o.rd&31] = v
		return
	case opUmov:
		half, at := element(o)
		m.r[o.rd] = truncate(n[half]>>at, o.sh)
		return
	case opSmov:
		half, at := element(o)
		s := 64 - 8*o.sh
		x := uint64(int64(n[half]>>at<<s) >> s)
		if o.ext == 0 {
			x &= 0xffffffff
		}
		m.r[o.rd] = x
		return
	case opDup:
		x := truncate(general, o.sh)
		for s := 8 * o.sh; s < 64; s *= 2 {
			x |= x << s
		}
		v = [2]uint64{x, x}
	case opVecImm:
		v = q[o.rd&31]
		for i := range v {
			switch o.sh {
			case 0:
				v[i] = o.imm
			case 1:
				v[i] |= o.imm
			case 2:
				v[i] &= o.imm
			}
		}
	default:
		for i := range v {
			switch o.code {
			case opVecAnd:
				v[i] = n[i] & k[i]
			case opVecBic:
				v[i] = n[i] &^ k[i]
			case opVecOrr:
				v[i] = n[i] | k[i]
			case opVecOrn:
				v[i] = n[i] | ^k[i]
			case opVecEor:
				v[i] = n[i] ^ k[i]
			}
		}
	}
	if o.ext == 0 && o.code != opFmovInH { // 8 bytes: the rest is zero
		v[1] = 0
	}
	q[o.rd&31] = v
}

// element is the place of element o.imm of o.sh bytes: the half of the register,
// and the bit in that half.
func element(o *op) (half, at uint64) {
	bit := o.imm * uint64(o.sh) * 8
	return bit / 64, bit % 64
}
