// Package hook executes the functions by which the core of ftrace drives the
// architecture, and compares each with its contract: those that patch the entry
// code (ftrace_update_ftrace_func() and the graph tracer's switch), the one that
// the core has all callsites changed by, those that the graph tracer looks at a
// traced call with, and those that do nothing because the architecture needs
// nothing done.
//
// The functions that a callsite goes through in its life are in package callsite.
package hook

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"slices"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/world"
)

// A Hook is one function, executed in all situations that the core calls it in.
type Hook struct {
	Func       string
	Addr       uint64
	Situations int         // in which it was executed
	Failed     []Situation // of these, those in which it breaks its contract
	Lack       *world.Lack // not nil: it was not executed, because the image lacks something
	Err        error       // not nil: it could not be executed to the end, and there is no verdict
}

// A Situation is one in which a function breaks its contract.
type Situation struct {
	Text  string   // "the slot cannot be written"; "" for the ordinary one
	Diffs []string // what the function does, or returns, other than its contract
}

// maxSteps bounds the instructions of one call. No hook needs a hundredth.
const maxSteps = 1 << 16

// taskSize and taskInfo are the bytes of the task that the hooks can reach, and of
// thread_info at its start, which is zero.
const (
	taskSize = 16 << 10
	taskInfo = 128
)

// An executor executes hooks, one situation after another.
type executor struct {
	im      *elfscan.Image
	w       *world.World
	arch    *arch.Arch
	era     *arch.Era
	types   *callsite.Types
	task    []byte // before a call
	current []byte // a buffer to read the task after it
	hook    *Hook  // that runs
	diffs   []string
	ops     uint64 // addresses of objects that no hook may write to: a struct ftrace_ops,
	rec     uint64 // and a struct dyn_ftrace

	// shadowed reports whether instructions of KASAN look at memory that the kernel
	// maps when it boots.
	shadowed bool
	guarded  bool // the kernel is built with landing pads

	modify modifyAll
	enter  graphEnter
	lock   codeLock

	preempt uint64 // address of the number of reasons not to schedule; 0: it is in the task
}

// Run executes every hook of the image. sites are callsites of both kinds that the
// image has, with a landing pad and without.
func Run(t *callsite.Table, sites []callsite.Site, types *callsite.Types) []Hook {
	x := &executor{im: t.Image, w: world.New(t.Image), arch: t.Arch, era: t.Era, types: types}
	x.w.Mem.MaxSteps = maxSteps
	x.preempt, _ = x.w.PerCPU(t.Arch.Preempt)
	x.guarded = slices.ContainsFunc(sites, func(s callsite.Site) bool { return s.BTI })
	_, x.shadowed = x.im.Addr("kasan_early_init")
	x.w.AtCall = func(name string) {
		if diff := x.w.Unwinds(name); diff != "" {
			x.diff("%s", diff)
		}
	}
	x.task, x.current = world.Poison(world.Task, taskSize, world.TaskMark), make([]byte, taskSize)
	clear(x.task[:taskInfo])
	x.w.ClobberMakers()
	x.hookModify()
	x.hookEnter()
	x.hookLock()
	x.hookSchedule()
	var hooks []Hook
	whose := anybody
	run := func(name string, do func()) {
		fn, ok := x.im.Lookup(name)
		weak := fn.Bind == elf.STB_WEAK
		if !ok || !x.im.IsText(fn.Addr) || whose == theCore && !weak || whose == theArch && weak {
			return
		}
		hooks = append(hooks, Hook{Func: name, Addr: fn.Addr})
		x.hook = &hooks[len(hooks)-1]
		do()
	}
	run("ftrace_update_ftrace_func", x.updateFunc)
	run("arch_ftrace_update_code", x.updateCode)
	run("ftrace_enable_ftrace_graph_caller", func() { x.graphSwitch(true) })
	run("ftrace_disable_ftrace_graph_caller", func() { x.graphSwitch(false) })
	if len(sites) > 0 {
		if _, ok := x.im.Addr("ftrace_graph_func"); !ok { // otherwise nothing else calls it
			run("prepare_ftrace_return", func() { x.graphReturn(sites[0], false) })
		}
		run("ftrace_graph_func", func() { x.graphReturn(sites[0], true) })
		if x.era.Shape.SavesLR {
			run("arch_ftrace_get_symaddr", func() { x.symbolOf(sites) })
		}
	}
	for _, s := range stubs {
		whose = s.whose
		run(s.name, func() { x.stub(s) })
	}
	whose = theCore
	run(prepare, func() { x.bracket(postProcess) })
	run(postProcess, func() { x.bracket(prepare) })
	whose = theArch
	run("arch_ftrace_trampoline_func", x.trampolineFunc)
	if x.lock.late != 0 {
		run(prepare, x.opens)
		run(postProcess, x.closes)
	}
	return hooks
}

// Owner is whose a function is that counts: the core's own is weak.
type owner uint8

const (
	anybody owner = iota
	theCore
	theArch
)

// lacks notes that the hook cannot be executed.
func (x *executor) lacks(format string, args ...any) {
	x.hook.Lack = &world.Lack{What: fmt.Sprintf(format, args...)}
}

// diff notes that the hook breaks its contract.
func (x *executor) diff(format string, args ...any) {
	x.diffs = append(x.diffs, fmt.Sprintf(format, args...))
}

// must notes an error of an access by the executor itself. There is none in an
// image that has the hook.
func (x *executor) must(err error) {
	if err != nil && x.hook.Err == nil {
		x.hook.Err = err
	}
}

// in has body call the hook in a situation: a fresh world, with a task, an ops and
// a record that no hook may change.
func (x *executor) in(situation string, body func()) {
	if x.hook.Err != nil {
		return
	}
	w, m := x.w, x.w.Mem
	w.Reset()
	w.Guard(x.guarded)
	clear(w.Fail)
	x.lock.reset(true)
	x.must(m.Write(world.Task, x.task))
	x.ops, x.rec = w.Object(callsite.OpsSize), w.Object(64)
	x.must(m.Write(x.ops, world.Poison(x.ops, callsite.OpsSize+64, world.ObjectMark)))
	x.must(m.Protect(world.Heap, emu.PageSize, emu.Read))
	x.must(m.Protect(world.StackTop, emu.PageSize, emu.Read))
	x.diffs = nil
	body()
	if len(x.diffs) > 0 {
		x.hook.Failed = append(x.hook.Failed, Situation{situation, x.diffs})
	}
}

// inBoth is in, once with each of the condition flags that calls can leave.
func (x *executor) inBoth(situation string, body func()) {
	failed := len(x.hook.Failed)
	for range 2 {
		if x.in(situation, body); len(x.hook.Failed) > failed {
			return
		}
		x.w.FlipFlags()
	}
}

// call calls the hook. ok is false if it did not return.
func (x *executor) call(args ...uint64) (ret uint64, ok bool) {
	if x.hook.Err != nil {
		return 0, false
	}
	w, h := x.w, x.hook
	w.Events = w.Events[:0]
	h.Situations++
	held := x.lock.held
	count := x.count()
	ret, ok, err := w.Execute(world.Subject{Name: h.Func, Fn: h.Addr, Args: args})
	var stop *emu.Stop
	switch {
	case errors.As(err, &stop) && stop.Reason == emu.StepLimit:
		x.diff("does not come to an end: it runs for %s", plural.Of(maxSteps, "instruction"))
	case errors.As(err, &stop) && stop.Reason == emu.Unmapped && stop.Access != emu.Exec && !x.shadowed:
		x.diff("uses an address where nothing is: %v", err)
	case err != nil:
		h.Err = err
	}
	for _, f := range w.Faults {
		x.diff("%s", f.What)
	}
	if !ok || err != nil {
		return 0, false
	}
	if past := x.ranPast(); past != 0 {
		x.diff("runs past its end, into %s", x.im.At(past))
		return 0, false
	}
	if x.must(w.Mem.Read(world.Task, x.current)); !bytes.Equal(x.current, x.task) {
		i := 0
		for x.current[i] == x.task[i] {
			i++
		}
		x.diff("leaves the task changed (+%#x)", i&^3)
	}
	if now := x.count(); now != count {
		x.diff("leaves the number of reasons not to schedule at %#x, it was %#x", now, count)
	}
	if x.lock.held != held && !x.lock.changes {
		x.diff("leaves %s %s, as it was not when it was called", x.arch.Patching.Lock, x.lock.state())
	}
	return ret, true
}

// aside calls another function of the image, which is not judged here.
func (x *executor) aside(fn uint64, args ...uint64) (ret uint64, ok bool) {
	diffs := x.diffs
	ret, ok, err := x.w.Execute(world.Subject{Fn: fn, Args: args})
	x.diffs = diffs
	return ret, ok && err == nil
}

// ranPast is the address behind the hook if execution went on there from the
// hook's last instruction; 0 if it did not.
func (x *executor) ranPast() uint64 {
	s, ok := x.im.SymbolAt(x.hook.Addr)
	trail := x.w.Mem.Trail()
	for i, j := range trail {
		if inside := ok && s.Size > 0 && s.Addr <= j.To && j.To < s.End(); !inside || i+1 == len(trail) {
			continue
		}
		if last := trail[i+1].From; last >= s.End() {
			return s.End()
		}
	}
	return 0
}

// callInt is call of a hook that returns an int.
func (x *executor) callInt(args ...uint64) (ret int32, ok bool) {
	v, ok := x.call(args...)
	return int32(v), ok
}

// returns0 calls a hook that must return 0 and do nothing else.
func (x *executor) returns0(args ...uint64) {
	if ret, ok := x.callInt(args...); ok && ret != 0 {
		x.diff("returns %d, 0 was expected", ret)
	}
	x.wroteNothing()
}

// isError reports whether a function returned an error number of the kernel.
func isError(ret int32) bool { return -4095 <= ret && ret < 0 }

// failing has all functions of the patching interface of that kind fail.
func (x *executor) failing(names []string) {
	x.w.Fail = map[string]int{}
	for _, name := range names {
		x.w.Fail[name] = world.FailAll
	}
}

// wroteNothing notes what the hook wrote by the patching interface, and traps.
func (x *executor) wroteNothing() { x.wroteOnly() }

// wroteOnly is wroteNothing, but the instructions in the slots may be written.
func (x *executor) wroteOnly(slots ...uint64) {
	for _, e := range x.w.Events {
		switch {
		case e.Kind == world.Trap:
			x.diff("warns (%s at %s)", e.InWords(x.im), x.im.At(e.PC))
		case e.Kind == world.PatchLiteral, e.Kind == world.Patch && (!slices.Contains(slots, e.Addr) || e.Size != x.arch.CallSize):
			x.diff("writes %#x to %s", e.Value, x.im.At(e.Addr))
		case e.Kind == world.Patch && slices.Contains(x.arch.Patching.Early, e.Func):
			x.diff("writes to %s by %s(), which is not for code that other processors may execute", x.im.At(e.Addr), e.Func)
		}
	}
}

// labels are the addresses of those of the names that are text of the image.
func (x *executor) labels(names ...string) (addrs []uint64) {
	for _, name := range names {
		if a, ok := x.im.Addr(name); ok && x.im.IsText(a) && !slices.Contains(addrs, a) {
			addrs = append(addrs, a)
		}
	}
	return addrs
}
