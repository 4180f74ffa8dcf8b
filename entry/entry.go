package entry

import (
	"debug/elf"
	"errors"
	"fmt"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/world"
)

// A Run is one path through the entry code, executed from a callsite and back.
type Run struct {
	Name  string // "ftrace_caller", "ftrace_caller, direct call"
	Entry uint64 // address where the path begins: an entry point, or a trampoline
	Site  uint64 // value of the callsite's entry in the table
	// FromSite reports whether the path begins at the callsite. Paths that begin
	// at return_to_handler, or at a direct trampoline, do not.
	FromSite bool
	Callback uint64   // address of the image's own callback, if the path calls that
	Diffs    []string // what differs from what is expected, in words
	Err      error    // not nil: it could not be executed, and there is no verdict
}

// A runner executes a callsite through the entry code, one path at a time.
type runner struct {
	w       *world.World
	im      *elfscan.Image
	arch    *arch.Arch
	era     *arch.Era
	site    callsite.Site
	saved   int    // number of the register in which the callsite saves LR
	page    uint64 // address of a page of landing pads, in reach of the entry code; see CallbackPage
	ops     uint64 // address of the ftrace_ops
	guarded bool   // as emu.Machine.Guarded
	types   *callsite.Types
	built   *Built // the trampoline that the callsite calls; nil: it calls the entry code
	all     bool   // every register must come back, not only those that are live at a callsite

	before   [31]uint64 // registers at the callsite, or at the start of its function in era mcount
	atCall   [31]uint64 // registers at the callsite in era mcount: the compiler may have put more than the prologue before it
	after    [31]uint64 // registers that are expected at the end of the path
	sp       uint64     // SP at the callsite
	above    [64]uint64 // the stack from sp on
	diffs    []string
	err      error  // why the path cannot be executed
	entry    uint64 // address where the path begins
	called   bool   // the callback was called, or the path has no call of it
	onReturn uint64 // address where the path ends
}

// Offsets in runner.page. There are landing pads up to OffCaller.
const (
	OffCallback = 0x000
	offDirect   = 0x100
	offRedirect = 0x200
	OffCaller   = 0x300 // the traced function returns here
)

// Paths executes every path of the era through the image's entry code, from the
// callsite at entry. The callback checks its arguments and clobbers the registers
// that a function may clobber. If guarded is true, indirect branches need landing
// pads, as in a kernel with BTI.
func Paths(t *callsite.Table, entry uint64, guarded bool, types *callsite.Types) []Run {
	if t.Arch == arch.X86 {
		return pathsX64(t, entry, guarded)
	}
	r := newRunner(t, t.Site(entry), guarded)
	r.types = types
	_, graphSlot := r.im.Addr(r.arch.GraphSlot)
	direct, hasDirect := r.directCall()
	var out []Run
	for _, p := range r.era.Paths {
		target, ok := r.im.Addr(p.Entry)
		if !ok || !r.im.IsText(target) {
			continue
		}
		how, callback := r.callback, uint64(0)
		switch p.How {
		case arch.Redirect:
			how = r.redirect
		case arch.Graph:
			switch hook, enter := r.graphHook(); {
			case graphSlot:
				how = r.graph
			case hook == 0 || enter == 0:
				continue
			default:
				how, callback = func(target uint64) { r.graphCallback(target, hook, enter) }, hook
			}
		case arch.Direct:
			how = func(target uint64) { r.direct(target, direct) }
		case arch.LateDirect:
			how = r.lateDirect
		case arch.StubDirect:
			how = r.stubDirect
		case arch.ReturnToHandler:
			how = r.returnToHandler
		}
		if (p.How == arch.Direct || p.How == arch.LateDirect) && !hasDirect {
			continue
		}
		run := r.run(p.String(), target, how)
		run.Callback = callback
		out = append(out, run)
	}
	return out
}

// A Built is a trampoline that the image's builder has made.
type Built struct {
	Name     string // "trampoline of ftrace_regs_caller"
	Addr     uint64
	Code     []byte
	Ops      uint64 // address of the ftrace_ops that it was built for
	Callback uint64 // address of the callback that it calls
	SaveRegs bool   // it is built from ftrace_regs_caller
}

// Trampoline executes a built trampoline from the callsite at entry, as Paths
// executes the entry code.
func Trampoline(t *callsite.Table, entry uint64, guarded bool, built *Built) Run {
	if t.Arch == arch.X86 {
		r := newRunnerX64(t, t.Site(entry), guarded)
		r.built = built
		return r.run(built.Name, built.Addr, r.callback)
	}
	r := newRunner(t, t.Site(entry), guarded)
	r.built = built
	return r.run(built.Name, built.Addr, r.callback)
}

func newRunner(t *callsite.Table, site callsite.Site, guarded bool) *runner {
	r := &runner{w: world.New(t.Image), im: t.Image, arch: t.Arch, era: t.Era, site: site, guarded: guarded, types: &callsite.Types{}}
	r.saved, _, _ = ParentRegister(t.Image)
	r.page = CallbackPage(t.Image)
	return r
}

// callbackAddr is the address of the callback.
func (r *runner) callbackAddr() uint64 {
	if r.built != nil {
		return r.built.Callback
	}
	return r.page + OffCallback
}

// run executes a path from a callsite whose function returns to r.page. prepare
// makes the situation of the path.
func (r *runner) run(name string, target uint64, prepare func(target uint64)) (p Run) {
	r.setUp()
	r.entry, r.diffs, r.err, r.called = target, nil, nil, false
	p = Run{Name: name, Entry: target, Site: r.site.Entry}
	prepare(target)
	p.FromSite = r.w.M.PC != target
	if _, ok := r.im.Addr(r.arch.CallSlot); p.FromSite && !ok && r.era.Slot {
		p.Err = errors.New("the image has no ftrace_call, where the callback is called (FT101)")
		return p
	}
	p.Diffs, p.Err = r.diffs, r.err
	if len(p.Diffs) > 0 || p.Err != nil {
		return p
	}
	m := r.w.M
	var err error
	if p.FromSite && !r.era.Shape.SavesLR {
		err = m.Run(r.site.Call)
		r.atCall = m.X
	}
	if err == nil {
		err = m.Run(r.onReturn)
	}
	p.Diffs = r.diffs
	var stop *emu.Stop
	switch {
	case err == nil:
		r.compare()
		p.Diffs = r.diffs
	default:
		err = r.w.Explain(err)
		proof := r.w.Misdeed(err)
		switch {
		case proof != "":
			p.Diffs = append(p.Diffs, fmt.Sprintf("it does not come back to %s: it %s", r.im.At(r.onReturn), proof))
		case errors.As(err, &stop) && r.ranOff(stop):
			p.Diffs = append(p.Diffs, fmt.Sprintf("it does not come back to %s: %v", r.im.At(r.onReturn), err))
		default:
			p.Err = err
		}
	}
	return p
}

// ranOff reports whether a stop proves that the code went where it must not. An
// instruction of the entry code that the emulator does not know proves nothing.
func (r *runner) ranOff(s *emu.Stop) bool {
	switch s.Reason {
	case emu.Unmapped, emu.Permission, emu.Misaligned, emu.NoLandingPad, emu.Break, emu.StepLimit:
		return true
	case emu.UnknownInstruction, emu.Exception, emu.UnknownSysReg:
		return s.PC < r.entry || s.PC-r.entry > 4096 // not the entry code itself
	}
	return false
}

// setUp makes a fresh world with an ops, and with a value of its own in every
// register.
func (r *runner) setUp() {
	w := r.w
	w.Reset()
	m := w.M
	m.Guarded = r.guarded
	m.MaxSteps = 1 << 16
	m.Map(r.page, emu.PageSize, emu.Read|emu.Exec)
	pads := make([]byte, 0, OffCaller) // where functions begin; what is returned to has none
	for range OffCaller / a64.Size {
		pads = append(pads, 0xdf, 0x24, 0x03, 0xd5) // BTI jc
	}
	r.must(m.Write(r.page, pads))
	var err error
	r.ops, err = place(w, r.built)
	r.must(err)
	mark(r.before[:])
	r.sp = spAtSite
	r.above, err = fillStack(w.Mem, r.sp)
	r.must(err)
	r.before[29] = r.sp + 16*8 // a frame record of the caller
	r.before[30] = r.page + OffCaller
	r.after = r.before
	m.X = r.before
	m.SP = r.sp
	m.N, m.Z, m.C, m.V = true, false, true, false
	m.Hook(r.callbackAddr(), func(*emu.Machine) error { r.atCallback(); return nil })
}

// spAtSite is SP at the callsite.
const spAtSite = world.StackTop - 512

// place puts the trampoline, if the callsite calls one, into the world. ops is the
// address of the ftrace_ops, which the trampoline has or a new one.
func place(w *world.World, built *Built) (ops uint64, err error) {
	ops = w.Object(callsite.OpsSize)
	if built != nil {
		ops = built.Ops
		w.Mem.Map(built.Addr, uint64(len(built.Code)), emu.Read|emu.Exec)
		err = w.Mem.Write(built.Addr, built.Code)
	}
	return ops, err
}

// mark gives each register a value of its own.
func mark(regs []uint64) {
	for i := range regs {
		regs[i] = 0xc0de_0000_0000_0000 | uint64(i)<<40 | 0x5a5a_0000 | uint64(i)
	}
}

// fillStack gives each word of the stack around sp a value of its own. above are those
// from sp on.
func fillStack(m *emu.Core, sp uint64) (above [64]uint64, err error) {
	err = m.Write(sp-1024, world.Poison(sp-1024, 1024, world.StackMark))
	for i := range above {
		above[i] = world.StackMark<<48 | uint64(i)
		err = errors.Join(err, m.Write64(sp+uint64(i)*8, above[i]))
	}
	return above, err
}

// must notes an error of an access by the runner itself.
func (r *runner) must(err error) {
	if err != nil {
		r.diff("%v", err)
	}
}

func (r *runner) diff(format string, args ...any) {
	r.diffs = append(r.diffs, fmt.Sprintf(format, args...))
}

// at is an address in words.
func (r *runner) at(a uint64) string {
	if a >= r.page && a < r.page+emu.PageSize {
		return fmt.Sprintf("%#x", a)
	}
	return r.im.At(a)
}

// enable writes the callsite as ftrace leaves it: it saves LR and calls target.
func (r *runner) enable(target uint64) {
	m, s := r.w.M, r.site
	bl, err := a64.EncodeBL(s.Call, target)
	r.must(err)
	r.must(m.Write32(s.Call, bl))
	m.PC = s.Func
	switch shape := r.era.Shape; {
	case !shape.SavesLR:
		fn, ok := r.im.SymbolAt(s.Entry)
		if !ok || fn.Type != elf.STT_FUNC {
			r.diff("the callsite lies in no function")
		}
		m.PC = fn.Addr
	default:
		if shape.Literal != 0 {
			r.must(m.Write64(s.Entry, r.ops))
		}
		r.must(m.Write32(s.Call-a64.Size, a64.EncodeMOV(r.saved, a64.LR)))
	}
	if op, ok := r.im.Addr("function_trace_op"); ok {
		r.must(m.Write64(op, r.ops))
	}
	r.calls(r.callbackAddr())
	r.onReturn = s.Call + a64.Size
}

// calls has the entry code call a callback.
func (r *runner) calls(callback uint64) {
	r.must(r.w.M.Write64(r.ops, callback)) // ops->func
	if slot, ok := r.im.Addr(r.arch.CallSlot); ok {
		bl, err := a64.EncodeBL(slot, callback)
		r.must(err)
		r.must(r.w.M.Write32(slot, bl))
	}
}

// callback prepares a path whose callback changes nothing.
func (r *runner) callback(target uint64) { r.enable(target) }

// atCallback is the callback. It checks its arguments, then clobbers the registers
// that a function may clobber (AAPCS64, 6.1.1): X0-X17 and the flags. X18 belongs
// to the shadow call stack.
func (r *runner) atCallback() {
	m, s := r.w.M, r.site
	r.called = true
	want := func(what string, got, want uint64) {
		if got != want {
			r.diff("%s is %s at the callback, %s was expected", what, r.at(got), r.at(want))
		}
	}
	want("x0 (ip)", r.w.Arg(0), s.Call)
	want("x1 (parent_ip)", r.w.Arg(1), r.before[30])
	if m.SP%16 != 0 {
		r.diff("SP is %#x at the callback, not a multiple of 16", m.SP)
	}
	if r.era.Regs != nil {
		want("x2 (ops)", r.w.Arg(2), r.ops)
		r.atRegs(r.w.Arg(3))
		r.frames(m.X[29])
	}
	for i := range 18 {
		m.X[i] = 0xbad0_0000_0000_0000 | uint64(i)
	}
	m.N, m.Z, m.C, m.V = !m.N, !m.Z, !m.C, !m.V
}

// atRegs checks the registers that the entry code left for the callback.
func (r *runner) atRegs(regs uint64) {
	m := r.w.M
	if regs < world.Stack || regs > r.sp-r.era.Regs.PC {
		r.diff("x3 (regs) is %#x at the callback, which is not in its frame", regs)
		return
	}
	field := func(what string, off, want uint64) {
		got, err := m.Read64(regs + off)
		if err != nil {
			r.diff("regs cannot be read: %v", err)
		} else if got != want {
			r.diff("%s in regs (+%#x) is %s, %s was expected", what, off, r.at(got), r.at(want))
		}
	}
	for i := range 9 {
		field(fmt.Sprintf("x%d", i), uint64(i)*8, r.before[i])
	}
	if all, ok := r.im.Addr("ftrace_regs_caller"); ok && r.entry == all || r.built != nil && r.built.SaveRegs {
		for i := 10; i < 29; i++ {
			if i != r.saved {
				field(fmt.Sprintf("x%d", i), uint64(i)*8, r.before[i])
			}
		}
	}
	field("fp", r.era.Regs.FP, r.before[29])
	field("lr", r.era.Regs.LR, r.before[30])
	field("sp", r.era.Regs.SP, r.sp)
	field("pc", r.era.Regs.PC, r.site.Call+a64.Size)
	if r.era.Regs.Direct != 0 {
		if _, ok := r.directCall(); ok {
			field("direct_tramp", r.era.Regs.Direct, 0)
		}
	}
}

// frames checks the frame records by which a stack trace passes through the entry
// code: the traced function's, then its caller's.
func (r *runner) frames(fp uint64) {
	m := r.w.M
	pc := r.site.Call + a64.Size
	outer, err1 := m.Read64(fp)
	ret, err2 := m.Read64(fp + 8)
	if err1 != nil || err2 != nil || fp < world.Stack || fp >= r.sp {
		r.diff("FP is %#x at the callback, which is not the address of a frame record", fp)
		return
	}
	if ret != pc {
		r.diff("the frame record at the callback returns to %s, %s (the traced function) was expected", r.at(ret), r.at(pc))
	}
	next, err1 := m.Read64(outer)
	lr, err2 := m.Read64(outer + 8)
	if err1 != nil || err2 != nil || lr != r.before[30] || next != r.before[29] {
		r.diff("the second frame record (%#x) is %s, FP %#x; that of the traced function's caller, %s, FP %#x, was expected",
			outer, r.at(lr), next, r.at(r.before[30]), r.before[29])
	}
}

// redirect prepares a path whose callback changes everything that it may change:
// the arguments, the return address, and where execution goes on, as live patching
// does.
func (r *runner) redirect(target uint64) {
	r.enable(target)
	m := r.w.M
	after := r.before
	for i := range 9 {
		after[i] = 0xface_0000_0000_0000 | uint64(i)
	}
	after[30] = r.page + OffCaller + 0x40
	to := r.page + offRedirect
	m.Hook(r.callbackAddr(), func(*emu.Machine) error {
		regs := r.w.Arg(3)
		r.atCallback()
		if regs < world.Stack || regs > r.sp {
			return nil // atCallback has noted it
		}
		for i := range 9 {
			r.must(m.Write64(regs+uint64(i)*8, after[i]))
		}
		r.must(m.Write64(regs+r.era.Regs.LR, after[30]))
		r.must(m.Write64(regs+r.era.Regs.PC, to))
		r.after = after
		return nil
	})
	r.onReturn = to
}

// graph prepares a path with fgraph on: its slot is a branch to
// ftrace_graph_caller, which makes the traced function return to
// return_to_handler.
func (r *runner) graph(target uint64) {
	r.enable(target)
	slot, _ := r.im.Addr(r.arch.GraphSlot)
	caller, ok := r.im.Addr("ftrace_graph_caller")
	prepare, ok2 := r.im.Addr("prepare_ftrace_return")
	if !ok || !ok2 {
		r.err = errors.New("the image has no ftrace_graph_caller, or no prepare_ftrace_return")
		return
	}
	m := r.w.M
	b, err := a64.EncodeB(slot, caller)
	r.must(err)
	r.must(m.Write32(slot, b))
	hooked := uint64(0xfee1_0000_0000_0000) // stands for return_to_handler
	r.after[30] = hooked
	m.Hook(prepare, func(*emu.Machine) error {
		if r.w.Arg(0) != r.site.Call {
			r.diff("x0 (self_addr) is %s at prepare_ftrace_return, %s was expected", r.at(r.w.Arg(0)), r.at(r.site.Call))
		}
		parent, err := m.Read64(r.w.Arg(1))
		if err != nil {
			r.diff("x1 (parent) is %#x at prepare_ftrace_return, where nothing is mapped; the address of the saved LR was expected", r.w.Arg(1))
			return nil
		}
		if parent != r.before[30] {
			r.diff("x1 (parent) points at %s at prepare_ftrace_return, the saved LR, %s, was expected", r.at(parent), r.at(r.before[30]))
			return nil
		}
		if r.w.Arg(2) != r.before[29] {
			r.diff("x2 (frame_pointer) is %#x at prepare_ftrace_return, the callsite's, %#x, was expected", r.w.Arg(2), r.before[29])
		}
		r.must(m.Write64(r.w.Arg(1), hooked))
		for i := range 18 {
			m.X[i] = 0xbad1_0000_0000_0000 | uint64(i)
		}
		return nil
	})
}

// graphHook are the addresses of the graph tracer's callback, and of the core's
// function that it calls; 0 if the image has none.
func (r *runner) graphHook() (hook, enter uint64) {
	text := func(name string) uint64 {
		if a, ok := r.im.Addr(name); ok && r.im.IsText(a) {
			return a
		}
		return 0
	}
	for _, name := range r.arch.GraphEnter {
		if enter = max(enter, text(name)); enter != 0 {
			break
		}
	}
	return text(r.arch.GraphHook), enter
}

// graphCallback prepares a path whose callback is the graph tracer's own, which makes
// the traced function return to return_to_handler.
func (r *runner) graphCallback(target, hook, enter uint64) {
	r.enable(target)
	r.calls(hook)
	m := r.w.M
	m.X[18] = r.w.Object(256) // a shadow call stack, which C functions may use
	r.before[18], r.after[18] = m.X[18], m.X[18]
	r.after[30], _ = r.im.Addr("return_to_handler")
	m.Hook(enter, func(*emu.Machine) error {
		r.called = true
		for i, want := range []struct {
			what  string
			value uint64
		}{{"the traced function's return address", r.before[30]}, {"the callsite", r.site.Call}, {"the callsite's frame pointer", r.before[29]}} {
			if got := r.w.Arg(i); got != want.value {
				r.diff("x%d is %s at %s, %s, %s, was expected", i, r.at(got), r.im.Name(enter), want.what, r.at(want.value))
			}
		}
		for i := range 18 {
			m.X[i] = 0xbad3_0000_0000_0000 | uint64(i)
		}
		r.w.SetInt(0)
		return nil
	})
}

// directCall is DirectCall of the image.
func (r *runner) directCall() (off uint64, ok bool) { return DirectCall(r.im, r.types) }

// DirectCall is the offset of direct_call in struct ftrace_ops, in bytes. It is
// from types or, if they do not have it, from the load at the start of
// ftrace_caller: LDR X17, [X11, #imm].
func DirectCall(im *elfscan.Image, types *callsite.Types) (off uint64, ok bool) {
	if _, has := im.Addr("ftrace_caller_direct"); !has {
		return 0, false
	}
	if types.HasDirectCall {
		return types.DirectCall, true
	}
	pc, _ := im.Addr("ftrace_caller")
	for range 16 {
		w, _ := im.Word(pc)
		if w&0xffc00000 == 0xf9400000 && a64.Rd(w) == 17 && a64.Rn(w) == 11 {
			return uint64(w>>10&0xfff) * 8, true
		}
		pc += a64.Size
	}
	return 0, false
}

// direct prepares a path whose ops has a direct call. The entry code goes there at
// once, with the callsite's registers and the caller's LR in X9.
func (r *runner) direct(target, off uint64) {
	r.enable(target)
	r.must(r.w.M.Write64(r.ops+off, r.page+offDirect))
	r.called = true // the path has no call of the callback
	r.toDirect()
}

// lateDirect prepares a path whose callback sets a direct call.
func (r *runner) lateDirect(target uint64) {
	r.enable(target)
	m := r.w.M
	m.Hook(r.callbackAddr(), func(*emu.Machine) error {
		regs := r.w.Arg(3)
		r.atCallback()
		if regs >= world.Stack && regs < r.sp {
			r.must(m.Write64(regs+r.era.Regs.Direct, r.page+offDirect))
		}
		return nil
	})
	r.toDirect()
}

// toDirect ends the path at the direct trampoline. LR then points into the traced
// function, and X9 into its caller.
func (r *runner) toDirect() {
	r.onReturn = r.page + offDirect
	r.after[9] = r.before[30]
	r.after[30] = r.site.Call + a64.Size
}

// stubDirect prepares a path that begins at the direct trampoline that does
// nothing.
func (r *runner) stubDirect(target uint64) {
	r.enable(target)
	m := r.w.M
	m.PC = target
	m.X[9], m.X[30] = r.before[30], r.site.Call+a64.Size
	r.called = true
}

// returnToHandler prepares the return of a function that fgraph traces.
func (r *runner) returnToHandler(target uint64) {
	m := r.w.M
	handler, ok := r.im.Addr("ftrace_return_to_handler")
	if !ok {
		r.diff("the image has no ftrace_return_to_handler")
		return
	}
	r.called = true
	// X8 holds no result, so that the handler need not keep it. LR becomes the
	// handler's result.
	m.PC = target
	to := r.page + OffCaller
	m.X[30] = target
	m.Hook(handler, func(*emu.Machine) error {
		switch r.w.Arg(0) {
		case r.before[29]: // the frame pointer, up to 6.4
		case m.SP: // struct fgraph_ret_regs, later ftrace_regs: registers, then FP
			for i := range 8 {
				if v, _ := m.Read64(m.SP + uint64(i)*8); v != r.before[i] {
					r.diff("x%d in regs (+%#x) is %#x at ftrace_return_to_handler, %#x was expected", i, i*8, v, r.before[i])
				}
			}
			fp1, _ := m.Read64(m.SP + 64)
			fp2, _ := m.Read64(m.SP + arch.FtraceRegs.FP)
			if fp1 != r.before[29] && fp2 != r.before[29] {
				r.diff("fp in regs is not the returning function's (%#x) at ftrace_return_to_handler", r.before[29])
			}
		default:
			r.diff("x0 is %#x at ftrace_return_to_handler: neither FP (%#x) nor SP (%#x)", r.w.Arg(0), r.before[29], m.SP)
		}
		if m.SP%16 != 0 {
			r.diff("SP is %#x at ftrace_return_to_handler, not a multiple of 16", m.SP)
		}
		for i := range 18 {
			m.X[i] = 0xbad2_0000_0000_0000 | uint64(i)
		}
		r.w.SetResult(to)
		return nil
	})
	r.after[8] = 0xbad2_0000_0000_0008
	r.after[30] = to
	r.onReturn = to
}

// compare compares the registers and the callers' stack with those that are
// expected.
func (r *runner) compare() {
	m := r.w.M
	live := r.arch.Live
	switch {
	case r.all:
		live = allRegisters[:]
	case !r.era.Shape.SavesLR && r.onReturn == r.site.Call+a64.Size:
		r.compareMcount()
		return
	case r.onReturn == r.page+offDirect:
		live = append([]int{callsite.SavedLR}, r.arch.Live...)
	}
	if !r.called {
		r.diff("the callback is not called")
	}
	for _, i := range live {
		if m.X[i] != r.after[i] {
			r.diff("x%d comes back as %s, %s was expected", i, r.at(m.X[i]), r.at(r.after[i]))
		}
	}
	if m.SP != r.sp {
		r.diff("SP comes back as %#x, it was %#x", m.SP, r.sp)
	}
	r.stack()
}

// compareMcount is compare for era mcount. The compiler knows that the callsite is
// a call, which may clobber registers. The function's frame is on the stack.
func (r *runner) compareMcount() {
	m := r.w.M
	if !r.called {
		r.diff("the callback is not called")
	}
	for _, i := range r.arch.Saved[:10] {
		if m.X[i] != r.atCall[i] {
			r.diff("x%d comes back as %s, it was %s", i, r.at(m.X[i]), r.at(r.atCall[i]))
		}
	}
	lr, err := m.Read64(m.X[29] + 8)
	if err != nil || lr != r.after[30] {
		r.diff("the traced function's frame record returns to %s, %s was expected", r.at(lr), r.at(r.after[30]))
	}
	r.stack()
}

// stack compares the callers' stack with that before the path.
func (r *runner) stack() {
	for i, v := range r.above {
		if got, _ := r.w.M.Read64(r.sp + uint64(i)*8); got != v {
			r.diff("the caller's stack is overwritten: %#x at SP+%#x, it was %#x", got, i*8, v)
			return
		}
	}
}

// ParentRegister is the number of the register in which the entry code expects the
// address of the traced function's caller: Xn of the last MOV X1, Xn before the
// call of the callback. at is the address of that instruction. If there is no such
// instruction, ok is false and reg is callsite.SavedLR.
func ParentRegister(im *elfscan.Image) (reg int, at uint64, ok bool) {
	pc, has := im.Addr("ftrace_caller")
	reg = callsite.SavedLR
	for range 256 {
		w, mapped := im.Word(pc)
		if !has || !mapped {
			break
		}
		if rd, rm, mov := a64.IsMOV(w); mov && rd == 1 && rm != a64.XZR {
			reg, at, ok = rm, pc, true
		}
		switch a64.Classify(w) {
		case a64.Call, a64.BLR, a64.Ret, a64.BR:
			return reg, at, ok
		case a64.Branch:
			pc, _ = a64.Target(w, pc)
			continue
		}
		pc += a64.Size
	}
	return callsite.SavedLR, 0, false
}
