package callsite

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/internal/plural"
)

// A madeUp is a module that is made up for the loader: sections, and relocations of
// some of them.
type madeUp struct {
	names []string
	flags []elf.SectionFlag
	sizes []uint64
	relas map[string][]byte // by name of the section

	namesFirst bool // the names of sections stand before the other sections
}

// Symbols of a made-up module. Those from firstUndefined on are not in the module.
const (
	symText = iota + 1 // of section .text
	symInit            // of section .init.text
	symExit            // of section .exit.text
	symInText
	symInInit
	firstUndefined
	undefined = 24 // number of symbols that are not in the module
)

func (m *madeUp) section(name string, flags elf.SectionFlag, size uint64) {
	m.names, m.flags, m.sizes = append(m.names, name), append(m.flags, flags), append(m.sizes, size)
}

// rela adds a relocation of the section.
func (m *madeUp) rela(section string, off uint64, typ elf.R_AARCH64, sym uint32, addend int64) {
	le := binary.LittleEndian
	b := le.AppendUint64(m.relas[section], off)
	b = le.AppendUint64(b, uint64(sym)<<32|uint64(typ))
	m.relas[section] = le.AppendUint64(b, uint64(addend))
}

// madeUpModule is the file of a module with branches of every sort, among other
// relocations and in no order. many and few are the sections that most and some of
// the branches are in: .text and .init.text, or .init.text and .text with all
// sections in reverse.
func madeUpModule(many, few string) []byte {
	const ax = elf.SHF_ALLOC | elf.SHF_EXECINSTR
	m := &madeUp{relas: map[string][]byte{}}
	m.section(".text", ax, 3<<12)
	m.section(".data", elf.SHF_ALLOC|elf.SHF_WRITE, 64)
	m.section(".init.text", ax, 3<<12)
	m.section(".plt", ax, 1)
	m.section(".init.plt", ax, 1)
	m.section(arch.ARM64.Modules.PLT, ax, 1)
	m.section(arch.ARM64.Modules.InitPLT, ax, 1)
	m.section(".exit.text", ax, 64)
	m.section(".text.unlikely", ax, 64)
	m.section(".init.text.unlikely", ax, 64)
	m.section(".text.empty", ax, 64)

	const call, jump = elf.R_AARCH64_CALL26, elf.R_AARCH64_JUMP26
	const u = firstUndefined
	own, other := uint32(symText), uint32(symInit)
	ownIn, otherIn := uint32(symInText), uint32(symInInit)
	if many != ".text" {
		own, other, ownIn, otherIn = other, own, otherIn, ownIn
	}
	// Relocations that are not for branches, with numbers next to those that are.
	for i, typ := range []elf.R_AARCH64{elf.R_AARCH64_ABS64, elf.R_AARCH64_PREL32, elf.R_AARCH64_ADR_PREL_LO21, elf.R_AARCH64_ADD_ABS_LO12_NC,
		elf.R_AARCH64_LDST8_ABS_LO12_NC, elf.R_AARCH64_TSTBR14, elf.R_AARCH64_CONDBR19, elf.R_AARCH64_LDST16_ABS_LO12_NC, elf.R_AARCH64_LDST64_ABS_LO12_NC} {
		m.rela(many, 0x100+uint64(i)*4, typ, u+uint32(i), 0)
		m.rela(many, 0x200+uint64(i)*4, call, u+uint32(i)*2, 0)
	}
	m.rela(many, 0, call, u+4, 0)
	m.rela(many, 4, jump, u+4, 0)
	m.rela(many, 8, call, ownIn, 0) // does not leave its section
	m.rela(many, 12, call, own, 64)
	m.rela(many, 16, call, otherIn, 0)
	m.rela(many, 20, call, other, 8)
	m.rela(many, 24, call, other, 16)
	m.rela(many, 60, call, other, 16+4096)         // as far from the beginning of a page
	for i, addend := range []int64{16, 0, -8, 8} { // of one symbol
		m.rela(many, 0x300+uint64(i)*4, call, u+20, addend)
		m.rela(many, 0x320+uint64(i)*4, jump, u+20, 8-addend)
	}
	m.rela(many, 52, call, symExit, 0)
	m.rela(many, 56, call, symExit, 8)
	m.rela(many, 28, jump, u+1, 0)
	m.rela(many, 32, call, u+23, 0)
	m.rela(many, 36, call, u+4, 0)
	// A target that comes a second time, or one that is a page further: see lastInPage.
	if many == ".text" {
		m.rela(many, 40, call, u+2, 0)
	} else {
		m.rela(many, 40, call, u+2, 4096)
	}
	m.rela(many, 48, elf.R_AARCH64_ADR_PREL_PG_HI21, u+3, 0)
	m.rela(many, 0x7f8, elf.R_AARCH64_ADR_PREL_PG_HI21, u+3, 0)
	m.rela(many, 0xff0, elf.R_AARCH64_ADR_PREL_PG_HI21, u+3, 0)
	m.rela(many, 0xff8, elf.R_AARCH64_ADR_PREL_PG_HI21, u+5, 0)
	m.rela(many, 0x1ffc, elf.R_AARCH64_ADR_PREL_PG_HI21_NC, u+6, 0)
	m.rela(many, 44, elf.R_AARCH64_ADR_PREL_PG_HI21, u+7, 0)
	m.rela(many, 3<<12-4, jump, otherIn, 0)

	m.rela(few, 8, elf.R_AARCH64_ABS64, own, 0)
	m.rela(few, 3<<12-4, call, u+2, 0)
	m.rela(few, 12, call, otherIn, 0) // does not leave its section
	m.rela(few, 0, call, ownIn, 0)
	m.rela(few, 4, jump, own, 32)
	m.rela(few, 0x2ff8, elf.R_AARCH64_ADR_PREL_PG_HI21, u+5, 0)
	m.rela(few, 0x1ff8, elf.R_AARCH64_ADR_PREL_PG_HI21, u+6, 0)
	m.rela(few, 0x1ffc, elf.R_AARCH64_ADR_PREL_PG_HI21, u+7, 0)
	m.rela(few, 0xff8, elf.R_AARCH64_ADR_PREL_PG_HI21, u+8, 0)
	m.rela(few, 16, call, u+2, 0)
	m.rela(few, 20, call, u+8, 0)
	m.rela(few, 24, call, u+9, 0) // the sixth entry is for the ADRP

	m.rela(".exit.text", 0, call, symInText, 0)
	m.rela(".exit.text", 8, jump, u+11, 0)
	m.rela(".exit.text", 60, call, u+12, 0)
	m.rela(".text.unlikely", 60, call, u+12, 0) // alone
	if many == ".text" {
		m.rela(".init.text.unlikely", 4, call, u+14, 0)
	}
	m.relas[".text.empty"] = []byte{}
	m.rela(".data", 0, elf.R_AARCH64_ABS64, symInText, 0)
	m.rela(".data", 8, call, u+13, 0) // is not for text
	if many != ".text" {
		slices.Reverse(m.names)
		slices.Reverse(m.flags)
		slices.Reverse(m.sizes)
		m.namesFirst = true
	}
	return m.file()
}

// file is the module as a file.
func (m *madeUp) file() []byte {
	le := binary.LittleEndian
	var names, headers []byte
	b := make([]byte, ehdrSize)
	copy(b, elf.ELFMAG)
	add := func(name string, typ elf.SectionType, flags elf.SectionFlag, size uint64, content []byte, link, info int) {
		h := make([]byte, shdrSize)
		le.PutUint32(h, uint32(len(names)))
		le.PutUint32(h[4:], uint32(typ))
		le.PutUint64(h[8:], uint64(flags))
		le.PutUint64(h[24:], uint64(len(b)))
		le.PutUint64(h[32:], max(size, uint64(len(content))))
		le.PutUint32(h[40:], uint32(link))
		le.PutUint32(h[44:], uint32(info))
		le.PutUint64(h[48:], 4)
		headers, names, b = append(headers, h...), append(append(names, name...), 0), append(b, content...)
	}
	add("", elf.SHT_NULL, 0, 0, nil, 0, 0)
	first, shstrtab := 1, 0
	if m.namesFirst {
		shstrtab = 1
		add(".shstrtab", elf.SHT_STRTAB, 0, 0, nil, 0, 0)
		first++
	}
	numbers, symtab := map[string]int{}, len(m.names)+first
	for i, name := range m.names {
		numbers[name] = i + first
		add(name, elf.SHT_NOBITS, m.flags[i], m.sizes[i], nil, 0, 0) // of code, the relocations alone count
	}
	symbols := make([]byte, (firstUndefined+undefined)*symSize)
	for sym, section := range map[int]string{symText: ".text", symInit: ".init.text", symExit: ".exit.text", symInText: ".text", symInInit: ".init.text"} {
		le.PutUint16(symbols[sym*symSize+6:], uint16(numbers[section]))
	}
	// As a relocation, the last symbol would be that of a branch.
	le.PutUint64(symbols[len(symbols)-symSize+8:], uint64(elf.R_AARCH64_CALL26))
	add(".symtab", elf.SHT_SYMTAB, 0, 0, symbols, 0, 1) // its sh_info is not a section
	for _, name := range m.names {
		if relas := m.relas[name]; relas != nil {
			add(".rela"+name, elf.SHT_RELA, 0, 0, relas, symtab, numbers[name])
		}
	}
	if shstrtab == 0 {
		shstrtab = len(headers) / shdrSize
		add(".shstrtab", elf.SHT_STRTAB, 0, 0, nil, 0, 0)
	}
	h := headers[shstrtab*shdrSize:]
	le.PutUint64(h[24:], uint64(len(b)))
	le.PutUint64(h[32:], uint64(len(names)))
	b = append(b, names...)
	le.PutUint64(b[40:], uint64(len(b)))
	le.PutUint16(b[58:], shdrSize)
	le.PutUint16(b[60:], uint16(len(headers)/shdrSize))
	le.PutUint16(b[62:], uint16(shstrtab))
	return append(b, headers...)
}

// randomModule is the file of a module with relocations as chance has it.
func randomModule(r *rand.Rand) []byte {
	const ax = elf.SHF_ALLOC | elf.SHF_EXECINSTR
	m := &madeUp{relas: map[string][]byte{}, namesFirst: r.IntN(2) == 0}
	for _, name := range []string{".plt", ".init.plt", arch.ARM64.Modules.PLT, arch.ARM64.Modules.InitPLT, ".text", ".init.text", ".exit.text", ".text.more", ".init.text.more", ".data"} {
		switch {
		case r.IntN(40) == 0: // the loader refuses a module without some of them
		case name == ".data":
			m.section(name, elf.SHF_ALLOC|elf.SHF_WRITE, 64)
		default:
			m.section(name, ax, 1<<13)
		}
	}
	r.Shuffle(len(m.names), func(i, j int) {
		m.names[i], m.names[j] = m.names[j], m.names[i]
		m.flags[i], m.flags[j] = m.flags[j], m.flags[i]
		m.sizes[i], m.sizes[j] = m.sizes[j], m.sizes[i]
	})
	types := []elf.R_AARCH64{elf.R_AARCH64_JUMP26, elf.R_AARCH64_CALL26, elf.R_AARCH64_CALL26, elf.R_AARCH64_CALL26, elf.R_AARCH64_ADR_PREL_PG_HI21, elf.R_AARCH64_ADR_PREL_PG_HI21_NC,
		elf.R_AARCH64_ADR_PREL_LO21, elf.R_AARCH64_ADD_ABS_LO12_NC, elf.R_AARCH64_CONDBR19, elf.R_AARCH64_LDST16_ABS_LO12_NC, elf.R_AARCH64_ABS64}
	for _, name := range m.names {
		if !strings.Contains(name, "text") || strings.Contains(name, "ftrace") {
			continue
		}
		for range r.IntN(40) {
			off := r.Uint64N(1<<13) &^ 3
			if r.IntN(6) == 0 {
				off |= 0xff8
			}
			m.rela(name, off, types[r.IntN(len(types))], 1+r.Uint32N(firstUndefined+8), []int64{0, 0, 0, 8, 16, -8, 4096}[r.IntN(7)])
		}
	}
	return m.file()
}

// manyADRPs is the file of a module with n ADRPs that each need a PLT entry on a
// processor with erratum 843419.
func manyADRPs(n int) []byte {
	m := &madeUp{relas: map[string][]byte{}}
	m.section(".plt", elf.SHF_ALLOC|elf.SHF_EXECINSTR, 1)
	m.section(".init.plt", elf.SHF_ALLOC|elf.SHF_EXECINSTR, 1)
	m.section(".text", elf.SHF_ALLOC|elf.SHF_EXECINSTR, uint64(n)<<12)
	for i := range uint64(n) {
		m.rela(".text", i<<12|0xff8, elf.R_AARCH64_ADR_PREL_PG_HI21, firstUndefined+uint32(i%undefined), 0)
	}
	return m.file()
}

// MadeUp executes the loader on made-up modules, and on large and random ones if
// large is true.
// It ends where the loader does something wrong.
func (p *PLTMaker) MadeUp(large bool) (runs []RoomRun) {
	runs = append(runs, p.Names())
	for _, erratum := range []bool{false, true} {
		if erratum && !p.MayHaveErratum() {
			continue
		}
		for _, m := range []struct{ many, few, what string }{{".text", ".init.text", "text"}, {".init.text", ".text", "init text"}} {
			if last := &runs[len(runs)-1]; !last.good() {
				return runs
			}
			runs = append(runs, p.Run(madeUpModule(m.many, m.few), "a made-up module with most branches in "+m.what, erratum))
		}
	}
	for i := range uint64(40) {
		r := rand.New(rand.NewPCG(1, i))
		if last := &runs[len(runs)-1]; !large || !last.good() {
			break
		}
		runs = append(runs, p.Run(randomModule(r), fmt.Sprintf("a random module (%d)", i), p.MayHaveErratum() && i%2 == 1))
	}
	// One entry in 341 can be left out: an ADRP in it would be at the end of a page.
	for _, n := range []int{340, 341, 342, 682, 683, 2046, 2047} {
		if last := &runs[len(runs)-1]; !large || !p.MayHaveErratum() || !last.good() {
			break
		}
		runs = append(runs, p.Run(manyADRPs(n), fmt.Sprintf("a made-up module with %s", plural.Of(n, "ADRP")), true))
	}
	return runs
}
