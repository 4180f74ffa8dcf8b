package entry_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/entry"
	"github.com/ftlint/ftlint/internal/images"
)

// paths executes the entry code from the first callsite at a function.
func paths(t *testing.T, im *elfscan.Image) []entry.Run {
	t.Helper()
	table, err := callsite.Of(im)
	if err != nil {
		t.Fatal(err)
	}
	sites := slices.DeleteFunc(table.Sites(), func(s callsite.Site) bool { return !s.OK || s.Saved >= 0 })
	bti := slices.ContainsFunc(sites, func(s callsite.Site) bool { return s.BTI })
	i := slices.IndexFunc(sites, func(s callsite.Site) bool { return s.AtFunc || table.Era == arch.Mcount })
	if i < 0 {
		t.Fatal("no callsite is at a function")
	}
	return entry.Paths(table, sites[i].Entry, bti, callsite.ReadTypes(im, false))
}

// Every path through good entry code is clean, and all paths of its era are
// executed.
func TestEntryPaths(t *testing.T) {
	images.Each(t, func(t *testing.T, im *elfscan.Image) {
		var names []string
		for _, p := range paths(t, im) {
			names = append(names, p.Name)
			if p.Err != nil || len(p.Diffs) > 0 {
				t.Errorf("%s: %v %v", p.Name, p.Err, p.Diffs)
			}
		}
		want := []string{"ftrace_caller"}
		has := func(symbol string, paths ...string) {
			if _, ok := im.Addr(symbol); ok {
				want = append(want, paths...)
			}
		}
		has("return_to_handler", "return_to_handler")
		has("ftrace_graph_call", "ftrace_caller, fgraph")
		has("ftrace_stub_direct_tramp", "ftrace_stub_direct_tramp")
		has("ftrace_caller_direct", "ftrace_caller, direct call", "ftrace_caller, direct call set by the callback")
		if table, _ := callsite.Of(im); table.Era != arch.Mcount {
			want = append(want, "ftrace_caller, redirected by the callback")
			has("ftrace_regs_caller", "ftrace_regs_caller", "ftrace_regs_caller, redirected by the callback")
			if _, ok := im.Addr("ftrace_graph_func"); ok {
				has("function_graph_enter", "ftrace_caller, fgraph")
				has("function_graph_enter_regs", "ftrace_caller, fgraph")
			}
		}
		for _, w := range want {
			if !slices.Contains(names, w) {
				t.Errorf("no path %q in %q", w, names)
			}
		}
	})
}

// drop replaces the first of the words of the entry code by NOP.
func drop(t *testing.T, im *elfscan.Image, from string, words ...uint32) {
	t.Helper()
	a, ok := im.Addr(from)
	for range 64 {
		w, mapped := im.Word(a)
		if !ok || !mapped {
			break
		}
		if slices.Contains(words, w) {
			if err := im.SetWord(a, a64.NOP); err != nil {
				t.Fatal(err)
			}
			return
		}
		a += a64.Size
	}
	t.Skipf("no such instruction behind %s", from)
}

// Entry code that loses a register or the stack is noticed, and the run says which.
func TestBrokenEntryCode(t *testing.T) {
	for _, c := range []struct {
		what, sample, from string
		words              []uint32
		want               string
	}{
		{"x0 is not restored", "callops-good.elf", "ftrace_caller", []uint32{0xa94007e0}, "x0 comes back"},         // ldp x0, x1, [sp]
		{"x8 is not restored", "callops-good.elf", "ftrace_caller", []uint32{0xf94023e8}, "x8 comes back"},         // ldr x8, [sp, #64]
		{"direct_tramp is not cleared", "callops-good.elf", "ftrace_caller", []uint32{0xf90027ff}, "direct_tramp"}, // str xzr, [sp, #72]
		{"x2 is not saved", "regs-good.elf", "ftrace_caller", []uint32{0xa9010fe2}, "x2 in regs"},                  // stp x2, x3, [sp, #16]
		{"x19 is not saved", "regs-good.elf", "ftrace_regs_caller", []uint32{0xa9094ff2}, "x19 in regs"},           // stp x18, x19, [sp, #144]
	} {
		t.Run(c.what, func(t *testing.T) {
			im := images.Sample(t, c.sample)
			drop(t, im, c.from, c.words...)
			var all []string
			for _, p := range paths(t, im) {
				all = append(all, p.Diffs...)
			}
			if s := strings.Join(all, "; "); !strings.Contains(s, c.want) {
				t.Errorf("%q, want %q in it", s, c.want)
			}
		})
	}
}

// Entry code that goes where no code is, or comes to a word that is not an instruction, is
// broken: that is no question of what the emulator knows.
func TestEntryCodeGoesAstray(t *testing.T) {
	const (
		retX9 = 0xd65f0120
		hash  = 0x1e602800 // the word before a function that kCFI looks at, here fadd d0, d0, d0
	)
	for _, c := range []struct {
		what         string
		first, after uint32 // in place of the return, and behind it
		want         string // in the differences, or in the error
		known        bool
	}{
		{"UDF", 0, 0, "it comes to a word that is not an instruction: undefined instruction 0x00000000 at ", true},
		{"a reserved encoding", 0x06000000, 0, "it comes to a word that is not an instruction: undefined instruction 0x06000000 at ", true},
		{"the end is lost", a64.NOP, 0, "it runs past the end of ftrace_caller, into ", true},
		{"the end is lost before data", a64.NOP, hash, "it runs past the end of ftrace_caller, into ", true},
		{"returns to NULL", 0xd65f03e0, 0, "fetch of unmapped 0x0, where the RET at ftrace_caller+", true}, // ret xzr
		{"an instruction that the emulator does not know", hash, 0, "unknown instruction 0x1e602800 at ", false},
	} {
		t.Run(c.what, func(t *testing.T) {
			im := images.Sample(t, "callops-good.elf")
			fn, _ := im.Lookup("ftrace_caller")
			set := func(a uint64, w uint32) {
				if err := im.SetWord(a, w); err != nil {
					t.Fatal(err)
				}
			}
			at := fn.Addr
			for w := uint32(0); w != retX9; w, _ = im.Word(at) {
				if at += a64.Size; at >= fn.End() {
					t.Fatal("no ret x9")
				}
			}
			set(at, c.first)
			for a := at + a64.Size; a < fn.End(); a += a64.Size {
				set(a, a64.NOP)
			}
			set(fn.End(), c.after)
			p := paths(t, im)[0]
			said := strings.Join(p.Diffs, "; ")
			if !c.known && p.Err != nil {
				said = p.Err.Error()
			}
			if (p.Err == nil) != c.known || !strings.Contains(said, c.want) {
				t.Errorf("%v, %v, want %q", p.Diffs, p.Err, c.want)
			}
		})
	}
}

// With fgraph on, prepare_ftrace_return() must be called.
func TestGraphIsCalled(t *testing.T) {
	im := images.Sample(t, "regs-5.10-good.elf")
	prepare, ok1 := im.Addr("prepare_ftrace_return")
	a, ok2 := im.Addr("ftrace_graph_caller")
	if !ok1 || !ok2 {
		t.Skip("the sample has no ftrace_graph_caller")
	}
	for range 16 {
		w, _ := im.Word(a)
		if to, _ := a64.Target(w, a); a64.Classify(w) == a64.Call && to == prepare {
			if err := im.SetWord(a, a64.NOP); err != nil {
				t.Fatal(err)
			}
			for _, p := range paths(t, im) {
				if strings.HasSuffix(p.Name, "fgraph") && len(p.Diffs) == 0 {
					t.Errorf("%s: the call is gone, and that is not noticed", p.Name)
				}
			}
			return
		}
		a += a64.Size
	}
	t.Fatal("no call of prepare_ftrace_return")
}

// In a BTI kernel, BR cannot take the place of RET: no landing pad is at the place
// that is returned to.
func TestReturnByBR(t *testing.T) {
	const ret, br = 0xd65f03c0, 0xd61f03c0 // of X30
	for name, wrong := range map[string]bool{"callops-bti-good.elf": true, "callops-good.elf": false} {
		im := images.Sample(t, name)
		a, _ := im.Addr("return_to_handler")
		for w, _ := im.Word(a); w != ret; w, _ = im.Word(a) {
			a += a64.Size
		}
		if err := im.SetWord(a, br); err != nil {
			t.Fatal(err)
		}
		for _, p := range paths(t, im) {
			said := strings.Join(p.Diffs, "; ")
			if is := wrong && p.Name == "return_to_handler"; p.Err != nil || strings.Contains(said, "which has no landing pad") != is || !is && said != "" {
				t.Errorf("%s: %s: %q, %v", name, p.Name, said, p.Err)
			}
		}
	}
}

// Entry code that goes on without end is broken.
func TestEntryCodeWithoutEnd(t *testing.T) {
	im := images.Sample(t, "callops-good.elf")
	a, _ := im.Addr("ftrace_caller")
	if err := im.SetWord(a, 0x14000000); err != nil { // B to itself
		t.Fatal(err)
	}
	p := paths(t, im)[0]
	if said := strings.Join(p.Diffs, "; "); p.Err != nil || !strings.Contains(said, "step limit reached") {
		t.Errorf("%q, %v", said, p.Err)
	}
}
