package world

import (
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/emu"
)

// A cpu is the processor of a World: what differs between architectures in calls by
// the C calling convention.
type cpu interface {
	reset()                                        // the machine, as before the first call
	enter()                                        // the registers of a fresh call, each with a value of its own
	call(fn uint64, args []uint64) (uint64, error) // a function, on the stack of a fresh call
	lost(fn uint64) []string                       // what fn, which has returned, does not give back to its caller, in words

	// Of a stand-in that runs: its arguments and its result, the call that called it,
	// and what it clobbers. flags is the value of all condition flags after it.
	arg(i int) uint64
	result() uint64
	setResult(v uint64)
	caller() uint64
	clobber(flags bool)

	// Call calls a function on the stack of the code that runs.
	Call(fn uint64, args ...uint64) (uint64, error)
	guard(on bool) // has indirect branches stop where there is no landing pad

	sp() uint64
	pagePerm(prot uint64) emu.Perm    // what a page may be used for, by its entry in the page table
	hook(addr uint64, f func() error) // makes f the stand-in for the function at addr; nil: none
	trap(stop *emu.Stop) string       // what the trap is that a call ended at, if the kernel dies of it
	insn(addr uint64) (what string, in arch.Insn, ok bool)
}

// processors make the processor of a World.
var processors = map[*arch.Arch]func(w *World){
	arch.ARM64: newA64,
	arch.X86:   newX64,
}
