package bpf

import (
	"fmt"
	"hash/fnv"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/images"
	"github.com/ftlint/ftlint/internal/mutants"
	"github.com/ftlint/ftlint/internal/parallel"
	"github.com/ftlint/ftlint/internal/race"
	"github.com/ftlint/ftlint/world"
)

// generators are the functions that make a trampoline or patch it, by the beginnings
// of their names.
var generators = []string{
	"arch_prepare_bpf_trampoline", "arch_bpf_trampoline_size", "arch_bpf_trampoline_skip", "prepare_trampoline", "invoke_bpf_",
	"emit_a64_", "emit_addr_mov_i64", "emit_call", "emit_bti", "emit_stack_arg", "save_args", "restore_args", "store_func_meta",
	"calc_arg_aux", "is_long_jump", "gen_branch_or_nop", "bpf_arch_text_poke", "emit.",
}

// generatorMutants are the mutants of the generators.
func generatorMutants(im *elfscan.Image) (list []mutants.Mutant) {
	for _, s := range im.Functions() {
		if !slices.ContainsFunc(generators, func(prefix string) bool { return strings.HasPrefix(s.Name, prefix) }) || !im.IsText(s.Addr) {
			continue
		}
		for a := s.Addr; a < s.End(); a += a64.Size {
			w, _ := im.Word(a)
			next, ok := im.Word(a + a64.Size)
			list = append(list, mutants.Of(a, w, next, ok && a+a64.Size < s.End())...)
		}
	}
	return list
}

// A verdict on a mutant.
type verdict uint8

const (
	same     verdict = iota // it does what the generator does
	noticed                 // a difference from the model is found
	stuck                   // no verdict is reached
	survives                // it does something else, and nobody says so
)

// judgeMutant runs a mutant. print is what the generator as built does.
func judgeMutant(b *bench, cases []Case, more []Case, print string, m *mutants.Mutant) verdict {
	b.changed = b.changed[:0]
	for i, w := range m.Words {
		b.changed = append(b.changed, world.Word{Addr: m.Addr + uint64(i)*a64.Size, Insn: w})
	}
	var res Results
	bad := func() bool {
		return len(res.Failed)+len(res.Roomy) > 0 ||
			slices.ContainsFunc(res.Pokes, func(p Poke) bool { return len(p.Diffs) > 0 }) ||
			slices.ContainsFunc(res.Compiled, func(c Compiled) bool { return len(c.Diffs) > 0 })
	}
	for i := range cases {
		if res.add(b.try(&cases[i], false)); bad() {
			return noticed
		}
	}
	if res.patches(b, cases, false, func() error { return nil }); bad() {
		return noticed
	}
	if footprint(b, cases, more) == print {
		return same
	}
	if len(res.Stuck) > 0 {
		return stuck
	}
	return survives
}

// footprint is what the generator does in all cases, and in more of them.
func footprint(b *bench, cases, more []Case) string {
	h := fnv.New128a()
	for _, list := range [][]Case{cases, more} {
		for i := range list {
			t := b.build(&list[i], false)
			fmt.Fprint(h, t.Size, t.Ret, t.AfterCall, t.Epilogue, t.Skips, t.Err != nil, len(b.w.Faults), len(b.leaks()))
			h.Write(t.Code[:max(0, min(int(t.Ret), len(t.Code)))])
		}
	}
	pokePrint(b, h)
	return fmt.Sprintf("%x", h.Sum(nil))
}

// pokePrint is what bpf_arch_text_poke() does.
func pokePrint(b *bench, h io.Writer) {
	for _, kind := range []uint64{b.call, b.jump} {
		for _, above := range []bool{true, false} {
			b.reset()
			t := b.makeTracee(above)
			for _, c := range life {
				ret, err := b.poke(t.addr, kind, t.target(c.from), t.target(c.to))
				var code [programEnd]byte
				_ = b.w.M.Read(t.addr, code[:])
				fmt.Fprint(h, ret, err != nil, code)
			}
		}
	}
}

// TestMutation changes one instruction of the generators at a time. Of the mutants that
// do something else, 95 of 100 must be noticed. Most that survive load the same value by
// other instructions, compute a size that is too large, or call by a register what a BL
// reaches; some make a larger frame, restore or store what nobody looks at, or do something
// else in a buffer that is too small.
func TestMutation(t *testing.T) {
	if race.Enabled {
		t.Skip("SKIPPED: under the race detector")
	}
	every := 11
	if testing.Short() {
		every = 211
	}
	for _, suite := range []string{"bookworm", "trixie", "sid"} {
		t.Run(suite, func(t *testing.T) {
			im := images.Kernel(t, suite)
			k := open(t, im)
			cases := k.cases(false)
			var more []Case
			for i, c := range k.cases(true) {
				if i%23 == 0 {
					more = append(more, c)
				}
			}
			list := generatorMutants(im)
			print := footprint(newBench(k), cases, more)
			var counts [4]int
			var mu sync.Mutex
			var benches sync.Pool
			n := len(list) / every
			parallel.Do(n, runtime.GOMAXPROCS(0), func(i int) {
				b, _ := benches.Get().(*bench)
				if b == nil {
					b = newBench(k)
				}
				m := &list[i*every+i%every]
				v := judgeMutant(b, cases, more, print, m)
				benches.Put(b)
				mu.Lock()
				defer mu.Unlock()
				counts[v]++
				if v == survives || v == stuck {
					w, _ := im.Word(m.Addr)
					l, _ := im.Line(m.Addr)
					t.Logf("%s %s: %s, %s:%d, not noticed (%d): now %s", im.At(m.Addr), m.How, a64.Text(w, m.Addr, im.Name),
						l.File, l.Line, v, a64.Text(m.Words[0], m.Addr, im.Name))
				}
			})
			t.Logf("%d of %d mutants: %d do the same, %d are noticed, %d without a verdict, %d survive",
				n, len(list), counts[same], counts[noticed], counts[stuck], counts[survives])
			if changing := n - counts[same]; counts[noticed]*100 < changing*95 {
				t.Errorf("%d of %d mutants that do something else are noticed", counts[noticed], changing)
			}
		})
	}
}
