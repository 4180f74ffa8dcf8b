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

// Call calls a function of the image with the stack of a fresh call; registers
// beyond the arguments are as they stand. An error says why no verdict is possible: its text names the place.
func (w *World) Call(fn uint64, args ...uint64) (uint64, error) {
	w.M.SP = StackTop
	v, err := w.M.Call(fn, args...)
	if err != nil {
		return 0, w.Explain(err)
	}
	return v, nil
}

// Explain says where in the image an emulator's error happened, and of an error
// at what is no code, which branch led there.
func (w *World) Explain(err error) error {
	var stop *emu.Stop
	if !errors.As(err, &stop) {
		return err
	}
	if n := w.Image.Name(stop.PC); n != "" {
		err = fmt.Errorf("%w (%s)", err, n)
	}
	if j, kind := w.lastJump(); (stop.Access == emu.Exec || stop.Reason == emu.Undefined) && j.To == stop.PC && kind != a64.Other {
		err = fmt.Errorf("%w, where the %v at %s goes", err, kind, w.Image.At(j.From))
	}
	return err
}

// Execute executes the subject on the stack of a fresh call, with a value of
// its own in every register that is no argument, and notes as Faults what no
// function may do: it loses registers of its caller, calls between functions,
// breaks the chain of frame records, uses what holds nothing, writes to what is
// not its own, or ends in the stack protector. returned is false if such a
// fault ended it. An error says why no verdict is possible.
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
	for _, what := range w.lost(s.Fn) {
		w.Fault(s.Fn, "%s", what)
	}
	return ret, true, nil
}

// What every C function owes its caller, whatever it is for (AAPCS64, 6.1 and
// 6.4; Documentation/arch/arm64, frame records): what is looked at around each
// call of a function that is executed.

// Marks are the upper 16 bits of addresses of nothing, which tell where code
// has them from: its stack before it wrote there, members of the task, or
// members of another object that are not its to use.
const (
	StackMark  = 0x57ac
	TaskMark   = 0x7a5c
	ObjectMark = 0x6d0d
)

// own is in the upper half of registers that hold nothing a function may use.
const own = 0x5afe_0000_5afe_0000

// Poison is size bytes whose every 8 are an address of nothing, with mark
// in its upper bits.
func Poison(addr uint64, size int, mark uint64) []byte {
	b := make([]byte, size)
	for i := 0; i < size; i += 8 {
		binary.LittleEndian.PutUint64(b[i:], mark<<48|(addr+uint64(i))&0xffff_ffff)
	}
	return b
}

// isPoison reports whether an address was made of something that a function
// must not use: a register that holds nothing for it or was clobbered, its
// stack before it wrote to it, another member of the task or the module.
func isPoison(addr uint64) bool {
	switch addr >> 48 {
	case own >> 48, clobbered >> 48, StackMark, TaskMark, ObjectMark:
		return true
	}
	return false
}

// unwritten reports whether the word v on the stack is what Enter put there.
func unwritten(addr uint64, v uint32) bool {
	poison := Poison(addr&^7, 8, StackMark)
	return v == binary.LittleEndian.Uint32(poison[addr&4:])
}

// stackPoison is what lies below the stack pointer when a function is entered.
var stackPoison = Poison(StackTop-512, 512, StackMark)

// Enter makes the state of a fresh call: a value of its own in every register
// that is no argument, and below the stack pointer what nobody wrote.
func (w *World) Enter() {
	m := w.M
	_ = m.Write(StackTop-uint64(len(stackPoison)), stackPoison) // mapped by Reset
	for i := range m.X {
		m.X[i] = own | uint64(i)
	}
	m.SP, m.X[18] = StackTop, scs
	m.N, m.Z, m.C, m.V = true, false, true, false
}

// lost is what the function fn, which was entered and has returned, does not
// give back.
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

// hasSCS reports whether X18 is reserved for the shadow call stack: in a kernel
// that has one, or where fn itself pushes LR there. Elsewhere it is a register
// that any function may use.
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

// Unwinds says, at a call of a function, that no stack trace from there comes
// back to the caller of what was entered; "" if it does.
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

// Misdeed is what an error of executing code proves that it does and must not;
// "" if it proves nothing: the error may come of what the emulator does not
// know, or of what the kernel sets up when it boots.
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
	case stop.Reason == emu.Permission && stop.Access == emu.Write:
		return "writes where it must not: " + err.Error()
	case isPoison(stop.Addr):
		return "uses what holds nothing for it: " + err.Error()
	case stop.Reason == emu.Undefined && !warned:
		return "comes to what is no instruction: " + err.Error()
	case stop.Reason == emu.Misaligned && stop.Addr == w.M.SP:
		return "uses a stack pointer that is not aligned: " + err.Error()
	case stop.Access == emu.Exec && !w.calledNull(stop.Addr):
		return "goes where no code is: " + err.Error()
	}
	return ""
}

// ranPast says that execution went on behind the last instruction of a function,
// on the way to stop; "" if the Trail has no such place. warned reports that it
// has gone on behind a BRK right before stop: where the bug table is not known,
// that may have been BUG(), behind which there need be no code.
func (w *World) ranPast(stop *emu.Stop) (past string, warned bool) {
	trail := w.M.Trail()
	for i, j := range trail {
		last := stop.PC
		if i+1 < len(trail) {
			if last = trail[i+1].From; last == 0 {
				continue // a Run ended in between
			}
		}
		warned = w.hasBreak(j.To, last)
		s, ok := w.Image.SymbolAt(j.To)
		if ok && s.Size > 0 && last >= s.End() && !warned {
			return fmt.Sprintf("runs past the end of %s, into %s", s.Name, w.Image.At(s.End())), false
		}
	}
	return "", warned
}

// hasBreak reports whether a BRK lies between two places.
func (w *World) hasBreak(from, to uint64) bool {
	for a := from; a < min(to, from+emu.PageSize); a += a64.Size {
		if insn, err := w.M.Read32(a); err == nil && a64.Classify(insn) == a64.Break {
			return true
		}
	}
	return false
}

// lastJump is the Jump that led to the current PC.
func (w *World) lastJump() (j emu.Jump, kind a64.Kind) {
	trail := w.M.Trail()
	if len(trail) == 0 {
		return j, a64.Other
	}
	j = trail[len(trail)-1]
	insn, err := w.M.Read32(j.From)
	if err != nil {
		return j, a64.Other
	}
	return j, a64.Classify(insn)
}

// calledNull reports whether a branch to a register's address led to the first
// 64 KiB: of a pointer that is zero in the image, the kernel may have another
// value.
func (w *World) calledNull(addr uint64) bool {
	_, kind := w.lastJump()
	return (kind == a64.BR || kind == a64.BLR) && addr < 64<<10
}

// stray says that the branch at pc goes into a function behind its entry, or
// between two; "" if it does not. Compilers make no such call. Of code whose
// symbols have no size nothing is known.
func stray(im *elfscan.Image, pc, target uint64) string {
	s, ok := im.SymbolAt(target)
	if !ok || s.Addr == target || s.Type != elf.STT_FUNC || s.Size == 0 || s.Addr <= pc && pc < s.End() {
		return ""
	}
	return fmt.Sprintf("calls %s from %s, which is not where a function begins", im.At(target), im.At(pc))
}

// straying are the strays of fn; they are looked for once.
func (w *World) straying(fn uint64) []string {
	found, ok := w.strays[fn]
	if !ok {
		found = strays(w.Image, fn)
		w.strays[fn] = found
	}
	return found
}

// strays are the stray calls of the function at fn, of those that it calls, and
// of the local functions that these call.
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
			if callee, ok := im.SymbolAt(target); ok && callee.Addr == target && (at == fn || callee.Bind == elf.STB_LOCAL) && callee.Type == elf.STT_FUNC {
				todo = append(todo, target)
			}
		}
	}
	return found
}
