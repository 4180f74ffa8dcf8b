package callsite

import (
	"debug/elf"
	"fmt"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/world"
)

// ModuleExecutor executes a kernel's site functions on callsites of modules, which
// its loader, executed too, has given PLT entries for ftrace. It is not for
// concurrent use.
type ModuleExecutor struct {
	f        *Executor
	l        *loader
	layout   ModuleLayout
	noLayout bool // nothing tells of struct module: then nothing can be far
	view     LoaderView
	saved    *int // see Saved; nil if it is not known yet
}

// NewModuleExecutor prepares to execute the site functions of the kernel, whose
// loader is as view says. The error is a *world.Lack, if it cannot be done.
func NewModuleExecutor(kernel *Table, view LoaderView) (*ModuleExecutor, error) {
	f, err := NewExecutor(kernel)
	if err != nil {
		return nil, err
	}
	m := &ModuleExecutor{f: f, l: newLoader(f.w), view: view}
	types := ReadTypes(kernel.Image, true)
	m.layout, m.noLayout = types.Module, !types.HasModule
	return m, nil
}

// Fork is the same in a world of its own, for use beside m.
func (m *ModuleExecutor) Fork() *ModuleExecutor {
	f := m.f.Fork()
	return &ModuleExecutor{f, newLoader(f.w), m.layout, m.noLayout, m.view, nil}
}

// Saved is the register that ftrace_init_nop(), executed on the callsite s of
// the module, has it save LR in. It is executed on the first that is asked
// about: what it writes is the same for all.
func (m *ModuleExecutor) Saved(mod *elfscan.Image, s Site) (reg int, ok bool) {
	if m.saved != nil {
		return *m.saved, true
	}
	if m.f.fn.initNop == 0 || !m.f.table.Shape.SavesLR {
		return 0, false
	}
	r := Run{Site: s}
	m.enter(&r, mod, s)
	if _, err := m.f.w.Call(m.f.fn.initNop, m.f.mod.given, m.f.rec); err != nil || r.Err != nil {
		return 0, false
	}
	rd, rm, mov := a64.IsMOV(m.f.state(s).First)
	if !mov || rm != a64.LR {
		return 0, false
	}
	m.f.saved, m.saved = rd, &rd
	return rd, true
}

// CanBeFar is nil if callsites of the module can be executed out of reach of the
// entry code, or a *world.Lack.
func (m *ModuleExecutor) CanBeFar(mod *elfscan.Image) error {
	if _, may := m.f.w.Image.FarBase(); !may {
		return &world.Lack{What: "the kernel places no module out of reach"}
	}
	for _, name := range []string{arch.ARM64.Modules.PLT, arch.ARM64.Modules.InitPLT} { // FT204, FT205
		if _, has := mod.Module().Section(name); !has && m.view.Rewrites[name] {
			return &world.Lack{What: "the module has no " + name}
		}
	}
	switch {
	case m.noLayout:
		return &world.Lack{What: "neither BTF nor DWARF tells of struct module and its PLTs for ftrace"}
	case m.l.finalize == 0:
		return &world.Lack{What: "the image has no module_finalize"}
	}
	return nil
}

// Run executes the life of the callsite s of mod, as Executor.Run does, with
// mod placed where it is or, far, out of BL reach of the kernel: then the
// callsite must go through the module's PLT, and the PLT, executed, must come
// to the entry code.
func (m *ModuleExecutor) Run(mod *elfscan.Image, s Site, far bool) Run {
	f, special := m.f, ""
	if far {
		base, _ := f.w.Image.FarBase()
		delta := base - mod.Module().Base
		s.Entry, s.Call = s.Entry+delta, s.Call+delta
		if s.Func != 0 {
			s.Func += delta
		}
		special = fmt.Sprintf("the module is placed %+d MiB from ftrace_caller", a64.Offset(f.fn.caller, s.Call)>>20)
	}
	r := Run{Site: s}
	f.w.Events = f.w.Events[:0]
	m.enter(&r, mod, s)
	if r.good() {
		f.adjusts(&r, s.Entry, s.Call, special)
	}
	if r.good() {
		f.life(&r, special)
	}
	if r.good() && far {
		m.throughPLT(&r)
	}
	f.aim = nil
	return r
}

// words are the bytes of the callsite s as the module has them: where it has
// been moved to, a BL that leaves the module is another.
func (m *ModuleExecutor) words(mod *elfscan.Image, s Site, delta uint64) []uint32 {
	if !m.f.table.Shape.SavesLR && delta != 0 {
		if moved, err := mod.PlaceAt(mod.Module().Base + delta); err == nil {
			mod, delta = moved, 0
		}
	}
	var out []uint32
	for a := s.Entry; a <= s.Call; a += a64.Size {
		var w uint32
		if !m.f.table.Shape.SavesLR {
			w, _ = mod.Word(a - delta)
		} else if b, ok := mod.Bytes(a-delta, a64.Size); ok { // NOPs have no relocations
			w = uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
		}
		out = append(out, w)
	}
	return out
}

// enter puts the callsite s of mod into a fresh world, and the rest of the
// module as far as the site functions look at it.
func (m *ModuleExecutor) enter(r *Run, mod *elfscan.Image, s Site) {
	f, M := m.f, m.f.w.M
	f.reset()
	module := mod.Module()
	base := module.Base
	if !module.Contains(s.Call) {
		base, _ = f.w.Image.FarBase()
	}
	delta := base - module.Base

	var pages []uint64
	mapPages := func(lo, hi uint64) {
		for a := lo &^ (emu.PageSize - 1); a < hi; a += emu.PageSize {
			seen := false
			for _, p := range pages {
				seen = seen || p == a
			}
			if !seen {
				M.Map(a, emu.PageSize, emu.Read|emu.Write)
				pages = append(pages, a)
			}
		}
	}
	mapPages(s.Entry, s.Call+a64.Size)
	for i, w := range m.words(mod, s, delta) {
		r.must(M.Write32(s.Entry+uint64(i)*a64.Size, w))
	}
	var sections []header
	for _, name := range []string{arch.ARM64.Modules.PLT, arch.ARM64.Modules.InitPLT} {
		if sec, ok := module.Section(name); ok {
			mapPages(sec.Addr+delta, sec.Addr+delta+sec.Size)
			sections = append(sections, header{name, elf.SHT_NOBITS, elf.SHF_ALLOC | elf.SHF_EXECINSTR, sec.Addr + delta, sec.Size})
		}
	}
	r.must(m.l.headers(sections))
	if !m.noLayout {
		for _, part := range []struct {
			p          elfscan.Part
			base, size uint64
		}{{elfscan.Text, m.layout.TextBase, m.layout.TextSize}, {elfscan.InitText, m.layout.InitBase, m.layout.InitSize}} {
			lo, hi := module.PartRange(part.p)
			r.must(M.Write64(m.l.mod+part.base, lo+delta))
			r.must(M.Write32(m.l.mod+part.size, uint32(hi-lo)))
		}
	}
	if r.Err == nil && m.l.finalize != 0 && len(sections) > 0 {
		ret, diffs, err := f.call("module_finalize", m.l.finalize, m.l.ehdr, m.l.shdrs, m.l.mod)
		switch {
		case len(diffs) > 0:
			r.Steps = append(r.Steps, Step{Func: "module_finalize", Returned: int64(int32(ret)), WantRet: "0", Diffs: diffs})
		case err != nil:
			r.Err = &FuncError{"module_finalize", "", err}
		case int32(ret) != 0 && delta != 0:
			r.Err = &FuncError{"module_finalize", "", fmt.Errorf("returns %d for a module with %s", int32(ret), sections[0].name)}
		}
	}
	for _, a := range pages {
		r.must(M.Protect(a, emu.PageSize, emu.Read|emu.Exec))
	}
	f.mod.given, f.mod.found = m.l.mod, m.l.mod
	r.must(M.Write64(f.rec+recIP, s.Call))
	f.aim = func(target uint64) uint64 {
		if a64.ReachOf(a64.Call).Contains(a64.Offset(s.Call, target)) {
			return target
		}
		plt, _ := m.plt(module, s, delta, target)
		return plt
	}
	f.w.Events = f.w.Events[:0]
}

// plt is the PLT entry by which callsite s of a module, moved by delta bytes,
// comes to target: the first of its section leads to ftrace_caller, the second
// to ftrace_regs_caller.
func (m *ModuleExecutor) plt(module *elfscan.Module, s Site, delta, target uint64) (addr uint64, ok bool) {
	name := arch.ARM64.Modules.PLT
	if module.PartAt(s.Call-delta) == elfscan.InitText && m.view.Rewrites[arch.ARM64.Modules.InitPLT] {
		name = arch.ARM64.Modules.InitPLT
	}
	sec, ok := module.Section(name)
	if !ok {
		return 0, false
	}
	addr = sec.Addr + delta
	if target == m.f.fn.regsCaller && m.f.fn.regsCaller != 0 {
		addr += m.layout.PLTSize
	}
	return addr, true
}

// throughPLT executes the PLT entries that the callsite went through.
func (m *ModuleExecutor) throughPLT(r *Run) {
	f := m.f
	for _, target := range []uint64{f.fn.caller, f.fn.regsCaller} {
		if target == 0 {
			continue
		}
		plt := f.aim(target)
		f.w.M.PC, f.w.M.SP = plt, world.StackTop
		x16, x17 := f.w.M.X[16], f.w.M.X[17]
		before := f.w.M.X
		err := f.w.M.Run(target)
		after := f.w.M.X
		before[16], before[17], after[16], after[17] = x16, x17, x16, x17 // a veneer's (AAPCS64, 6.1.1)
		var diffs []string
		switch {
		case err != nil:
			diffs = []string{fmt.Sprintf("the PLT entry at %#x does not come to %s: %v", plt, f.w.Image.At(target), f.w.Explain(err))}
		case before != after:
			diffs = []string{fmt.Sprintf("the PLT entry at %#x changes more registers than x16 and x17", plt)}
		}
		st := Step{Func: "module_finalize", Case: "the PLT entry that it writes, executed", Got: f.state(r.Site), WantRet: "0", Diffs: diffs, OK: diffs == nil}
		st.Want = st.Got
		r.Steps = append(r.Steps, st)
		if !st.OK {
			return
		}
	}
}
