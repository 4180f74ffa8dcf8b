package unxz

import (
	"encoding/binary"
	"errors"
)

// Sizes of the tables of probabilities.
const (
	numStates    = 12
	numPosStates = 16
	maxLitCoders = 1 << 4
	litCoder     = 0x300 // probabilities of one literal coder
	litStates    = 7     // states below this follow a literal

	minMatch  = 2 // the shortest match, in bytes
	endSlot   = 14
	numAlign  = 4 // bits of a distance that are coded with probabilities at its end
	numDirect = 4 // the first slot with bits of a distance is this

	probBits = 11
	probInit = 1 << probBits / 2
	moveBits = 5
	top      = 1 << 24

	// maxInput is the most that one literal or match takes, in bytes.
	maxInput = 20
)

// A lenCoder has the probabilities of the length of a match.
type lenCoder struct {
	long, longer uint16
	low, mid     [numPosStates][8]uint16
	high         [256]uint16
}

// lzma is the state of a decoder between two chunks: all that LZMA adapts
// while it decodes.
type lzma struct {
	state      uint32
	reps       [4]uint32 // the last distances, less 1
	lc, lp, pb uint32

	isMatch, isRep0Long           [numStates][numPosStates]uint16
	isRep, isRep0, isRep1, isRep2 [numStates]uint16
	slots                         [4][64]uint16
	special                       [128]uint16 // bits of distances of slots 4 to 13, a tree each
	align                         [1 << numAlign]uint16
	matchLen, repLen              lenCoder
	literals                      [maxLitCoders][litCoder]uint16
}

func fill(p []uint16) {
	for i := range p {
		p[i] = probInit
	}
}

func (l *lenCoder) reset() {
	l.long, l.longer = probInit, probInit
	for i := range l.low {
		fill(l.low[i][:])
		fill(l.mid[i][:])
	}
	fill(l.high[:])
}

// reset brings back the state of the beginning.
func (d *lzma) reset() {
	d.state = 0
	d.reps = [4]uint32{}
	for i := range numStates {
		fill(d.isMatch[i][:])
		fill(d.isRep0Long[i][:])
	}
	for _, p := range []*[numStates]uint16{&d.isRep, &d.isRep0, &d.isRep1, &d.isRep2} {
		fill(p[:])
	}
	for i := range d.slots {
		fill(d.slots[i][:])
	}
	fill(d.special[:])
	fill(d.align[:])
	d.matchLen.reset()
	d.repLen.reset()
	for i := range 1 << (d.lc + d.lp) {
		fill(d.literals[i][:])
	}
}

var (
	errInput    = errors.New("LZMA data is cut off")
	errDistance = errors.New("an LZMA match reaches back before the beginning")
	errEnd      = errors.New("an LZMA chunk does not end where it says")
)

// choose decodes one bit of a tree. Of such bits little is known beforehand,
// so no branch depends on it: m is 0 if the bit is 1, and all ones if it is 0.
func choose(rng, code, p uint32) (rng1, code1, p1, m uint32) {
	bound := rng >> probBits * p
	m = uint32((int64(code) - int64(bound)) >> 63)
	rest := rng - bound
	// 31-2048 makes of p-p>>5 what 1 gives: p+(2048-p)>>5
	const up = 1<<32 + 1<<moveBits - 1 - 1<<probBits
	return rest ^ (rest^bound)&m, code - bound&^m, p - uint32(int32(p+m&up)>>moveBits), m
}

// decode decodes one chunk: in is all of its packed bytes, and out[pos:end]
// takes what they unpack to. out[base:pos] is what matches may reach back to.
//
// The loop keeps what changes at each bit in local variables, and spells out
// the decoding of each bit: that makes all the difference in speed.
func (d *lzma) decode(in, out []byte, base, pos, end int) error {
	if len(in) < 5 || in[0] != 0 {
		return errInput
	}
	out = out[:end]
	rng, code := uint32(0xffff_ffff), binary.BigEndian.Uint32(in[1:])
	ip := 5
	state := d.state
	rep0, rep1, rep2, rep3 := d.reps[0], d.reps[1], d.reps[2], d.reps[3]
	posMask, lpMask, lc := uint32(1)<<d.pb-1, uint32(1)<<d.lp-1, d.lc&7

	// The last bytes are decoded from a copy with zeros behind it.
	var tail [4 * maxInput]byte
	tailed := -1 // length of what is in tail; -1 while it is not in use
	for pos < end {
		if ip > len(in)-maxInput {
			if tailed >= 0 {
				return errInput
			}
			tailed = copy(tail[:], in[min(ip, len(in)):])
			in, ip = tail[:tailed+2*maxInput], 0
		}
		posState := uint32(pos-base) & posMask & (numPosStates - 1)
		var v, bound uint32
		p := &d.isMatch[state][posState]
		v = uint32(*p)
		if rng < top {
			rng, code = rng<<8, code<<8|uint32(in[ip])
			ip++
		}
		if bound = rng >> probBits * v; code < bound { // a literal
			rng = bound
			*p = uint16(v + (1<<probBits-v)>>moveBits)
			prev := uint32(0)
			if pos > base {
				prev = uint32(out[pos-1])
			}
			lit := &d.literals[(uint32(pos-base)&lpMask<<lc+prev>>(8-lc))&(maxLitCoders-1)]
			sym := uint32(1)
			if state >= litStates { // it differs from the byte at the last distance
				if int64(rep0) >= int64(pos-base) {
					return errDistance
				}
				match, offset := uint32(out[pos-int(rep0)-1]), uint32(0x100)
				for sym < 0x100 {
					match <<= 1
					bit := match & offset
					q := &lit[offset+bit+sym]
					if rng < top {
						rng, code = rng<<8, code<<8|uint32(in[ip])
						ip++
					}
					var m uint32
					rng, code, v, m = choose(rng, code, uint32(*q))
					*q = uint16(v)
					sym = sym<<1 + 1 + m
					offset &= bit ^ m
				}
			} else {
				for sym < 0x100 {
					q := &lit[sym]
					if rng < top {
						rng, code = rng<<8, code<<8|uint32(in[ip])
						ip++
					}
					var m uint32
					rng, code, v, m = choose(rng, code, uint32(*q))
					*q = uint16(v)
					sym = sym<<1 + 1 + m
				}
			}
			out[pos] = byte(sym)
			pos++
			switch {
			case state < 4:
				state = 0
			case state < 10:
				state -= 3
			default:
				state -= 6
			}
			continue
		}
		rng, code = rng-bound, code-bound
		*p = uint16(v - v>>moveBits)

		lens := &d.matchLen
		isRep := false
		p = &d.isRep[state]
		v = uint32(*p)
		if rng < top {
			rng, code = rng<<8, code<<8|uint32(in[ip])
			ip++
		}
		if bound = rng >> probBits * v; code < bound {
			rng = bound
			*p = uint16(v + (1<<probBits-v)>>moveBits)
			rep3, rep2, rep1 = rep2, rep1, rep0
			if state < litStates {
				state = 7
			} else {
				state = 10
			}
		} else {
			rng, code = rng-bound, code-bound
			*p = uint16(v - v>>moveBits)
			isRep = true
			lens = &d.repLen
			p = &d.isRep0[state]
			v = uint32(*p)
			if rng < top {
				rng, code = rng<<8, code<<8|uint32(in[ip])
				ip++
			}
			if bound = rng >> probBits * v; code < bound {
				rng = bound
				*p = uint16(v + (1<<probBits-v)>>moveBits)
				p = &d.isRep0Long[state][posState]
				v = uint32(*p)
				if rng < top {
					rng, code = rng<<8, code<<8|uint32(in[ip])
					ip++
				}
				if bound = rng >> probBits * v; code < bound { // one byte
					rng = bound
					*p = uint16(v + (1<<probBits-v)>>moveBits)
					if int64(rep0) >= int64(pos-base) {
						return errDistance
					}
					out[pos] = out[pos-int(rep0)-1]
					pos++
					if state < litStates {
						state = 9
					} else {
						state = 11
					}
					continue
				}
				rng, code = rng-bound, code-bound
				*p = uint16(v - v>>moveBits)
			} else {
				rng, code = rng-bound, code-bound
				*p = uint16(v - v>>moveBits)
				p = &d.isRep1[state]
				v = uint32(*p)
				if rng < top {
					rng, code = rng<<8, code<<8|uint32(in[ip])
					ip++
				}
				if bound = rng >> probBits * v; code < bound {
					rng = bound
					*p = uint16(v + (1<<probBits-v)>>moveBits)
					rep0, rep1 = rep1, rep0
				} else {
					rng, code = rng-bound, code-bound
					*p = uint16(v - v>>moveBits)
					p = &d.isRep2[state]
					v = uint32(*p)
					if rng < top {
						rng, code = rng<<8, code<<8|uint32(in[ip])
						ip++
					}
					if bound = rng >> probBits * v; code < bound {
						rng = bound
						*p = uint16(v + (1<<probBits-v)>>moveBits)
						rep0, rep1, rep2 = rep2, rep0, rep1
					} else {
						rng, code = rng-bound, code-bound
						*p = uint16(v - v>>moveBits)
						rep0, rep1, rep2, rep3 = rep3, rep0, rep1, rep2
					}
				}
			}
			if state < litStates {
				state = 8
			} else {
				state = 11
			}
		}

		// The length.
		var tree []uint16
		var length int
		p = &lens.long
		v = uint32(*p)
		if rng < top {
			rng, code = rng<<8, code<<8|uint32(in[ip])
			ip++
		}
		if bound = rng >> probBits * v; code < bound {
			rng = bound
			*p = uint16(v + (1<<probBits-v)>>moveBits)
			tree, length = lens.low[posState][:], minMatch-8
		} else {
			rng, code = rng-bound, code-bound
			*p = uint16(v - v>>moveBits)
			p = &lens.longer
			v = uint32(*p)
			if rng < top {
				rng, code = rng<<8, code<<8|uint32(in[ip])
				ip++
			}
			if bound = rng >> probBits * v; code < bound {
				rng = bound
				*p = uint16(v + (1<<probBits-v)>>moveBits)
				tree, length = lens.mid[posState][:], minMatch+8-8
			} else {
				rng, code = rng-bound, code-bound
				*p = uint16(v - v>>moveBits)
				tree, length = lens.high[:], minMatch+16-256
			}
		}
		sym := uint32(1)
		for sym < uint32(len(tree)) {
			q := &tree[sym]
			if rng < top {
				rng, code = rng<<8, code<<8|uint32(in[ip])
				ip++
			}
			var m uint32
			rng, code, v, m = choose(rng, code, uint32(*q))
			*q = uint16(v)
			sym = sym<<1 + 1 + m
		}
		length += int(sym)

		// The distance.
		if !isRep {
			slots := &d.slots[min(length-minMatch, 3)&3]
			sym = 1
			for sym < 64 {
				q := &slots[sym]
				if rng < top {
					rng, code = rng<<8, code<<8|uint32(in[ip])
					ip++
				}
				var m uint32
				rng, code, v, m = choose(rng, code, uint32(*q))
				*q = uint16(v)
				sym = sym<<1 + 1 + m
			}
			slot := sym - 64
			rep0 = slot
			if slot >= numDirect {
				bits := slot>>1 - 1
				rep0 = (2 | slot&1) << bits
				coded := d.special[(rep0-slot)&127:]
				if slot >= endSlot {
					// bits of which nothing is known
					for direct := bits - numAlign; direct > 0; direct-- {
						if rng < top {
							rng, code = rng<<8, code<<8|uint32(in[ip])
							ip++
						}
						rng >>= 1
						code -= rng
						m := uint32(int32(code) >> 31) // all ones for 0
						code += rng & m
						bits--
						rep0 += (m + 1) << bits
					}
					coded, bits = d.align[:], numAlign
				}
				// backwards
				sym = 1
				for i := range bits {
					q := &coded[sym]
					if rng < top {
						rng, code = rng<<8, code<<8|uint32(in[ip])
						ip++
					}
					var m uint32
					rng, code, v, m = choose(rng, code, uint32(*q))
					*q = uint16(v)
					sym = sym<<1 + 1 + m
					rep0 += (m + 1) << i
				}
			}
		}
		if int64(rep0) >= int64(pos-base) {
			return errDistance
		}
		if length > end-pos {
			return errEnd
		}
		from := pos - int(rep0) - 1
		if dist := pos - from; dist >= 8 && end-pos >= length+8 {
			for n := 0; n < length; n += 8 {
				binary.LittleEndian.PutUint64(out[pos+n:], binary.LittleEndian.Uint64(out[from+n:]))
			}
		} else {
			for n := range length {
				out[pos+n] = out[from+n]
			}
		}
		pos += length
	}
	if rng < top {
		if ip >= len(in) {
			return errInput
		}
		code = code<<8 | uint32(in[ip])
		ip++
	}
	left := len(in) - ip
	if tailed >= 0 {
		left = tailed - ip
	}
	if code != 0 || left != 0 {
		return errEnd
	}
	d.state = state
	d.reps = [4]uint32{rep0, rep1, rep2, rep3}
	return nil
}
