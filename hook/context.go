package hook

import (
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/world"
)

// This file is about hooks that take a lock against recursion, by a bit of the task for
// each context (ftrace_test_recursion_trylock()), on architectures whose processors
// count reasons not to schedule in a variable: the context is in that number.

// contexts are the contexts of a traced call, the outermost first, with what they add to
// that number (include/linux/preempt.h).
var contexts = []struct {
	name string
	adds uint32
}{{"a task", 0}, {"a softirq", 0x100}, {"an interrupt", 0x1_0000}, {"an NMI", 0x10_0000}}

// hookSchedule makes the stand-in for what lets another task run.
func (x *executor) hookSchedule() {
	x.w.Hook(func(string) error {
		x.enter.scheduled++
		x.w.SetResult(0)
		return nil
	}, "__SCT__preempt_schedule_notrace", "preempt_schedule_notrace_thunk", "preempt_schedule_notrace")
}

// contexts executes the hook in each context. locked has x.task say which bits of
// trace_recursion are set.
func (g *graphCall) contexts(locked func(bits uint64)) {
	x := g.x
	if x.preempt == 0 || !x.types.HasRecursion {
		return
	}
	const one = 1 // preemption is off where entry code runs
	calls := func(text string, count uint32, bits uint64, judge func(lr uint64)) {
		locked(bits)
		x.in(text, func() {
			x.must(x.w.Mem.Write32(x.preempt, count))
			x.enter.returns = 0
			if lr, ok := g.call(); ok {
				judge(lr)
			}
		})
	}
	once := func(text string, count uint32, bits uint64) (taken uint64) {
		calls(text, count, bits, func(lr uint64) {
			if g.consistent(lr); len(x.enter.calls) == 1 {
				taken = x.enter.calls[0].locked
			}
		})
		return taken
	}
	var outer, own uint64 // the bits that outer contexts have taken, and that of the innermost
	for i, c := range contexts {
		own = once("the call is that of "+c.name, one+c.adds, 0)
		if own == 0 {
			return // a hook without a lock
		}
		if i > 0 && own&outer != 0 {
			x.in("the call is that of "+c.name, func() {
				x.diff("takes the bit of %s, %#x of trace_recursion, as its lock: its calls are not recorded where it interrupts that", contexts[i-1].name, own)
			})
			return
		}
		calls("the call is that of "+c.name+" that has interrupted another", one+c.adds, outer, func(lr uint64) {
			if g.consistent(lr); len(x.enter.calls) != 1 {
				x.diff("calls function_graph_enter %s, though its context has not taken the lock", plural.Of(len(x.enter.calls), "time"))
			}
		})
		outer |= own
	}
	// An interrupt between two contexts may find the lock taken once, though it is not.
	for level, taken := range []string{"once", "twice"} {
		further := once("the lock of the context has been taken "+taken, one+contexts[len(contexts)-1].adds, own)
		if further == 0 {
			break // refused
		}
		if level == 1 || further == own {
			x.in("the lock of the context has been taken "+taken, func() { x.diff("calls function_graph_enter all the same") })
			break
		}
		own = further
	}
	if len(x.labels("preempt_schedule_notrace")) > 0 {
		calls("another task is due", 0, 0, func(uint64) {
			if len(x.enter.calls) == 1 && x.enter.calls[0].count != 0 && x.enter.scheduled == 0 {
				x.diff("enables preemption, and does not let the task run that is due")
			}
		})
	}
}

// count is the number of reasons not to schedule, 0 if that is in the task.
func (x *executor) count() uint32 {
	if x.preempt == 0 {
		return 0
	}
	v, err := x.w.Mem.Read32(x.preempt)
	x.must(err)
	return v
}

// recursion is trace_recursion of the task, 0 if its offset is not known.
func (x *executor) recursion() uint64 {
	if !x.types.HasRecursion {
		return 0
	}
	v, err := x.w.Mem.Read64(world.Task + x.types.Recursion)
	x.must(err)
	return v
}
