package callsite

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"slices"

	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/world"
	"github.com/ftlint/ftlint/x64"
)

// This file is about the life of a callsite that is one CALL or a NOP of the same size:
// x86-64's. ftrace_make_nop() removes the compiler's call while the kernel boots, or a
// module is loaded; ftrace_make_call() turns a callsite on. Both check what stands there
// before they write. Neither is called for what is on: ftrace_replace_code() changes
// that, and ftrace_modify_call() refuses.

// An InsnStep is one of ftrace's functions, executed on such a callsite.
type InsnStep struct {
	Func     string
	Case     string // what is special about this call; "" if nothing is
	Returned int32
	Diffs    []string // what the function does, or returns, other than it must
}

// An InsnRun is the life of such a callsite, executed up to the first step that is wrong.
type InsnRun struct {
	Site   Site
	Steps  int         // that were executed
	States []InsnState // in which the callsite was left, in order; each change once
	Failed *InsnStep   // nil: none was wrong
	Err    error       // not nil: it could not be executed to the end
}

// An InsnState is a callsite behind a call that changes it.
type InsnState struct {
	Func      string // that was executed
	When      string // in which situation
	Got, Want []byte // instructions that stand there, and that must
}

// An InsnExecutor executes the life of such callsites.
type InsnExecutor struct {
	w    *world.World
	rec  uint64 // address of a struct dyn_ftrace: the first object of each world
	late uint64 // address of ftrace_poke_late; 0 if the image has none

	compiled, caller, regs uint64 // what callsites call: the compiler's function, and entry code

	run *InsnRun
	at  uint64 // address of the callsite
	mod uint64 // address of the struct module that it is in; 0: it is the kernel's own

	now      insnCall
	stood    int  // calls of stand-ins
	updated  int  // calls of ftrace_update_record()
	finished bool // text_poke_finish() was called
	bug      bool // ftrace_bug() was called
}

// An insnCall is a call of one of ftrace's functions. The function finds before at the
// callsite, must leave after there, and must return ret, unless that is void.
type insnCall struct {
	name, special string
	args          []uint64
	before, after []byte
	ret           int32
	unmapped      bool   // the callsite cannot be read: its text was freed
	empty         bool   // of ftrace_replace_code(): there are no records
	update        int32  // of ftrace_replace_code(): what the core has done with the callsite
	curr, next    uint64 // of ftrace_replace_code(): where the callsite calls, and where it is to call
	second        int32  // of ftrace_replace_code(): what the core has done with a second callsite, which is off
	alien         bool   // another instruction stands at the second callsite
}

const (
	void   = 1 // no function returns it
	efault = -14
	einval = -22
)

// alienCode is what ftrace writes to no callsite: five NOPs of one byte.
var alienCode = []byte{0x90, 0x90, 0x90, 0x90, 0x90}

// What ftrace_test_record() returns (include/linux/ftrace.h).
const (
	updateIgnore = iota
	updateMakeCall
	updateModifyCall
	updateMakeNop
)

// NewInsnExecutor makes an InsnExecutor of the functions of the table's image. The error
// is a *world.Lack if the image lacks one of them.
func NewInsnExecutor(t *Table) (*InsnExecutor, error) {
	x := &InsnExecutor{w: world.New(t.Image), rec: world.Heap}
	var made [2]uint64
	for _, f := range []struct {
		name string
		addr *uint64
	}{
		{"ftrace_make_call", &made[0]}, {"ftrace_make_nop", &made[1]},
		{"ftrace_caller", &x.caller}, {"ftrace_regs_caller", &x.regs}, {t.Shape.Tracer, &x.compiled},
	} {
		a, ok := t.Image.Addr(f.name)
		if !ok || !t.Image.IsText(a) {
			return nil, &world.Lack{What: "the image has no " + f.name}
		}
		*f.addr = a
	}
	x.late, _ = t.Image.Addr("ftrace_poke_late")
	_ = world.NewMemory(x.w) // its stand-ins copy from the callsite
	x.hookCore()
	return x, nil
}

// Run executes the life of a callsite of the kernel.
func (x *InsnExecutor) Run(site Site) (run InsnRun) {
	x.run, x.at, x.mod = &run, site.Call, 0
	run.Site = site
	x.life()
	return run
}

// RunInModule executes the life of a callsite of a module: with the module at the lowest
// addresses that it can have, and at the highest.
func (x *InsnExecutor) RunInModule(site Site) (run InsnRun) {
	x.run, x.mod = &run, moduleAt
	run.Site = site
	region := x.w.Image.Arch().Modules
	const pages = 2 * emu.PageSize // a callsite can lie over the border of two
	for _, page := range []uint64{region.Base + 16*emu.PageSize, region.End - pages} {
		x.at = page + site.Call%emu.PageSize
		if run.Failed == nil && run.Err == nil {
			x.life()
		}
	}
	return run
}

// life executes all calls, up to the first that goes wrong.
func (x *InsnExecutor) life() {
	compiled, caller, regs := x.compiled, x.caller, x.regs
	call := func(target uint64) []byte {
		code, _ := x64.EncodeCall(x.at, target)
		return code[:]
	}
	off, alien := x64.Nop5[:], alienCode
	other := slices.Clone(off)
	other[4] = 1 // another NOP, which differs in its last byte alone
	const makeCall, makeNop, modify, replace = "ftrace_make_call", "ftrace_make_nop", "ftrace_modify_call", "ftrace_replace_code"
	toCaller, toRegs, compiledOff := []uint64{x.rec, caller}, []uint64{x.rec, regs}, []uint64{x.mod, x.rec, compiled}
	on := []uint64{1}
	for _, c := range []insnCall{
		{name: makeNop, args: compiledOff, before: call(compiled), after: off},
		{name: makeCall, args: toCaller, before: off, after: call(caller)},
		{name: makeCall, special: "registers are asked for", args: toRegs, before: off, after: call(regs)},
		{name: makeCall, special: "another instruction stands there", args: toCaller, before: alien, after: alien, ret: einval},
		{name: makeCall, special: "another NOP stands there", args: toCaller, before: other, after: other, ret: einval},
		{name: makeNop, special: "another instruction stands there", args: compiledOff, before: alien, after: alien, ret: einval},
		{name: makeNop, special: "another function is called there", args: compiledOff, before: call(caller), after: call(caller), ret: einval},
		{name: makeCall, special: "the callsite cannot be read", args: toCaller, before: off, after: off, ret: efault, unmapped: true},
		{name: makeNop, special: "the callsite cannot be read", args: compiledOff, before: off, after: off, ret: efault, unmapped: true},
		{name: modify, args: []uint64{x.rec, caller, regs}, before: call(caller), after: call(caller), ret: einval},
		{name: makeNop, special: "it is asked to remove another call than the compiler's", args: []uint64{x.mod, x.rec, caller}, before: call(caller), after: call(caller), ret: einval},
		{name: replace, special: "there are no callsites", args: on, before: off, after: off, ret: void, empty: true, update: updateMakeCall, next: caller},
		{name: replace, special: "the callsite stays", args: on, before: off, after: off, ret: void, update: updateIgnore, next: caller},
		{name: replace, special: "the callsite is turned on", args: on, before: off, after: call(caller), ret: void, update: updateMakeCall, next: caller},
		{name: replace, special: "the callsite is to call another entry code", args: on, before: call(caller), after: call(regs), ret: void,
			update: updateModifyCall, curr: caller, next: regs},
		{name: replace, special: "the callsite is turned off", args: []uint64{0}, before: call(regs), after: off, ret: void, update: updateMakeNop, curr: regs},
		{name: replace, special: "another instruction stands where the callsite is turned on", args: on, before: alien, after: alien, ret: void,
			update: updateMakeCall, next: caller},
		{name: replace, special: "another function is called where the callsite is turned off", args: on, before: call(caller), after: call(caller), ret: void,
			update: updateMakeNop, curr: regs},
		{name: replace, special: "another function is called where the callsite is to call another entry code", args: on, before: call(compiled), after: call(compiled), ret: void,
			update: updateModifyCall, curr: caller, next: regs},
		{name: replace, special: "two callsites are turned on", args: on, before: off, after: call(caller), ret: void,
			update: updateMakeCall, next: caller, second: updateMakeCall},
		{name: replace, special: "another instruction stands at the second of two callsites that are turned on", args: on, before: off, after: off, ret: void,
			update: updateMakeCall, next: caller, second: updateMakeCall, alien: true},
	} {
		if fn, ok := x.w.Image.Lookup(c.name); !ok || fn.Bind == elf.STB_WEAK {
			continue // the core's own does not write
		}
		for _, second := range []bool{false, true} {
			late := second || c.ret == void // nobody changes callsites by ftrace_replace_code() while the kernel boots
			if late && x.late == 0 {
				continue
			}
			if second && x.stood%2 == 0 {
				x.w.FlipFlags() // each call of a stand-in leaves the other flags than in the first
			}
			if !x.step(c, late) {
				return
			}
		}
	}
}

// The core's iterator for the first record, which is rec, and the one for the second.
// They are the core's own: their lower halves are zero, so that a test of a part of the
// pointer takes them for NULL. The second callsite lies among the modules.
const (
	firstIter  = 0xffff_0001_0000_0000
	secondIter = 0xffff_0002_0000_0000
	secondRec  = world.Heap + 192
)

// moduleAt is the address of a struct module, of which moduleSize bytes hold what no
// function of a callsite's life may use.
const (
	moduleAt   = world.Heap + 2048
	moduleSize = 1024
)

// secondSite is the address of the second callsite.
func (x *InsnExecutor) secondSite() uint64 { return x.w.Image.Arch().Modules.Base + 64 }

// hookCore makes the stand-ins for what ftrace_replace_code() calls of the core. Each
// checks its arguments.
func (x *InsnExecutor) hookCore() {
	w := x.w
	want := func(name string, arg int, values ...uint64) {
		got := w.Arg(arg)
		if arg > 0 {
			got &= 0xffff_ffff // an int
		}
		if !slices.Contains(values, got) {
			w.Fault(w.Caller(), "calls %s() with %#x as argument %d, %#x was expected", name, got, arg+1, values[0])
		}
	}
	hook := func(f func(name string) uint64, names ...string) {
		w.Hook(func(name string) error { w.SetResult(f(name)); return nil }, names...)
	}
	// of is the value for rec, or the one for the second record.
	of := func(name string, first, second uint64) uint64 {
		want(name, 0, x.rec, secondRec)
		if w.Arg(0) == x.rec {
			return first
		}
		return second
	}
	hook(func(string) uint64 {
		if x.now.empty {
			return 0
		}
		return firstIter
	}, "ftrace_rec_iter_start")
	hook(func(name string) uint64 {
		want(name, 0, firstIter, secondIter)
		if w.Arg(0) == firstIter {
			return secondIter
		}
		return 0
	}, "ftrace_rec_iter_next")
	hook(func(name string) uint64 {
		want(name, 0, firstIter, secondIter)
		if w.Arg(0) == firstIter {
			return x.rec
		}
		return secondRec
	}, "ftrace_rec_iter_record")
	hook(func(name string) uint64 {
		want(name, 1, x.now.args[0])
		return anInt(of(name, uint64(x.now.update), uint64(x.now.second)))
	}, "ftrace_test_record")
	hook(func(name string) uint64 {
		want(name, 1, x.now.args[0])
		x.updated++
		return anInt(of(name, uint64(x.now.update), uint64(x.now.second)))
	}, "ftrace_update_record")
	hook(func(name string) uint64 { return of(name, x.now.curr, 0) }, "ftrace_get_addr_curr")
	hook(func(name string) uint64 { return of(name, x.now.next, x.now.next) }, "ftrace_get_addr_new")
	hook(func(name string) uint64 {
		rec := x.rec
		if x.now.alien {
			rec = secondRec
		}
		if got := int32(w.Arg(0)); got != einval || w.Arg(1) != rec {
			w.Fault(w.Caller(), "calls %s() with %d and %#x, %d and the record, %#x, were expected", name, got, w.Arg(1), einval, rec)
		}
		x.bug = true
		return 0
	}, "ftrace_bug")
	hook(func(string) uint64 { x.finished = true; return 0 }, "text_poke_finish", "smp_text_poke_batch_finish")
	w.AtCall = func(string) { x.stood++ }
}

// anInt is an int in a register, whose upper half has no meaning.
func anInt(v uint64) uint64 { return 0xc10b_0000_0000_0000 | v&0xffff_ffff }

// unmapped is an address where nothing is mapped.
const unmapped = 0xffff_0003_0000_0000

// queues are the functions that keep a change until the queue is finished.
var queues = map[string]bool{"text_poke_queue": true, "smp_text_poke_batch_add": true}

// step executes a call, while the kernel boots or later, when others may execute the
// callsite at the time. It reports whether all was as it must be.
func (x *InsnExecutor) step(c insnCall, late bool) bool {
	w, r := x.w, x.run
	fn, _ := w.Image.Addr(c.name)
	w.Reset()
	x.now, x.stood, x.updated, x.finished, x.bug = c, 0, 0, false, false
	w.Object(64) // at rec
	second := x.secondSite()
	w.Mem.Map(second, x64.CallSize, emu.Read|emu.Exec)
	err := errors.Join(w.Mem.Write64(secondRec+recIP, second), w.Mem.Write(second, x.secondCode(&c, false)))
	when, later, poke := "while the kernel boots", "after boot", uint32(0)
	if x.mod != 0 {
		page := x.at &^ (emu.PageSize - 1)
		when, later = fmt.Sprintf("while its module is loaded to %#x", page), fmt.Sprintf("when its module has been loaded to %#x", page)
		w.Mem.Map(page, 2*emu.PageSize, emu.Read|emu.Exec)
		err = errors.Join(err, w.Mem.Write(x.mod, world.Poison(x.mod, moduleSize, world.ObjectMark)))
	}
	ip := x.at
	if c.unmapped {
		ip = unmapped
	}
	err = errors.Join(err, w.Mem.Write64(x.rec+recIP, ip), w.Mem.Write(x.at, c.before))
	if late {
		when, poke = later, 1
	}
	if x.late != 0 {
		err = errors.Join(err, w.Mem.Write32(x.late, poke))
	}
	_ = w.Mem.Protect(world.Heap, emu.PageSize, emu.Read)
	if c.special != "" {
		when = c.special + ", " + when
	}
	got, returned := uint64(0), false
	if err == nil {
		got, returned, err = w.Execute(world.Subject{Name: c.name, Fn: fn, Args: c.args})
	}
	var stop *emu.Stop
	if errors.As(err, &stop) && stop.Reason == emu.StepLimit {
		r.Failed = &InsnStep{c.name, when, 0, []string{"does not come to an end"}}
		return false
	}
	if err != nil {
		r.Err = &FuncError{c.name, when, err}
		return false
	}
	r.Steps++
	x.keepState(&c)
	if diffs := x.compare(&c, late, int32(got), returned); len(diffs) > 0 {
		r.Failed = &InsnStep{c.name, when, int32(got), diffs}
		return false
	}
	return true
}

// keepState keeps what a call has left at the callsite, if that is a change that was not
// kept yet. Calls for two callsites show nothing more than those for one.
func (x *InsnExecutor) keepState(c *insnCall) {
	r := x.run
	if bytes.Equal(c.before, c.after) || c.second != updateIgnore {
		return
	}
	if n := len(r.States); n > 0 && r.States[n-1].Func == c.name && r.States[n-1].When == c.special {
		return // it was executed while the kernel boots, and now after boot
	}
	now := make([]byte, len(c.after))
	if x.w.Mem.Read(x.at, now) == nil {
		r.States = append(r.States, InsnState{c.name, c.special, now, c.after})
	}
}

// secondCode are the instructions at the second callsite, before the call or after.
func (x *InsnExecutor) secondCode(c *insnCall, after bool) []byte {
	switch {
	case c.alien:
		return alienCode
	case after && c.second == updateMakeCall:
		call, _ := x64.EncodeCall(x.secondSite(), c.next)
		return call[:]
	}
	return x64.Nop5[:]
}

// compare says what a call did other than it must.
func (x *InsnExecutor) compare(c *insnCall, late bool, got int32, returned bool) (diffs []string) {
	w := x.w
	diff := func(format string, args ...any) { diffs = append(diffs, fmt.Sprintf(format, args...)) }
	for _, f := range w.Faults {
		diff("%s", f.What)
	}
	leaves := func(which string, at uint64, want []byte) {
		now := make([]byte, len(want))
		text := func(code []byte) string { return x64.Text(code, at, w.Image.Name) }
		if err := w.Mem.Read(at, now); err != nil {
			diff("has %s be where nothing can be read: %v", which, err)
		} else if !bytes.Equal(now, want) {
			diff("leaves `%s` (% x) at %s, `%s` (% x) was expected", text(now), now, which, text(want), want)
		}
	}
	leaves("the callsite", x.at, c.after)
	leaves("the second callsite", x.secondSite(), x.secondCode(c, true))
	changes := !bytes.Equal(c.before, c.after)
	updates := 0 // calls of ftrace_update_record() that are due
	if changes {
		updates++
		if c.second != updateIgnore {
			updates++
		}
	}
	switch {
	case !returned: // a fault says why
	case c.ret != void && got != c.ret:
		diff("returns %d, %d was expected", got, c.ret)
	case c.ret == void && changes && x.updated != updates:
		diff("calls ftrace_update_record() %d times, it changes %s", x.updated, plural.Of(updates, "callsite"))
	case c.ret == void && changes && !x.finished:
		diff("does not call text_poke_finish(): the change stays in the queue")
	case c.ret == void && !changes && c.update != updateIgnore && !c.empty && !x.bug:
		diff("does not call ftrace_bug() for a callsite that it cannot change")
	case c.ret == void && !changes && x.updated > 0:
		diff("calls ftrace_update_record() for a callsite that it does not change")
	}
	for _, e := range w.Events {
		switch {
		case e.Kind == world.Trap && (c.ret == 0 || c.ret == void && changes):
			diff("warns at %s", w.Image.At(e.PC))
		case e.Kind == world.Patch && e.Addr != x.at && (e.Addr != x.secondSite() || c.second == updateIgnore):
			diff("writes to %s, outside the callsite", w.Image.At(e.Addr))
		case e.Kind == world.Patch && e.Size != uint64(len(c.after)):
			diff("writes %s at the callsite, which has %d", plural.Of(e.Size, "byte"), len(c.after))
		case e.Kind == world.Patch && !late && queues[e.Func] && x.late != 0:
			diff("calls %s() while the kernel boots, when nobody finishes the queue", e.Func)
		case e.Kind == world.Patch && late && e.Func == "text_poke_early":
			diff("calls text_poke_early(), which is for boot: another processor may execute the callsite meanwhile")
		}
	}
	return diffs
}
