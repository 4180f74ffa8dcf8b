package world

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ftlint/ftlint/a64"
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
	w.M.SP = StackTop
	v, err := w.M.Call(fn, args...)
	if err != nil {
		return 0, w.Explain(err)
	}
	return v, nil
}

// Explain adds to an error of the emulator the name of the place where it
// happened.
func (w *World) Explain(err error) error {
	var stop *emu.Stop
	if !errors.As(err, &stop) {
		return err
	}
	if n := w.Image.Name(stop.PC); n != "" {
		return fmt.Errorf("%w (%s)", err, n)
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
		if proof := misdeed(err); proof != "" {
			w.Fault(s.Fn, "%s", proof)
			return 0, false, nil
		}
		return 0, false, err
	}
	for _, what := range w.lost(s.Fn) {
		w.Fault(s.Fn, "%s", what)
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
	m := w.M
	_ = m.Write(StackTop-uint64(len(stackPoison)), stackPoison) // mapped by Reset
	for i := range m.X {
		m.X[i] = own | uint64(i)
	}
	m.SP, m.X[18] = StackTop, scs
	m.N, m.Z, m.C, m.V = true, false, true, false
}

// lost are the registers that the function fn, which was entered and has returned,
// does not give back, in words.
func (w *World) lost(fn uint64) (diffs []string) {
	m := w.M
	if m.X[18] != scs && w.hasSCS(fn) {
		diffs = append(diffs, "loses its caller's x18")
	}
	for i := 19; i < 30; i++ {
		if m.X[i] != own|uint64(i) {
			diffs = append(diffs, fmt.Sprintf("loses its caller's x%d", i))
		}
	}
	if m.SP != StackTop {
		diffs = append(diffs, fmt.Sprintf("leaves SP at %+d bytes", int64(m.SP-StackTop)))
	}
	return diffs
}

// hasSCS reports whether X18 is reserved for the shadow call stack: the kernel has
// one, or fn itself pushes LR there. Otherwise any function may use X18.
func (w *World) hasSCS(fn uint64) bool {
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
// if a stack trace does.
func (w *World) Unwinds(callee string) string {
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

// misdeed says what a function does that it must not, if the error of executing it
// proves that; "" if the error proves nothing.
func misdeed(err error) string {
	var stop *emu.Stop
	switch {
	case errors.Is(err, errStackSmashed):
		return errStackSmashed.Error()
	case errors.As(err, &stop) && stop.Reason == emu.Permission && stop.Access == emu.Write:
		return "writes where it must not: " + err.Error()
	case errors.As(err, &stop) && isPoison(stop.Addr):
		return "uses an address that it was not given: " + err.Error()
	}
	return ""
}

// stray says that the call at pc goes into the middle of a function; "" if it does
// not. Compilers make no such call. If the symbol at target has no size, stray
// cannot tell and gives "".
func stray(im *elfscan.Image, pc, target uint64) string {
	s, ok := im.SymbolAt(target)
	if !ok || s.Addr == target || s.Type != elf.STT_FUNC || s.Size == 0 || s.Addr <= pc && pc < s.End() {
		return ""
	}
	return fmt.Sprintf("calls %s from %s, which is not where a function begins", im.At(target), im.At(pc))
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
		for a := s.Addr; a < s.End(); a += a64.Size {
			w, _ := im.Word(a)
			target, ok := a64.Target(w, a)
			if kind := a64.Classify(w); !ok || kind != a64.Call && kind != a64.Branch {
				continue
			}
			if diff := stray(im, a, target); diff != "" {
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
