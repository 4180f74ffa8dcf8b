package bpf

import (
	"bytes"
	"testing"

	"github.com/ftlint/ftlint/internal/images"
	"github.com/ftlint/ftlint/internal/race"
)

// TestJITMutants changes single instructions of the JIT's functions that make ways into
// programs and out of them. Of the changes that change what the JIT makes, 95 of 100 are
// noticed. The others have a program save more registers than it must, or look for those
// that it reads only where it writes none (which no program may); or they leave out the NOP
// between a program's end and its PLT, which nothing executes.
func TestJITMutants(t *testing.T) {
	if testing.Short() || race.Enabled {
		t.Skip("SKIPPED: -short, or under the race detector: it takes half a minute without it")
	}
	k := open(t, images.Kernel(t, "trixie"))
	some, all := newBench(k).jitCases(false), newBench(k).jitCases(true)
	want := made(k, some)
	changed, missed := 0, 0
	for _, fn := range []string{"build_prologue", "pop_callee_regs", "build_epilogue", "build_plt"} {
		s, ok := k.Image.Lookup(fn)
		if !ok {
			t.Fatalf("no %s", fn)
		}
		for at := s.Addr; at < s.Addr+s.Size; at += 12 {
			w, _ := k.Image.Word(at)
			const nop, immediate = 0xd503201f, 1 << 10
			for _, mutant := range []uint32{nop, w ^ immediate} {
				if err := k.Image.SetWord(at, mutant); err != nil {
					t.Fatal(err)
				}
				if got := made(k, some); !equal(got, want) {
					changed++
					if !showsDefect(k, some) && !showsDefect(k, all) && !pokesShowDefect(k) {
						missed++
						t.Logf("missed: %s+%#x: %08x instead of %08x", fn, at-s.Addr, mutant, w)
					}
				}
				if err := k.Image.SetWord(at, w); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	t.Logf("%d of %d mutants that change what the JIT makes are noticed", changed-missed, changed)
	if changed < 100 || missed*20 > changed {
		t.Errorf("%d of %d mutants are missed", missed, changed)
	}
}

// made is what the JIT makes of programs; nil for one that it does not make.
func made(k *Kernel, cases []jitCase) (out [][]byte) {
	b := newBench(k)
	for i := range cases {
		b.reset()
		r := &jitRun{b: b, c: &cases[i]}
		if r.compile() != nil {
			out = append(out, nil)
			continue
		}
		for _, p := range r.progs {
			code := make([]byte, p.size)
			b.must(b.w.M.Read(p.addr, code))
			out = append(out, code)
		}
	}
	return out
}

func equal(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// showsDefect reports whether a case differs from the model, or has no verdict.
func showsDefect(k *Kernel, cases []jitCase) bool {
	b := newBench(k)
	for i := range cases {
		j, err := b.jit(&cases[i], false)
		if err != nil || len(j.Diffs) > 0 || j.Progs == 0 {
			return true
		}
	}
	return false
}

// pokesShowDefect reports the same of programs to which a trampoline is attached.
func pokesShowDefect(k *Kernel) bool {
	list, err := newBench(k).compiles(false)
	for i := range list {
		if list[i].Torn() || len(list[i].Diffs) > 0 {
			return true
		}
	}
	return err != nil
}
