package lint_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/entry"
	"github.com/ftlint/ftlint/internal/images"
	"github.com/ftlint/ftlint/internal/mutants"
	"github.com/ftlint/ftlint/internal/race"
)

// An x64Group is functions that belong together, and how a random world plays them.
type x64Group struct {
	name  string
	names []string // of functions; none: the entry code
	play  func(*x64Worlds)
}

var x64Groups = []x64Group{
	{"entry code", nil, playX64Entry},
	{"builder", []string{"arch_ftrace_update_trampoline", "arch_ftrace_trampoline_free"}, playX64Builder},
	{"callsites", []string{"ftrace_make_call", "ftrace_make_nop", "ftrace_modify_call", "ftrace_replace_code", "ftrace_modify_code_direct", "ftrace_verify_code"}, playX64Site},
	{"hooks", []string{"ftrace_update_ftrace_func", "arch_ftrace_update_code", "ftrace_arch_code_modify_prepare", "ftrace_arch_code_modify_post_process",
		"ftrace_graph_func", "prepare_ftrace_return"}, playX64Hook},
}

// x64Rules look at what is mutated.
var x64Rules = []string{
	"FT101", "FT102", "FT103", "FT105", "FT106", "FT107", "FT108", "FT111", "FT113", "FT114", "FT116", "FT117",
	"FT301", "FT302", "FT305", "FT307", "FT308", "FT409",
}

// x64Score is how many of a hundred mutants that change something must be noticed;
// x64Every is how many mutants there are to each that is tried. FTLINT_MUTANTS=all
// has all tried.
const (
	x64Score = 95
	x64Every = 9
)

// An x64Fate is what became of a mutant.
type x64Fate struct {
	group  int
	fn     string
	mutant mutants.X64
	found  bool // a rule finds something that the kernel does not have
	stuck  bool // a rule becomes inconclusive
	same   bool // in no world it does anything else
	asked  bool // it is caught, and the oracle was asked all the same
}

// TestMutationX64 is TestMutation for x86-64: it changes the entry code, the builder, the
// functions that change callsites and the core's hooks, one instruction at a time, and
// counts how many of the changes the checks notice. What changes something and is not
// noticed is of these kinds:
//
//   - A check is gone of what is always so: that the op load of the entry code is the one
//     that the builder knows (`cmp %al,0x20(%rsp)`), that memory was given, where the copy
//     to NULL fails as well (`test %rax,%rax`).
//   - A value stands there anyway: the low byte of a page's address, in the ops of a freed
//     trampoline (`movq $0x0,0x91(%rbx)`), a zero on the stack (`movb $0x0,0x4(%rsp)`).
//   - Another value is as good: any but zero in ftrace_poke_late, FTRACE_OPS_FL_ALLOC_TRAMP
//     in an ops without a trampoline, the pointer to the result instead of the frame
//     pointer in return_to_handler, a literal that is not aligned, the return thunk where
//     RET would do.
//   - A store goes to another variable, of which nothing says that no function of ftrace
//     has it: for ftrace_expected, which is for a message, for a WARN_ONCE(), for the
//     counter in the sample's entry code.
//   - The byte behind RET is not written. Builders before 5.17 do not write it either.
//   - text_poke_apply_relocation() gets an end of the template that is too far away: what
//     the template refers to lies before it.
//   - In 6.1 the memory is made read-only while the kernel boots, too (`mov system_state`).
//   - RSP has none of the bits that are set instead of added (`or $0x10,%rsp`): entry code
//     is executed with one RSP, which has some of most frames' sizes.
//   - Execution goes on behind the function's end, where one comes that returns as well.
//   - A hook loses a bit of trace_recursion that no context has, or counts to 256.
func TestMutationX64(t *testing.T) {
	if race.Enabled {
		t.Skip("SKIPPED: under the race detector: scripts/test has a step for it")
	}
	dir := images.Dir(t)
	for _, c := range []struct{ name, path string }{
		{"bookworm", filepath.Join(dir, "bookworm-amd64/current/vmlinux")},
		{"trixie", filepath.Join(dir, "trixie-amd64/current/vmlinux")},
		{"sample", filepath.Join(images.Samples, "x86/good.elf")},
	} {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() && c.name != "trixie" {
				t.Skip("SKIPPED: -short")
			}
			if c.name != "sample" {
				needKernel(t, c.name+"-amd64", false)
			}
			mutateX64(t, c.path)
		})
	}
}

// x64Mutants are the mutants of the groups' functions in the image. The call of the
// callback is left out: ftrace writes it before it is executed.
func x64Mutants(im *elfscan.Image) (fates []x64Fate) {
	slots := map[uint64]bool{}
	for _, region := range arch.X86.Regions {
		for _, s := range region.Slots {
			if a, ok := im.Addr(s.Label); ok && s.Is == arch.CallSlot {
				slots[a] = true
			}
		}
	}
	for g, group := range x64Groups {
		code := entry.Walk(im).Order
		if group.names != nil {
			code = nil
		}
		for _, name := range group.names {
			s, ok := im.Lookup(name)
			for a := s.Addr; ok && a < s.End(); {
				in, known := im.Insn(a)
				if !known {
					break
				}
				code = append(code, a)
				a += in.Size
			}
		}
		for i, a := range code {
			if slots[a] {
				continue
			}
			in, _ := im.Insn(a)
			size := in.Size
			if i+1 < len(code) && code[i+1] == a+size && !slots[code[i+1]] {
				next, _ := im.Insn(code[i+1])
				size += next.Size
			}
			fn, _, _ := strings.Cut(im.Name(a), "+")
			for _, m := range mutants.OfX64(a, slices.Clone(im.Code(a, int(size)))) {
				fates = append(fates, x64Fate{group: g, fn: fn, mutant: m})
			}
		}
	}
	return fates
}

// mutateX64 tries the mutants of an image.
func mutateX64(t *testing.T, path string) {
	began := time.Now()
	workers := max(1, min(runtime.GOMAXPROCS(0), 4))
	subjects := make([]*subject, workers)
	for i := range subjects {
		subjects[i] = newSubject(t, bench{path: path, rules: x64Rules})
	}
	im := subjects[0].im
	var sites []callsite.Site
	for _, s := range subjects[0].keeps[checks.Sites].(*checks.SiteTable).Callsites {
		if s.OK && s.AtFunc && s.Text && len(sites) < 64 {
			sites = append(sites, s)
		}
	}
	fates := x64Mutants(im)
	total, every := len(fates), x64Every
	switch {
	case os.Getenv("FTLINT_MUTANTS") == "all":
		every = 1
	case testing.Short():
		every *= 4
	}
	n := 0
	fates = slices.DeleteFunc(fates, func(x64Fate) bool { n++; return n%every != 0 })
	var next atomic.Int64
	var wg sync.WaitGroup
	for _, s := range subjects {
		wg.Go(func() {
			worlds := make([]*x64Worlds, len(x64Groups))
			for i := int(next.Add(1)) - 1; i < len(fates); i = int(next.Add(1)) - 1 {
				f := &fates[i]
				if worlds[f.group] == nil {
					worlds[f.group] = newX64Worlds(t, s.im, sites, x64Groups[f.group].play)
				}
				if err := s.tryX64(t, f); err != nil {
					t.Error(err)
					return
				}
				caught := f.found || f.stuck
				if f.asked = caught && i%sampleEvery == 0; f.asked || !caught {
					f.same = worlds[f.group].same(&f.mutant)
				}
				if f.asked && f.same { // checks look at some calls that are never executed
					f.asked = worlds[f.group].executes(f.mutant.Addr)
				}
			}
		})
	}
	wg.Wait()
	tabulateX64(t, im, fates)
	t.Logf("%s: %d of %d mutants tried in %.1f s", path, len(fates), total, time.Since(began).Seconds())
}

// tryX64 has the checks look at the image with the mutant.
func (s *subject) tryX64(t *testing.T, f *x64Fate) error {
	m := &f.mutant
	was := slices.Clone(s.im.Code(m.Addr, len(m.Code)))
	images.Poke(t, s.im, m.Addr, m.Code)
	finds, unsure, err := s.lint()
	images.Poke(t, s.im, m.Addr, was)
	f.found = slices.ContainsFunc(finds, func(w string) bool { return !s.finds[w] })
	f.stuck = !f.found && slices.ContainsFunc(unsure, func(w string) bool { return !s.stuck[w] })
	return err
}

// tabulateX64 prints what became of the mutants, and judges the score and the oracle.
func tabulateX64(t *testing.T, im *elfscan.Image, fates []x64Fate) {
	sums := map[string]*tally{}
	var order, missed []string
	var all tally
	asked, wrong := 0, 0
	for i := range fates {
		f := &fates[i]
		counted := fate{found: f.found, stuck: f.stuck}
		if !f.found && !f.stuck && f.same {
			counted.why = "the same in all worlds"
		}
		row := x64Groups[f.group].name
		if sums[row] == nil {
			sums[row] = &tally{}
			order = append(order, row)
		}
		sums[row].add(&counted)
		all.add(&counted)
		words := func() string {
			was, _ := im.Text(f.mutant.Addr)
			now, _ := im.Arch().Text(f.mutant.Code, f.mutant.Addr, im.Name)
			return fmt.Sprintf("%s: %s: `%s` for `%s`", im.At(f.mutant.Addr), f.mutant.How, now, was)
		}
		switch {
		case f.asked:
			asked++
			if f.same {
				wrong++
				t.Logf("caught, but the same in all worlds: %s", words())
			}
		case counted.why == "" && !f.found && !f.stuck:
			missed = append(missed, words())
		}
		if os.Getenv("FTLINT_MUTATION") != "" { // for humans: every fate
			t.Logf("fate: found=%v stuck=%v same=%v %s", f.found, f.stuck, f.same, words())
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%-56s %7s %7s %12s %10s %6s %8s\n", "", "mutants", "finding", "inconclusive", "equivalent", "missed", "score")
	for _, name := range order {
		b.WriteString(sums[name].row(name))
	}
	b.WriteString(all.row("all"))
	fmt.Fprintf(&b, "\nmissed: %d\n", len(missed))
	for _, m := range missed {
		fmt.Fprintf(&b, "  %s\n", m)
	}
	t.Log(b.String())
	if all.score() < x64Score {
		t.Errorf("%.1f %% of the mutants that change something are caught, want %d %%", all.score(), x64Score)
	}
	if wrong*100 > 3*max(asked, 100) {
		t.Errorf("the oracle says of %d mutants of %d that they change nothing, and they are caught", wrong, asked)
	}
}
