package elfscan

import (
	"github.com/ftlint/ftlint/arch"

	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"

	"github.com/ftlint/ftlint/internal/plural"
)

// MaxUnpacked bounds the size of an image that Open unpacks, in bytes.
const MaxUnpacked = 2 << 30

// An Error says what was being read, where, and what is wrong with it.
type Error struct {
	Path  string // of the file
	Where string // the place in the file: "section 12 (.symtab), offset 0x1f80"; may be empty
	What  string // what is wrong, and what was expected
}

func (e *Error) Error() string {
	if e.Where == "" {
		return e.Path + ": " + e.What
	}
	return e.Path + ": " + e.Where + ": " + e.What
}

// Open maps the kernel image at path: an ELF file, or one compressed with
// gzip, xz or zstd. A compressed image is unpacked into a temporary file that
// is gone when the image is closed. debugPath, if not empty, names a separate
// debug file of the same build: line tables are read from it, and symbols if
// the image has none.
//
// Errors are of type *Error, or those of package os.
func Open(path, debugPath string) (im *Image, err error) {
	defer Guard()()
	defer func() {
		if r := recover(); r != nil {
			im, err = nil, &Error{Path: path, What: fmt.Sprintf("changed while it was read: %v", r)}
		}
	}()
	im, err = open(path)
	if err != nil {
		return nil, err
	}
	im.debug = im
	if debugPath != "" {
		debug, err := open(debugPath)
		if err != nil {
			im.Close()
			return nil, err
		}
		im.debug = debug
		if a, b := im.BuildID(), debug.BuildID(); a != "" && b != "" && a != b {
			im.Close()
			return nil, &Error{Path: debugPath, What: fmt.Sprintf("is of another build: its build ID is %s, that of %s is %s", b, path, a)}
		}
	}
	if err := im.findSymbols(); err != nil {
		im.Close()
		return nil, err
	}
	return im, nil
}

func open(path string) (*Image, error) {
	file, info, err := openFile(path, "a kernel image (vmlinux)")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := mapFile(file, info.Size())
	if err != nil {
		return nil, &Error{Path: path, What: err.Error()}
	}
	if packed(data) {
		file := data
		data, err = mapUnpacked(file, MaxUnpacked)
		unmap(file)
		if err != nil {
			return nil, &Error{Path: path, What: err.Error()}
		}
	}
	im := &Image{Path: path, data: data, mapped: true}
	if err := im.readHeaders(); err != nil {
		unmap(data)
		return nil, err
	}
	return im, nil
}

// openFile opens a regular file. It does not open other files, because opening a
// pipe would wait.
func openFile(path, want string) (*os.File, os.FileInfo, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, nil, err
	case info.IsDir():
		return nil, nil, &Error{Path: path, What: "is a folder; " + want + " was expected"}
	case !info.Mode().IsRegular():
		return nil, nil, &Error{Path: path, What: "is not a regular file; " + want + " was expected"}
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	info, err = file.Stat()
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return file, info, nil
}

// mapUnpacked unpacks compressed data, to at most limit bytes, into an unlinked
// temporary file and maps the file, so that a large image costs page cache and
// not memory.
func mapUnpacked(data []byte, limit int64) ([]byte, error) {
	tmp, err := os.CreateTemp("", "ftlint-*.elf")
	if err != nil {
		return nil, fmt.Errorf("no room to unpack: %v", err)
	}
	defer tmp.Close()
	os.Remove(tmp.Name())
	var u unpackers
	if err := u.unpack(tmp, data, limit); err != nil {
		return nil, err
	}
	info, err := tmp.Stat()
	if err != nil {
		return nil, err
	}
	return mapFile(tmp, info.Size())
}

// readHeaders reads the ELF header and the section headers. A file that is not an
// kernel image of an architecture that is judged is an error.
func (im *Image) readHeaders() (err error) {
	data := im.data
	fail := func(where, format string, args ...any) error {
		return &Error{Path: im.Path, Where: where, What: fmt.Sprintf(format, args...)}
	}
	if len(data) < 4 || string(data[:4]) != elf.ELFMAG {
		if kind := kindOf(data); kind != "" {
			return fail("", "%s", kind)
		}
		return fail("offset 0", "not an ELF file: it begins with % x, 7f 45 4c 46 was expected", data[:min(4, len(data))])
	}
	if len(data) < 64 {
		return fail("ELF header", "cut off: the file has %s, an ELF header has 64", plural.Of(len(data), "byte"))
	}
	switch c := elf.Class(data[elf.EI_CLASS]); c {
	case elf.ELFCLASS64:
	case elf.ELFCLASS32:
		return fail("ELF header", "a 32-bit file: a 64-bit image, for arm64 or x86-64, was expected")
	default:
		return fail("ELF header", "unknown class %d: a 64-bit image, for arm64 or x86-64, was expected", c)
	}
	switch d := elf.Data(data[elf.EI_DATA]); d {
	case elf.ELFDATA2LSB:
	case elf.ELFDATA2MSB:
		return fail("ELF header", "a big-endian file: a little-endian image, for arm64 or x86-64, was expected")
	default:
		return fail("ELF header", "unknown byte order %d: a little-endian image, for arm64 or x86-64, was expected", d)
	}
	le := binary.LittleEndian
	m := elf.Machine(le.Uint16(data[18:]))
	if im.arch = arch.Of(m); im.arch == nil {
		return fail("ELF header", "made for %v: an image for arm64 (EM_AARCH64) or x86-64 (EM_X86_64) was expected", m)
	}
	switch t := elf.Type(le.Uint16(data[16:])); t {
	case elf.ET_EXEC, elf.ET_DYN:
		if im.module != nil {
			return fail("ELF header", "a linked image, a module (a relocatable file) was expected")
		}
	case elf.ET_REL:
		if im.module == nil {
			return fail("ELF header", "a relocatable file (a module, or an object file), a linked image (vmlinux) was expected")
		}
	case elf.ET_CORE:
		return fail("", "is a core file (a dump of memory): give the vmlinux of the kernel that wrote it")
	default:
		return fail("ELF header", "a file of type %v, a linked image (vmlinux) or a module was expected", t)
	}
	shoff, shnum, size := le.Uint64(data[40:]), uint64(le.Uint16(data[60:])), uint64(len(data))
	if shoff == 0 || shnum == 0 {
		return fail("ELF header", "no section headers: a vmlinux with its sections was expected")
	}
	if shoff > size || shnum*64 > size-shoff {
		return fail("section headers", "cut off: they stand at %#x..%#x, the file has %#x bytes", shoff, shoff+shnum*64, size)
	}
	defer func() { // debug/elf may panic on damage that nobody has seen yet
		if r := recover(); r != nil {
			err = fail("ELF headers", "damaged: %v", r)
		}
	}()
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return fail("ELF headers", "damaged: %v", err)
	}
	im.file = f
	for i, s := range f.Sections {
		if s.Type != elf.SHT_NOBITS && s.Type != elf.SHT_NULL && (s.Offset > size || s.FileSize > size-s.Offset) {
			return fail(sectionAt(i, s.Name), "cut off: it stands at %#x, %#x bytes long, the file has %#x bytes", s.Offset, s.FileSize, size)
		}
		if s.Flags&elf.SHF_ALLOC != 0 && s.Flags&elf.SHF_COMPRESSED != 0 { // the two exclude each other
			return fail(sectionAt(i, s.Name), "is compressed, and loaded (SHF_COMPRESSED and SHF_ALLOC): at most one of the two was expected")
		}
		if s.Flags&elf.SHF_ALLOC != 0 && s.Addr+s.Size < s.Addr && im.module == nil { // in a module the loader gives addresses
			return fail(sectionAt(i, s.Name), "its addresses wrap: %#x, %#x bytes long", s.Addr, s.Size)
		}
	}
	if im.module == nil {
		if forUsers(f) {
			return fail("", "is a program or a library for users (its entry point is %#x), not a kernel: a vmlinux was expected", f.Entry)
		}
		im.indexSections()
	}
	return nil
}

// forUsers reports whether a linked file is a program or a library for user space: all its
// code has addresses of the lower half. Kernels run in the upper half, and have a part
// for booting in the lower one at most (Documentation/arch/arm64/memory.rst).
func forUsers(f *elf.File) bool {
	if f.Section(".interp") != nil || f.Section(".note.ABI-tag") != nil {
		return true
	}
	code := false
	for _, s := range f.Sections {
		if s.Flags&(elf.SHF_ALLOC|elf.SHF_EXECINSTR) == elf.SHF_ALLOC|elf.SHF_EXECINSTR && s.Size > 0 {
			if s.Addr>>63 != 0 {
				return false
			}
			code = true
		}
	}
	return code
}

// Close unmaps the image. Nothing that the image returned may be used after.
func (im *Image) Close() {
	if im.mapped && im.data != nil {
		unmap(im.data)
	}
	im.data = nil
	if im.debug != nil && im.debug != im {
		im.debug.Close()
	}
	im.debug = nil
}

// Guard makes a fault on mapped memory (the file was cut while it was read) a
// panic of this goroutine, which recover catches. Without Guard such a fault ends
// the program. undo undoes the effect of Guard.
func Guard() (undo func()) {
	old := debug.SetPanicOnFault(true)
	return func() { debug.SetPanicOnFault(old) }
}

// sectionAt names a section in an error.
func sectionAt(i int, name string) string { return fmt.Sprintf("section %d (%s)", i, clean(name)) }

// clean is the name of a section for an error. A name may be damaged: a name with
// characters that cannot be printed is quoted, and a long name is cut.
func clean(name string) string {
	const longest = 80
	if len(name) > longest {
		name = name[:longest] + "..."
	}
	if quoted := strconv.QuoteToASCII(name); len(quoted) != len(name)+len(`""`) {
		return quoted
	}
	return name
}
