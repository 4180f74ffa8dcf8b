package callsite

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"iter"
)

// A relFile is the file of a module, a relocatable ELF file.
type relFile []byte

// Sizes of a symbol and of a relocation, in bytes.
const (
	symSize  = 24
	relaSize = 24
)

func (f relFile) shoff() uint64 { return binary.LittleEndian.Uint64(f[40:]) }
func (f relFile) sections() int { return int(binary.LittleEndian.Uint16(f[60:])) }
func (f relFile) names() int    { return int(binary.LittleEndian.Uint16(f[62:])) }
func (f relFile) header(i int) shdr {
	off := f.shoff() + uint64(i)*shdrSize
	return shdr(f[off : off+shdrSize])
}

// A shdr is the header of a section (Elf64_Shdr).
type shdr []byte

func (s shdr) name() uint32           { return binary.LittleEndian.Uint32(s) }
func (s shdr) typ() elf.SectionType   { return elf.SectionType(binary.LittleEndian.Uint32(s[4:])) }
func (s shdr) flags() elf.SectionFlag { return elf.SectionFlag(binary.LittleEndian.Uint64(s[8:])) }
func (s shdr) offset() uint64         { return binary.LittleEndian.Uint64(s[24:]) }
func (s shdr) size() uint64           { return binary.LittleEndian.Uint64(s[32:]) }
func (s shdr) link() int              { return int(binary.LittleEndian.Uint32(s[40:])) }
func (s shdr) info() int              { return int(binary.LittleEndian.Uint32(s[44:])) }
func (s shdr) align() uint64          { return binary.LittleEndian.Uint64(s[48:]) }

// content are the bytes of section i.
func (f relFile) content(i int) []byte {
	h := f.header(i)
	if h.typ() == elf.SHT_NOBITS || h.typ() == elf.SHT_NULL {
		return nil
	}
	return f[h.offset() : h.offset()+h.size()]
}

func (f relFile) name(i int) string {
	names := f.content(f.names())
	name := names[f.header(i).name():]
	return string(name[:bytes.IndexByte(name, 0)])
}

// numbered is the number of the last section of that name; 0 if there is none.
func (f relFile) numbered(name string) (number int) {
	for i := range f.sections() {
		if f.name(i) == name {
			number = i
		}
	}
	return number
}

// A rela is a relocation (Elf64_Rela).
type rela []byte

func (r rela) offset() uint64     { return binary.LittleEndian.Uint64(r) }
func (r rela) typ() elf.R_AARCH64 { return elf.R_AARCH64(binary.LittleEndian.Uint32(r[8:])) }
func (r rela) sym() uint32        { return binary.LittleEndian.Uint32(r[12:]) }
func (r rela) addend() uint64     { return binary.LittleEndian.Uint64(r[16:]) }

// isBranch reports whether the loader gives the branch a PLT entry if its target
// is out of reach.
func (r rela) isBranch() bool {
	return r.typ() == elf.R_AARCH64_CALL26 || r.typ() == elf.R_AARCH64_JUMP26
}

// isPage reports whether the relocation is for an ADRP.
func (r rela) isPage() bool {
	return r.typ() == elf.R_AARCH64_ADR_PREL_PG_HI21 || r.typ() == elf.R_AARCH64_ADR_PREL_PG_HI21_NC
}

// atErratum reports whether a place at this offset in a page, or in a section that
// is aligned to pages, is one of the last two of a page, where an ADRP can go wrong
// on a Cortex-A53 (erratum 843419).
func atErratum(offset uint64) bool { return offset&0xff8 == 0xff8 }

// each calls f for the relocations of section i.
func (f relFile) each(i int, do func(n int, r rela)) {
	b := f.content(i)
	for n := 0; len(b) >= relaSize; n, b = n+1, b[relaSize:] {
		do(n, rela(b[:relaSize]))
	}
}

// A stretch is a part of a file.
type stretch struct{ addr, size uint64 }

// looksAt are the parts of the file that module_frob_arch_sections() looks at: the
// headers, the names of sections, the symbols, and the relocations of code.
func (f relFile) looksAt() []stretch {
	out := []stretch{{0, ehdrSize}, {f.shoff(), uint64(f.sections()) * shdrSize}}
	for i := range f.sections() {
		h := f.header(i)
		if i == f.names() || h.typ() == elf.SHT_SYMTAB || f.isOfCode(i) {
			out = append(out, stretch{h.offset(), h.size()})
		}
	}
	return out
}

// isOfCode reports whether section i holds relocations of a section with code.
func (f relFile) isOfCode(i int) bool {
	h := f.header(i)
	return h.typ() == elf.SHT_RELA && f.header(h.info()).flags()&elf.SHF_EXECINSTR != 0
}

// ofCode are the sections that isOfCode, by number, with the part of the module that
// their code is in: 1 for a section of inits, else 0.
func (f relFile) ofCode(inits []bool) iter.Seq2[int, int] {
	return func(yield func(i, part int) bool) {
		for i := range f.sections() {
			if !f.isOfCode(i) {
				continue
			}
			part := 0
			if inits[f.header(i).info()] {
				part = 1
			}
			if !yield(i, part) {
				return
			}
		}
	}
}

// symbols is the number of the section with the symbols; 0 if there is none.
func (f relFile) symbols() int {
	for i := range f.sections() {
		if f.header(i).typ() == elf.SHT_SYMTAB {
			return i
		}
	}
	return 0
}

// section is the section of symbol n.
func (f relFile) section(symbols []byte, n uint32) int {
	return int(binary.LittleEndian.Uint16(symbols[uint64(n)*symSize+6:]))
}

// sound is an error if a header or a relocation refers to something that the file
// does not have. The loader does not look at that.
func (f relFile) sound() error {
	if len(f) < ehdrSize || f.shoff() > uint64(len(f)) || uint64(len(f))-f.shoff() < uint64(f.sections())*shdrSize {
		return fmt.Errorf("the section headers are cut off")
	}
	symtab := f.symbols()
	if symtab == 0 || f.names() >= f.sections() {
		return fmt.Errorf("the module has no symbols or no names of sections")
	}
	for i := range f.sections() {
		h := f.header(i)
		if h.typ() != elf.SHT_NOBITS && h.typ() != elf.SHT_NULL && (h.offset() > uint64(len(f)) || h.size() > uint64(len(f))-h.offset()) {
			return fmt.Errorf("section %d is cut off", i)
		}
	}
	names := f.content(f.names())
	if len(names) == 0 || names[len(names)-1] != 0 {
		return fmt.Errorf("the names of sections do not end in a NUL byte")
	}
	symbols := uint64(len(f.content(symtab)) / symSize)
	for i := range f.sections() {
		h := f.header(i)
		switch {
		case uint64(h.name()) >= uint64(len(names)):
			return fmt.Errorf("section %d has no name", i)
		case h.typ() != elf.SHT_RELA:
			continue
		case h.info() >= f.sections() || h.link() != symtab:
			return fmt.Errorf("section %d (%s) is for section %d with the symbols of section %d", i, f.name(i), h.info(), h.link())
		}
		var err error
		f.each(i, func(n int, r rela) {
			if uint64(r.sym()) >= symbols {
				err = fmt.Errorf("relocation %d of section %d (%s) is of symbol %d of %d", n, i, f.name(i), r.sym(), symbols)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}
