// Package trampoline is about ftrace's dynamic trampolines. It executes the image's
// builder of trampolines in many situations, and compares each trampoline with the
// model of the one that a correct builder makes.
package trampoline

import (
	"slices"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/entry"
	"github.com/ftlint/ftlint/world"
)

// A Run is the image's builder, executed once.
type Run struct {
	Case
	Ops, Func uint64 // addresses of the ftrace_ops and of its callback
	Was       uint64 // if Situation.Then is Update: address of the callback before
	Err       error  // not nil: it did not run to its end, and there is no verdict
	Died      bool   // it did not return, because of one of Diffs

	Product
	Numbers world.Trace
	made    map[int]world.Parts // of the instructions that were stored, by index in Events
	Diffs   []Diff              // from the model
	before  []world.Event       // in runs that follow Near: the Events of that run

	Execution
}

// A Product is the result of executing a builder.
type Product struct {
	Events                  []world.Event
	Areas                   []world.Area
	Trampoline, Size, Flags uint64 // members of the ftrace_ops
	AllocTramp              bool   // Flags has FTRACE_OPS_FL_ALLOC_TRAMP
	Literal                 uint64 // address that the trampoline loads X2 from, or should; 0 if not known
	CallAt, GraphAt         uint64 // addresses of its slots; 0 if not known
	Code                    uint64 // size of its code, return included, in bytes
}

// An Execution is the result of executing the trampoline. Runs in situations in
// which no trampoline can work have none.
type Execution struct {
	Executed        bool
	Called, Graphed bool      // the callback was called, ftrace_graph_caller was reached
	X2              uint64    // at the callback
	stop            *emu.Stop // why it did not come to its end; nil if it did
}

// Area is the memory that addr lies in, nil if there is none that is not freed.
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

// Writer is the last event that wrote to addr; nil if there is none.
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

// Copied is the address of the call that copied the template; 0 if there was none.
func (r *Run) Copied() uint64 {
	for _, events := range [][]world.Event{r.Events, r.before} {
		for i := range events {
			if e := &events[i]; e.Kind == world.Copy && !e.Err && e.Addr == r.Trampoline {
				return e.PC
			}
		}
	}
	return 0
}

// Built is the trampoline of the run, for execution in another World of the image;
// nil if the run has no trampoline.
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

// Results are the results of executing the image's builder in every Situation.
type Results struct {
	None     error  // a *world.Lack if the image has no builder
	Err      error  // not nil: the image has a builder, which could not be executed
	Builder  uint64 // address of arch_ftrace_update_trampoline
	Models   []*Model
	ModelErr error // why a model is missing; nil if none is
	Runs     []Run
	Cut      []Cut // situations in which the builder was not executed
}

// A Cut says in which situations the builder was not executed for a variant of the
// trampoline, or not with all failures, and why.
type Cut struct {
	Variant    string // as Case.Variant
	Situations []Situation
	Why        error
}

// cut adds to Cut, unless a run with fgraph in the other state was cut alike.
func (t *Results) cut(c Cut) {
	if !slices.ContainsFunc(t.Cut, func(o Cut) bool {
		return o.Variant == c.Variant && slices.Equal(o.Situations, c.Situations) && o.Why.Error() == c.Why.Error()
	}) {
		t.Cut = append(t.Cut, c)
	}
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
