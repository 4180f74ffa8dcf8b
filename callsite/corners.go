package callsite

import (
	"fmt"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/world"
)

// modulePointers are the addresses of struct module that ftrace's functions get
// for the module of a callsite; 0: they get none.
type modulePointers struct {
	given uint64 // the argument of the core, while it loads the module
	found uint64 // the result of __module_text_address()
}

// notLoading is the module that the core gives ftrace_make_nop() to disable a
// callsite: none, for a callsite of a module too. The core gives the module only
// while it loads it, and in era mcount the old word may then be anything ("arm64:
// ftrace: fix module PLTs with mcount").
const notLoading = 0

// callOpsEn is bit 21 of dyn_ftrace.flags: the callsite has an ops of its own
// ("ftrace: Add DYNAMIC_FTRACE_WITH_CALL_OPS").
const callOpsEn = 1 << 21

// Corners executes ftrace's functions on the callsite at entry in situations that
// the life of a callsite does not have. The functions that they call fail, another
// word stands at the callsite, or flags differ. A callsite of a made-up module is
// out of reach of the entry code: the functions must then use the module's PLT, or
// refuse if the module has no PLT. skipped are the situations that were not
// executed, each with the reason.
func (f *Executor) Corners(entry uint64, types *Types) (runs []Run, skipped []error) {
	s := f.table.Site(entry)
	defer f.w.ClobberMakers()()
	f.failing(s, &runs)
	f.differing(s, &runs)
	const far = "callsites of far modules"
	_, canBeFar := f.w.Image.FarBase()
	switch {
	case f.table.Shape.SavesLR && types.HasModule:
		(&placed{f, types.Module, &runs, f.fn.caller - farAway}).all()
		if err := f.loading(s, types, &runs); err != nil {
			skipped = append(skipped, err)
		}
	case !canBeFar:
	case !f.table.Shape.SavesLR:
		skipped = append(skipped, &world.Lack{What: far + " (in era " + f.table.Era.Name + " only those of modules that are given)"})
	default:
		skipped = append(skipped, fmt.Errorf("%s (%w)", far, types.NoModule))
	}
	f.aim = nil
	f.reset()
	f.w.Events = f.w.Events[:0]
	return runs, skipped
}

// try runs body in a fresh world, on the callsite in state st.
func (f *Executor) try(runs *[]Run, s Site, st State, body func(r *Run)) {
	f.reset()
	f.w.Events = f.w.Events[:0]
	r := Run{Site: s}
	r.must(f.write(s, st))
	r.must(f.w.M.Write64(f.rec+recIP, s.Call))
	body(&r)
	*runs = append(*runs, r)
}

// A siteCall is a call of one of ftrace's functions on a callsite, as the life of
// a callsite has it. from and to are the states before and after it.
type siteCall struct {
	name     string
	fn       uint64
	from, to State
	args     []uint64
}

// siteCalls are the calls of the life of a callsite.
func (f *Executor) siteCalls(s Site) []siteCall {
	const nops = a64.NOP<<32 | a64.NOP
	built := State{a64.NOP, a64.NOP, nops}
	if f.table.Shape.Literal == 0 {
		built.Literal = 0
	}
	blank, enabled := f.model(s, 0, f.ops.nop), f.model(s, f.fn.caller, f.ops.list)
	var out []siteCall
	if f.fn.initNop != 0 {
		out = append(out, siteCall{"ftrace_init_nop", f.fn.initNop, built, blank, []uint64{0, f.rec}})
	}
	out = append(out, siteCall{"ftrace_make_call", f.fn.makeCall, blank, enabled, []uint64{f.rec, f.fn.caller}},
		siteCall{"ftrace_make_nop", f.fn.makeNop, enabled, blank, []uint64{notLoading, f.rec, f.fn.caller}})
	if f.fn.modifyCall != 0 {
		other := f.fn.regsCaller
		if other == 0 {
			other = s.Call + 64<<10 // a direct trampoline
		}
		modified := f.model(s, other, f.ops.list)
		out = append(out,
			siteCall{"ftrace_modify_call", f.fn.modifyCall, enabled, modified, []uint64{f.rec, f.fn.caller, other}},
			siteCall{"ftrace_modify_call", f.fn.modifyCall, modified, enabled, []uint64{f.rec, other, f.fn.caller}})
	}
	return out
}

// failing has the functions of the patching interface fail.
func (f *Executor) failing(s Site, runs *[]Run) {
	f.reset()
	for _, c := range f.siteCalls(s) {
		wrote := c.from
		wrote.Literal = c.to.Literal // it is written before the words
		for _, fail := range []struct {
			what  string
			names []string
			out   outcome
		}{
			{"the callsite cannot be read", f.table.Arch.Patching.Read, cannotRead},
			{"the callsite cannot be written", f.table.Arch.Patching.Write, cannotWrite},
		} {
			f.try(runs, s, c.from, func(r *Run) {
				f.w.Fail = map[string]int{}
				for _, name := range fail.names {
					f.w.Fail[name] = world.FailAll
				}
				f.step(r, c.name, fail.what, c.fn, wrote, fail.out, c.args...)
			})
		}
	}
}

// differing has callsites, records and addresses that differ from those of the
// life of a callsite.
func (f *Executor) differing(s Site, runs *[]Run) {
	f.reset()
	calls := f.siteCalls(s)
	for _, c := range calls {
		f.try(runs, s, c.from, func(r *Run) {
			f.step(r, c.name, "", c.fn, c.to, success, c.args...)
		})
		// One bit of the old word differs.
		from, want := c.from, c.from
		want.Literal = c.to.Literal
		old, now := &from.Second, &want.Second
		if c.fn == f.fn.initNop {
			old, now = &from.First, &want.First
		}
		*old ^= 1
		*now = *old
		f.try(runs, s, from, func(r *Run) {
			f.step(r, c.name, "another word stands there", c.fn, want, refusal, c.args...)
		})
	}
	// A target that the core has not enabled.
	enabled, near := f.model(s, f.fn.caller, f.ops.list), s.Call+128<<10
	f.try(runs, s, enabled, func(r *Run) {
		want := enabled
		want.Literal = f.model(s, 0, f.ops.nop).Literal
		f.step(r, "ftrace_make_nop", "the callsite calls another address", f.fn.makeNop, want, refusal, notLoading, f.rec, near)
	})
	if f.fn.modifyCall != 0 {
		f.try(runs, s, enabled, func(r *Run) {
			f.step(r, "ftrace_modify_call", "the callsite calls another address", f.fn.modifyCall, enabled, refusal, f.rec, near, f.fn.caller)
		})
	}
	if f.table.Shape.Literal == 0 {
		return
	}
	blank := f.model(s, 0, f.ops.nop)
	if f.routes() {
		f.farDirect(s, runs)
	}
	for _, flags := range []struct {
		what       string
		flags, ops uint64
		unique     bool // ftrace_find_unique_ops() finds an ops
	}{
		{"all flags but CALL_OPS_EN", 0xffff_ffff &^ callOpsEn, f.ops.list, true},
		{"CALL_OPS_EN alone", callOpsEn, f.ops.fake, true},
		{"CALL_OPS_EN, but no ops are found", callOpsEn, f.ops.list, false},
	} {
		for _, c := range calls {
			if c.fn != f.fn.makeCall && c.fn != f.fn.modifyCall {
				continue
			}
			f.try(runs, s, c.from, func(r *Run) {
				if !flags.unique {
					f.ops.unique = 0
				}
				r.must(f.w.M.Write64(f.rec+recFlags, flags.flags))
				want, out := c.to, success
				want.Literal, out.warns, out.orNull = flags.ops, !flags.unique, !flags.unique
				f.step(r, c.name, "flags: "+flags.what, c.fn, want, out, c.args...)
			})
		}
	}
	// ftrace_call_adjust() returns 0 for an entry that the core is to skip.
	for _, off := range []uint64{1, 2, 4} {
		for mayWarn := range int32(2) {
			f.try(runs, s, blank, func(r *Run) {
				f.now.mayWarn = mayWarn
				f.adjusts(r, s.Entry+off, 0, fmt.Sprintf("an entry %s into the literal", plural.Of(off, "byte")))
			})
		}
	}
}

// farDirect calls the functions with a direct trampoline out of the callsite's
// reach. The callsite must then call ftrace_caller, which goes to the direct
// trampoline by ops->direct_call ("arm64: ftrace: Add direct call support").
func (f *Executor) farDirect(s Site, runs *[]Run) {
	for _, d := range []int64{128 << 20, -128<<20 - 4, 1 << 30} {
		target := s.Call + uint64(d)
		special := fmt.Sprintf("a direct trampoline %+#x bytes away", d)
		blank, enabled := f.model(s, 0, f.ops.nop), f.model(s, f.fn.caller, f.ops.list)
		f.try(runs, s, blank, func(r *Run) {
			_ = f.step(r, "ftrace_make_call", special, f.fn.makeCall, enabled, success, f.rec, target) &&
				(f.fn.modifyCall == 0 || f.step(r, "ftrace_modify_call", special, f.fn.modifyCall, enabled, success, f.rec, target, f.fn.caller) &&
					f.step(r, "ftrace_modify_call", special, f.fn.modifyCall, enabled, success, f.rec, f.fn.caller, target)) &&
				f.step(r, "ftrace_make_nop", special, f.fn.makeNop, blank, success, notLoading, f.rec, target)
		})
	}
}
