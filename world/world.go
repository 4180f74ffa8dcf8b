// Package world is an image in an emulator: functions of the kernel are called
// by the C calling convention, with stand-ins for the rest of the kernel.
//
// Nothing of the kernel is booted. A World has a stack, a task, and the few
// functions that ftrace's code calls: allocators, permissions, caches, copies,
// the patching interface, locks, printing. What the code does through them is
// recorded as Events, and what it does that no function may as Faults.
package world

import (
	"errors"
	"fmt"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/emu"
)

// Where a World puts what is not in the image. The image lies in the vmalloc
// half of the kernel's addresses, these in the linear map.
const (
	Task      = 0xffff_0000_1000_0000 // the task that runs, at SP_EL0
	taskSize  = 64 << 10
	Stack     = 0xffff_0000_2000_0000 // the lowest address of the stack
	stackSize = 64 << 10
	Heap      = 0xffff_0000_3000_0000 // objects: ftrace_ops, dyn_ftrace
	heapSize  = 64 << 10

	StackTop = Stack + stackSize - 4096 // some of the caller's stack lies above
	scs      = Task + taskSize/2        // the shadow call stack, which X18 points to: it grows upwards
)

// A World is an image in an emulator.
type World struct {
	Image  *elfscan.Image
	M      *emu.Machine
	Events []Event
	Faults []Fault        // of the call that runs
	Fail   map[string]int // functions of the patching interface: which call fails with -ERANGE, from 1, or FailAll

	// AtCall, if not nil, is called before each stand-in.
	AtCall func(name string)

	arch   *arch.Arch
	flags  bool                // what the last call left in all condition flags
	from   uint64              // the instruction that runs, or that called the stand-in that does; 0: see caller
	calls  map[string]int      // of functions in Fail
	funcs  map[uint64]string   // hooked functions
	strays map[uint64][]string // see straying
	heap   uint64              // next free address
}

// A Lack says what an image lacks, so that something of it cannot be executed.
type Lack struct{ What string }

func (l *Lack) Error() string { return l.What }

// A Fault is something that executed code does and must not, whatever it is
// for.
type Fault struct {
	PC   uint64 // of the instruction that does it, or of the function
	What string
}

// maxFaults bounds what is told of one call.
const maxFaults = 64

// Fault notes what the code that runs does and must not.
func (w *World) Fault(pc uint64, format string, args ...any) {
	if len(w.Faults) == maxFaults {
		return
	}
	w.Faults = append(w.Faults, Fault{pc, fmt.Sprintf(format, args...)})
}

// Arg is argument i of the function that a stand-in stands for, from 0 to 7
// (AAPCS64, 6.4.1).
func (w *World) Arg(i int) uint64 { return w.M.X[i] }

// SetResult has a stand-in return v.
func (w *World) SetResult(v uint64) { w.M.X[0] = v }

// SetInt has a stand-in return an int: what the upper half of the register
// then holds is anything.
func (w *World) SetInt(v int32) { w.SetResult(clobbered&^0xffff_ffff | uint64(uint32(v))) }

// SP is the stack pointer, PC the address of the instruction that runs.
func (w *World) SP() uint64 { return w.M.SP }
func (w *World) PC() uint64 { return w.M.PC }

// MaxPages bounds the memory of an execution, 16 MiB: real kernels need some 100
// pages.
const MaxPages = 1 << 12

// stepsPerEvent is how many instructions an event counts as, so that the limit
// of instructions is one of events, too.
const stepsPerEvent = 8

// New makes a World of the image, whose text is read-only and
// executable, as after boot.
func New(im *elfscan.Image) *World {
	w := &World{Image: im, M: &emu.Machine{MaxSteps: 1 << 20, MaxPages: MaxPages}, arch: arch.ARM64,
		funcs: map[uint64]string{}, calls: map[string]int{}, strays: map[uint64][]string{}}
	w.M.Load = w.load
	w.M.OnBreak = w.onBreak
	w.hookCommon()
	w.hookPatching()
	w.Reset()
	return w
}

// Reset brings back the image's bytes and clears registers and events. Hooks
// stay.
func (w *World) Reset() {
	w.M.Reset()
	w.M.Map(Task, taskSize, emu.Read|emu.Write)
	w.M.Map(Stack, stackSize, emu.Read|emu.Write)
	w.M.Map(Heap, heapSize, emu.Read|emu.Write)
	w.M.Sys[emu.SPEL0] = Task
	w.M.SP, w.M.X[18] = StackTop, scs
	w.Events, w.Faults = w.Events[:0], nil
	w.heap = Heap
	clear(w.calls)
}

// Object is the address of size zeroed bytes, aligned to 64. The heap is
// small: it is for the objects that a call needs.
func (w *World) Object(size uint64) uint64 {
	a := w.heap
	w.heap += (size + 63) &^ 63
	return a
}

// load gives the emulator the image's pages: text is for reading and
// executing, the rest of the image for reading and writing but for what the
// kernel maps read-only.
func (w *World) load(addr uint64, page []byte) (emu.Perm, bool) {
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

// caller is the address of the branch that called the function being hooked:
// the BL before the return address, or what a Tracer has seen, as that address
// tells nothing of a tail call.
func (w *World) caller() uint64 {
	if w.from != 0 {
		return w.from
	}
	return w.M.X[30] - a64.Size
}

func (w *World) event(e Event) {
	w.M.Steps += stepsPerEvent
	w.Events = append(w.Events, e)
}

// atLimit reports whether an access failed because the execution has used up
// what it may: then it proves nothing about the address.
func atLimit(err error) bool {
	var stop *emu.Stop
	return errors.As(err, &stop) && stop.Reason == emu.PageLimit
}

// Hook has f called in place of each of the functions that the image has. f
// leaves its result in X0; the other registers that a function may clobber
// (AAPCS64, 6.1.1) are clobbered.
func (w *World) Hook(f func(name string) error, names ...string) {
	for _, name := range names {
		a, ok := w.Image.Addr(name)
		if !ok || !w.Image.IsText(a) {
			continue
		}
		w.funcs[a] = name
		w.M.Hook(a, func(m *emu.Machine) error {
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

// clobbered is in the upper half of registers that a call has clobbered.
const clobbered = 0xc10b_0000_c10b_0000

// Clobber does to registers what a call may, but for the result.
func (w *World) Clobber() {
	m := w.M
	for i := uint64(1); i < 18; i++ {
		m.X[i] = clobbered | i
	}
	w.flags = !w.flags
	m.N, m.Z, m.C, m.V = w.flags, w.flags, w.flags, w.flags
}

// result is SetInt, as the last statement of a stand-in.
func (w *World) result(v int32) error {
	w.SetInt(v)
	return nil
}

// Returns is a stand-in that returns v.
func (w *World) Returns(v uint64) func(string) error {
	return func(string) error { w.SetResult(v); return nil }
}

const (
	enomem = -12
	efault = -14
	einval = -22
	erange = -34
)

// FailAll has every call of a function fail.
const FailAll = -1

// FailCall has call n of a function of the patching interface fail, from 1.
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
