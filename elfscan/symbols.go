package elfscan

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"sort"

	"github.com/ftlint/ftlint/internal/parallel"
)

const symSize = 24 // of an Elf64_Sym, in bytes

// A Symbol is one entry of the symbol table.
type Symbol struct {
	Name       string
	Addr, Size uint64
	Type       elf.SymType
	Bind       elf.SymBind
	Section    elf.SectionIndex
}

// End is the address behind the symbol.
func (s Symbol) End() uint64 { return s.Addr + s.Size }

// findSymbols finds .symtab and its string table, in the image or, where the
// image has none, in its debug file. It does not read them.
func (im *Image) findSymbols() error {
	for _, from := range []*Image{im, im.debug} {
		for i, s := range from.file.Sections {
			if s.Type != elf.SHT_SYMTAB {
				continue
			}
			where := sectionAt(i, s.Name)
			if s.FileSize%symSize != 0 {
				return &Error{from.Path, where, fmt.Sprintf("its size, %#x bytes, is not a multiple of %d", s.FileSize, symSize)}
			}
			if int(s.Link) >= len(from.file.Sections) || from.file.Sections[s.Link].Type != elf.SHT_STRTAB {
				return &Error{from.Path, where, fmt.Sprintf("its string table is section %d, which is not a string table", s.Link)}
			}
			str := from.file.Sections[s.Link]
			im.symtab = from.data[s.Offset : s.Offset+s.FileSize]
			im.strtab = from.data[str.Offset : str.Offset+str.FileSize]
			im.symtabWhere = where
			if n := len(im.strtab); n == 0 || im.strtab[n-1] != 0 {
				return &Error{from.Path, sectionAt(int(s.Link), str.Name), "does not end in a NUL byte, as a string table does"}
			}
			return im.checkNames(from.Path)
		}
	}
	return &Error{im.Path, "", "has no symbol table (.symtab): give the vmlinux of the build tree, or its debug file with --debug-file"}
}

// checkNames is an error if a name does not lie in the string table, which later
// code relies on, and if entries or names are zero that a linker does not leave zero:
// a damaged table covers less of the code than the image has.
func (im *Image) checkNames(path string) error {
	var blank, unnamed []int // the numbers of symbols
	for off := 0; off < len(im.symtab); off += symSize {
		switch n := binary.LittleEndian.Uint32(im.symtab[off:]); {
		case int64(n) >= int64(len(im.strtab)):
			return &Error{path, im.symtabWhere, fmt.Sprintf("symbol %d has its name at offset %#x of a string table of %#x bytes", off/symSize, n, len(im.strtab))}
		case n != 0 && im.strtab[n] == 0:
			unnamed = append(unnamed, off/symSize)
		case n == 0 && off > 0 && [symSize]byte(im.symtab[off:]) == [symSize]byte{}: // the null symbol is the first
			blank = append(blank, off/symSize)
		}
	}
	const what = "is damaged: %d of its %d symbols %s, the first is symbol %d; no linker writes such a table"
	switch {
	case len(blank) > 0:
		return &Error{path, im.symtabWhere, fmt.Sprintf(what, len(blank), im.NumSymbols(), "are zero", blank[0])}
	case len(unnamed) > 0:
		return &Error{path, im.symtabWhere, fmt.Sprintf(what, len(unnamed), im.NumSymbols(), "have an empty name in the string table", unnamed[0])}
	}
	return nil
}

// NumSymbols is the number of entries of the symbol table.
func (im *Image) NumSymbols() int { return len(im.symtab) / symSize }

// rawName is the name of symbol i, still in the mapped file.
func (im *Image) rawName(i uint32) []byte {
	b := im.strtab[binary.LittleEndian.Uint32(im.symtab[i*symSize:]):]
	return b[:bytes.IndexByte(b, 0)]
}

func (im *Image) symbol(i uint32) Symbol {
	b := im.symtab[i*symSize : (i+1)*symSize]
	le := binary.LittleEndian
	s := Symbol{
		Name:    string(im.rawName(i)),
		Addr:    le.Uint64(b[8:]),
		Size:    le.Uint64(b[16:]),
		Type:    elf.ST_TYPE(b[4]),
		Bind:    elf.ST_BIND(b[4]),
		Section: elf.SectionIndex(le.Uint16(b[6:])),
	}
	if s.Type != elf.STT_OBJECT { // code is no larger than the file, whatever a damaged table says
		s.Size = min(s.Size, uint64(len(im.data)))
	}
	return s
}

func (im *Image) symAddr(i uint32) uint64 {
	return binary.LittleEndian.Uint64(im.symtab[i*symSize+8:])
}

// named reports whether symbol i can name an address: it is defined, and it is
// not a section, a file or a mapping symbol ($x, $d: AAELF64, "Mapping symbols").
func (im *Image) named(i uint32) bool {
	b := im.symtab[i*symSize : (i+1)*symSize]
	le := binary.LittleEndian
	switch elf.ST_TYPE(b[4]) {
	case elf.STT_SECTION, elf.STT_FILE:
		return false
	}
	if le.Uint16(b[6:]) == uint16(elf.SHN_UNDEF) {
		return false
	}
	c := im.strtab[le.Uint32(b)]
	return c != 0 && c != '$'
}

// A nameIndex is a hash table with open addressing over the symbols' names.
// Of symbols with one name it holds the first global one, else the first.
type nameIndex struct {
	seed  maphash.Seed
	slots []nameSlot // a power of two, at most three quarters full
}

type nameSlot struct {
	hash uint32
	sym  uint32 // 0 (the null symbol) marks an empty slot
}

func (im *Image) indexNames() *nameIndex {
	n := uint32(im.NumSymbols())
	names := 0 // mapping symbols have none, and can be a third of all
	for i := uint32(1); i < n; i++ {
		if im.named(i) {
			names++
		}
	}
	size := 16
	for 3*size < 4*names {
		size *= 2
	}
	ix := &nameIndex{maphash.MakeSeed(), make([]nameSlot, size)}
	for i := uint32(1); i < n; i++ {
		if !im.named(i) {
			continue
		}
		name := im.rawName(i)
		slot := ix.find(im, name)
		if slot.sym == 0 || elf.ST_BIND(im.symtab[slot.sym*symSize+4]) == elf.STB_LOCAL && elf.ST_BIND(im.symtab[i*symSize+4]) != elf.STB_LOCAL {
			slot.sym = i
		}
	}
	return ix
}

// find is the slot of name, or the empty one where it belongs (its hash set).
func (ix *nameIndex) find(im *Image, name []byte) *nameSlot {
	hash := maphash.Bytes(ix.seed, name)
	mask := uint64(len(ix.slots) - 1)
	for at := hash & mask; ; at = (at + 1) & mask {
		slot := &ix.slots[at]
		if slot.sym == 0 {
			slot.hash = uint32(hash >> 32)
			return slot
		}
		if slot.hash == uint32(hash>>32) && bytes.Equal(im.rawName(slot.sym), name) {
			return slot
		}
	}
}

// Lookup is the symbol of that name. Of several it is the first global one, or
// the first one if none is global.
func (im *Image) Lookup(name string) (Symbol, bool) {
	ix := im.names()
	hash := maphash.String(ix.seed, name)
	mask := uint64(len(ix.slots) - 1)
	for at := hash & mask; ix.slots[at].sym != 0; at = (at + 1) & mask {
		slot := ix.slots[at]
		if slot.hash == uint32(hash>>32) && string(im.rawName(slot.sym)) == name {
			return im.symbol(slot.sym), true
		}
	}
	return Symbol{}, false
}

// Addr is the address of the symbol of that name.
func (im *Image) Addr(name string) (uint64, bool) {
	s, ok := im.Lookup(name)
	return s.Addr, ok
}

// indexAddrs are the named symbols by address. At one address the order is that of
// the table.
func (im *Image) indexAddrs() []uint32 {
	n := uint32(im.NumSymbols())
	// The order as signed numbers: x86-64 has variables of a processor at 0 and the
	// rest below the end of all addresses, which are near each other then.
	base, top := int64(math.MaxInt64), int64(math.MinInt64)
	for i := uint32(1); i < n; i++ {
		if im.named(i) && im.inImage(i) {
			a := int64(im.symAddr(i))
			base, top = min(base, a), max(top, a)
		}
	}
	var out []uint32
	if bits := 22; base <= top && uint64(top-base) < 1<<(64-bits) && n < 1<<bits {
		// The usual case: offset and index fit one word, which sorts fast.
		keys := make([]uint64, 0, n)
		for i := uint32(1); i < n; i++ {
			if im.named(i) && im.inImage(i) {
				keys = append(keys, (im.symAddr(i)-uint64(base))<<bits|uint64(i))
			}
		}
		slices.Sort(keys)
		out = make([]uint32, len(keys))
		for k, key := range keys {
			out[k] = uint32(key & (1<<bits - 1))
		}
		if first := sort.Search(len(out), func(k int) bool { return int64(im.symAddr(out[k])) >= 0 }); first > 0 && first < len(out) {
			out = slices.Concat(out[first:], out[:first])
		}
	} else {
		for i := uint32(1); i < n; i++ {
			if im.named(i) && im.inImage(i) {
				out = append(out, i)
			}
		}
		slices.SortStableFunc(out, func(a, b uint32) int { return cmp.Compare(im.symAddr(a), im.symAddr(b)) })
	}
	return out
}

// inImage reports whether symbol i has an address in the image. Absolute symbols
// (constants of the linker script) have none.
func (im *Image) inImage(i uint32) bool {
	shndx := elf.SectionIndex(binary.LittleEndian.Uint16(im.symtab[i*symSize+6:]))
	if m := im.module; m != nil { // symbols of sections that are not loaded have none
		return int(shndx) < len(m.Sections) && m.Sections[shndx].Part != NoPart
	}
	return shndx < elf.SHN_LORESERVE || shndx == elf.SHN_XINDEX
}

// better reports whether symbol i names its address better than symbol j, which
// stands at the same address. This is the one choice among names of an address: a
// function before an object before a label; a global symbol before a local one; one
// with a size, which labels within code lack; the shorter name, as the long ones
// add to it (__pi_memchr, ftrace_stub_graph); the first by alphabet. It does not
// depend on the order of the table, which changes with each link.
func (im *Image) better(i, j uint32) bool {
	if a, b := im.rank(i), im.rank(j); a != b {
		return a < b
	}
	a, b := im.rawName(i), im.rawName(j)
	return cmp.Or(cmp.Compare(len(a), len(b)), bytes.Compare(a, b)) < 0
}

// rank is a part of better: the symbol with the lower rank has the better name.
func (im *Image) rank(i uint32) int {
	b := im.symtab[i*symSize : (i+1)*symSize]
	r := 0
	switch elf.ST_TYPE(b[4]) {
	case elf.STT_FUNC:
	case elf.STT_OBJECT:
		r = 4
	default:
		r = 8
	}
	if elf.ST_BIND(b[4]) == elf.STB_LOCAL {
		r += 2
	}
	if binary.LittleEndian.Uint64(b[16:]) == 0 {
		r++
	}
	return r
}

// searchAddrs is the position in the address index of the first symbol above
// addr.
func (im *Image) searchAddrs(addr uint64) int {
	ix := im.addrs()
	k, _ := slices.BinarySearchFunc(ix, addr, func(i uint32, addr uint64) int {
		if im.symAddr(i) <= addr {
			return -1
		}
		return 1
	})
	return k
}

// SymbolAt is the symbol at the highest address at or below addr, in the section
// that addr lies in. Of several it is the one with the best name: see better.
func (im *Image) SymbolAt(addr uint64) (s Symbol, ok bool) {
	section, ok := im.SectionAt(addr)
	if !ok {
		return Symbol{}, false
	}
	ix := im.addrs()
	k := im.searchAddrs(addr) - 1
	if k < 0 || im.symAddr(ix[k]) < section.Addr {
		return Symbol{}, false
	}
	best := ix[k]
	for at := im.symAddr(best); k >= 0 && im.symAddr(ix[k]) == at; k-- {
		if im.better(ix[k], best) {
			best = ix[k]
		}
	}
	return im.symbol(best), true
}

// Name is addr in words: "ftrace_common+0x10", in a module "read_device+0x10
// [scsi_mod]". It is "" if no symbol stands at or before addr in its section, and for
// small numbers, which are addresses in the image of variables of a processor alone.
func (im *Image) Name(addr uint64) string {
	if s, ok := im.SectionAt(addr); ok && s.Addr == 0 && im.module == nil {
		return ""
	}
	return im.Operand(addr)
}

// Operand is Name for an address that an instruction refers to. That can be the address
// of a processor's variable: on x86-64 these lie from address 0 on, and the processor
// adds GS.
func (im *Image) Operand(addr uint64) string {
	s, ok := im.SymbolAt(addr)
	switch {
	case im.module != nil:
		return im.moduleName(addr, s, ok)
	case !ok:
		return ""
	case s.Addr == addr:
		return s.Name
	}
	return fmt.Sprintf("%s+%#x", s.Name, addr-s.Addr)
}

// At is addr as findings show it: "ftrace_common+0x10 (0xffff...)", or the
// address alone if it has no name.
func (im *Image) At(addr uint64) string {
	if n := im.Name(addr); n != "" {
		return fmt.Sprintf("%s (%#x)", n, addr)
	}
	return fmt.Sprintf("%#x", addr)
}

// EachSymbol calls f with every named symbol, by address, until f returns
// false. name is only valid during the call and is not to be changed.
func (im *Image) EachSymbol(f func(addr uint64, name []byte, typ elf.SymType) bool) {
	for _, i := range im.addrs() {
		if !f(im.symAddr(i), im.rawName(i), elf.ST_TYPE(im.symtab[i*symSize+4])) {
			return
		}
	}
}

// EachFunction calls f with each address at which a symbol of a function
// stands, once, ascending.
func (im *Image) EachFunction(f func(addr uint64)) {
	before := uint64(0)
	for _, i := range im.addrs() {
		if a := im.symAddr(i); a != before && elf.ST_TYPE(im.symtab[i*symSize+4]) == elf.STT_FUNC {
			f(a)
			before = a
		}
	}
}

// Functions are the symbols of functions, by address; those at one address in the
// order of the table.
func (im *Image) Functions() (list []Symbol) {
	for _, i := range im.addrs() {
		if elf.ST_TYPE(im.symtab[i*symSize+4]) == elf.STT_FUNC {
			list = append(list, im.symbol(i))
		}
	}
	return list
}

// FunctionAt reports whether a function, or a label without a type, begins at
// addr.
func (im *Image) FunctionAt(addr uint64) bool {
	ix := im.addrs()
	for k := im.searchAddrs(addr) - 1; k >= 0 && im.symAddr(ix[k]) == addr; k-- {
		if im.isCode(ix[k]) {
			return true
		}
	}
	return false
}

// EachFunctionAt calls found(i) for each of the n addresses at(i) at which a
// function, or a label without a type, begins. It is faster than FunctionAt for
// many addresses that ascend, or nearly do.
func (im *Image) EachFunctionAt(n int, at func(i int) uint64, found func(i int)) {
	ix := im.addrs()
	k := 0 // in ix
	for i := range n {
		addr := at(i)
		for k < len(ix) && im.symAddr(ix[k]) < addr {
			k++
		}
		for k > 0 && im.symAddr(ix[k-1]) >= addr {
			k--
		}
		for j := k; j < len(ix) && im.symAddr(ix[j]) == addr; j++ {
			if im.isCode(ix[j]) {
				found(i)
				break
			}
		}
	}
}

// isCode reports whether symbol i is a function or a label without a type.
func (im *Image) isCode(i uint32) bool {
	switch elf.ST_TYPE(im.symtab[i*symSize+4]) {
	case elf.STT_FUNC, elf.STT_NOTYPE:
		return true
	}
	return false
}

// Index builds the indexes of symbols by name and by address, at the same time.
// Otherwise each is built when it is first used.
func (im *Image) Index() {
	indexes := []func(){func() { im.names() }, func() { im.addrs() }}
	defer func() { _ = recover() }() // a panic is repeated at the first use of the index
	parallel.Do(len(indexes), len(indexes), func(i int) { indexes[i]() })
}
