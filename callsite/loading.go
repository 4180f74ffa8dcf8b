package callsite

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/world"
)

// This file executes the module loader and judges what it does for ftrace.
// module_frob_arch_sections() must make room for PLT entries in the sections for
// them, and leave the other sections alone. module_finalize() must write entries
// that lead to the entry code, and the addresses of the PLTs in struct module.

// pltSections are the sections that module_frob_arch_sections() rewrites in kernels
// of today.
var pltSections = []string{".plt", ".init.plt", arch.ARM64.Modules.PLT, arch.ARM64.Modules.InitPLT}

// nearNames are names that differ from those of pltSections by one character.
var nearNames = []string{"", ".", ".pl", ".plt.", ".plT", "plt", ".init.pl", ".init.plt2", ".init_plt",
	".text.ftrace_trampolin", ".text.ftrace_trampolines", ".text.ftrace_trampolinf", ".texT.ftrace_trampoline", "text.ftrace_trampoline",
	".init.text.ftrace_trampolin", ".init.text.ftrace_trampoline0"}

const (
	enoexec = 8

	// loadCode is the distance from ftrace_caller to the sections of a made-up
	// module, in bytes.
	loadCode = 1 << 30
	// roomEach is the room for one of these sections, in bytes. It is more than a
	// section holds.
	roomEach = 256
)

// loading executes the loader on the section headers of made-up modules. The error,
// a *world.Lack, says why it does not.
func (f *Executor) loading(s Site, types *Types, runs *[]Run) error {
	l := newLoader(f.w)
	switch s, _ := f.w.Image.Lookup("module_frob_arch_sections"); {
	case l.finalize == 0 || l.frob == 0:
		return &world.Lack{What: "the module loader (the image has no module_frob_arch_sections and module_finalize)"}
	case s.Bind == elf.STB_WEAK:
		return nil // the core's stub, in a kernel whose modules have no PLTs
	}
	// known are the sections that the loader rewrites, and without which it refuses
	// a module ("arm64: module/ftrace: intialize PLT at load time").
	known := map[string]bool{".plt": true, ".init.plt": true, arch.ARM64.Modules.PLT: true, arch.ARM64.Modules.InitPLT: types.Module.HasInitPLT}
	if view, err := f.loaderView(); err == nil { // only later kernels know it
		known[arch.ARM64.Modules.InitPLT] = view.Rewrites[arch.ARM64.Modules.InitPLT]
	}
	all := []string{".text", ".plt", ".init.plt", arch.ARM64.Modules.PLT, arch.ARM64.Modules.InitPLT, ".data"}
	without := func(name string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == name })
	}
	reversed := slices.Clone(all)
	slices.Reverse(reversed)
	near := append(append([]string(nil), nearNames...), all...)
	cases := []struct {
		what  string
		names []string
	}{
		{"a module with all sections", all},
		{"a module with its sections in reverse", reversed},
		{"a module with sections of names alike", append(near, nearNames...)},
	}
	for _, name := range pltSections {
		cases = append(cases, struct {
			what  string
			names []string
		}{"a module without " + name, without(name)})
	}
	for _, c := range cases {
		f.load(s, l, known, types, c.what, c.names, runs)
	}
	f.lacking(s, l, all, "a symbol table", func() error {
		return f.w.M.Write32(l.shdrs+uint64(len(all)+1)*shdrSize+4, uint32(elf.SHT_PROGBITS))
	}, runs)
	f.lacking(s, l, all, "sections", func() error { return f.w.M.Write32(l.ehdr+60, 0) }, runs)
	return nil
}

// loaderView is ViewOfLoader of the image, which is computed once.
func (f *Executor) loaderView() (LoaderView, error) {
	type key struct{}
	type result struct {
		view LoaderView
		err  error
	}
	r := f.w.Image.Derived(key{}, func() any {
		view, err := ViewOfLoader(f.w.Image)
		return result{view, err}
	}).(result)
	return r.view, r.err
}

// load has the loader load a module with these sections.
func (f *Executor) load(s Site, l *loader, known map[string]bool, types *Types, what string, names []string, runs *[]Run) {
	f.reset()
	r := Run{Site: s}
	defer func() { *runs = append(*runs, r) }()
	m := f.w.M
	code := (f.fn.caller + loadCode) &^ (emu.PageSize - 1)
	var sections []header
	for i, name := range names {
		// Every other section is writable, too.
		flags := elf.SHF_ALLOC | elf.SHF_EXECINSTR
		if i%2 == 0 {
			flags = elf.SHF_WRITE | elf.SHF_ALLOC | elf.SHF_EXECINSTR
		}
		sections = append(sections, header{name, elf.SHT_PROGBITS, flags, code + uint64(i)*roomEach, 1})
	}
	r.must(l.headers(sections))
	r.must(l.fence())
	size := uint64(len(sections)) * roomEach
	room := make([]byte, size)
	for i := range room {
		room[i] = 0xa5
	}
	m.Map(code, size, emu.Read|emu.Write)
	r.must(m.Write(code, room))
	if r.Err != nil {
		return
	}
	before := f.headerBytes(l, len(sections))

	refuses := false // without what every module needs
	for _, name := range []string{".plt", ".init.plt"} {
		refuses = refuses || known[name] && !slices.Contains(names, name)
	}
	ret, ok := f.loaderStep(&r, "module_frob_arch_sections", what, refuses, l.frob, func(ret int64) (diffs []string) {
		if !refuses {
			diffs = f.rewritten(l, known, sections, before)
		}
		return diffs
	}, l.ehdr, l.shdrs, l.shstrtab, l.mod)
	if !ok || ret != 0 {
		return
	}
	// module_finalize() must not write to the headers.
	r.must(m.Protect(loaderBase, loaderSize-modSize, emu.Read))
	after := make([]header, len(sections))
	for i := range sections {
		h, err := l.section(i)
		r.must(err)
		h.name = sections[i].name
		after[i] = h
	}
	lacks := ""
	for _, name := range []string{arch.ARM64.Modules.PLT, arch.ARM64.Modules.InitPLT} {
		if known[name] && !slices.Contains(names, name) {
			lacks = name
		}
	}
	_, _ = f.loaderStep(&r, "module_finalize", what, lacks != "", l.finalize, func(ret int64) []string {
		if lacks != "" {
			return nil
		}
		return f.filled(l, known, types, after, code, room)
	}, l.ehdr, l.shdrs, l.mod)
}

// lacking has the loader load a module that takeAway has taken something from that
// every module has. The loader must refuse it: it counts relocations by the symbol
// table.
func (f *Executor) lacking(s Site, l *loader, names []string, what string, takeAway func() error, runs *[]Run) {
	f.reset()
	r := Run{Site: s}
	var sections []header
	for i, name := range names {
		sections = append(sections, header{name, elf.SHT_PROGBITS, elf.SHF_ALLOC, loaderBase + loaderSize/4 + uint64(i)*roomEach, 1})
	}
	r.must(l.headers(sections))
	r.must(takeAway())
	if r.Err == nil {
		f.loaderStep(&r, "module_frob_arch_sections", "a module without "+what, true, l.frob, nil, l.ehdr, l.shdrs, l.shstrtab, l.mod)
	}
	*runs = append(*runs, r)
}

// loaderStep calls a function of the loader, which must refuse or succeed, and
// has check judge what it did.
func (f *Executor) loaderStep(r *Run, name, what string, refuses bool, fn uint64, check func(ret int64) []string, args ...uint64) (ret int64, ok bool) {
	f.now.at = r.Site.Call
	mark := len(f.w.Events)
	got, diffs, err := f.call(name, fn, args...)
	f.w.Events = f.w.Events[:mark]
	if err != nil {
		r.Err = &FuncError{name, what, err}
		return 0, false
	}
	st := Step{Func: name, Case: what, Returned: int64(int32(got)), WantRet: "0", Diffs: diffs, Died: f.now.died}
	want := int64(0)
	if refuses {
		want, st.WantRet = -enoexec, "-8 (-ENOEXEC)"
	}
	switch {
	case f.now.died:
	case st.Returned != want:
		st.Diffs = append(st.Diffs, fmt.Sprintf("returns %d, not %s", st.Returned, st.WantRet))
	case check != nil:
		st.Diffs = append(st.Diffs, check(st.Returned)...)
	}
	st.OK = len(st.Diffs) == 0
	r.Steps = append(r.Steps, st)
	return st.Returned, st.OK
}

// headerBytes are the bytes of the section headers of a module with n sections.
// Three of them are those that headers adds.
func (f *Executor) headerBytes(l *loader, n int) []byte {
	b := make([]byte, (n+3)*shdrSize)
	_ = f.w.M.Read(l.shdrs, b) // headers has mapped it
	return b
}

// rewritten says what module_frob_arch_sections() did wrong with the headers.
func (f *Executor) rewritten(l *loader, known map[string]bool, sections []header, before []byte) (diffs []string) {
	le := binary.LittleEndian
	now, pltEntry := f.headerBytes(l, len(sections)), f.table.Arch.Modules.PLTEntry
	for i := range len(before) / shdrSize {
		was, is := before[i*shdrSize:(i+1)*shdrSize], now[i*shdrSize:(i+1)*shdrSize]
		name := ""
		if i >= 1 && i <= len(sections) {
			name = sections[i-1].name
		}
		if !known[name] {
			if string(was) != string(is) {
				diffs = append(diffs, fmt.Sprintf("changes the header of section %d, %q, which it must leave alone", i, name))
			}
			continue
		}
		typ, flags, size, align := elf.SectionType(le.Uint32(is[4:])), elf.SectionFlag(le.Uint64(is[8:])), le.Uint64(is[32:]), le.Uint64(is[48:])
		if typ != elf.SHT_NOBITS || flags != elf.SHF_ALLOC|elf.SHF_EXECINSTR {
			diffs = append(diffs, fmt.Sprintf("makes %s %v with flags %v: SHT_NOBITS with SHF_ALLOC+SHF_EXECINSTR belongs there", name, typ, flags))
		}
		entries := uint64(1)
		if f.fn.regsCaller != 0 && (name == arch.ARM64.Modules.PLT || name == arch.ARM64.Modules.InitPLT) {
			entries = 2
		}
		if size < entries*pltEntry || size > entries*pltEntry*4 || size%pltEntry != 0 {
			diffs = append(diffs, fmt.Sprintf("makes %s %#x bytes large: %#x are due for %s", name, size, entries*pltEntry, plural.Of(entries, "PLT entry")))
		}
		if align < a64.Size || align&(align-1) != 0 || align > emu.PageSize {
			diffs = append(diffs, fmt.Sprintf("aligns %s to %#x", name, align))
		}
		for _, part := range []struct{ lo, hi int }{{0, 4}, {16, 32}, {40, 48}, {56, 64}} { // name, address and offset, link and info, entry size
			if string(was[part.lo:part.hi]) != string(is[part.lo:part.hi]) {
				diffs = append(diffs, fmt.Sprintf("changes more of the header of %s than type, flags, size and alignment", name))
				break
			}
		}
	}
	return diffs
}

// filled says what module_finalize() did wrong. The entries must lead to the entry
// code, struct module must have their addresses, and nothing else may be written.
func (f *Executor) filled(l *loader, known map[string]bool, types *Types, sections []header, code uint64, room []byte) (diffs []string) {
	now := make([]byte, len(room))
	_ = f.w.M.Read(code, now) // it is mapped
	targets := []uint64{f.fn.caller}
	if f.fn.regsCaller != 0 {
		targets = append(targets, f.fn.regsCaller)
	}
	entries := make([]bool, len(room)) // the bytes of sections for PLT entries
	for _, h := range sections {
		if !known[h.name] || h.name != arch.ARM64.Modules.PLT && h.name != arch.ARM64.Modules.InitPLT {
			continue
		}
		for i := range h.size {
			entries[h.addr-code+i] = true
		}
		for i, target := range targets {
			if diff := f.leadsTo(h.addr+uint64(i)*f.table.Arch.Modules.PLTEntry, target); diff != "" {
				diffs = append(diffs, diff)
			}
		}
		off := types.Module.PLT
		if h.name == arch.ARM64.Modules.InitPLT {
			off = types.Module.InitPLT
		}
		if p, err := f.w.M.Read64(l.mod + off); err != nil || p != h.addr {
			diffs = append(diffs, fmt.Sprintf("leaves %#x in struct module for the PLT of %s, which is at %#x", p, h.name, h.addr))
		}
	}
	for i := range now {
		if now[i] != room[i] && !entries[i] {
			diffs = append(diffs, fmt.Sprintf("writes to %#x, which is in no section for PLT entries of ftrace", code+uint64(i)))
			break
		}
	}
	return diffs
}

// leadsTo says what is wrong with the PLT entry at plt, which must come to target;
// "" if nothing is.
func (f *Executor) leadsTo(plt, target uint64) string {
	m := f.w.M
	page := plt &^ (emu.PageSize - 1)
	_ = m.Protect(page, emu.PageSize, emu.Read|emu.Exec)
	defer func() { _ = m.Protect(page, emu.PageSize, emu.Read|emu.Write) }()
	f.w.Enter()
	limit := m.MaxSteps
	m.MaxSteps = 16
	changes, err := f.throughEntry(plt, target)
	m.MaxSteps = limit
	switch {
	case err != nil:
		return fmt.Sprintf("writes a PLT entry at %#x that does not come to %s: %v", plt, f.w.Image.At(target), err)
	case changes:
		return fmt.Sprintf("writes a PLT entry at %#x that changes more registers than x16 and x17", plt)
	}
	return ""
}

// throughEntry executes the PLT entry at plt, which must come to target. changes
// reports whether it changes other registers than X16 and X17, which a veneer may
// change (AAPCS64, 6.1.1).
func (f *Executor) throughEntry(plt, target uint64) (changes bool, err error) {
	m := f.w.M
	m.PC, m.SP = plt, world.StackTop
	before := m.X
	err = f.w.Explain(m.Run(target))
	after := m.X
	before[16], before[17], after[16], after[17] = 0, 0, 0, 0
	return before != after || m.SP != world.StackTop, err
}
