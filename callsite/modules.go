package callsite

import (
	"debug/elf"
	"fmt"
	"slices"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/world"
)

// A ModuleExecutor executes a kernel's functions of ftrace on callsites of modules.
// It also executes the kernel's module loader, which gives a module PLT entries
// for ftrace. It is not for concurrent use.
type ModuleExecutor struct {
	f     *Executor
	l     *loader
	types *Types
	view  LoaderView
	saved *int // see Saved; nil if it is not known yet
}

// NewModuleExecutor makes a ModuleExecutor of the kernel, whose types are types and
// whose loader is as view says. The error is a *world.Lack if the image lacks a function or an ops.
func NewModuleExecutor(kernel *Table, types *Types, view LoaderView) (*ModuleExecutor, error) {
	f, err := NewExecutor(kernel)
	if err != nil {
		return nil, err
	}
	return &ModuleExecutor{f: f, l: newLoader(f.w), types: types, view: view}, nil
}

// Fork is a ModuleExecutor like m with a world of its own, for another goroutine.
func (m *ModuleExecutor) Fork() *ModuleExecutor {
	f := m.f.Fork()
	return &ModuleExecutor{f: f, l: newLoader(f.w), types: m.types, view: m.view}
}

// Saved is the number of the register in which callsites of modules save LR.
// Saved executes ftrace_init_nop() on the callsite s of mod until that has
// written a register; the register is the same for all callsites. ok is false if
// it is not known.
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

// CanBeFar reports whether callsites of the module can be executed out of reach of
// the entry code. skipped says why they cannot although the kernel can place the
// module there.
func (m *ModuleExecutor) CanBeFar(mod *elfscan.Image) (can bool, skipped error) {
	if _, may := m.f.w.Image.FarBase(); !may {
		return false, nil
	}
	for _, name := range []string{arch.ARM64.Modules.PLT, arch.ARM64.Modules.InitPLT} { // FT204, FT205
		if _, has := mod.Module().Section(name); !has && m.view.Rewrites[name] {
			return false, &world.Lack{What: "it has no section " + name}
		}
	}
	switch {
	case !m.types.HasModule:
		return false, fmt.Errorf("its kernel: %w", m.types.NoModule)
	case m.l.finalize == 0:
		return false, &world.Lack{What: "its kernel has no module_finalize"}
	}
	return true, nil
}

// Run executes the life of the callsite s of mod, as Executor.Run does. If far is
// true, mod is placed out of BL reach of the kernel. The callsite must then call
// the module's PLT, and the PLT, executed, must come to the entry code.
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

// words are the words of the callsite s, which is moved by delta bytes. A BL to
// _mcount has another offset there.
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

// enter puts the callsite s of mod into a fresh world, and the parts of the module
// that ftrace's functions look at.
func (m *ModuleExecutor) enter(r *Run, mod *elfscan.Image, s Site) {
	f, mem := m.f, m.f.w.M
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
			if !slices.Contains(pages, a) {
				mem.Map(a, emu.PageSize, emu.Read|emu.Write)
				pages = append(pages, a)
			}
		}
	}
	mapPages(s.Entry, s.Call+a64.Size)
	for i, w := range m.words(mod, s, delta) {
		r.must(mem.Write32(s.Entry+uint64(i)*a64.Size, w))
	}
	var sections []header
	for _, name := range []string{arch.ARM64.Modules.PLT, arch.ARM64.Modules.InitPLT} {
		if sec, ok := module.Section(name); ok {
			mapPages(sec.Addr+delta, sec.Addr+delta+sec.Size)
			sections = append(sections, header{name, elf.SHT_NOBITS, elf.SHF_ALLOC | elf.SHF_EXECINSTR, sec.Addr + delta, sec.Size})
		}
	}
	r.must(m.l.headers(sections))
	if m.types.HasModule {
		members := m.types.Module
		for _, part := range []struct {
			p          elfscan.Part
			base, size uint64
		}{{elfscan.Text, members.TextBase, members.TextSize}, {elfscan.InitText, members.InitBase, members.InitSize}} {
			lo, hi := module.PartRange(part.p)
			r.must(mem.Write64(m.l.mod+part.base, lo+delta))
			r.must(mem.Write32(m.l.mod+part.size, uint32(hi-lo)))
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
		r.must(mem.Protect(a, emu.PageSize, emu.Read|emu.Exec))
	}
	f.mod.given, f.mod.found = m.l.mod, m.l.mod
	r.must(mem.Write64(f.rec+recIP, s.Call))
	f.aim = func(target uint64) uint64 {
		if a64.ReachOf(a64.Call).Contains(a64.Offset(s.Call, target)) {
			return target
		}
		plt, _ := m.plt(module, s, delta, target)
		return plt
	}
	f.w.Events = f.w.Events[:0]
}

// plt is the address of the PLT entry by which callsite s of a module, moved by
// delta bytes, reaches target. The first entry of a section leads to
// ftrace_caller, the second to ftrace_regs_caller.
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
		addr += m.types.Module.PLTSize
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
		changes, err := f.throughEntry(plt, target)
		var diffs []string
		switch {
		case err != nil:
			diffs = []string{fmt.Sprintf("the PLT entry at %#x does not come to %s: %v", plt, f.w.Image.At(target), err)}
		case changes:
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
