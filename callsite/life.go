package callsite

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/world"
)

// SavedLR is the register in which a callsite saves LR before its BL
// overwrites it: MOV X9, LR ("arm64: implement ftrace with regs").
const SavedLR = 9

// A State are the words of a callsite that ftrace writes.
type State struct {
	First, Second uint32 // the two words in the function
	Literal       uint64 // the pointer before the function, in era callops
}

// A Step is one of ftrace's functions, executed on a callsite.
type Step struct {
	Func     string
	Case     string // what is special about this call: "the callsite cannot be read"
	Returned int64
	Want     State // by the model
	Got      State
	Wrong    bool     // Got is not Want, or Returned is not a value that is allowed
	WantRet  string   // the values that are allowed, in words
	Diffs    []string // other things that the function does and must not
	Died     bool     // the function did not return, because of the last of Diffs
	OK       bool     // neither Wrong nor Diffs
	Events   []world.Event
}

// A Run is the life cycle of one callsite, executed.
type Run struct {
	Site  Site
	Steps []Step
	Err   error // not nil: it could not be executed to the end, and the verdict is inconclusive
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
// one of the functions, or for a reason that is not a function's.
func (r *Run) KeptFrom(funcs []string) bool {
	var e *FuncError
	return r.Err != nil && (!errors.As(r.Err, &e) || slices.Contains(funcs, e.Func))
}

// Failed is the first step that is not OK, nil if there is none.
func (r *Run) Failed() *Step {
	for i := range r.Steps {
		if !r.Steps[i].OK {
			return &r.Steps[i]
		}
	}
	return nil
}

// An Executor executes ftrace's functions on callsites. It is not for concurrent
// use.
type Executor struct {
	w     *world.World
	table *Table
	fn    functions
	ops   opsAddrs
	rec   uint64                     // address of a struct dyn_ftrace
	saved int                        // number of a register; see SavedRegister
	mod   modulePointers             // zero if the callsite is in the image
	aim   func(target uint64) uint64 // where the callsite's BL must go to reach target; nil: to target
	plt   uint64                     // size of one PLT entry of a module, in bytes

	task task
	now  currentCall
	left bool // the last run ended early, and may have left its callsite enabled
}

// functions are the addresses of the kernel's functions. An address is 0 if the
// image has no such function.
type functions struct {
	adjust, initNop, makeCall, modifyCall, makeNop uint64
	genBranch                                      uint64
	caller, regsCaller                             uint64 // entry code
}

// opsAddrs are the addresses of ftrace_ops in era callops.
type opsAddrs struct {
	nop, list uint64 // the core's
	fake      uint64 // a tracer's
	unique    uint64 // the result of ftrace_find_unique_ops()
}

// A task is the memory of the task that runs.
type task struct {
	thread, info [taskInfo]byte // thread_info before a call, and a buffer to read it after the call
	rest         []byte         // all of the task, before a call
}

// A currentCall is the state of the call that runs.
type currentCall struct {
	at      uint64 // address of the callsite
	died    bool   // the call did not return
	asked   bool   // it has called ___ratelimit()
	mayWarn int32  // the result of ___ratelimit()
}

// Offsets in struct dyn_ftrace, the same in every kernel with ftrace on arm64.
const (
	recIP    = 0
	recFlags = 8
)

// allFlags are all bits of dyn_ftrace.flags but those of the reference count. The
// callsite then counts as one with a unique ops.
const allFlags = 0xfff8_0000

// OpsSize is the room for a struct ftrace_ops, in bytes. No kernel's is as large.
const OpsSize = 1024

// NewExecutor makes an Executor of the functions of the table's image. The error
// is a *world.Lack if the image lacks a function or an ops.
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
	case t.Shape.Size != 0:
		return nil, &world.Lack{What: "callsites of one instruction are executed in the kernel, not in modules"}
	case f.fn.makeCall == 0 || f.fn.makeNop == 0:
		return nil, &world.Lack{What: "the image has no ftrace_make_call and ftrace_make_nop"}
	case f.fn.caller == 0:
		return nil, &world.Lack{What: "the image has no ftrace_caller"}
	case t.Shape.Literal != 0 && (f.ops.nop == 0 || f.ops.list == 0):
		return nil, &world.Lack{What: "the image has no ftrace_nop_ops and ftrace_list_ops"}
	}
	// These functions find something for the right argument alone.
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

// SavedRegister executes ftrace_init_nop() on the callsite at entry. reg is the
// number of the register in which the callsite then saves LR; further runs expect
// that register. ok is false if ftrace_init_nop() writes no MOV Xn, LR; further
// runs then expect SavedLR.
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

// Fork is an Executor like f with a world of its own, for another goroutine.
func (f *Executor) Fork() *Executor {
	g, _ := NewExecutor(f.table)
	g.saved = f.saved
	return g
}

// reset brings back the image and makes a task, a record and an ops. Every word
// of the task differs, so that a stack protector that reads one word and checks
// another is noticed. The functions must not write to the record and to the stack
// of their caller.
func (f *Executor) reset() {
	f.w.Reset()
	m := f.w.M
	_ = m.Write(world.Task, f.task.rest) // mapped by Reset, like the pages below
	f.rec = f.w.Object(64)
	f.ops.fake = f.w.Object(OpsSize)
	f.ops.unique = f.ops.fake
	// A function that patches callsites may have one itself, which is enabled then.
	if stub, ok := f.table.Image.Addr("ftrace_stub"); ok {
		_ = m.Write64(f.ops.fake, stub) // func is the first member
	}
	f.mod, f.now.mayWarn, f.task.thread, f.left = modulePointers{}, 1, [taskInfo]byte{}, false
	clear(f.w.Fail)
	_ = m.Watch(world.Task, uint64(len(f.task.rest)))
	_ = m.Protect(world.Heap, emu.PageSize, emu.Read)
	_ = m.Protect(world.StackTop, emu.PageSize, emu.Read)
}

// taskInfo bounds the size of thread_info at the start of a task, in bytes. Its
// flags and its preemption count must not change.
const taskInfo = 128

// atCall judges a call of a stand-in: a stack trace from there must come back to
// the caller, and a message must be one that can be printed.
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
			f.diff("calls ___ratelimit with a wrong argument: %s", bad)
		}
	case name == "preempt_schedule" && f.task.thread != [taskInfo]byte{}:
		f.diff("calls preempt_schedule although preemption is off")
	}
}

// onWrite judges a store to the task. Members other than thread_info are not for
// ftrace's functions to write.
func (f *Executor) onWrite(pc, addr uint64, _ int, value uint64) {
	if addr-world.Task >= taskInfo {
		f.diff("stores %#x into the task (+%#x) at %s", value, addr-world.Task, f.w.Image.At(pc))
	}
}

// diff notes something that the function that runs does and must not.
func (f *Executor) diff(format string, args ...any) { f.w.Fault(f.w.PC(), format, args...) }

// call calls one of the functions. diffs say what it does that no function may,
// and what it does wrong with the task or with a rate limit.
func (f *Executor) call(name string, fn uint64, args ...uint64) (ret uint64, diffs []string, err error) {
	f.now.asked = false
	mark := len(f.w.Events)
	ret, returned, err := f.w.Execute(world.Subject{Name: name, Fn: fn, Args: args})
	var stop *emu.Stop
	switch {
	case errors.As(err, &stop) && stop.Reason == emu.StepLimit: // none needs a thousandth
		f.diff("does not come to an end: it runs for %s", plural.Of(f.w.M.MaxSteps, "instruction"))
	case err != nil && strings.HasPrefix(name, "module_"): // the loader was given all of the module
		proof := f.w.Astray(err)
		if proof == "" {
			return 0, nil, err
		}
		f.diff("%s", proof)
	case err != nil:
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

// model is the state of a callsite that calls entry, by the model. If entry is 0,
// the callsite calls nothing. ops is the literal, in era callops.
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

// An outcome is a result that a function may have.
type outcome struct {
	text   string  // the values that it may return, in words
	codes  []int64 // the same values
	warns  bool    // it may WARN(), as every function that refuses may
	orNull bool    // it may write an ops literal of 0, as it may trust the core
}

// The results of the functions are specified at ftrace_make_nop() in
// include/linux/ftrace.h: 0; -EFAULT if the callsite cannot be read; -EINVAL if
// another word stands there; -EPERM if it cannot be written. The core prints a
// message for each. A function may also return the error of the writer, which is
// -ERANGE here.
var (
	success     = outcome{text: "0", codes: []int64{0}}
	refusal     = outcome{text: "-22 (-EINVAL)", codes: []int64{-22}}
	cannotRead  = outcome{text: "-14 (-EFAULT)", codes: []int64{-14}}
	cannotWrite = outcome{text: "-1 (-EPERM)", codes: []int64{-1, -34}}
)

// step calls fn on the callsite and compares the result with the model. It reports
// whether they are the same: if not, the run ends there.
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

// must notes an error of an access by the executor itself. There is none unless a
// callsite is not in text.
func (r *Run) must(err error) {
	if err != nil && r.Err == nil {
		r.Err = err
	}
}

// Run executes the life of the callsite at entry: ftrace_call_adjust(),
// ftrace_init_nop(), ftrace_make_call(), ftrace_modify_call(), ftrace_make_nop(),
// and calls that must refuse because another word stands there. It stops at the
// first step that is not OK.
func (f *Executor) Run(entry uint64) Run {
	if f.left || f.w.M.Touched() > world.MaxPages/4 { // by earlier runs
		f.reset()
	}
	r := Run{Site: f.table.Site(entry), Steps: make([]Step, 0, 8)}
	f.w.Events = f.w.Events[:0]
	f.adjusts(&r, entry, r.Site.Call, "")
	if r.good() {
		f.life(&r, "")
	}
	f.left = !r.good()
	return r
}

// Traces reports whether the runs until now have executed the function of the callsite
// itself. Some kernels trace the functions that patch text.
func (f *Executor) Traces(s Site) bool { return f.w.M.Executed(s.Call + a64.Size) }

// good reports whether nothing was wrong so far.
func (r *Run) good() bool {
	return r.Err == nil && (len(r.Steps) == 0 || r.Steps[len(r.Steps)-1].OK)
}

// adjusts executes ftrace_call_adjust(), if the image has it. It must return want.
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
	st := Step{Func: "ftrace_call_adjust", Case: special, Returned: int64(ip), Diffs: diffs, Died: f.now.died,
		Wrong: ip != want, OK: ip == want && len(diffs) == 0}
	if !st.OK {
		st.WantRet = fmt.Sprintf("%#x", want)
	}
	r.Steps = append(r.Steps, st)
}

// bl is the BL of the callsite that reaches target, directly or by a PLT entry.
func (f *Executor) bl(s Site, target uint64) uint32 {
	if f.aim != nil {
		target = f.aim(target)
	}
	w, _ := a64.EncodeBL(s.Call, target)
	return w
}

// life executes the steps after ftrace_call_adjust().
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
		ok = f.step(r, "ftrace_make_nop", special, f.fn.makeNop, f.model(s, 0, f.ops.nop), success, notLoading, f.rec, enabled)
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
		// The literal is written before the words are checked, which is allowed.
		r.must(m.Write64(f.rec+recFlags, 0))
		want.Literal = f.ops.list
	}
	if f.step(r, "ftrace_make_call", special, f.fn.makeCall, want, refusal, f.rec, f.fn.caller) {
		if f.table.Shape.Literal != 0 {
			want.Literal = f.ops.nop
		}
		f.step(r, "ftrace_make_nop", special, f.fn.makeNop, want, refusal, notLoading, f.rec, f.fn.caller)
	}
	r.must(m.Write32(s.Call, a64.NOP))
}

// initByMakeNop stands for ftrace_init_nop() in kernels without one, whose core
// calls ftrace_make_nop() with the address of _mcount.
func (f *Executor) initByMakeNop(r *Run, special string) bool {
	mcount, ok := f.w.Image.Addr("_mcount")
	if !ok {
		return true // the callsite stays as it is built
	}
	return f.step(r, "ftrace_make_nop", special, f.fn.makeNop, f.model(r.Site, 0, f.ops.nop), success, f.mod.given, f.rec, mcount)
}

// A Border is the kernel's check of BL's range at one distance, executed by
// ftrace_make_call() or by the maker of branches.
type Border struct {
	Func      string
	Distance  int64 // from the BL to the target, in bytes
	Reachable bool  // BL can encode it
	Returned  int64
	Got       uint32 // the word at the callsite afterwards, or the word that was made
	Calls     bool   // the callsite calls the target afterwards
	Enabled   bool   // the callsite calls ftrace_caller afterwards, which is not the target
	Kept      bool   // the callsite is as before
	Routed    bool   // the callsite must call ftrace_caller: see routes
	OK        bool
	Diffs     []string // other things that the function does and must not
	Err       error    // not nil: no verdict
}

// routes reports whether a callsite must call ftrace_caller if a direct trampoline
// is out of reach: ftrace_caller finds the trampoline by ops->direct_call ("arm64:
// ftrace: Add direct call support", which adds both).
func (f *Executor) routes() bool {
	_, ok := f.w.Image.Addr("ftrace_caller_direct")
	return ok && f.table.Shape.Literal != 0
}

// breakFault is AARCH64_BREAK_FAULT, BRK #0x100.
const breakFault = 0xd420_2000

// BorderDistances are the distances at which a check of BL's range goes wrong.
var BorderDistances = []int64{-128<<20 - 4, -128 << 20, 0, 128<<20 - 4, 128 << 20}

// Borders executes ftrace_make_call() on the callsite with targets at the
// borders of BL's range, and aarch64_insn_gen_branch_imm() for them.
func (f *Executor) Borders(entry uint64) []Border {
	s := f.table.Site(entry)
	var out []Border
	for _, d := range BorderDistances {
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
		b.Calls, b.Enabled, b.Kept = b.Reachable && b.Got == bl, b.Got == own && bl != own, b.Got == blank.Second
		switch {
		case err != nil:
			b.Err = err
		case b.Reachable:
			b.OK = b.Returned == 0 && b.Calls
		case b.Returned == 0 && b.Got == own:
			b.OK = true // the entry code reaches the target by ops->direct_call
		default:
			b.Routed = f.routes()
			b.OK = !b.Routed && b.Returned != 0 && b.Kept
		}
		b.OK = b.OK && len(diffs) == 0
		out = append(out, b)
	}
	f.reset()
	// The maker of branches must return AARCH64_BREAK_FAULT for a target out of
	// reach.
	for _, d := range append([]int64{-4096, 4, 4096}, BorderDistances...) {
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

// write writes the words of a callsite.
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
