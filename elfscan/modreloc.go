package elfscan

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
)

// A modReloc is one relocation of a module's section.
type modReloc struct {
	off    uint64 // from the section's start to the relocated place, in bytes
	typ    uint32
	sym    uint32
	addend uint64
}

// eachModReloc calls f for every relocation of a module's section whose place
// lies in the section. number is the section's number in the file.
func (im *Image) eachModReloc(number int, size uint64, f func(modReloc)) {
	n := im.module.relas[number]
	if n == 0 {
		return
	}
	s := im.file.Sections[n]
	le := binary.LittleEndian
	for b := im.data[s.Offset : s.Offset+s.FileSize]; len(b) >= relaSize; b = b[relaSize:] {
		r := modReloc{off: le.Uint64(b), addend: le.Uint64(b[16:])}
		info := le.Uint64(b[8:])
		r.typ, r.sym = uint32(info), uint32(info>>32)
		if r.off < size && int64(r.sym)*symSize < int64(len(im.symtab)) {
			f(r)
		}
	}
}

// HasRelocations reports whether section number of a module has relocations.
func (im *Image) HasRelocations(number int) bool { return im.module.relas[number] != 0 }

// EachBranch calls f for the relocations of those branches of section number of a
// module that can go through a PLT entry: with the address of the branch, the address that it goes to,
// and the name of the symbol if the module does not define it.
func (im *Image) EachBranch(number int, f func(at, target uint64, undefined string)) {
	sec := im.module.Sections[number]
	im.eachModReloc(number, sec.Size, func(m modReloc) {
		if !slices.Contains(im.arch.Relocs.Branches, m.typ) {
			return
		}
		name := ""
		if elf.SectionIndex(binary.LittleEndian.Uint16(im.symtab[m.sym*symSize+6:])) == elf.SHN_UNDEF {
			name = string(im.rawName(m.sym))
		}
		f(sec.Addr+m.off, im.modSymbol(m.sym)+m.addend, name)
	})
}

// eachModule64 is eachRela for a module. It knows the relocations of 64-bit
// words of data.
func (im *Image) eachModule64(lo, hi uint64, f func(reloc)) {
	for i := range im.ranges {
		r := &im.ranges[i]
		if r.End() <= lo || hi <= r.Addr || r.data == nil {
			continue
		}
		im.eachModReloc(r.number, r.Size, func(m modReloc) {
			at := r.Addr + m.off
			if at < lo || hi <= at {
				return
			}
			switch known := &im.arch.Relocs; {
			case m.typ == known.Absolute[0]:
				f(reloc{at, im.modSymbol(m.sym) + m.addend})
			case slices.Contains(known.Delta, m.typ):
				f(reloc{at, im.modSymbol(m.sym) + m.addend - at})
			}
		})
	}
}

// modSymbol is the address of symbol n of a module. A symbol that the module does
// not define has its address in the kernel. If the kernel does not define it
// either, or is not known, it has an address behind the module.
func (im *Image) modSymbol(n uint32) uint64 {
	if int64(n)*symSize >= int64(len(im.symtab)) {
		return 0
	}
	b := im.symtab[n*symSize : (n+1)*symSize]
	le := binary.LittleEndian
	if elf.SectionIndex(le.Uint16(b[6:])) != elf.SHN_UNDEF || n == 0 {
		return le.Uint64(b[8:])
	}
	if k := im.module.Kernel; k != nil {
		if a, ok := k.Addr(string(im.rawName(n))); ok {
			return a
		}
	}
	if elf.ST_BIND(b[4]) == elf.STB_WEAK {
		return 0
	}
	return im.unresolvedBase() + uint64(n)*unresolvedSize
}

// Symbols that neither the module nor its kernel defines (another module has
// them, or no kernel is known) get addresses behind the module, so that an
// instruction that refers to one can be shown with its name.
const unresolvedSize = 16

func (im *Image) unresolvedBase() uint64 { return im.module.parts[numParts] }

// moduleName is Name for a module. If ok, s is the symbol at or before addr.
func (im *Image) moduleName(addr uint64, s Symbol, ok bool) string {
	if !ok {
		return im.Outside(addr)
	}
	name := s.Name
	if addr != s.Addr {
		name = fmt.Sprintf("%s+%#x", name, addr-s.Addr)
	}
	if im.module.Info.Name != "" {
		name += " [" + im.module.Info.Name + "]"
	}
	return name
}

// Outside is addr in words, for an address that is not in the module.
func (im *Image) Outside(addr uint64) string {
	m := im.module
	if n := (addr - im.unresolvedBase()) / unresolvedSize; addr >= im.unresolvedBase() && n > 0 && n < uint64(im.NumSymbols()) {
		if name := im.rawName(uint32(n)); im.modSymbol(uint32(n)) == addr {
			return string(name)
		}
	}
	if sym, ok := im.pltSymbol(addr); ok {
		return string(im.rawName(sym)) + "@plt"
	}
	for _, name := range forFtrace {
		if s, ok := m.Section(name); ok && addr >= s.Addr && addr-s.Addr < s.Size {
			if addr > s.Addr {
				name = fmt.Sprintf("%s+%#x", name, addr-s.Addr)
			}
			return name + " [" + m.Info.Name + "]"
		}
	}
	if m.Kernel != nil {
		return m.Kernel.Name(addr)
	}
	return ""
}

// relocated are the bytes of a module's section with its relocations applied,
// as the loader applies them (apply_relocate_add() in the architecture's
// kernel/module.c).
func (im *Image) relocated(r *Range) []byte {
	im.relocating.Lock()
	defer im.relocating.Unlock()
	if r.patched != nil || r.data == nil {
		return r.patched
	}
	out := make([]byte, len(r.data))
	copy(out, r.data)
	im.eachModReloc(r.number, r.Size, func(m modReloc) { im.applyTo(out[m.off:], r, m) })
	r.patched = out
	return out
}

// relocating guards Range.patched.
type relocating struct{ sync.Mutex }

// applyTo applies one relocation to rest, the bytes of section r from its place on. A
// relocation whose value does not fit is left alone, as the loader refuses the module.
func (im *Image) applyTo(rest []byte, r *Range, m modReloc) {
	place := r.Addr + m.off
	value := im.modSymbol(m.sym) + m.addend
	known := &im.arch.Relocs
	delta := slices.Contains(known.Delta, m.typ)
	switch {
	case delta || m.typ == known.Absolute[0]:
		if delta {
			value -= place
		}
		if len(rest) >= 8 {
			binary.LittleEndian.PutUint64(rest, value)
		}
	case im.arch == arch.X86:
		applyX86(rest, elf.R_X86_64(m.typ), place, value)
	default:
		im.applyARM64(rest, r, m, value)
	}
}

// applyARM64 applies a relocation of less than 64 bits (AAELF64, "Relocation").
func (im *Image) applyARM64(rest []byte, r *Range, m modReloc, value uint64) {
	le := binary.LittleEndian
	place := r.Addr + m.off
	switch typ := elf.R_AARCH64(m.typ); typ {
	case elf.R_AARCH64_ABS16, elf.R_AARCH64_PREL16:
		if typ == elf.R_AARCH64_PREL16 {
			value -= place
		}
		if len(rest) >= 2 {
			le.PutUint16(rest, uint16(value))
		}
		return
	}
	if len(rest) < 4 {
		return
	}
	if slices.Contains(im.arch.Relocs.Branches, m.typ) && !a64.ReachOf(a64.Call).Contains(a64.Offset(place, value)) {
		value = im.pltEntry(r, m.sym)
	}
	le.PutUint32(rest, relocatedWord(le.Uint32(rest), elf.R_AARCH64(m.typ), place, value))
}

// relocatedWord is the word at place with a relocation applied. The relocation is
// of 32 bits, or of a field of an instruction.
func relocatedWord(word uint32, typ elf.R_AARCH64, place, value uint64) uint32 {
	// field puts the bits of v from bit lo on into width bits of the word.
	field := func(v uint64, lo, width, at uint) {
		mask := uint32(1)<<width - 1
		word = word&^(mask<<at) | uint32(v>>lo)&mask<<at
	}
	switch typ {
	case elf.R_AARCH64_ABS32:
		word = uint32(value)
	case elf.R_AARCH64_PREL32:
		word = uint32(value - place)
	case elf.R_AARCH64_CALL26, elf.R_AARCH64_JUMP26:
		field(value-place, 2, 26, 0)
	case elf.R_AARCH64_CONDBR19, elf.R_AARCH64_LD_PREL_LO19:
		field(value-place, 2, 19, 5)
	case elf.R_AARCH64_TSTBR14:
		field(value-place, 2, 14, 5)
	case elf.R_AARCH64_ADR_PREL_LO21:
		field(value-place, 0, 2, 29)
		field(value-place, 2, 19, 5)
	case elf.R_AARCH64_ADR_PREL_PG_HI21, elf.R_AARCH64_ADR_PREL_PG_HI21_NC:
		pages := value&^0xfff - place&^0xfff
		field(pages, 12, 2, 29)
		field(pages, 14, 19, 5)
	case elf.R_AARCH64_ADD_ABS_LO12_NC, elf.R_AARCH64_LDST8_ABS_LO12_NC:
		field(value, 0, 12, 10)
	case elf.R_AARCH64_LDST16_ABS_LO12_NC:
		field(value&0xfff, 1, 12, 10)
	case elf.R_AARCH64_LDST32_ABS_LO12_NC:
		field(value&0xfff, 2, 12, 10)
	case elf.R_AARCH64_LDST64_ABS_LO12_NC:
		field(value&0xfff, 3, 12, 10)
	case elf.R_AARCH64_LDST128_ABS_LO12_NC:
		field(value&0xfff, 4, 12, 10)
	case elf.R_AARCH64_MOVW_UABS_G0, elf.R_AARCH64_MOVW_UABS_G0_NC:
		field(value, 0, 16, 5)
	case elf.R_AARCH64_MOVW_UABS_G1, elf.R_AARCH64_MOVW_UABS_G1_NC:
		field(value, 16, 16, 5)
	case elf.R_AARCH64_MOVW_UABS_G2, elf.R_AARCH64_MOVW_UABS_G2_NC:
		field(value, 32, 16, 5)
	case elf.R_AARCH64_MOVW_UABS_G3:
		field(value, 48, 16, 5)
	}
	return word
}

// pltFor is the section with the PLT entries for branches in section r.
func (im *Image) pltFor(r *Range) (ModuleSection, bool) {
	if im.module.PartAt(r.Addr).Init() {
		return im.module.Section(".init.plt")
	}
	return im.module.Section(".plt")
}

// pltEntry is the address of the PLT entry by which a branch in section r reaches
// symbol sym (module_emit_plt_entry()). It is the address of r if the module has
// no PLT.
func (im *Image) pltEntry(r *Range, sym uint32) uint64 {
	s, ok := im.pltFor(r)
	if !ok {
		return r.Addr
	}
	return s.Addr + uint64(sym)*pltEntrySize
}

// pltSymbol is the symbol that the PLT entry at addr leads to.
func (im *Image) pltSymbol(addr uint64) (sym uint32, ok bool) {
	for _, name := range []string{".plt", ".init.plt"} {
		s, ok := im.module.Section(name)
		if off := addr - s.Addr; ok && addr >= s.Addr && off < s.Size && off%pltEntrySize == 0 {
			return uint32(off / pltEntrySize), true
		}
	}
	return 0, false
}

// applyX86 applies a relocation of less than 64 bits (psABI, "Relocation Types").
func applyX86(rest []byte, typ elf.R_X86_64, place, value uint64) {
	le := binary.LittleEndian
	if len(rest) < 4 {
		return
	}
	switch typ {
	case elf.R_X86_64_PC32, elf.R_X86_64_PLT32:
		le.PutUint32(rest, uint32(value-place))
	case elf.R_X86_64_32, elf.R_X86_64_32S:
		le.PutUint32(rest, uint32(value))
	}
}
