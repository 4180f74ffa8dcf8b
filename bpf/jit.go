package bpf

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/world"
)

// A Jitted is programs that the JIT has compiled, executed.
type Jitted struct {
	What  string // "a program that tail calls another"
	Progs int
	Diffs []Diff
}

// A jitRun executes compiled programs once.
type jitRun struct {
	b     *bench
	c     *jitCase
	progs []compiled
	want  []probed // the calls of probes that are due
	next  int
	diffs []Diff

	before [31]uint64 // registers of the caller
	sp     uint64
	above  [96]byte // the stack from sp on

	blame   bool              // it is noted what wrote the registers last
	writers [31]uint64        // the instructions of programs that did
	last    uint64            // the instruction of programs that was executed last
	moved   uint64            // the last that changed SP and is no push or pop
	taken   uint64            // the first such of the callback: it takes the place of another program's frame
	entries map[uint64]uint64 // SP at the first instructions of the first program, by offset
}

// jits has programs compiled, and executes them.
func (b *bench) jits(all bool) (out []Jitted, stuck []error) {
	for _, c := range b.jitCases(all) {
		j, err := b.jit(&c, false)
		if err != nil {
			stuck = append(stuck, fmt.Errorf("bpf_int_jit_compile: %s: %w", c.name, err))
			continue
		}
		if len(j.Diffs) > 0 {
			if again, err := b.jit(&c, true); err == nil && len(again.Diffs) > 0 {
				j = again
			}
		}
		if j.Progs > 0 {
			out = append(out, j)
		}
	}
	return out, stuck
}

// errRefused is the error of a program that the JIT leaves to the interpreter.
var errRefused = errors.New("the JIT does not compile it")

// jit compiles the programs of a case, and executes them. Progs of the result is 0 if the
// JIT leaves one to the interpreter. An error says why there is no verdict.
func (b *bench) jit(c *jitCase, blame bool) (j Jitted, stuck error) {
	j = Jitted{What: c.name}
	calls, ret, ok := c.run()
	if !ok {
		panic("a model does not end: " + c.name)
	}
	b.reset()
	if blame {
		b.record()
	}
	r := &jitRun{b: b, c: c, want: calls, blame: blame}
	switch err := r.compile(); {
	case errors.Is(err, errRefused):
		return j, nil
	case err != nil:
		return j, err
	}
	j.Progs = len(c.progs)
	if err := r.execute(ret); err != nil {
		return j, err
	}
	j.Diffs = r.diffs
	return j, nil
}

// Offsets of the functions that programs call from the first address of their memory.
const (
	probeOff = 0x100
	throwOff = 0x200
	thunkOff = 0x300 // BR X10
)

// probes are the addresses of the memory of functions that programs call: one in reach of
// the programs, one out of reach. Both are within 2 GiB of the image.
func (b *bench) probes() (near, away uint64) {
	return b.near() + 4<<20, b.text[1] + 4*far
}

// compile lays out the programs and has the JIT compile them.
func (r *jitRun) compile() error {
	b, c := r.b, r.c
	base, ok := b.Image.Addr("__bpf_call_base")
	if !ok {
		return fmt.Errorf("no __bpf_call_base, which calls of functions are relative to")
	}
	near, away := b.probes()
	call := func(i encoded) encoded {
		to := map[int32]uint64{nearProbe: near + probeOff, farProbe: away + probeOff, throwProbe: near + throwOff}[i.imm]
		i.imm = int32(to - base)
		return i
	}
	array := b.array.object(8 * uint64(len(c.table)+1))
	array.set("map.max_entries", uint64(len(c.table)))
	arrayAt := b.put(array)
	var funcs uint64
	if c.hasSubs() {
		funcs = b.put(object{&layout{}, make([]byte, 8*len(c.progs))})
	}
	for i := range c.progs {
		s := &c.progs[i]
		insns := make([]uint64, len(s.code))
		for n := 0; n < len(insns); n++ {
			insn := decoded(s.code[n])
			insns[n] = s.code[n]
			switch {
			case insn.op == opCall && insn.src == 0:
				insns[n] = call(insn).word()
			case insn.op == opSet:
				second := s.code[n+1]
				if uint64(uint32(insn.imm))|second&^0xffff_ffff == arrayMark {
					insn.imm, second = int32(arrayAt), arrayAt&^0xffff_ffff
				}
				insns[n], insns[n+1] = insn.word(), second
				n++
			}
		}
		p := compiled{prog: b.layProgram(s, i, insns, funcs, len(c.progs))}
		if funcs != 0 {
			b.must(b.w.M.Write64(funcs+8*uint64(i), p.prog))
		}
		r.progs = append(r.progs, p)
	}
	for i, n := range c.table {
		if n >= 0 {
			b.must(b.w.M.Write64(arrayAt+b.array.members["ptrs"].Offset+8*uint64(i), r.progs[n].prog))
		}
	}
	return r.translate()
}

// layProgram makes the struct bpf_prog of a program, number i of n.
func (b *bench) layProgram(s *source, i int, insns []uint64, funcs uint64, n int) uint64 {
	typ := b.tracing
	switch {
	case s.classic:
		typ = 0 // BPF_PROG_TYPE_UNSPEC
	case s.replaces:
		typ = b.ext
	}
	return b.makeProgram(insns, func(prog, aux object) {
		prog.set("type", typ)
		prog.set("is_func", b2u(funcs != 0 && (i == 0 || s.sub)))
		aux.set("stack_depth", uint64(s.stack))
		aux.set("exception_boundary", b2u(s.boundary))
		aux.set("exception_cb", b2u(s.callback))
		aux.set("jits_use_priv_stack", b2u(s.private))
		if s.sub {
			aux.set("func_idx", uint64(i))
		}
		if funcs != 0 {
			aux.set("func", funcs)
			aux.set("func_cnt", uint64(n))
			aux.set("real_func_cnt", uint64(n))
		}
		if s.arena {
			aux.set("arena", arenaObject)
			for _, w := range s.code {
				if op := decoded(w).op; op == opLoadArena || op == opSaveArena {
					aux.set("num_exentries", 2)
				}
			}
		}
	})
}

func b2u(v bool) uint64 {
	if v {
		return 1
	}
	return 0
}

// arenaObject is the address of a struct bpf_arena, arenaBase of the memory that it
// describes.
const (
	arenaObject = 0xffff_0000_5100_0000
	arenaBase   = 0xffff_0000_5200_0000
	arenaSize   = 1 << 14
	perCPU      = 1 << 13 // the offset of the per-CPU memory of the processor
)

// translate executes the JIT: once for a program that stands alone, twice for those that
// call each other, as jit_subprogs() does.
func (r *jitRun) translate() error {
	b := r.b
	b.setPerCPU()
	once := func(i int) error {
		if err := b.translate(r.progs[i].prog, 0); err != nil {
			return err
		}
		p := &r.progs[i]
		p.addr, p.size = b.translated(p.prog)
		if p.addr == 0 || p.size == 0 {
			return errRefused
		}
		return nil
	}
	for i := range r.progs {
		if err := once(i); err != nil {
			return err
		}
	}
	for i := range r.progs {
		if r.c.hasSubs() && (i == 0 || r.c.progs[i].sub) {
			if err := once(i); err != nil {
				return err
			}
		}
	}
	return nil
}

// setPerCPU makes the per-CPU memory of one processor.
func (b *bench) setPerCPU() {
	for name, v := range map[string]uint64{"__per_cpu_offset": perCPU, "__cpu_possible_mask": 1} {
		if a, ok := b.Image.Addr(name); ok {
			b.must(b.w.M.Protect(a&^(emu.PageSize-1), emu.PageSize, emu.Read|emu.Write))
			b.must(b.w.M.Write64(a, v))
		}
	}
}

// hookJIT makes the stand-ins for what the JIT asks for on behalf of certain programs.
func (b *bench) hookJIT() {
	b.w.Hook(func(string) error { b.w.SetResult(b2u(b.w.Arg(0) == arenaObject) * arenaBase); return nil }, "bpf_arena_get_kern_vm_start")
	b.w.Hook(b.w.Returns(0), "bpf_arena_get_user_vm_start")
	b.w.Hook(func(string) error {
		size := b.w.Arg(0)
		if size > 4096 {
			return fmt.Errorf("%#x bytes for each processor are asked for", size)
		}
		at := b.objs
		b.objs += 2 * perCPU
		b.stacks = append(b.stacks, symbolRange{at + perCPU, size})
		b.w.SetResult(at)
		return nil
	}, "pcpu_alloc", "pcpu_alloc_noprof", "__alloc_percpu_gfp")
}

// returnsTrue reports whether the image has a function that takes nothing, and that
// returns true.
func (b *bench) returnsTrue(name string) bool {
	fn, ok := b.Image.Addr(name)
	if !ok {
		return false
	}
	b.reset()
	v, returned, err := b.w.Execute(world.Subject{Name: name, Fn: fn})
	return err == nil && returned && v&0xff == 1
}

// guards are the words at both ends of the private stacks, which programs must not write
// to, and those outside of them.
func (b *bench) guards() (out []uint64) {
	const guard = 16 // bytes: PRIV_STACK_GUARD_SZ of the JIT
	for _, s := range b.stacks {
		for _, at := range []uint64{s.addr - 8, s.addr, s.addr + 8, s.addr + s.size - guard, s.addr + s.size - 8, s.addr + s.size} {
			v, err := b.w.M.Read64(at)
			b.must(err)
			out = append(out, v)
		}
	}
	return out
}

// execute calls the first program, and judges what it does. An error says why there is no
// verdict.
func (r *jitRun) execute(ret uint64) error {
	b, m := r.b, r.b.w.M
	r.setUp()
	near, away := b.probes()
	for _, at := range []uint64{near + probeOff, away + probeOff} {
		m.Hook(at, func(*emu.Machine) error { return r.atProbe() })
		defer m.Hook(at, nil)
	}
	m.Hook(near+throwOff, func(*emu.Machine) error { return r.atThrow() })
	defer m.Hook(near+throwOff, nil)
	guards := b.guards()
	err := r.steps()
	switch {
	case errors.Is(err, errDone):
	case err != nil:
		var stop *emu.Stop
		if !errors.As(err, &stop) {
			return err
		}
		switch stop.Reason {
		case emu.HookFailed, emu.PageLimit, emu.UnknownInstruction, emu.UnknownSysReg:
			return b.w.Explain(err)
		case emu.NoLandingPad:
			r.diff(LandingPad, r.last, "branches to where no landing pad is: %v", b.w.Explain(err))
		default:
			r.diff(Frame, cmp.Or(r.taken, r.moved), "does not come back: %v", b.w.Explain(err))
		}
	default:
		if r.atEnd(ret); len(r.diffs) == 0 && !slices.Equal(b.guards(), guards) {
			r.diff(Frame, 0, "writes to the guards of its private stack")
		}
	}
	return nil
}

// setUp makes the state of the programs' caller, and puts PC at the first program.
func (r *jitRun) setUp() {
	b, m := r.b, r.b.w.M
	near, away := b.probes()
	for _, at := range []uint64{near, away} {
		m.Map(at, emu.PageSize, emu.Read|emu.Exec)
	}
	m.Map(arenaBase, arenaSize, emu.Read|emu.Write)
	b.w.Enter()
	m.Guarded = b.Guarded
	m.Sys[emu.TPIDREL1], m.Sys[emu.TPIDREL2] = perCPU, perCPU
	r.sp = world.StackTop - 1024
	b.must(m.Write(world.Stack, world.Poison(world.Stack, int(r.sp-world.Stack), world.StackMark)))
	for i := range r.before {
		r.before[i] = 0xc0de_0000_0000_0000 | uint64(i)<<40 | 0x5a5a_0000 | uint64(i)
	}
	record := r.sp + 512 // a frame record of the caller
	r.before[0], r.before[18], r.before[29], r.before[30] = ctxArg, m.X[18], record, b.caller()
	b.must(m.Write64(record, 0))
	b.must(m.Write64(record+8, b.caller()+0x100))
	for i := range r.above {
		r.above[i] = byte(0x80 + i)
	}
	b.must(m.Write(r.sp, r.above[:]))
	m.X, m.SP, m.PC = r.before, r.sp, r.progs[0].addr
	if r.c.jumped { // from the PLT of the program that it replaces: see leadProgram
		b.must(m.Write32(near+thunkOff, brX10))
		m.X[10], m.X[9], m.PC = r.progs[0].addr, b.caller(), near+thunkOff
	}
}

// steps executes up to the end. With blame it executes one instruction after the other.
func (r *jitRun) steps() error {
	m, end := r.b.w.M, r.b.caller()
	if !r.blame {
		return m.Run(end)
	}
	limit := m.MaxSteps
	defer func() { m.MaxSteps = limit }()
	m.MaxSteps = 1
	for range maxSteps {
		if m.PC == end {
			return nil
		}
		pc, before, sp := m.PC, m.X, m.SP
		inside := r.progAt(pc) >= 0
		if inside {
			r.last = pc
		}
		err := m.Run(end)
		var stop *emu.Stop
		if err != nil && !(errors.As(err, &stop) && stop.Reason == emu.StepLimit) {
			return err
		}
		if !inside {
			continue
		}
		for i := range m.X {
			if m.X[i] != before[i] {
				r.writers[i] = pc
			}
		}
		r.noteSP(pc, sp)
		if len(r.diffs) > 0 {
			return errDone
		}
	}
	return &emu.Stop{Reason: emu.StepLimit, PC: m.PC}
}

// noteSP notes what the instruction at pc did to SP, which was before. If that is a tail
// call, it judges SP: the program that is entered goes on where the first one does behind
// what all programs begin with.
func (r *jitRun) noteSP(pc, before uint64) {
	m, from, to := r.b.w.M, r.progAt(pc), r.progAt(r.b.w.M.PC)
	word, err := m.Read32(pc)
	const pairs, writeback = 0x3a000000, 0x00800000
	if err == nil && from >= 0 && m.SP != before && (word&pairs != 0x28000000 || word&writeback == 0) {
		r.moved = pc
		if r.c.progs[from].callback && r.taken == 0 {
			r.taken = pc
		}
	}
	if r.entries == nil {
		r.entries = map[uint64]uint64{}
	}
	const most = 128 // bytes of what all programs begin with
	if off := m.PC - r.progs[0].addr; to == 0 && off < most && r.entries[off] == 0 {
		r.entries[off] = m.SP
	}
	if to < 0 || a64.Classify(word) != a64.BR || from != 0 {
		return
	}
	off := m.PC - r.progs[to].addr
	if want := r.entries[off]; want != 0 && want != m.SP {
		r.diff(Frame, r.moved, "SP is %#x behind the tail call, %#x was expected", m.SP, want)
	}
}

// progAt is the program that an address lies in, -1 if the address is outside of all.
func (r *jitRun) progAt(pc uint64) int {
	for i, p := range r.progs {
		if pc-p.addr < p.size {
			return i
		}
	}
	return -1
}

// diff notes a difference. blamed is the instruction of a program that is to blame, 0 if
// that is not known.
func (r *jitRun) diff(kind DiffKind, blamed uint64, format string, args ...any) {
	d := Diff{Kind: kind, Text: fmt.Sprintf(format, args...)}
	if i := r.progAt(blamed); i >= 0 {
		d.At, d.Offset = blamed, blamed-r.progs[i].addr
		d.Word, _ = r.b.w.M.Read32(blamed)
		d.Emitter = r.b.emit[blamed]
	}
	r.diffs = append(r.diffs, d)
}

// atProbe is a function that programs call.
func (r *jitRun) atProbe() error {
	m, where := r.b.w.M, fmt.Sprintf("call %d of a function", r.next+1)
	if r.next == len(r.want) {
		r.diff(Frame, r.last, "a function is called %d times, %d calls were expected", r.next+1, r.next)
		return errDone
	}
	r.atCall(where)
	for i, want := range r.want[r.next] {
		if want == arrayMark || m.X[i] == want {
			continue
		}
		r.diff(Frame, r.writers[i], "r%d is %#x at %s, %#x was expected", i+1, m.X[i], where, want)
	}
	if len(r.diffs) > 0 {
		return errDone
	}
	for i := range 18 {
		m.X[i] = 0xbad0_0000_0000_0000 | uint64(i)<<32 | uint64(r.next)
	}
	m.N, m.Z, m.C, m.V = !m.N, !m.Z, !m.C, !m.V
	m.X[0] = probeRet + uint64(r.next)
	r.next++
	return nil
}

// atCall judges what holds at each call. Then the callee clobbers the stack below.
func (r *jitRun) atCall(where string) {
	m := r.b.w.M
	switch {
	case m.SP%16 != 0:
		r.diff(Frame, r.moved, "SP is %#x at %s, not a multiple of 16", m.SP, where)
	case m.SP > r.sp || m.SP < world.Stack+4096:
		r.diff(Frame, r.moved, "SP is %#x at %s, and was %#x at the program's call", m.SP, where, r.sp)
	default:
		r.b.must(m.Write(m.SP-256, bytes.Repeat([]byte{0xdb}, 256)))
	}
	if m.X[18] != r.before[18] {
		r.diff(Frame, r.writers[18], "x18, the shadow call stack, is lost at %s", where)
	}
	if _, ok := r.unwind(); !ok {
		r.diff(Unwind, r.writers[29], "a stack trace at %s does not come back to the program's caller", where)
	}
}

// unwind follows the frame records. boundary is the frame pointer of the first program,
// and ok reports whether they come back to its caller.
func (r *jitRun) unwind() (boundary uint64, ok bool) {
	m := r.b.w.M
	fp := m.X[29]
	var ret uint64
	for range 64 {
		if fp == r.before[29] {
			return boundary, ret == r.b.caller()
		}
		if fp%8 != 0 || fp < m.SP || fp >= r.sp {
			return 0, false
		}
		boundary = fp
		ret, _ = m.Read64(fp + 8)
		ret |= signature
		fp, _ = m.Read64(fp)
	}
	return 0, false
}

// atThrow is bpf_throw(), which calls the callback with the frame pointer of the program
// that exceptions end.
func (r *jitRun) atThrow() error {
	m := r.b.w.M
	r.atCall("bpf_throw")
	bp, ok := r.unwind()
	if len(r.diffs) > 0 || !ok {
		return errDone
	}
	cookie := m.X[0]
	for i := range 31 { // bpf_throw has registers of its own
		if i != 18 {
			m.X[i] = 0xbad1_0000_0000_0000 | uint64(i)<<32
		}
	}
	m.X[0], m.X[1], m.X[2], m.X[3], m.X[4] = cookie, 0, bp, 0, 0
	m.SP -= 512
	near, _ := r.b.probes()
	m.X[30] = near + throwOff + a64.Size // the callback must not return
	for i := range r.c.progs {
		if r.c.progs[i].callback {
			m.PC = r.progs[i].addr
		}
	}
	return nil
}

// atEnd judges what the caller gets.
func (r *jitRun) atEnd(ret uint64) {
	m := r.b.w.M
	if len(r.diffs) > 0 {
		return
	}
	where := "the program's caller"
	if r.next < len(r.want) {
		r.diff(Frame, r.last, "returns after %d calls of a function, %d were expected", r.next, len(r.want))
		return
	}
	for i := 18; i < 30; i++ {
		if m.X[i] != r.before[i] {
			r.diff(Frame, r.writers[i], "x%d is %#x at %s, %#x was expected", i, m.X[i], where, r.before[i])
		}
	}
	if m.SP != r.sp {
		r.diff(Frame, r.moved, "SP is %#x at %s, %#x was expected", m.SP, where, r.sp)
	}
	if m.X[0] != ret {
		r.diff(Frame, r.writers[0], "x0 is %#x at %s, the return value %#x was expected", m.X[0], where, ret)
	}
	above := make([]byte, len(r.above))
	_ = m.Read(r.sp, above)
	if !bytes.Equal(above, r.above[:]) {
		r.diff(Frame, r.last, "the caller's stack is overwritten")
	}
}
