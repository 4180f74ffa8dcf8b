package callsite_test

import (
	"bytes"
	"debug/elf"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/samples"
)

func openModule(t testing.TB, file samples.File, kernel *elfscan.Image) *elfscan.Image {
	t.Helper()
	im, err := elfscan.OpenModule(file.Write(t, "m.ko"), elfscan.ModuleOptions{Kernel: kernel})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(im.Close)
	return im
}

// The callsites of a module are those of its functions, in the part of the
// module that each is in.
func TestModuleSites(t *testing.T) {
	im := openModule(t, samples.LoadModule(t, "good-callops"), nil)
	table, err := callsite.Of(im)
	if err != nil || table.Era != arch.Callops || len(table.Addrs) != 4 || table.Section != "__patchable_function_entries" || len(table.OtherTables) != 0 {
		t.Fatalf("%+v, %v", table, err)
	}
	var names []string
	for _, s := range table.Sites() {
		if !s.OK || !s.Text || !s.AtFunc {
			t.Errorf("%+v", s)
		}
		names = append(names, strings.TrimSuffix(im.Name(s.Func), " [good_callops]")+" in "+im.Module().PartAt(s.Entry).String())
	}
	slices.Sort(names)
	if want := []string{"cleanup_module in text", "init_module in init text", "read_device in text", "write_device in text"}; !slices.Equal(names, want) {
		t.Errorf("callsites %q", names)
	}
}

// A BL to _mcount is a callsite however the module reaches _mcount.
func TestModuleMcount(t *testing.T) {
	kernel, err := elfscan.Open(filepath.Join(samples.Modules, "kernel-mcount.elf"), "")
	if err != nil {
		t.Fatal(err)
	}
	defer kernel.Close()
	file := samples.LoadModule(t, "good-mcount")
	alone, near := openModule(t, file, nil), openModule(t, file, kernel)
	base, _ := kernel.FarBase()
	far, err := near.PlaceAt(base)
	if err != nil {
		t.Fatal(err)
	}
	for _, im := range []*elfscan.Image{alone, near, far} {
		table, err := callsite.Of(im)
		if err != nil || table.Era != arch.Mcount || len(table.Addrs) != 3 || table.Section != "__mcount_loc" {
			t.Fatalf("%+v, %v", table, err)
		}
		for _, s := range table.Sites() {
			if !s.OK {
				t.Errorf("at %#x: %+v", im.Module().Base, s)
			}
		}
	}
}

// Of two modules that are the same but for their kernel, the kernel tells which
// era the callsites are of.
func TestModuleEra(t *testing.T) {
	im := openModule(t, samples.LoadModule(t, "good-regs"), open(t, samples.Load(t, "args-good")))
	if table, err := callsite.Of(im); err != nil || table.Era != arch.Args {
		t.Errorf("with a kernel of era args: era %v, %v", table.Era, err)
	}
	im.WithoutKernel()
	if table, err := callsite.Of(im); err != nil || table.Era != arch.RegsEra {
		t.Errorf("without a kernel: era %v, %v", table.Era, err)
	}
	im = openModule(t, samples.LoadModule(t, "good-regs"), open(t, samples.Load(t, "callops-good")))
	if table, err := callsite.Of(im); err != nil || table.Era != arch.RegsEra {
		t.Errorf("with a kernel of another era: era %v, %v", table.Era, err)
	}
}

// A module whose callsites are of no shape is of its kernel's era.
func TestModuleEraWithoutShape(t *testing.T) {
	file := samples.LoadModule(t, "good-regs")
	for _, name := range []string{".text", ".init.text"} {
		_, text := file.Section(t, name)
		clear(text)
	}
	im := openModule(t, file, open(t, samples.Load(t, "args-good")))
	if table, err := callsite.Of(im); err != nil || table.Era != arch.Args {
		t.Errorf("with a kernel of era args: era %v, %v", table.Era, err)
	}
	if table, err := callsite.Of(openModule(t, file, nil)); err != nil || table.Era != arch.None {
		t.Errorf("without a kernel: era %v, %v", table.Era, err)
	}
}

// A module's table that lies is refused with what is wrong with it.
func TestModuleTableRefused(t *testing.T) {
	const section = "__patchable_function_entries"
	for _, test := range []struct {
		name string
		edit func(s samples.File)
		want string
	}{
		{"no relocations", func(s samples.File) {
			h, _ := s.Section(t, ".rela"+section)
			le.PutUint32(h[samples.ShType:], uint32(elf.SHT_PROGBITS))
		}, "callsite table: all 4 entries are zero, and no relocation fills them in"},
		{"odd size", func(s samples.File) {
			h, _ := s.Section(t, section)
			le.PutUint64(h[samples.ShSize:], le.Uint64(h[samples.ShSize:])-4)
		}, "callsite table: its size, 0x1c bytes, is not a multiple of 8"},
		{"not loaded", func(s samples.File) {
			h, _ := s.Section(t, section)
			le.PutUint64(h[samples.ShFlags:], 0)
		}, "the callsite table is not loaded (SHF_ALLOC is not set)"},
	} {
		file := samples.File(bytes.Clone(samples.LoadModule(t, "good-regs")))
		test.edit(file)
		im := openModule(t, file, nil)
		table, err := callsite.Of(im)
		clearError(t, err, im.Path, test.want)
		if table.Entries != nil || table.Section != section || table.Era != arch.None {
			t.Errorf("%s: %+v", test.name, table)
		}
	}
}

// The NOPs of a callsite have the line of their function, also where the module
// is placed anew.
func TestModuleLines(t *testing.T) {
	im := openModule(t, samples.LoadModule(t, "good-regs"), nil)
	callsite.Attach(im)
	moved, err := im.PlaceAt(im.Module().Base - 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	lines := func(im *elfscan.Image) (lines []elfscan.Line) {
		table, err := callsite.Of(im)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range table.Sites() {
			l, ok := im.Line(s.Call)
			if fn, in := callsite.FuncAt(im, s.Call); !ok || !in || fn != s.Func {
				t.Errorf("%s has the line %v (%v), and is of a function at %#x", im.At(s.Call), l, ok, fn)
			}
			lines = append(lines, l)
		}
		return lines
	}
	if here, there := lines(im), lines(moved); !slices.Equal(here, there) {
		t.Errorf("lines %v, elsewhere %v", here, there)
	}
}
