package hook

import (
	"bytes"
	"fmt"

	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/internal/plural"
)

// A slot is an instruction of the entry code that ftrace patches.
type slot struct {
	label string
	addr  uint64
}

// slots are those of the labels that the entry code has.
func (x *executor) slots(labels ...string) (out []slot) {
	for _, label := range labels {
		if a, ok := x.im.Addr(label); ok && x.im.IsText(a) {
			out = append(out, slot{label, a})
		}
	}
	return out
}

// code is the instruction in a slot.
func (x *executor) code(s slot) []byte {
	code := make([]byte, x.arch.CallSize)
	x.must(x.w.Mem.Read(s.addr, code))
	return code
}

// text is an instruction in a slot in words.
func (x *executor) text(s slot, code []byte) string {
	text, _ := x.arch.Text(code, s.addr, x.im.Name)
	return text
}

// leaves compares the instruction in a slot with that which the hook must leave
// there.
func (x *executor) leaves(s slot, want []byte) {
	if got := x.code(s); !bytes.Equal(got, want) {
		x.diff("leaves `%s` at %s, `%s` was expected", x.text(s, got), s.label, x.text(s, want))
	}
}

// updateFunc executes ftrace_update_ftrace_func(func). Where the callback is called
// from slots, it turns each into a call of func, and returns 0 or the error of the
// writer. In other eras the core's callback is not called, and it returns 0.
func (x *executor) updateFunc() {
	slots := x.slots(x.arch.CallSlots...)
	callbacks := x.labels("ftrace_stub", "arch_ftrace_ops_list_func", "ftrace_ops_list_func", "function_trace_call")
	if len(slots) == 0 {
		x.in("", func() {
			for _, fn := range callbacks {
				if x.returns0(fn); len(x.diffs) > 0 {
					return
				}
			}
		})
		return
	}
	first, last := slots[0].addr, slots[0].addr
	var addrs []uint64
	for _, s := range slots {
		first, last = min(first, s.addr), max(last, s.addr)
		addrs = append(addrs, s.addr)
	}
	// The first and the last address that all slots reach, and the neighbours.
	callbacks = append(callbacks, last+uint64(x.arch.Call.Min), first+uint64(x.arch.Call.Max), first-x.arch.InsnSize, last+x.arch.InsnSize)
	patched := func(fn uint64) {
		ret, ok := x.callInt(fn)
		if !ok {
			return
		}
		if ret != 0 {
			x.diff("returns %d for a callback in reach, 0 was expected", ret)
		}
		for _, s := range slots {
			call, ok := x.arch.EncodeCall(s.addr, fn)
			if !ok {
				x.must(fmt.Errorf("%s is out of reach of %s", x.im.At(fn), s.label))
			}
			x.leaves(s, call)
		}
		x.wroteOnly(addrs...)
	}
	x.in("", func() {
		for i := range 2 * len(callbacks) { // each twice
			if patched(callbacks[i/2]); len(x.diffs) > 0 {
				return
			}
		}
	})
	if len(x.arch.Patching.Write) == 0 {
		return // what writes cannot fail
	}
	x.in(slots[0].label+" cannot be written", func() {
		before := x.code(slots[0])
		x.failing(x.arch.Patching.Write)
		if ret, ok := x.callInt(slots[0].addr + 1<<20); ok && !isError(ret) {
			x.diff("returns %d, an error was expected", ret)
		}
		x.leaves(slots[0], before)
	})
}

// A graphSlot is the slot of the graph tracer, and the instructions that
// one of the two switches finds and leaves there.
type graphSlot struct {
	slot
	from, to []byte
	other    string // the other switch
}

// graphSwitch executes ftrace_enable_ftrace_graph_caller() or its counterpart.
// Where the entry code has a slot for the graph tracer, it turns what is there into
// a branch to ftrace_graph_caller, or back. In other eras it returns 0.
func (x *executor) graphSwitch(on bool) {
	slots := x.slots(x.arch.GraphSlot)
	if len(slots) == 0 {
		x.in("", func() { x.returns0() })
		return
	}
	s := slots[0]
	off := x.arch.Nop
	if x.arch.GraphOff != "" {
		if stub := x.labels(x.arch.GraphOff); len(stub) > 0 {
			off, _ = x.arch.EncodeJump(s.addr, stub[0])
		}
	}
	caller := x.labels("ftrace_graph_caller")
	if len(caller) == 0 {
		x.lacks("the image has no ftrace_graph_caller (FT101)")
		return
	}
	jump, _ := x.arch.EncodeJump(s.addr, caller[0])
	if on {
		x.switches(graphSlot{s, off, jump, "ftrace_disable_ftrace_graph_caller"})
	} else {
		x.switches(graphSlot{s, jump, off, "ftrace_enable_ftrace_graph_caller"})
	}
}

// switches executes one of the two. Where the architecture looks at what is in the slot
// first, and something else is there, or cannot be read, it refuses.
func (x *executor) switches(g graphSlot) {
	set := func(code []byte) { x.must(x.w.Mem.Write(g.addr, code)) }
	switched := func() {
		ret, ok := x.callInt()
		if !ok {
			return
		}
		if ret != 0 {
			x.diff("returns %d, 0 was expected", ret)
		}
		x.leaves(g.slot, g.to)
		x.wroteOnly(g.addr)
	}
	refused := func(stands []byte) {
		if ret, ok := x.callInt(); ok && !isError(ret) {
			x.diff("returns %d, an error was expected", ret)
		}
		x.leaves(g.slot, stands)
	}
	x.inBoth("", func() { set(g.from); switched() })
	if back := x.labels(g.other); len(back) > 0 {
		x.inBoth("after "+g.other, func() {
			set(g.to)
			if _, ok := x.aside(back[0]); ok && bytes.Equal(x.code(g.slot), g.from) { // otherwise the other one breaks its contract
				switched()
			}
		})
	}
	if x.arch.GraphOff != "" {
		x.inBoth("called twice", func() { set(g.to); switched() })
		return
	}
	x.inBoth("called twice", func() { set(g.to); refused(g.to) })
	for _, bit := range []int{0, 12, 26, 31} {
		stands := bytes.Clone(g.from)
		stands[bit/8] ^= 1 << (bit % 8)
		x.in(fmt.Sprintf("`%s` stands at %s", x.text(g.slot, stands), g.label), func() { set(stands); refused(stands) })
	}
	x.inBoth(g.label+" cannot be read", func() { set(g.from); x.failing(x.arch.Patching.Read); refused(g.from) })
	x.inBoth(g.label+" cannot be written", func() { set(g.from); x.failing(x.arch.Patching.Write); refused(g.from) })
}

// modifyAll is what a hook has the core do to all callsites.
type modifyAll struct {
	commands []uint32 // arguments of ftrace_modify_all_code()
	stopped  int      // of the calls, those with all other processors stopped
	stopping bool
	real     bool    // the core's function itself is executed
	mods     []int32 // arguments of ftrace_replace_code()
}

// hookModify makes the stand-ins for what arch_ftrace_update_code() calls.
func (x *executor) hookModify() {
	x.w.Hook(func(string) error {
		if x.modify.real {
			return emu.ErrProceed
		}
		x.modify.commands = append(x.modify.commands, uint32(x.w.Arg(0)))
		if x.modify.stopping {
			x.modify.stopped++
		}
		return nil
	}, "ftrace_modify_all_code")
	x.w.Hook(func(string) error {
		x.modify.mods = append(x.modify.mods, int32(x.w.Arg(0)))
		return nil
	}, "ftrace_replace_code")
	x.w.Hook(func(string) error { // fn, data, cpus
		fn, data := x.w.Arg(0), x.w.Arg(1)
		x.modify.stopping = true
		ret, err := x.w.Nested(fn, data)
		x.modify.stopping = false
		x.w.SetInt(int32(ret))
		return err
	}, "stop_machine", "stop_machine_cpuslocked")
}

// maySleep is FTRACE_MAY_SLEEP (include/linux/ftrace.h), a bit of commands since
// "ftrace: Allow ftrace_replace_code() to be schedulable".
const maySleep = 1 << 5

// updateCode executes arch_ftrace_update_code(command), which passes the command to
// ftrace_modify_all_code(): as it is, with all other processors stopped, or with
// FTRACE_MAY_SLEEP, if the core knows that. Otherwise the core changes 40,000
// callsites without a pause.
func (x *executor) updateCode() {
	core := x.labels("ftrace_modify_all_code")
	if len(core) == 0 {
		x.lacks("the image has no ftrace_modify_all_code")
		return
	}
	sleeps := x.arch.Patching.Sleeps && x.coreSleeps(core[0])
	x.in("", func() {
		for command := range uint32(maySleep << 1) {
			x.modify = modifyAll{}
			if _, ok := x.call(0xfee1_dead<<32 | uint64(command)); !ok {
				return
			}
			x.wroteNothing()
			want := command
			if sleeps && x.modify.stopped == 0 {
				want |= maySleep
			}
			switch got := x.modify.commands; {
			case len(got) != 1:
				x.diff("calls ftrace_modify_all_code %s for command %#x, once was expected", plural.Of(len(got), "time"), command)
			case got[0] != want:
				x.diff("passes command %#x to ftrace_modify_all_code for %#x, %#x was expected%s", got[0], command, want, sleepText(want, got[0]))
			}
			if len(x.diffs) > 0 {
				return
			}
		}
	})
}

func sleepText(want, got uint32) string {
	if want^got == maySleep && got < want {
		return " (with FTRACE_MAY_SLEEP: arm64 patches while the kernel runs)"
	}
	return ""
}

// coreSleeps reports whether the core's function at fn heeds FTRACE_MAY_SLEEP: it
// then tells ftrace_replace_code(). A core that cannot be executed does not count:
// it is not the hook that runs.
func (x *executor) coreSleeps(fn uint64) (sleeps bool) {
	x.in("", func() {
		x.modify = modifyAll{real: true}
		const updateCalls = 1
		for _, command := range []uint64{updateCalls, updateCalls | maySleep} {
			if _, ok := x.aside(fn, command); !ok {
				return
			}
		}
		mods := x.modify.mods
		sleeps = len(mods) == 2 && mods[0] != mods[1]
	})
	return sleeps
}
