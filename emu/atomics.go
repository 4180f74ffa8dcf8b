package emu

// aligned is the base register of an ordered, exclusive or atomic access of
// size bytes. The address must be a multiple of size (DDI 0487, B2.8.2); if it
// is not, aligned returns false and m.stop says why.
func (m *Machine) aligned(o *op, size uint64) (uint64, bool) {
	a := m.r[o.rn]
	if a&(size-1) != 0 || o.rn == regSP && a&15 != 0 {
		m.fault(Misaligned, a, 0)
		return 0, false
	}
	return a, true
}

// atomic executes the ordered, exclusive and atomic loads and stores. If it
// returns false, m.stop says why.
func (m *Machine) atomic(o *op) bool {
	size := uint64(o.sh)
	pair := o.code == opLdxp || o.code == opStxp || o.code == opCasp
	if pair {
		size *= 2
	}
	a, ok := m.aligned(o, size)
	if !ok {
		return false
	}
	r := &m.r
	second := a + uint64(o.sh) // of a pair
	switch o.code {
	case opLdar:
		v, ok := m.ld(a, o.sh)
		if ok {
			r[o.rd] = v
		}
		return ok
	case opStlr:
		return m.st(a, r[o.rd], o.sh)

	case opLdxr:
		v, ok := m.ld(a, o.sh)
		if ok {
			r[o.rd] = v
			m.watchExclusive(a, uint8(size))
		}
		return ok
	case opLdxp:
		v, ok := m.ld(a, o.sh)
		if !ok {
			return false
		}
		w, ok := m.ld(second, o.sh)
		if ok {
			r[o.rd], r[o.ra] = v, w
			m.watchExclusive(a, uint8(size))
		}
		return ok
	case opStxr, opStxp: // rd is the status, rm and ra are stored
		status := uint64(1)
		if m.monitor.valid && m.monitor.addr == a && m.monitor.size == uint8(size) {
			status = 0
			if !m.st(a, r[o.rm], o.sh) || pair && !m.st(second, r[o.ra], o.sh) {
				return false
			}
		}
		m.monitor.valid = false
		r[o.rd] = status
		return true

	case opCas, opCasp:
		return m.compareAndSwap(o, a)
	}
	return m.modify(o, a)
}

// compareAndSwap executes CAS and CASP at a.
func (m *Machine) compareAndSwap(o *op, a uint64) bool {
	r := &m.r
	second := a + uint64(o.sh) // of a pair
	v, ok := m.ld(a, o.sh)
	if !ok || !m.mayStore(a) {
		return false
	}
	if o.code == opCas {
		if v == truncate(r[o.rm], o.sh) && !m.st(a, r[o.rd], o.sh) {
			return false
		}
		r[o.ra] = v
		return true
	}
	w, ok := m.ld(second, o.sh)
	if !ok {
		return false
	}
	if v == truncate(r[src(o.rm)], o.sh) && w == truncate(r[src(o.rm+1)], o.sh) {
		if !m.st(a, r[src(o.rd)], o.sh) || !m.st(second, r[src(o.rd+1)], o.sh) {
			return false
		}
	}
	r[dst(o.rm)], r[dst(o.rm+1)] = v, w
	return true
}

// modify executes LDADD, the instructions like it, and SWP, at a: the old value
// is loaded, and its combination with Rs is stored.
func (m *Machine) modify(o *op, a uint64) bool {
	r := &m.r
	old, ok := m.ld(a, o.sh)
	if !ok {
		return false
	}
	v := r[o.rm]
	shift := 64 - 8*o.sh // for comparison: the value in the top bits
	signedLess := int64(old<<shift) < int64(v<<shift)
	less := old<<shift < v<<shift
	switch o.code {
	case opLdadd:
		v = old + v
	case opLdclr:
		v = old &^ v
	case opLdeor:
		v = old ^ v
	case opLdset:
		v = old | v
	case opLdsmax:
		if !signedLess {
			v = old
		}
	case opLdsmin:
		if signedLess {
			v = old
		}
	case opLdumax:
		if !less {
			v = old
		}
	case opLdumin:
		if less {
			v = old
		}
	case opSwp:
	}
	if !m.st(a, v, o.sh) {
		return false
	}
	r[o.rd] = old
	return true
}

func (m *Machine) watchExclusive(addr uint64, size uint8) {
	m.monitor.valid, m.monitor.addr, m.monitor.size = true, addr, size
}

// mayStore reports whether the page at a may be written; if not, m.stop says
// why. Compare and swap needs that permission also where it stores nothing.
func (m *Machine) mayStore(a uint64) bool { return m.access(a, Write) != nil }

// truncate is the low size bytes of v.
func truncate(v uint64, size uint8) uint64 {
	s := (64 - 8*size) & 63
	return v << s >> s
}
