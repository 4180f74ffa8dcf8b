package bpf

import (
	"slices"
	"testing"
	"time"

	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/images"
)

// TestKernelsJIT has the JIT of Debian's kernels compile programs: what it makes of them
// runs as the programs say. 6.12 has exceptions and arenas beside what 6.1 has, and 7.2
// private stacks, for which there are two programs. No program is left to the interpreter.
func TestKernelsJIT(t *testing.T) {
	for suite, some := range map[string]int{"bookworm": 5, "trixie": 7, "sid": 9} {
		t.Run(suite, func(t *testing.T) {
			k := open(t, images.Kernel(t, suite))
			b := newBench(k)
			for _, all := range []bool{false, true} {
				start := time.Now()
				res, stuck := b.jits(all)
				t.Logf("%d cases in %v", len(res), time.Since(start))
				if len(res) != len(b.jitCases(all)) || !all && len(res) != some || all && len(res) < 200 {
					t.Errorf("%d cases were executed", len(res))
				}
				for _, err := range stuck {
					t.Error(err)
				}
				for _, j := range res {
					for _, d := range j.Diffs {
						t.Errorf("%s: %s (at +%#x %08x by %s)", j.What, d.Text, d.Offset, d.Word, k.Image.At(d.Emitter.PC))
					}
				}
			}
		})
	}
}

// open opens the generator of an image.
func open(t testing.TB, im *elfscan.Image) *Kernel {
	t.Helper()
	table, err := callsite.Of(im)
	if err != nil {
		t.Fatal(err)
	}
	guarded := false
	for _, addr := range table.Addrs[:min(len(table.Addrs), 4096)] {
		guarded = guarded || table.Site(addr).BTI
	}
	k, err := Open(table, callsite.ReadTypes(im, false), guarded)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// The JIT is run with every random number that leads to another offset of a program in its
// memory: at steps of its alignment, none is left out.
func TestOffsets(t *testing.T) {
	for suite, step := range map[string]uint64{"bookworm": 4, "trixie": 8} {
		t.Run(suite, func(t *testing.T) {
			b := newBench(open(t, images.Kernel(t, suite)))
			list, err := b.compiles(true)
			if err != nil {
				t.Fatal(err)
			}
			var at []uint64
			for _, c := range list {
				at = append(at, c.Addr)
			}
			slices.Sort(at)
			at = slices.Compact(at)
			if len(at) < 6 { // places at steps of 8 in the room that a small program leaves in its chunk of 64 bytes
				t.Fatalf("programs are at %#x", at)
			}
			for i := range at[1:] {
				if at[i+1]-at[i] != step {
					t.Fatalf("from %#x to %#x", at[i], at[i+1])
				}
			}
			t.Logf("%d programs at %d offsets, from %#x to %#x", len(list), len(at), at[0], at[len(at)-1])
		})
	}
}
