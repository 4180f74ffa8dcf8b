// Package trampoline knows ftrace's dynamic trampolines: the model of what a
// correct builder makes, the image's own builder executed in many situations,
// and the differences between the two.
package trampoline

import (
	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/entry"
	"github.com/ftlint/ftlint/world"
)

// A Run is the image's builder, executed once.
type Run struct {
	Case
	Ops, Func uint64 // addresses of the ftrace_ops and of its callback
	Was       uint64 // Then Update: of the callback before
	Err       error  // why it did not run to its end: no verdict
	Died      bool   // it did not return, because of one of Diffs

	Product
	Numbers world.Trace
	made    map[int]world.Parts // of the instructions that were stored, by event
	Diffs   []Diff              // from the model
	before  []world.Event       // of building it, in runs that follow Near

	Execution
}

// A Product is what came of executing a builder.
type Product struct {
	Events                  []world.Event
	Areas                   []world.Area
	Trampoline, Size, Flags uint64 // members of the ftrace_ops
	AllocTramp              bool   // Flags has FTRACE_OPS_FL_ALLOC_TRAMP
	Literal                 uint64 // where the trampoline loads X2 from, or is to; 0 if not known
	CallAt, GraphAt         uint64 // where its slots are; 0 if not known
	Code                    uint64 // size of its code, return included, in bytes
}

// An Execution is what came of executing the trampoline, where it should work
// or may.
type Execution struct {
	Executed        bool
	Called, Graphed bool      // the callback was called, ftrace_graph_caller was reached
	X2              uint64    // at the callback
	stop            *emu.Stop // why it did not get to its end
}

// Area is the memory that addr lies in.
func (r *Run) Area(addr uint64) *world.Area {
	for i := range r.Areas {
		if !r.Areas[i].Freed && r.Areas[i].Contains(addr) {
			return &r.Areas[i]
		}
	}
	return nil
}

// Word is the word at addr in memory for code.
func (r *Run) Word(addr uint64) (w uint32, ok bool) {
	a := r.Area(addr)
	if a == nil || addr%a64.Size != 0 || addr-a.Addr+a64.Size > uint64(len(a.Bytes)) {
		return 0, false
	}
	b := a.Bytes[addr-a.Addr:]
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24, true
}

// Writer is the event that last wrote what is at addr; nil if none did.
func (r *Run) Writer(addr uint64) *world.Event {
	for _, events := range [][]world.Event{r.Events, r.before} {
		for i := len(events) - 1; i >= 0; i-- {
			e := &events[i]
			switch e.Kind {
			case world.Store, world.Copy, world.Patch, world.PatchLiteral:
				if !e.Err && addr-e.Addr < e.Size {
					return e
				}
			}
		}
	}
	return nil
}

// Built is the trampoline of the run, to be executed in another World of the
// image; nil if there is none.
func (r *Run) Built() *entry.Built {
	a := r.Area(r.Trampoline)
	if a == nil {
		return nil
	}
	return &entry.Built{
		Name:     "the trampoline of " + r.Variant(),
		Addr:     r.Trampoline,
		Code:     a.Bytes[min(r.Trampoline-a.Addr, uint64(len(a.Bytes))):],
		Ops:      r.Ops,
		Callback: r.Func,
		SaveRegs: r.Regs,
	}
}

// Results is what came of executing the image's builder of trampolines.
type Results struct {
	None    error  // there is no builder to execute: a *world.Lack
	Err     error  // there is one, and it could not be executed at all
	Builder uint64 // address of arch_ftrace_update_trampoline
	Models  []*Model
	// ModelErr says why there is no model to compare with, if there is none.
	ModelErr error
	Runs     []Run
}

// Model is the model of the run's trampoline, or nil.
func (t *Results) Model(r *Run) *Model {
	for _, m := range t.Models {
		if m.Regs == r.Regs {
			return m
		}
	}
	return nil
}
