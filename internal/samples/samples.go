// Package samples has the bytes of the images that tests look at, to be damaged
// and opened. It does not open them: elfscan's own tests use it.
package samples

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Folders of the samples, relative to a package's folder.
const (
	Dir     = "../testdata/vmlinux-samples"
	Modules = "../testdata/module-samples"
)

// Offsets in a section header and in a symbol, and the size of a symbol, in
// bytes.
const (
	ShType, ShFlags, ShAddr, ShOffset, ShSize, ShLink = 4, 8, 16, 24, 32, 40
	StShndx, StValue                                  = 6, 8
	SymSize                                           = 24
)

var le = binary.LittleEndian

// A File is the bytes of an ELF file.
type File []byte

// Load reads the sample of an image, named without ".elf".
func Load(t testing.TB, name string) File {
	t.Helper()
	return load(t, filepath.Join(Dir, name+".elf"))
}

// LoadModule reads the sample of a module, named without ".ko".
func LoadModule(t testing.TB, name string) File {
	t.Helper()
	return load(t, filepath.Join(Modules, name+".ko"))
}

func load(t testing.TB, path string) File {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// All are the names of the images, without ".elf".
func All(t testing.TB) (names []string) {
	t.Helper()
	paths, err := filepath.Glob(Dir + "/*.elf")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no samples in %s: %v", Dir, err)
	}
	for _, p := range paths {
		names = append(names, strings.TrimSuffix(filepath.Base(p), ".elf"))
	}
	return names
}

// Section is the header and the contents of a section: writes go to s.
func (s File) Section(t testing.TB, name string) (header, contents []byte) {
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

// Symbol is the entry of a symbol: writes go to s.
func (s File) Symbol(t testing.TB, name string) []byte {
	t.Helper()
	_, symtab := s.Section(t, ".symtab")
	_, strtab := s.Section(t, ".strtab")
	for b := symtab; len(b) >= SymSize; b = b[SymSize:] {
		n := strtab[le.Uint32(b):]
		if string(n[:bytes.IndexByte(n, 0)]) == name {
			return b[:SymSize]
		}
	}
	t.Fatalf("no symbol %s", name)
	return nil
}

// Value is the address of a symbol.
func (s File) Value(t testing.TB, symbol string) uint64 {
	return le.Uint64(s.Symbol(t, symbol)[StValue:])
}

// SetValue gives a symbol another address.
func (s File) SetValue(t testing.TB, symbol string, v uint64) {
	le.PutUint64(s.Symbol(t, symbol)[StValue:], v)
}

// Undefine makes the symbol one that the image does not define.
func (s File) Undefine(t testing.TB, symbol string) {
	le.PutUint16(s.Symbol(t, symbol)[StShndx:], 0)
}

// The boundary symbols of the callsite table.
const (
	TableStart = "__start_mcount_loc"
	TableStop  = "__stop_mcount_loc"
)

// Table is the bytes of the callsite table: writes go to s.
func (s File) Table(t testing.TB) []byte {
	start, stop := s.Value(t, TableStart), s.Value(t, TableStop)
	header, contents := s.Section(t, ".init.data")
	base := le.Uint64(header[ShAddr:])
	return contents[start-base : stop-base]
}

// TableName is the section with the callsites of a module.
func (s File) TableName(t testing.TB) string {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"__patchable_function_entries", "__mcount_loc"} {
		if f.Section(name) != nil {
			return name
		}
	}
	t.Fatal("no section with callsites")
	return ""
}

// Replace gives a section other contents, at the end of the file.
func (s File) Replace(t testing.TB, name string, contents []byte) File {
	t.Helper()
	out := File(append(bytes.Clone(s), contents...))
	header, _ := out.Section(t, name)
	le.PutUint64(header[ShOffset:], uint64(len(s)))
	le.PutUint64(header[ShSize:], uint64(len(contents)))
	return out
}

// HeadersFirst moves the section headers and their names from the end of the
// file to its front, so that an image that is cut still has them.
func (s File) HeadersFirst() File {
	at, n := le.Uint64(s[40:]), uint64(le.Uint16(s[60:]))
	headers := bytes.Clone(s[at : at+n*64])
	names := headers[uint64(le.Uint16(s[62:]))*64:]
	text := s[le.Uint64(names[ShOffset:]):][:le.Uint64(names[ShSize:])]
	for i := uint64(1); i < n; i++ {
		h := headers[i*64:]
		le.PutUint64(h[ShOffset:], le.Uint64(h[ShOffset:])+uint64(len(headers)+len(text)))
	}
	le.PutUint64(names[ShOffset:], uint64(64+len(headers)))
	out := append(bytes.Clone(s[:64]), headers...)
	le.PutUint64(out[40:], 64)
	le.PutUint64(out[32:], 0) // no program headers: nothing reads them
	le.PutUint16(out[56:], 0)
	out = append(out, text...)
	return append(out, s[64:at]...)
}

// Write puts the sample in a file of its own.
func (s File) Write(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, s, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Kernels are the paths of the real kernels that scripts/fetch-kernels has
// fetched, by suite.
func Kernels(t testing.TB) map[string]string {
	t.Helper()
	root := os.Getenv("FTLINT_KERNELS")
	if root == "" {
		cache := os.Getenv("XDG_CACHE_HOME")
		if cache == "" {
			home, _ := os.UserHomeDir()
			cache = filepath.Join(home, ".cache")
		}
		root = filepath.Join(cache, "ftlint", "kernels")
	}
	found := map[string]string{}
	for _, suite := range []string{"bullseye", "bookworm", "trixie", "forky", "sid"} {
		p := filepath.Join(root, suite, "current", "vmlinux")
		if _, err := os.Stat(p); err == nil {
			found[suite] = p
		}
	}
	for _, suite := range []string{"bookworm", "trixie"} {
		if found[suite] == "" && os.Getenv("CI") == "true" {
			t.Fatalf("no kernel of %s: run scripts/fetch-kernels", suite)
		}
	}
	if len(found) == 0 {
		t.Skip("no real kernels: run scripts/fetch-kernels")
	}
	return found
}
