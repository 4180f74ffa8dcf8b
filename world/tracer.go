package world

import (
	"bytes"
	"debug/elf"
	"errors"
	"math/bits"
	"strings"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/emu"
)

// A Traced is one traced instruction with the numbers that it computed.
// Instructions of the makers of instructions (aarch64_insn_gen_*() and the like)
// are not traced.
type Traced struct {
	PC      uint64
	In, Out uint64 // operand and result
	Width   uint   // Masks: the number of bits of In that are left
}

// A Trace is a record of the numbers that traced code computed, for finding out
// how it makes instructions.
type Trace struct {
	Constants []Traced    // instructions that put a constant, Out, into a register
	Masks     []Traced    // instructions that cut bits off In
	Compares  [][2]uint64 // operands of comparisons, which can bound a value
	Bounded   []uint64    // values of which the code looked at the upper bits alone
}

// Parts are the constants and the masks that a number was made of, as bits by
// their index in a Trace. The first 64 of each are known.
type Parts struct{ constants, masks uint64 }

// AllParts are the Parts of a number of unknown origin: any may be in it.
var AllParts = Parts{^uint64(0), ^uint64(0)}

// HasConstant reports whether constant i of the Trace is in p.
func (p Parts) HasConstant(i int) bool { return p.constants>>i&1 == 1 }

// HasMask reports whether mask i of the Trace is in p.
func (p Parts) HasMask(i int) bool { return p.masks>>i&1 == 1 }

func (p Parts) with(o Parts) Parts { return Parts{p.constants | o.constants, p.masks | o.masks} }

// maxTrace bounds the instructions that traced code may execute. Copies
// (bytesPerStep) and events (stepsPerEvent) count as instructions, too.
const maxTrace = 1 << 15

// A Tracer executes code one instruction at a time, and records the numbers that
// the code computes.
type Tracer struct {
	Numbers Trace
	Made    map[int]Parts // of the words that were stored or patched, by index in World.Events

	w      *World
	makers map[uint64]string       // names of the functions that make instructions, by address
	parts  [32]Parts               // of the number in each register
	maker  Event                   // event of the maker that runs; Func is "" if none runs
	back   struct{ pc, sp uint64 } // PC and SP when the maker has returned
}

// NewTracer makes a Tracer of the World's code.
func NewTracer(w *World) *Tracer {
	t := &Tracer{w: w, makers: map[uint64]string{}}
	w.Image.EachSymbol(func(addr uint64, name []byte, typ elf.SymType) bool {
		for _, p := range w.arch.Patching.MakerPrefixes {
			if typ == elf.STT_FUNC && bytes.HasPrefix(name, []byte(p)) {
				t.makers[addr] = string(name)
			}
		}
		return true
	})
	return t
}

// Execute executes the subject as World.Execute does, one instruction at a time.
// It notes stray calls when they are executed.
func (t *Tracer) Execute(s Subject) (returned bool, err error) {
	w, m := t.w, t.w.M
	limit := m.MaxSteps
	defer func() { m.MaxSteps, w.from, w.AtCall = limit, 0, nil }()
	m.MaxSteps = 1
	w.Enter()
	w.Faults = nil
	w.AtCall = func(name string) {
		if diff := w.Unwinds(name); diff != "" {
			w.Fault(w.from, "%s", diff)
		}
	}
	t.Numbers, t.parts, t.Made, t.maker = Trace{}, [32]Parts{}, map[int]Parts{}, Event{}
	copy(m.X[:8], s.Args)
	m.X[30] = emu.ReturnAddress
	m.PC = s.Fn
	for begin := m.Steps; m.Steps-begin < maxTrace; {
		if t.maker.Func != "" && m.PC == t.back.pc && m.SP == t.back.sp {
			t.made()
		}
		if m.PC == emu.ReturnAddress {
			for _, diff := range w.cpu.lost(s.Fn) {
				w.Fault(s.Fn, "%s", diff)
			}
			return true, nil
		}
		if err := t.step(); err != nil {
			if proof := w.Misdeed(err); proof != "" {
				w.Fault(s.Fn, "%s", proof)
				return false, nil
			}
			return false, err
		}
	}
	return false, w.Explain(&emu.Stop{Reason: emu.StepLimit, PC: m.PC})
}

// made notes that a maker has returned an instruction. It clobbers the registers
// that a call may clobber, because the maker's callers cannot know which of them
// it leaves alone.
func (t *Tracer) made() {
	t.maker.Value = t.w.M.X[0]
	t.w.event(t.maker)
	t.maker = Event{}
	t.w.Clobber()
	clear(t.parts[:18])
}

// step executes one instruction, or a stand-in.
func (t *Tracer) step() error {
	w, m := t.w, t.w.M
	pc := m.PC
	_, hooked := w.funcs[pc]
	note := func() {}
	var stored Parts // of the word that the instruction stores
	if hooked {
		note = func() { clear(t.parts[:18]) }
	} else {
		if name, ok := t.makers[pc]; ok && t.maker.Func == "" {
			t.maker = Event{Kind: Gen, PC: w.from, Addr: m.X[0], Func: name}
			t.back.pc, t.back.sp = m.X[30], m.SP
		}
		w.from = pc
		if insn, err := m.Read32(pc); err == nil {
			stored = t.parts[insn&31]
		}
		if t.maker.Func == "" {
			note = t.look(pc)
		}
	}
	mark := len(w.Events)
	err := m.Run(emu.ReturnAddress)
	for i := mark; i < len(w.Events); i++ {
		switch e := &w.Events[i]; {
		case hooked && e.Kind == Patch:
			t.Made[i] = t.parts[1]
		case !hooked && e.Kind == Store:
			t.Made[i] = stored
		}
	}
	var stop *emu.Stop
	if err != nil && !(errors.As(err, &stop) && stop.Reason == emu.StepLimit) {
		return w.Explain(err)
	}
	if m.PC != pc+a64.Size {
		if insn, err := m.Read32(pc); err == nil && (a64.Classify(insn) == a64.Call || a64.Classify(insn) == a64.Branch) {
			if diff := stray(w.Image, pc, m.PC); diff != "" {
				w.Fault(pc, "%s", diff)
			}
		}
	}
	note()
	return nil
}

// look looks at the instruction at pc before it is executed. The function that
// look returns is called after the instruction, and records the result.
func (t *Tracer) look(pc uint64) (after func()) {
	w, err := t.w.M.Read32(pc)
	if err != nil {
		return func() {}
	}
	g := glance{t: t, pc: pc, w: w, rd: w & 31, rn: w >> 5 & 31, rm: w >> 16 & 31, note: func() {}}
	before := t.w.M.X
	switch w >> 25 & 0xf {
	case 0b1000, 0b1001: // data processing, immediate
		if k := w >> 23 & 7; k != 0b000 && k != 0b001 && k != 0b101 { // not ADR, ADRP, MOVN, MOVZ, MOVK
			g.computes, g.from = true, t.parts[g.rn]
		}
	case 0b0101, 0b1101: // data processing, register
		g.computes, g.from = true, t.parts[g.rn].with(t.parts[g.rm])
	}
	switch {
	case w&0x1f800000 == 0x12800000: // MOVN, MOVZ, MOVK
		g.note = g.constant
	case w&0x1f800000 == 0x12000000:
		g.logicalImmediate()
	case w&0x1fe00000 == 0x0a000000:
		g.logicalRegister()
	case w&0x1f800000 == 0x13000000:
		g.bitfield()
	default:
		g.compare()
	}
	return func() {
		g.note()
		for r := range t.w.M.X {
			if t.w.M.X[r] != before[r] {
				t.parts[r] = Parts{}
			}
		}
		if g.computes && g.rd != 31 {
			t.parts[g.rd] = g.from
		}
	}
}

// A glance is one instruction that look looks at.
type glance struct {
	t          *Tracer
	pc         uint64
	w          uint32
	rd, rn, rm uint32
	from       Parts // of the number that rd becomes
	computes   bool  // from is known
	note       func()
}

// x is the value of a source register, where 31 is XZR.
func (g *glance) x(r uint32) uint64 {
	if r == 31 {
		return 0
	}
	return g.t.w.M.X[r]
}

// narrow cuts v to the width of the instruction.
func (g *glance) narrow(v uint64) uint64 {
	if g.w>>31 == 0 {
		v &= 1<<32 - 1
	}
	return v
}

// constant records that rd has become a constant.
func (g *glance) constant() {
	tr, out := &g.t.Numbers, g.x(g.rd)
	if n := len(tr.Constants); g.rd != 31 && n < 64 && plausible(uint32(out)) {
		tr.Constants = append(tr.Constants, Traced{PC: g.pc, Out: out})
		g.from, g.computes = Parts{constants: 1 << n}, true
	}
}

// mask has note record that rd has become the lower width bits of in.
func (g *glance) mask(in uint64, width uint) {
	g.note = func() {
		tr := &g.t.Numbers
		if n := len(tr.Masks); g.rd != 31 && n < 64 && width <= 28 {
			tr.Masks = append(tr.Masks, Traced{PC: g.pc, In: in, Out: g.x(g.rd), Width: width})
			g.from.masks |= 1 << n
		}
	}
}

// logicalImmediate looks at AND, ORR, EOR and ANDS (immediate).
func (g *glance) logicalImmediate() {
	tr, imm := &g.t.Numbers, bitMask(g.w)
	switch g.w >> 29 & 3 {
	case 0:
		g.mask(g.x(g.rn), uint(bits.OnesCount64(imm)))
	case 1:
		if n := len(tr.Constants); n < 64 && plausible(uint32(imm)) {
			tr.Constants = append(tr.Constants, Traced{PC: g.pc, Out: imm})
			g.from.constants |= 1 << n
		}
	case 3:
		if imm>>14 != 0 { // tests upper bits
			tr.Bounded = append(tr.Bounded, g.narrow(g.x(g.rn)))
		}
	}
}

// logicalRegister looks at AND, ORR, EOR and ANDS (shifted register).
func (g *glance) logicalRegister() {
	if g.w>>29&3 != 0 {
		return
	}
	a, b := g.narrow(g.x(g.rn)), g.narrow(g.x(g.rm)<<(g.w>>10&63))
	switch {
	case a != 0 && a&(a+1) == 0:
		g.mask(b, uint(bits.Len64(a)))
	case b != 0 && b&(b+1) == 0:
		g.mask(a, uint(bits.Len64(b)))
	}
}

// bitfield looks at SBFM, BFM and UBFM.
func (g *glance) bitfield() {
	if g.w>>29&3 == 1 {
		g.from = g.from.with(g.t.parts[g.rd]) // BFM keeps the rest
	}
	immr, imms := uint(g.w>>16&63), uint(g.w>>10&63)
	size := uint(32)
	if g.w>>31 == 1 {
		size = 64
	}
	width := imms + 1
	if imms >= immr {
		width = imms - immr + 1
	}
	if imms == size-1 && immr >= 14 { // LSR, ASR: only upper bits are left
		g.t.Numbers.Bounded = append(g.t.Numbers.Bounded, g.narrow(g.x(g.rn)))
	} else {
		g.mask(g.narrow(g.x(g.rn)), width)
	}
}

// compare looks at the instructions that compare two values, or one with a
// constant.
func (g *glance) compare() {
	a, b := g.narrow(g.x(g.rn)), g.narrow(g.x(g.rm))
	switch {
	case g.w&0x3f800000 == 0x31000000: // ADDS, SUBS (immediate)
		if g.rn == 31 {
			a = g.narrow(g.t.w.M.SP)
		}
		b = a
	case g.w&0x3f000000 == 0x2b000000: // ADDS, SUBS (register)
	case g.w&0x3fe00c10 == 0x3a400000: // CCMN, CCMP (register)
		g.computes = false
	case g.w&0x3fe00c10 == 0x3a400800: // CCMN, CCMP (immediate)
		b, g.computes = a, false
	default:
		return
	}
	g.t.Numbers.Compares = append(g.t.Numbers.Compares, [2]uint64{a, b})
}

// plausible reports whether a constant can be an instruction that code wants to
// make. It excludes small numbers, and NOP, which is a constant of the kernel's
// own headers.
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

// ChecksRange reports whether a comparison bounds v, an offset in bytes or in
// instructions. One of its operands is then v in either unit, or v plus half of a
// field's range, which makes it positive.
func (tr *Trace) ChecksRange(v uint64) bool {
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
