package arch

import (
	"encoding/binary"

	"github.com/ftlint/ftlint/a64"
)

// armLocks is ARM64.TakesLock: a lock is taken by a store of a number in which an ORR
// has set bits, or by an atomic.
func armLocks() func(code []byte) bool {
	var ored uint32 // registers that hold the result of an ORR, as bits
	return func(code []byte) bool {
		w := binary.LittleEndian.Uint32(code)
		switch kind := a64.Classify(w); {
		case kind == a64.Call:
			ored = 0
		case mayStore(w) && (!plainStore(w) || ored>>(w&31)&1 == 1):
			return true
		case isORR(w):
			ored |= 1 << (w & 31)
		case kind != a64.Branch && !kind.EndsFlow():
			ored &^= 1 << (w & 31)
		}
		return false
	}
}

// isORR reports whether w is an ORR that sets bits in a number (Arm ARM, C6.2): a
// MOV does not.
func isORR(w uint32) bool {
	const xzr = 31
	return (w&0x7f80_0000 == 0x3200_0000 || w&0x7f20_0000 == 0x2a00_0000) && a64.Rn(w) != xzr
}

// mayStore reports whether w is a load or store (Arm ARM, C4.1, "Loads and
// Stores") to memory that is not the stack's, by SP or FP, and not surely a load
// of a general register.
func mayStore(w uint32) bool {
	if w>>25&5 != 4 { // op0 is x1x0
		return false
	}
	const fp, sp = 29, 31
	if base := a64.Rn(w); base == fp || base == sp {
		return false
	}
	switch w >> 27 & 7 {
	case 3: // literal
		return false
	case 5: // a pair
		return w>>22&1 == 0
	case 7: // one register, by immediate or register offset; with bits 21 and 11:10 an atomic
		return w>>22&3 == 0 || w>>24&1 == 0 && w>>21&1 == 1 && w>>10&3 == 0
	}
	return true // exclusive, acquire and release, SIMD structures
}

// plainStore reports whether w, which mayStore, stores one or two registers and
// does nothing else.
func plainStore(w uint32) bool {
	pair, one := w>>27&7 == 5, w>>27&7 == 7
	return pair || one && (w>>24&1 == 1 || w>>21&1 == 0 || w>>10&3 != 0)
}
