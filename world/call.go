package world

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/emu"
)

// A Subject is a function to execute.
type Subject struct {
	Name string
	Fn   uint64 // its address
	Args []uint64
}

// Call calls a function of the image on the stack of a fresh call and returns its
// result. Registers other than those of the arguments keep their values. An error
// says why no verdict is possible; its text names the place in the image.
func (w *World) Call(fn uint64, args ...uint64) (uint64, error) {
	v, err := w.cpu.call(fn, args)
	if err != nil {
		return 0, w.Explain(err)
	}
	return v, nil
}

// Explain adds to an error of the emulator the name of the place where it
// happened and, where no code is at that place, the branch that led there.
func (w *World) Explain(err error) error {
	var stop *emu.Stop
	if !errors.As(err, &stop) {
		return err
	}
	if n := w.Image.Name(stop.PC); n != "" {
		err = fmt.Errorf("%w (%s)", err, n)
	}
	if j, what, _ := w.lastJump(); (stop.Access == emu.Exec || stop.Reason == emu.Undefined) && j.To == stop.PC && what != "" {
		err = fmt.Errorf("%w, where the %s at %s goes", err, what, w.Image.At(j.From))
	}
	return err
}

// Execute executes the subject on the stack of a fresh call. Every register that
// does not hold an argument has a value of its own. Execute notes as Faults what
// no function may do: losing registers of its caller, calling into the middle of
// a function, using an address that it was not given, writing to memory that is
// not its own, and ending in the stack protector. returned is false if such a
// fault ended the call. An error says why no verdict is possible.
func (w *World) Execute(s Subject) (ret uint64, returned bool, err error) {
	w.Enter()
	w.Faults = nil
	for _, what := range w.straying(s.Fn) {
		w.Fault(s.Fn, "%s", what)
	}
	ret, err = w.Call(s.Fn, s.Args...)
	if err != nil {
		if proof := w.Misdeed(err); proof != "" {
			w.Fault(s.Fn, "%s", proof)
			return 0, false, nil
		}
		return 0, false, err
	}
	for _, what := range w.cpu.lost(s.Fn) {
		w.Fault(s.Fn, "%s", what)
	}
	if j, _, flow := w.lastJump(); w.M != nil && w.M.Guarded && flow == arch.JumpsAway {
		w.Fault(j.From, "returns by a BR, in a kernel with BTI: no landing pad is behind a call")
	}
	return ret, true, nil
}

// The rest of this file is about what every C function owes its caller (AAPCS64,
// 6.1 and 6.4; Documentation/arch/arm64, frame records).

// Marks are the upper 16 bits of poison: addresses where nothing is mapped. A
// mark tells where code got the address.
const (
	StackMark  = 0x57ac // from its stack, where it has written nothing
	TaskMark   = 0x7a5c // from members of the task that it must not use
	ObjectMark = 0x6d0d // from members of another object that it must not use
)

// own is in registers that hold nothing that a function may use. The number of
// the register is in the lower bits.
const own = 0x5afe_0000_5afe_0000

// Poison are size bytes of addresses where nothing is mapped, each with mark in
// its upper bits. The bytes are for the address addr.
func Poison(addr uint64, size int, mark uint64) []byte {
	b := make([]byte, size)
	for i := 0; i < size; i += 8 {
		binary.LittleEndian.PutUint64(b[i:], mark<<48|(addr+uint64(i))&0xffff_ffff)
	}
	return b
}

// isPoison reports whether an address comes from a place that a function must not
// use: a register that it was not given or that a call has clobbered, a part of
// its stack where it has written nothing, or a member with a mark.
func isPoison(addr uint64) bool {
	switch addr >> 48 {
	case own >> 48, clobbered >> 48, StackMark, TaskMark, ObjectMark:
		return true
	}
	return false
}

// unwritten reports whether v, the word at addr on the stack, is the one that
// Enter put there.
func unwritten(addr uint64, v uint32) bool {
	poison := Poison(addr&^7, 8, StackMark)
	return v == binary.LittleEndian.Uint32(poison[addr&4:])
}

// stackPoison are the bytes below the stack pointer when a function is entered.
var stackPoison = Poison(StackTop-512, 512, StackMark)

// Enter makes the state of a fresh call. Every register has a value of its own,
// and there is poison below the stack pointer.
func (w *World) Enter() {
	_ = w.Mem.Write(StackTop-uint64(len(stackPoison)), stackPoison) // mapped by Reset
	w.cpu.enter()
}

// HasSCS reports whether X18 is reserved for the shadow call stack: the kernel has
// one, or fn itself pushes LR there. Otherwise any function may use X18.
func (w *World) HasSCS(fn uint64) bool {
	if _, ok := w.Image.Addr("init_shadow_call_stack"); ok {
		return true
	}
	s, ok := w.Image.SymbolAt(fn)
	for a := s.Addr; ok && a < s.End(); a += a64.Size {
		const push = 0xf800_865e // STR X30, [X18], #8
		if insn, _ := w.Image.Word(a); insn == push {
			return true
		}
	}
	return false
}

// Unwinds is called where the code that runs calls callee. It says that no stack
// trace from there comes back to the caller of the function that was entered; ""
// if a stack trace does. That is so on x86-64, whose stack traces need no frame
// pointers.
func (w *World) Unwinds(callee string) string {
	if w.M == nil {
		return ""
	}
	fp := w.M.X[29]
	for range 16 {
		if fp == own|29 || fp%8 != 0 || fp < Stack || fp >= StackTop {
			break
		}
		fp, _ = w.M.Read64(fp)
	}
	if fp == own|29 {
		return ""
	}
	return fmt.Sprintf("no stack trace from its call of %s comes back to the caller: FP is %#x", callee, w.M.X[29])
}

// Misdeed says what code does that it must not, if the error of executing it
// proves that; "" if the error proves nothing: its cause may be something that the
// emulator does not know, or that the kernel sets up when it boots.
func (w *World) Misdeed(err error) string {
	var stop *emu.Stop
	if errors.Is(err, errStackSmashed) {
		return errStackSmashed.Error()
	}
	if !errors.As(err, &stop) || stop.Reason == emu.HookFailed || stop.Reason == emu.PageLimit {
		return ""
	}
	past, warned := w.ranPast(stop)
	switch {
	case past != "":
		return past + ": " + err.Error()
	case stop.Reason == emu.Break:
		if what := w.cpu.trap(stop); what != "" {
			return "comes to " + what + ": " + err.Error()
		}
	case stop.Reason == emu.Exception && !callsOut(stop.Word):
		return "raises an exception: " + err.Error()
	case stop.Reason == emu.Unpredictable:
		return "executes an instruction whose effect is left to the processor: " + err.Error()
	case stop.Reason == emu.Permission && stop.Access == emu.Write:
		return "writes where it must not: " + err.Error()
	case isPoison(stop.Addr), stop.Reason == emu.Unmapped && stop.Access != emu.Exec && (w.byLR(stop.Addr) || stop.Addr >= errorPointers):
		return "uses an address that it was not given: " + err.Error()
	case stop.Reason == emu.Unmapped && w.X != nil && userSpace(stop.Addr):
		return "uses an address of user space: " + err.Error()
	case stop.Reason == emu.Unmapped && w.X != nil && besideImage(stop.Addr):
		return "uses an address beside the kernel's image, where nothing is: " + err.Error()
	case stop.Reason == emu.Undefined && !warned:
		return "comes to a word that is not an instruction: " + err.Error()
	case stop.Reason == emu.Misaligned && stop.Addr == w.SP():
		return "uses a stack pointer that is not aligned: " + err.Error()
	case stop.Reason == emu.NoLandingPad:
		return "branches to where no landing pad is, in a kernel with BTI: " + err.Error()
	case stop.Reason == emu.BadSignature:
		return "checks a return address that it has not signed, or not with this stack pointer: " + err.Error()
	case stop.Access == emu.Exec && !w.calledNull(stop.Addr):
		return "goes where no code is: " + err.Error()
	}
	return ""
}

// userSpace reports whether addr is one of user space on x86-64, which kernel code uses by
// uaccess functions alone. Addresses that a pointer that is zero in the image leads to, and
// those of per-CPU data, which may begin at zero, are not.
func userSpace(addr uint64) bool { return 16<<20 <= addr && addr < 1<<47 }

// besideImage reports whether addr, which is not mapped, is one of those on x86-64 where the
// kernel has its image and its modules (Documentation/arch/x86/x86_64/mm.rst), or of the
// hole before. No pointer of the image leads there but into the image itself.
func besideImage(addr uint64) bool {
	return 0xffff_ffff_0000_0000 <= addr && addr < 0xffff_ffff_ff00_0000
}

// errorPointers is the first of the addresses that are error numbers, or next to one.
const errorPointers = ^uint64(0xffff)

// byLR reports whether an instruction that takes LR for an address comes to addr: a
// load or store goes at most 32 KiB from its base. A function may have signed its LR,
// which is an address in text if another function has called it.
func (w *World) byLR(addr uint64) bool {
	const reach = 32 << 10
	plain := emu.Stripped(addr)
	return plain-(emu.ReturnAddress-reach) < 2*reach || plain != addr && w.Image.IsText(plain)
}

// Astray is Misdeed for code that was given all memory that it may use, and of
// whose callees nothing is unknown: an access to other memory, and execution
// without end, prove that it goes wrong. In a kernel with KASAN they do not: that
// looks at shadow memory, which is not there.
func (w *World) Astray(err error) string {
	if proof := w.Misdeed(err); proof != "" {
		return proof
	}
	var stop *emu.Stop
	if _, kasan := w.Image.Addr("kasan_report"); kasan || !errors.As(err, &stop) {
		return ""
	}
	switch stop.Reason {
	case emu.Unmapped, emu.Permission, emu.Misaligned, emu.NoLandingPad, emu.Break, emu.StepLimit, emu.DepthLimit:
		return "does not return: " + err.Error()
	}
	return ""
}

// callsOut reports whether the instruction w, which raises an exception, is HVC or
// SMC: the kernel calls the hypervisor or the firmware by these. It dies of SVC, HLT
// and ERET.
func callsOut(w uint32) bool {
	const hvc, smc = 0xd4000002, 0xd4000003
	return w&0xffe0001f == hvc || w&0xffe0001f == smc
}

// ranPast says that execution went on behind the last instruction of a function,
// on the way to stop; "" if the Trail has no such place. warned reports whether it
// went on behind a BRK right before stop: where the bug table is not known, that
// may have been BUG(), behind which there need not be code.
func (w *World) ranPast(stop *emu.Stop) (past string, warned bool) {
	trail := w.Mem.Trail()
	for i, j := range trail {
		last := stop.PC
		if i+1 < len(trail) {
			if last = trail[i+1].From; last == 0 {
				continue // a Run ended in between
			}
		}
		warned = w.hasBreak(j.To, last)
		s, ok := w.Image.SymbolAt(j.To)
		if ok && s.Size > 0 && w.Image.IsText(j.To) && last >= s.End() && !warned {
			return fmt.Sprintf("runs past the end of %s, into %s", s.Name, w.Image.At(s.End())), false
		}
	}
	return "", warned
}

// hasBreak reports whether a BRK lies between two places.
func (w *World) hasBreak(from, to uint64) bool {
	for a := from; a < min(to, from+emu.PageSize); {
		_, in, ok := w.cpu.insn(a)
		switch {
		case !ok:
			return false
		case in.Flow == arch.Traps:
			return true
		}
		a += in.Size
	}
	return false
}

// lastJump is the Jump that led to the current PC, and the instruction that jumped in
// words, "" if none is there.
func (w *World) lastJump() (j emu.Jump, what string, flow arch.Flow) {
	trail := w.Mem.Trail()
	if len(trail) == 0 {
		return j, "", arch.GoesOn
	}
	j = trail[len(trail)-1]
	what, in, _ := w.cpu.insn(j.From)
	return j, what, in.Flow
}

// calledNull reports whether a branch to a register's address led to the first
// 64 KiB: of a pointer that is zero in the image, the kernel may have another
// value.
func (w *World) calledNull(addr uint64) bool {
	_, _, flow := w.lastJump()
	return (flow == arch.CallsAway || flow == arch.JumpsAway) && addr < 64<<10
}

// stray says that the call at pc goes into the middle of a function; "" if it does
// not. Compilers make no such call. If the symbol at target has no size, stray
// cannot tell and gives "".
func stray(im *elfscan.Image, pc, target uint64) string {
	s, ok := im.SymbolAt(target)
	if from, known := im.SymbolAt(pc); ok && known && sameFunction(from.Name, s.Name) {
		return ""
	}
	if !ok || s.Addr == target || s.Type != elf.STT_FUNC || s.Size == 0 || s.Addr <= pc && pc < s.End() {
		return ""
	}
	return fmt.Sprintf("calls %s from %s, which is not where a function begins", im.At(target), im.At(pc))
}

// sameFunction reports whether two symbols are parts of one function, of which the
// compiler puts what is seldom executed elsewhere.
func sameFunction(a, b string) bool {
	a, cold1 := strings.CutSuffix(a, ".cold")
	b, cold2 := strings.CutSuffix(b, ".cold")
	return a == b && (cold1 || cold2)
}

// straying is strays of fn, which is computed once.
func (w *World) straying(fn uint64) []string {
	found, ok := w.strays[fn]
	if !ok {
		found = strays(w.Image, fn)
		w.strays[fn] = found
	}
	return found
}

// strays are the stray calls of the function at fn, of the functions that it
// calls, and of the local functions that these call.
func strays(im *elfscan.Image, fn uint64) (found []string) {
	todo, seen := []uint64{fn}, map[uint64]bool{}
	for len(todo) > 0 && len(seen) < 64 {
		at := todo[0]
		s, ok := im.SymbolAt(at)
		todo = todo[1:]
		if !ok || seen[s.Addr] {
			continue
		}
		seen[s.Addr] = true
		for a := s.Addr; a < s.End(); {
			in, ok := im.Insn(a)
			if !ok {
				break
			}
			pc, target := a, in.Target
			if a += in.Size; in.Flow != arch.Calls && in.Flow != arch.Jumps {
				continue
			}
			if diff := stray(im, pc, target); diff != "" {
				found = append(found, diff)
			}
			if callee, ok := im.SymbolAt(target); ok && callee.Addr == target && callee.Type == elf.STT_FUNC &&
				(at == fn || callee.Bind == elf.STB_LOCAL) {
				todo = append(todo, target)
			}
		}
	}
	return found
}
