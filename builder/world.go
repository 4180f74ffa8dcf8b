// Package builder knows what ftrace builds: the model, in Go, of what a
// correct kernel makes of its callsites and trampolines in each era; and the
// fact, what the image's own code makes, executed out of the image.
//
// Nothing of the kernel is booted. A World is the image in an emulator, with
// a stack, a task and the few functions of the rest of the kernel that
// ftrace's code calls. What the code does through them is recorded as Events.
package builder

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/emu"
)

// Where a World puts what is not in the image. The image lies in the vmalloc
// half of the kernel's addresses, these in the linear map.
const (
	taskBase  = 0xffff_0000_1000_0000 // the task that runs, at SP_EL0
	taskSize  = 64 << 10
	stackBase = 0xffff_0000_2000_0000
	stackSize = 64 << 10
	heapBase  = 0xffff_0000_3000_0000 // objects: ftrace_ops, dyn_ftrace
	heapSize  = 64 << 10

	stackTop = stackBase + stackSize - 4096 // some of the caller's stack lies above
	scs      = taskBase + taskSize/2        // the shadow call stack, which X18 points to: it grows upwards
)

// An EventKind is what executed code did to the rest of the kernel.
type EventKind uint8

const (
	Alloc        EventKind = iota // memory for code: Addr, Size; Addr 0 if it failed
	Free                          // Addr
	Copy                          // Size bytes from From to Addr; Err if it failed
	Store                         // a plain store of Size bytes, Value, to Addr
	ReadInsn                      // aarch64_insn_read() of Addr: Value
	Patch                         // Value replaces Old at Addr, through the patching interface
	PatchLiteral                  // a 64-bit Value at Addr, likewise
	Protect                       // Size bytes from Addr become Perm
	ICache                        // instruction-cache maintenance of Size bytes from Addr
	FlushReset                    // permissions of the area at Addr are reset when it is freed
	Gen                           // an instruction maker returned Value
	Trap                          // BRK with immediate Value: WARN() or BUG()
)

var eventNames = [...]string{"allocate", "free", "copy", "store", "read", "patch", "patch literal", "protect", "icache", "flush-reset", "make", "trap"}

func (k EventKind) String() string { return eventNames[k] }

// An Event is one thing that executed code did.
type Event struct {
	Kind       EventKind
	PC         uint64 // of the instruction that did it: the BL, for a call
	Addr, From uint64
	Size       uint64 // bytes
	Old, Value uint64
	Perm       emu.Perm
	Err        bool
	Func       string // the function that was called
}

// A World is an image in an emulator.
type World struct {
	Image  *elfscan.Image
	M      *emu.Machine
	Events []Event
	Fail   map[string]int // functions of the patching interface: which call fails with -ERANGE, from 1, or failAll

	atCall func(name string) // called before each hook; may be nil
	flags  bool              // what the last call left in all condition flags

	calls map[string]int    // of functions in Fail
	funcs map[uint64]string // hooked functions
	heap  uint64            // next free address
}

// maxPages bounds the memory of an execution, 16 MiB: real kernels need some 100
// pages.
const maxPages = 1 << 12

// stepsPerEvent is how many instructions an event counts as, so that the limit
// of instructions is one of events, too.
const stepsPerEvent = 8

// NewWorld makes a World of the image, whose text is read-only and
// executable, as after boot.
func NewWorld(im *elfscan.Image) *World {
	w := &World{Image: im, M: &emu.Machine{MaxSteps: 1 << 20, MaxPages: maxPages}, funcs: map[uint64]string{}, calls: map[string]int{}}
	w.M.Load = w.load
	w.M.OnBreak = w.onBreak
	w.hookCommon()
	w.Reset()
	return w
}

// Reset brings back the image's bytes and clears registers and events. Hooks
// stay.
func (w *World) Reset() {
	w.M.Reset()
	w.M.Map(taskBase, taskSize, emu.Read|emu.Write)
	w.M.Map(stackBase, stackSize, emu.Read|emu.Write)
	w.M.Map(heapBase, heapSize, emu.Read|emu.Write)
	w.M.Sys[emu.SPEL0] = taskBase
	w.M.SP, w.M.X[18] = stackTop, scs
	w.Events = w.Events[:0]
	w.heap = heapBase
	clear(w.calls)
}

// New is the address of size zeroed bytes, aligned to 64. The heap is small:
// it is for the objects that a call needs.
func (w *World) New(size uint64) uint64 {
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

// caller is the address of the BL that called the function being hooked.
func (w *World) caller() uint64 { return w.M.X[30] - a64.Size }

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
			if w.atCall != nil {
				w.atCall(name)
			}
			err := f(name)
			if err == nil {
				w.clobber()
			}
			return err
		})
	}
}

// clobbered is in the upper half of registers that a call has clobbered.
const clobbered = 0xc10b_0000_c10b_0000

// clobber does to registers what a call may, but for the result.
func (w *World) clobber() {
	m := w.M
	for i := uint64(1); i < 18; i++ {
		m.X[i] = clobbered | i
	}
	w.flags = !w.flags
	m.N, m.Z, m.C, m.V = w.flags, w.flags, w.flags, w.flags
}

// result has a hook return an int: the upper half of X0 is then anything.
func (w *World) result(v uint32) error {
	w.M.X[0] = clobbered&^0xffff_ffff | uint64(v)
	return nil
}

// returns is a hook that returns v.
func (w *World) returns(v uint64) func(string) error {
	return func(string) error { w.M.X[0] = v; return nil }
}

const (
	enomem = ^uint32(12) + 1
	efault = ^uint32(14) + 1
	einval = ^uint32(22) + 1
	erange = ^uint32(34) + 1
)

// failAll has every call of a function fail.
const failAll = -1

// fails tells whether this call of a function of the patching interface fails.
func (w *World) fails(name string) bool {
	n, ok := w.Fail[name]
	if !ok {
		return false
	}
	w.calls[name]++
	return n == failAll || n == w.calls[name]
}

// printers print; their first argument is the format.
var printers = []string{"_printk", "printk", "__warn_printk"}

// errStackSmashed is what a call of __stack_chk_fail() ends with.
var errStackSmashed = errors.New("the stack protector found the stack overwritten")

// hookCommon stands for what ftrace's code asks of the rest of the kernel
// whatever it does.
func (w *World) hookCommon() {
	w.Hook(w.returns(clobbered|0x11), printers...) // a number of characters, or nothing
	w.Hook(func(string) error { return w.result(1) }, "___ratelimit")
	w.Hook(w.returns(clobbered|0x11), // they return nothing
		"dump_stack", "mutex_lock", "mutex_unlock", "mutex_lock_nested", "_raw_spin_unlock_irqrestore",
		"__rcu_read_lock", "__rcu_read_unlock", "preempt_schedule", "preempt_schedule_notrace")
	w.Hook(w.returns(0), "_raw_spin_lock_irqsave", "__module_text_address", "__module_address", "lockdep_assert_held", "rcu_read_lock_any_held", "_dev_printk")
	w.Hook(func(string) error { return errStackSmashed }, "__stack_chk_fail")

	w.Hook(func(name string) error {
		addr, to := w.M.X[0], w.M.X[1]
		v, err := w.M.Read32(addr)
		switch {
		case atLimit(err):
			return err
		case w.fails(name):
			w.event(Event{Kind: ReadInsn, PC: w.caller(), Addr: addr, Func: name, Err: true})
			// What is on the stack may be anything, the word that is hoped for, too.
			if v, err := w.M.Read32(to); err == nil && to-stackBase < stackSize && unwritten(to, v) {
				_ = w.M.Write32(to, a64.NOP)
			}
			return w.result(erange) // copy_from_kernel_nofault() gives that, too
		case err != nil || addr%a64.Size != 0:
			return w.result(efault)
		}
		w.event(Event{Kind: ReadInsn, PC: w.caller(), Addr: addr, Value: uint64(v), Func: name})
		_ = w.result(0)
		return w.M.Write32(to, v)
	}, "aarch64_insn_read")
	w.Hook(func(name string) error {
		addr, insn := w.M.X[0], uint32(w.M.X[1])
		old, err := w.M.Read32(addr)
		switch {
		case atLimit(err):
			return err
		case w.fails(name):
			w.event(Event{Kind: Patch, PC: w.caller(), Addr: addr, Size: 4, Old: uint64(old), Value: uint64(insn), Func: name, Err: true})
			return w.result(erange)
		case addr%a64.Size != 0:
			return w.result(einval)
		case err != nil:
			return w.result(efault)
		}
		w.event(Event{Kind: Patch, PC: w.caller(), Addr: addr, Size: 4, Old: uint64(old), Value: uint64(insn), Func: name})
		_ = w.result(0)
		return w.M.Write32(addr, insn)
	}, "aarch64_insn_patch_text_nosync", "aarch64_insn_write")
	w.Hook(func(name string) error {
		addr, v := w.M.X[0], w.M.X[1]
		if w.fails(name) {
			w.event(Event{Kind: PatchLiteral, PC: w.caller(), Addr: addr, Size: 8, Value: v, Func: name, Err: true})
			return w.result(erange)
		}
		if _, err := w.M.Read64(addr); atLimit(err) {
			return err
		} else if err != nil {
			return w.result(efault)
		}
		w.event(Event{Kind: PatchLiteral, PC: w.caller(), Addr: addr, Size: 8, Value: v, Func: name})
		_ = w.result(0)
		return w.M.Write64(addr, v)
	}, "aarch64_insn_write_literal_u64")
}

// onBreak records a trap. WARN() goes on, BUG() does not: the kernel tells
// them apart by a flag in its bug table.
func (w *World) onBreak(pc uint64, imm uint16) emu.BreakAction {
	w.event(Event{Kind: Trap, PC: pc, Value: uint64(imm)})
	const bugBrkImm = 0x800
	if imm == bugBrkImm && !w.isBug(pc) {
		return emu.Continue
	}
	return emu.Halt
}

// isBug tells whether the bug table says that the trap at pc is BUG(): that
// its entry lacks BUGFLAG_WARNING. A trap without an entry counts as WARN().
func (w *World) isBug(pc uint64) bool {
	start, ok1 := w.Image.Addr("__start___bug_table")
	stop, ok2 := w.Image.Addr("__stop___bug_table")
	if !ok1 || !ok2 || stop <= start || stop-start > 64<<20 {
		return false
	}
	b, ok := w.Image.Bytes(start, int(stop-start))
	if !ok {
		return false
	}
	// struct bug_entry: s32 bug_addr_disp, in newer kernels s32 format_disp;
	// with CONFIG_DEBUG_BUGVERBOSE s32 file_disp and u16 line; u16 flags.
	le := binary.LittleEndian
	target := func(off int) uint64 { return start + uint64(off) + uint64(int64(int32(le.Uint32(b[off:])))) }
	for _, format := range []struct{ size, flags int }{{12, 10}, {16, 14}, {8, 4}} {
		fits := len(b)%format.size == 0
		for off := 0; fits && off < min(len(b), 8*format.size); off += format.size {
			insn, ok := w.Image.Word(target(off))
			fits = ok && a64.Classify(insn) == a64.Break
		}
		for off := 0; fits && off < len(b); off += format.size {
			if target(off) == pc {
				return le.Uint16(b[off+format.flags:])&1 == 0
			}
		}
	}
	return false
}

// Call calls a function of the image with the stack of a fresh call; registers
// beyond the arguments are as they stand. An error says why no verdict is possible: its text names the place.
func (w *World) Call(fn uint64, args ...uint64) (uint64, error) {
	w.M.SP = stackTop
	v, err := w.M.Call(fn, args...)
	if err != nil {
		return 0, w.explain(err)
	}
	return v, nil
}

// explain says where in the image an emulator's error happened.
func (w *World) explain(err error) error {
	var stop *emu.Stop
	if !errors.As(err, &stop) {
		return err
	}
	if n := w.Image.Name(stop.PC); n != "" {
		return fmt.Errorf("%w (%s)", err, n)
	}
	return err
}

// InWords is the event as a listing shows it.
func (e *Event) InWords(im *elfscan.Image) string {
	at := func(a uint64) string {
		if n := im.Name(a); n != "" {
			return n
		}
		return fmt.Sprintf("%#x", a)
	}
	failed := ""
	if e.Err {
		failed = " fails"
	}
	switch e.Kind {
	case Alloc:
		if e.Addr == 0 {
			return fmt.Sprintf("%s(%#x) fails", e.Func, e.Size)
		}
		return fmt.Sprintf("%s(%#x) gives %#x", e.Func, e.Size, e.Addr)
	case Free, FlushReset:
		return fmt.Sprintf("%s(%#x)", e.Func, e.Addr)
	case Copy:
		return fmt.Sprintf("%s(%#x, %s, %#x)%s", e.Func, e.Addr, at(e.From), e.Size, failed)
	case Store:
		return fmt.Sprintf("store of %#x (%d bytes) to %#x", e.Value, e.Size, e.Addr)
	case Patch:
		return fmt.Sprintf("%s(%s)%s: %08x %s becomes %08x %s", e.Func, at(e.Addr), failed, e.Old, a64.Text(uint32(e.Old), e.Addr, im.Name), e.Value, a64.Text(uint32(e.Value), e.Addr, im.Name))
	case PatchLiteral:
		return fmt.Sprintf("%s(%s, %s)%s", e.Func, at(e.Addr), at(e.Value), failed)
	case Protect:
		return fmt.Sprintf("%s(%#x, %#x bytes)%s: %v", e.Func, e.Addr, e.Size, failed, e.Perm)
	case ICache:
		return fmt.Sprintf("%s(%#x, %#x bytes)", e.Func, e.Addr, e.Size)
	case ReadInsn, Gen:
		return fmt.Sprintf("%s%s: %08x %s", e.Func, failed, e.Value, a64.Text(uint32(e.Value), e.Addr, im.Name))
	case Trap:
		return fmt.Sprintf("brk #%#x", e.Value)
	}
	return e.Kind.String()
}
