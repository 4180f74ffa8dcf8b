package builder

import (
	"fmt"
	"slices"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/emu"
)

// fault notes what the function that runs does and must not, whatever it
// builds.
func (t *trampWorld) fault(pc uint64, format string, args ...any) {
	if len(t.faults) < maxDiffs {
		t.faults = append(t.faults, Diff{Kind: Misconduct, PC: pc, What: fmt.Sprintf(format, args...)})
	}
}

// opsNow are the words of the ops.
func (t *trampWorld) opsNow(r *TrampRun) []uint64 {
	var out []uint64
	for off := uint64(0); off < opsSize; off += 8 {
		v, err := t.M.Read64(t.ops + off)
		if err != nil && r.Err == nil {
			r.Err = err
		}
		out = append(out, v)
	}
	return out
}

// conduct judges what fn, called on the run's ops, did beside building: what
// it owes its caller, what it wrote to the ops and beyond the memory it asked
// for, and whether it left what is not its own alone.
func (t *trampWorld) conduct(r *TrampRun, fn uint64, before []uint64) {
	for _, m := range t.layout.core {
		if now, err := t.M.Read64(t.ops + m.off); err == nil && now != before[m.off/8] {
			t.fault(fn, "it changes ops->%s, which is the core's, from %#x to %#x", m.name, before[m.off/8], now)
		}
	}
	was := before[t.layout.flags/8]
	if other := (was ^ r.Flags) &^ t.layout.allocTramp; other != 0 {
		t.fault(fn, "it changes flags of the ops other than FTRACE_OPS_FL_ALLOC_TRAMP: %#x", other)
	}
	for i := range r.Events {
		e := &r.Events[i]
		switch e.Kind {
		case Store, Copy, Patch, PatchLiteral:
			if a := r.anyArea(e.Addr); a != nil && !e.Err && e.Addr+e.Size > a.Addr+a.Size {
				t.fault(e.PC, "it writes %d bytes at %#x, %d beyond the %#x bytes that it asked for", e.Size, e.Addr, e.Addr+e.Size-a.Addr-a.Size, a.Size)
			}
		case Protect:
			if a := r.anyArea(e.Addr); a == nil || e.Size > uint64(len(a.Perms))*emu.PageSize {
				t.fault(e.PC, "it calls %s() for %#x bytes at %#x, which are not all memory of its", e.Func, e.Size, e.Addr)
			}
		case ICache:
			if a := r.anyArea(e.Addr); e.Size != ^uint64(0) && (a == nil || e.Addr+e.Size > a.Addr+uint64(len(a.Perms))*emu.PageSize) && !t.Image.IsText(e.Addr) {
				t.fault(e.PC, "it calls %s() for %#x bytes at %#x, which are not all memory of its", e.Func, e.Size, e.Addr)
			}
		case Free:
			if a := r.anyArea(e.Addr); e.Addr != 0 && (a == nil || a.Addr != e.Addr) {
				t.fault(e.PC, "it frees %#x with %s(), which it has not allocated", e.Addr, e.Func)
			}
		case Trap:
			switch r.Situation {
			case Near, Updated, GraphSwitched, Released, Rebuilt, Owned, OwnedFreed:
				t.fault(e.PC, "it warns (brk #%#x), though nothing is amiss", e.Value)
			}
		}
	}
	if (r.Situation == Near || r.Situation == Rebuilt) && r.Trampoline == 0 {
		if i := slices.IndexFunc(r.Events, func(e Event) bool { return e.Kind == Alloc }); i >= 0 {
			t.fault(r.Events[i].PC, "it asks for %#x bytes of memory, and makes no trampoline, though all is in reach and nothing fails", r.Events[i].Size)
		}
	}
	trampoline, size := before[t.layout.trampoline/8], before[t.layout.size/8]
	switch r.Situation {
	case Owned, OwnedFreed:
		if r.Trampoline != trampoline || r.Size != size || r.Flags != was {
			t.fault(fn, "it changes trampoline, trampoline_size or flags of an ops whose trampoline is its owner's (it has no FTRACE_OPS_FL_ALLOC_TRAMP)")
		}
		if i := slices.IndexFunc(r.Events, func(e Event) bool { return e.Kind != ReadInsn && e.Kind != Gen && e.Kind != Trap }); i >= 0 {
			t.fault(r.Events[i].PC, "of an ops whose trampoline is its owner's (it has no FTRACE_OPS_FL_ALLOC_TRAMP): %s", r.Events[i].InWords(t.Image))
		}
	case Updated, GraphSwitched, FarUpdate, BadUpdate, AlienUpdate:
		if r.Trampoline != trampoline && r.Trampoline != 0 && r.anyArea(r.Trampoline) == nil {
			t.fault(fn, "called again, it leaves %#x in ops->trampoline, which is no memory of its", r.Trampoline)
		}
		for i := range r.Areas {
			if a := &r.Areas[i]; !a.Freed && !a.Contains(r.Trampoline) {
				t.fault(fn, "called again, it leaves %#x bytes at %#x allocated that no ops leads to", a.Size, a.Addr)
			}
		}
	case Released:
		if a := r.anyArea(trampoline); a != nil && !a.Freed {
			t.fault(fn, "it does not free the trampoline at %#x", trampoline)
		}
		if r.Trampoline != 0 {
			t.fault(fn, "it leaves %#x in ops->trampoline, which is freed: the next update writes there", r.Trampoline)
		}
	}
	r.Diffs = append(r.Diffs, t.faults...)
}

// anyArea is the memory that addr lies in, freed or not.
func (r *TrampRun) anyArea(addr uint64) *CodeArea {
	for i := len(r.Areas) - 1; i >= 0; i-- {
		if r.Areas[i].Contains(addr) {
			return &r.Areas[i]
		}
	}
	return nil
}

// Warns tells whether the builder has warned.
func (r *TrampRun) Warns() bool {
	return slices.ContainsFunc(r.Events, func(e Event) bool { return e.Kind == Trap })
}

// Kept tells whether the slot of ftrace_call still has what calls the callback
// before the update.
func (r *TrampRun) Kept() bool {
	w, ok := r.Word(r.CallAt)
	bl, err := a64.EncodeBL(r.CallAt, r.Was)
	return ok && err == nil && w == bl
}
