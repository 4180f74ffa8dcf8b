package trampoline_test

import (
	"fmt"
	"testing"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/entry"
	"github.com/ftlint/ftlint/internal/images"
	"github.com/ftlint/ftlint/trampoline"
)

var x64Kernels = []string{"bookworm-amd64", "trixie-amd64"}

// siteX64 is the first callsite of the image that stands at the entry of a function.
func siteX64(t *testing.T, table *callsite.Table) callsite.Site {
	t.Helper()
	for _, a := range table.Addrs {
		if s := table.Site(a); s.OK && s.AtFunc && s.Text {
			return s
		}
	}
	t.Fatal("no callsite")
	return callsite.Site{}
}

// judgedX64 is what is wrong with the builder, its trampolines and the entry code, in
// words; undecided is why there is no verdict.
func judgedX64(table *callsite.Table, site callsite.Site) (wrong []string, undecided []error) {
	results := trampoline.Build(table)
	for _, err := range []error{results.None, results.Err, results.ModelErr} {
		if err != nil {
			undecided = append(undecided, err)
		}
	}
	paths := entry.Paths(table, site.Entry, false, &callsite.Types{})
	for i := range results.Runs {
		r := &results.Runs[i]
		if r.Err != nil {
			undecided = append(undecided, fmt.Errorf("%s, %v: %w", r.Variant(), r.Situation, r.Err))
		}
		if r.Situation == trampoline.Near && r.Trampoline == 0 { // no rule can say that it passed
			undecided = append(undecided, fmt.Errorf("%s: no trampoline is made", r.Variant()))
		}
		for _, d := range r.Diffs {
			wrong = append(wrong, fmt.Sprintf("%s, %v: %s", r.Variant(), r.Situation, d.What))
		}
		for j := range r.Areas {
			a := &r.Areas[j]
			if !a.Freed && !a.Contains(r.Trampoline) {
				wrong = append(wrong, fmt.Sprintf("%s, %v: memory is left", r.Variant(), r.Situation))
			}
			if !a.Freed && a.PermAt(a.Addr)&(emu.Write|emu.Exec) == emu.Write|emu.Exec {
				wrong = append(wrong, fmt.Sprintf("%s, %v: memory is %v", r.Variant(), r.Situation, a.PermAt(a.Addr)))
			}
		}
		if b := r.Built(); r.Situation == trampoline.Near && r.Err == nil && b != nil {
			paths = append(paths, entry.Trampoline(table, site.Entry, false, b))
		}
	}
	for _, p := range paths {
		if p.Err != nil {
			undecided = append(undecided, fmt.Errorf("%s: %w", p.Name, p.Err))
		}
		for _, d := range p.Diffs {
			wrong = append(wrong, p.Name+": "+d)
		}
	}
	return wrong, undecided
}

// The builder of real kernels makes what the model says, in every situation, and every
// path through the entry code comes back.
func TestX64Kernels(t *testing.T) {
	for _, suite := range x64Kernels {
		t.Run(suite, func(t *testing.T) {
			im := images.Kernel(t, suite)
			table, err := callsite.Of(im)
			if err != nil {
				t.Fatal(err)
			}
			wrong, undecided := judgedX64(table, siteX64(t, table))
			for _, w := range wrong {
				t.Error(w)
			}
			for _, u := range undecided {
				t.Error(u)
			}
			results := trampoline.Build(table)
			seen := map[trampoline.Situation]int{}
			for i := range results.Runs {
				r := &results.Runs[i]
				seen[r.Situation]++
				switch r.Situation {
				case trampoline.Near, trampoline.Rebuilt:
					if !r.Called || r.X2 != r.Ops || r.Trampoline == 0 || r.Literal == 0 {
						t.Errorf("%s, %v: called %v with %#x, the ops is %#x", r.Variant(), r.Situation, r.Called, r.X2, r.Ops)
					}
				case trampoline.NoMemory, trampoline.BadCopy, trampoline.Released:
					if r.Trampoline != 0 {
						t.Errorf("%s, %v: there is a trampoline", r.Variant(), r.Situation)
					}
				}
			}
			for _, s := range []trampoline.Situation{trampoline.Near, trampoline.Updated, trampoline.NoMemory, trampoline.BadCopy,
				trampoline.Released, trampoline.Rebuilt, trampoline.Owned, trampoline.OwnedFreed} {
				if seen[s] < 2 { // of both variants
					t.Errorf("with %v: executed %d times", s, seen[s])
				}
			}
		})
	}
}

// Of the mutants of a real kernel's code, which lack one instruction, most are noticed.
// Those that survive are logged: about half of them change nothing that anybody can
// see, such as a test for what does not happen.
func TestX64Mutants(t *testing.T) {
	if testing.Short() {
		t.Skip("not in short mode: it executes the builder some hundred times")
	}
	for _, suite := range x64Kernels {
		t.Run(suite, func(t *testing.T) {
			im := images.Kernel(t, suite)
			table, err := callsite.Of(im)
			if err != nil {
				t.Fatal(err)
			}
			site := siteX64(t, table)
			all, noticed := 0, 0
			try := func(at, size uint64) {
				code := append([]byte(nil), im.Code(at, int(size))...)
				nops := make([]byte, size)
				for i := range nops {
					nops[i] = 0x90
				}
				images.Poke(t, im, at, nops)
				wrong, undecided := judgedX64(table, site)
				images.Poke(t, im, at, code)
				all++
				if len(wrong)+len(undecided) > 0 {
					noticed++
				} else {
					text, _ := im.Text(at)
					t.Logf("survives: without `%s` at %s", text, im.At(at))
				}
			}
			for _, name := range []string{"ftrace_caller", "ftrace_regs_caller", "return_to_handler", "arch_ftrace_update_trampoline",
				"arch_ftrace_trampoline_free", "ftrace_graph_func"} {
				s, ok := im.Lookup(name)
				if !ok {
					continue
				}
				for a := s.Addr; a < s.End(); {
					in, ok := im.Insn(a)
					if !ok {
						break
					}
					if code := im.Code(a, 1); in.Flow != arch.DoesNought && in.Flow != arch.Traps && code[0] != 0xf3 {
						try(a, in.Size)
					}
					a += in.Size
				}
			}
			t.Logf("%d of %d mutants are noticed", noticed, all)
			if noticed*100 < all*85 {
				t.Errorf("%d of %d mutants are noticed, at least 85 of 100 were expected", noticed, all)
			}
		})
	}
}
