// Package world executes functions of an image in an emulator. It calls them by
// the C calling convention, with stand-ins for the rest of the kernel.
//
// The kernel is not booted. A World has a stack, a task, and stand-ins for the
// few functions that ftrace's code calls: allocators, permissions, caches,
// copies, the patching interface, locks, printing. A call of a stand-in is
// recorded as an Event. A Fault records that the code does what no function may.
package world

import (
	"errors"
	"fmt"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/emu/x64"
)

// Addresses of memory that is not in the image, and its sizes in bytes. The image
// lies in the vmalloc half of the kernel's addresses, this memory in the linear
// map.
const (
	Task      = 0xffff_0000_1000_0000 // the task that runs: SP_EL0 points to it
	taskSize  = 64 << 10
	Stack     = 0xffff_0000_2000_0000 // the lowest address of the stack
	stackSize = 64 << 10
	Heap      = 0xffff_0000_3000_0000 // objects: ftrace_ops, dyn_ftrace
	heapSize  = 64 << 10

	StackTop = Stack + stackSize - 4096 // some of the caller's stack lies above
	scs      = Task + taskSize/2        // the shadow call stack: X18 points to it, and it grows upwards
)

// A World is an image in an emulator.
type World struct {
	Image  *elfscan.Image
	Mem    *emu.Core    // its memory, limits and trail
	M      *emu.Machine // of an arm64 image; nil for others
	X      *x64.Machine // of an x86-64 image; nil for others
	Events []Event
	Faults []Fault        // of the call that runs
	Fail   map[string]int // by function of the patching interface: the call that fails with -ERANGE, from 1, or FailAll

	// AtCall, if not nil, is called before each stand-in.
	AtCall func(name string)

	cpu  cpu
	arch *arch.Arch
	// perCPU is the distance of the processor's variables from their addresses in the
	// image, and perCPUSize their size, if they lie at address 0 there.
	perCPU, perCPUSize uint64

	current uint64              // address of the pointer to the task that runs; 0: a register has it
	flags   bool                // the value of all condition flags after the last call
	from    uint64              // address of the instruction that runs, or that called the stand-in; 0: see Caller
	calls   map[string]int      // numbers of calls of the functions in Fail
	funcs   map[uint64]string   // names of the hooked functions, by address
	strays  map[uint64][]string // by function; see straying
	heap    uint64              // next free address
	kasan   uint64              // address of the region with KASAN's shadow bytes; 0: the image has none
}

// A Lack is the error that nothing can be executed because an image lacks
// something.
type Lack struct{ What string }

func (l *Lack) Error() string { return l.What }

// A Fault is something that executed code does and that no function may do.
type Fault struct {
	PC   uint64 // address of the instruction that does it, or of the function
	What string
}

// maxFaults bounds the Faults of one call.
const maxFaults = 64

// Fault adds to Faults.
func (w *World) Fault(pc uint64, format string, args ...any) {
	if len(w.Faults) == maxFaults {
		return
	}
	w.Faults = append(w.Faults, Fault{pc, fmt.Sprintf(format, args...)})
}

// Arg is argument i, from 0 to 7, of the function that a stand-in stands for
// (AAPCS64, 6.4.1); on x86-64 those from 6 on are on the stack.
func (w *World) Arg(i int) uint64 { return w.cpu.arg(i) }

// Result is what the register of results holds.
func (w *World) Result() uint64 { return w.cpu.result() }

// SetResult has a stand-in return v.
func (w *World) SetResult(v uint64) { w.cpu.setResult(v) }

// SetInt has a stand-in return an int. The upper half of the register then has no
// meaning, and is clobbered.
func (w *World) SetInt(v int32) { w.SetResult(clobbered&^0xffff_ffff | uint64(uint32(v))) }

// SP is the stack pointer.
func (w *World) SP() uint64 { return w.cpu.sp() }

// PerCPU is the address of the processor's variable. ok is false if the image has none
// of the symbols.
func (w *World) PerCPU(variable []arch.PerCPU) (addr uint64, ok bool) {
	for _, v := range variable {
		if a, ok := w.Image.Addr(v.Symbol); ok {
			return w.perCPU + a + v.Offset, true
		}
	}
	return 0, false
}

// Guard says whether the kernel is built with landing pads, without which an indirect
// branch then stops.
func (w *World) Guard(on bool) { w.cpu.guard(on) }

// Nested calls a function of the image for a stand-in, on the stack of the code that
// runs.
func (w *World) Nested(fn uint64, args ...uint64) (uint64, error) { return w.cpu.Call(fn, args...) }

// PC is the address of the instruction that runs.
func (w *World) PC() uint64 { return w.Mem.PC }

// MaxPages bounds the pages of an execution: 16 MiB. Real kernels need about 100
// pages.
const MaxPages = 1 << 12

// stepsPerEvent is the number of instructions that an event counts as, so that
// the limit of instructions bounds events, too.
const stepsPerEvent = 8

// New makes a World of the image. Its text is read-only and executable, as after
// boot.
func New(im *elfscan.Image) *World {
	w := &World{Image: im, arch: im.Arch(), funcs: map[uint64]string{}, calls: map[string]int{}, strays: map[uint64][]string{}}
	processors[im.Arch()](w)
	w.Mem.MaxSteps, w.Mem.MaxPages, w.Mem.Load = 1<<20, MaxPages, w.load
	w.hookCommon()
	w.hookKASAN()
	w.hookPatching()
	w.Reset()
	return w
}

// Reset brings back the image's bytes and clears registers and events. Hooks
// stay.
func (w *World) Reset() {
	w.cpu.reset()
	w.mapShadow() // first: it may lie where others are mapped
	w.Mem.Map(Task, taskSize, emu.Read|emu.Write)
	w.Mem.Map(Stack, stackSize, emu.Read|emu.Write)
	w.Mem.Map(Heap, heapSize, emu.Read|emu.Write)
	w.Events, w.Faults = w.Events[:0], nil
	w.heap = Heap
	clear(w.calls)
}

// Object allocates size zeroed bytes on the heap and returns their address, a
// multiple of 64. The heap has room for the few objects that a call needs.
func (w *World) Object(size uint64) uint64 {
	a := w.heap
	w.heap += (size + 63) &^ 63
	return a
}

// load gives the emulator a page of the image and its permission. Text can be
// read and executed. The rest can be read and, unless the kernel maps it
// read-only, written.
func (w *World) load(addr uint64, page []byte) (emu.Perm, bool) {
	switch off := addr - w.perCPU; {
	case off < w.perCPUSize:
		addr = off
	case addr < w.perCPUSize:
		return 0, false
	}
	if !w.Image.ReadAt(addr, page) {
		return 0, false
	}
	perm := emu.Read | emu.Write
	for _, s := range w.Image.Sections() {
		if s.Executable() && s.Addr < addr+uint64(len(page)) && addr < s.End() {
			perm = emu.Read | emu.Exec
		}
	}
	if perm&emu.Exec == 0 {
		lo, ok1 := w.Image.Addr("__start_rodata")
		hi, ok2 := w.Image.Addr("__end_rodata")
		if !ok2 {
			hi, ok2 = w.Image.Addr("__inittext_begin")
		}
		if ok1 && ok2 && lo <= addr && addr < hi {
			perm = emu.Read
		}
	}
	return perm, true
}

// Caller is the address of the branch that called the stand-in. A Tracer has seen
// that branch. Otherwise it is the call before the return address, which is wrong
// for a tail call.
func (w *World) Caller() uint64 {
	if w.from != 0 {
		return w.from
	}
	return w.cpu.caller()
}

func (w *World) event(e Event) {
	w.Mem.Steps += stepsPerEvent
	w.Events = append(w.Events, e)
}

// atLimit reports whether an access failed because the execution has used up its
// pages. Such an error proves nothing about the address.
func atLimit(err error) bool {
	var stop *emu.Stop
	return errors.As(err, &stop) && stop.Reason == emu.PageLimit
}

// Hook makes f the stand-in for each of the named functions that the image has.
// f gets the function's name and sets the result. Hook clobbers the other
// registers that a function may clobber (AAPCS64, 6.1.1).
func (w *World) Hook(f func(name string) error, names ...string) {
	for _, name := range names {
		a, ok := w.Image.Addr(name)
		if !ok || !w.Image.IsText(a) {
			continue
		}
		w.funcs[a] = name
		w.cpu.hook(a, func() error {
			if w.AtCall != nil {
				w.AtCall(name)
			}
			err := f(name)
			if err == nil {
				w.Clobber()
			}
			return err
		})
	}
}

// HookAt makes f the stand-in for the function at addr. f clobbers what it likes. With
// emu.ErrProceed the function itself is executed.
func (w *World) HookAt(addr uint64, f func() error) { w.cpu.hook(addr, f) }

// HasStandIn reports whether a stand-in stands for the function at addr.
func (w *World) HasStandIn(addr uint64) bool { return w.funcs[addr] != "" }

// Unhook takes the stand-ins of the named functions away, so that the functions
// themselves are executed.
func (w *World) Unhook(names ...string) {
	for _, name := range names {
		if a, ok := w.Image.Addr(name); ok && w.funcs[a] != "" {
			delete(w.funcs, a)
			w.cpu.hook(a, nil)
		}
	}
}

// clobbered is in registers that a call has clobbered. The number of the register
// is in the lower bits.
const clobbered = 0xc10b_0000_c10b_0000

// Clobber changes the registers that a call may clobber, except that of the result,
// and the condition flags.
func (w *World) Clobber() {
	w.flags = !w.flags
	w.cpu.clobber(w.flags)
}

// FlipFlags has the next call of a stand-in leave the condition flags other than it
// would: each call leaves all of them set, or all clear, in turn.
func (w *World) FlipFlags() { w.flags = !w.flags }

// result is SetInt for the last statement of a stand-in.
func (w *World) result(v int32) error {
	w.SetInt(v)
	return nil
}

// Returns is a stand-in that returns v.
func (w *World) Returns(v uint64) func(string) error {
	return func(string) error { w.SetResult(v); return nil }
}

// Negative error numbers of the kernel.
const (
	enomem = -12
	efault = -14
	einval = -22
	erange = -34
)

// FailAll in World.Fail has every call of the function fail.
const FailAll = -1

// FailCall has call n, from 1, of a function of the patching interface fail.
func (w *World) FailCall(name string, n int) {
	clear(w.calls)
	w.Fail = map[string]int{name: n}
}

// fails reports whether this call of a function of the patching interface fails.
func (w *World) fails(name string) bool {
	n, ok := w.Fail[name]
	if !ok {
		return false
	}
	w.calls[name]++
	return n == FailAll || n == w.calls[name]
}
