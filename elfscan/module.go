package elfscan

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/internal/plural"
)

// A Part is one of the stretches of memory that the kernel's loader makes of a
// module (enum mod_mem_type; before 6.4 they follow each other in two areas,
// core and init). Their order is the one in which they are laid out here.
type Part uint8

const (
	NoPart        Part = iota // not in memory, or only while the module is loaded
	Text                      // read-only and executable
	ROData                    // read-only
	ROAfterInit               // read-only once the module's init function has run
	Data                      // writable
	InitText                  // like Text, gone after init
	InitROData                // like ROData, gone after init
	InitData                  // like Data, gone after init
	numParts      = iota
	firstInitPart = InitText
)

var partNames = [...]string{"not in memory", "text", "read-only data", "data that is read-only after init", "data", "init text", "read-only init data", "init data"}

func (p Part) String() string { return partNames[p] }

// Init reports whether the kernel frees the part after init.
func (p Part) Init() bool { return p >= firstInitPart }

// A ModuleSection is a section of a module as the kernel's loader sees it.
type ModuleSection struct {
	Name  string
	Flags elf.SectionFlag // in the file
	Part  Part
	// Rewritten reports whether module_frob_arch_sections() gives the section
	// other flags and another size, before the loader looks at them.
	Rewritten bool
	Addr      uint64 // 0 if the section is in no part
	Size      uint64 // in bytes, after module_frob_arch_sections()
}

// A Module is what an Image knows of a module, a relocatable file, beside what it
// knows of any image. The module is laid out as the kernel's loader does it, at
// addresses where the kernel could put it.
type Module struct {
	Info     ModInfo
	Sections []ModuleSection // by their number in the file
	Kernel   *Image          // the kernel that the module is loaded into; nil if it is not known
	Base     uint64          // address of the first part

	parts [numParts + 1]uint64 // address of each part; the last is the end of the module
	relas []int                // by section number: the number of the section with its relocations, or 0
	debug ModuleOptions        // places of debug files
}

// PartAt is the part that addr lies in.
func (m *Module) PartAt(addr uint64) Part {
	for p := Text; p < numParts; p++ {
		if m.parts[p] <= addr && addr < m.parts[p+1] {
			return p
		}
	}
	return NoPart
}

// PartRange are the addresses of a part: of its first byte, and behind its last.
func (m *Module) PartRange(p Part) (start, end uint64) {
	if p == NoPart {
		return 0, 0
	}
	return m.parts[p], m.parts[p+1]
}

// Contains reports whether addr lies in the memory of the module.
func (m *Module) Contains(addr uint64) bool { return m.Base <= addr && addr < m.parts[numParts] }

// Section is the first section of that name.
func (m *Module) Section(name string) (s ModuleSection, ok bool) {
	for _, s := range m.Sections {
		if s.Name == name {
			return s, true
		}
	}
	return ModuleSection{}, false
}

// thisModule is the section with struct module.
const thisModule = ".gnu.linkonce.this_module"

// forFtrace are the names of the sections with PLT entries for ftrace.
var forFtrace = []string{arch.ARM64.Modules.PLT, arch.ARM64.Modules.InitPLT}

// modulePages is the alignment of parts, in bytes. Kernels align parts to their
// pages. The addresses of modules are made up here, so that the largest size of a
// page serves for all kernels.
const modulePages = 64 << 10

// pltEntrySize is the size of a PLT entry, in bytes.
var pltEntrySize = arch.ARM64.Modules.PLTEntry

// maxModule bounds the memory of a module, in bytes. The kernel's region for
// modules has 2 GiB at most.
const maxModule = 1 << 31

// noKernelBase is the address of a module whose kernel is not known.
const noKernelBase = 0xffff_8000_7000_0000

// WithoutKernel forgets the module's kernel, which is then not known.
func (im *Image) WithoutKernel() {
	im.module.Kernel = nil
	im.derived.Clear()
}

// Module is what the image knows of itself as a module; nil for a linked image.
func (im *Image) Module() *Module { return im.module }

// ModuleOptions say how to open a module. The zero value is ready for use.
type ModuleOptions struct {
	Kernel *Image // the kernel that the module is loaded into; nil if it is not known
	// Buffer is the memory that the module is read and unpacked into; nil for
	// memory of its own. A module that used the Buffer before is no longer valid.
	Buffer *Buffer
	// DebugFile is the module's debug file. DebugDirs are folders with debug
	// files, laid out as /usr/lib/debug is. A debug file beside the module
	// (X.ko.debug) is found without them. It is opened when a line is asked for.
	DebugFile string
	DebugDirs []string
}

// OpenModule opens the module at path: a relocatable ELF file, plain or
// compressed with gzip, xz or zstd.
//
// Errors are of type *Error, or those of package os.
func OpenModule(path string, opt ModuleOptions) (im *Image, err error) {
	defer Guard()()
	defer func() {
		if r := recover(); r != nil {
			what := fmt.Sprintf("cannot be read: %v", r)
			if _, fault := r.(interface{ Addr() uintptr }); fault { // the module itself is not mapped
				what = "cannot be read: the kernel image changed while it was read"
			}
			im, err = nil, &Error{Path: path, What: what}
		}
	}()
	buf := opt.Buffer
	if buf == nil {
		buf = new(Buffer)
	}
	data, err := buf.read(path)
	if err != nil {
		return nil, err
	}
	im = &Image{Path: path, data: data, module: &Module{Kernel: opt.Kernel, debug: opt}}
	im.debug = im
	err = im.readHeaders()
	if m := im.module; err == nil && m.Kernel != nil && m.Kernel.arch != im.arch {
		m.Kernel = nil // a kernel of another architecture has no place for it
	}
	if err == nil {
		err = im.layOutFirst()
	}
	if err != nil {
		im.Close()
		return nil, err
	}
	return im, nil
}

// layOutFirst reads the sections of a module that was opened, and lays it out.
func (im *Image) layOutFirst() error {
	m := im.module
	switch {
	case im.file.Section(thisModule) != nil:
	case im.file.Section(".head.text") != nil: // the first code of a kernel (arch/arm64/kernel/head.S)
		return &Error{im.Path, "", "is a relocatable kernel object (vmlinux.o), from which the build links the kernel: name the vmlinux"}
	case im.file.Section(".modinfo") == nil:
		return &Error{im.Path, "", "is an object file and not a module, as it has neither section .modinfo nor " + thisModule + ": name the vmlinux or the module that is linked from it"}
	}
	if len(im.file.Sections) >= int(elf.SHN_LORESERVE) {
		return &Error{im.Path, "section headers", fmt.Sprintf("%s: a module with fewer than %d was expected", plural.Of(len(im.file.Sections), "section"), elf.SHN_LORESERVE)}
	}
	m.relas = make([]int, len(im.file.Sections))
	m.Sections = make([]ModuleSection, len(im.file.Sections))
	for i, s := range im.file.Sections {
		m.Sections[i] = ModuleSection{Name: s.Name, Flags: s.Flags, Size: s.Size}
		switch {
		case s.Type == elf.SHT_RELA && s.FileSize%relaSize != 0:
			return &Error{im.Path, sectionAt(i, s.Name), fmt.Sprintf("its size, %#x bytes, is not a multiple of %d", s.FileSize, relaSize)}
		case s.Type == elf.SHT_RELA && int(s.Info) < len(m.relas) && m.relas[s.Info] == 0:
			m.relas[s.Info] = i
		}
	}
	if err := im.findSymbols(); err != nil {
		return err
	}
	m.Info = readModInfo(im.sectionData(".modinfo"))
	exits := false // exit text is init text
	if m.Kernel != nil {
		unloads, known := m.Kernel.UnloadsModules()
		exits = known && !unloads
	}
	for i := range m.Sections {
		m.Sections[i].place(uint64(im.NumSymbols()), exits)
	}
	base := cmp.Or(im.arch.Modules.Base, noKernelBase)
	if m.Kernel != nil {
		if near, ok := m.Kernel.NearBase(); ok {
			base = near
		}
	}
	return im.layOut(base)
}

// place sets the part that the section belongs to (layout_sections() in
// kernel/module/main.c). The PLTs get an entry for each symbol of the module.
// These are more than the loader makes, and the index of an entry is that of its
// symbol. exits says that exit text is init text.
func (s *ModuleSection) place(symbols uint64, exits bool) {
	flags := s.Flags
	switch s.Name {
	case ".plt", ".init.plt":
		s.Rewritten, s.Size = true, symbols*pltEntrySize
	case arch.ARM64.Modules.PLT, arch.ARM64.Modules.InitPLT:
		s.Rewritten, s.Size = true, 2*pltEntrySize // NR_FTRACE_PLTS
	case ".modinfo", "__versions":
		return // the loader reads it and does not keep it
	}
	if s.Rewritten {
		flags = elf.SHF_ALLOC | elf.SHF_EXECINSTR
	}
	switch {
	case flags&elf.SHF_ALLOC == 0:
		return
	case flags&elf.SHF_EXECINSTR != 0:
		s.Part = Text
	case s.Name == ".data..ro_after_init" || s.Name == "__jump_table":
		s.Part = ROAfterInit
	case flags&elf.SHF_WRITE == 0:
		s.Part = ROData
	default:
		s.Part = Data
	}
	if strings.HasPrefix(s.Name, ".init") || exits && strings.HasPrefix(s.Name, ".exit") { // module_init_layout_section()
		s.Part = [...]Part{Text: InitText, ROData: InitROData, ROAfterInit: InitData, Data: InitData}[s.Part]
	}
}

// UnloadsModules reports whether the kernel can unload modules, and whether that is
// known. Only then it has module_put() (kernel/module/main.c) and a system call that
// is not the weak stub, which LTO makes local. A kernel that cannot puts the exit text of
// modules into init memory.
func (im *Image) UnloadsModules() (unloads, known bool) {
	if _, ok := im.Lookup("module_put"); ok {
		return true, true
	}
	call, ok := im.Lookup(im.arch.Syscall + "delete_module")
	return call.Bind == elf.STB_GLOBAL, ok
}

// layOut gives every section in memory an address, from base on. The values of
// symbols become addresses, as in the loader.
func (im *Image) layOut(base uint64) error {
	m := im.module
	from := make([]uint64, len(m.Sections)) // what the symbols' values are relative to now
	for i := range m.Sections {
		from[i] = m.Sections[i].Addr
	}
	m.Base = base
	at := base
	for p := Text; p < numParts; p++ {
		m.parts[p] = at
		for i := range m.Sections {
			s := &m.Sections[i]
			if s.Part != p {
				continue
			}
			align := max(im.file.Sections[i].Addralign, 1)
			if s.Rewritten {
				align = 4
			}
			switch {
			case align&(align-1) != 0 || align > modulePages:
				return &Error{im.Path, sectionAt(i, s.Name), fmt.Sprintf("is to be aligned to %#x bytes: a power of two up to %#x was expected", align, modulePages)}
			case s.Size > maxModule || at+s.Size-base > maxModule:
				return &Error{im.Path, sectionAt(i, s.Name), fmt.Sprintf("is %#x bytes long: with it the module takes more than %#x", s.Size, uint64(maxModule))}
			}
			at = (at + align - 1) &^ (align - 1)
			s.Addr = at
			at += s.Size
		}
		at = (at + modulePages - 1) &^ (modulePages - 1)
	}
	m.parts[numParts] = at
	im.moveSymbols(from)
	im.indexModule()
	return nil
}

// moveSymbols moves symbols along with their sections. from are the sections'
// addresses before.
func (im *Image) moveSymbols(from []uint64) {
	m, le := im.module, binary.LittleEndian
	for off := symSize; off < len(im.symtab); off += symSize {
		sym := im.symtab[off : off+symSize]
		if n := int(le.Uint16(sym[6:])); n > 0 && n < len(m.Sections) {
			le.PutUint64(sym[8:], le.Uint64(sym[8:])+m.Sections[n].Addr-from[n])
		}
	}
}

// indexModule is indexSections for a module.
func (im *Image) indexModule() {
	m := im.module
	im.ranges = make([]Range, 0, len(m.Sections))
	for i := range m.Sections {
		s, f := &m.Sections[i], im.file.Sections[i]
		if s.Part == NoPart || s.Size == 0 {
			continue
		}
		r := Range{Name: s.Name, Addr: s.Addr, Size: s.Size, Flags: s.Flags, number: i}
		switch {
		case s.Rewritten:
			r.Flags = elf.SHF_ALLOC | elf.SHF_EXECINSTR
		case f.Type != elf.SHT_NOBITS:
			r.data = im.data[f.Offset : f.Offset+f.FileSize]
		}
		im.ranges = append(im.ranges, r)
	}
	slices.SortStableFunc(im.ranges, func(a, b Range) int { return cmp.Compare(a.Addr, b.Addr) })
	im.indexLazily()
}

// PlaceAt is the same module at the address base, which must be a multiple of
// 64 KiB. It is valid until im is closed.
func (im *Image) PlaceAt(base uint64) (*Image, error) {
	m := *im.module
	m.Sections = slices.Clone(m.Sections)
	out := &Image{Path: im.Path, data: im.data, file: im.file, arch: im.arch, module: &m,
		symtab: bytes.Clone(im.symtab), strtab: im.strtab, symtabWhere: im.symtabWhere, padAt: im.padAt}
	out.debug = out
	return out, out.layOut(base)
}

// sectionData are the bytes in the file of the first section of that name; nil
// if there is no such section.
func (im *Image) sectionData(name string) []byte {
	s := im.file.Section(name)
	if s == nil || s.Type == elf.SHT_NOBITS {
		return nil
	}
	return im.data[s.Offset : s.Offset+s.FileSize]
}

// FileSection are the bytes in the file of the first section of that name, loaded or
// not; nil if there is no such section. The caller must not write to them.
func (im *Image) FileSection(name string) []byte { return im.sectionData(name) }

// A ModuleRegion is a range of addresses where a kernel puts modules.
type ModuleRegion struct {
	Name       string // of the region, after the kernel's variable that holds Start
	Start, End uint64 // with the image at its link-time address and no KASLR
	Direct     bool   // every address in it is in BL range of all of the image
}

// ModuleRegions are the regions where the image's kernel puts modules, in the
// order in which it tries them. Symbols tell which they are, as the kernel's
// configuration is not in the image.
func (im *Image) ModuleRegions() []ModuleRegion {
	if im.arch.Modules.Base != 0 {
		return []ModuleRegion{{"MODULES_VADDR", im.arch.Modules.Base, im.arch.Modules.End - 1, true}}
	}
	text, ok1 := im.Addr("_text")
	etext, ok2 := im.Addr("_etext")
	end, ok3 := im.Addr("_end")
	if !ok1 || !ok2 || !ok3 || end < text {
		return nil
	}
	has := func(name string) bool { _, ok := im.Lookup(name); return ok }
	const direct, plt = 128 << 20, 2 << 30
	var out []ModuleRegion
	switch {
	case has("module_direct_base") || has("module_plt_base"):
		// "arm64: module: rework module VA range selection" (6.5)
		if end-text < direct && has("module_direct_base") {
			out = append(out, ModuleRegion{"module_direct_base", end - direct, text, true})
		}
		if has("module_plt_base") {
			out = append(out, ModuleRegion{"module_plt_base", end - plt, text, false})
		}
	case has("module_alloc_base"):
		if etext-text < direct {
			out = append(out, ModuleRegion{"module_alloc_base", etext - direct, text, true})
		}
		if has("module_emit_plt_entry") { // CONFIG_ARM64_MODULE_PLTS
			out = append(out, ModuleRegion{"module_alloc_base, the full range", etext - plt, text, false})
		}
	}
	return out
}

// NearBase is an address for a module in BL range of the image.
func (im *Image) NearBase() (uint64, bool) {
	text, ok := im.Addr("_text")
	switch {
	case !ok:
		return 0, false
	case im.arch.Modules.Base != 0:
		return im.arch.Modules.Base, true
	}
	const room = 16 << 20
	return (text - room) &^ (modulePages - 1), true
}

// FarBase is an address for a module out of BL range of the image, where the
// kernel can put one.
func (im *Image) FarBase() (uint64, bool) {
	for _, r := range im.ModuleRegions() {
		if !r.Direct {
			return (r.Start + 2*modulePages) &^ (modulePages - 1), true
		}
	}
	return 0, false
}

// A Buffer is memory for one open module at a time. Thousands of modules can be
// opened in it, one after the other.
type Buffer struct {
	file, unpacked []byte
	unpackers

	limit int64 // in bytes, for tests; 0: MaxModule
}

// MaxModule bounds the size of an unpacked module, in bytes. A quarter of
// GOMEMLIMIT bounds it, too.
const MaxModule = 256 << 20

// read gives the contents of the file, unpacked. Modules are small: reading one
// costs less than mapping it.
func (b *Buffer) read(path string) ([]byte, error) {
	file, info, err := openFile(path, "a module")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	limit := cmp.Or(b.limit, int64(most(MaxModule)))
	switch {
	case info.Size() > limit:
		return nil, &Error{Path: path, What: fmt.Sprintf("has %s, the limit for a module is %d", plural.Of(info.Size(), "byte"), limit)}
	case info.Size() == 0:
		return nil, &Error{Path: path, What: "is empty"}
	}
	if n := int(info.Size()); cap(b.file) < n {
		b.file = make([]byte, n, n+n/4)
	} else {
		b.file = b.file[:n]
	}
	if n, err := io.ReadFull(file, b.file); err == io.ErrUnexpectedEOF {
		return nil, &Error{Path: path, What: fmt.Sprintf("changed while it was read: it had %s, now %d", plural.Of(info.Size(), "byte"), n)}
	} else if err != nil {
		return nil, err
	}
	if !packed(b.file) {
		return b.file, nil
	}
	unpacked := bytes.NewBuffer(b.unpacked[:0])
	err = b.unpack(unpacked, b.file, limit)
	b.unpacked = unpacked.Bytes()
	if err != nil {
		return nil, &Error{Path: path, What: err.Error()}
	}
	return b.unpacked, nil
}
