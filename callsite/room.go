package callsite

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/world"
)

// Memory in which a module is given its PLTs. Text, init text and the PLTs of both
// lie apart, and every target of a branch is out of reach.
const (
	fileBase   = loaderBase            // the module's file
	roomMod    = fileBase - modSize    // struct module
	roomName   = roomMod - 4096        // the name of a section
	initTextAt = 0xffff_0001_4000_0000 // text lies before it and behind it
	corePLT    = initTextAt - 64<<20
	initPLTAt  = initTextAt + 64<<20
	farTarget  = 0xffff_0001_8000_0000 // the first target
	targetGap  = 4096 + 20             // from a target to the next
)

// A RoomRun is the part of the loader that gives a module PLT entries for its
// branches, executed on one module.
type RoomRun struct {
	Case    string   // the module and the processor, in words
	Func    string   // the function that Diffs are about
	Diffs   []string // what it does that it must not
	Entries [2]int   // the PLT entries that the branches of text and of init text need
	Err     error    // not nil: it could not be executed, and there is no verdict
}

// A PLTMaker executes the functions of a kernel's module loader that make room for
// PLT entries and write them. It is not for concurrent use.
type PLTMaker struct {
	w                              *world.World
	frob, emit, veneer, initLayout uint64        // addresses of the functions; 0: the image has no such function
	members                        ModuleMembers // known if emit is to be executed
	hasMembers                     bool
	unloads, unsure                bool // the kernel can unload modules, and keeps their exit text; or it is not known
	always, erratum                []world.Word
	caps                           elfscan.Symbol // the bitmap of capabilities, where code reads one

	shdrs    uint64 // address of the section headers of the module
	maxSteps uint64 // instructions that one call may take
}

// NewPLTMaker is the PLTMaker of an image. The error is a *world.Lack if the image
// gives modules no PLTs.
func NewPLTMaker(im *elfscan.Image, types *Types) (*PLTMaker, error) {
	p := &PLTMaker{w: world.New(im), members: types.Module, hasMembers: types.HasModule}
	for name, addr := range map[string]*uint64{
		"module_frob_arch_sections":   &p.frob,
		"module_emit_plt_entry":       &p.emit,
		"module_emit_veneer_for_adrp": &p.veneer,
		"module_init_layout_section":  &p.initLayout,
	} {
		if s, ok := im.Lookup(name); ok && im.IsText(s.Addr) && (s.Bind != elf.STB_WEAK || addr == &p.initLayout) {
			*addr = s.Addr
		}
	}
	if p.frob == 0 || p.emit == 0 {
		return nil, &world.Lack{What: "the kernel gives modules no PLTs (no module_frob_arch_sections and module_emit_plt_entry)"}
	}
	unloads, known := im.UnloadsModules()
	p.unloads, p.unsure = unloads || !known, !known
	p.always, p.erratum = world.Alternatives(im, p.frob, p.emit, p.veneer)
	p.caps, _ = im.Lookup("cpu_hwcaps") // to 6.1
	return p, nil
}

// MayHaveErratum reports whether the loader looks for Cortex-A53 processors with
// erratum 843419.
func (p *PLTMaker) MayHaveErratum() bool { return p.veneer != 0 }

// boot puts what boot makes of the loader into a fresh world.
func (p *PLTMaker) boot(erratum bool) (err error) {
	p.w.Reset()
	words := p.always
	if erratum {
		words = append(slices.Clip(words), p.erratum...)
		if n := p.caps.Size; n > 0 && n <= 64 {
			err = p.w.M.Write(p.caps.Addr, bytes.Repeat([]byte{0xff}, int(n)))
		}
	}
	for _, w := range words {
		err = errors.Join(err, p.w.M.Write32(w.Addr, w.Insn))
	}
	return err
}

// call calls one of the functions and adds to r what it does that no function may,
// or that it may not do in the loader. ok reports whether it returned.
func (p *PLTMaker) call(r *RoomRun, name string, fn uint64, args ...uint64) (ret uint64, ok bool) {
	w := p.w
	w.Events = w.Events[:0]
	w.M.MaxSteps = p.maxSteps
	ret, ok, err := w.Execute(world.Subject{Name: name, Fn: fn, Args: args})
	var stop *emu.Stop
	switch {
	case err == nil:
		for _, f := range w.Faults {
			r.diff(name, "%s", f.What)
		}
	case errors.As(err, &stop) && stop.Reason == emu.Break:
		r.diff(name, "ends in BUG(): %v", err)
	case errors.As(err, &stop) && (stop.Reason == emu.Unmapped || stop.Reason == emu.Permission || stop.Reason == emu.Misaligned):
		r.diff(name, "uses memory that is not the module's: %v", err)
	case errors.As(err, &stop) && stop.Reason == emu.StepLimit:
		r.diff(name, "has not returned after %s", plural.Of(w.M.MaxSteps, "instruction"))
	default:
		r.Err = &FuncError{name, r.Case, err}
	}
	for _, e := range w.Events {
		if ok && e.Kind == world.Trap && (ret != 0 || name != "module_emit_plt_entry") { // that has found no room
			r.diff(name, "warns (brk #%#x at %s)", e.Value, w.Image.At(e.PC))
		}
	}
	return ret, ok && r.Err == nil && err == nil
}

// diff notes what a function does and must not. The first function counts.
func (r *RoomRun) diff(name, format string, args ...any) {
	if r.Func == "" {
		r.Func = name
	}
	if r.Func == name {
		r.Diffs = append(r.Diffs, fmt.Sprintf(format, args...))
	}
}

func (r *RoomRun) good() bool { return r.Err == nil && r.Func == "" }

// fewSteps bounds the instructions that a call takes which does not depend on the
// module's size.
const fewSteps = 1 << 14

// steps bounds the instructions that the loader takes for the module: to compare
// names of sections, and to sort and count relocations.
func (f relFile) steps() (n uint64) {
	for i := range f.sections() {
		n += 1 << 12
		if h := f.header(i); h.typ() == elf.SHT_RELA {
			relas := h.size() / relaSize
			n += relas * uint64(bits.Len64(relas)+1) * 256
		}
	}
	return n
}

// Names executes module_init_layout_section() on names of sections. What it says is
// init text is freed when the module has been initialised.
func (p *PLTMaker) Names() (r RoomRun) {
	r.Case = "names of sections"
	if p.initLayout == 0 {
		return r
	}
	for _, s := range []struct {
		name string
		init bool
	}{
		{".init", true}, {".init.text", true}, {".init.plt", true}, {".initcall", true}, {".init.text.ftrace_trampoline", true},
		{".exit.text", !p.unloads}, {".exit", !p.unloads}, {".text", false}, {".text.init", false}, {"", false}, {".", false},
		{".ini", false}, {".inix", false}, {"init.text", false}, {".Init", false}, {".exi", false}, {"exit.text", false}, {".plt", false}, {"..init", false},
	} {
		if p.unsure && strings.HasPrefix(s.name, ".exit") {
			continue
		}
		p.w.Reset()
		p.maxSteps = fewSteps
		p.w.M.Map(roomName, 4096, emu.Read)
		if r.Err = p.w.M.Write(roomName, append([]byte(s.name), 0)); r.Err != nil {
			return r
		}
		ret, ok := p.call(&r, "module_init_layout_section", p.initLayout, roomName)
		if ok && ret&0xff != 0 != s.init {
			what, why := "part of the module's text", ""
			if ret&0xff != 0 {
				what = "init text, which is freed when the module has been initialised"
			}
			if strings.HasPrefix(s.name, ".exit") {
				why = ": this kernel can unload modules, and calls their exit functions then"
				if !p.unloads {
					why = ": this kernel cannot unload modules, and frees their exit functions"
				}
			}
			r.diff("module_init_layout_section", "takes %q for %s%s", s.name, what, why)
		}
	}
	return r
}

// isInit reports whether a section's name puts it into init memory.
func (p *PLTMaker) isInit(name string) bool {
	return strings.HasPrefix(name, ".init") || !p.unloads && strings.HasPrefix(name, ".exit")
}

// Run executes the loader on the file of a module, for a processor with erratum
// 843419 or without it: module_frob_arch_sections(), which counts the branches that
// may have to leave their section, and then module_emit_plt_entry() for each of
// these branches, as if none of them reached its target.
func (p *PLTMaker) Run(file []byte, what string, erratum bool) (r RoomRun) {
	r.Case = what
	if erratum {
		r.Case += ", on a processor with erratum 843419"
	}
	f := relFile(file)
	if r.Err = f.sound(); r.Err != nil {
		return r
	}
	if r.Err = errors.Join(p.boot(erratum), p.enterFile(f)); r.Err != nil {
		return r
	}
	const name = "module_frob_arch_sections"
	p.shdrs, p.maxSteps = fileBase+f.shoff(), f.steps()
	ret, ok := p.call(&r, name, p.frob, fileBase, p.shdrs, fileBase+f.header(f.names()).offset(), roomMod)
	if !ok {
		return r
	}
	lacks := slices.DeleteFunc([]string{".plt", ".init.plt"}, func(name string) bool { return f.numbered(name) != 0 })
	switch {
	case int32(ret) == 0 && len(lacks) > 0:
		r.diff(name, "returns 0 for a module without %s, where a PLT entry may be needed", lacks[0])
		return r
	case int32(ret) != 0 && len(lacks) == 0:
		r.diff(name, "returns %d: the module cannot be loaded", int32(ret))
		return r
	case len(lacks) > 0:
		return r
	}
	after := relFile(bytes.Clone(f))
	for _, s := range f.looksAt() {
		r.Err = errors.Join(r.Err, p.w.M.Read(fileBase+s.addr, after[s.addr:s.addr+s.size]))
	}
	if r.Err != nil {
		return r
	}
	if err := after.sound(); err != nil { // it was sound before
		r.diff(name, "leaves the module damaged: %v", err)
		return r
	}
	plts := p.judgeRoom(&r, f, after, erratum)
	if r.good() && p.hasMembers {
		p.fill(&r, after, plts, erratum)
	}
	return r
}

// enterFile writes the file into memory as the loader has it there, except for what
// module_frob_arch_sections() does not look at, and an empty struct module.
func (p *PLTMaker) enterFile(f relFile) (err error) {
	m := p.w.M
	m.Map(fileBase, (uint64(len(f))+emu.PageSize-1)&^(emu.PageSize-1), emu.Read|emu.Write)
	m.Map(roomMod, modSize, emu.Read|emu.Write)
	for _, s := range f.looksAt() {
		err = errors.Join(err, m.Write(fileBase+s.addr, f[s.addr:s.addr+s.size]))
	}
	for i := range f.sections() {
		if i > 0 { // rewrite_section_headers()
			err = errors.Join(err, m.Write64(fileBase+f.shoff()+uint64(i)*shdrSize+16, fileBase+f.header(i).offset()))
		}
	}
	return errors.Join(err, m.Write(roomMod+24, []byte("made_up\x00")))
}

// A pltRoom is what module_frob_arch_sections() has made of .plt or .init.plt.
type pltRoom struct {
	section    int // its number
	name       string
	addr, size uint64
	needs      int // entries
}

// inits reports, by number, whether a section is put into init memory.
func (p *PLTMaker) inits(f relFile) []bool {
	out := make([]bool, f.sections())
	for i := range out {
		out[i] = p.isInit(f.name(i))
	}
	return out
}

// judgeRoom compares the headers with those before: there must be an entry for each
// target of a branch that is in another section or in no section of the module.
func (p *PLTMaker) judgeRoom(r *RoomRun, before, after relFile, erratum bool) (plts [2]pltRoom) {
	const fn = "module_frob_arch_sections"
	type target struct {
		sym    uint32
		addend uint64
	}
	targets := [2]map[target]bool{{}, {}}
	branches, slack := [2]int{}, [2]int{}
	adrps := [2]int{}
	symbols := before.content(before.symbols())
	inits := p.inits(before)
	for i, part := range before.ofCode(inits) {
		h := before.header(i)
		align := after.header(h.info()).align()
		slack[part]++
		before.each(i, func(_ int, rel rela) {
			switch {
			case rel.isBranch() && before.section(symbols, rel.sym()) != h.info():
				branches[part]++
				targets[part][target{rel.sym(), rel.addend()}] = true
			case rel.isPage() && erratum && atErratum(rel.offset()):
				adrps[part]++
			case rel.isPage() && erratum && atErratum(rel.offset()|^(max(align, 1)-1)):
				r.diff(fn, "aligns %s to %#x bytes, so that the ADRP at %#x of it can be one of the last two instructions of a page, and counts no PLT entry for it", before.name(h.info()), align, rel.offset())
			}
		})
	}
	entry := arch.ARM64.Modules.PLTEntry
	for part := range plts {
		room := &plts[part]
		room.name = [2]string{".plt", ".init.plt"}[part]
		room.section = before.numbered(room.name)
		room.needs = len(targets[part]) + adrps[part]
		r.Entries[part] = room.needs
		room.size = after.header(room.section).size()
		most := uint64(branches[part]+adrps[part]+slack[part])*2 + 2
		switch {
		case room.size < uint64(room.needs)*entry:
			r.diff(fn, "makes %s %#x bytes large, it must hold %s of %s (%s out of the section%s)", room.name, room.size, plural.Of(room.needs, "PLT entry"), plural.Of(entry, "byte"), plural.Of(len(targets[part]), "target"), alsoADRPs(adrps[part]))
		case room.size > most*entry:
			r.diff(fn, "makes %s %#x bytes large, it must hold %s of %s", room.name, room.size, plural.Of(room.needs, "PLT entry"), plural.Of(entry, "byte"))
		}
	}
	p.judgeRest(r, before, after, plts)
	return plts
}

func alsoADRPs(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %s at the end of a page", plural.Of(n, "ADRP"))
}

// judgeRest says what else module_frob_arch_sections() has changed in the file. It
// may order relocations of text, and rewrite the headers of sections for PLTs.
func (p *PLTMaker) judgeRest(r *RoomRun, before, after relFile, plts [2]pltRoom) {
	const fn = "module_frob_arch_sections"
	known := []string{".plt", ".init.plt", arch.ARM64.Modules.PLT, arch.ARM64.Modules.InitPLT}
	want := bytes.Clone(before)
	for i := range before.sections() {
		h, now, name := relFile(want).header(i), after.header(i), before.name(i)
		if i > 0 {
			copy(h[16:24], now[16:24]) // the address, which enterFile has set
		}
		switch {
		case slices.Contains(known, name): // FT409
			copy(h, now)
		case h.flags()&elf.SHF_EXECINSTR != 0:
			copy(h[48:56], now[48:56]) // the alignment
		case before.isOfCode(i):
			if !sameRelas(before.content(i), after[h.offset():h.offset()+h.size()]) {
				r.diff(fn, "changes relocations of %s: it may put them in order, no more", before.name(h.info()))
				return
			}
			copy(want[h.offset():], after[h.offset():h.offset()+h.size()])
		}
	}
	if i := firstDifference(want, after); i >= 0 {
		r.diff(fn, "changes byte %#x of the module's file, which is not for it to change", i)
	}
}

func firstDifference(a, b []byte) int {
	if bytes.Equal(a, b) {
		return -1
	}
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return -1
}

// sameRelas reports whether two arrays hold the same relocations.
func sameRelas(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	split := func(b []byte) (out [][]byte) {
		for ; len(b) >= relaSize; b = b[relaSize:] {
			out = append(out, b[:relaSize])
		}
		slices.SortFunc(out, bytes.Compare)
		return out
	}
	return slices.EqualFunc(split(a), split(b), bytes.Equal)
}

// A written is a PLT entry that was written for a branch or an ADRP.
type written struct {
	entry, target uint64 // target is where it must come to
	value         uint64 // of an ADRP: what it must leave in register adrpReg
	adrp          bool
}

// adrpReg is the number of the register of the ADRPs.
const adrpReg = 3

// fill calls module_emit_plt_entry() for each branch that may have to leave its
// section, with a target out of reach, in the order of apply_relocate_add(); for an
// ADRP that can go wrong, it calls module_emit_veneer_for_adrp().
func (p *PLTMaker) fill(r *RoomRun, f relFile, plts [2]pltRoom, erratum bool) {
	p.maxSteps = fewSteps
	symtab, inits := f.symbols(), p.inits(f)
	symbols := f.content(symtab)
	places, err := p.layOut(f, inits, &plts, erratum)
	if r.Err = err; err != nil {
		return
	}
	var all []written
	var branches [2][]uint64 // the arguments for the last branch of a part
	for i, part := range f.ofCode(inits) {
		h := f.header(i)
		var last written
		f.each(i, func(n int, rel rela) {
			loc := places[h.info()] + rel.offset()
			switch {
			case !r.good():
			case rel.isBranch() && f.section(symbols, rel.sym()) != h.info():
				sym := fileBase + f.header(symtab).offset() + uint64(rel.sym())*symSize
				branches[part] = []uint64{roomMod, p.shdrs, loc, fileBase + h.offset() + uint64(n)*relaSize, sym}
				at := p.emitted(r, "module_emit_plt_entry", p.emit, &plts[part], erratum, branches[part]...)
				now := written{entry: at, target: targetOf(rel.sym()) + rel.addend()}
				if last.target == now.target && last.entry != at && r.good() {
					r.diff("module_emit_plt_entry", "writes a second entry for a target that the entry before has")
				}
				last = now
				all = append(all, now)
			case rel.isPage() && erratum && atErratum(rel.offset()) && p.veneer != 0:
				all = append(all, p.adrp(r, loc, &plts[part], targetOf(rel.sym())&^0xfff))
			}
		})
	}
	for part, args := range branches {
		if args != nil && !erratum && r.good() {
			p.fillUp(r, &plts[part], targetOf(uint32(len(symbols)/symSize)), args)
		}
	}
	p.judgeEntries(r, plts, all)
}

// fillUp calls module_emit_plt_entry() with args for branches that were not counted,
// to targets from next on, until it refuses one: when the PLT is full, it must. Before
// 5.0 it ends in BUG() then.
func (p *PLTMaker) fillUp(r *RoomRun, room *pltRoom, next uint64, args []uint64) {
	const name = "module_emit_plt_entry"
	size := arch.ARM64.Modules.PLTEntry
	for n := range room.size/size + 1 {
		_ = p.w.M.Write64(args[4]+8, next+n*targetGap) // the symbol's value
		at, returned, err := p.w.Execute(world.Subject{Name: name, Fn: p.emit, Args: args})
		var stop *emu.Stop
		switch {
		case errors.As(err, &stop) && stop.Reason == emu.Break, returned && at == 0:
			return
		case err != nil:
			r.Err = &FuncError{name, r.Case + ", and more branches", err}
			return
		case len(p.w.Faults) > 0:
			r.diff(name, "%s", p.w.Faults[0].What)
			return
		case at < room.addr || at-room.addr > room.size-min(size, room.size):
			r.diff(name, "returns %#x for a branch that was not counted, where %s (%#x, %#x bytes) is full", at, room.name, room.addr, room.size)
			return
		}
	}
}

// targetOf is the address of symbol n.
func targetOf(n uint32) uint64 { return farTarget + uint64(n)*targetGap }

// emitted calls a function that writes a PLT entry, and judges the place of the
// entry that it returns.
func (p *PLTMaker) emitted(r *RoomRun, name string, fn uint64, room *pltRoom, erratum bool, args ...uint64) uint64 {
	at, ok := p.call(r, name, fn, args...)
	size := arch.ARM64.Modules.PLTEntry
	switch {
	case !ok || !r.good():
	case at == 0:
		r.diff(name, "finds no room in %s, as module_frob_arch_sections has counted the branches (%#x bytes): it must hold %s", room.name, room.size, plural.Of(room.needs, "entry"))
	case at < room.addr || at-room.addr > room.size-min(size, room.size) || (at-room.addr)%size != 0:
		r.diff(name, "returns %#x, which is no entry of %s (%#x, %#x bytes)", at, room.name, room.addr, room.size)
	case erratum && atErratum(at):
		r.diff(name, "puts the ADRP of an entry at %#x, one of the last two instructions of a page", at)
	}
	return at
}

// adrp has the ADRP at loc replaced.
func (p *PLTMaker) adrp(r *RoomRun, loc uint64, room *pltRoom, value uint64) written {
	m := p.w.M
	m.Map(loc&^(emu.PageSize-1), emu.PageSize, emu.Read|emu.Write)
	r.Err = m.Write32(loc, 0x90000000|adrpReg)
	at := p.emitted(r, "module_emit_veneer_for_adrp", p.veneer, room, true, roomMod, p.shdrs, loc, value)
	return written{at, loc + a64.Size, value, true}
}

// layOut gives the sections with code and the PLTs addresses, and the symbols
// values out of reach. Text lies right before init text and right behind it. The
// sixth entry of a small PLT is where an ADRP can go wrong. Of a large one, the page
// ends where two entries are most easily mistaken for one.
func (p *PLTMaker) layOut(f relFile, inits []bool, plts *[2]pltRoom, erratum bool) (places []uint64, err error) {
	m := p.w.M
	ends := lastInPage(f, inits)
	for part := range plts {
		room := &plts[part]
		offset := uint64(0xfc0)
		if room.needs > 10 {
			size := arch.ARM64.Modules.PLTEntry
			offset = 0xff8 - ends[part]*size
			if erratum { // no entry begins there
				offset -= size
			}
		}
		room.addr = [2]uint64{corePLT, initPLTAt}[part] + offset
		m.Map(room.addr-offset, (offset+room.size+emu.PageSize-1)&^(emu.PageSize-1), emu.Read|emu.Write)
		err = errors.Join(err, m.Write64(p.shdrs+uint64(room.section)*shdrSize+16, room.addr))
	}
	symtab := f.header(f.symbols())
	for n := range uint32(symtab.size() / symSize) {
		err = errors.Join(err, m.Write64(fileBase+symtab.offset()+uint64(n)*symSize+8, targetOf(n)))
	}
	places = make([]uint64, f.sections())
	size := uint64(0) // of init text
	for i := range places {
		if h := f.header(i); inits[i] && h.flags()&elf.SHF_EXECINSTR != 0 {
			places[i] = initTextAt + size
			size += words(h.size())
		}
	}
	before, behind := uint64(initTextAt), initTextAt+size
	for i := range places {
		switch h := f.header(i); {
		case inits[i] || h.flags()&elf.SHF_EXECINSTR == 0:
		case behind != 0 && h.size() > 0:
			places[i], behind = behind, 0
		default:
			before -= words(h.size())
			places[i] = before
		}
	}
	return places, errors.Join(err, m.Write64(roomMod+p.members.InitBase, initTextAt), m.Write32(roomMod+p.members.InitWhole, uint32(size)))
}

// lastInPage are the entries of .plt and .init.plt, by number, that are to be the last
// ones in a page. In .plt, the target of the entry comes a second time; in .init.plt
// the next target is a page further, so that the ADRPs of both have the same word.
func lastInPage(f relFile, inits []bool) (entries [2]uint64) {
	symbols := f.content(f.symbols())
	var number, last [2]uint64
	found := [2]bool{}
	for i, part := range f.ofCode(inits) {
		h := f.header(i)
		f.each(i, func(_ int, rel rela) {
			if !rel.isBranch() || f.section(symbols, rel.sym()) == h.info() || found[part] {
				return
			}
			target := targetOf(rel.sym()) + rel.addend()
			again, pageOn := target == last[part], target == last[part]+emu.PageSize
			switch {
			case part == 0 && again, part == 1 && pageOn:
				found[part], entries[part] = true, number[part]-1
			case !again:
				number[part]++
			}
			last[part] = target
		})
	}
	for part := range entries {
		if !found[part] || entries[part] > 0xf00/arch.ARM64.Modules.PLTEntry {
			entries[part] = 10
		}
	}
	return entries
}

// words is a size in bytes, rounded up to whole instructions.
func words(size uint64) uint64 { return (size + a64.Size - 1) &^ (a64.Size - 1) }

// judgeEntries executes the entries that were written: that of a branch must come to
// its target, that of an ADRP back behind it.
func (p *PLTMaker) judgeEntries(r *RoomRun, plts [2]pltRoom, all []written) {
	m := p.w.M
	for _, room := range plts {
		page := room.addr &^ (emu.PageSize - 1)
		for ; page < room.addr+room.size; page += emu.PageSize {
			_ = m.Protect(page, emu.PageSize, emu.Read|emu.Exec)
		}
	}
	seen := map[written]bool{}
	for _, at := range all {
		if !r.good() || seen[at] {
			continue
		}
		seen[at] = true
		p.w.Enter()
		before := m.X
		m.MaxSteps, m.PC = 16, at.entry
		err := p.w.Explain(m.Run(at.target))
		after, value, fn := m.X, m.X[adrpReg], "module_emit_plt_entry"
		changed := []int{16, 17} // what a PLT entry may change
		if at.adrp {
			changed, fn = []int{adrpReg}, "module_emit_veneer_for_adrp"
		}
		for _, n := range changed {
			before[n], after[n] = 0, 0
		}
		switch {
		case err != nil && at.adrp:
			r.diff(fn, "returns an entry at %#x for the ADRP before %#x that does not come back behind it: %v", at.entry, at.target, err)
		case err != nil:
			r.diff(fn, "returns an entry at %#x that does not come to its target at %#x: %v", at.entry, at.target, err)
		case at.adrp && value != at.value:
			r.diff(fn, "returns an entry at %#x for an ADRP of %#x that gives %#x", at.entry, at.value, value)
		case before != after || m.SP != world.StackTop:
			r.diff(fn, "returns an entry at %#x that changes more registers than x%d", at.entry, changed[0])
		}
	}
}
