package trampoline_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

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

// A builder that goes wrong in one situation alone is noticed there.
func TestX64Wrong(t *testing.T) {
	for _, c := range []struct {
		what, suite string
		at          uint64 // offset in arch_ftrace_update_trampoline
		code, wrong string
		want        string
	}{
		{"its RET has no INT3 behind it", "trixie-amd64", 0x272, "\xb8\xc3\xcc\xff\xff", "\xb8\xc3\xcd\xff\xff",
			"ftrace_caller, memory in reach: the byte behind the trampoline's return is not INT3"},
		{"it goes on where the branch to direct calls is not the one that it knows", "trixie-amd64", 0x331, "\xe9\xe7\xfe\xff\xff", "\x90\x90\x90\x90\x90",
			"ftrace_regs_caller, an unexpected word in a slot of the template: the builder the stack protector found the stack overwritten"},
		{"it relocates nothing, and calls are counted", "trixie-amd64", 0x1f4, "\xe8\x57\xd3\xfb\xff", "\x90\x90\x90\x90\x90",
			"ftrace_caller, memory in reach: `sar` at ftrace_caller+0x5b is copied unrewritten, so that the copy aims elsewhere"},
		{"its flags for all registers are others", "trixie-amd64", 0x1b6, "\x41\xf6\x47\x10\x04", "\x41\xf6\x47\x10\x05",
			"ftrace_caller, a trampoline asked for again: the builder uses an address of user space"},
		{"it computes the size of one variant from another address", "bookworm-amd64", 0x110, "\x49\xc7\xc5\x50\xb6\x06\x81", "\x48\xc7\xc5\x50\xb6\x06\x81",
			"ftrace_caller, memory in reach: the builder makes no trampoline of ftrace_caller, though nothing fails"},
	} {
		t.Run(c.what, func(t *testing.T) {
			im := images.Kernel(t, c.suite)
			table, err := callsite.Of(im)
			if err != nil {
				t.Fatal(err)
			}
			fn, _ := im.Addr("arch_ftrace_update_trampoline")
			if got := im.Code(fn+c.at, len(c.code)); string(got) != c.code {
				t.Skipf("SKIPPED: the offsets are those of another build of the kernel: % x stands there", got)
			}
			images.Poke(t, im, fn+c.at, []byte(c.wrong))
			if wrong, _ := judgedX64(table, siteX64(t, table)); !slices.ContainsFunc(wrong, func(w string) bool { return strings.HasPrefix(w, c.want) }) {
				t.Errorf("%q does not have %q", wrong, c.want)
			}
		})
	}
}

// The ops of a trampoline, whose address listings show, is where a kernel can have one:
// an address of x86-64 has the same value in its 17 upper bits.
func TestOpsIsCanonical(t *testing.T) {
	table, err := callsite.Of(images.Sample(t, "x86/good.elf"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range trampoline.Build(table).Runs {
		if int64(r.Ops)>>47 != -1 {
			t.Errorf("%s, %v: the ops is at %#x", r.Variant(), r.Situation, r.Ops)
		}
	}
}

// A builder that returns at once, and one that never does, are wrong. One that traps does
// so by an instruction with a name.
func TestX64Idle(t *testing.T) {
	im := images.Kernel(t, "trixie-amd64")
	fn, ok := im.Addr("arch_ftrace_update_trampoline")
	if !ok {
		t.Fatal("no builder")
	}
	for _, c := range []struct{ what, code, want, fact string }{
		{"returns at once", "\xc3", "the builder makes no trampoline of ", "it asks for no memory"},
		{"jmp .", "\xeb\xfe", "the builder does not come to an end: it runs for 1,048,576 instructions", ""},
		{"int3", "\xcc", "the builder comes to a trap: int3 at ", "it does: int3"},
		{"ud2", "\x0f\x0b", "the builder comes to a trap: ud2 at ", "it does: ud2"},
	} {
		old := bytes.Clone(im.Code(fn, len(c.code)))
		images.Poke(t, im, fn, []byte(c.code))
		table, err := callsite.Of(im)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range trampoline.Build(table).Runs {
			if r.Situation != trampoline.Near || r.Thunk {
				continue
			}
			said, fact := false, c.fact == ""
			for _, d := range r.Diffs {
				said = said || strings.HasPrefix(d.What, c.want)
				fact = fact || slices.Contains(d.Facts, c.fact)
			}
			if r.Err != nil || !said || !fact {
				t.Errorf("%s, %s: %v, %v; want %q, %q", c.what, r.Variant(), r.Err, r.Diffs, c.want, c.fact)
			}
		}
		images.Poke(t, im, fn, old)
	}
}
