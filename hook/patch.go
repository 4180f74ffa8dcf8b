package hook

import (
	"fmt"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/internal/plural"
)

// A slot is an instruction of the entry code that ftrace patches.
func (x *executor) slot(label string) (addr uint64, ok bool) {
	addr, ok = x.im.Addr(label)
	return addr, ok && x.im.IsText(addr)
}

// word is the instruction in a slot.
func (x *executor) word(slot uint64) uint32 {
	w, err := x.w.M.Read32(slot)
	x.must(err)
	return w
}

// leaves compares the instruction in a slot with that which the hook must leave
// there.
func (x *executor) leaves(label string, slot uint64, want uint32) {
	if got := x.word(slot); got != want {
		x.diff("leaves `%s` at %s, `%s` was expected", a64.Text(got, slot, x.im.Name), label, a64.Text(want, slot, x.im.Name))
	}
}

// updateFunc executes ftrace_update_ftrace_func(func). Where the callback is called
// from a slot, it turns the slot into BL func, and returns 0 or the error of the
// writer. In other eras the core's callback is not called, and it returns 0.
func (x *executor) updateFunc() {
	slot, ok := x.slot(x.arch.CallSlot)
	callbacks := x.labels("ftrace_stub", "arch_ftrace_ops_list_func", "ftrace_ops_list_func", "function_trace_call")
	if !ok {
		x.in("", func() {
			for _, fn := range callbacks {
				if x.returns0(fn); len(x.diffs) > 0 {
					return
				}
			}
		})
		return
	}
	// The first and the last address in reach, and the neighbours.
	for _, off := range []int64{x.arch.Call.Min, x.arch.Call.Max, -a64.Size, a64.Size} {
		callbacks = append(callbacks, slot+uint64(off))
	}
	patched := func(fn uint64) {
		ret, ok := x.callInt(fn)
		if !ok {
			return
		}
		if ret != 0 {
			x.diff("returns %d for a callback in reach, 0 was expected", ret)
		}
		bl, err := a64.EncodeBL(slot, fn)
		x.must(err)
		x.leaves(x.arch.CallSlot, slot, bl)
		x.wroteOnly(slot)
	}
	x.in("", func() {
		for i := range 2 * len(callbacks) { // each twice
			if patched(callbacks[i/2]); len(x.diffs) > 0 {
				return
			}
		}
	})
	x.in(x.arch.CallSlot+" cannot be written", func() {
		before := x.word(slot)
		x.failing(x.arch.Patching.Write)
		if ret, ok := x.callInt(slot + 1<<20); ok && !isError(ret) {
			x.diff("returns %d, an error was expected", ret)
		}
		x.leaves(x.arch.CallSlot, slot, before)
	})
}

// graphSwitch executes ftrace_enable_ftrace_graph_caller() or its counterpart.
// Where the entry code has a slot for the graph tracer, it turns the NOP there into
// a branch to ftrace_graph_caller, or back. If another word stands there, it
// refuses. In other eras it returns 0.
func (x *executor) graphSwitch(on bool) {
	slot, ok := x.slot(x.arch.GraphSlot)
	if !ok {
		x.in("", func() { x.returns0() })
		return
	}
	caller, ok := x.slot("ftrace_graph_caller")
	if !ok {
		x.lacks("the image has no ftrace_graph_caller (FT101)")
		return
	}
	b, err := a64.EncodeB(slot, caller)
	x.must(err)
	from, to := uint32(a64.NOP), b
	other := "ftrace_disable_ftrace_graph_caller"
	if !on {
		from, to, other = b, a64.NOP, "ftrace_enable_ftrace_graph_caller"
	}
	set := func(w uint32) { x.must(x.w.M.Write32(slot, w)) }
	switched := func() {
		ret, ok := x.callInt()
		if !ok {
			return
		}
		if ret != 0 {
			x.diff("returns %d, 0 was expected", ret)
		}
		x.leaves(x.arch.GraphSlot, slot, to)
		x.wroteOnly(slot)
	}
	refused := func(stands uint32) {
		if ret, ok := x.callInt(); ok && !isError(ret) {
			x.diff("returns %d, an error was expected", ret)
		}
		x.leaves(x.arch.GraphSlot, slot, stands)
	}
	x.inBoth("", func() { set(from); switched() })
	if back, ok := x.slot(other); ok {
		x.inBoth("after "+other, func() {
			set(to)
			if _, ok := x.aside(back); ok && x.word(slot) == from { // otherwise the other one breaks its contract
				switched()
			}
		})
	}
	x.inBoth("called twice", func() { set(to); refused(to) })
	for _, bit := range []int{0, 12, 26, 31} {
		stands := from ^ 1<<bit
		x.in(fmt.Sprintf("`%s` stands at %s", a64.Text(stands, slot, x.im.Name), x.arch.GraphSlot), func() { set(stands); refused(stands) })
	}
	x.inBoth(x.arch.GraphSlot+" cannot be read", func() { set(from); x.failing(x.arch.Patching.Read); refused(from) })
	x.inBoth(x.arch.GraphSlot+" cannot be written", func() { set(from); x.failing(x.arch.Patching.Write); refused(from) })
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
		ret, err := x.w.M.Call(fn, data)
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
	sleeps := x.coreSleeps(core[0])
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
