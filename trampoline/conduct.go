package trampoline

import (
	"fmt"
	"slices"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/world"
)

// opsNow are the 64-bit words of the ops.
func (t *builder) opsNow(r *Run) []uint64 {
	var out []uint64
	for off := uint64(0); off < callsite.OpsSize; off += 8 {
		v, err := t.Mem.Read64(t.ops + off)
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
	bad := func(pc uint64, what string, facts ...string) {
		r.Diffs = append(r.Diffs, Diff{Kind: Misconduct, PC: pc, What: "the builder " + what, Facts: facts})
	}
	for _, f := range t.Faults {
		bad(f.PC, f.What)
	}
	for _, m := range t.members.core {
		if now, err := t.Mem.Read64(t.ops + m.off); err == nil && now != before[m.off/8] {
			bad(fn, fmt.Sprintf("changes ops->%s, which is the core's", m.name), fmt.Sprintf("from %#x to %#x", before[m.off/8], now))
		}
	}
	if t.fill {
		t.keeps(before, bad)
	}
	was := before[t.members.flags/8]
	if other := (was ^ r.Flags) &^ t.members.allocTramp; other != 0 {
		bad(fn, "changes flags of the ops other than FTRACE_OPS_FL_ALLOC_TRAMP", fmt.Sprintf("it changes the bits %#x", other))
	}
	for i := range r.Events {
		e := &r.Events[i]
		switch e.Kind {
		case world.Store, world.Copy, world.Patch, world.PatchLiteral:
			if a := r.anyArea(e.Addr); a != nil && !e.Err && e.Addr+e.Size > a.Addr+a.Size {
				bad(e.PC, "writes beyond the memory that it asked for",
					fmt.Sprintf("it asked for %#x bytes and writes %s at %#x, %d too far", a.Size, plural.Of(e.Size, "byte"), e.Addr, e.Addr+e.Size-a.Addr-a.Size))
			}
		case world.Protect:
			if a := r.anyArea(e.Addr); a == nil || e.Size > uint64(len(a.Perms))*emu.PageSize {
				bad(e.PC, fmt.Sprintf(notAllocated, e.Func), fmt.Sprintf("the call is for %#x bytes at %#x", e.Size, e.Addr))
			}
		case world.ICache:
			a := r.anyArea(e.Addr)
			outside := a == nil || e.Addr+e.Size > a.Addr+uint64(len(a.Perms))*emu.PageSize
			if e.Size != ^uint64(0) && outside && !t.Image.IsText(e.Addr) {
				bad(e.PC, fmt.Sprintf(notAllocated, e.Func), fmt.Sprintf("the call is for %#x bytes at %#x", e.Size, e.Addr))
			}
		case world.Free:
			if a := r.anyArea(e.Addr); e.Addr != 0 && (a == nil || a.Addr != e.Addr) {
				bad(e.PC, "frees memory that it has not allocated", fmt.Sprintf("%s() is called for %#x", e.Func, e.Addr))
			}
		case world.Trap:
			switch r.Situation {
			case Near, Updated, GraphSwitched, Released, Rebuilt, Owned, OwnedFreed:
				bad(e.PC, "warns though nothing is wrong", "it does: "+e.InWords(t.Image))
			}
		}
	}
	if (r.Situation == Near || r.Situation == Rebuilt) && r.Trampoline == 0 && !r.Died {
		if i := slices.IndexFunc(r.Events, func(e world.Event) bool { return e.Kind == world.Alloc }); i >= 0 {
			bad(r.Events[i].PC, "makes no trampoline though nothing fails", fmt.Sprintf("it asks for %#x bytes of memory, and everything is in reach", r.Events[i].Size))
		}
	}
	trampoline, size := before[t.members.trampoline/8], before[t.members.size/8]
	switch r.Situation {
	case Owned, OwnedFreed:
		if r.Trampoline != trampoline || r.Size != size || r.Flags != was {
			bad(fn, "changes an ops whose trampoline is its owner's", "the ops has no FTRACE_OPS_FL_ALLOC_TRAMP", "changed is trampoline, trampoline_size or flags")
		}
		if i := slices.IndexFunc(r.Events, func(e world.Event) bool {
			return e.Kind != world.ReadInsn && e.Kind != world.Gen && e.Kind != world.Trap
		}); i >= 0 {
			bad(r.Events[i].PC, "acts on an ops whose trampoline is its owner's", "the ops has no FTRACE_OPS_FL_ALLOC_TRAMP", "the builder does: "+r.Events[i].InWords(t.Image))
		}
	case Updated, GraphSwitched, FarUpdate, BadUpdate, AlienUpdate:
		if r.Trampoline != trampoline && r.Trampoline != 0 && r.anyArea(r.Trampoline) == nil {
			bad(fn, "leaves ops->trampoline outside its memory when it is called again", fmt.Sprintf("ops->trampoline is %#x", r.Trampoline))
		}
		for i := range r.Areas {
			if a := &r.Areas[i]; !a.Freed && !a.Contains(r.Trampoline) {
				bad(fn, "leaks memory when it is called again", fmt.Sprintf("no ops leads to the %#x bytes at %#x any more", a.Size, a.Addr))
			}
		}
	case Released:
		if a := r.anyArea(trampoline); a != nil && !a.Freed {
			bad(fn, "does not free the trampoline of an ops that is released", fmt.Sprintf("the trampoline is at %#x", trampoline))
		}
		if r.Trampoline != 0 {
			bad(fn, "leaves a freed trampoline in ops->trampoline", fmt.Sprintf("ops->trampoline is %#x: the next update writes there", r.Trampoline))
		}
	}
}

// keeps judges the members of the ops that no builder has a name for.
func (t *builder) keeps(before []uint64, bad func(pc uint64, what string, facts ...string)) {
	for i, was := range before {
		off := uint64(i) * 8
		switch off {
		case t.members.fn, t.members.flags, t.members.trampoline, t.members.size:
			continue
		}
		if now, err := t.Mem.Read64(t.ops + off); err == nil && now != was && !slices.ContainsFunc(t.members.core, func(m opsMember) bool { return m.off == off }) {
			bad(t.all.Builder, fmt.Sprintf("changes the ops at +%#x, which is the core's", off), fmt.Sprintf("from %#x to %#x", was, now))
		}
	}
}

// notAllocated is the text of a fault: a function is called for memory that the
// builder has not allocated.
const notAllocated = "calls %s() for memory that it has not allocated"

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
