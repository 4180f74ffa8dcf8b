package bpf

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/world"
)

// A DiffKind is a kind of difference from the model.
type DiffKind uint8

const (
	Context    DiffKind = iota // a program is handed wrong arguments
	Registers                  // the function or its caller does not get back what it needs
	Return                     // a wrong return value
	Size                       // more is emitted than was computed
	Outside                    // a write outside of the buffer
	Reach                      // a branch does not arrive
	Unwind                     // no stack trace comes back to the caller
	LandingPad                 // an indirect branch lands on no pad
	Hooks                      // enter and exit functions are not called as they must be
	Detach                     // what was patched does not run right
	ICache                     // code is not made visible to instruction fetch
	Failing                    // the generator fails badly
	Torn                       // a literal is written in parts
	Frame                      // a compiled program loses registers, its frame or its stack
)

// A Diff is a difference from the model.
type Diff struct {
	Kind    DiffKind
	Text    string  // what happens: "x0 is 0 at the program, the context was expected"
	At      uint64  // address in the trampoline of the instruction that is to blame, 0 if none is known
	Offset  uint64  // of that instruction in the trampoline
	Word    uint32  // that instruction
	Emitter Emitter // the instructions of the generator that emitted it, if At is not 0
}

// A runner executes a trampoline once.
type runner struct {
	b     *bench
	c     *Case
	t     *Built
	s     *Scenario
	words []where // of the arguments
	stack uint64  // bytes of arguments on the stack
	args  []uint64

	steps []step
	next  int
	diffs []Diff

	before  [31]uint64 // registers of the caller
	sp      uint64
	above   [96]byte // the stack from sp on, behind the arguments
	body    uint64   // address where the traced function goes on behind its callsite
	runCtx  uint64   // that the enter function got
	enter   string   // the enter function that was called
	cookies map[int]uint64
	segment int                                           // see Listing.watch
	watch   func(r *runner, pc uint64, before [31]uint64) // called behind each instruction, if blame is not nil
	blame   *blame                                        // nil: what wrote registers and the stack is not noted
}

// A blame is what last wrote each register and each word of the stack.
type blame struct {
	regs  [31]uint64
	from  [31]uint64 // the address that a register was loaded from; 0 if it was not loaded
	stack map[uint64]uint64
	last  uint64 // the trampoline's instruction that was executed last
}

// errDone ends a run whose first difference is known.
var errDone = errors.New("the run is over")

// caller is the address that the traced function returns to.
func (b *bench) caller() uint64 { return b.text[1] + 64<<20 + 0x40 }

// Values that a run uses.
const (
	startTime  = 0x7157_0000_0000_0000 // what enter functions return, plus the number of the program above bit 32: the lower half is 0
	savedCtx   = 0x5a7e_0000_0000_0000 // what they keep in the run context
	cookieMark = 0xc00c_1e00_0000_0000 // what programs keep in their session's cookie
	poisonArgs = 0xa400_5a5a_a500_0000 // arguments, plus the number of the word
)

// hookPrograms makes the stand-ins for what trampolines call.
func (b *bench) hookPrograms() {
	tramp := func(kind stepKind) func(string) error {
		return func(name string) error {
			if b.run == nil {
				return fmt.Errorf("%s() is called by the generator", name)
			}
			return b.run.atTramp(kind, name)
		}
	}
	b.w.Hook(tramp(trampEnter), "__bpf_tramp_enter")
	b.w.Hook(tramp(trampExit), "__bpf_tramp_exit")
	for _, kind := range progKinds {
		b.w.Hook(func(name string) error { return b.run.atEnter(name) }, "__bpf_prog_enter"+kind)
		b.w.Hook(func(name string) error { return b.run.atExit(name) }, "__bpf_prog_exit"+kind)
	}
}

// progKinds are the ends of the names of the functions that are called before and
// after a program.
var progKinds = []string{"", "_recur", "_sleepable", "_sleepable_recur", "_lsm_cgroup"}

// traced is the address of the traced function as the generator is told.
func (b *bench) traced(c *Case) uint64 {
	switch c.From {
	case Site:
		return b.site.Func
	case Program:
		return b.program()
	}
	return 0
}

// program is the address of a BPF program that is traced.
func (b *bench) program() uint64 { return b.near() + 4<<20 }

// execute executes what was built. The result are the differences from the model.
// With watch, which is called behind each instruction, they name the instructions that
// are to blame. An error says why there is no verdict.
func (b *bench) execute(c *Case, t *Built, s *Scenario, watch func(*runner, uint64, [31]uint64)) ([]Diff, error) {
	r := &runner{b: b, c: c, t: t, s: s, steps: c.steps(s), cookies: map[int]uint64{}}
	if watch != nil {
		r.watch, r.blame = watch, &blame{stack: map[uint64]uint64{}}
	}
	b.run = r
	defer func() { b.run = nil }()
	r.words, r.stack = c.Proto.places()
	r.setUp()
	m := b.w.M
	for i, code := range t.codes {
		m.Hook(code, func(*emu.Machine) error { return r.atProgram(i) })
	}
	m.Map(b.codeOf(c, 0), uint64(len(t.codes)+1)*64, emu.Read|emu.Exec)
	defer func() {
		for _, code := range t.codes {
			m.Hook(code, nil)
		}
		m.Hook(r.body, nil)
	}()
	m.Hook(r.body, func(*emu.Machine) error { return r.atFunction() })
	err := r.follow()
	switch {
	case err == nil:
		r.atEnd()
	case errors.Is(err, errDone):
	default:
		if len(r.diffs) == 0 && !r.ends(err) {
			return nil, b.w.Explain(err)
		}
	}
	return r.diffs, nil
}

// follow executes up to the end. With blame it executes one instruction after the
// other.
func (r *runner) follow() error {
	m, end := r.b.w.M, r.b.caller()
	if r.blame == nil {
		return m.Run(end)
	}
	limit, onWrite := m.MaxSteps, m.OnWrite
	defer func() { m.MaxSteps, m.OnWrite = limit, onWrite }()
	m.MaxSteps = 1
	m.OnWrite = func(pc, addr uint64, size int, _ uint64) {
		for a := addr &^ 7; a < addr+uint64(size); a += 8 {
			r.blame.stack[a] = pc
		}
	}
	r.b.must(m.Watch(world.Stack, r.sp-world.Stack))
	for range 1 << 16 {
		if m.PC == end {
			return nil
		}
		pc, before, sp := m.PC, m.X, m.SP
		inside := pc-r.t.Addr < uint64(len(r.t.Code))
		if inside {
			r.blame.last = pc
		}
		err := m.Run(end)
		var stop *emu.Stop
		if err != nil && !(errors.As(err, &stop) && stop.Reason == emu.StepLimit) {
			return err
		}
		r.watch(r, pc, before)
		if err == nil {
			return nil
		}
		for i := range m.X {
			if m.X[i] != before[i] {
				r.blame.regs[i], r.blame.from[i] = pc, 0
				if !inside { // a call: what called it is to blame
					r.blame.regs[i] = r.blame.last
				} else if word, err := m.Read32(pc); err == nil {
					r.blame.from[i] = loadedFrom(word, i, before, sp)
				}
			}
		}
	}
	return &emu.Stop{Reason: emu.StepLimit, PC: m.PC}
}

// setUp makes the caller's state, and the callsite that leads to the trampoline.
func (r *runner) setUp() {
	b, m := r.b, r.b.w.M
	w := b.w
	w.Enter()
	r.sp = world.StackTop - 1024
	b.must(m.Write(world.Stack, world.Poison(world.Stack, int(r.sp-world.Stack), world.StackMark)))
	for i := range r.before {
		r.before[i] = 0xc0de_0000_0000_0000 | uint64(i)<<40 | 0x5a5a_0000 | uint64(i)
	}
	record := r.sp + 512 // a frame record of the caller
	r.before[29], r.before[30], r.before[18] = record, b.caller(), m.X[18]
	b.must(m.Write64(record, 0))
	b.must(m.Write64(record+8, b.caller()+0x100))
	r.args = r.args[:0]
	for i, p := range r.words {
		v := poisonArgs + uint64(i)*0x0101 + uint64(i)<<48
		r.args = append(r.args, v)
		if p.reg >= 0 {
			r.before[p.reg] = v
		} else {
			b.must(m.Write64(r.sp+p.off, v))
		}
	}
	for i := range r.above {
		r.above[i] = byte(0x80 + i)
	}
	b.must(m.Write(r.sp+r.stack, r.above[:]))
	m.X, m.SP = r.before, r.sp
	r.lead()
}

// lead makes the way from the caller to the trampoline, and puts PC at its start.
func (r *runner) lead() {
	b, m := r.b, r.b.w.M
	switch r.c.From {
	case Indirect:
		m.PC = r.t.Addr
	case Program:
		r.leadProgram()
	case Site:
		s := b.site
		r.body = s.Call + a64.Size
		target, _ := b.Image.Addr("ftrace_caller")
		bl, err := a64.EncodeBL(s.Call, target)
		b.must(err)
		ops := b.w.Object(512)
		b.must(m.Write32(s.Call, bl))
		b.must(m.Write32(s.Call-a64.Size, a64.EncodeMOV(9, a64.LR)))
		b.must(m.Write64(s.Entry, ops))
		b.must(m.Write64(ops+b.direct, r.t.Addr))
		m.PC = s.Func
	}
}

// leadProgram makes a BPF program whose entry calls the trampoline, by its PLT if
// that is far away: see bpf_arch_text_poke().
func (r *runner) leadProgram() {
	b, m := r.b, r.b.w.M
	at := b.program()
	code, off := b.programCode(r.t.Addr)
	call := at + off
	r.body = call + a64.Size
	bl, err := a64.EncodeBL(call, r.t.Addr)
	if err != nil {
		bl, err = a64.EncodeBL(call, at+pltOff)
		b.must(err)
	}
	m.Map(at, programEnd, emu.Read|emu.Exec)
	b.must(m.Write(at, code))
	b.must(m.Write32(call, bl))
	m.PC = at
}

// diff notes a difference. blamed is the address of the instruction that is to
// blame, if that is known.
func (r *runner) diff(kind DiffKind, blamed uint64, format string, args ...any) {
	d := Diff{Kind: kind, Text: fmt.Sprintf(format, args...)}
	if blamed-r.t.Addr < uint64(len(r.t.Code)) {
		d.At, d.Offset = blamed, blamed-r.t.Addr
		d.Word = binary.LittleEndian.Uint32(r.t.Code[blamed-r.t.Addr:])
		d.Emitter = r.b.emit[blamed]
	}
	r.diffs = append(r.diffs, d)
}

// reg is the instruction that wrote a register. A difference is blamed on that, on mem or
// on call, each of which is 0 where it is not known.
func (r *runner) reg(i int) uint64 {
	if r.blame == nil {
		return 0
	}
	return r.blame.regs[i]
}

// lost is what lost the value want, which register i must have: the instruction that
// wrote the register or, if that is a load and the value is nowhere on the stack, the
// one that stored what it loads.
func (r *runner) lost(i int, want uint64) uint64 {
	pc := r.reg(i)
	if pc == 0 || r.blame.from[i] == 0 {
		return pc
	}
	frame := make([]byte, r.sp-min(r.sp, r.b.w.M.SP-1024))
	if err := r.b.w.M.Read(r.sp-uint64(len(frame)), frame); err != nil {
		return pc
	}
	for off := 0; off+8 <= len(frame); off += 8 {
		if binary.LittleEndian.Uint64(frame[off:]) == want {
			return pc
		}
	}
	return cmp.Or(r.mem(r.blame.from[i]), pc)
}

// loadedFrom is the address that register i was loaded from by an instruction: LDR or
// LDP of 64 bits with an immediate offset; 0 if the instruction is another. x and sp
// are the registers before it.
func loadedFrom(w uint32, i int, x [31]uint64, sp uint64) uint64 {
	base := sp
	if n := a64.Rn(w); n != 31 {
		base = x[n]
	}
	second := uint64(0)
	if i != a64.Rd(w) {
		second = 8
	}
	switch {
	case w&0xffc00000 == 0xf9400000: // LDR, unsigned offset
		return base + uint64(w>>10&0xfff)*8
	case w&0xffc00000 == 0xa9400000: // LDP, signed offset
		return base + uint64(int64(int32(w<<10)>>25)*8) + second
	case w&0xffc00000 == 0xa8c00000: // LDP, post-index
		return base + second
	}
	return 0
}

// mem is the instruction that wrote a word of the stack.
func (r *runner) mem(addr uint64) uint64 {
	if r.blame == nil {
		return 0
	}
	return r.blame.stack[addr&^7] // 0 if nothing has written there
}

// call is the trampoline's instruction that was executed last.
func (r *runner) call() uint64 {
	if r.blame == nil {
		return 0
	}
	return r.blame.last
}

// name is a step in words.
func (r *runner) name(s step) string {
	switch s.kind {
	case trampEnter:
		return "__bpf_tramp_enter"
	case trampExit:
		return "__bpf_tramp_exit"
	case progEnter:
		return "the enter function of " + r.progName(s.prog)
	case progRun:
		return r.progName(s.prog)
	case progExit:
		return "the exit function of " + r.progName(s.prog)
	case function:
		return "the traced function"
	}
	return "the caller of the traced function"
}

// progName is a program in words: "fentry program 2".
func (r *runner) progName(i int) string {
	n := 0
	for _, p := range r.c.Progs[:i] {
		if p.Kind == r.c.Progs[i].Kind {
			n++
		}
	}
	return fmt.Sprintf("%v program %d", r.c.Progs[i].Kind, n+1)
}

// arrive notes that the trampoline has come to a step. The result is errDone if
// another step was due.
func (r *runner) arrive(kind stepKind, prog int) (step, error) {
	want := r.steps[min(r.next, len(r.steps)-1)]
	r.next++
	if want.kind == kind && (prog < 0 || want.prog == prog) {
		return want, nil
	}
	k := Hooks
	if kind == function || kind == back || want.kind == function {
		k = Return
	}
	r.diff(k, r.call(), "%s is called, %s was due", r.name(step{kind: kind, prog: max(prog, 0)}), r.name(want))
	return want, errDone
}

// atCall judges what holds at each call: the stack pointer's alignment, and that a
// stack trace comes back to the caller. Then the callee clobbers what it may.
func (r *runner) atCall(where string) error {
	m := r.b.w.M
	if m.SP%16 != 0 {
		r.diff(Registers, r.call(), "SP is %#x at %s, not a multiple of 16", m.SP, where)
	}
	if m.SP > r.sp || m.SP < world.Stack+4096 {
		r.diff(Registers, r.call(), "SP is %#x at %s, and was %#x at the callsite", m.SP, where, r.sp)
		return errDone
	}
	if bad := r.unwind(m.X[29]); bad != "" {
		r.diff(Unwind, cmp.Or(r.reg(29), r.call()), "a stack trace from %s %s", where, bad)
	}
	if m.X[18] != r.before[18] {
		r.diff(Registers, r.reg(18), "x18, the shadow call stack, is lost at %s", where)
	}
	if len(r.diffs) > 0 {
		return errDone
	}
	r.b.must(m.Write(m.SP-256, bytes.Repeat([]byte{0xdb}, 256)))
	return nil
}

// unwind follows the frame records from fp on. It says what is wrong with them; ""
// if they come to the caller's, with the traced function on the way.
func (r *runner) unwind(fp uint64) string {
	m := r.b.w.M
	var rets []uint64
	for range 8 {
		if fp == r.before[29] {
			break
		}
		if fp%8 != 0 || fp < m.SP || fp >= r.sp {
			return fmt.Sprintf("ends at %#x, which is not a frame record", fp)
		}
		ret, _ := m.Read64(fp + 8)
		fp, _ = m.Read64(fp)
		rets = append(rets, ret)
	}
	want := []uint64{r.b.caller()}
	if r.c.From != Indirect {
		want = []uint64{r.body, r.b.caller()}
	}
	if len(rets) < len(want) || !slices.Equal(rets[len(rets)-len(want):], want) {
		return "does not show the traced function and its caller"
	}
	if fp != r.before[29] {
		return "does not come back to the caller"
	}
	return ""
}

// clobber clobbers the registers that a call may clobber.
func (r *runner) clobber() {
	m := r.b.w.M
	for i := range 18 {
		m.X[i] = 0xbad0_0000_0000_0000 | uint64(i)<<32 | uint64(r.next)
	}
	m.N, m.Z, m.C, m.V = !m.N, !m.Z, !m.C, !m.V
}

// want compares an argument of a call.
func (r *runner) want(kind DiffKind, reg int, what string, want uint64, where string) {
	if got := r.b.w.M.X[reg]; got != want {
		r.diff(kind, r.reg(reg), "x%d (%s) is %#x at %s, %#x was expected", reg, what, got, where, want)
	}
}

// atTramp is __bpf_tramp_enter() or __bpf_tramp_exit().
func (r *runner) atTramp(kind stepKind, name string) error {
	if _, err := r.arrive(kind, -1); err != nil {
		return err
	}
	r.want(Hooks, 0, "the trampoline's image", r.t.im, name)
	if err := r.atCall(name); err != nil {
		return err
	}
	r.clobber()
	return nil
}

// progOf is the index of the program whose struct bpf_prog is at addr, -1 if no
// program's is.
func (r *runner) progOf(addr uint64) int {
	for i, p := range r.t.progs {
		if p == addr {
			return i
		}
	}
	return -1
}

// due is the index of the program that is due.
func (r *runner) due() int { return r.steps[min(r.next, len(r.steps)-1)].prog }

// atEnter is an enter function of programs.
func (r *runner) atEnter(name string) error {
	m, i := r.b.w.M, r.progOf(r.b.w.Arg(0))
	if i < 0 && r.steps[min(r.next, len(r.steps)-1)].kind == progEnter {
		r.want(Hooks, 0, "the program", r.t.progs[r.due()], name)
		return errDone
	}
	if _, err := r.arrive(progEnter, i); err != nil {
		return err
	}
	p := &r.c.Progs[i]
	if bad := r.wrongKind(p, strings.TrimPrefix(name, "__bpf_prog_enter")); bad {
		r.diff(Hooks, r.call(), "%s is called for %s", name, r.progName(i))
	}
	r.enter, r.runCtx = strings.TrimPrefix(name, "__bpf_prog_enter"), r.b.w.Arg(1)
	size := r.b.ctx.size
	if r.runCtx%8 != 0 || r.runCtx < m.SP || r.runCtx+size > r.sp {
		r.diff(Hooks, r.reg(1), "x1 (the run context) is %#x at %s, which is not on the trampoline's stack", r.runCtx, name)
		return errDone
	}
	at := r.runCtx + r.b.ctx.members["bpf_cookie"].Offset
	if got, _ := m.Read64(at); got != p.Cookie {
		r.diff(Context, r.mem(at), "the cookie of %s is %#x, %#x was expected", r.progName(i), got, p.Cookie)
	}
	if err := r.atCall(name); err != nil {
		return err
	}
	for off := uint64(0); off+8 <= size; off += 8 {
		if r.runCtx+off != at {
			r.b.must(m.Write64(r.runCtx+off, savedCtx+uint64(i)))
		}
	}
	r.clobber()
	ret := uint64(startTime) + uint64(i)<<32
	if r.s.Skip[i] {
		ret = 0
	}
	r.b.w.SetResult(ret)
	return nil
}

// wrongKind reports whether the enter function is not the one that such a program
// needs: see bpf_trampoline_enter().
func (r *runner) wrongKind(p *Prog, kind string) bool {
	switch p.Type {
	case LSMCgroup:
		return kind != "_lsm_cgroup"
	case Tracing:
		if p.Sleepable {
			return kind != "_sleepable_recur"
		}
		return kind != "_recur"
	}
	return strings.Contains(kind, "sleepable") != p.Sleepable || kind == "_lsm_cgroup"
}

// atExit is an exit function of programs.
func (r *runner) atExit(name string) error {
	m, i := r.b.w.M, r.progOf(r.b.w.Arg(0))
	if i < 0 && r.steps[min(r.next, len(r.steps)-1)].kind == progExit {
		r.want(Hooks, 0, "the program", r.t.progs[r.due()], name)
		return errDone
	}
	if _, err := r.arrive(progExit, i); err != nil {
		return err
	}
	start := uint64(startTime) + uint64(i)<<32
	if r.s.Skip[i] {
		start = 0
	}
	r.want(Hooks, 1, "the start time", start, name)
	r.want(Hooks, 2, "the run context", r.runCtx, name)
	if kind := strings.TrimPrefix(name, "__bpf_prog_exit"); kind != r.enter {
		r.diff(Hooks, r.call(), "%s is called after __bpf_prog_enter%s", name, r.enter)
	}
	cookie := r.runCtx + r.b.ctx.members["bpf_cookie"].Offset
	for at := r.runCtx; at+8 <= r.runCtx+r.b.ctx.size && len(r.diffs) == 0; at += 8 {
		want := savedCtx + uint64(i)
		if at == cookie {
			want = r.c.Progs[i].Cookie
		}
		if got, _ := m.Read64(at); got != want {
			r.diff(Hooks, r.mem(at), "the run context is overwritten between %s and %s", "__bpf_prog_enter"+r.enter, name)
		}
	}
	if err := r.atCall(name); err != nil {
		return err
	}
	r.clobber()
	r.b.w.SetResult(m.X[0])
	return nil
}

// lowBytes are the low n bytes of v, n from 0 to 8.
func lowBytes(v uint64, n int) uint64 {
	if n >= 8 {
		return v
	}
	return v & (1<<(8*n) - 1)
}

// Bits of the word in front of a context that has the number of arguments, in
// kernels with sessions: BPF_TRAMP_COOKIE_INDEX_SHIFT and BPF_TRAMP_IS_RETURN_SHIFT
// of include/linux/bpf.h.
const (
	countBits  = 0xff
	cookieBits = 8 // the shift of the distance of the session's cookie, in words
	isReturn   = 1 << 63
)

// atProgram is program i.
func (r *runner) atProgram(i int) error {
	m, name := r.b.w.M, r.progName(i)
	s, err := r.arrive(progRun, i)
	if err != nil {
		return err
	}
	ctx := r.b.w.Arg(0)
	slots := uint64(len(r.words))
	if ctx%8 != 0 || ctx < m.SP+8 || ctx+8*slots > r.sp {
		r.diff(Context, r.reg(0), "x0 (the context) is %#x at %s, which is not on the trampoline's stack", ctx, name)
		return errDone
	}
	if r.c.Progs[i].Interp {
		r.want(Context, 1, "the instructions for the interpreter", r.t.insns[i], name)
	}
	word := func(off int64) (addr, v uint64) {
		addr = ctx + uint64(off)
		v, _ = m.Read64(addr)
		return addr, v
	}
	for n, p := range r.words {
		if addr, got := word(int64(n) * 8); lowBytes(got, p.size) != lowBytes(r.args[n], p.size) {
			r.diff(Context, r.mem(addr), "word %d of the arguments is %#x in the context of %s, %#x was expected", n, got, name, lowBytes(r.args[n], p.size))
		}
	}
	addr, count := word(-8)
	if r.b.session != 0 {
		r.atSession(i, ctx, count)
		count &= countBits
	}
	if count != slots {
		r.diff(Context, r.mem(addr), "the number of arguments in the context of %s is %d, %d was expected", name, count, slots)
	}
	if r.c.Flags&flagIPArg != 0 {
		if addr, got := word(-16); got != r.t.fn {
			r.diff(Context, r.mem(addr), "the instruction pointer in the context of %s is %#x, %#x was expected", name, got, r.t.fn)
		}
	}
	if s.hasRet {
		size := r.c.Proto.Ret
		if s.ret == 0 && r.c.Progs[i].Kind != Fexit {
			size = 8
		}
		if addr, got := word(8 * int64(slots)); lowBytes(got, size) != lowBytes(s.ret, size) {
			r.diff(Return, r.mem(addr), "the return value in the context of %s is %#x, %#x was expected", name, got, s.ret)
		}
	}
	if err := r.atCall(name); err != nil {
		return err
	}
	r.clobber()
	r.b.w.SetResult(r.s.Ret[i])
	return nil
}

// atSession judges the cookie of a program that is half of a session, and whether
// the program is told which half it is.
func (r *runner) atSession(i int, ctx, meta uint64) {
	m, p := r.b.w.M, &r.c.Progs[i]
	if p.Session == 0 {
		return
	}
	name := r.progName(i)
	if got := meta&isReturn != 0; got != (p.Kind == Fexit) {
		r.diff(Context, r.mem(ctx-8), "%s is told that it is the %s half of its session", name, map[bool]string{true: "second", false: "first"}[got])
	}
	at := ctx - 8*(meta>>cookieBits&0xff)
	if at < m.SP || at >= ctx-8 {
		r.diff(Context, r.mem(ctx-8), "the session's cookie of %s is at %#x, which is not on the trampoline's stack", name, at)
		return
	}
	v, _ := m.Read64(at)
	if v != r.cookies[p.Session] {
		r.diff(Context, r.mem(at), "the session's cookie of %s is %#x, %#x was expected", name, v, r.cookies[p.Session])
	}
	r.cookies[p.Session] = cookieMark + uint64(p.Session)
	r.b.must(m.Write64(at, r.cookies[p.Session]))
}

// atFunction is the traced function, which is called by the trampoline or returned
// to.
func (r *runner) atFunction() error {
	m := r.b.w.M
	if _, err := r.arrive(function, -1); err != nil {
		return err
	}
	r.landed("the function's body")
	last := r.next == len(r.steps)-1 // the trampoline has returned to it
	called := r.c.Flags&flagCallOrig != 0
	where := "the traced function"
	sp := m.SP
	for n, p := range r.words {
		switch {
		case last && called: // the arguments are gone, and x0 is what it returned
		case p.reg >= 0 && lowBytes(m.X[p.reg], p.size) != lowBytes(r.args[n], p.size):
			r.diff(Registers, r.lost(p.reg, r.args[n]), "x%d is %#x at %s, its argument %#x was expected", p.reg, m.X[p.reg], where, lowBytes(r.args[n], p.size))
		case p.reg < 0:
			if got, _ := m.Read64(sp + p.off); lowBytes(got, p.size) != lowBytes(r.args[n], p.size) {
				r.diff(Registers, r.mem(sp+p.off), "the argument at SP+%#x is %#x at %s, %#x was expected", p.off, got, where, lowBytes(r.args[n], p.size))
			}
		}
	}
	if last {
		r.atReturn(where, r.before[30])
		if len(r.diffs) > 0 {
			return errDone
		}
	} else if err := r.atCall(where); err != nil {
		return err
	} else if r.stack > 0 {
		// The stack that its arguments are on is its own.
		r.b.must(m.Write(sp, bytes.Repeat([]byte{0xad}, int(r.stack))))
	}
	r.clobber()
	r.b.w.SetResult(r.s.FuncRet)
	return nil
}

// landed judges how execution has come to code behind a call, which begins with no
// landing pad.
func (r *runner) landed(where string) {
	trail := r.b.w.M.Trail()
	if !r.b.Guarded || len(trail) == 0 {
		return
	}
	from := trail[len(trail)-1].From
	word, err := r.b.w.M.Read32(from)
	if kind := a64.Classify(word); err == nil && (kind == a64.BR || kind == a64.BLR) {
		r.diff(LandingPad, from, "%v goes to %s, which has no landing pad", kind, where)
	}
}

// atReturn judges the registers that every function gives back, and those of the
// caller's stack. lr is what LR must be.
func (r *runner) atReturn(where string, lr uint64) {
	m := r.b.w.M
	for i := 18; i < 30; i++ {
		if m.X[i] != r.before[i] {
			r.diff(Registers, r.lost(i, r.before[i]), "x%d is %#x at %s, %#x was expected", i, m.X[i], where, r.before[i])
		}
	}
	if m.X[30] != lr {
		r.diff(Registers, r.lost(30, lr), "x30 is %#x at %s, %#x was expected", m.X[30], where, lr)
	}
	if m.SP != r.sp {
		r.diff(Registers, r.call(), "SP is %#x at %s, %#x was expected", m.SP, where, r.sp)
	}
	above := make([]byte, len(r.above))
	_ = m.Read(r.sp+r.stack, above)
	if !bytes.Equal(above, r.above[:]) {
		r.diff(Registers, r.call(), "the caller's stack is overwritten")
	}
}

// atEnd judges what the caller gets.
func (r *runner) atEnd() {
	m := r.b.w.M
	if len(r.diffs) > 0 {
		return
	}
	s, err := r.arrive(back, -1)
	if err != nil {
		return
	}
	r.landed("the caller")
	where := "the caller"
	r.atReturn(where, m.X[30]) // any function may leave LR as it likes
	if size := r.c.Proto.Ret; s.hasRet && lowBytes(m.X[0], size) != lowBytes(s.ret, size) {
		r.diff(Return, r.lost(0, s.ret), "x0 is %#x at %s, the return value %#x was expected", m.X[0], where, s.ret)
	}
}

// ends notes what an execution that ended with err shows. It reports whether it
// shows anything.
func (r *runner) ends(err error) bool {
	var stop *emu.Stop
	if !errors.As(err, &stop) {
		return false
	}
	kind := Registers
	text := "does not come back: " + r.b.w.Explain(err).Error()
	switch stop.Reason {
	case emu.HookFailed, emu.PageLimit, emu.UnknownInstruction, emu.UnknownSysReg:
		return false
	case emu.NoLandingPad:
		kind = LandingPad
		text = "branches to where no landing pad is: " + r.b.w.Explain(err).Error()
	default:
		if r.c.Place.far() {
			kind = Reach
		}
	}
	at := stop.PC
	if at-r.t.Addr >= uint64(len(r.t.Code)) {
		at = r.call()
		if j := r.b.w.M.Trail(); at == 0 && len(j) > 0 {
			at = j[len(j)-1].From
		}
	}
	r.diff(kind, at, "%s", text)
	return true
}
