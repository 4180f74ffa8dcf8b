package builder

import (
	"fmt"
	"slices"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/emu"
)

// SavedLR is the register in which a callsite saves LR before its BL
// overwrites it: MOV X9, LR ("arm64: implement ftrace with regs").
const SavedLR = 9

// A SiteState is the words of a callsite that ftrace writes.
type SiteState struct {
	First, Second uint32 // the two words of the function
	Literal       uint64 // era callops: the pointer before the function
}

// A Step is one of ftrace's functions, executed on a callsite.
type Step struct {
	Func     string
	Case     string // what is special about this call: "its read of the callsite fails"
	Returned int64
	Want     SiteState // by the model
	Got      SiteState
	Wrong    bool     // it leaves other words than the model, or returns another value
	WantRet  string   // "0", an error, or the value that ftrace_call_adjust() returns
	Diffs    []string // what else it does that it must not
	Died     bool     // it did not return, because of the last of Diffs
	OK       bool
	Events   []Event
}

// A SiteRun is the life cycle of one callsite, executed.
type SiteRun struct {
	Site  elfscan.Site
	Steps []Step
	Err   error // why it could not be executed to the end: the verdict is inconclusive
}

// Failed is the first step that differs from the model.
func (r *SiteRun) Failed() *Step {
	for i := range r.Steps {
		if !r.Steps[i].OK {
			return &r.Steps[i]
		}
	}
	return nil
}

// SiteFuncs executes the functions that ftrace calls on a callsite. It is not
// for concurrent use.
type SiteFuncs struct {
	w     *World
	era   elfscan.Era
	shape elfscan.Shape

	adjust, initNop, makeCall, modifyCall, makeNop uint64                     // 0: the image has no such function
	genBranch                                      uint64                     // aarch64_insn_gen_branch_imm, likewise
	caller, regsCaller                             uint64                     // entry code
	direct                                         *bool                      // see routes; nil if it is not known yet
	nopOps, listOps, fakeOps                       uint64                     // era callops
	rec                                            uint64                     // a struct dyn_ftrace
	saved                                          int                        // see SavedRegister
	mod                                            module                     // that the callsite is in; zero for one of the image
	uniqueOps                                      uint64                     // what ftrace_find_unique_ops() finds
	aim                                            func(target uint64) uint64 // where a BL must go to reach target; nil: there
	pltSize                                        uint64                     // bytes of one PLT of a module
	thread, info                                   [taskInfo]byte             // thread_info before a call, and room to read it
	task                                           []byte                     // what the task holds before a call
	strays                                         map[uint64][]string        // see straying
	diffs                                          []string                   // of the call that runs
	died                                           bool                       // it did not return
	at                                             uint64                     // the callsite that it is for
	asked                                          bool                       // it has called ___ratelimit()
	mayWarn                                        uint32                     // what that returns
}

// Offsets in struct dyn_ftrace, the same in every kernel with ftrace on arm64.
const (
	recIP    = 0
	recFlags = 8
)

// allFlags are all bits of dyn_ftrace.flags that are no reference count, so
// that the callsite counts as one with unique ops.
const allFlags = 0xfff8_0000

// NewSiteFuncs prepares to execute the site functions of the image. why says
// what the image lacks, if it cannot be done.
func NewSiteFuncs(im *elfscan.Image) (f *SiteFuncs, why string) {
	era := im.Era()
	f = &SiteFuncs{w: NewWorld(im), era: era, shape: era.Shape(), strays: map[uint64][]string{}}
	for _, fn := range []struct {
		name string
		addr *uint64
	}{
		{"ftrace_call_adjust", &f.adjust},
		{"ftrace_init_nop", &f.initNop},
		{"ftrace_make_call", &f.makeCall},
		{"ftrace_modify_call", &f.modifyCall},
		{"ftrace_make_nop", &f.makeNop},
		{"aarch64_insn_gen_branch_imm", &f.genBranch},
		{"ftrace_caller", &f.caller},
		{"ftrace_regs_caller", &f.regsCaller},
	} {
		if a, ok := im.Addr(fn.name); ok && im.IsText(a) {
			*fn.addr = a
		}
	}
	f.nopOps, _ = im.Addr("ftrace_nop_ops")
	f.listOps, _ = im.Addr("ftrace_list_ops")
	switch {
	case f.shape == elfscan.ShapeUnknown:
		return nil, "no ftrace in this image"
	case f.makeCall == 0 || f.makeNop == 0:
		return nil, "the image has no ftrace_make_call and ftrace_make_nop"
	case f.caller == 0:
		return nil, "the image has no ftrace_caller"
	case f.shape == elfscan.ShapeCallops && (f.nopOps == 0 || f.listOps == 0):
		return nil, "the image has no ftrace_nop_ops and ftrace_list_ops"
	}
	// What is found, is found by the right argument alone.
	find := func(by, what *uint64, name string) {
		f.w.Hook(func(string) error {
			if x := &f.w.M.X[0]; *x == *by {
				*x = *what
			} else {
				*x = 0
			}
			return nil
		}, name)
	}
	find(&f.rec, &f.uniqueOps, "ftrace_find_unique_ops")
	find(&f.at, &f.mod.found, "__module_text_address")
	f.w.Hook(func(string) error { f.asked = true; return f.w.result(f.mayWarn) }, "___ratelimit")
	f.w.atCall = f.atCall
	f.w.M.OnWrite = f.onWrite
	f.task = poisonOf(taskBase, 16<<10, 0x7a5c)
	clear(f.task[:taskInfo])
	f.saved = SavedLR
	f.reset()
	return f, ""
}

// SavedRegister executes ftrace_init_nop() on the callsite at entry and tells
// which register it has the callsite save LR in; further runs expect that
// one. ok is false if what it writes is no MOV Xn, LR: then SavedLR is
// expected.
func (f *SiteFuncs) SavedRegister(entry uint64) (reg int, ok bool) {
	s := f.w.Image.SiteAs(entry, f.shape)
	if f.initNop == 0 || f.shape == elfscan.ShapeMcount || f.w.M.Write64(f.rec+recIP, s.Call) != nil {
		return SavedLR, false
	}
	if _, _, err := f.call(f.initNop, 0, f.rec); err == nil {
		rd, rm, mov := a64.IsMOV(f.state(s).First)
		if mov && rm == a64.LR {
			f.saved, ok = rd, true
		}
	}
	f.reset()
	return f.saved, ok
}

// Fork is the same in a world of its own, for use beside f.
func (f *SiteFuncs) Fork() *SiteFuncs {
	g, _ := NewSiteFuncs(f.w.Image)
	g.saved = f.saved
	return g
}

// reset brings back the image and lays out what the functions may look at:
// a task whose every word differs, so that a stack protector that reads one
// word and checks another is noticed, and a record. The record and the stack
// of the caller are not theirs to write.
func (f *SiteFuncs) reset() {
	f.w.Reset()
	m := f.w.M
	_ = m.Write(taskBase, f.task) // mapped by Reset, like the pages below
	f.rec = f.w.New(64)
	f.fakeOps = f.w.New(opsSize)
	f.uniqueOps = f.fakeOps
	f.mod, f.mayWarn, f.thread = module{}, 1, [taskInfo]byte{}
	clear(f.w.Fail)
	_ = m.Watch(taskBase, uint64(len(f.task)))
	_ = m.Protect(heapBase, emu.PageSize, emu.Read)
	_ = m.Protect(stackTop, emu.PageSize, emu.Read)
}

// taskInfo is how many bytes of a task thread_info takes, or more: flags and
// the preemption count, which stay zero.
const taskInfo = 128

// atCall looks at a call of a hooked function: whether a stack trace from
// there comes back to the caller, and whether a message can be printed.
func (f *SiteFuncs) atCall(name string) {
	m := f.w.M
	if diff := f.w.unwinds(name); diff != "" {
		f.diff("%s", diff)
	}
	switch {
	case slices.Contains(printers, name):
		if bad := f.w.badMessage(m.X[0], m.X[1:8]); bad != "" {
			f.diff("prints a bad message: %s", bad)
		}
	case name == "___ratelimit":
		if bad := f.w.badRateLimit(m.X[0], m.X[1]); bad != "" {
			f.diff("limits a message with what does not: %s", bad)
		}
	case name == "preempt_schedule" && f.thread != [taskInfo]byte{}:
		f.diff("calls preempt_schedule although preemption is off")
	}
}

// onWrite looks at a store to the task, which is the core's but for
// thread_info.
func (f *SiteFuncs) onWrite(pc, addr uint64, _ int, value uint64) {
	if addr-taskBase >= taskInfo {
		f.diff("stores %#x into the task (+%#x) at %s", value, addr-taskBase, f.w.Image.At(pc))
	}
}

func (f *SiteFuncs) diff(format string, args ...any) {
	if len(f.diffs) < maxDiffs {
		f.diffs = append(f.diffs, fmt.Sprintf(format, args...))
	}
}

// maxDiffs bounds what is told of one call.
const maxDiffs = 64

// straying are the stray calls in the code of fn; they are looked for once.
func (f *SiteFuncs) straying(fn uint64) []string {
	found, ok := f.strays[fn]
	if !ok {
		found = strays(f.w.Image, fn)
		f.strays[fn] = found
	}
	return slices.Clone(found)
}

// call calls one of the functions, with a value of its own in every register
// that is no argument. diffs is what it does that no function may: it loses
// registers of its caller, uses what holds nothing, writes to what is not its
// own, or ends in the stack protector.
func (f *SiteFuncs) call(fn uint64, args ...uint64) (ret uint64, diffs []string, err error) {
	m := f.w.M
	f.w.enter()
	f.diffs, f.asked, f.died = f.straying(fn), false, true
	mark := len(f.w.Events)
	ret, err = f.w.Call(fn, args...)
	if err != nil {
		if proof := misdeed(err); proof != "" {
			return 0, append(f.diffs, proof), nil
		}
		return 0, nil, err
	}
	f.died = false
	f.diffs = append(f.diffs, f.w.lost(fn)...)
	if err := m.Read(taskBase, f.info[:]); err != nil || f.info != f.thread {
		f.diff("leaves thread_info (flags, preemption count) changed")
	}
	if warned := slices.ContainsFunc(f.w.Events[mark:], func(e Event) bool { return e.Kind == Trap }); f.asked && warned != (f.mayWarn != 0) {
		f.diff("asks ___ratelimit whether to warn, is told %d, and warns: %v", f.mayWarn, warned)
	}
	return ret, f.diffs, nil
}

// model is a callsite as the model has it in each state of its life.
func (f *SiteFuncs) model(s elfscan.Site, entry uint64, ops uint64) SiteState {
	m := SiteState{First: a64.EncodeMOV(f.saved, a64.LR), Second: a64.NOP, Literal: ops}
	if entry != 0 {
		m.Second = f.bl(s, entry)
	}
	if f.shape == elfscan.ShapeMcount {
		m.First = 0
	}
	if f.shape != elfscan.ShapeCallops {
		m.Literal = 0
	}
	return m
}

// state reads the words of the callsite from the emulator.
func (f *SiteFuncs) state(s elfscan.Site) (st SiteState) {
	st.Second, _ = f.w.M.Read32(s.Call)
	if f.shape != elfscan.ShapeMcount {
		st.First, _ = f.w.M.Read32(s.Call - a64.Size)
	}
	if f.shape == elfscan.ShapeCallops {
		st.Literal, _ = f.w.M.Read64(s.Entry)
	}
	return st
}

// An outcome is what a function may return.
type outcome struct {
	text  string
	codes []int64
	warns bool // WARN() is in order; it is wherever the function refuses
	// orNull allows an ops literal of 0: the function trusts the core.
	orNull bool
}

// What the functions return is told at ftrace_make_nop() in
// include/linux/ftrace.h: 0; -EFAULT if the callsite cannot be read; -EINVAL
// if the old word is another; -EPERM if it cannot be written. The core tells
// its user so. What the writer itself returned, -ERANGE here, is as good.
var (
	success     = outcome{text: "0", codes: []int64{0}}
	refusal     = outcome{text: "-22 (-EINVAL)", codes: []int64{-22}}
	cannotRead  = outcome{text: "-14 (-EFAULT)", codes: []int64{-14}}
	cannotWrite = outcome{text: "-1 (-EPERM)", codes: []int64{-1, -34}}
)

// step calls fn on the callsite and holds what comes of it against the
// model. It tells whether that is the same, and so whether to go on.
func (f *SiteFuncs) step(r *SiteRun, name, special string, fn uint64, want SiteState, out outcome, args ...uint64) bool {
	s := r.Site
	f.at = s.Call
	mark := len(f.w.Events)
	ret, diffs, err := f.call(fn, args...)
	if err != nil {
		if special != "" {
			special = " (" + special + ")"
		}
		r.Err = fmt.Errorf("%s: %w%s", name, err, special)
		return false
	}
	st := Step{Func: name, Case: special, Returned: int64(int32(ret)), Want: want, Got: f.state(s), WantRet: out.text, Diffs: diffs, Died: f.died}
	for _, e := range f.w.Events[mark:] {
		switch {
		case e.Kind == Trap && out.codes[0] == 0 && !out.warns:
			st.Diffs = append(st.Diffs, fmt.Sprintf("warns (brk #%#x at %s)", e.Value, f.w.Image.At(e.PC)))
		case e.Kind == PatchLiteral && (f.shape != elfscan.ShapeCallops || e.Addr != s.Entry),
			e.Kind == Patch && e.Addr != s.Call && (e.Addr != s.Call-a64.Size || f.shape == elfscan.ShapeMcount):
			st.Diffs = append(st.Diffs, fmt.Sprintf("writes %#x to %s, outside the callsite", e.Value, f.w.Image.At(e.Addr)))
		case e.Kind == ReadInsn && e.Addr != s.Call && e.Addr != s.Call-a64.Size:
			st.Diffs = append(st.Diffs, fmt.Sprintf("reads %s, outside the callsite", f.w.Image.At(e.Addr)))
		}
	}
	if out.orNull && st.Got.Literal == 0 {
		st.Want.Literal = 0
	}
	st.Wrong = st.Got != st.Want || !slices.Contains(out.codes, st.Returned)
	st.OK = !st.Wrong && len(st.Diffs) == 0
	if !st.OK {
		st.Events = slices.Clone(f.w.Events[mark:])
	}
	f.w.Events = f.w.Events[:mark]
	r.Steps = append(r.Steps, st)
	return st.OK
}

// must notes an error of the host's own access: the heap is always mapped,
// the callsite is text.
func (r *SiteRun) must(err error) {
	if err != nil && r.Err == nil {
		r.Err = err
	}
}

// Run executes the life of the callsite at entry: adjust, init-nop,
// make-call, modify-call, make-nop, and calls that must refuse because the
// old word is another. It stops at the first step that differs.
func (f *SiteFuncs) Run(entry uint64) SiteRun {
	if f.w.M.Touched() > maxPages/2 { // by the callsites before
		f.reset()
	}
	r := SiteRun{Site: f.w.Image.SiteAs(entry, f.shape), Steps: make([]Step, 0, 8)}
	f.w.Events = f.w.Events[:0]
	f.adjusts(&r, entry, r.Site.Call, "")
	if r.good() {
		f.life(&r, "")
	}
	return r
}

// good tells whether nothing was amiss so far.
func (r *SiteRun) good() bool {
	return r.Err == nil && (len(r.Steps) == 0 || r.Steps[len(r.Steps)-1].OK)
}

// adjusts executes ftrace_call_adjust(), if there is one.
func (f *SiteFuncs) adjusts(r *SiteRun, entry, want uint64, special string) {
	if f.adjust == 0 {
		return
	}
	mark := len(f.w.Events)
	ip, diffs, err := f.call(f.adjust, entry)
	f.w.Events = f.w.Events[:mark]
	if err != nil {
		r.Err = fmt.Errorf("ftrace_call_adjust: %w", err)
		return
	}
	st := Step{Func: "ftrace_call_adjust", Case: special, Returned: int64(ip), Diffs: diffs, Died: f.died, Wrong: ip != want, OK: ip == want && len(diffs) == 0}
	if !st.OK {
		st.WantRet = fmt.Sprintf("%#x", want)
	}
	r.Steps = append(r.Steps, st)
}

// bl is the BL at the callsite by which target is reached, directly or by
// what stands for it there.
func (f *SiteFuncs) bl(s elfscan.Site, target uint64) uint32 {
	if f.aim != nil {
		target = f.aim(target)
	}
	w, _ := a64.EncodeBL(s.Call, target)
	return w
}

// life executes what follows ftrace_call_adjust().
func (f *SiteFuncs) life(r *SiteRun, special string) {
	m, s := f.w.M, r.Site
	r.must(m.Write64(f.rec+recIP, s.Call))
	r.must(m.Write64(f.rec+recFlags, 0))
	_ = f.initNop != 0 && f.step(r, "ftrace_init_nop", special, f.initNop, f.model(s, 0, f.nopOps), success, f.mod.given, f.rec) ||
		f.initNop == 0 && f.initByMakeNop(r, special)
	if !r.good() {
		return
	}
	ok := f.step(r, "ftrace_make_call", special, f.makeCall, f.model(s, f.caller, f.listOps), success, f.rec, f.caller)
	enabled := f.caller
	if ok && f.modifyCall != 0 {
		to, ops := f.caller, f.listOps
		if f.regsCaller != 0 {
			to = f.regsCaller
		}
		if f.shape == elfscan.ShapeCallops {
			r.must(m.Write64(f.rec+recFlags, allFlags))
			ops = f.fakeOps
		}
		ok = f.step(r, "ftrace_modify_call", special, f.modifyCall, f.model(s, to, ops), success, f.rec, f.caller, to)
		enabled = to
	}
	if ok {
		ok = f.step(r, "ftrace_make_nop", special, f.makeNop, f.model(s, 0, f.nopOps), success, f.mod.given, f.rec, enabled)
	}
	if !ok {
		return
	}
	// Each must check the old word before it writes.
	if special == "" {
		special = "another word stands there"
	} else {
		special += ", and another word stands there"
	}
	alien := a64.EncodeMOV(0, 0)
	r.must(m.Write32(s.Call, alien))
	want := f.state(s)
	want.Second = alien
	if f.shape == elfscan.ShapeCallops {
		// the literal is written first, and may be
		r.must(m.Write64(f.rec+recFlags, 0))
		want.Literal = f.listOps
	}
	if f.step(r, "ftrace_make_call", special, f.makeCall, want, refusal, f.rec, f.caller) {
		if f.shape == elfscan.ShapeCallops {
			want.Literal = f.nopOps
		}
		f.step(r, "ftrace_make_nop", special, f.makeNop, want, refusal, f.mod.given, f.rec, f.caller)
	}
	r.must(m.Write32(s.Call, a64.NOP))
}

// initByMakeNop is ftrace_init_nop() where an arch has none: the core then
// calls ftrace_make_nop() with the address of _mcount.
func (f *SiteFuncs) initByMakeNop(r *SiteRun, special string) bool {
	mcount, ok := f.w.Image.Addr("_mcount")
	if !ok {
		return true // callsites stay as they are built
	}
	return f.step(r, "ftrace_make_nop", special, f.makeNop, f.model(r.Site, 0, f.nopOps), success, f.mod.given, f.rec, mcount)
}

// A Border is the kernel's reachability check at one distance, executed
// through ftrace_make_call() or by making the instruction alone.
type Border struct {
	Func      string
	Distance  int64 // from the BL to the target, in bytes
	Reachable bool  // BL can encode it
	Returned  int64
	Got       uint32 // what stands at the callsite afterwards, or was made
	// Elsewhere tells that the kernel, the target being out of reach, took
	// the entry code instead, which reaches it by other means.
	Elsewhere bool
	OK        bool
	Diffs     []string // what else the function does that it must not
	Err       error
}

// routes tells whether the image's functions take ftrace_caller for a direct
// trampoline out of reach, as it knows where that is by ops->direct_call: what
// one of them does, all must. It resets the world.
func (f *SiteFuncs) routes(s elfscan.Site) bool {
	if f.direct != nil {
		return *f.direct
	}
	f.direct = new(bool)
	if _, ok := f.w.Image.Addr("ftrace_caller_direct"); !ok || f.shape != elfscan.ShapeCallops {
		return false
	}
	blank, enabled := f.model(s, 0, f.nopOps), f.model(s, f.caller, f.listOps)
	for _, d := range []uint64{1 << 30, ^uint64(1<<30) + 1} {
		for _, call := range []struct {
			fn       uint64
			from, to SiteState
			args     []uint64
		}{
			{f.makeCall, blank, enabled, []uint64{f.rec, s.Call + d}},
			{f.makeNop, enabled, blank, []uint64{0, f.rec, s.Call + d}},
		} {
			f.reset()
			f.at = s.Call
			if f.write(s, call.from) != nil || f.w.M.Write64(f.rec+recIP, s.Call) != nil {
				continue
			}
			if ret, _, err := f.call(call.fn, call.args...); err == nil && int32(ret) == 0 && f.state(s).Second == call.to.Second {
				*f.direct = true
			}
		}
	}
	f.reset()
	return *f.direct
}

// breakFault is AARCH64_BREAK_FAULT, BRK #0x100.
const breakFault = 0xd420_2000

// Borders are the distances at which a check of BL's range goes wrong.
var Borders = []int64{-128<<20 - 4, -128 << 20, 0, 128<<20 - 4, 128 << 20}

// Borders executes ftrace_make_call() on the callsite with targets at the
// borders of BL's range, and aarch64_insn_gen_branch_imm() for them.
func (f *SiteFuncs) Borders(entry uint64) []Border {
	s := f.w.Image.SiteAs(entry, f.shape)
	var out []Border
	for _, d := range Borders {
		f.reset()
		target := s.Call + uint64(d)
		f.at = s.Call
		b := Border{Func: "ftrace_make_call", Distance: d, Reachable: a64.ReachOf(a64.Call).Contains(d)}
		blank := f.model(s, 0, f.nopOps)
		for _, err := range []error{f.write(s, blank), f.w.M.Write64(f.rec+recIP, s.Call)} {
			if err != nil {
				b.Err = err
			}
		}
		ret, diffs, err := f.call(f.makeCall, f.rec, target)
		b.Returned, b.Got, b.Diffs = int64(int32(ret)), f.state(s).Second, diffs
		bl, _ := a64.EncodeBL(s.Call, target)
		own, _ := a64.EncodeBL(s.Call, f.caller)
		switch {
		case err != nil:
			b.Err = err
		case b.Reachable:
			b.OK = b.Returned == 0 && b.Got == bl
		case b.Returned == 0 && b.Got == own:
			b.OK, b.Elsewhere = true, true
		case f.routes(s): // must have taken the entry code
		default:
			b.OK = b.Returned != 0 && b.Got == blank.Second
		}
		b.OK = b.OK && len(diffs) == 0
		out = append(out, b)
	}
	f.reset()
	// The maker of branches gives AARCH64_BREAK_FAULT where there is no BL,
	// and no B either.
	for _, d := range append([]int64{-4096, 4, 4096}, Borders...) {
		for link, encode := range []func(pc, target uint64) (uint32, error){a64.EncodeB, a64.EncodeBL} {
			if f.genBranch == 0 {
				break
			}
			b := Border{Func: "aarch64_insn_gen_branch_imm", Distance: d, Reachable: a64.ReachOf(a64.Call).Contains(d)}
			want, err := encode(s.Call, s.Call+uint64(d))
			if err != nil {
				want = breakFault
			}
			ret, diffs, err := f.call(f.genBranch, s.Call, s.Call+uint64(d), uint64(link))
			b.Got, b.Diffs, b.Err = uint32(ret), diffs, err
			b.OK = b.Got == want && len(diffs) == 0
			out = append(out, b)
		}
	}
	f.w.Events = f.w.Events[:0]
	return out
}

// write puts a callsite into a state.
func (f *SiteFuncs) write(s elfscan.Site, st SiteState) error {
	if f.shape != elfscan.ShapeMcount {
		if err := f.w.M.Write32(s.Call-a64.Size, st.First); err != nil {
			return err
		}
	}
	if f.shape == elfscan.ShapeCallops {
		if err := f.w.M.Write64(s.Entry, st.Literal); err != nil {
			return err
		}
	}
	return f.w.M.Write32(s.Call, st.Second)
}

// Steps is the number of instructions executed since the last reset.
func (f *SiteFuncs) Steps() uint64 { return f.w.M.Steps }
