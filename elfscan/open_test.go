package elfscan

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/ftlint/ftlint/internal/samples"
)

// Open refuses a file that is not an arm64 vmlinux with one line: the path, what
// was found and what was expected.
func TestOpenRefuses(t *testing.T) {
	edit := func(f func(s samples.File)) func(*testing.T) []byte {
		return func(t *testing.T) []byte { s := samples.Load(t, "regs-good"); f(s); return s }
	}
	content := func(b string) func(*testing.T) []byte { return func(*testing.T) []byte { return []byte(b) } }
	object := func(name string, f func(t *testing.T, header []byte)) func(*testing.T) []byte {
		return func(t *testing.T) []byte {
			s := samples.Load(t, "regs-good")
			header, _ := s.Section(t, name)
			f(t, header)
			return s
		}
	}
	for _, test := range []struct {
		name string
		make func(*testing.T) []byte
		want string
	}{
		{"empty", content(""), "is empty"},
		{"text", content("#!/bin/sh\n"), "is a text file"},
		{"text in UTF-8", content("café\n" + strings.Repeat("é", 1000)), "is a text file"},
		{"bytes", content("\x01\x02\x03\x04\x05"), "offset 0: not an ELF file: it begins with 01 02 03 04, 7f 45 4c 46 was expected"},
		{"bzImage", content("MZ" + strings.Repeat("\x00", 0x200) + "HdrS" + strings.Repeat("\x00", 64)), "is an x86 boot image (bzImage)"},
		{"zImage", content(strings.Repeat("\x00\x00\xa0\xe1", 9) + "\x18\x28\x6f\x01" + strings.Repeat("\x00", 64)), "is a boot image for 32-bit arm (zImage)"},
		{"vmlinuz.efi", content("MZ\x00\x00zimg" + strings.Repeat("\x00", 64)), "is an EFI boot image with a packed kernel in it"},
		{"bzip2", content("BZh91AY&SY"), "is packed with bzip2: unpack the file first"},
		{"lz4", content("\x02\x21\x4c\x18xxxx"), "is packed with lz4: unpack the file first"},
		{"tar", content("x" + strings.Repeat("\x00", 256) + "ustar"), "is a tar archive"},
		{"deb", content("!<arch>\ndebian-binary   "), "is a Debian package"},
		{"FIT image", content("\xd0\x0d\xfe\xed" + strings.Repeat("\x00", 64)), "is a FIT image (image.fit, Image.itb) or a device tree (.dtb)"},
		{"program without startup code", edit(func(s samples.File) {
			for at := le.Uint64(s[40:]); at < uint64(len(s)); at += 64 {
				if elf.SectionFlag(le.Uint64(s[at+samples.ShFlags:]))&elf.SHF_EXECINSTR != 0 {
					s[at+samples.ShAddr+7] = 0 // the lower half
				}
			}
		}), "is a program or a library for users"},
		{"user program", func(t *testing.T) []byte {
			s := samples.Load(t, "regs-good")
			at := bytes.Index(s, []byte("\x00.rodata\x00"))
			copy(s[at:], "\x00.interp\x00")
			return s
		}, "is a program or a library for users"},
		{"one byte", content("\x7f"), "offset 0: not an ELF file: it begins with 7f, 7f 45 4c 46 was expected"},
		{"magic alone", content("\x7fELF"), "ELF header: cut off: the file has 4 bytes, an ELF header has 64"},
		{"boot image", content("MZ" + strings.Repeat("\x00", 54) + "ARM\x64" + strings.Repeat("\x00", 64)),
			"is an arm64 boot image (Image), not an ELF file: give the vmlinux that it was made from"},
		{"32-bit", edit(func(s samples.File) { s[elf.EI_CLASS] = 1 }), "ELF header: a 32-bit file: a 64-bit image, for arm64 or x86-64, was expected"},
		{"class 7", edit(func(s samples.File) { s[elf.EI_CLASS] = 7 }), "ELF header: unknown class 7: a 64-bit image, for arm64 or x86-64, was expected"},
		{"big-endian", edit(func(s samples.File) { s[elf.EI_DATA] = 2 }), "ELF header: a big-endian file: a little-endian image, for arm64 or x86-64, was expected"},
		{"RISC-V", edit(func(s samples.File) { le.PutUint16(s[18:], uint16(elf.EM_RISCV)) }), "ELF header: made for EM_RISCV: an image for arm64 (EM_AARCH64) or x86-64 (EM_X86_64) was expected"},
		{"32-bit arm", edit(func(s samples.File) { le.PutUint16(s[18:], uint16(elf.EM_ARM)) }), "made for EM_ARM"},
		{"module", edit(func(s samples.File) { le.PutUint16(s[16:], uint16(elf.ET_REL)) }), "ELF header: a relocatable "},
		{"core", edit(func(s samples.File) { le.PutUint16(s[16:], uint16(elf.ET_CORE)) }), "is a core file (a dump of memory)"},
		{"no sections", edit(func(s samples.File) { le.PutUint16(s[60:], 0) }), "ELF header: no section headers"},
		{"section headers past the end", edit(func(s samples.File) { le.PutUint64(s[40:], 1<<40) }), "section headers: cut off: they stand at 0x10000000000.."},
		{"section headers that wrap", edit(func(s samples.File) { le.PutUint64(s[40:], ^uint64(0)-64) }), "section headers: cut off"},
		{"section names past the end", edit(func(s samples.File) { le.PutUint16(s[62:], 9999) }), "ELF headers: damaged"},
		{"section past the end", object(".text", func(_ *testing.T, h []byte) { le.PutUint64(h[samples.ShOffset:], 1<<40) }), "section 2 (.text): cut off: it stands at 0x10000000000"},
		{"section of wrapping size", object(".text", func(_ *testing.T, h []byte) { le.PutUint64(h[samples.ShSize:], 1<<62) }), "section 2 (.text): cut off"},
		{"section of wrapping addresses", object(".text", func(_ *testing.T, h []byte) { le.PutUint64(h[samples.ShAddr:], ^uint64(0)-8) }), "section 2 (.text): its addresses wrap"},
		{"symbol table of odd size", object(".symtab", func(_ *testing.T, h []byte) { le.PutUint64(h[samples.ShSize:], 25) }), "(.symtab): its size, 0x19 bytes, is not a multiple of 24"},
		{"symbol table with no strings", object(".symtab", func(_ *testing.T, h []byte) { le.PutUint32(h[samples.ShLink:], 2) }), "(.symtab): its string table is section 2, which is not a string table"},
		{"symbol table with strings nowhere", object(".symtab", func(_ *testing.T, h []byte) { le.PutUint32(h[samples.ShLink:], 0xffffffff) }), "(.symtab): its string table is section 4294967295, which is not a string table"},
		{"no symbol table", object(".symtab", func(_ *testing.T, h []byte) { le.PutUint32(h[samples.ShType:], uint32(elf.SHT_PROGBITS)) }),
			"has no symbol table (.symtab): give the vmlinux of the build tree, or its debug file with --debug-file"},
		{"empty string table", object(".strtab", func(_ *testing.T, h []byte) { le.PutUint64(h[samples.ShSize:], 0) }), "(.strtab): does not end in a NUL byte"},
		{"string table with no end", func(t *testing.T) []byte {
			s := samples.Load(t, "regs-good")
			_, strtab := s.Section(t, ".strtab")
			strtab[len(strtab)-1] = 'x'
			return s
		}, "(.strtab): does not end in a NUL byte, as a string table does"},
		{"name past the string table", func(t *testing.T) []byte {
			s := samples.Load(t, "regs-good")
			_, symtab := s.Section(t, ".symtab")
			le.PutUint32(symtab[3*symSize:], 0xfffffff0)
			return s
		}, "(.symtab): symbol 3 has its name at offset 0xfffffff0 of a string table of 0x"},
		{"names of zeros", func(t *testing.T) []byte {
			s := samples.Load(t, "regs-good")
			_, strtab := s.Section(t, ".strtab")
			clear(strtab)
			return s
		}, "have an empty name in the string table, the first is symbol "},
		{"some symbols of zeros", func(t *testing.T) []byte {
			s := samples.Load(t, "regs-good")
			_, symtab := s.Section(t, ".symtab")
			clear(symtab[5*symSize : 8*symSize])
			return s
		}, "(.symtab): is damaged: 3 of its "},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := samples.File(test.make(t)).Write(t, "vmlinux")
			im, err := Open(path, "")
			if err == nil {
				im.Close()
			}
			clearError(t, err, path, test.want)
		})
	}
}

// Open refuses a path that is not a regular file.
func TestOpenRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	_, err := Open(dir, "")
	clearError(t, err, dir, "is a folder; a kernel image (vmlinux) was expected")

	_, err = Open(os.DevNull, "")
	clearError(t, err, os.DevNull, "is not a regular file")

	socket := filepath.Join(dir, "s")
	if l, err := net.Listen("unix", socket); err != nil {
		t.Logf("no socket can be made: %v", err)
	} else {
		defer l.Close()
		if _, err := Open(socket, ""); err == nil {
			t.Error("a socket was opened")
		}
	}

	if _, err := Open(filepath.Join(dir, "nothing"), ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that does not exist gives %v", err)
	}
	secret := samples.Load(t, "regs-good").Write(t, "secret")
	if err := os.Chmod(secret, 0); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		t.Log("NOT TESTED: a file without permission; root may read everything")
	} else if _, err := Open(secret, ""); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("a file without permission gives %v", err)
	}
	good := samples.Load(t, "regs-good").Write(t, "good")
	if _, err := Open(good, filepath.Join(dir, "nothing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a debug file that does not exist gives %v", err)
	}
}

// An image cut at any byte is refused with a clear error, or answers all
// questions; it never panics and never takes much memory.
func TestCutAtEveryByte(t *testing.T) {
	whole := map[string]samples.File{
		"headers last":  samples.Load(t, "callops-good"),
		"headers first": samples.Load(t, "regs-good").HeadersFirst(),
	}
	for name, s := range whole {
		t.Run(name, func(t *testing.T) {
			mustOpen(t, s)
			texts := map[string]int{}
			for n := range len(s) {
				im, err := openBytes(s[:n])
				if err != nil {
					clearError(t, err, "vmlinux", "")
					var e *Error
					errors.As(err, &e)
					if n > 64 && !strings.Contains(err.Error(), "cut off") && !strings.Contains(err.Error(), "damaged") {
						t.Errorf("cut at %d: %v", n, err)
					}
					where, _, _ := strings.Cut(e.Where, ",")
					texts[where]++
					continue
				}
				texts["open"]++
				digest(im)
			}
			t.Logf("%d cuts: %v", len(s), texts)
			if name == "headers last" && texts["open"] > 0 {
				t.Errorf("the section headers are at the end of the file, and %d cuts of it can be opened", texts["open"])
			}
		})
	}
}

// Bytes behind the image are of no interest.
func TestTrailingBytes(t *testing.T) {
	s := samples.Load(t, "callops-good")
	want := digest(mustOpen(t, s))
	got := digest(mustOpen(t, s))
	if got != want {
		t.Fatal("digest gives two answers for one image")
	}
	im := mustOpen(t, samples.File(append(bytes.Clone(s), "garbage"...)))
	if got := strings.Replace(digest(im), fmt.Sprint(len(s)+7), fmt.Sprint(len(s)), 1); got != want {
		t.Errorf("with bytes behind it the image gives\n%s\nwithout\n%s", got, want)
	}
}

var packers = map[string]func(t testing.TB, b []byte) []byte{
	".gz": func(t testing.TB, b []byte) []byte {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		_, err := w.Write(b)
		return closed(t, &out, err, w.Close())
	},
	".xz": func(t testing.TB, b []byte) []byte {
		var out bytes.Buffer
		w, err := xz.NewWriter(&out)
		if err == nil {
			_, err = w.Write(b)
		}
		return closed(t, &out, err, w.Close())
	},
	".zst": func(t testing.TB, b []byte) []byte {
		var out bytes.Buffer
		w, err := zstd.NewWriter(&out)
		if err == nil {
			_, err = w.Write(b)
		}
		return closed(t, &out, err, w.Close())
	},
}

func closed(t testing.TB, out *bytes.Buffer, errs ...error) []byte {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// A packed image answers as the image itself does, and leaves no file behind.
func TestPacked(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for ext, pack := range packers {
		for _, name := range []string{"regs-good", "callops-good", "rfc-trampoline"} {
			s := samples.Load(t, name)
			want := digest(mustOpen(t, s))
			path := samples.File(pack(t, s)).Write(t, "not-named-for-what-it-is")
			im, err := Open(path, "")
			if err != nil {
				t.Errorf("%s%s: %v", name, ext, err)
				continue
			}
			if got := digest(im); got != want {
				t.Errorf("%s%s: packed\n%s\nplain\n%s", name, ext, got, want)
			}
			im.Close()
		}
	}
	if left, _ := os.ReadDir(os.Getenv("TMPDIR")); len(left) > 0 {
		t.Errorf("%v are left behind", left)
	}
}

// A packed image cut anywhere is refused with a clear error.
func TestPackedCut(t *testing.T) {
	s := samples.Load(t, "regs-good")
	for ext, pack := range packers {
		packed := pack(t, s)
		dir := t.TempDir()
		path := filepath.Join(dir, "vmlinux"+ext)
		for n := 6; n < len(packed); n += 1 + len(packed)/200 {
			if err := os.WriteFile(path, packed[:n], 0o644); err != nil {
				t.Fatal(err)
			}
			im, err := Open(path, "")
			if err == nil {
				im.Close()
				t.Errorf("%s cut at %d of %d was opened", ext, n, len(packed))
				continue
			}
			clearError(t, err, path, "damaged compressed data")
		}
		flipped := bytes.Clone(packed)
		flipped[len(flipped)/2] ^= 0xff
		if err := os.WriteFile(path, flipped, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path, "")
		clearError(t, err, path, "damaged compressed data")

		// Packed, but no image inside.
		path = samples.File(pack(t, []byte("hello, world"))).Write(t, "hello")
		_, err = Open(path, "")
		clearError(t, err, path, "is a text file")
	}
}

// What unpacks to more than the limit is refused at the limit, not after it.
func TestPackedBomb(t *testing.T) {
	const limit = 256 << 10
	t.Setenv("TMPDIR", t.TempDir())
	for ext, pack := range packers {
		bomb := pack(t, make([]byte, 16*limit))
		fits := pack(t, make([]byte, limit))
		taken := allocated(func() {
			data, err := mapUnpacked(bomb, limit)
			if err == nil || !strings.Contains(err.Error(), "unpacks to more than the limit of 262,144 bytes") {
				t.Errorf("%s: a bomb gives %v, %d bytes", ext, err, len(data))
			}
		})
		if taken > 16<<20 {
			t.Errorf("%s: a bomb of %d bytes takes %d bytes of memory", ext, len(bomb), taken)
		}
		data, err := mapUnpacked(fits, limit)
		if err != nil || len(data) != limit {
			t.Errorf("%s: what just fits gives %d bytes, %v", ext, len(data), err)
		}
		unmap(data)
	}
}

// A file that asks for more memory than unpacking may take is refused before it
// gets any, and what asks for as much as is allowed is opened.
func TestPackedWindow(t *testing.T) {
	s := samples.Load(t, "regs-good")
	packed := packers[".xz"](t, s)
	for _, test := range []struct {
		props byte // of LZMA2: the size of the dictionary
		want  string
	}{
		{30, ""},
		{31, "to unpack it takes more memory (the dictionary of xz) than the limit of 128 MiB"}, // 192 MiB
		{37, "to unpack it takes more memory"},                                                  // 1.5 GiB
		{40, "to unpack it takes more memory"},                                                  // 4 GiB
		{41, "compressed in a way that is not supported"},
	} {
		path := samples.File(withDictionary(packed, test.props)).Write(t, "vmlinux.xz")
		var im *Image
		var err error
		if taken := allocated(func() { im, err = Open(path, "") }); test.want != "" && taken > 1<<20 {
			t.Errorf("%d: it took %d bytes to refuse", test.props, taken)
		}
		if test.want == "" {
			if err != nil {
				t.Error(err)
			} else {
				im.Close()
			}
		} else {
			clearError(t, err, path, test.want)
		}
		if taken := allocated(func() { IsModule(path) }); test.want != "" && taken > 1<<20 {
			t.Errorf("%d: it took %d bytes to see that it is not a module", test.props, taken)
		}
	}
}

// With GOMEMLIMIT the window may take a quarter of that.
func TestPackedWindowMemoryLimit(t *testing.T) {
	path := samples.File(withDictionary(packers[".xz"](t, samples.Load(t, "regs-good")), 24)).Write(t, "vmlinux.xz") // 16 MiB
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(60 << 20))
	_, err := Open(path, "")
	clearError(t, err, path, "to unpack it takes more memory (the dictionary of xz) than the limit of 15 MiB")
	debug.SetMemoryLimit(64 << 20)
	im, err := Open(path, "")
	if err != nil {
		t.Fatal(err)
	}
	im.Close()
}

// withBuildID turns the sample's .rodata into a note with a build ID.
func withBuildID(t *testing.T, s samples.File, id string) samples.File {
	note := append([]byte{4, 0, 0, 0, byte(len(id)), 0, 0, 0, 3, 0, 0, 0}, "GNU\x00"...)
	note = append(note, id...)
	out := s.Replace(t, ".head.text", note)
	header, _ := out.Section(t, ".head.text")
	le.PutUint32(header[samples.ShType:], uint32(elf.SHT_NOTE))
	return out
}

// A debug file gives the lines, and the symbols if the image has none; one of
// another build is refused.
func TestDebugFile(t *testing.T) {
	image := filepath.Join(samples.Dir, "rfc-trampoline-debuglink.elf")
	debugFile := filepath.Join(samples.Dir, "rfc-trampoline-debuglink.debug")
	alone, err := Open(image, "")
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Close()
	at, _ := alone.Addr("ftrace_common")
	if l, ok := alone.Line(at); ok || !errors.Is(alone.LineProblem(), errNoDWARF) {
		t.Errorf("without its debug file the image has the line %v (%v)", l, alone.LineProblem())
	}
	both, err := Open(image, debugFile)
	if err != nil {
		t.Fatal(err)
	}
	defer both.Close()
	if l, ok := both.Line(at); !ok || l.File != "rfc-trampoline.S" {
		t.Errorf("with its debug file ftrace_common has the line %v (%v)", l, both.LineProblem())
	}

	stripped := filepath.Join(samples.Dir, "regs-good-stripped.elf")
	_, err = Open(stripped, "")
	clearError(t, err, stripped, "has no symbol table (.symtab)")
	im, err := Open(stripped, filepath.Join(samples.Dir, "regs-good.elf"))
	if err != nil {
		t.Fatal(err)
	}
	defer im.Close()
	if want := samples.Load(t, "regs-good").Value(t, "ftrace_caller"); im.Name(want) != "ftrace_caller" {
		t.Errorf("with its debug file the stripped image calls %#x %q", want, im.Name(want))
	}

	one := withBuildID(t, samples.Load(t, "regs-good"), "\x01\x02\x03\x04").Write(t, "one")
	two := withBuildID(t, samples.Load(t, "regs-good"), "\xaa\xbb\xcc\xdd").Write(t, "two")
	_, err = Open(one, two)
	clearError(t, err, two, "is of another build: its build ID is aabbccdd, that of "+one+" is 01020304")
	if im, err := Open(one, one); err != nil {
		t.Errorf("a debug file with the same build ID gives %v", err)
	} else {
		im.Close()
	}
	_, err = Open(one, image+".none")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a debug file that is not one gives %v", err)
	}
}

// An image that is cut while it is read costs an answer, not the process.
func TestCutWhileOpen(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the file is read whole")
	}
	path := samples.Load(t, "regs-good").Write(t, "vmlinux")
	im, err := Open(path, "")
	if err != nil {
		t.Fatal(err)
	}
	defer im.Close()
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	im.Index()
	defer Guard()()
	defer func() {
		if r := recover(); r == nil {
			t.Error("a symbol was looked up in a file that is gone")
		}
	}()
	im.Lookup("ftrace_caller")
}
