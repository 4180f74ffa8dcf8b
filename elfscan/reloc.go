package elfscan

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"
)

// A reloc is one dynamic relocation, resolved: the 64-bit word at addr is
// value once the kernel has relocated itself to its link-time address.
type reloc struct{ addr, value uint64 }

const (
	relaSize = 24
	shtRELR  = 19 // SHT_RELR
)

// dynamicSections are the allocated sections of type typ, which have entries of
// entsize bytes. A section of another size is an error.
func (im *Image) dynamicSections(typ elf.SectionType, entsize uint64) ([]*elf.Section, error) {
	var out []*elf.Section
	for i, s := range im.file.Sections {
		if s.Type != typ || s.Flags&elf.SHF_ALLOC == 0 {
			continue
		}
		if s.FileSize%entsize != 0 {
			return nil, &Error{im.Path, sectionAt(i, s.Name),
				fmt.Sprintf("its size, %#x bytes, is not a multiple of %d", s.FileSize, entsize)}
		}
		out = append(out, s)
	}
	return out, nil
}

// eachRela calls f for every RELA relocation of 64-bit words whose place lies
// in lo..hi-1, in the order of the file. RELR relocations need no work: their
// values stand in place.
func (im *Image) eachRela(lo, hi uint64, f func(reloc)) error {
	if im.module != nil {
		im.eachModule64(lo, hi, f)
		return nil
	}
	sections, err := im.dynamicSections(elf.SHT_RELA, relaSize)
	if err != nil {
		return err
	}
	le := binary.LittleEndian
	for _, s := range sections {
		for b := im.data[s.Offset : s.Offset+s.FileSize]; len(b) >= relaSize; b = b[relaSize:] {
			addr := le.Uint64(b)
			if addr < lo || addr >= hi {
				continue
			}
			info, value := le.Uint64(b[8:]), le.Uint64(b[16:])
			switch typ, known := uint32(info), &im.arch.Relocs; {
			case typ == known.Relative:
			case slices.Contains(known.Absolute, typ):
				// A symbol that the kernel leaves undefined (weak) counts as 0.
				value += im.dynSymbol(s, uint32(info>>32))
			default:
				continue // none, and words of 32 and 16 bits, of no interest here
			}
			f(reloc{addr, value})
		}
	}
	return nil
}

// dynSymbol is the value of symbol n of the symbol table that the relocation
// section s is linked to.
func (im *Image) dynSymbol(s *elf.Section, n uint32) uint64 {
	if n == 0 || int(s.Link) >= len(im.file.Sections) {
		return 0
	}
	tab := im.file.Sections[s.Link]
	off := uint64(n) * symSize
	if tab.Type != elf.SHT_DYNSYM && tab.Type != elf.SHT_SYMTAB || off+symSize > tab.FileSize {
		return 0
	}
	return binary.LittleEndian.Uint64(im.data[tab.Offset+off+8:])
}

// countRelr is the number of RELR relocations in lo..hi-1. An even word of RELR
// is an address, an odd word a bitmap of the 63 words that follow (generic ABI,
// "Relative relocations").
func (im *Image) countRelr(lo, hi uint64) (n int, err error) {
	if im.module != nil {
		return 0, nil
	}
	sections, err := im.dynamicSections(shtRELR, 8)
	if err != nil {
		return 0, err
	}
	for _, s := range sections {
		var next uint64
		for b := im.data[s.Offset : s.Offset+s.FileSize]; len(b) >= 8; b = b[8:] {
			w := binary.LittleEndian.Uint64(b)
			if w&1 == 0 {
				if lo <= w && w < hi {
					n++
				}
				next = w + 8
				continue
			}
			if next < hi && next+63*8 > lo {
				for bit := range uint64(63) {
					if a := next + bit*8; w>>(bit+1)&1 == 1 && lo <= a && a < hi {
						n++
					}
				}
			}
			next += 63 * 8
		}
	}
	return n, nil
}
