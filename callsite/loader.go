package callsite

import (
	"debug/elf"
	"encoding/binary"
	"fmt"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/world"
)

// Memory in which a module is loaded. Sizes are in bytes.
const (
	loaderBase = 0xffff_0000_4000_0000 // address of the headers; struct module stands at the end
	loaderSize = 64 << 10
	modSize    = 16 << 10 // room for struct module, which has about 1,400 bytes
)

// Sizes of the ELF header and of a section header, in bytes.
const (
	ehdrSize = 64
	shdrSize = 64
)

// A header is a section header, before or after the loader has seen it.
type header struct {
	name       string
	typ        elf.SectionType
	flags      elf.SectionFlag
	addr, size uint64
}

// A loader executes the arch's part of the kernel's module loader:
// module_frob_arch_sections(), which rewrites section headers before the module is
// laid out, and module_finalize(), which writes the PLT entries for ftrace.
type loader struct {
	w                          *world.World
	frob, finalize             uint64 // addresses of the two functions; 0: the image has no such function
	ehdr, shdrs, shstrtab, mod uint64 // addresses of the headers, the names and struct module
	end                        uint64 // address behind the headers and names
}

func newLoader(w *world.World) *loader {
	l := &loader{w: w}
	for name, addr := range map[string]*uint64{"module_frob_arch_sections": &l.frob, "module_finalize": &l.finalize} {
		if a, ok := w.Image.Addr(name); ok && w.Image.IsText(a) {
			*addr = a
		}
	}
	return l
}

// headers writes the headers of a module with these sections and a symbol table
// into memory.
func (l *loader) headers(sections []header) error {
	m, le := l.w.M, binary.LittleEndian
	m.Map(loaderBase, loaderSize, emu.Read|emu.Write)
	l.ehdr, l.mod = loaderBase, loaderBase+loaderSize-modSize
	all := append([]header{{}}, sections...)
	all = append(all, header{name: ".symtab", typ: elf.SHT_SYMTAB, addr: loaderBase + loaderSize/2}, header{name: ".shstrtab", typ: elf.SHT_STRTAB})
	b := make([]byte, ehdrSize+len(all)*shdrSize)
	copy(b, elf.ELFMAG)
	le.PutUint64(b[40:], ehdrSize)
	le.PutUint16(b[58:], shdrSize)
	le.PutUint16(b[60:], uint16(len(all)))
	le.PutUint16(b[62:], uint16(len(all)-1))
	var names []byte
	for i, h := range all {
		s := b[ehdrSize+i*shdrSize:]
		le.PutUint32(s, uint32(len(names)))
		le.PutUint32(s[4:], uint32(h.typ))
		le.PutUint64(s[8:], uint64(h.flags))
		le.PutUint64(s[16:], h.addr)
		le.PutUint64(s[32:], h.size)
		names = append(append(names, h.name...), 0)
	}
	le.PutUint64(b[ehdrSize+(len(all)-1)*shdrSize+24:], uint64(len(b)))
	l.shdrs, l.shstrtab, l.end = l.ehdr+ehdrSize, l.ehdr+uint64(len(b)), l.ehdr+uint64(len(b)+len(names))
	if len(b)+len(names) > loaderSize-modSize {
		return fmt.Errorf("%s are too many", plural.Of(len(sections), "section header"))
	}
	// Messages print the module's name, which follows state and list in struct
	// module of all kernels.
	if err := m.Write(l.mod+24, []byte("made_up\x00")); err != nil {
		return err
	}
	return m.Write(l.ehdr, append(b, names...))
}

// fence fills the memory behind the headers and names with bytes that are not a
// valid header.
func (l *loader) fence() error {
	b := make([]byte, l.ehdr+loaderSize/2-l.end)
	for i := range b {
		b[i] = 0x5a
	}
	return l.w.M.Write(l.end, b)
}

// section reads the header of section i, by the order of the argument of headers.
func (l *loader) section(i int) (h header, err error) {
	var b [shdrSize]byte
	le := binary.LittleEndian
	for off := uint64(0); off < shdrSize && err == nil; off += 8 {
		var v uint64
		v, err = l.w.M.Read64(l.shdrs + uint64(i+1)*shdrSize + off)
		le.PutUint64(b[off:], v)
	}
	return header{"", elf.SectionType(le.Uint32(b[4:])), elf.SectionFlag(le.Uint64(b[8:])), le.Uint64(b[16:]), le.Uint64(b[32:])}, err
}

// A LoaderView says how a kernel's loader treats the sections that it knows.
type LoaderView struct {
	// Knows are the names of the sections whose headers
	// module_frob_arch_sections() changes.
	Knows map[string]bool
	// Rewrites are the names of the sections whose flags
	// module_frob_arch_sections() rewrites.
	Rewrites map[string]bool
	// Needs are the names of the sections without which the loader refuses a
	// module.
	Needs map[string]bool
	// Sizes are the sizes that module_frob_arch_sections() gives the sections that it
	// knows, in bytes. Those of the sections for ftrace do not depend on the module.
	Sizes map[string]uint64
}

// ViewOfLoader executes the loader of the image on the section headers of a
// made-up module. An error says why the result is not known.
func ViewOfLoader(im *elfscan.Image) (v LoaderView, err error) {
	if im.Arch().Modules.PLT == "" {
		return v, &world.Lack{What: "modules of this architecture have no PLTs"}
	}
	l := newLoader(world.New(im))
	if l.frob == 0 || l.finalize == 0 {
		return v, fmt.Errorf("the image has no module_frob_arch_sections and module_finalize")
	}
	const wax = elf.SHF_WRITE | elf.SHF_ALLOC | elf.SHF_EXECINSTR
	var sections []header
	for i, name := range []string{".plt", ".init.plt", arch.ARM64.Modules.PLT, arch.ARM64.Modules.InitPLT} {
		sections = append(sections, header{name, elf.SHT_PROGBITS, wax, loaderBase + loaderSize/4 + uint64(i)*256, 1})
	}
	v = LoaderView{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]uint64{}}
	if err := l.headers(sections); err != nil {
		return v, err
	}
	ret, err := l.w.Call(l.frob, l.ehdr, l.shdrs, l.shstrtab, l.mod)
	if err != nil {
		return v, fmt.Errorf("module_frob_arch_sections: %w", err)
	}
	if int32(ret) != 0 {
		return v, fmt.Errorf("module_frob_arch_sections, executed, returns %d for a module with all sections", int32(ret))
	}
	for i := range sections {
		h, err := l.section(i)
		if err != nil {
			return v, err
		}
		if h.typ != elf.SHT_PROGBITS || h.flags != wax || h.size != 1 {
			v.Knows[sections[i].name] = true
			v.Sizes[sections[i].name] = h.size
		}
		if h.flags != wax {
			v.Rewrites[sections[i].name] = true
		}
	}
	for i, s := range sections {
		l.w.Reset()
		if err := l.headers(append(append([]header(nil), sections[:i]...), sections[i+1:]...)); err != nil {
			return v, err
		}
		ret, err := l.w.Call(l.frob, l.ehdr, l.shdrs, l.shstrtab, l.mod)
		if err == nil && int32(ret) == 0 {
			ret, err = l.w.Call(l.finalize, l.ehdr, l.shdrs, l.mod)
		}
		if err != nil {
			return v, fmt.Errorf("the loader, executed on a module without %s: %w", s.name, err)
		}
		if int32(ret) != 0 {
			v.Needs[s.name] = true
		}
	}
	return v, nil
}
