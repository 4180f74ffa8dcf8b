package hook

import (
	"bytes"
	"fmt"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/world"
)

// recFlags is the offset of flags in struct dyn_ftrace, in bytes.
const recFlags = 8

// An entryCode is code that callsites call: a region of the entry code, or a copy of it.
type entryCode struct {
	start uint64 // address of the region
	call  slot   // of the callback, in it
}

// entries are the parts of the entry code with a call of the callback: that for all
// registers, and the other one. ok is false if one is missing.
func (x *executor) entries() (regs, plain entryCode, ok bool) {
	found := 0
	for _, region := range x.arch.Regions {
		start, ok := x.im.Addr(region.Start)
		for _, s := range region.Slots {
			call := x.slots(s.Label)
			if !ok || s.Is != arch.CallSlot || len(call) == 0 {
				continue
			}
			if found++; found == 1 {
				regs = entryCode{start, call[0]}
			} else {
				plain = entryCode{start, call[0]}
			}
		}
	}
	return regs, plain, found == 2
}

// trampolineFunc executes an architecture's arch_ftrace_trampoline_func(ops, rec), which
// finds the callback that the trampoline of an ops calls: what listings of callsites
// show. For a trampoline that the architecture has not made it returns NULL, for an ops
// without one the callback of the entry code that the record says is called. Where no
// call is, it returns NULL.
func (x *executor) trampolineFunc() {
	regs, plain, ok := x.entries()
	switch {
	case !ok:
		x.lacks("the image has no %v (FT101)", x.arch.CallSlots)
		return
	case !x.types.HasOps:
		x.lacks("the layout of struct ftrace_ops")
		return
	}
	_ = world.NewMemory(x.w) // its stand-ins copy from the slots
	o := x.types.Ops
	tramp := x.arch.Modules.Base + 1<<20
	const size = 2 * emu.PageSize
	for _, c := range []struct {
		text   string
		null   bool   // the ops is NULL
		flags  uint64 // of the ops
		tramp  uint64
		rec    uint64 // flags of the record
		entry  entryCode
		from   uint64 // where the code of entry is looked at; 0: nowhere
		isCall bool   // a call is in the slot
	}{
		{text: "there is no ops", null: true, rec: ^o.RegsEnabled, entry: plain, from: plain.start, isCall: true},
		{text: "there is no ops, and the callsite wants registers", null: true, rec: o.RegsEnabled, entry: regs, from: regs.start, isCall: true},
		{text: "the ops has no trampoline", flags: ^o.AllocTramp, rec: ^o.RegsEnabled, entry: plain, from: plain.start, isCall: true},
		{text: "the ops has no trampoline, and the callsite wants registers", rec: o.RegsEnabled, entry: regs, from: regs.start, isCall: true},
		{text: "the ops brings a trampoline of its own", flags: ^o.AllocTramp, tramp: tramp, entry: plain},
		{text: "the ops brings a trampoline of its own, and the callsite wants registers", flags: ^o.AllocTramp, tramp: tramp, rec: o.RegsEnabled, entry: plain},
		{text: "the ops has a trampoline", flags: ^o.SaveRegs, tramp: tramp, rec: o.RegsEnabled, entry: plain, from: tramp, isCall: true},
		{text: "the ops has a trampoline for registers", flags: o.AllocTramp | o.SaveRegs, tramp: tramp, entry: regs, from: tramp, isCall: true},
		{text: "no call is in the slot of the entry code", null: true, entry: plain, from: plain.start},
		{text: "no call is in the slot of the ops' trampoline", flags: ^o.SaveRegs, tramp: tramp, entry: plain, from: tramp},
		{text: "the trampoline cannot be read", flags: ^o.SaveRegs, tramp: tramp + 1<<20},
	} {
		for _, far := range []int64{x.arch.Call.Min, x.arch.Call.Max} {
			x.in(c.text, func() {
				m := x.w.Mem
				m.Map(tramp, size, emu.Read|emu.Exec)
				want, ops := uint64(0), x.ops
				for _, e := range []entryCode{regs, plain} { // other calls than the one that counts
					call, _ := x.arch.EncodeCall(e.call.addr, e.call.addr+64)
					x.must(m.Write(e.call.addr, call))
				}
				if c.from != 0 {
					at := c.from + c.entry.call.addr - c.entry.start
					code := bytes.Clone(x.arch.Nop)
					if c.isCall {
						want = at + uint64(far)
						code, _ = x.arch.EncodeCall(at, want)
					}
					x.must(m.Write(at, code))
				}
				if c.null {
					ops = 0
				}
				x.must(m.Write64(x.ops+o.Flags, c.flags))
				x.must(m.Write64(x.ops+o.Trampoline, c.tramp))
				x.must(m.Write64(x.rec+recFlags, c.rec))
				got, ok := x.call(ops, x.rec)
				if ok && got != want {
					x.diff("returns %s, %s was expected", x.orNull(got), x.orNull(want))
				}
				if ok && want != 0 {
					x.wroteNothing()
				}
			})
		}
	}
}

// orNull is a pointer in words.
func (x *executor) orNull(p uint64) string {
	if p == 0 {
		return "NULL"
	}
	return fmt.Sprintf("%#x", p)
}
