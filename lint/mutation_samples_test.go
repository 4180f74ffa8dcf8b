package lint_test

import (
	"debug/elf"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/child"
	"github.com/ftlint/ftlint/internal/race"
)

// mutationCells are how the samples in C are compiled to be mutated: by each
// compiler, at both levels that a kernel is compiled at.
var mutationCells = []struct{ name, cc, flags string }{
	{"gcc-O2", "gcc", "-O2"}, {"gcc-Os", "gcc", "-Os"}, {"clang-O2", "clang", "-O2"}, {"clang-Os", "clang", "-Os"},
}

// goodBuilders are samples without a defect, whose builder is mutated.
var goodBuilders = []string{"builder-good", "builder-good-plt", "builder-good-free", "builder-good-execmem", "builder-good-nop"}

// goodKernels are samples of kernels with a module that they load: their site
// functions are mutated, and what of their loader has to do with ftrace's PLT.
var goodKernels = map[string]string{
	"kernel-regs": "good-regs", "kernel-callops": "good-callops", "kernel-callops-6.12": "good-callops-6.12", "kernel-callops-bti": "good-callops-bti",
}

// siteNames are ftrace's functions for callsites, loaderNames those of the
// kernel's module loader, builderNames the hooks of a builder.
var (
	siteNames    = []string{"ftrace_call_adjust", "ftrace_init_nop", "ftrace_make_call", "ftrace_modify_call", "ftrace_make_nop"}
	loaderNames  = []string{"module_finalize", "get_plt_entry"}
	builderNames = []string{"arch_ftrace_update_trampoline", "arch_ftrace_trampoline_free"}
)

// TestMutationSamples is TestMutation for the code that Debian's kernels do not
// have, or not in all the ways that compilers make it: builders of
// trampolines, site functions and the module loader of the samples. It takes a
// sample of the mutants; with FTLINT_MUTANTS=all it takes all.
func TestMutationSamples(t *testing.T) {
	if testing.Short() || race.Enabled {
		t.Skip("SKIPPED: short, or under the race detector")
	}
	for _, tool := range []string{"aarch64-linux-gnu-gcc", "clang"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing(t, true, "no %s", tool)
		}
	}
	names := append(slices.Sorted(maps.Keys(goodKernels)), goodBuilders...)
	every := sampleEvery
	if os.Getenv("FTLINT_MUTANTS") == "all" {
		every = 1
	}
	var rows []string
	var sum tally
	try := func(t *testing.T, b bench) {
		got := mutate(t, b)
		rows = append(rows, got.row(strings.TrimPrefix(t.Name(), "TestMutationSamples/")))
		sum.plus(got)
	}
	for _, cell := range mutationCells {
		t.Run(cell.name, func(t *testing.T) {
			dir := t.TempDir()
			cmd := child.Command(t, "../scripts/build-samples", append([]string{"--matrix", dir}, names...)...)
			cmd.Env = append(os.Environ(), "SAMPLE_CC="+cell.cc, "SAMPLE_FLAGS="+cell.flags)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, name := range goodBuilders {
				t.Run(name, func(t *testing.T) {
					try(t, bench{path: filepath.Join(dir, "images/builders", name+".elf"), every: every, units: functionUnits(false, builderNames...), play: playBuilder})
				})
			}
			for _, kernel := range slices.Sorted(maps.Keys(goodKernels)) {
				module := goodKernels[kernel]
				b := bench{
					path:   filepath.Join(dir, "module-samples", kernel+".elf"),
					module: filepath.Join("../testdata/module-samples", module+".ko"),
					every:  every, exhaustive: true,
				}
				t.Run(kernel+" callsites", func(t *testing.T) {
					b.units, b.play = functionUnits(false, siteNames...), playSite
					try(t, b)
				})
				t.Run(kernel+" loader", func(t *testing.T) {
					b.units, b.play = functionUnits(false, loaderNames...), playLoader
					try(t, b)
				})
			}
		})
	}
	t.Logf("\n%-56s %7s %7s %12s %10s %6s %8s\n%s%s", "", "mutants", "finding", "inconclusive", "equivalent", "missed", "score", strings.Join(rows, ""), sum.row("all"))
	if !t.Failed() && sum.score() < wantScore {
		t.Errorf("%.1f %% of all mutants that change something are caught, want %d %%", sum.score(), wantScore)
	}
}

// functionUnits are functions, and the local functions that they call; in part
// where only what is executed counts.
func functionUnits(part bool, names ...string) func(im *elfscan.Image) []*unit {
	return func(im *elfscan.Image) []*unit {
		out := gather(im, names, func(callee elfscan.Symbol) bool { return callee.Bind == elf.STB_LOCAL })
		for _, u := range out {
			u.part = part
			u.analyse(im)
		}
		return out
	}
}

// gather gives functions, and of those that they call the ones to follow.
func gather(im *elfscan.Image, names []string, follow func(callee elfscan.Symbol) bool) (out []*unit) {
	seen := map[uint64]bool{}
	var add func(s elfscan.Symbol)
	add = func(s elfscan.Symbol) {
		if seen[s.Addr] || s.Size == 0 {
			return
		}
		seen[s.Addr] = true
		u := newUnit(im, s)
		out = append(out, u)
		for _, callee := range u.callees(im) {
			if follow(callee) {
				add(callee)
			}
		}
	}
	for _, name := range names {
		if s, ok := im.Lookup(name); ok {
			add(s)
		}
	}
	return out
}

// newUnit is the code of a function.
func newUnit(im *elfscan.Image, s elfscan.Symbol) *unit {
	u := &unit{name: s.Name, words: map[uint64]uint32{}}
	for a := s.Addr; a < s.End(); a += a64.Size {
		if w, ok := im.Word(a); ok {
			u.words[a] = w
			u.order = append(u.order, a)
		}
	}
	return u
}

// callees are the functions that the unit calls directly.
func (u *unit) callees(im *elfscan.Image) (out []elfscan.Symbol) {
	for _, a := range u.order {
		to, ok := a64.Target(u.words[a], a)
		if k := a64.Classify(u.words[a]); !ok || k != a64.Call && k != a64.Branch {
			continue
		}
		if callee, ok := im.SymbolAt(to); ok && callee.Addr == to {
			out = append(out, callee)
		}
	}
	return out
}
