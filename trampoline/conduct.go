package trampoline

import (
	"slices"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/world"
)

// opsNow are the 64-bit words of the ops.
func (t *builder) opsNow(r *Run) []uint64 {
	var out []uint64
	for off := uint64(0); off < callsite.OpsSize; off += 8 {
		v, err := t.M.Read64(t.ops + off)
		if err != nil && r.Err == nil {
			r.Err = err
		}
		out = append(out, v)
	}
	return out
}

// conduct judges what fn, called on the run's ops, did beside building: to its
// caller, to the ops, and to memory that it has not allocated. before are the
// words of the ops before the call.
func (t *builder) conduct(r *Run, fn uint64, before []uint64) {
	for _, m := range t.members.core {
		if now, err := t.M.Read64(t.ops + m.off); err == nil && now != before[m.off/8] {
			t.Fault(fn, "it changes ops->%s, which is the core's, from %#x to %#x", m.name, before[m.off/8], now)
		}
	}
	was := before[t.members.flags/8]
	if other := (was ^ r.Flags) &^ t.members.allocTramp; other != 0 {
		t.Fault(fn, "it changes flags of the ops other than FTRACE_OPS_FL_ALLOC_TRAMP: %#x", other)
	}
	for i := range r.Events {
		e := &r.Events[i]
		switch e.Kind {
		case world.Store, world.Copy, world.Patch, world.PatchLiteral:
			if a := r.anyArea(e.Addr); a != nil && !e.Err && e.Addr+e.Size > a.Addr+a.Size {
				t.Fault(e.PC, "it writes %d bytes at %#x, %d beyond the %#x bytes that it asked for", e.Size, e.Addr, e.Addr+e.Size-a.Addr-a.Size, a.Size)
			}
		case world.Protect:
			if a := r.anyArea(e.Addr); a == nil || e.Size > uint64(len(a.Perms))*emu.PageSize {
				t.Fault(e.PC, notAllocated, e.Func, e.Size, e.Addr)
			}
		case world.ICache:
			a := r.anyArea(e.Addr)
			outside := a == nil || e.Addr+e.Size > a.Addr+uint64(len(a.Perms))*emu.PageSize
			if e.Size != ^uint64(0) && outside && !t.Image.IsText(e.Addr) {
				t.Fault(e.PC, notAllocated, e.Func, e.Size, e.Addr)
			}
		case world.Free:
			if a := r.anyArea(e.Addr); e.Addr != 0 && (a == nil || a.Addr != e.Addr) {
				t.Fault(e.PC, "it frees %#x with %s(), which it has not allocated", e.Addr, e.Func)
			}
		case world.Trap:
			switch r.Situation {
			case Near, Updated, GraphSwitched, Released, Rebuilt, Owned, OwnedFreed:
				t.Fault(e.PC, "it warns (brk #%#x), though nothing is wrong", e.Value)
			}
		}
	}
	if (r.Situation == Near || r.Situation == Rebuilt) && r.Trampoline == 0 && !r.Died {
		if i := slices.IndexFunc(r.Events, func(e world.Event) bool { return e.Kind == world.Alloc }); i >= 0 {
			t.Fault(r.Events[i].PC, "it asks for %#x bytes of memory, and makes no trampoline, though everything is in reach and nothing fails", r.Events[i].Size)
		}
	}
	trampoline, size := before[t.members.trampoline/8], before[t.members.size/8]
	switch r.Situation {
	case Owned, OwnedFreed:
		if r.Trampoline != trampoline || r.Size != size || r.Flags != was {
			t.Fault(fn, "it changes trampoline, trampoline_size or flags of an ops whose trampoline is its owner's (it has no FTRACE_OPS_FL_ALLOC_TRAMP)")
		}
		if i := slices.IndexFunc(r.Events, func(e world.Event) bool {
			return e.Kind != world.ReadInsn && e.Kind != world.Gen && e.Kind != world.Trap
		}); i >= 0 {
			t.Fault(r.Events[i].PC, "called for an ops whose trampoline is its owner's (it has no FTRACE_OPS_FL_ALLOC_TRAMP), it does: %s", r.Events[i].InWords(t.Image))
		}
	case Updated, GraphSwitched, FarUpdate, BadUpdate, AlienUpdate:
		if r.Trampoline != trampoline && r.Trampoline != 0 && r.anyArea(r.Trampoline) == nil {
			t.Fault(fn, "called again, it leaves %#x in ops->trampoline, which is not in memory that it has allocated", r.Trampoline)
		}
		for i := range r.Areas {
			if a := &r.Areas[i]; !a.Freed && !a.Contains(r.Trampoline) {
				t.Fault(fn, "called again, it leaves %#x bytes at %#x allocated that no ops leads to", a.Size, a.Addr)
			}
		}
	case Released:
		if a := r.anyArea(trampoline); a != nil && !a.Freed {
			t.Fault(fn, "it does not free the trampoline at %#x", trampoline)
		}
		if r.Trampoline != 0 {
			t.Fault(fn, "it leaves %#x in ops->trampoline, which is freed: the next update writes there", r.Trampoline)
		}
	}
	for _, f := range t.Faults {
		r.Diffs = append(r.Diffs, Diff{Kind: Misconduct, PC: f.PC, What: f.What})
	}
}

// notAllocated is the text of a fault: a function is called for memory that the
// builder has not allocated.
const notAllocated = "it calls %s() for %#x bytes at %#x, not all of which it has allocated"

// anyArea is the memory that addr lies in, freed or not.
func (r *Run) anyArea(addr uint64) *world.Area {
	for i := len(r.Areas) - 1; i >= 0; i-- {
		if r.Areas[i].Contains(addr) {
			return &r.Areas[i]
		}
	}
	return nil
}

// Warns reports whether the builder has warned.
func (r *Run) Warns() bool {
	return slices.ContainsFunc(r.Events, func(e world.Event) bool { return e.Kind == world.Trap })
}

// Kept reports whether the slot of ftrace_call still calls the callback from before
// the update.
func (r *Run) Kept() bool {
	w, ok := r.Word(r.CallAt)
	bl, err := a64.EncodeBL(r.CallAt, r.Was)
	return ok && err == nil && w == bl
}
