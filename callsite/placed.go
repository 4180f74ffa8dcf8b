package callsite

import (
	"fmt"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/world"
)

// farAway is the distance of a module that is out of BL reach, in bytes.
const farAway = 1 << 30

// A placed executes ftrace's functions on callsites of made-up modules, at
// addresses where modules can be.
type placed struct {
	f       *Executor
	members ModuleMembers
	runs    *[]Run
	call    uint64 // address of the BL of most callsites: out of reach
}

// all executes all cases.
func (p *placed) all() {
	p.everywhere()
	if p.f.fn.regsCaller != 0 {
		p.withRegs()
	}
	p.loaded()
	p.withoutPLT()
	if p.f.table.Era.Far != arch.FarUnknown {
		p.directFar()
	}
	p.directNear()
	if p.members.HasInitPLT {
		p.texts()
	}
}

// everywhere executes the life of callsites at the borders of reach and beyond.
func (p *placed) everywhere() {
	f := p.f
	var calls []uint64
	targets := []uint64{f.fn.caller}
	if f.fn.regsCaller != 0 {
		targets = append(targets, f.fn.regsCaller)
	}
	for _, target := range targets {
		for _, d := range BorderDistances {
			if d != 0 {
				calls = append(calls, target-uint64(d))
			}
		}
	}
	calls = append(calls, f.fn.caller-farAway, f.fn.caller+farAway)
	for i, call := range calls {
		p.at(call, func(r *Run, special string) {
			if i == len(calls)-1 {
				f.busy(r)
				special += ", with preemption off"
			}
			f.life(r, special)
		})
	}
}

// withRegs executes a life that begins with ftrace_regs_caller.
func (p *placed) withRegs() {
	f := p.f
	p.at(p.call, func(r *Run, special string) {
		all := f.model(r.Site, f.fn.regsCaller, f.ops.list)
		plain := f.model(r.Site, f.fn.caller, f.ops.list)
		none := f.model(r.Site, 0, f.ops.nop)
		r.must(f.write(r.Site, none))
		ok := f.step(r, "ftrace_make_call", special, f.fn.makeCall, all, success, f.rec, f.fn.regsCaller)
		if ok && f.fn.modifyCall != 0 {
			near := r.Site.Call + 4096
			direct := f.model(r.Site, near, f.ops.list)
			ok = f.step(r, "ftrace_modify_call", special, f.fn.modifyCall, plain, success, f.rec, f.fn.regsCaller, f.fn.caller) &&
				f.step(r, "ftrace_modify_call", special, f.fn.modifyCall, all, success, f.rec, f.fn.caller, f.fn.regsCaller) &&
				f.step(r, "ftrace_modify_call", special, f.fn.modifyCall, direct, success, f.rec, f.fn.regsCaller, near) &&
				f.step(r, "ftrace_modify_call", special, f.fn.modifyCall, all, success, f.rec, near, f.fn.regsCaller)
		}
		if ok {
			f.step(r, "ftrace_make_nop", special, f.fn.makeNop, none, success, notLoading, f.rec, f.fn.regsCaller)
		}
	})
}

// blank and enabled are the callsite of a run before and after
// ftrace_make_call().
func (p *placed) blank(r *Run) State   { return p.f.model(r.Site, 0, p.f.ops.nop) }
func (p *placed) enabled(r *Run) State { return p.f.model(r.Site, p.f.fn.caller, p.f.ops.list) }

// loaded calls ftrace_make_nop() while the module is being loaded: the core passes
// the module, and __module_text_address() does not find it yet.
func (p *placed) loaded() {
	f := p.f
	p.at(p.call, func(r *Run, special string) {
		f.mod.given, f.mod.found = f.mod.found, 0
		r.must(f.write(r.Site, p.enabled(r)))
		f.step(r, "ftrace_make_nop", special+" that is being loaded", f.fn.makeNop, p.blank(r), success, f.mod.given, f.rec, f.fn.caller)
	})
}

// refused executes the functions on a callsite that prepare has changed. All of
// them must refuse. what says the change in words.
func (p *placed) refused(what string, prepare func(r *Run)) {
	f := p.f
	p.at(p.call, func(r *Run, special string) {
		special += ", " + what
		from := p.blank(r)
		r.must(f.write(r.Site, from))
		prepare(r)
		want := from
		want.Literal = f.model(r.Site, 0, f.ops.list).Literal
		if !f.step(r, "ftrace_make_call", special, f.fn.makeCall, want, refusal, f.rec, f.fn.caller) {
			return
		}
		// For an old address out of reach, the maker of branches returns breakFault,
		// which must not count as the old word.
		from.Second, want.Second = breakFault, breakFault
		r.must(f.write(r.Site, from))
		if !f.step(r, "ftrace_make_nop", special, f.fn.makeNop, from, refusal, notLoading, f.rec, f.fn.caller) || f.fn.modifyCall == 0 {
			return
		}
		// One address out of reach is enough to refuse.
		near := r.Site.Call + 4096
		if f.step(r, "ftrace_modify_call", special, f.fn.modifyCall, want, refusal, f.rec, f.fn.caller, near) {
			want.Second, _ = a64.EncodeBL(r.Site.Call, near)
			r.must(f.write(r.Site, want))
			f.step(r, "ftrace_modify_call", special, f.fn.modifyCall, want, refusal, f.rec, near, f.fn.caller)
		}
	})
}

// word writes 64 bits and half 32 bits at an offset in struct module.
func (p *placed) word(r *Run, off, v uint64) { r.must(p.f.w.M.Write64(p.f.mod.found+off, v)) }
func (p *placed) half(r *Run, off uint64, v uint32) {
	r.must(p.f.w.M.Write32(p.f.mod.found+off, v))
}

// withoutPLT executes the functions on a callsite whose module, or its PLT, is not
// found.
func (p *placed) withoutPLT() {
	p.refused("which is not found", func(r *Run) { p.f.mod.found = 0 })
	p.refused("which has no PLT", func(r *Run) {
		p.word(r, p.members.PLT, 0)
		if p.members.HasInitPLT {
			p.word(r, p.members.InitPLT, 0)
		}
	})
}

// directFar passes a direct trampoline out of reach. In era callops the callsite
// must call ftrace_caller, which finds the trampoline by the ops.
func (p *placed) directFar() {
	f := p.f
	p.at(p.call, func(r *Run, special string) {
		special += ", to a direct trampoline out of reach"
		r.must(f.write(r.Site, p.blank(r)))
		want, out := p.enabled(r), success
		if f.table.Era.Far == arch.FarRefused {
			want, out = p.blank(r), refusal
		}
		ok := f.step(r, "ftrace_make_call", special, f.fn.makeCall, want, out, f.rec, f.fn.caller+4096)
		if !ok || f.table.Era.Far != arch.FarRefused {
			return
		}
		// Nor may the callsite's call of the PLT count as a call of the trampoline.
		on := p.enabled(r)
		r.must(f.write(r.Site, on))
		ok = f.step(r, "ftrace_make_nop", special, f.fn.makeNop, on, refusal, notLoading, f.rec, f.fn.caller+4096)
		if ok && f.fn.modifyCall != 0 {
			_ = f.step(r, "ftrace_modify_call", special, f.fn.modifyCall, on, refusal, f.rec, f.fn.caller, f.fn.caller+4096) &&
				f.step(r, "ftrace_modify_call", special, f.fn.modifyCall, on, refusal, f.rec, f.fn.caller+4096, f.fn.caller)
		}
	})
}

// directNear passes a direct trampoline in reach.
func (p *placed) directNear() {
	f := p.f
	p.at(p.call, func(r *Run, special string) {
		special += ", to a direct trampoline in reach"
		r.must(f.write(r.Site, p.blank(r)))
		near := r.Site.Call - 4096
		on, direct := p.enabled(r), f.model(r.Site, near, f.ops.list)
		ok := f.step(r, "ftrace_make_call", special, f.fn.makeCall, direct, success, f.rec, near)
		if ok && f.fn.modifyCall != 0 {
			ok = f.step(r, "ftrace_modify_call", special, f.fn.modifyCall, on, success, f.rec, near, f.fn.caller) &&
				f.step(r, "ftrace_modify_call", special, f.fn.modifyCall, direct, success, f.rec, f.fn.caller, near)
		}
		if ok {
			f.step(r, "ftrace_make_nop", special, f.fn.makeNop, p.blank(r), success, notLoading, f.rec, near)
		}
	})
}

// texts executes the life of callsites at the ends of text and init text, each of
// which has its own PLT. A callsite in neither has no PLT.
func (p *placed) texts() {
	f := p.f
	for _, text := range []struct {
		what       string
		base, size uint64
		plt        uint64
	}{
		{"text", p.members.TextBase, p.members.TextSize, 0},
		{"init text", p.members.InitBase, p.members.InitSize, initPLT},
	} {
		place := func(r *Run, base uint64, size uint32) {
			for _, off := range []uint64{p.members.TextSize, p.members.InitSize} {
				p.half(r, off, 0)
			}
			p.word(r, text.base, base)
			p.half(r, text.size, size)
		}
		for _, last := range []uint64{0, 4092} {
			p.at(p.call, func(r *Run, special string) {
				place(r, r.Site.Call-last, uint32(last)+1)
				f.aim = f.aims(r.Site, text.plt)
				f.life(r, fmt.Sprintf("%s, at the end of %#x bytes of its %s", special, last+1, text.what))
			})
		}
		p.refused("just behind its "+text.what, func(r *Run) { place(r, r.Site.Call-4096, 4096) })
		p.refused("just before its "+text.what, func(r *Run) { place(r, r.Site.Call+1, 4096) })
	}
}

// objectPoison is in the members of struct module that the functions must not use.
const objectPoison = world.ObjectMark << 48

// busy fills thread_info with words that differ and are not zero. The preemption
// count, wherever it is, then says that preemption is off.
func (f *Executor) busy(r *Run) {
	for i := range f.task.thread {
		f.task.thread[i] = byte(i)&^3 + 1
	}
	r.must(f.w.M.Write(world.Task, f.task.thread[:]))
}

// Distances in bytes from a module's callsite to its PLTs for ftrace.
const (
	pltAway = 64 << 10
	initPLT = 64 << 10 // from the PLT of text to that of init text
)

// aims gives the address that a callsite of a module must call to reach a target:
// the target, if that is in reach, or its PLT entry. away is the distance of the
// PLT from that of text, in bytes.
func (f *Executor) aims(s Site, away uint64) func(target uint64) uint64 {
	plt := s.Call + pltAway + away
	pltSize := f.plt
	return func(target uint64) uint64 {
		switch {
		case a64.ReachOf(a64.Call).Contains(a64.Offset(s.Call, target)):
			return target
		case target == f.fn.regsCaller && f.fn.regsCaller != 0:
			return plt + pltSize
		}
		return plt
	}
}

// at makes a callsite of a module whose BL stands at call, and runs body on it. It
// does nothing if the image is there.
func (p *placed) at(call uint64, body func(r *Run, special string)) {
	f, l := p.f, p.members
	s := Site{Call: call, Entry: call - a64.Size, Func: call - a64.Size, Saved: -1, AtFunc: true, Text: true, OK: true}
	if f.table.Shape.Literal != 0 {
		s.Entry -= 8
		if s.BTI = s.Entry%8 != 0; s.BTI {
			s.Entry -= a64.Size
			s.Func -= a64.Size
		}
	}
	for a := (s.Entry - 1) &^ (emu.PageSize - 1); a < s.Call+emu.PageSize; a += emu.PageSize {
		if _, taken := f.w.Image.SectionAt(a); taken {
			return // no module can be there
		}
	}
	f.reset()
	m := f.w.M
	m.Map(s.Entry&^(emu.PageSize-1), emu.PageSize*2, emu.Read|emu.Exec)
	r := Run{Site: s}
	for a := s.Entry; a <= s.Call; a += a64.Size {
		r.must(m.Write32(a, a64.NOP))
	}
	if s.BTI {
		r.must(m.Write32(s.Func, a64.BTIc))
	}
	mod := f.w.Object(l.Size)
	f.mod.found = mod
	for off := uint64(0); off+8 <= l.Size; off += 8 {
		r.must(m.Write64(mod+off, objectPoison|off))
	}
	r.must(m.Write64(mod+l.InitBase, call+1<<30))
	r.must(m.Write32(mod+l.InitSize, 4096))
	r.must(m.Write64(mod+l.TextBase, call&^(emu.PageSize-1)-emu.PageSize))
	r.must(m.Write32(mod+l.TextSize, 3*emu.PageSize))
	r.must(m.Write64(mod+l.PLT, call+pltAway))
	if l.HasInitPLT {
		r.must(m.Write64(mod+l.InitPLT, call+pltAway+initPLT))
	}
	r.must(m.Write64(f.rec+recIP, s.Call))
	f.plt = l.PLTSize
	f.aim = f.aims(s, 0)
	f.w.Events = f.w.Events[:0]
	body(&r, fmt.Sprintf("in a module, %+#x bytes from ftrace_caller", a64.Offset(f.fn.caller, call)))
	*p.runs = append(*p.runs, r)
	f.aim = nil
}
