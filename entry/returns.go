package entry

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/world"
)

// allRegisters are the registers that a probed function's caller gets back as the
// function left them: all, because a compiler may know which registers a function
// of the same file leaves alone (-fipa-ra).
var allRegisters = func() (all [31]int) {
	for i := range all {
		all[i] = i
	}
	return all
}()

// The state of the processor that the trampoline finds, in the places that it has
// in pstate: EL1, SPSel, I of the interrupt masks, and the flags N and C.
const (
	daifI   = 1 << 7
	flagsNC = 0xa << 28
	flagsZV = 0x5 << 28
	pstate  = flagsNC | daifI | 1<<2 | 1
)

// sizeofRegs is the size of the part of struct pt_regs that probes see, in bytes.
const sizeofRegs = 34 * 8

// probes executes how a probed function returns. The Site of its runner is zero.
type probes struct {
	*runner
	of     *arch.Returns
	tramp  uint64 // address of the trampoline
	frame  uint64 // offset in struct pt_regs of what tells the frame: FP or SP; 0: not known
	to     uint64 // where the probed function must return to
	regs   uint64 // address of a struct pt_regs
	probed int    // calls of the probes
	busy   int    // calls of Busy[0] that no call of Busy[1] has followed
}

// Returns executes how a probed function returns, in a kernel with kretprobes or
// rethooks: what hooks the return, the trampoline that the function returns to,
// and the trampoline's handler. The probes themselves have a stand-in, which
// changes what a probe may change.
func Returns(t *callsite.Table, guarded bool) (out []Run) {
	if t.Arch != arch.ARM64 {
		return nil
	}
	of := &t.Arch.Returns
	tramp, trampName := firstOf(t.Image, of.Trampolines)
	if tramp == 0 {
		return nil
	}
	p := &probes{runner: newRunner(t, callsite.Site{}, guarded), of: of, tramp: tramp}
	p.all = true
	p.to = p.page + OffCaller
	core, coreName := firstOf(t.Image, of.Core)
	if fn, name := firstOf(t.Image, of.Prepare); fn != 0 {
		out = append(out, p.call(name, fn, func() error { return p.prepare(name, fn, core != 0) }))
	}
	handler, handlerName := firstOf(t.Image, of.Handlers)
	brk, brkName := firstOf(t.Image, of.BreakHandlers)
	if core != 0 {
		for i, step := range []int{1, -1} {
			p.w.Hook(func(string) error {
				p.busy += step
				p.w.SetResult(lostResult) // it returns nothing
				return nil
			}, of.Busy[i])
		}
		p.w.Hook(func(name string) error { p.atCore(name); return nil }, coreName)
		switch {
		case brk != 0:
			out = append(out, p.call(brkName, brk, func() error { return p.handleBreak(brkName, brk) }))
		case handler != 0:
			out = append(out, p.call(handlerName, handler, func() error { return p.handle(handlerName, handler) }))
		}
	}
	if fn, name := firstOf(t.Image, of.Fixup); fn != 0 {
		out = append(out, p.call(name, fn, func() error {
			_, err := p.execute(name, fn, p.regs, p.to)
			return err
		}))
	}
	if brk != 0 {
		return append(out, p.call(trampName, tramp, func() error { return p.trap(brkName, brk) }))
	}
	if w, _ := t.Image.Word(tramp); handler == 0 && a64.Classify(w) == a64.Break {
		return out // by a handler that no symbol names
	}
	run := p.trampoline(trampName, handler, flagsNC)
	if run.Err == nil && len(run.Diffs) == 0 {
		run = p.trampoline(trampName, handler, flagsZV)
	}
	return append(out, run)
}

// firstOf is the first of the functions that the image has, and its name; 0 if it
// has none of them.
func firstOf(im *elfscan.Image, names []string) (fn uint64, name string) {
	for _, name := range names {
		if a, ok := im.Addr(name); ok && im.IsText(a) {
			return a, name
		}
	}
	return 0, ""
}

// call executes C functions by f, with a struct pt_regs in which each register has
// a value of its own.
func (p *probes) call(name string, fn uint64, f func() error) Run {
	p.setUp()
	p.diffs, p.probed, p.busy = nil, 0, 0
	p.regs = p.w.Object(sizeofRegs)
	for i, v := range p.before {
		p.must(p.w.M.Write64(p.regs+uint64(i)*8, v))
	}
	p.setReg(arch.PtRegs.SP, p.sp)
	p.setReg(arch.PtRegs.PC, p.to+0x40)
	p.setReg(arch.PtRegs.PState, pstate)
	err := f()
	return Run{Name: name, Entry: fn, Diffs: p.diffs, Err: err}
}

func (p *probes) setReg(off, v uint64) { p.must(p.w.M.Write64(p.regs+off, v)) }

func (p *probes) reg(off uint64) uint64 {
	v, err := p.w.M.Read64(p.regs + off)
	p.must(err)
	return v
}

// execute executes a C function, to which all memory that it may use was given.
// What it may not do as any function becomes differences.
func (p *probes) execute(name string, fn uint64, args ...uint64) (ret uint64, err error) {
	ret, _, err = p.w.Execute(world.Subject{Name: name, Fn: fn, Args: args})
	for _, f := range p.w.Faults {
		p.diff("it %s", f.What)
	}
	if proof := p.w.Astray(err); proof != "" {
		p.diff("it %s", proof)
		return ret, nil
	}
	trail := p.w.M.Trail()
	for i := 1; err == nil && i < len(trail); i++ {
		began, _ := p.im.SymbolAt(trail[i-1].To)
		ended, _ := p.im.SymbolAt(trail[i].From)
		if trail[i].From != 0 && began.Addr != ended.Addr {
			p.diff("it runs past the end of %s, into %s", began.Name, ended.Name)
			break
		}
	}
	return ret, err
}

// regsChanged notes registers in the struct pt_regs that differ from those before
// the call, but for those at the offsets.
func (p *probes) regsChanged(name string, but ...uint64) {
	want := append(slices.Clone(p.before[:]), p.sp, p.to+0x40, pstate)
	for i, v := range want {
		if off := uint64(i) * 8; !slices.Contains(but, off) && p.reg(off) != v {
			p.diff("%s changes the registers at +%#x: %s, it was %s", name, off, p.at(p.reg(off)), p.at(v))
		}
	}
}

// prepare executes what hooks the return of a function. The return address, and
// what tells the frame, must be saved where the probes look for them, and LR must
// be the trampoline.
func (p *probes) prepare(name string, fn uint64, framed bool) error {
	const size = 128
	m := p.w.M
	saved := p.w.Object(size)
	blank := world.Poison(saved, size, world.ObjectMark)
	p.must(m.Write(saved, blank))
	if _, err := p.execute(name, fn, saved, p.regs, 0); err != nil || len(p.diffs) > 0 {
		return err
	}
	offsets := []arch.Saved{p.of.Saved, p.of.HashSaved}
	_, hashed := p.im.Addr(p.of.Hashed)
	_, recovers := p.im.Addr(p.of.Recover)
	switch {
	case recovers:
		offsets = offsets[:1]
	case hashed:
		offsets = offsets[1:]
	}
	at := func(off uint64) uint64 { v, _ := m.Read64(saved + off); return v }
	i := max(0, slices.IndexFunc(offsets, func(o arch.Saved) bool { return at(o.Return) == p.before[a64.LR] }))
	off := offsets[i]
	if got := at(off.Return); got != p.before[a64.LR] {
		p.diff("the return address is not saved: %s is at +%d of the instance, %s was expected", p.at(got), off.Return, p.at(p.before[a64.LR]))
	}
	switch got := at(off.Frame); {
	case !framed:
	case got == p.before[29]:
		p.frame = arch.PtRegs.FP
	case got == p.sp && !recovers:
		p.frame = arch.PtRegs.SP
	default:
		p.diff("the frame is not saved: %#x is at +%d of the instance, FP (%#x) was expected", got, off.Frame, p.before[29])
	}
	for o := uint64(0); o < size; o += 8 {
		want := world.Poison(saved+o, 8, world.ObjectMark)
		got := make([]byte, 8)
		p.must(m.Read(saved+o, got))
		if o != off.Return && o != off.Frame && string(got) != string(want) {
			p.diff("it overwrites +%d of the instance, which is for something else", o)
		}
	}
	if got := p.reg(arch.PtRegs.LR); got != p.tramp {
		p.diff("it leaves %s in LR, %s was expected", p.at(got), p.at(p.tramp))
	}
	p.regsChanged("it", arch.PtRegs.LR)
	return nil
}

// atCore is the stand-in for the probes. It checks its arguments, and changes the
// function's result and the flags.
func (p *probes) atCore(name string) {
	p.probed++
	frame := p.w.Arg(1)
	if frame == p.tramp { // up to 5.14
		frame = p.w.Arg(2)
	}
	_, recovers := p.im.Addr(p.of.Recover)
	fp, sp := p.reg(arch.PtRegs.FP), p.reg(arch.PtRegs.SP)
	switch {
	case p.w.Arg(0) != p.regs:
		p.diff("x0 (regs) is %#x at %s, %#x was expected", p.w.Arg(0), name, p.regs)
	case frame == fp && p.frame != arch.PtRegs.SP, frame == sp && p.frame != arch.PtRegs.FP && !recovers:
	default:
		p.diff("%#x tells the frame at %s, and the instance has FP (%#x) or SP (%#x) for it", frame, name, fp, sp)
	}
	if p.busy != 1 && p.busy != 0 {
		p.diff("%s is called %s before %s", p.of.Busy[0], plural.Of(p.busy, "time"), name)
	}
	p.unwinds(name)
	p.setReg(0, probedResult)
	p.w.SetResult(p.to)
}

// unwinds checks that a stack trace from a call of callee comes back through the
// function that was called, to its caller.
func (p *probes) unwinds(callee string) {
	m := p.w.M
	if lost := p.w.Unwinds(callee); lost != "" {
		p.diff("%s", lost)
		return
	}
	lr := uint64(0) // of the last frame record, that of the function that was called
	for fp := m.X[29]; fp >= world.Stack && fp < world.StackTop; fp, _ = m.Read64(fp) {
		lr, _ = m.Read64(fp + 8)
		lr = emu.Stripped(lr) // as the kernel's unwinder does (ptrauth_strip_kernel_insn_pac)
	}
	if lr != emu.ReturnAddress {
		p.diff("a stack trace from its call of %s passes over its caller: the frame record at FP (%#x) returns to %s", callee, m.X[29], p.at(lr))
	}
}

const (
	probedResult = 0xface_0000_0000_0000 // what a probe has the function return
	lostResult   = 0xbad4_0000_bad4_0000 // in x0, of a function that returns nothing
)

// handled checks that a handler has called the probes as it should.
func (p *probes) handled(name string, times int) {
	if p.probed != times {
		p.diff("%s calls the probes %s, %d was expected", name, plural.Of(p.probed, "time"), times)
	}
	if p.busy != 0 {
		p.diff("%s calls %s and %s not in a pair", name, p.of.Busy[0], p.of.Busy[1])
	}
}

// handle executes the handler that the trampoline calls: handler(regs) returns
// the return address.
func (p *probes) handle(name string, fn uint64) error {
	ret, err := p.execute(name, fn, p.regs)
	if err != nil || len(p.diffs) > 0 {
		return err
	}
	p.handled("it", 1)
	if ret != p.to {
		p.diff("it returns %s, the return address, %s, was expected", p.at(ret), p.at(p.to))
	}
	p.regsChanged("it", 0)
	return nil
}

// handleBreak executes the handler of the trampoline's BRK: handler(regs, esr)
// puts the return address into pc. A BRK elsewhere is not for it.
func (p *probes) handleBreak(name string, fn uint64) error {
	const esr = 0xf200_0000 // BRK in A64 state (Arm ARM, ESR_EL1)
	ret, err := p.execute(name, fn, p.regs, esr|p.of.Break)
	if err != nil || len(p.diffs) > 0 {
		return err
	}
	p.handled("it, for a BRK elsewhere,", 0)
	if uint32(ret) == 0 {
		p.diff("it takes a BRK elsewhere for the trampoline's")
	}
	p.regsChanged("it, for a BRK elsewhere,")
	p.probed = 0
	p.setReg(arch.PtRegs.PC, p.tramp)
	ret, err = p.execute(name, fn, p.regs, esr|p.of.Break)
	if err != nil || len(p.diffs) > 0 {
		return err
	}
	p.handled("it", 1)
	if uint32(ret) != 0 {
		p.diff("it returns %d for the trampoline's BRK, 0 (handled) was expected", int32(ret))
	}
	if got := p.reg(arch.PtRegs.PC); got != p.to {
		p.diff("it leaves %s in pc, the return address, %s, was expected", p.at(got), p.at(p.to))
	}
	p.regsChanged("it", 0, arch.PtRegs.PC)
	return nil
}

// trap checks that the trampoline is a BRK for which the kernel calls the handler.
func (p *probes) trap(name string, handler uint64) error {
	w, _ := p.im.Word(p.tramp)
	imm := uint64(w >> 5 & 0xffff)
	if a64.Classify(w) != a64.Break || imm != p.of.Break {
		p.diff("it begins with %s, `brk #%#x` was expected, for which the kernel calls %s", a64.Text(w, p.tramp, p.im.Name), p.of.Break, name)
		return nil
	}
	fn, ok := p.im.Addr(p.of.Dispatch)
	s, known := p.im.SymbolAt(fn)
	if !ok || !known {
		return nil
	}
	calls, other := 0, ""
	hooked := p.hookHandlers(s, 2, func(callee uint64) error {
		result := int32(1) // DBG_HOOK_ERROR
		switch {
		case callee != handler && other == "":
			other = p.im.Name(callee)
		case callee != handler:
		case p.w.Arg(0) != p.regs:
			p.diff("x0 (regs) is %#x at %s, %#x was expected", p.w.Arg(0), name, p.regs)
		default:
			calls++
			result = 0
			p.unwinds(name)
		}
		p.w.SetInt(result)
		p.w.Clobber()
		return nil
	})
	defer func() {
		for _, a := range hooked {
			p.w.M.Hook(a, nil)
		}
	}()
	if _, err := p.execute(p.of.Dispatch, fn, 0xf200_0000|imm, p.regs); err != nil || len(p.diffs) > 0 {
		return err
	}
	switch {
	case other != "":
		p.diff("%s, for its BRK, calls %s", p.of.Dispatch, other)
	case calls != 1:
		p.diff("%s, for its BRK, calls %s %s", p.of.Dispatch, name, plural.Of(calls, "time"))
	}
	return nil
}

// hookHandlers makes f the stand-in for the handlers that a function calls, itself
// or by parts of it that the compiler has not inlined. It returns their addresses.
func (p *probes) hookHandlers(s elfscan.Symbol, depth int, f func(callee uint64) error) (hooked []uint64) {
	for _, c := range callsite.CallsOf(p.im, s) {
		part, ok := p.im.SymbolAt(c.Target)
		switch name := p.im.Name(c.Target); {
		case name == "die" || strings.HasSuffix(name, "_handler"):
			p.w.M.Hook(c.Target, func(*emu.Machine) error { return f(c.Target) })
			hooked = append(hooked, c.Target)
		case ok && part.Addr == c.Target && depth > 0:
			hooked = append(hooked, p.hookHandlers(part, depth-1, f)...)
		}
	}
	return hooked
}

// trampoline executes a trampoline that calls its handler, from the return of the
// probed function. The handler leaves flags in pstate.
func (p *probes) trampoline(name string, handler, flags uint64) Run {
	s, _ := p.im.SymbolAt(p.tramp)
	for _, c := range callsite.CallsOf(p.im, s) {
		if handler == 0 {
			handler = c.Target
		}
		if c.Target != handler {
			return Run{Name: name, Entry: p.tramp, Diffs: []string{
				fmt.Sprintf("it calls %s at %s, %s was expected", p.im.At(c.Target), p.im.At(c.At), p.im.At(handler))}}
		}
	}
	if handler == 0 {
		return Run{Name: name, Entry: p.tramp, Err: errors.New("it calls no handler")}
	}
	calls := 0
	run := p.run(name, p.tramp, func(uint64) {
		m := p.w.M
		m.PC, m.X[a64.LR], p.before[a64.LR] = p.tramp, p.tramp, p.tramp // by RET
		m.Sys[emu.SPSel], m.Sys[emu.DAIF] = 1, daifI
		p.after[a64.LR], p.onReturn, p.called = p.to, p.to, true
		m.Hook(handler, func(*emu.Machine) error {
			calls++
			p.atHandler(p.im.Name(handler), flags)
			return nil
		})
	})
	p.w.M.Hook(handler, nil)
	m := p.w.M
	switch {
	case run.Err != nil:
	case calls != 1:
		run.Diffs = append([]string{fmt.Sprintf("it calls %s %s", p.im.At(handler), plural.Of(calls, "time"))}, run.Diffs...)
	case len(run.Diffs) == 0 && (m.N != (flags == flagsNC) || m.Z == m.N || m.C != m.N || m.V == m.N):
		run.Diffs = append(run.Diffs, "the flags come back other than the handler has left them in pstate")
	}
	return run
}

// atHandler is the handler that the trampoline calls. It checks the registers that
// it is given, changes them in place, and clobbers what a function may clobber.
func (p *probes) atHandler(name string, flags uint64) {
	m := p.w.M
	p.regs = p.w.Arg(0)
	if p.regs < m.SP || p.regs > p.sp-sizeofRegs {
		p.diff("x0 (regs) is %#x at %s, which is not in the trampoline's frame", p.regs, name)
		return
	}
	if m.SP%16 != 0 {
		p.diff("SP is %#x at %s, not a multiple of 16", m.SP, name)
	}
	for i, v := range p.before {
		if got := p.reg(uint64(i) * 8); got != v {
			p.diff("x%d in regs (+%#x) is %s, %s was expected", i, i*8, p.at(got), p.at(v))
		}
	}
	if got := p.reg(arch.PtRegs.SP); got != p.sp {
		p.diff("sp in regs is %#x, %#x was expected", got, p.sp)
	}
	if got := p.reg(arch.PtRegs.PC); got != 0 && got != p.tramp {
		p.diff("pc in regs is %s, 0 or %s was expected", p.at(got), p.im.At(p.tramp))
	}
	if got := p.reg(arch.PtRegs.PState); got != pstate {
		p.diff("pstate in regs is %#x, %#x was expected", got, uint64(pstate))
	}
	p.frameRecord(name)
	for i := range 29 {
		if i != 18 {
			p.after[i] = probedResult | uint64(i)
			p.setReg(uint64(i)*8, p.after[i])
		}
	}
	p.setReg(arch.PtRegs.PState, pstate&^flagsNC|flags)
	m.N, m.Z, m.C, m.V = flags != flagsNC, flags != flagsZV, flags != flagsNC, flags != flagsZV
	for i := range 18 {
		m.X[i] = 0xbad3_0000_0000_0000 | uint64(i)
	}
	if !p.w.HasSCS(p.tramp) {
		m.X[18] = 0xbad3_0000_0000_0000 | 18
	}
	p.w.SetResult(p.to)
}

// frameRecord checks the frame record at the call of the handler. A kernel that
// recovers return addresses unwinds through the trampoline's own; in another, a
// stack trace may pass over the probed function's caller.
func (p *probes) frameRecord(name string) {
	m := p.w.M
	fp := m.X[29]
	_, recovers := p.im.Addr(p.of.Recover)
	if fp == p.before[29] && !recovers {
		return
	}
	next, err1 := m.Read64(fp)
	lr, err2 := m.Read64(fp + 8)
	if err1 != nil || err2 != nil || fp%8 != 0 || fp < m.SP || fp >= p.sp || next != p.before[29] || lr != p.tramp {
		p.diff("the frame record at %s (%#x) is %s, FP %#x; %s, FP %#x, was expected: a stack trace from a probe does not come to the probed function's caller",
			name, fp, p.at(lr), next, p.at(p.tramp), p.before[29])
	}
}
