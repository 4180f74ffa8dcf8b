package elfscan

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

const samples = "../testdata/vmlinux-samples"

// A sample is the bytes of an image of testdata/vmlinux-samples, to be
// damaged and opened.
type sample []byte

var le = binary.LittleEndian

func load(t testing.TB, name string) sample {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(samples, name+".elf"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// allSamples are the names of the images, without ".elf".
func allSamples(t testing.TB) (names []string) {
	t.Helper()
	paths, err := filepath.Glob(samples + "/*.elf")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no samples in %s: %v", samples, err)
	}
	for _, p := range paths {
		names = append(names, strings.TrimSuffix(filepath.Base(p), ".elf"))
	}
	return names
}

// open is Open for an image in memory, called "vmlinux".
func (s sample) open() (*Image, error) {
	im := &Image{Path: "vmlinux", data: s}
	if err := im.readHeaders(); err != nil {
		return nil, err
	}
	im.debug = im
	if err := im.findSymbols(); err != nil {
		return nil, err
	}
	return im, nil
}

func (s sample) mustOpen(t testing.TB) *Image {
	t.Helper()
	im, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	return im
}

// section is the header and the contents of a section: writes go to s.
func (s sample) section(t testing.TB, name string) (header, contents []byte) {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	for i, sec := range f.Sections {
		if sec.Name == name {
			header = s[le.Uint64(s[40:])+uint64(i)*64:][:64]
			if sec.Type != elf.SHT_NOBITS {
				contents = s[sec.Offset:][:sec.FileSize]
			}
			return header, contents
		}
	}
	t.Fatalf("no section %s", name)
	return nil, nil
}

// Offsets in a section header and in a symbol, in bytes.
const (
	shType, shFlags, shAddr, shOffset, shSize, shLink = 4, 8, 16, 24, 32, 40
	stShndx, stValue                                  = 6, 8
)

// symbol is the entry of a symbol: writes go to s.
func (s sample) symbol(t testing.TB, name string) []byte {
	t.Helper()
	_, symtab := s.section(t, ".symtab")
	_, strtab := s.section(t, ".strtab")
	for b := symtab; len(b) >= symSize; b = b[symSize:] {
		n := strtab[le.Uint32(b):]
		if string(n[:bytes.IndexByte(n, 0)]) == name {
			return b[:symSize]
		}
	}
	t.Fatalf("no symbol %s", name)
	return nil
}

func (s sample) value(t testing.TB, symbol string) uint64 {
	return le.Uint64(s.symbol(t, symbol)[stValue:])
}

func (s sample) setValue(t testing.TB, symbol string, v uint64) {
	le.PutUint64(s.symbol(t, symbol)[stValue:], v)
}

// undefine makes it as if the image did not have the symbol.
func (s sample) undefine(t testing.TB, symbol string) {
	le.PutUint16(s.symbol(t, symbol)[stShndx:], 0)
}

// table is the bytes of the callsite table: writes go to s.
func (s sample) table(t testing.TB) []byte {
	start, stop := s.value(t, "__start_mcount_loc"), s.value(t, "__stop_mcount_loc")
	header, contents := s.section(t, ".init.data")
	base := le.Uint64(header[shAddr:])
	return contents[start-base : stop-base]
}

// replace gives a section other contents, at the end of the file.
func (s sample) replace(t testing.TB, name string, contents []byte) sample {
	out := sample(append(bytes.Clone(s), contents...))
	header, _ := out.section(t, name)
	le.PutUint64(header[shOffset:], uint64(len(s)))
	le.PutUint64(header[shSize:], uint64(len(contents)))
	return out
}

// headersFirst moves the section headers and their names from the end of the
// file to its front, so that an image that is cut still has them.
func (s sample) headersFirst() sample {
	at, n := le.Uint64(s[40:]), uint64(le.Uint16(s[60:]))
	headers := bytes.Clone(s[at : at+n*64])
	names := headers[uint64(le.Uint16(s[62:]))*64:]
	text := s[le.Uint64(names[shOffset:]):][:le.Uint64(names[shSize:])]
	for i := uint64(1); i < n; i++ {
		h := headers[i*64:]
		le.PutUint64(h[shOffset:], le.Uint64(h[shOffset:])+uint64(len(headers)+len(text)))
	}
	le.PutUint64(names[shOffset:], uint64(64+len(headers)))
	out := append(bytes.Clone(s[:64]), headers...)
	le.PutUint64(out[40:], 64)
	le.PutUint64(out[32:], 0) // no program headers: nothing reads them
	le.PutUint16(out[56:], 0)
	out = append(out, text...)
	return append(out, s[64:at]...)
}

// write puts the sample in a file of its own.
func (s sample) write(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, s, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// digest asks the image everything that checks ask, and is the answers.
func digest(im *Image) string {
	var b strings.Builder
	say := func(v ...any) { fmt.Fprintln(&b, v...) }
	sites, err := im.Sites()
	say(im.Era(), im.BuildID(), im.PageSize(), im.Size(), im.NumSymbols(), err)
	var addrs []uint64
	if sites != nil {
		say(sites.Start, sites.End, len(sites.Table), sites.Blank, sites.FromRela, sites.FromRelr, sites.Form())
		for _, a := range sites.Addrs[:min(len(sites.Addrs), 100)] {
			say(sites.Place(a), sites.Contains(a), im.GuessShape(a), im.SiteAs(a, ShapeNops), im.SiteAs(a, ShapeCallops), im.SiteAs(a, ShapeMcount))
			addrs = append(addrs, a)
		}
	}
	n := 0
	im.EachSymbol(func(addr uint64, name []byte, typ elf.SymType) bool {
		s, ok := im.Lookup(string(name))
		say(s, ok)
		addrs = append(addrs, addr, s.End())
		n++
		return n < 200
	})
	for i, r := range im.Sections() {
		if i == 50 {
			break
		}
		addrs = append(addrs, r.Addr, r.End(), r.End()-1)
	}
	addrs = append(addrs, 0, ^uint64(0), ^uint64(7))
	for _, a := range addrs {
		w, ok := im.Word(a)
		v, ok2 := im.Uint64(a)
		var buf [20]byte
		found := im.ReadAt(a-4, buf[:])
		say(im.At(a), w, ok, v, ok2, im.FunctionAt(a), im.IsText(a), found, buf)
	}
	for i, a := range addrs {
		if i == 60 {
			break
		}
		l, ok := im.Line(a)
		if ok && (l.Line < 1 || l.File == "") {
			panic(fmt.Sprintf("the line of %#x is %v", a, l))
		}
		say(l, ok)
	}
	say(im.LineProblem())
	return b.String()
}

// allocated is how many bytes f allocates in all.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// clearError fails the test unless err is one line of an *Error that begins
// with the path and contains want.
func clearError(t *testing.T, err error, path, want string) {
	t.Helper()
	var e *Error
	switch {
	case err == nil:
		t.Errorf("no error; want %q", want)
	case !errors.As(err, &e):
		t.Errorf("error %q is a %T", err, err)
	case !strings.HasPrefix(err.Error(), path+": "), strings.ContainsAny(err.Error(), "\n\r"), e.What == "":
		t.Errorf("error %q is not one line that begins with the path", err)
	case !strings.Contains(err.Error(), want):
		t.Errorf("error %q; want %q", err, want)
	}
}
