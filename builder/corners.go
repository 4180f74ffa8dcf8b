package builder

import (
	"fmt"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/emu"
)

// A module is what ftrace's functions are told of the module that a callsite
// is in: addresses of struct module, 0 for none.
type module struct {
	given uint64 // by the core, while it loads the module
	found uint64 // by __module_text_address()
}

// callOpsEn is the flag of a record whose callsite has ops of its own, bit 21
// of dyn_ftrace.flags ("ftrace: Add DYNAMIC_FTRACE_WITH_CALL_OPS").
const callOpsEn = 1 << 21

// Corners executes ftrace's functions on the callsite at entry in the
// situations that an ordinary life does not come to: what they call fails,
// the old word is another, flags differ; and, for a callsite of a module, the
// entry code is out of reach, so that they must go through the module's PLT,
// or refuse if there is none. untried says what could not be executed.
func (f *SiteFuncs) Corners(entry uint64, types *Types) (runs []SiteRun, untried string) {
	s := f.w.Image.SiteAs(entry, f.shape)
	defer f.strict()()
	f.failing(s, &runs)
	f.otherwise(s, &runs)
	switch {
	case f.shape == elfscan.ShapeMcount:
	case !types.HasModule:
		untried = "callsites of modules out of reach (no BTF tells of struct module and a PLT for ftrace; with --exhaustive DWARF is asked)"
	default:
		f.inModules(types.Module, &runs)
		f.loading(s, types, &runs)
	}
	f.aim = nil
	f.reset()
	f.w.Events = f.w.Events[:0]
	return runs, untried
}

// makers make instructions, in another file of the kernel than the functions
// that call them: those cannot know which registers they leave alone.
var makers = []string{"aarch64_insn_gen_branch_imm", "aarch64_insn_gen_nop", "aarch64_insn_gen_move_reg"}

// strict has the makers of instructions clobber what a call may, beside what
// they do. It returns what ends that.
func (f *SiteFuncs) strict() (end func()) {
	m := f.w.M
	var hooked []uint64
	for _, name := range makers {
		fn, ok := f.w.Image.Addr(name)
		if !ok || !f.w.Image.IsText(fn) {
			continue
		}
		hooked = append(hooked, fn)
		var hook emu.Hook
		hook = func(m *emu.Machine) error {
			m.Hook(fn, nil)
			_, err := m.Call(fn)
			m.Hook(fn, hook)
			if err == nil {
				f.w.clobber()
			}
			return err
		}
		m.Hook(fn, hook)
	}
	return func() {
		for _, fn := range hooked {
			m.Hook(fn, nil)
		}
	}
}

// try runs body in a fresh world, on the callsite in state st.
func (f *SiteFuncs) try(runs *[]SiteRun, s elfscan.Site, st SiteState, body func(r *SiteRun)) {
	f.reset()
	f.w.Events = f.w.Events[:0]
	r := SiteRun{Site: s}
	r.must(f.write(s, st))
	r.must(f.w.M.Write64(f.rec+recIP, s.Call))
	body(&r)
	*runs = append(*runs, r)
}

// A siteCall is a call of one of the functions that an ordinary life has.
type siteCall struct {
	name     string
	fn       uint64
	from, to SiteState
	args     []uint64
}

func (f *SiteFuncs) siteCalls(s elfscan.Site) []siteCall {
	const nops = a64.NOP<<32 | a64.NOP
	built := SiteState{a64.NOP, a64.NOP, nops}
	if f.shape != elfscan.ShapeCallops {
		built.Literal = 0
	}
	blank, enabled := f.model(s, 0, f.nopOps), f.model(s, f.caller, f.listOps)
	var out []siteCall
	if f.initNop != 0 {
		out = append(out, siteCall{"ftrace_init_nop", f.initNop, built, blank, []uint64{0, f.rec}})
	}
	out = append(out, siteCall{"ftrace_make_call", f.makeCall, blank, enabled, []uint64{f.rec, f.caller}},
		siteCall{"ftrace_make_nop", f.makeNop, enabled, blank, []uint64{0, f.rec, f.caller}})
	if f.modifyCall != 0 {
		other := f.regsCaller
		if other == 0 {
			other = s.Call + 64<<10 // a direct trampoline
		}
		modified := f.model(s, other, f.listOps)
		out = append(out,
			siteCall{"ftrace_modify_call", f.modifyCall, enabled, modified, []uint64{f.rec, f.caller, other}},
			siteCall{"ftrace_modify_call", f.modifyCall, modified, enabled, []uint64{f.rec, other, f.caller}})
	}
	return out
}

// failing has what the functions call fail.
func (f *SiteFuncs) failing(s elfscan.Site, runs *[]SiteRun) {
	f.reset()
	for _, c := range f.siteCalls(s) {
		wrote := c.from // the literal is written first
		wrote.Literal = c.to.Literal
		for _, fail := range []struct {
			what  string
			names []string
			out   outcome
		}{
			{"the callsite cannot be read", []string{"aarch64_insn_read"}, cannotRead},
			{"the callsite cannot be written", []string{"aarch64_insn_patch_text_nosync", "aarch64_insn_write"}, cannotWrite},
		} {
			f.try(runs, s, c.from, func(r *SiteRun) {
				f.w.Fail = map[string]int{}
				for _, name := range fail.names {
					f.w.Fail[name] = failAll
				}
				f.step(r, c.name, fail.what, c.fn, wrote, fail.out, c.args...)
			})
		}
	}
}

// otherwise has callsites, records and addresses that differ from those of an
// ordinary life.
func (f *SiteFuncs) otherwise(s elfscan.Site, runs *[]SiteRun) {
	f.reset()
	calls := f.siteCalls(s)
	for _, c := range calls {
		f.try(runs, s, c.from, func(r *SiteRun) {
			f.step(r, c.name, "", c.fn, c.to, success, c.args...)
		})
		// One bit of the old word differs.
		from, want := c.from, c.from
		want.Literal = c.to.Literal
		old, now := &from.Second, &want.Second
		if c.fn == f.initNop {
			old, now = &from.First, &want.First
		}
		*old ^= 1
		*now = *old
		f.try(runs, s, from, func(r *SiteRun) {
			f.step(r, c.name, "another word stands there", c.fn, want, refusal, c.args...)
		})
	}
	// A target that the core has not enabled.
	enabled, near := f.model(s, f.caller, f.listOps), s.Call+128<<10
	f.try(runs, s, enabled, func(r *SiteRun) {
		want := enabled
		want.Literal = f.model(s, 0, f.nopOps).Literal
		f.step(r, "ftrace_make_nop", "the callsite calls another address", f.makeNop, want, refusal, 0, f.rec, near)
	})
	if f.modifyCall != 0 {
		f.try(runs, s, enabled, func(r *SiteRun) {
			f.step(r, "ftrace_modify_call", "the callsite calls another address", f.modifyCall, enabled, refusal, f.rec, near, f.caller)
		})
	}
	if f.shape != elfscan.ShapeCallops {
		return
	}
	blank := f.model(s, 0, f.nopOps)
	if f.routes(s) {
		f.farDirect(s, runs)
	}
	for _, flags := range []struct {
		what       string
		flags, ops uint64
		unique     bool // ftrace_find_unique_ops() finds some
	}{
		{"all flags but CALL_OPS_EN", 0xffff_ffff &^ callOpsEn, f.listOps, true},
		{"CALL_OPS_EN alone", callOpsEn, f.fakeOps, true},
		{"CALL_OPS_EN, but no ops are found", callOpsEn, f.listOps, false},
	} {
		for _, c := range calls {
			if c.fn != f.makeCall && c.fn != f.modifyCall {
				continue
			}
			f.try(runs, s, c.from, func(r *SiteRun) {
				if !flags.unique {
					f.uniqueOps = 0
				}
				r.must(f.w.M.Write64(f.rec+recFlags, flags.flags))
				want, out := c.to, success
				want.Literal, out.warns, out.orNull = flags.ops, !flags.unique, !flags.unique
				f.step(r, c.name, "flags: "+flags.what, c.fn, want, out, c.args...)
			})
		}
	}
	// The core takes 0 for an entry to skip.
	for _, off := range []uint64{1, 2, 4} {
		for mayWarn := range uint32(2) {
			f.try(runs, s, blank, func(r *SiteRun) {
				f.mayWarn = mayWarn
				f.adjusts(r, s.Entry+off, 0, fmt.Sprintf("an entry %d bytes into the literal", off))
			})
		}
	}
}

// farDirect calls the functions with a direct trampoline that the callsite does
// not reach, beyond either end of BL's range: ftrace_caller, which it does, goes
// there by ops->direct_call ("arm64: ftrace: Add direct call support").
func (f *SiteFuncs) farDirect(s elfscan.Site, runs *[]SiteRun) {
	for _, d := range []int64{128 << 20, -128<<20 - 4, 1 << 30} {
		far := s.Call + uint64(d)
		special := fmt.Sprintf("a direct trampoline %+#x bytes away", d)
		blank, enabled := f.model(s, 0, f.nopOps), f.model(s, f.caller, f.listOps)
		f.try(runs, s, blank, func(r *SiteRun) {
			_ = f.step(r, "ftrace_make_call", special, f.makeCall, enabled, success, f.rec, far) &&
				(f.modifyCall == 0 || f.step(r, "ftrace_modify_call", special, f.modifyCall, enabled, success, f.rec, far, f.caller) &&
					f.step(r, "ftrace_modify_call", special, f.modifyCall, enabled, success, f.rec, f.caller, far)) &&
				f.step(r, "ftrace_make_nop", special, f.makeNop, blank, success, 0, f.rec, far)
		})
	}
}

// inModules puts callsites where modules can be: at the borders of reach and
// beyond.
func (f *SiteFuncs) inModules(l ModuleLayout, runs *[]SiteRun) {
	const far = 1 << 30
	var calls []uint64
	targets := []uint64{f.caller}
	if f.regsCaller != 0 {
		targets = append(targets, f.regsCaller)
	}
	for _, target := range targets {
		for _, d := range Borders {
			if d != 0 {
				calls = append(calls, target-uint64(d))
			}
		}
	}
	calls = append(calls, f.caller-far, f.caller+far)
	for i, call := range calls {
		f.inModule(runs, call, l, func(r *SiteRun, special string) {
			if i == len(calls)-1 {
				f.busy(r)
				special += ", with preemption off"
			}
			f.life(r, special)
		})
	}

	if f.regsCaller != 0 { // a life begins with ftrace_caller, and goes on with this
		f.inModule(runs, f.caller-far, l, func(r *SiteRun, special string) {
			all := f.model(r.Site, f.regsCaller, f.listOps)
			plain := f.model(r.Site, f.caller, f.listOps)
			none := f.model(r.Site, 0, f.nopOps)
			r.must(f.write(r.Site, none))
			ok := f.step(r, "ftrace_make_call", special, f.makeCall, all, success, f.rec, f.regsCaller)
			if ok && f.modifyCall != 0 {
				near := r.Site.Call + 4096
				direct := f.model(r.Site, near, f.listOps)
				ok = f.step(r, "ftrace_modify_call", special, f.modifyCall, plain, success, f.rec, f.regsCaller, f.caller) &&
					f.step(r, "ftrace_modify_call", special, f.modifyCall, all, success, f.rec, f.caller, f.regsCaller) &&
					f.step(r, "ftrace_modify_call", special, f.modifyCall, direct, success, f.rec, f.regsCaller, near) &&
					f.step(r, "ftrace_modify_call", special, f.modifyCall, all, success, f.rec, near, f.regsCaller)
			}
			if ok {
				f.step(r, "ftrace_make_nop", special, f.makeNop, none, success, 0, f.rec, f.regsCaller)
			}
		})
	}

	// While the module is loaded the core gives it, and it is not found yet.
	call := f.caller - far
	blank := func(r *SiteRun) SiteState { return f.model(r.Site, 0, f.nopOps) }
	enabled := func(r *SiteRun) SiteState { return f.model(r.Site, f.caller, f.listOps) }
	f.inModule(runs, call, l, func(r *SiteRun, special string) {
		f.mod.given, f.mod.found = f.mod.found, 0
		r.must(f.write(r.Site, enabled(r)))
		f.step(r, "ftrace_make_nop", special+" that is being loaded", f.makeNop, blank(r), success, f.mod.given, f.rec, f.caller)
	})

	// refused has make_call, and what follows it, refuse.
	refused := func(what string, prepare func(r *SiteRun)) {
		f.inModule(runs, call, l, func(r *SiteRun, special string) {
			special += ", " + what
			from := blank(r)
			r.must(f.write(r.Site, from))
			prepare(r)
			want := from
			want.Literal = f.model(r.Site, 0, f.listOps).Literal
			if !f.step(r, "ftrace_make_call", special, f.makeCall, want, refusal, f.rec, f.caller) {
				return
			}
			// What is made of an old address out of reach must not pass for
			// the old word.
			from.Second, want.Second = breakFault, breakFault
			r.must(f.write(r.Site, from))
			if !f.step(r, "ftrace_make_nop", special, f.makeNop, from, refusal, 0, f.rec, f.caller) || f.modifyCall == 0 {
				return
			}
			// Each of the two addresses on its own is enough to refuse.
			near := r.Site.Call + 4096
			if f.step(r, "ftrace_modify_call", special, f.modifyCall, want, refusal, f.rec, f.caller, near) {
				want.Second, _ = a64.EncodeBL(r.Site.Call, near)
				r.must(f.write(r.Site, want))
				f.step(r, "ftrace_modify_call", special, f.modifyCall, want, refusal, f.rec, near, f.caller)
			}
		})
	}
	word := func(r *SiteRun, off, v uint64) { r.must(f.w.M.Write64(f.mod.found+off, v)) }
	half := func(r *SiteRun, off uint64, v uint32) { r.must(f.w.M.Write32(f.mod.found+off, v)) }
	refused("which is not found", func(r *SiteRun) { f.mod.found = 0 })
	refused("which has no PLT", func(r *SiteRun) {
		word(r, l.PLT, 0)
		if l.HasInitPLT {
			word(r, l.InitPLT, 0)
		}
	})

	// An address that is neither entry point: in era callops ops leads there.
	if f.shape == elfscan.ShapeCallops || f.era == elfscan.EraRegs {
		f.inModule(runs, call, l, func(r *SiteRun, special string) {
			special += ", to a direct trampoline out of reach"
			r.must(f.write(r.Site, blank(r)))
			want, out := enabled(r), success
			if f.era == elfscan.EraRegs {
				want, out = blank(r), refusal
			}
			ok := f.step(r, "ftrace_make_call", special, f.makeCall, want, out, f.rec, f.caller+4096)
			if !ok || f.era != elfscan.EraRegs {
				return
			}
			// Nor may it pass for what its PLT leads to.
			on := enabled(r)
			r.must(f.write(r.Site, on))
			ok = f.step(r, "ftrace_make_nop", special, f.makeNop, on, refusal, 0, f.rec, f.caller+4096)
			if ok && f.modifyCall != 0 {
				_ = f.step(r, "ftrace_modify_call", special, f.modifyCall, on, refusal, f.rec, f.caller, f.caller+4096) &&
					f.step(r, "ftrace_modify_call", special, f.modifyCall, on, refusal, f.rec, f.caller+4096, f.caller)
			}
		})
	}
	f.inModule(runs, call, l, func(r *SiteRun, special string) {
		special += ", to a direct trampoline in reach"
		r.must(f.write(r.Site, blank(r)))
		near := r.Site.Call - 4096
		on, direct := enabled(r), f.model(r.Site, near, f.listOps)
		ok := f.step(r, "ftrace_make_call", special, f.makeCall, direct, success, f.rec, near)
		if ok && f.modifyCall != 0 {
			ok = f.step(r, "ftrace_modify_call", special, f.modifyCall, on, success, f.rec, near, f.caller) &&
				f.step(r, "ftrace_modify_call", special, f.modifyCall, direct, success, f.rec, f.caller, near)
		}
		if ok {
			f.step(r, "ftrace_make_nop", special, f.makeNop, blank(r), success, 0, f.rec, near)
		}
	})
	if !l.HasInitPLT {
		return
	}

	// Init text has a PLT of its own; an address in neither text has none.
	for _, text := range []struct {
		what       string
		base, size uint64
		plt        uint64
	}{
		{"text", l.TextBase, l.TextSize, 0},
		{"init text", l.InitBase, l.InitSize, initPLT},
	} {
		place := func(r *SiteRun, base uint64, size uint32) {
			for _, off := range []uint64{l.TextSize, l.InitSize} {
				half(r, off, 0)
			}
			word(r, text.base, base)
			half(r, text.size, size)
		}
		for _, last := range []uint64{0, 4092} {
			f.inModule(runs, call, l, func(r *SiteRun, special string) {
				place(r, r.Site.Call-last, uint32(last)+1)
				f.aim = f.aims(r.Site, text.plt)
				f.life(r, fmt.Sprintf("%s, at the end of %#x bytes of its %s", special, last+1, text.what))
			})
		}
		refused("just behind its "+text.what, func(r *SiteRun) { place(r, r.Site.Call-4096, 4096) })
		refused("just before its "+text.what, func(r *SiteRun) { place(r, r.Site.Call+1, 4096) })
	}
}

// modPoison is in the upper bits of what struct module holds elsewhere.
const modPoison = 0x6d0d_0000_0000_0000

// busy fills thread_info, so that the preemption count, wherever it is, says
// that preemption is off, and each other member differs.
func (f *SiteFuncs) busy(r *SiteRun) {
	for i := range f.thread {
		f.thread[i] = byte(i)&^3 + 1
	}
	r.must(f.w.M.Write(taskBase, f.thread[:]))
}

// Distances in bytes from a module's callsite to its PLTs for ftrace.
const (
	pltAway = 64 << 10
	initPLT = 64 << 10 // from one to the other
)

// aims is what stands for a target at a callsite of a module: the target, if
// it is in reach, or its PLT.
func (f *SiteFuncs) aims(s elfscan.Site, away uint64) func(target uint64) uint64 {
	plt := s.Call + pltAway + away
	pltSize := f.pltSize
	return func(target uint64) uint64 {
		switch {
		case a64.ReachOf(a64.Call).Contains(a64.Offset(s.Call, target)):
			return target
		case target == f.regsCaller && f.regsCaller != 0:
			return plt + pltSize
		}
		return plt
	}
}

// inModule runs body on a callsite of a module, whose BL stands at call.
func (f *SiteFuncs) inModule(runs *[]SiteRun, call uint64, l ModuleLayout, body func(r *SiteRun, special string)) {
	s := elfscan.Site{Call: call, Entry: call - a64.Size, Func: call - a64.Size, Saved: -1, AtFunc: true, Text: true, OK: true}
	if f.shape == elfscan.ShapeCallops {
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
	r := SiteRun{Site: s}
	for a := s.Entry; a <= s.Call; a += a64.Size {
		r.must(m.Write32(a, a64.NOP))
	}
	if s.BTI {
		r.must(m.Write32(s.Func, a64.BTIc))
	}
	mod := f.w.New(l.Size)
	f.mod.found = mod
	for off := uint64(0); off+8 <= l.Size; off += 8 {
		r.must(m.Write64(mod+off, modPoison|off))
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
	f.pltSize = l.PLTSize
	f.aim = f.aims(s, 0)
	f.w.Events = f.w.Events[:0]
	body(&r, fmt.Sprintf("in a module, %+#x bytes from ftrace_caller", a64.Offset(f.caller, call)))
	*runs = append(*runs, r)
	f.aim = nil
}
