package ktypes

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/ftlint/ftlint/elfscan"
)

// describe is a structure with its members, and those of members without a
// name.
func describe(t *Types, of Type, base uint64) (s string, err error) {
	list, err := t.Members(of)
	if err != nil {
		return "", err
	}
	for _, m := range list {
		s += fmt.Sprintf("%s %d.%d:%d %s of %d; ", m.Name, base+m.Offset, m.Bit, m.Bits, titles[m.Type.Kind], m.Type.Size)
		if m.Name != "" {
			continue
		}
		inner, err := describe(t, m.Type, base+m.Offset)
		if err != nil {
			return "", err
		}
		s += inner
	}
	return s, nil
}

// kernels calls do for the kernels that scripts/fetch-kernels has fetched.
func kernels(t testing.TB, do func(path string, im *elfscan.Image)) {
	t.Helper()
	root := os.Getenv("FTLINT_KERNELS")
	if root == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		root = filepath.Join(cache, "ftlint/kernels")
	}
	var paths []string
	for _, suite := range []string{"bullseye", "bookworm", "trixie", "forky", "sid"} { // those of scripts/build-kernels have no BTF
		found, err := filepath.Glob(filepath.Join(root, suite, "current/vmlinux"))
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, found...)
	}
	if len(paths) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("no kernels")
		}
		t.Skip("SKIPPED: no kernels: run scripts/fetch-kernels")
	}
	for _, path := range paths {
		im, err := elfscan.Open(path, "")
		if err != nil {
			t.Fatal(err)
		}
		do(path, im)
		im.Close()
	}
}

// DWARF says of structures, enumerators and functions what BTF says.
func TestKernels(t *testing.T) {
	kernels(t, func(path string, im *elfscan.Image) {
		fn, _ := im.Addr("module_finalize")
		dwarf, err := FromDWARF(im, fn)
		if err != nil || dwarf == nil {
			t.Fatalf("%s: %v, %v", path, dwarf, err)
		}
		btf, err := FromBTF(im)
		if err != nil || btf == nil {
			t.Fatalf("%s: %v, %v", path, btf, err)
		}
		compare(t, path, dwarf, btf)
	})
}

func compare(t *testing.T, path string, dwarf, btf *Types) {
	names, err := dwarf.from.(*unit).names()
	if err != nil || len(names.structures) < 200 || len(names.enumerators) < 50 {
		t.Fatalf("%s: %d structures, %d enumerators, %v", path, len(names.structures), len(names.enumerators), err)
	}
	for name := range names.structures {
		if a, b := structure(dwarf, name), structure(btf, name); a != b {
			t.Errorf("%s: struct %s\nby DWARF %s\nby BTF   %s", path, name, a, b)
		}
	}
	for name, v := range names.enumerators {
		if w, err := btf.Enumerator(name); err != nil || v != w {
			t.Errorf("%s: %s is %d by DWARF, %d by BTF (%v)", path, name, v, w, err)
		}
	}
	compared := 0
	for name := range names.functions {
		a, err := dwarf.Prototype(name)
		if err != nil {
			t.Errorf("%s: %s by DWARF: %v", path, name, err)
		}
		b, err := btf.Prototype(name)
		if lacks(err) || len(b.Params) == 0 { // inlined everywhere, or assembly
			continue
		}
		if compared++; err != nil || nameless(a) != nameless(b) {
			t.Errorf("%s: %s is %v by DWARF, %v by BTF (%v)", path, name, a, b, err)
		}
	}
	if compared < 3 {
		t.Errorf("%s: %d prototypes", path, compared)
	}
}

func structure(types *Types, name string) string {
	ty, err := types.Struct(name)
	if err != nil {
		return err.Error()
	}
	s, err := describe(types, ty, 0)
	return fmt.Sprintf("%d: %s%v", ty.Size, s, err)
}

// nameless is the prototype without the names of parameters, which
// declarations may lack.
func nameless(p Prototype) string {
	for i := range p.Params {
		p.Params[i].Name = ""
	}
	return p.String()
}

// The prototypes of all functions are read within fractions of a second.
func BenchmarkPrototypes(b *testing.B) {
	kernels(b, func(path string, im *elfscan.Image) {
		b.Run(filepath.Base(filepath.Dir(filepath.Dir(path))), func(b *testing.B) {
			for b.Loop() {
				types, err := FromBTF(im)
				if err != nil {
					b.Fatal(err)
				}
				n := 0
				for _, fn := range types.Functions() {
					if _, err := fn.Prototype(); err != nil {
						b.Fatal(err)
					}
					n++
				}
				b.ReportMetric(float64(n), "functions")
			}
		})
	})
}
