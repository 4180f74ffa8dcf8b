package elfscan

import (
	"github.com/ftlint/ftlint/arch"

	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sort"
	"sync"
)

// An Image is an open kernel image or module. Its methods may be called from any
// number of goroutines.
type Image struct {
	Path string // as it was given to Open

	data     []byte    // the whole file, mapped privately
	mapped   bool      // data is a mapping of its own, which Close unmaps
	writable bool      // SetWord has made data writable
	file     *elf.File // its headers
	arch     *arch.Arch
	ranges   []Range // the allocated sections, by address
	debug    *Image  // the image that has the symbols and the DWARF: the image itself, or its debug file

	symtab, strtab []byte
	symtabWhere    string

	names func() *nameIndex
	addrs func() []uint32
	lines func() *lineTables

	derived sync.Map // from key to func() any; see Derived
	padAt   func(im *Image, addr uint64) (Pad, bool)

	positions positions

	module     *Module // nil for a linked image
	relocating relocating
}

// A Range is an allocated section: the addresses Addr .. Addr+Size-1.
type Range struct {
	Name       string
	Addr, Size uint64
	Flags      elf.SectionFlag
	data       []byte // nil for SHT_NOBITS

	number  int    // the section's number in the file; of modules only
	patched []byte // data with relocations applied; of modules only; see relocated
}

// End is the address behind the range.
func (r *Range) End() uint64 { return r.Addr + r.Size }

// Data are the bytes of the section as they stand in the file, before
// relocation; nil if it has none. The caller must not write to them.
func (r *Range) Data() []byte { return r.data }

// Relocated is Data with relocations applied. Code is not relocated in a linked
// image.
func (im *Image) Relocated(r *Range) []byte {
	if im.module == nil {
		return r.data
	}
	return im.relocated(r)
}

// Executable reports whether the section holds code.
func (r *Range) Executable() bool { return r.Flags&elf.SHF_EXECINSTR != 0 }

func (im *Image) indexSections() {
	for _, s := range im.file.Sections {
		if s.Flags&elf.SHF_ALLOC == 0 || s.Size == 0 {
			continue
		}
		r := Range{Name: s.Name, Addr: s.Addr, Size: s.Size, Flags: s.Flags}
		if s.Type != elf.SHT_NOBITS {
			r.data = im.data[s.Offset : s.Offset+s.FileSize]
			r.Size = s.FileSize
		}
		im.ranges = append(im.ranges, r)
	}
	sort.SliceStable(im.ranges, func(i, j int) bool { return im.ranges[i].Addr < im.ranges[j].Addr })
	im.indexLazily()
}

// indexLazily has the indexes made when they are first used.
func (im *Image) indexLazily() {
	im.names = sync.OnceValue(im.indexNames)
	im.addrs = sync.OnceValue(im.indexAddrs)
	im.lines = sync.OnceValue(im.findLineTables)
}

// Derived is the value that derive returned for the key. derive is called once
// for the image, at the first call. A package that reads much out of an image
// keeps it here. Keys are values of unexported types of that package.
func (im *Image) Derived(key any, derive func() any) any {
	once, _ := im.derived.LoadOrStore(key, sync.OnceValue(derive))
	return once.(func() any)()
}

// Arch is the architecture that the image is for.
func (im *Image) Arch() *arch.Arch { return im.arch }

// Text is the instruction at addr in the assembler's words, "(nothing)" if no
// section has bytes there. In a module relocations are applied.
func (im *Image) Text(addr uint64) (text string, size int) {
	return im.arch.Text(im.Code(addr, 16), addr, im.Operand)
}

// Insn is the instruction at addr. ok is false if none that is known stands there.
// In a module relocations are applied.
func (im *Image) Insn(addr uint64) (in arch.Insn, ok bool) {
	return im.arch.Insn(im.Code(addr, im.arch.MaxInsn), addr)
}

// Code are the bytes at addr, up to n or to the end of the section. In a module
// relocations are applied. The caller must not write to them.
func (im *Image) Code(addr uint64, n int) []byte {
	r, ok := im.SectionAt(addr)
	if !ok || r.data == nil || addr-r.Addr >= uint64(len(r.data)) {
		return nil
	}
	b := im.Relocated(r)[addr-r.Addr:]
	return b[:min(n, len(b))]
}

// Sections are the allocated sections, by address.
func (im *Image) Sections() []Range { return im.ranges }

// SectionAt is the allocated section that addr lies in.
func (im *Image) SectionAt(addr uint64) (*Range, bool) {
	// The last section that begins at or below addr: sections of a linked
	// image do not overlap.
	lo, hi := 0, len(im.ranges)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if im.ranges[mid].Addr <= addr {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == 0 || addr-im.ranges[lo-1].Addr >= im.ranges[lo-1].Size {
		return nil, false
	}
	return &im.ranges[lo-1], true
}

// IsText reports whether addr lies in an executable section.
func (im *Image) IsText(addr uint64) bool {
	r, ok := im.SectionAt(addr)
	return ok && r.Executable()
}

// Bytes are the n bytes at addr as they stand in the file, before relocation.
// ok is false if the section at addr has fewer than n bytes in the file from
// there on. The caller must not write to them.
func (im *Image) Bytes(addr uint64, n int) (b []byte, ok bool) {
	r, ok := im.SectionAt(addr)
	if !ok || r.data == nil {
		return nil, false
	}
	off := addr - r.Addr
	if uint64(n) > uint64(len(r.data))-off {
		return nil, false
	}
	return r.data[off : off+uint64(n)], true
}

// Word is the 32-bit word at addr. In a module relocations are applied; the code
// of a linked image has none.
func (im *Image) Word(addr uint64) (w uint32, ok bool) {
	b, ok := im.Bytes(addr, 4)
	if !ok {
		return 0, false
	}
	if im.module != nil {
		r, _ := im.SectionAt(addr)
		b = im.relocated(r)[addr-r.Addr:]
	}
	return binary.LittleEndian.Uint32(b), true
}

// Uint64 is the 64-bit value at addr with relocations applied.
func (im *Image) Uint64(addr uint64) (v uint64, ok bool) {
	b, ok := im.Bytes(addr, 8)
	if !ok {
		return 0, false
	}
	v = binary.LittleEndian.Uint64(b)
	if err := im.eachRela(addr, addr+1, func(r reloc) { v = r.value }); err != nil {
		return 0, false
	}
	return v, true
}

// ReadAt fills buf with the image's bytes at addr, relocations applied. Bytes in
// no section, or in .bss, are zero. ReadAt reports whether any byte of buf lies
// in a section.
func (im *Image) ReadAt(addr uint64, buf []byte) bool {
	clear(buf)
	end, found, data := addr+uint64(len(buf)), false, false
	i := sort.Search(len(im.ranges), func(i int) bool { return im.ranges[i].End() > addr })
	for ; i < len(im.ranges) && im.ranges[i].Addr < end; i++ {
		r := &im.ranges[i]
		found = true
		data = data || !r.Executable() && r.data != nil // a linked image has relocations of data alone
		lo, hi := max(addr, r.Addr), min(end, r.Addr+uint64(len(r.data)))
		if lo < hi {
			bytes := r.data
			if im.module != nil {
				bytes = im.relocated(r)
			}
			copy(buf[lo-addr:], bytes[lo-r.Addr:hi-r.Addr])
		}
	}
	if !found || !data || im.module != nil {
		return found
	}
	err := im.eachRela(addr-min(addr, 7), end, func(rel reloc) {
		var v [8]byte
		binary.LittleEndian.PutUint64(v[:], rel.value)
		if rel.addr < addr {
			copy(buf, v[addr-rel.addr:])
		} else {
			copy(buf[rel.addr-addr:], v[:])
		}
	})
	return err == nil
}

// Release says that the bytes of the section from lo to hi-1 are not needed
// soon. Code that goes through a whole section calls it, to not keep all of the
// section in memory.
func (im *Image) Release(r *Range, lo, hi uint64) {
	if !im.mapped || im.writable || r.data == nil || lo < r.Addr || hi > r.Addr+uint64(len(r.data)) || lo >= hi {
		return // the system would discard the changes of SetWord
	}
	release(r.data[lo-r.Addr : hi-r.Addr])
}

// SetWord changes the word at addr in this Image, never in the file. Tests use it
// to see which changes are noticed. Derived values and indexes stay as they are.
func (im *Image) SetWord(addr uint64, w uint32) error {
	b, ok := im.Bytes(addr, 4)
	if !ok {
		return &Error{im.Path, "", fmt.Sprintf("no word to change at %#x", addr)}
	}
	if im.mapped && !im.writable {
		if err := makeWritable(im.data); err != nil {
			return err
		}
		im.writable = true
	}
	binary.LittleEndian.PutUint32(b, w)
	return nil
}

// Size is the size of the file, unpacked, in bytes.
func (im *Image) Size() int64 { return int64(len(im.data)) }

// File are the bytes of the file, unpacked. In those of a module the symbols have
// the addresses that the loader would give them. The caller must not write to them.
func (im *Image) File() []byte { return im.data }

// BuildID is the GNU build ID in hexadecimal, or "".
func (im *Image) BuildID() string {
	le := binary.LittleEndian
	for _, s := range im.file.Sections {
		if s.Type != elf.SHT_NOTE || s.FileSize > uint64(len(im.data)) {
			continue
		}
		for b := im.data[s.Offset : s.Offset+s.FileSize]; len(b) >= 12; {
			namesz, descsz, typ := le.Uint32(b), le.Uint32(b[4:]), le.Uint32(b[8:])
			desc := 12 + (uint64(namesz)+3)&^3
			next := desc + (uint64(descsz)+3)&^3
			if desc+uint64(descsz) > uint64(len(b)) {
				break
			}
			if typ == 3 && namesz == 4 && string(b[12:15]) == "GNU" { // NT_GNU_BUILD_ID
				return hex.EncodeToString(b[desc : desc+uint64(descsz)])
			}
			b = b[min(next, uint64(len(b))):]
		}
	}
	return ""
}

// BuildIDOf is the build ID of the ELF file at path, which is not packed; "" if it
// has none or cannot be read.
func BuildIDOf(path string) string {
	if !IsImage(path) {
		return ""
	}
	im, err := open(path)
	if err != nil {
		return ""
	}
	defer im.Close()
	return im.BuildID()
}

// PageSize is the size of the kernel's pages in bytes. Where an architecture has
// several, it is from the flags of the arm64 image header at _text
// (Documentation/arch/arm64/booting.rst), or 0 if the image has no such header.
func (im *Image) PageSize() uint64 {
	if im.arch.PageSize != 0 {
		return im.arch.PageSize
	}
	text, ok := im.Lookup("_text")
	if !ok {
		return 0
	}
	h, ok := im.Bytes(text.Addr, 64)
	if !ok || string(h[56:60]) != "ARM\x64" {
		return 0
	}
	switch h[24] >> 1 & 3 {
	case 1:
		return 4 << 10
	case 2:
		return 16 << 10
	case 3:
		return 64 << 10
	}
	return 0
}
