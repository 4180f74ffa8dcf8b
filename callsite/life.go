package callsite

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/world"
)

// SavedLR is the register in which a callsite saves LR before its BL
// overwrites it: MOV X9, LR ("arm64: implement ftrace with regs").
const SavedLR = 9

// A State is the words of a callsite that ftrace writes.
type State struct {
	First, Second uint32 // the two words of the function
	Literal       uint64 // era callops: the pointer before the function
}

// A Step is one of ftrace's functions, executed on a callsite.
type Step struct {
	Func     string
	Case     string // what is special about this call: "its read of the callsite fails"
	Returned int64
	Want     State // by the model
	Got      State
	Wrong    bool     // it leaves other words than the model, or returns another value
	WantRet  string   // "0", an error, or the value that ftrace_call_adjust() returns
	Diffs    []string // what else it does that it must not
	Died     bool     // it did not return, because of the last of Diffs
	OK       bool
	Events   []world.Event
}

// A Run is the life cycle of one callsite, executed.
type Run struct {
	Site  Site
	Steps []Step
	Err   error // why it could not be executed to the end: the verdict is inconclusive
}

// A FuncError is why one of ftrace's functions could not be executed to the
// end.
type FuncError struct {
	Func string
	Case string // as Step.Case
	Err  error
}

func (e *FuncError) Error() string {
	if e.Case == "" {
		return fmt.Sprintf("%s: %v", e.Func, e.Err)
	}
	return fmt.Sprintf("%s: %v (%s)", e.Func, e.Err, e.Case)
}

func (e *FuncError) Unwrap() error { return e.Err }

// KeptFrom reports whether the run could not be executed to the end because of
// one of the functions, or because of what is no function's.
func (r *Run) KeptFrom(funcs []string) bool {
	var e *FuncError
	return r.Err != nil && (!errors.As(r.Err, &e) || slices.Contains(funcs, e.Func))
}

// Failed is the first step that differs from the model.
func (r *Run) Failed() *Step {
	for i := range r.Steps {
		if !r.Steps[i].OK {
			return &r.Steps[i]
		}
	}
	return nil
}

// An Executor executes the functions that ftrace calls on a callsite. It is not
// for concurrent use.
type Executor struct {
	w     *world.World
	table *Table
	fn    functions
	ops   opses
	rec   uint64                     // a struct dyn_ftrace
	saved int                        // see SavedRegister
	mod   module                     // that the callsite is in; zero for one of the image
	aim   func(target uint64) uint64 // where a BL must go to reach target; nil: there
	plt   uint64                     // bytes of one PLT of a module

	direct *bool // see routes; nil if it is not known yet
	task   task
	now    call
}

// functions are addresses of the kernel's functions; 0: the image has no such
// function.
type functions struct {
	adjust, initNop, makeCall, modifyCall, makeNop uint64
	genBranch                                      uint64
	caller, regsCaller                             uint64 // entry code
}

// opses are addresses of ftrace_ops, in era callops: the core's, that of a
// tracer, and what ftrace_find_unique_ops() finds.
type opses struct{ nop, list, fake, unique uint64 }

// A task is what the task that runs holds.
type task struct {
	thread, info [taskInfo]byte // thread_info before a call, and room to read it
	rest         []byte         // all of it, before a call
}

// A call is what the call that runs is for, and what it has done.
type call struct {
	at      uint64 // the callsite
	died    bool   // it did not return
	asked   bool   // it has called ___ratelimit()
	mayWarn int32  // what that returns
}

// Offsets in struct dyn_ftrace, the same in every kernel with ftrace on arm64.
const (
	recIP    = 0
	recFlags = 8
)

// allFlags are all bits of dyn_ftrace.flags that are no reference count, so
// that the callsite counts as one with unique ops.
const allFlags = 0xfff8_0000

// OpsSize is more than a struct ftrace_ops has, in bytes.
const OpsSize = 1024

// NewExecutor prepares to execute the site functions of the table's image. The
// error is a *world.Lack, if it cannot be done.
func NewExecutor(t *Table) (*Executor, error) {
	im := t.Image
	f := &Executor{w: world.New(im), table: t, saved: SavedLR}
	for name, addr := range map[string]*uint64{
		"ftrace_call_adjust": &f.fn.adjust,
		"ftrace_init_nop":    &f.fn.initNop,
		"ftrace_make_call":   &f.fn.makeCall,
		"ftrace_modify_call": &f.fn.modifyCall,
		"ftrace_make_nop":    &f.fn.makeNop,
		"ftrace_caller":      &f.fn.caller,
		"ftrace_regs_caller": &f.fn.regsCaller,

		t.Arch.Patching.Branch: &f.fn.genBranch,
	} {
		if a, ok := im.Addr(name); ok && im.IsText(a) {
			*addr = a
		}
	}
	f.ops.nop, _ = im.Addr("ftrace_nop_ops")
	f.ops.list, _ = im.Addr("ftrace_list_ops")
	switch {
	case t.Shape == nil:
		return nil, &world.Lack{What: "no ftrace in this image"}
	case f.fn.makeCall == 0 || f.fn.makeNop == 0:
		return nil, &world.Lack{What: "the image has no ftrace_make_call and ftrace_make_nop"}
	case f.fn.caller == 0:
		return nil, &world.Lack{What: "the image has no ftrace_caller"}
	case t.Shape.Literal != 0 && (f.ops.nop == 0 || f.ops.list == 0):
		return nil, &world.Lack{What: "the image has no ftrace_nop_ops and ftrace_list_ops"}
	}
	// What is found, is found by the right argument alone.
	find := func(by, what *uint64, name string) {
		f.w.Hook(func(string) error {
			found := uint64(0)
			if f.w.Arg(0) == *by {
				found = *what
			}
			f.w.SetResult(found)
			return nil
		}, name)
	}
	find(&f.rec, &f.ops.unique, "ftrace_find_unique_ops")
	find(&f.now.at, &f.mod.found, "__module_text_address")
	f.w.Hook(func(string) error {
		f.now.asked = true
		f.w.SetInt(f.now.mayWarn)
		return nil
	}, "___ratelimit")
	f.w.AtCall = f.atCall
	f.w.M.OnWrite = f.onWrite
	f.task.rest = world.Poison(world.Task, 16<<10, world.TaskMark)
	clear(f.task.rest[:taskInfo])
	f.reset()
	return f, nil
}

// SavedRegister executes ftrace_init_nop() on the callsite at entry and tells
// which register it has the callsite save LR in; further runs expect that
// one. ok is false if what it writes is no MOV Xn, LR: then SavedLR is
// expected.
func (f *Executor) SavedRegister(entry uint64) (reg int, ok bool) {
	s := f.table.Site(entry)
	if f.fn.initNop == 0 || !f.table.Shape.SavesLR || f.w.M.Write64(f.rec+recIP, s.Call) != nil {
		return SavedLR, false
	}
	if _, _, err := f.call("ftrace_init_nop", f.fn.initNop, 0, f.rec); err == nil {
		rd, rm, mov := a64.IsMOV(f.state(s).First)
		if mov && rm == a64.LR {
			f.saved, ok = rd, true
		}
	}
	f.reset()
	return f.saved, ok
}

// Fork is the same in a world of its own, for use beside f.
func (f *Executor) Fork() *Executor {
	g, _ := NewExecutor(f.table)
	g.saved = f.saved
	return g
}

// reset brings back the image and lays out what the functions may look at:
// a task whose every word differs, so that a stack protector that reads one
// word and checks another is noticed, and a record. The record and the stack
// of the caller are not theirs to write.
func (f *Executor) reset() {
	f.w.Reset()
	m := f.w.M
	_ = m.Write(world.Task, f.task.rest) // mapped by Reset, like the pages below
	f.rec = f.w.Object(64)
	f.ops.fake = f.w.Object(OpsSize)
	f.ops.unique = f.ops.fake
	f.mod, f.now.mayWarn, f.task.thread = module{}, 1, [taskInfo]byte{}
	clear(f.w.Fail)
	_ = m.Watch(world.Task, uint64(len(f.task.rest)))
	_ = m.Protect(world.Heap, emu.PageSize, emu.Read)
	_ = m.Protect(world.StackTop, emu.PageSize, emu.Read)
}

// taskInfo is how many bytes of a task thread_info takes, or more: flags and
// the preemption count, which stay zero.
const taskInfo = 128

// atCall looks at a call of a hooked function: whether a stack trace from
// there comes back to the caller, and whether a message can be printed.
func (f *Executor) atCall(name string) {
	m := f.w.M
	if diff := f.w.Unwinds(name); diff != "" {
		f.diff("%s", diff)
	}
	switch {
	case slices.Contains(world.Printers, name):
		if bad := f.w.BadMessage(m.X[0], m.X[1:8]); bad != "" {
			f.diff("prints a bad message: %s", bad)
		}
	case name == "___ratelimit":
		if bad := f.w.BadRateLimit(m.X[0], m.X[1]); bad != "" {
			f.diff("limits a message with what does not: %s", bad)
		}
	case name == "preempt_schedule" && f.task.thread != [taskInfo]byte{}:
		f.diff("calls preempt_schedule although preemption is off")
	}
}

// onWrite looks at a store to the task, which is the core's but for
// thread_info.
func (f *Executor) onWrite(pc, addr uint64, _ int, value uint64) {
	if addr-world.Task >= taskInfo {
		f.diff("stores %#x into the task (+%#x) at %s", value, addr-world.Task, f.w.Image.At(pc))
	}
}

// diff notes what the function that runs does and must not.
func (f *Executor) diff(format string, args ...any) { f.w.Fault(f.w.PC(), format, args...) }

// call calls one of the functions. diffs is what it does that no function may,
// and what it does to the task or with a rate limit that it must not.
func (f *Executor) call(name string, fn uint64, args ...uint64) (ret uint64, diffs []string, err error) {
	f.now.asked = false
	mark := len(f.w.Events)
	ret, returned, err := f.w.Execute(world.Subject{Name: name, Fn: fn, Args: args})
	if err != nil {
		return 0, nil, err
	}
	f.now.died = !returned
	if returned {
		if err := f.w.M.Read(world.Task, f.task.info[:]); err != nil || f.task.info != f.task.thread {
			f.diff("leaves thread_info (flags, preemption count) changed")
		}
		warned := slices.ContainsFunc(f.w.Events[mark:], func(e world.Event) bool { return e.Kind == world.Trap })
		if f.now.asked && warned != (f.now.mayWarn != 0) {
			f.diff("asks ___ratelimit whether to warn, is told %d, and warns: %v", f.now.mayWarn, warned)
		}
	}
	for _, fault := range f.w.Faults {
		diffs = append(diffs, fault.What)
	}
	return ret, diffs, nil
}

// model is a callsite as the model has it in each state of its life.
func (f *Executor) model(s Site, entry uint64, ops uint64) State {
	m := State{First: a64.EncodeMOV(f.saved, a64.LR), Second: a64.NOP, Literal: ops}
	if entry != 0 {
		m.Second = f.bl(s, entry)
	}
	if !f.table.Shape.SavesLR {
		m.First = 0
	}
	if f.table.Shape.Literal == 0 {
		m.Literal = 0
	}
	return m
}

// state reads the words of the callsite from the emulator.
func (f *Executor) state(s Site) (st State) {
	st.Second, _ = f.w.M.Read32(s.Call)
	if f.table.Shape.SavesLR {
		st.First, _ = f.w.M.Read32(s.Call - a64.Size)
	}
	if f.table.Shape.Literal != 0 {
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
// model. It reports whether that is the same, and so whether to go on.
func (f *Executor) step(r *Run, name, special string, fn uint64, want State, out outcome, args ...uint64) bool {
	s := r.Site
	f.now.at = s.Call
	mark := len(f.w.Events)
	ret, diffs, err := f.call(name, fn, args...)
	if err != nil {
		r.Err = &FuncError{name, special, err}
		return false
	}
	st := Step{Func: name, Case: special, Returned: int64(int32(ret)), Want: want, Got: f.state(s), WantRet: out.text, Diffs: diffs, Died: f.now.died}
	for _, e := range f.w.Events[mark:] {
		switch {
		case e.Kind == world.Trap && out.codes[0] == 0 && !out.warns:
			st.Diffs = append(st.Diffs, fmt.Sprintf("warns (brk #%#x at %s)", e.Value, f.w.Image.At(e.PC)))
		case e.Kind == world.PatchLiteral && (f.table.Shape.Literal == 0 || e.Addr != s.Entry),
			e.Kind == world.Patch && e.Addr != s.Call && (e.Addr != s.Call-a64.Size || !f.table.Shape.SavesLR):
			st.Diffs = append(st.Diffs, fmt.Sprintf("writes %#x to %s, outside the callsite", e.Value, f.w.Image.At(e.Addr)))
		case e.Kind == world.ReadInsn && e.Addr != s.Call && e.Addr != s.Call-a64.Size:
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
func (r *Run) must(err error) {
	if err != nil && r.Err == nil {
		r.Err = err
	}
}

// Run executes the life of the callsite at entry: adjust, init-nop,
// make-call, modify-call, make-nop, and calls that must refuse because the
// old word is another. It stops at the first step that differs.
func (f *Executor) Run(entry uint64) Run {
	if f.w.M.Touched() > world.MaxPages/2 { // by the callsites before
		f.reset()
	}
	r := Run{Site: f.table.Site(entry), Steps: make([]Step, 0, 8)}
	f.w.Events = f.w.Events[:0]
	f.adjusts(&r, entry, r.Site.Call, "")
	if r.good() {
		f.life(&r, "")
	}
	return r
}

// good reports whether nothing was amiss so far.
func (r *Run) good() bool {
	return r.Err == nil && (len(r.Steps) == 0 || r.Steps[len(r.Steps)-1].OK)
}

// adjusts executes ftrace_call_adjust(), if there is one.
func (f *Executor) adjusts(r *Run, entry, want uint64, special string) {
	if f.fn.adjust == 0 {
		return
	}
	mark := len(f.w.Events)
	ip, diffs, err := f.call("ftrace_call_adjust", f.fn.adjust, entry)
	f.w.Events = f.w.Events[:mark]
	if err != nil {
		r.Err = &FuncError{"ftrace_call_adjust", "", err}
		return
	}
	st := Step{Func: "ftrace_call_adjust", Case: special, Returned: int64(ip), Diffs: diffs, Died: f.now.died, Wrong: ip != want, OK: ip == want && len(diffs) == 0}
	if !st.OK {
		st.WantRet = fmt.Sprintf("%#x", want)
	}
	r.Steps = append(r.Steps, st)
}

// bl is the BL at the callsite by which target is reached, directly or by
// what stands for it there.
func (f *Executor) bl(s Site, target uint64) uint32 {
	if f.aim != nil {
		target = f.aim(target)
	}
	w, _ := a64.EncodeBL(s.Call, target)
	return w
}

// life executes what follows ftrace_call_adjust().
func (f *Executor) life(r *Run, special string) {
	m, s := f.w.M, r.Site
	r.must(m.Write64(f.rec+recIP, s.Call))
	r.must(m.Write64(f.rec+recFlags, 0))
	_ = f.fn.initNop != 0 && f.step(r, "ftrace_init_nop", special, f.fn.initNop, f.model(s, 0, f.ops.nop), success, f.mod.given, f.rec) ||
		f.fn.initNop == 0 && f.initByMakeNop(r, special)
	if !r.good() {
		return
	}
	ok := f.step(r, "ftrace_make_call", special, f.fn.makeCall, f.model(s, f.fn.caller, f.ops.list), success, f.rec, f.fn.caller)
	enabled := f.fn.caller
	if ok && f.fn.modifyCall != 0 {
		to, ops := f.fn.caller, f.ops.list
		if f.fn.regsCaller != 0 {
			to = f.fn.regsCaller
		}
		if f.table.Shape.Literal != 0 {
			r.must(m.Write64(f.rec+recFlags, allFlags))
			ops = f.ops.fake
		}
		ok = f.step(r, "ftrace_modify_call", special, f.fn.modifyCall, f.model(s, to, ops), success, f.rec, f.fn.caller, to)
		enabled = to
	}
	if ok {
		ok = f.step(r, "ftrace_make_nop", special, f.fn.makeNop, f.model(s, 0, f.ops.nop), success, f.mod.given, f.rec, enabled)
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
	if f.table.Shape.Literal != 0 {
		// the literal is written first, and may be
		r.must(m.Write64(f.rec+recFlags, 0))
		want.Literal = f.ops.list
	}
	if f.step(r, "ftrace_make_call", special, f.fn.makeCall, want, refusal, f.rec, f.fn.caller) {
		if f.table.Shape.Literal != 0 {
			want.Literal = f.ops.nop
		}
		f.step(r, "ftrace_make_nop", special, f.fn.makeNop, want, refusal, f.mod.given, f.rec, f.fn.caller)
	}
	r.must(m.Write32(s.Call, a64.NOP))
}

// initByMakeNop is ftrace_init_nop() where an arch has none: the core then
// calls ftrace_make_nop() with the address of _mcount.
func (f *Executor) initByMakeNop(r *Run, special string) bool {
	mcount, ok := f.w.Image.Addr("_mcount")
	if !ok {
		return true // callsites stay as they are built
	}
	return f.step(r, "ftrace_make_nop", special, f.fn.makeNop, f.model(r.Site, 0, f.ops.nop), success, f.mod.given, f.rec, mcount)
}

// A Border is the kernel's reachability check at one distance, executed
// through ftrace_make_call() or by making the instruction alone.
type Border struct {
	Func      string
	Distance  int64 // from the BL to the target, in bytes
	Reachable bool  // BL can encode it
	Returned  int64
	Got       uint32 // what stands at the callsite afterwards, or was made
	Enabled   bool   // the callsite calls ftrace_caller afterwards, which is not the target
	OK        bool
	Diffs     []string // what else the function does that it must not
	Err       error
}

// routes reports whether the image's functions take ftrace_caller for a direct
// trampoline out of reach, as it knows where that is by ops->direct_call: what
// one of them does, all must. It resets the world.
func (f *Executor) routes(s Site) bool {
	if f.direct != nil {
		return *f.direct
	}
	f.direct = new(bool)
	if _, ok := f.w.Image.Addr("ftrace_caller_direct"); !ok || f.table.Shape.Literal == 0 {
		return false
	}
	blank, enabled := f.model(s, 0, f.ops.nop), f.model(s, f.fn.caller, f.ops.list)
	for _, d := range []uint64{1 << 30, ^uint64(1<<30) + 1} {
		for _, call := range []siteCall{
			{"ftrace_make_call", f.fn.makeCall, blank, enabled, []uint64{f.rec, s.Call + d}},
			{"ftrace_make_nop", f.fn.makeNop, enabled, blank, []uint64{0, f.rec, s.Call + d}},
		} {
			f.reset()
			f.now.at = s.Call
			if f.write(s, call.from) != nil || f.w.M.Write64(f.rec+recIP, s.Call) != nil {
				continue
			}
			if ret, _, err := f.call(call.name, call.fn, call.args...); err == nil && int32(ret) == 0 && f.state(s).Second == call.to.Second {
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
func (f *Executor) Borders(entry uint64) []Border {
	s := f.table.Site(entry)
	var out []Border
	for _, d := range Borders {
		f.reset()
		target := s.Call + uint64(d)
		f.now.at = s.Call
		b := Border{Func: "ftrace_make_call", Distance: d, Reachable: a64.ReachOf(a64.Call).Contains(d)}
		blank := f.model(s, 0, f.ops.nop)
		for _, err := range []error{f.write(s, blank), f.w.M.Write64(f.rec+recIP, s.Call)} {
			if err != nil {
				b.Err = err
			}
		}
		ret, diffs, err := f.call("ftrace_make_call", f.fn.makeCall, f.rec, target)
		b.Returned, b.Got, b.Diffs = int64(int32(ret)), f.state(s).Second, diffs
		bl, _ := a64.EncodeBL(s.Call, target)
		own, _ := a64.EncodeBL(s.Call, f.fn.caller)
		b.Enabled = b.Got == own && bl != own
		switch {
		case err != nil:
			b.Err = err
		case b.Reachable:
			b.OK = b.Returned == 0 && b.Got == bl
		case b.Returned == 0 && b.Got == own:
			b.OK = true // the entry code is called, which reaches the target by other means
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
			if f.fn.genBranch == 0 {
				break
			}
			b := Border{Func: f.table.Arch.Patching.Branch, Distance: d, Reachable: a64.ReachOf(a64.Call).Contains(d)}
			want, err := encode(s.Call, s.Call+uint64(d))
			if err != nil {
				want = breakFault
			}
			ret, diffs, err := f.call(f.table.Arch.Patching.Branch, f.fn.genBranch, s.Call, s.Call+uint64(d), uint64(link))
			b.Got, b.Diffs, b.Err = uint32(ret), diffs, err
			b.OK = b.Got == want && len(diffs) == 0
			out = append(out, b)
		}
	}
	f.w.Events = f.w.Events[:0]
	return out
}

// write puts a callsite into a state.
func (f *Executor) write(s Site, st State) error {
	if f.table.Shape.SavesLR {
		if err := f.w.M.Write32(s.Call-a64.Size, st.First); err != nil {
			return err
		}
	}
	if f.table.Shape.Literal != 0 {
		if err := f.w.M.Write64(s.Entry, st.Literal); err != nil {
			return err
		}
	}
	return f.w.M.Write32(s.Call, st.Second)
}

// Steps is the number of instructions executed since the last reset.
func (f *Executor) Steps() uint64 { return f.w.M.Steps }
