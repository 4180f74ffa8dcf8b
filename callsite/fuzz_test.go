package callsite_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/hostile"
	"github.com/ftlint/ftlint/internal/samples"
)

var le = binary.LittleEndian

// some is how many callsites a fuzz target asks about one by one.
const some = 50

// shapes are what a callsite can be taken for.
var shapes = append([]*arch.Shape{nil}, arch.ARM64.Shapes...)

// bounded fails the test if f allocates more than a constant for the tables of
// the readers, and a multiple of what it was given.
func bounded(t *testing.T, given int, f func()) {
	t.Helper()
	hostile.Bounded(t, 64<<20, 1000, given, f)
}

// digest asks the table, and the image about what the table lists, everything
// that checks ask, and is the answers.
func digest(table *callsite.Table) string {
	var b strings.Builder
	say := func(v ...any) { fmt.Fprintln(&b, v...) }
	im := table.Image
	say(table.Era, table.Shape, table.Section, table.OtherTables)
	if table.Entries == nil {
		return b.String()
	}
	say(table.Entries.Start, table.Entries.End, len(table.Entries.Values), table.Blank, table.Entries.Form())
	callsite.Attach(im)
	for _, a := range table.Addrs[:min(len(table.Addrs), 100)] {
		say(table.Place(a), table.Contains(a), table.Guess(a), table.Site(a))
		for _, shape := range shapes {
			say(table.SiteAs(a, shape))
		}
	}
	for _, a := range table.Addrs[:min(len(table.Addrs), some)] {
		for off := uint64(0); off < 24; off += 8 {
			fn, in := callsite.FuncAt(im, a+off)
			l, ok := im.Line(a + off)
			if ok && (l.Line < 1 || l.File == "") {
				panic(fmt.Sprintf("the line of %#x is %v", a+off, l))
			}
			say(im.At(a+off), fn, in, l, ok)
		}
	}
	say(im.LineProblem())
	return b.String()
}

// consistent fails the test if the table, read with err, contradicts itself, or if
// its answers one by one differ from those all at once.
func consistent(t *testing.T, table *callsite.Table, err error) {
	t.Helper()
	im := table.Image
	if table.Shape != table.Era.Shape {
		t.Errorf("shape %v in era %v", table.Shape, table.Era)
	}
	if err != nil || table.Entries == nil {
		if err != nil {
			clearError(t, err, im.Path, "")
		}
		if table.Entries != nil || table.Addrs != nil {
			t.Errorf("a table beside the error %v", err)
		}
		return
	}
	e := table.Entries
	n := len(e.Values)
	if uint64(n)*8 != e.End-e.Start || table.Blank+len(table.Addrs) != n || !slices.IsSorted(table.Addrs) || n > 0 && len(table.Addrs) == 0 {
		t.Errorf("a table of %d entries at %#x..%#x: %d blank, %d not", n, e.Start, e.End, table.Blank, len(table.Addrs))
	}
	for _, a := range table.Addrs[:min(len(table.Addrs), some)] {
		i, at := -1, uint64(0)
		if _, err := fmt.Sscanf(table.Place(a), "entry %d of the callsite table (0x%x)", &i, &at); err != nil ||
			i < 0 || i >= n || e.Values[i] != a || at != e.Start+8*uint64(i) || !table.Contains(a) {
			t.Errorf("%#x is %s", a, table.Place(a))
		}
		guess := table.Guess(a)
		if s := table.SiteAs(a, guess); s.OK != (guess != nil) {
			t.Errorf("%#x is guessed to be %v, and is %+v", a, guess, s)
		}
	}
	ranges, apart := im.Sections(), true // of those that overlap one is found, or the other
	for i := range ranges[min(1, len(ranges)):] {
		apart = apart && ranges[i+1].Addr >= ranges[i].End()
	}
	for _, shape := range shapes {
		as := *table
		as.Shape = shape
		sites := as.Sites()
		if len(sites) != len(table.Addrs) {
			t.Fatalf("%d callsites of %d", len(sites), len(table.Addrs))
		}
		for i, s := range sites[:min(len(sites), some)] {
			if alone := table.SiteAs(s.Entry, shape); apart && s != alone ||
				s.Entry != table.Addrs[i] || apart && s.Text != im.IsText(s.Entry) || s.AtFunc != im.FunctionAt(s.Func) || s.Saved < -1 || s.Saved > 30 {
				t.Errorf("as %v: %+v, alone %+v", shape, s, alone)
			}
		}
	}
}

// twice fails the test unless both images have the same table, and answer the
// same.
func twice(t *testing.T, one, two *elfscan.Image) *callsite.Table {
	t.Helper()
	a, err := callsite.Of(one)
	b, err2 := callsite.Of(two)
	consistent(t, a, err)
	if fmt.Sprint(err) != fmt.Sprint(err2) || !reflect.DeepEqual(a.Entries, b.Entries) || !slices.Equal(a.Addrs, b.Addrs) || a.Era != b.Era {
		t.Errorf("%+v, %v, %v; again %+v, %v, %v", a.Entries, a.Era, err, b.Entries, b.Era, err2)
	}
	if a, b := digest(a), digest(b); a != b {
		t.Errorf("two answers:\n%s\n%s", a, b)
	}
	return a
}

// inFile writes a file that a fuzz target made, and opens it twice, which may
// fail.
func inFile(t *testing.T, path string, data []byte, open func() (*elfscan.Image, error)) (one, two *elfscan.Image, ok bool) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	one, err := open()
	two, err2 := open()
	if err != nil || err2 != nil {
		if fmt.Sprint(err) != fmt.Sprint(err2) {
			t.Errorf("refused with %v, then with %v", err, err2)
		}
		return nil, nil, false
	}
	t.Cleanup(one.Close)
	t.Cleanup(two.Close)
	return one, two, true
}

// Any image has a table without contradiction, or one clear error.
func FuzzOf(f *testing.F) {
	for _, name := range []string{"regs-good", "callops-good", "mcount-good", "dyntramp-live", "rfc-trampoline-dwarf4", "rfc-trampoline-dwarf5", "rfc-trampoline-zstd"} {
		f.Add([]byte(samples.Load(f, name)))
	}
	f.Add([]byte(samples.Load(f, "args-good").HeadersFirst()))
	path := filepath.Join(f.TempDir(), "vmlinux")
	f.Fuzz(func(t *testing.T, data []byte) {
		bounded(t, len(data), func() {
			one, two, ok := inFile(t, path, data, func() (*elfscan.Image, error) { return elfscan.Open(path, "") })
			if ok {
				twice(t, one, two)
			}
		})
	})
}

// Any callsite table, any words at the callsites, and boundary symbols
// anywhere: the table is refused with one clear line, or each callsite is the same
// one by one and all at once.
func FuzzSites(f *testing.F) {
	var bases []samples.File
	for _, name := range []string{"regs-good-inplace", "callops-good", "callops-bti-good", "args-good-relr", "mcount-good"} {
		s := samples.Load(f, name)
		_, text := s.Section(f, ".text")
		_, table := s.Section(f, ".init.data")
		f.Add(uint8(len(bases)), bytes.Clone(text[:256]), uint16(0), bytes.Clone(table), int32(0), int32(0))
		f.Add(uint8(len(bases)), bytes.Clone(text[:64]), uint16(128), bytes.Clone(table[:16]), int32(8), int32(-8))
		f.Add(uint8(len(bases)), []byte{}, uint16(0), slices.Concat(table, table), int32(0), int32(1<<20))
		bases = append(bases, s)
	}
	for _, name := range []string{"site-malformed", "site-patched", "site-misaligned", "site-duplicated"} {
		s := samples.Load(f, name)
		_, text := s.Section(f, ".text")
		_, table := s.Section(f, ".init.data")
		f.Add(uint8(0), bytes.Clone(text[:min(len(text), 512)]), uint16(0), bytes.Clone(table), int32(0), int32(0))
	}
	path := filepath.Join(f.TempDir(), "vmlinux")
	f.Fuzz(func(t *testing.T, base uint8, code []byte, at uint16, table []byte, start, stop int32) {
		s := samples.File(bytes.Clone(bases[int(base)%len(bases)]))
		_, text := s.Section(t, ".text")
		copy(text[int(at)%len(text):], code)
		_, data := s.Section(t, ".init.data")
		copy(data, table)
		s.SetValue(t, samples.TableStart, s.Value(t, samples.TableStart)+uint64(int64(start)))
		s.SetValue(t, samples.TableStop, s.Value(t, samples.TableStop)+uint64(int64(stop)))
		bounded(t, len(s), func() {
			one, two, ok := inFile(t, path, s, func() (*elfscan.Image, error) { return elfscan.Open(path, "") })
			if !ok {
				t.Fatal("the image cannot be opened")
			}
			twice(t, one, two)
		})
	})
}

// kernelOf opens the kernel of a module.
func kernelOf(t testing.TB) *elfscan.Image {
	t.Helper()
	kernel, err := elfscan.Open(filepath.Join(samples.Modules, "kernel-callops.elf"), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kernel.Close)
	return kernel
}

// anywhere asks both modules, and one of them placed elsewhere.
func anywhere(t *testing.T, one, two *elfscan.Image) {
	t.Helper()
	here := twice(t, one, two)
	base := one.Module().Base
	far, err := one.PlaceAt(base - 1<<30)
	if err != nil {
		t.Fatalf("it cannot be placed elsewhere: %v", err)
	}
	there, err := callsite.Of(far)
	consistent(t, there, err)
	if here.Section != there.Section || len(here.OtherTables) != len(there.OtherTables) || (here.Entries == nil) != (there.Entries == nil) {
		t.Errorf("elsewhere the table is %+v, here %+v", there, here)
	}
	digest(there)
}

// Any module has a table without contradiction, or one clear error: with a
// kernel and without one.
func FuzzModule(f *testing.F) {
	for _, name := range []string{"good-callops", "good-regs-wax", "good-mcount", "no-callsites", "section-wx", "good-regs-nodwarf"} {
		f.Add([]byte(samples.LoadModule(f, name)))
	}
	kernel := kernelOf(f)
	path := filepath.Join(f.TempDir(), "m.ko")
	f.Fuzz(func(t *testing.T, data []byte) {
		hostile.Bounded(t, 512<<20, 1000, len(data), func() { // it may be packed, and ask for a window
			for _, kernel := range []*elfscan.Image{nil, kernel} {
				one, two, ok := inFile(t, path, data, func() (*elfscan.Image, error) {
					return elfscan.OpenModule(path, elfscan.ModuleOptions{Kernel: kernel})
				})
				if ok && one.Size() < 1<<20 {
					anywhere(t, one, two)
				}
			}
		})
	})
}

// Any relocations and symbols of a module, with a kernel and without one.
func FuzzModuleTable(f *testing.F) {
	const relaSize = 24
	kernel := kernelOf(f)
	var bases []samples.File
	for i, name := range []string{"good-callops", "good-mcount", "good-regs"} {
		s := samples.LoadModule(f, name)
		bases = append(bases, s)
		_, text := s.Section(f, ".rela.text")
		_, symbols := s.Section(f, ".symtab")
		_, table := s.Section(f, ".rela"+s.TableName(f))
		for _, known := range []bool{false, true} {
			f.Add(uint8(i), known, bytes.Clone(text), bytes.Clone(table), bytes.Clone(symbols))
		}
		for _, typ := range []elf.R_AARCH64{elf.R_AARCH64_ABS64, elf.R_AARCH64_PREL64, elf.R_AARCH64_NONE, elf.R_AARCH64_CALL26} {
			b := bytes.Clone(table[:2*relaSize])
			le.PutUint32(b[8:], uint32(typ))
			f.Add(uint8(i), typ%2 == 0, bytes.Clone(text), b, []byte{})
		}
	}
	path := filepath.Join(f.TempDir(), "m.ko")
	f.Fuzz(func(t *testing.T, base uint8, known bool, text, table, symbols []byte) {
		if len(text)+len(table)+len(symbols) > 8192 {
			return
		}
		s := bases[int(base)%len(bases)]
		s = s.Replace(t, ".rela.text", text[:len(text)/relaSize*relaSize])
		s = s.Replace(t, ".rela"+s.TableName(t), table[:len(table)/relaSize*relaSize])
		_, symtab := s.Section(t, ".symtab")
		copy(symtab, symbols)
		var opt elfscan.ModuleOptions
		if known {
			opt.Kernel = kernel
		}
		bounded(t, len(s), func() {
			one, two, ok := inFile(t, path, s, func() (*elfscan.Image, error) { return elfscan.OpenModule(path, opt) })
			if ok {
				anywhere(t, one, two)
			}
		})
	})
}
