package hook

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"sort"

	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/world"
)

// graphEnter stands for the core's function that decides whether a traced call is
// recorded: the arguments of its calls, and its result.
type graphEnter struct {
	calls     []enterCall
	returns   int32
	scheduled int // how often another task was let run
}

type enterCall struct {
	name   string
	args   [5]uint64
	locked uint64 // trace_recursion of the task then
	count  uint32 // the number of reasons not to schedule
}

func (x *executor) hookEnter() {
	x.w.Hook(func(name string) error {
		c := enterCall{name: name}
		for i := range c.args {
			c.args[i] = x.w.Arg(i)
		}
		c.locked, c.count = x.recursion(), x.count()
		x.enter.calls = append(x.enter.calls, c)
		x.w.SetInt(x.enter.returns)
		return nil
	}, x.arch.GraphEnter...)
}

// What the graph tracer's hook is handed: addresses in the traced function's
// caller and on its stack.
const (
	frame    = world.StackTop + 256
	regsAt   = world.Heap + emu.PageSize // registers of the callsite, or the saved return address
	regsSize = 512
)

// graphReturn executes a hook that the entry code calls for a traced call while the
// graph tracer is on: ftrace_graph_func(ip, parent_ip, ops, regs), or
// prepare_ftrace_return(ip, parent, fp). The hook hands the core the return address
// of the traced call, the callsite, and the frame pointer, by which the return will
// be matched with the call. If the core returns 0, the call returns to
// return_to_handler. If the core refuses, or tracing is paused for the task, the
// hook changes nothing.
func (x *executor) graphReturn(site callsite.Site, regs bool) {
	handler := x.labels("return_to_handler")
	switch {
	case len(x.labels(x.arch.GraphEnter...)) == 0:
		x.lacks("the image has no function_graph_enter")
		return
	case len(handler) == 0:
		x.lacks("the image has no return_to_handler (FT101)")
		return
	case regs && x.era.Regs == nil:
		x.lacks("registers of era %s, which its callbacks do not get", x.era)
		return
	}
	g := graphCall{x: x, site: site, regs: regs, handler: handler[0], parent: handler[0] - 5<<32 + 0x40}
	task := x.task
	defer func() { x.task = task }()
	running := func(paused uint32, locked uint64) {
		x.task = slices.Clone(task)
		switch off := x.types.GraphPause; {
		case x.types.HasGraphPause && off+4 <= taskSize:
			binary.LittleEndian.PutUint32(x.task[off:], paused)
		case paused == 0: // wherever the member is, it is zero
			clear(x.task)
		}
		if off := x.types.Recursion; x.types.HasRecursion && off+8 <= taskSize {
			binary.LittleEndian.PutUint64(x.task[off:], locked)
		}
	}
	running(0, 0)
	g.hooked()
	if !x.types.HasGraphPause {
		g.samePause()
	}
	for _, refused := range []int32{-16, 1, 0x100, -1 << 31} {
		g.untouched(fmt.Sprintf("the core's function_graph_enter refuses with %d", refused), refused, 1)
	}
	for _, paused := range []uint32{1, 0x100, 1 << 31} {
		running(paused, 0)
		g.untouched(fmt.Sprintf("tracing_graph_pause of the task is %#x", paused), 0, 0)
	}
	if x.types.HasRecursion {
		running(0, ^uint64(0))
		g.locked()
	}
	g.contexts(func(bits uint64) { running(0, bits) })
	running(0, 0)
	g.dead()
}

// A graphCall is a traced call, as the entry code passes it to the hook.
type graphCall struct {
	x       *executor
	site    callsite.Site
	regs    bool // the hook gets registers
	handler uint64
	parent  uint64 // the return address of the traced call: in a module far away

	unlocked bool // trace_recursion of the task was zero while the core was called
}

// lr is the address where the traced call's return address is saved.
func (g *graphCall) lr() uint64 {
	if g.regs && !g.x.era.Regs.Stacked {
		return regsAt + g.x.era.Regs.LR
	}
	return regsAt + regsSize/2
}

// args are the arguments of ftrace_graph_func(), if regs is true, or of
// prepare_ftrace_return().
func (g *graphCall) args(regs bool) []uint64 {
	if regs {
		return []uint64{g.site.Call, g.parent, g.x.ops, regsAt}
	}
	return []uint64{g.site.Call, g.lr(), frame}
}

// call calls the hook. lr is then the saved LR. The rest of the memory that the hook
// was handed must stay.
func (g *graphCall) call() (lr uint64, ok bool) {
	x, m := g.x, g.x.w.Mem
	before := world.Poison(regsAt, regsSize, world.ObjectMark)
	x.must(m.Write(regsAt, before))
	x.must(m.Write64(g.lr(), g.parent))
	if g.regs {
		x.must(m.Write64(regsAt+x.era.Regs.FP, frame))
	}
	if g.regs && x.era.Regs.Stacked {
		x.must(m.Write64(regsAt+x.era.Regs.SP, g.lr()))
	}
	before = make([]byte, regsSize)
	x.must(m.Read(regsAt, before))
	x.enter.calls, x.enter.scheduled = nil, 0
	if _, ok := x.call(g.args(g.regs)...); !ok {
		return 0, false
	}
	x.wroteNothing()
	lr, err := m.Read64(g.lr())
	x.must(err)
	after := make([]byte, regsSize)
	x.must(m.Read(regsAt, after))
	for off := uint64(0); off < regsSize; off += 8 {
		if at := regsAt + off; at != g.lr() && !bytes.Equal(after[off:off+8], before[off:off+8]) {
			x.diff("writes to the traced function's registers (+%#x)", off)
		}
	}
	return lr, true
}

// hooked has the core record the call.
func (g *graphCall) hooked() {
	x := g.x
	x.in("", func() {
		x.enter.returns = 0
		for range 2 {
			lr, ok := g.call()
			if !ok || len(x.diffs) > 0 {
				return
			}
			if len(x.enter.calls) != 1 {
				x.diff("calls function_graph_enter %s, once was expected", plural.Of(len(x.enter.calls), "time"))
				return
			}
			g.handed(x.enter.calls[0])
			g.unlocked = x.types.HasRecursion && x.enter.calls[0].locked == 0
			if lr != g.handler {
				x.diff("leaves %s as the traced function's return address, return_to_handler was expected", x.im.At(lr))
			}
		}
	})
}

// locked has the lock against recursion taken, of which a hook may make use.
func (g *graphCall) locked() {
	x := g.x
	x.in("trace_recursion of the task is all ones", func() {
		x.enter.returns = 0
		lr, ok := g.call()
		if !ok {
			return
		}
		g.consistent(lr)
		if len(x.enter.calls) == 0 && g.unlocked {
			x.diff("heeds trace_recursion of the task, and does not set it while it calls function_graph_enter")
		}
	})
}

// consistent judges the saved return address where the hook may leave the core alone.
func (g *graphCall) consistent(lr uint64) {
	x, want := g.x, g.parent
	if len(x.enter.calls) > 0 {
		want = g.handler
	}
	if lr != want {
		x.diff("calls function_graph_enter %s, and leaves %s as the traced function's return address", plural.Of(len(x.enter.calls), "time"), x.im.At(lr))
	}
}

// dead has the graph tracer be stopped for good, of which a hook may take notice: by a
// jump label of its own.
func (g *graphCall) dead() {
	x := g.x
	switched := x.switched("kill_ftrace_graph", x.hook.Func, "prepare_ftrace_return")
	if switched == nil {
		return
	}
	x.in("the graph tracer has been stopped (ftrace_graph_stop())", func() {
		for _, s := range switched {
			x.must(x.w.Mem.Write(s.at, s.code))
		}
		x.enter.returns = 0
		if lr, ok := g.call(); ok {
			g.consistent(lr)
		}
	})
}

// samePause compares the member of the task by which tracing is paused, where no
// type says which it is, with that of prepare_ftrace_return(): kernels that have both
// functions compile the same source twice.
func (g *graphCall) samePause() {
	x := g.x
	twin, ok := x.im.Addr("prepare_ftrace_return")
	if !ok || twin == x.hook.Addr {
		return
	}
	x.in("", func() {
		own, ok1 := g.pause(x.hook.Addr, g.args(g.regs))
		other, ok2 := g.pause(twin, g.args(false))
		if ok1 && ok2 && own != other {
			x.diff("looks at the task's member at +%#x for tracing_graph_pause, and prepare_ftrace_return at that at +%#x", own, other)
		}
	})
}

// pause is the offset of the last member of the task that must be zero for a
// function to call the core.
func (g *graphCall) pause(fn uint64, args []uint64) (off int, ok bool) {
	x := g.x
	x.enter.returns = 1
	const words = (taskSize - taskInfo) / 4
	calls := func(zeros int) bool {
		task := world.Poison(world.Task, taskSize, world.TaskMark)
		clear(task[:taskInfo+4*zeros])
		x.must(x.w.Mem.Write(world.Task, task))
		x.enter.calls = nil
		_, returned := x.aside(fn, args...)
		return returned && len(x.enter.calls) > 0
	}
	zeros := sort.Search(words, calls)
	return taskInfo + 4*(zeros-1), zeros > 0 && zeros < words
}

// handed judges what the hook hands the core.
func (g *graphCall) handed(c enterCall) {
	x := g.x
	check := func(i int, what string, allowed ...uint64) {
		if slices.Contains(allowed, c.args[i]) {
			return
		}
		x.diff("passes %s to %s as %s (%s), %s was expected", x.im.At(c.args[i]), c.name, what, x.arch.Args[i], x.im.At(allowed[0]))
	}
	check(0, "the return address", g.parent)
	check(1, "the callsite", g.site.Call)
	retp := uint64(frame)
	if x.era.Regs != nil && x.era.Regs.Stacked { // no frame pointer is tested there
		check(2, "the frame pointer", 0, frame)
		retp = g.lr()
	} else {
		check(2, "the frame pointer", frame)
	}
	switch {
	case !x.types.HasRetp:
		check(3, "retp", retp, 0)
	case x.types.Retp: // otherwise the core drops it
		check(3, "retp", retp)
	}
	switch {
	case c.name != "function_graph_enter_regs":
	case g.regs:
		check(4, "the registers", regsAt)
	default:
		check(4, "the registers", 0)
	}
}

// untouched has the hook change nothing: it calls the core as many times as asked,
// and the core returns that.
func (g *graphCall) untouched(situation string, returns int32, calls int) {
	x := g.x
	x.in(situation, func() {
		x.enter.returns = returns
		lr, ok := g.call()
		if !ok {
			return
		}
		if len(x.enter.calls) != calls {
			x.diff("calls function_graph_enter %s, %d was expected", plural.Of(len(x.enter.calls), "time"), calls)
		}
		if lr != g.parent {
			x.diff("leaves %s as the traced function's return address, which must stay", x.im.At(lr))
		}
	})
}
