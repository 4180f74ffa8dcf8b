package entry

import (
	"errors"
	"fmt"

	"golang.org/x/arch/x86/x86asm"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/emu"
	emux64 "github.com/ftlint/ftlint/emu/x64"
	"github.com/ftlint/ftlint/world"
	"github.com/ftlint/ftlint/x64"
)

// A runnerX64 is the runner of an x86-64 image.
type runnerX64 struct {
	w       *world.World
	m       *emux64.Machine
	im      *elfscan.Image
	era     *arch.Era
	arch    *arch.Arch
	site    callsite.Site
	guarded bool
	page    uint64 // see CallbackPage
	ops     uint64
	built   *Built // the trampoline that the callsite calls; nil: it calls the entry code

	before, after [16]uint64 // registers at the callsite, and those that are expected at the end of the path
	flags         uint64
	sp            uint64     // RSP at the callsite: the return address of the traced function is there
	above         [64]uint64 // the stack from sp on
	end           uint64     // where the path ends
	endSP         uint64
	allRegs       bool // the flags and R10 come back, too; R11 belongs to nobody at a callsite
	masked        bool // interrupts are off at the callsite
	called        bool
	diffs         []string
	err           error
}

// Offsets in struct pt_regs of x86-64, by the number of the register, and of others
// (arch/x86/include/asm/ptrace.h).
var ptRegs = [16]uint64{
	emux64.R15: 0, emux64.R14: 8, emux64.R13: 16, emux64.R12: 24, emux64.RBP: 32, emux64.RBX: 40, emux64.R11: 48, emux64.R10: 56,
	emux64.R9: 64, emux64.R8: 72, emux64.RAX: 80, emux64.RCX: 88, emux64.RDX: 96, emux64.RSI: 104, emux64.RDI: 112, emux64.RSP: 152,
}

const (
	ptOrigAX = 120
	ptIP     = 128
	ptCS     = 136
	ptFlags  = 144
	ptSS     = 160
	ptSize   = 168
)

// Selectors of the kernel's segments (arch/x86/include/asm/segment.h).
const (
	kernelCS = 0x10
	kernelDS = 0x18
)

// clobberedX64 are the registers that a function may clobber (psABI, "Registers").
var clobberedX64 = []int{emux64.RAX, emux64.RCX, emux64.RDX, emux64.RSI, emux64.RDI, emux64.R8, emux64.R9, emux64.R10, emux64.R11}

// spAtSiteX64 is RSP at the callsite. In the frames of entry code it has bits of their
// sizes, so that setting these is another thing than adding them.
const spAtSiteX64 = spAtSite + 0x58

func newRunnerX64(t *callsite.Table, site callsite.Site, guarded bool) *runnerX64 {
	w := world.New(t.Image)
	return &runnerX64{w: w, m: w.X, im: t.Image, era: t.Era, arch: t.Arch, site: site, guarded: guarded, page: CallbackPage(t.Image)}
}

// pathsX64 is Paths for an x86-64 image.
func pathsX64(t *callsite.Table, entry uint64, guarded bool) (out []Run) {
	for _, p := range t.Era.Paths {
		target, ok := t.Image.Addr(p.Entry)
		if !ok || !t.Image.IsText(target) {
			continue
		}
		r := newRunnerX64(t, t.Site(entry), guarded)
		how, callback := r.callback, uint64(0)
		switch p.How {
		case arch.Redirect:
			how = r.redirect
		case arch.Graph:
			hook, ok := t.Image.Addr(t.Arch.GraphHook)
			enter := r.graphEnter()
			if !ok || enter == 0 {
				continue
			}
			how, callback = func(target uint64) { r.graph(target, hook, enter) }, hook
		case arch.LateDirect:
			if _, ok := t.Image.Addr("ftrace_regs_caller_jmp"); !ok {
				continue
			}
			how = r.lateDirect
		case arch.StubDirect:
			how = r.stubDirect
		case arch.ReturnToHandler:
			how = r.returnToHandler
		}
		run := r.run(p.String(), target, how)
		run.Callback = callback
		out = append(out, run)
	}
	return out
}

func (r *runnerX64) diff(format string, args ...any) {
	r.diffs = append(r.diffs, fmt.Sprintf(format, args...))
}

func (r *runnerX64) must(err error) {
	if err != nil && r.err == nil {
		r.err = err
	}
}

// at is a value in words.
func (r *runnerX64) at(v uint64) string {
	switch {
	case v == r.page+OffCaller:
		return "the traced function's caller"
	case v == r.ops:
		return "the ops"
	}
	if n := r.im.Name(v); n != "" {
		return fmt.Sprintf("%#x (%s)", v, n)
	}
	return fmt.Sprintf("%#x", v)
}

// run executes a path whose situation prepare makes: with interrupts on and, if nothing
// is wrong, with interrupts off.
func (r *runnerX64) run(name string, target uint64, prepare func(target uint64)) (p Run) {
	for _, r.masked = range []bool{false, true} {
		if p = r.runOnce(name, target, prepare); p.Err != nil || len(p.Diffs) > 0 {
			break
		}
	}
	return p
}

func (r *runnerX64) runOnce(name string, target uint64, prepare func(target uint64)) (p Run) {
	r.setUp()
	p = Run{Name: name, Entry: target, Site: r.site.Entry}
	r.allRegs = r.built != nil && r.built.SaveRegs
	if regs, ok := r.im.Addr("ftrace_regs_caller"); ok && regs == target {
		r.allRegs = true
	}
	prepare(target)
	p.FromSite = r.m.PC != target
	if r.err != nil {
		p.Err = r.err
		return p
	}
	err := r.m.Run(r.end)
	if past := r.ranPast(target); past != "" { // the rest follows from that
		p.Diffs = []string{past}
		return p
	}
	if err != nil {
		err = r.w.Explain(err)
		proof := r.w.Astray(err)
		if proof == "" {
			proof = r.forbidden(err, target)
		}
		if proof == "" {
			p.Err = err
			return p
		}
		p.Diffs = append(r.diffs, fmt.Sprintf("it does not come back to %s: it %s", r.im.At(r.end), proof))
		return p
	}
	r.compare()
	p.Diffs, p.Err = r.diffs, r.err
	return p
}

// ranPast says that execution went on behind the last instruction of the function at
// target; "" if it did not.
func (r *runnerX64) ranPast(target uint64) string {
	s, ok := r.im.SymbolAt(target)
	if !ok || s.Addr != target || s.Size == 0 {
		return ""
	}
	trail := r.w.Mem.Trail()
	for i, j := range trail {
		last := r.m.PC
		if i+1 < len(trail) {
			last = trail[i+1].From
		}
		if s.Addr <= j.To && j.To < s.End() && last >= s.End() {
			into := s.End()
			for in, ok := r.im.Insn(into); ok && in.Flow == arch.DoesNought; in, ok = r.im.Insn(into) {
				into += in.Size // padding
			}
			return fmt.Sprintf("it runs past the end of %s, into %s", s.Name, r.im.At(into))
		}
	}
	return ""
}

// forbidden says that the error is one of an instruction that no entry code may execute,
// which the emulator does not know; "" if it is another.
func (r *runnerX64) forbidden(err error, target uint64) string {
	const size = 4096 // bounds that of entry code; what it calls may do more
	var stop *emu.Stop
	if !errors.As(err, &stop) || stop.Reason != emu.UnknownInstruction || stop.PC-target >= size {
		return ""
	}
	code := []byte(stop.Code)
	in, ok := x64.Decode(code)
	why := "changes the state of the processor"
	switch {
	case !ok:
		return ""
	case usesVector(&in):
		why = "uses a register that is not the kernel's"
	case in.Kind == x64.IRet:
		why = "returns from an interrupt or to user space"
	case in.Op == x86asm.HLT:
		why = "halts the processor"
	case in.Op != x86asm.SWAPGS && in.Op != x86asm.WRMSR:
		return ""
	}
	return fmt.Sprintf("%s: %s at %s", why, x64.Text(code, stop.PC, r.im.Name), r.im.At(stop.PC))
}

// usesVector reports whether an instruction has an operand in a register of MMX or SSE.
// Kernel code may use those between kernel_fpu_begin() and kernel_fpu_end() alone.
func usesVector(in *x64.Insn) bool {
	for _, a := range in.Args {
		if reg, ok := a.(x86asm.Reg); ok && x86asm.F0 <= reg && reg <= x86asm.X15 {
			return true
		}
	}
	return false
}

// setUp makes a fresh world, with a value of its own in every register.
func (r *runnerX64) setUp() {
	w, m := r.w, r.m
	w.Reset()
	m.Guarded = r.guarded
	m.MaxSteps = 1 << 16
	m.Map(r.page, emu.PageSize, emu.Read|emu.Exec)
	r.diffs, r.err, r.called = nil, nil, false
	var err error
	r.ops, err = place(w, r.built)
	r.must(err)
	mark(r.before[:])
	r.sp = spAtSiteX64
	r.above, err = fillStack(w.Mem, r.sp)
	r.must(err)
	for a := r.sp - 1024; a < r.sp; a += 8 { // no byte of it is zero, as a field that is not written may be expected to be
		r.must(m.Write64(a, world.StackMark<<48|0x5a5a<<32|0x0101_0105|a&0xf8f8_f8f8))
	}
	r.above[0] = r.page + OffCaller
	r.must(m.Write64(r.sp, r.above[0]))
	r.before[emux64.RSP] = r.sp
	r.before[emux64.RBP] = r.sp + 16*8
	r.flags = emux64.FlagIF | emux64.FlagCF | emux64.FlagZF
	if r.masked {
		r.flags &^= emux64.FlagIF
	}
	r.after, m.R, m.Flags = r.before, r.before, r.flags
}

// enable has the callsite call target, and the path begin at the callsite.
func (r *runnerX64) enable(target uint64) {
	call, ok := x64.EncodeCall(r.site.Call, target)
	if !ok {
		r.err = fmt.Errorf("%s is out of the callsite's reach", r.im.At(target))
	}
	r.must(r.m.Write(r.site.Call, call[:]))
	r.m.PC = r.site.Call
	r.end, r.endSP = r.site.Call+x64.CallSize, r.sp
	if r.built == nil {
		if op, ok := r.im.Addr("function_trace_op"); ok {
			r.must(r.m.Write64(op, r.ops))
		}
	}
}

// calls has the entry code call a callback.
func (r *runnerX64) calls(callback uint64) {
	for _, region := range r.arch.Regions {
		for _, s := range region.Slots {
			if at, ok := r.im.Addr(s.Label); ok && s.Is == arch.CallSlot {
				call, _ := x64.EncodeCall(at, callback)
				r.must(r.m.Write(at, call[:]))
			}
		}
	}
}

// atCallback has the callback do more: change may change the registers of the traced
// function, at the address regs.
func (r *runnerX64) atCallback(target uint64, change func(regs uint64)) {
	callback := r.page + OffCallback
	if r.built != nil {
		callback = r.built.Callback
	} else {
		r.calls(callback)
	}
	r.enable(target)
	m := r.m
	m.Hook(callback, func(*emux64.Machine) error {
		r.called = true
		want := func(what string, got, want uint64) {
			if got != want {
				r.diff("%s is %s at the callback, %s was expected", what, r.at(got), r.at(want))
			}
		}
		r.atCall("the callback")
		want("rdi (ip)", r.w.Arg(0), r.site.Call)
		want("rsi (parent_ip)", r.w.Arg(1), r.above[0])
		want("rdx (ops)", r.w.Arg(2), r.ops)
		regs := r.w.Arg(3)
		if regs < world.Stack || regs+ptSize > r.sp {
			r.diff("rcx (regs) is %#x at the callback, which is not in its frame", regs)
			regs = 0
		} else {
			r.atRegs(regs)
		}
		for _, i := range clobberedX64 {
			m.R[i] = 0xbad0_0000_0000_0000 | uint64(i)
		}
		m.Flags ^= emux64.FlagCF | emux64.FlagPF | emux64.FlagZF | emux64.FlagSF | emux64.FlagOF
		if regs != 0 && change != nil {
			change(regs)
		}
		return nil
	})
}

// atCall checks the flags that a C function, which the entry code calls, relies on.
func (r *runnerX64) atCall(callee string) {
	if (r.m.Flags^r.flags)&emux64.FlagIF != 0 {
		r.diff("interrupts are %s at %s, they were %s", onOff(r.m.Flags), callee, onOff(r.flags))
	}
	if r.m.Flags&emux64.FlagDF != 0 {
		r.diff("DF is set at %s", callee)
	}
}

// onOff says whether flags have interrupts on.
func onOff(flags uint64) string {
	if flags&emux64.FlagIF != 0 {
		return "on"
	}
	return "off"
}

// atRegs checks the registers that the entry code left for the callback.
func (r *runnerX64) atRegs(regs uint64) {
	field := func(what string, off, want uint64) {
		got, err := r.m.Read64(regs + off)
		if err != nil {
			r.diff("regs cannot be read: %v", err)
		} else if got != want {
			r.diff("%s in regs (+%#x) is %s, %s was expected", what, off, r.at(got), r.at(want))
		}
	}
	some := map[int]bool{emux64.RAX: true, emux64.RCX: true, emux64.RDX: true, emux64.RSI: true, emux64.RDI: true, emux64.R8: true, emux64.R9: true, emux64.RBP: true, emux64.RSP: true}
	for i, off := range ptRegs {
		if r.allRegs || some[i] {
			field(emux64.RegName(i), off, r.before[i])
		}
	}
	field("ip", ptIP, r.site.Call+x64.CallSize)
	field("orig_ax, the direct call,", ptOrigAX, 0)
	if r.allRegs {
		field("cs", ptCS, kernelCS)
		field("ss", ptSS, kernelDS)
	} else {
		field("cs, which says that the flags are not there,", ptCS, 0)
	}
	if r.allRegs {
		if got, _ := r.m.Read64(regs + ptFlags); (got^r.flags)&visible != 0 {
			r.diff("flags in regs (+%#x) are %#x, %#x was expected", ptFlags, got, r.flags)
		}
	}
}

// visible are the flags that a traced function could notice.
const visible = emux64.FlagCF | emux64.FlagPF | emux64.FlagZF | emux64.FlagSF | emux64.FlagOF | emux64.FlagIF | emux64.FlagDF

// callback prepares a path whose callback changes nothing.
func (r *runnerX64) callback(target uint64) { r.atCallback(target, nil) }

// changed has the callback change the registers that it may change: the arguments, and
// all with their flags where the entry code saves all.
func (r *runnerX64) changed(regs uint64) {
	for i, off := range ptRegs {
		some := i != emux64.RBX && i != emux64.R10 && i < emux64.R12
		if i == emux64.RSP || i == emux64.R11 || !some && !r.allRegs {
			continue
		}
		r.after[i] = 0xface_0000_0000_0000 | uint64(i)
		r.must(r.m.Write64(regs+off, r.after[i]))
	}
	if r.allRegs {
		r.flags = r.flags&emux64.FlagIF | emux64.FlagSF | emux64.FlagOF | emux64.FlagPF | 1<<1
		r.must(r.m.Write64(regs+ptFlags, r.flags))
	}
}

// redirect prepares a path whose callback changes registers, and where execution goes
// on, as live patching does.
func (r *runnerX64) redirect(target uint64) {
	to := r.page + offRedirect
	r.atCallback(target, func(regs uint64) {
		r.changed(regs)
		r.must(r.m.Write64(regs+ptIP, to))
	})
	r.end = to
}

// lateDirect prepares a path whose callback sets a direct call. The entry code goes
// there as if the callsite had called it.
func (r *runnerX64) lateDirect(target uint64) {
	to := r.page + offDirect
	r.atCallback(target, func(regs uint64) {
		r.changed(regs)
		r.must(r.m.Write64(regs+ptOrigAX, to))
	})
	r.end, r.endSP = to, r.sp-8
}

// graphEnter is the core's function that the graph tracer's callback calls; 0 if the
// image has none.
func (r *runnerX64) graphEnter() uint64 {
	for _, name := range r.arch.GraphEnter {
		if a, ok := r.im.Addr(name); ok && r.im.IsText(a) {
			return a
		}
	}
	return 0
}

// graph prepares a path whose callback is the graph tracer's own, which makes the
// traced function return to return_to_handler.
func (r *runnerX64) graph(target, hook, enter uint64) {
	r.calls(hook)
	r.enable(target)
	parent := r.above[0]
	r.m.Hook(enter, func(*emux64.Machine) error {
		r.called = true
		r.atCall(r.im.Name(enter))
		if got := r.w.Arg(0); got != parent {
			r.diff("rdi is %s at %s, the traced function's return address, %s, was expected", r.at(got), r.im.Name(enter), r.at(parent))
		}
		if got := r.w.Arg(1); got != r.site.Call {
			r.diff("rsi is %s at %s, the callsite, %s, was expected", r.at(got), r.im.Name(enter), r.at(r.site.Call))
		}
		for _, i := range clobberedX64 {
			r.m.R[i] = 0xbad3_0000_0000_0000 | uint64(i)
		}
		r.w.SetInt(0)
		return nil
	})
	r.above[0], _ = r.im.Addr("return_to_handler")
}

// stubDirect prepares a path that begins at the direct trampoline that does nothing.
func (r *runnerX64) stubDirect(target uint64) {
	r.m.PC = target
	r.called, r.allRegs = true, false
	r.end, r.endSP = r.site.Call+x64.CallSize, r.sp
	r.m.R[emux64.RSP] = r.sp - 8
	r.must(r.m.Write64(r.sp-8, r.end))
}

// returnToHandler prepares the return of a function that fgraph traces. RAX and RDX
// are its result.
func (r *runnerX64) returnToHandler(target uint64) {
	handler, ok := r.im.Addr("ftrace_return_to_handler")
	if !ok {
		r.diff("the image has no ftrace_return_to_handler")
		return
	}
	r.called = true
	m := r.m
	m.PC = target
	r.end, r.endSP = r.page+OffCaller, r.sp
	m.Hook(handler, func(*emux64.Machine) error {
		frame := m.R[emux64.RSP] + 8
		r.atCall("ftrace_return_to_handler")
		switch got := r.w.Arg(0); {
		case got == r.before[emux64.RBP]: // the frame pointer, up to 6.4
		case got == frame && r.sp-frame < ptSize: // struct fgraph_ret_regs, from 6.5 on
			r.hasRegs(frame, map[int]uint64{emux64.RAX: 0, emux64.RDX: 8, emux64.RBP: 16})
		case got == frame: // struct ftrace_regs
			r.hasRegs(frame, map[int]uint64{emux64.RAX: ptRegs[emux64.RAX], emux64.RDX: ptRegs[emux64.RDX], emux64.RBP: ptRegs[emux64.RBP], emux64.RSP: ptRegs[emux64.RSP]})
		default:
			r.diff("rdi is %#x at ftrace_return_to_handler: neither RBP (%#x) nor the saved registers (%#x)", got, r.before[emux64.RBP], frame)
		}
		for _, i := range clobberedX64 {
			m.R[i] = 0xbad2_0000_0000_0000 | uint64(i)
		}
		r.w.SetResult(r.end)
		return nil
	})
	for _, i := range clobberedX64 { // the caller does not rely on them, but for the result
		if i != emux64.RAX && i != emux64.RDX {
			r.after[i] = 0
		}
	}
}

// hasRegs checks the registers that are saved at frame for ftrace_return_to_handler, by
// their offsets.
func (r *runnerX64) hasRegs(frame uint64, offsets map[int]uint64) {
	for i, want := range r.before {
		off, saved := offsets[i]
		if !saved {
			continue
		}
		if got, _ := r.m.Read64(frame + off); got != want {
			r.diff("%s in regs (+%#x) is %s at ftrace_return_to_handler, %s was expected", emux64.RegName(i), off, r.at(got), r.at(want))
		}
	}
}

// compare compares the registers and the callers' stack with those that are expected.
func (r *runnerX64) compare() {
	m := r.m
	if !r.called {
		r.diff("the callback is not called")
	}
	for i := range m.R {
		if i == emux64.RSP || i == emux64.R11 || i == emux64.R10 && !r.allRegs || r.after[i] == 0 {
			continue
		}
		if m.R[i] != r.after[i] {
			r.diff("%s comes back as %s, %s was expected", emux64.RegName(i), r.at(m.R[i]), r.at(r.after[i]))
		}
	}
	if m.R[emux64.RSP] != r.endSP {
		r.diff("RSP comes back as %#x, %#x was expected", m.R[emux64.RSP], r.endSP)
	}
	flags := uint64(visible)
	if r.end == r.page+offDirect { // a function may be called with any status flags: ADD to RSP changes them
		flags = emux64.FlagIF | emux64.FlagDF
	}
	if r.allRegs && (m.Flags^r.flags)&flags != 0 {
		r.diff("flags come back as %#x, %#x was expected", m.Flags, r.flags)
	}
	if !r.allRegs && (m.Flags^r.flags)&emux64.FlagIF != 0 {
		r.diff("interrupts come back %s, they were %s", onOff(m.Flags), onOff(r.flags))
	}
	if m.Flags&emux64.FlagDF != 0 {
		r.diff("DF is set at the end")
	}
	if r.endSP < r.sp {
		if got, _ := m.Read64(r.endSP); got != r.site.Call+x64.CallSize {
			r.diff("the return address for the direct call is %s, %s was expected", r.at(got), r.at(r.site.Call+x64.CallSize))
		}
	}
	for i, v := range r.above {
		if got, _ := m.Read64(r.sp + uint64(i)*8); got != v {
			r.diff("the stack at RSP+%#x is %s, %s was expected", i*8, r.at(got), r.at(v))
			return
		}
	}
}
