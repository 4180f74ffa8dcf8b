package builder

import (
	"bytes"
	"debug/elf"
	"errors"
	"math/bits"
	"strings"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/emu"
)

// A Traced is one instruction of the builder's own code and what it computed:
// that of aarch64_insn_gen_*() and the like is not traced.
type Traced struct {
	PC      uint64
	In, Out uint64 // operand and result
	Width   uint   // Masks: how many bits of In are left
}

// A Trace is what the builder's own code did with numbers, as far as it tells
// how it makes instructions.
type Trace struct {
	Constants []Traced    // a constant is put into a register: Out
	Masks     []Traced    // bits of In are cut off
	Compares  [][2]uint64 // the registers of comparisons, which can bound a value
	Bounded   []uint64    // values whose upper bits alone were looked at
}

// parts are the constants and the masks that went into a number, by their
// index in a Trace: as many as there is room for.
type parts struct{ constants, masks uint64 }

func (p parts) with(o parts) parts { return parts{p.constants | o.constants, p.masks | o.masks} }

// maxTrace bounds the instructions that a builder may execute, with what counts
// as such: copies (bytesPerStep) and events (stepsPerEvent).
const maxTrace = 1 << 15

// makerPrefixes are how the functions' names begin that make instructions.
var makerPrefixes = [][]byte{[]byte("aarch64_insn_gen_"), []byte("aarch64_set_branch_offset"), []byte("aarch64_insn_adrp_set_offset"), []byte("aarch64_insn_encode_")}

// findMakers finds the functions that make instructions.
func (t *trampWorld) findMakers() {
	t.makers = map[uint64]string{}
	t.Image.EachSymbol(func(addr uint64, name []byte, typ elf.SymType) bool {
		for _, p := range makerPrefixes {
			if typ == elf.STT_FUNC && bytes.HasPrefix(name, p) {
				t.makers[addr] = string(name)
			}
		}
		return true
	})
}

// caller is the address of the branch that called the function being hooked.
func (t *trampWorld) caller() uint64 { return t.from }

// trace calls a function of the image as Call does, one instruction at a
// time.
func (t *trampWorld) trace(fn uint64, args ...uint64) error {
	m := t.M
	limit := m.MaxSteps
	defer func() { m.MaxSteps, t.from = limit, 0 }()
	m.MaxSteps = 1
	t.enter()
	t.atCall = func(name string) {
		if diff := t.unwinds(name); diff != "" {
			t.fault(t.from, "%s", diff)
		}
	}
	defer func() { t.atCall = nil }()
	copy(m.X[:8], args)
	m.X[30] = emu.ReturnAddress
	m.PC = fn
	var maker Event // that runs, if its Func is not empty
	var ret, sp uint64
	for begin := m.Steps; m.Steps-begin < maxTrace; {
		pc := m.PC
		if maker.Func != "" && pc == ret && m.SP == sp {
			maker.Value = m.X[0]
			t.event(maker)
			maker.Func = ""
			t.clobber() // its callers cannot know what it leaves alone
			clear(t.parts[:18])
		}
		if pc == emu.ReturnAddress {
			for _, diff := range t.lost(fn) {
				t.fault(fn, "it %s", diff)
			}
			return nil
		}
		note := func() {}
		if _, hooked := t.funcs[pc]; hooked {
			note = func() { clear(t.parts[:18]) }
		} else {
			if name, ok := t.makers[pc]; ok && maker.Func == "" {
				maker = Event{Kind: Gen, PC: t.from, Addr: m.X[0], Func: name}
				ret, sp = m.X[30], m.SP
			}
			t.from = pc
			if maker.Func == "" {
				note = t.look(pc)
			}
		}
		mark := len(t.Events)
		err := m.Run(emu.ReturnAddress)
		if _, hooked := t.funcs[pc]; hooked {
			for i := range t.Events[mark:] { // the branch to it, which LR does not tell of a tail call
				t.Events[mark+i].PC = t.from
				if t.Events[mark+i].Kind == Patch {
					t.made[mark+i] = t.parts[1]
				}
			}
		}
		var stop *emu.Stop
		if err != nil && !(errors.As(err, &stop) && stop.Reason == emu.StepLimit) {
			return t.explain(err)
		}
		if m.PC != pc+a64.Size {
			if w, err := m.Read32(pc); err == nil && (a64.Classify(w) == a64.Call || a64.Classify(w) == a64.Branch) {
				if diff := stray(t.Image, pc, m.PC); diff != "" {
					t.fault(pc, "it %s", diff)
				}
			}
		}
		note()
	}
	return t.explain(&emu.Stop{Reason: emu.StepLimit, PC: m.PC})
}

// look notes what the instruction at pc is about to do with numbers. What it
// returns notes the result, when it was executed.
func (t *trampWorld) look(pc uint64) (after func()) {
	m, tr := t.M, &t.numbers
	w, err := m.Read32(pc)
	if err != nil {
		return func() {}
	}
	x := func(r uint32) uint64 { // a source that is not SP
		if r == 31 {
			return 0
		}
		return m.X[r]
	}
	rd, rn, rm := w&31, w>>5&31, w>>16&31
	narrow := func(v uint64) uint64 { // to the width of the instruction
		if w>>31 == 0 {
			v &= 1<<32 - 1
		}
		return v
	}
	before := m.X
	var from parts // what goes into rd
	computes := false
	switch w >> 25 & 0xf {
	case 0b1000, 0b1001: // data processing, immediate
		if k := w >> 23 & 7; k != 0b000 && k != 0b001 && k != 0b101 { // not ADR, ADRP, MOVZ and its kin
			computes, from = true, t.parts[rn]
		}
	case 0b0101, 0b1101: // data processing, register
		computes, from = true, t.parts[rn].with(t.parts[rm])
	}
	note := func() {}
	constant := func() {
		if n := len(tr.Constants); rd != 31 && n < 64 && plausible(uint32(m.X[rd])) {
			tr.Constants = append(tr.Constants, Traced{PC: pc, Out: m.X[rd]})
			from = parts{constants: 1 << n}
			computes = true
		}
	}
	mask := func(in uint64, width uint) func() {
		return func() {
			if n := len(tr.Masks); rd != 31 && n < 64 && width <= 28 {
				tr.Masks = append(tr.Masks, Traced{PC: pc, In: in, Out: m.X[rd], Width: width})
				from.masks |= 1 << n
			}
		}
	}
	switch {
	case w&0x1f800000 == 0x12800000: // MOVN, MOVZ, MOVK
		note = constant
	case w&0x1f800000 == 0x12000000: // AND, ORR, EOR, ANDS (immediate)
		imm := bitMask(w)
		switch w >> 29 & 3 {
		case 0:
			note = mask(x(rn), uint(bits.OnesCount64(imm)))
		case 1:
			if n := len(tr.Constants); n < 64 && plausible(uint32(imm)) {
				tr.Constants = append(tr.Constants, Traced{PC: pc, Out: imm})
				from.constants |= 1 << n
			}
		case 3:
			if imm>>14 != 0 { // tests upper bits
				tr.Bounded = append(tr.Bounded, narrow(x(rn)))
			}
		}
	case w&0x1fe00000 == 0x0a000000: // AND, ORR, EOR, ANDS (shifted register)
		if w>>29&3 == 0 {
			a, b := narrow(x(rn)), narrow(x(rm)<<(w>>10&63))
			switch {
			case a != 0 && a&(a+1) == 0:
				note = mask(b, uint(bits.Len64(a)))
			case b != 0 && b&(b+1) == 0:
				note = mask(a, uint(bits.Len64(b)))
			}
		}
	case w&0x1f800000 == 0x13000000: // SBFM, BFM, UBFM
		if w>>29&3 == 1 {
			from = from.with(t.parts[rd]) // BFM keeps the rest
		}
		immr, imms := uint(w>>16&63), uint(w>>10&63)
		size := uint(32)
		if w>>31 == 1 {
			size = 64
		}
		width := imms + 1
		if imms >= immr {
			width = imms - immr + 1
		}
		if imms == size-1 && immr >= 14 { // LSR, ASR: only upper bits are left
			tr.Bounded = append(tr.Bounded, narrow(x(rn)))
		} else {
			note = mask(narrow(x(rn)), width)
		}
	case w&0x3f800000 == 0x31000000: // ADDS, SUBS (immediate)
		base := x(rn)
		if rn == 31 {
			base = m.SP
		}
		tr.Compares = append(tr.Compares, [2]uint64{narrow(base), narrow(base)})
	case w&0x3f000000 == 0x2b000000: // ADDS, SUBS (register)
		tr.Compares = append(tr.Compares, [2]uint64{narrow(x(rn)), narrow(x(rm))})
	case w&0x3fe00c10 == 0x3a400000: // CCMN, CCMP (register)
		tr.Compares = append(tr.Compares, [2]uint64{narrow(x(rn)), narrow(x(rm))})
		computes = false
	case w&0x3fe00c10 == 0x3a400800: // CCMN, CCMP (immediate)
		tr.Compares = append(tr.Compares, [2]uint64{narrow(x(rn)), narrow(x(rn))})
		computes = false
	}
	return func() {
		note()
		for r := range m.X {
			if m.X[r] != before[r] {
				t.parts[r] = parts{}
			}
		}
		if computes && rd != 31 {
			t.parts[rd] = from
		}
	}
}

// plausible tells whether a constant can be an instruction that somebody wants
// to make: no small number, and not NOP, which is a constant of the kernel's own
// headers.
func plausible(c uint32) bool {
	switch a64.Classify(c) {
	case a64.Nop, a64.Hint, a64.Landing, a64.Break:
		return false
	}
	return c>>24 != 0 && !strings.HasPrefix(a64.Text(c, 0, nil), ".inst")
}

// bitMask is the immediate of a logical instruction: DDI 0487, "DecodeBitMasks".
func bitMask(w uint32) uint64 {
	n, immr, imms := w>>22&1, w>>16&63, w>>10&63
	length := bits.Len32(n<<6|^imms&63) - 1
	if length < 1 {
		return 0
	}
	size := uint32(1) << length
	s, r := imms&(size-1), immr&(size-1)
	elem := uint64(1)<<(s+1) - 1
	elem = elem>>r | elem<<(size-r)
	if size < 64 {
		elem &= 1<<size - 1
	}
	for ; size < 64; size *= 2 {
		elem |= elem << size
	}
	if w>>31 == 0 {
		elem &= 1<<32 - 1
	}
	return elem
}

// checksRange tells whether a comparison bounds v, an offset in bytes or in
// instructions: one of its operands is v in either unit, or v made positive by
// adding half of a field's range.
func (tr *Trace) checksRange(v uint64) bool {
	is := func(x uint64) bool {
		for _, c := range []uint64{v, v << 2, uint64(int64(v) >> 2), uint64(int64(int32(v)) >> 2)} {
			for _, bias := range []uint64{0, 1 << 13, 1 << 15, 1 << 18, 1 << 20, 1 << 25, 1 << 27} {
				if x == c+bias || x <= 1<<32-1 && x == uint64(uint32(c+bias)) {
					return true
				}
			}
		}
		return false
	}
	for _, c := range tr.Compares {
		if is(c[0]) || is(c[1]) {
			return true
		}
	}
	for _, b := range tr.Bounded {
		if is(b) {
			return true
		}
	}
	return false
}
