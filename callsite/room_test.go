package callsite_test

import (
	"strings"
	"testing"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/samples"
)

// The loaders of real kernels make room for every branch and write their entries,
// with and without erratum 843419. Without one of the calls that they make for that,
// they do not.
func TestPLTsOfRealKernels(t *testing.T) {
	for name, path := range samples.Kernels(t) {
		t.Run(name, func(t *testing.T) {
			im, err := elfscan.Open(path, "")
			if err != nil {
				t.Fatal(err)
			}
			defer im.Close()
			wrong := func(large bool) string {
				p, err := callsite.NewPLTMaker(im, callsite.ReadTypes(im, false))
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range p.MadeUp(large) {
					if r.Err != nil {
						t.Errorf("%s: %v", r.Case, r.Err)
					}
					if r.Func != "" {
						return r.Func
					}
				}
				return ""
			}
			if fn := wrong(!testing.Short()); fn != "" {
				t.Fatalf("%s is wrong", fn)
			}
			for _, call := range []struct{ from, to string }{
				{"module_frob_arch_sections", "count_plts"},
				{"module_emit_plt_entry", "get_plt_entry"},
				{"module_emit_veneer_for_adrp", "aarch64_insn_gen_add_sub_imm"},
				{"module_init_layout_section", "module_init_section"},
			} {
				at := callOf(t, im, call.from, call.to)
				old, _ := im.Word(at)
				if err := im.SetWord(at, a64.NOP); err != nil {
					t.Fatal(err)
				}
				if fn := wrong(!testing.Short()); fn == "" {
					t.Errorf("%s without its call of %s is not found", call.from, call.to)
				}
				if err := im.SetWord(at, old); err != nil {
					t.Fatal(err)
				}
			}
			// When the PLT is full, the loader refuses: it compares two counts.
			full := only(im, "module_emit_plt_entry", "b.gt")
			if full == 0 {
				t.Fatal("module_emit_plt_entry has no B.GT, or several")
			}
			old, _ := im.Word(full)
			if err := im.SetWord(full, a64.NOP); err != nil {
				t.Fatal(err)
			}
			if fn := wrong(false); fn != "module_emit_plt_entry" {
				t.Errorf("of module_emit_plt_entry that does not refuse: %q is wrong", fn)
			}
			if err := im.SetWord(full, old); err != nil {
				t.Fatal(err)
			}
			// Entries in two pages have the same words and come to two targets: the loader
			// compares the pages as well.
			if at := only(im, "module_emit_plt_entry", "ccmp"); at != 0 {
				if err := im.SetWord(at, a64.NOP); err != nil {
					t.Fatal(err)
				}
				if fn := wrong(false); fn == "" {
					t.Error("module_emit_plt_entry that compares the words of entries alone is not found")
				}
			} else if name == "trixie" {
				t.Error("module_emit_plt_entry has no CCMP, or several")
			}
		})
	}
}

// callOf is the place in a function of its first call of another.
func callOf(t *testing.T, im *elfscan.Image, from, to string) uint64 {
	t.Helper()
	s, ok1 := im.Lookup(from)
	want, ok2 := im.Addr(to)
	for a := s.Addr; ok1 && ok2 && a < s.End(); a += a64.Size {
		w, _ := im.Word(a)
		if target, ok := a64.Target(w, a); ok && target == want && (a64.Classify(w) == a64.Call || a64.Classify(w) == a64.Branch) {
			return a
		}
	}
	t.Fatalf("%s does not call %s", from, to)
	return 0
}

// only is the place of a function's one instruction of that name; 0 if it has none or
// several.
func only(im *elfscan.Image, fn, name string) (at uint64) {
	s, _ := im.Lookup(fn)
	for a := s.Addr; a < s.End(); a += a64.Size {
		if w, _ := im.Word(a); strings.HasPrefix(a64.Text(w, a, im.Name), name+" ") {
			if at != 0 {
				return 0
			}
			at = a
		}
	}
	return at
}
