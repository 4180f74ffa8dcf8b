package bpf

// Instructions of BPF programs, of 64 bits each: an operation, the number of the
// destination register, that of the source register, an offset, and an immediate
// (Documentation/bpf/standardization/instruction-set.rst).
const (
	opSet       = 0x18 // dst = a value of 64 bits, the upper half of which is in the next instruction
	opMoveImm   = 0xb7 // dst = imm
	opMove      = 0xbf // dst = src
	opAddImm    = 0x07 // dst += imm
	opLoad      = 0x79 // dst = 64 bits at src+off
	opStore     = 0x7b // 64 bits at dst+off = src
	opLoadArena = 0xb9 // likewise in the program's arena: src is an offset in it
	opSaveArena = 0xbb
	opCall      = 0x85 // r0 = a function
	opTailCall  = 0xf5 // become the program r3 of the array r2, if there is one
	opExit      = 0x95 // return r0

	callSub = 1 // the source register of opCall that makes it a call of a subprogram
)

// An encoded is an instruction in its parts.
type encoded struct {
	op       uint8
	dst, src int
	off      int16
	imm      int32
}

func (i encoded) word() uint64 {
	return uint64(i.op) | uint64(i.dst)<<8 | uint64(i.src)<<12 | uint64(uint16(i.off))<<16 | uint64(uint32(i.imm))<<32
}

func decoded(w uint64) encoded {
	return encoded{uint8(w), int(w >> 8 & 15), int(w >> 12 & 15), int16(w >> 16), int32(w >> 32)}
}

// Functions that programs call, as the immediates of their calls. The bench makes
// addresses of them.
const (
	nearProbe  = iota + 1 // a function within reach of a BL
	farProbe              // one out of reach
	throwProbe            // bpf_throw()
)

// frame is the register with the address behind the program's stack.
const frame = 10

// A code is a program in the making.
type code []uint64

func (c *code) add(i encoded)         { *c = append(*c, i.word()) }
func (c *code) move(dst, src int)     { c.add(encoded{op: opMove, dst: dst, src: src}) }
func (c *code) imm(dst int, v int32)  { c.add(encoded{op: opMoveImm, dst: dst, imm: v}) }
func (c *code) call(fn int32)         { c.add(encoded{op: opCall, imm: fn}) }
func (c *code) sub(n int16)           { c.add(encoded{op: opCall, src: callSub, off: n, imm: 1}) }
func (c *code) tail()                 { c.add(encoded{op: opTailCall}) }
func (c *code) exit()                 { c.add(encoded{op: opExit}) }
func (c *code) load(dst, at, off int) { c.add(encoded{op: opLoad, dst: dst, src: at, off: int16(off)}) }
func (c *code) store(at, off, from int) {
	c.add(encoded{op: opStore, dst: at, src: from, off: int16(off)})
}

func (c *code) set(dst int, v uint64) {
	c.add(encoded{op: opSet, dst: dst, imm: int32(v)})
	c.add(encoded{imm: int32(v >> 32)})
}

// A source is a program that is to be compiled.
type source struct {
	code     code
	stack    int  // bytes of stack that it uses
	sub      bool // it is a subprogram of the first program
	callback bool // it is the subprogram that runs when an exception is thrown
	boundary bool // exceptions that are thrown end it
	classic  bool // it was made of instructions of the classic BPF
	replaces bool // it replaces a function of another program
	private  bool // its stack is not the kernel's
	arena    bool // it has an arena
}

// A jitCase is programs that the JIT compiles, and how they are run: the first is
// called.
type jitCase struct {
	name   string // "a program that tail calls another"
	progs  []source
	table  []int // programs that can be tail called; -1 is an empty slot
	jumped bool  // the first is entered by BR X10, as through a PLT
}

// hasSubs reports whether programs call each other, which the JIT compiles in two
// passes.
func (c *jitCase) hasSubs() bool {
	for i := range c.progs {
		if c.progs[i].sub {
			return true
		}
	}
	return false
}

// A probed is a call of a probe: its arguments.
type probed [5]uint64

// Values that programs get.
const (
	probeRet  = 0x6e70_0000_0000_0000 // what a probe returns, plus the number of calls before
	ctxArg    = 0xc7a6_0123_4567_89ab // the first program's argument
	maxTails  = 33                    // MAX_TAIL_CALL_CNT of include/linux/bpf.h
	arenaMark = 1 << 32               // set in the model's addresses of an arena
)

// A model executes programs as BPF's instruction set defines them.
type model struct {
	c     *jitCase
	mem   map[uint64]uint64
	calls []probed
	tails int
	sp    uint64
	steps int
}

// run is what a case does: the calls of probes, and what the first program returns. ok
// is false if it does not come to an end.
func (c *jitCase) run() (calls []probed, ret uint64, ok bool) {
	m := &model{c: c, mem: map[uint64]uint64{}, sp: 1 << 40}
	ret, _ = m.call(0, [6]uint64{1: ctxArg})
	return m.calls, ret, m.steps < maxModelSteps
}

const maxModelSteps = 1 << 14

// call executes a program. thrown reports whether an exception ended the first program,
// with ret.
func (m *model) call(n int, r [6]uint64) (ret uint64, thrown bool) {
	var regs [11]uint64
	copy(regs[:], r[:])
	before := m.sp
	defer func() { m.sp = before }()
	m.sp -= 4096
	regs[frame] = m.sp
	prog := m.c.progs[n].code
	for pc := 0; pc < len(prog) && m.steps < maxModelSteps; pc++ {
		m.steps++
		i := decoded(prog[pc])
		at := regs[i.src] + uint64(int64(i.off))
		to := regs[i.dst] + uint64(int64(i.off))
		switch i.op {
		case opSet:
			pc++
			regs[i.dst] = uint64(uint32(i.imm)) | prog[pc]&^0xffff_ffff
		case opMoveImm:
			regs[i.dst] = uint64(int64(i.imm))
		case opMove:
			regs[i.dst] = regs[i.src]
		case opAddImm:
			regs[i.dst] += uint64(int64(i.imm))
		case opLoad:
			regs[i.dst] = m.mem[at]
		case opStore:
			m.mem[to] = regs[i.src]
		case opLoadArena:
			regs[i.dst] = m.mem[arenaMark|at&0xffff_ffff]
		case opSaveArena:
			m.mem[arenaMark|to&0xffff_ffff] = regs[i.src]
		case opCall:
			if regs[0], thrown = m.called(i, regs); thrown {
				return regs[0], true
			}
		case opTailCall:
			if next := regs[3]; next < uint64(len(m.c.table)) && m.c.table[next] >= 0 && m.tails < maxTails {
				m.tails++
				return m.call(m.c.table[next], [6]uint64{1: regs[1]})
			}
		case opExit:
			return regs[0], false
		}
	}
	return 0, false
}

// called executes a call.
func (m *model) called(i encoded, regs [11]uint64) (ret uint64, thrown bool) {
	switch {
	case i.src == callSub:
		return m.call(int(i.off), [6]uint64(regs[:6]))
	case i.imm == throwProbe:
		for n := range m.c.progs {
			if m.c.progs[n].callback {
				ret, _ = m.call(n, [6]uint64{1: regs[1]})
			}
		}
		return ret, true
	}
	m.calls = append(m.calls, probed(regs[1:6]))
	return probeRet + uint64(len(m.calls)-1), false
}
