package live

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/internal/mutants"
)

// wantFound is how many of the mutants that misbehave ftlint must find, in per cent.
const wantFound = 98

// kernels are those of scripts/build-kernels whose mutants are booted. CI has time to
// build the first inCI of them.
var kernels = []string{"callops-gcc", "args-clang", "regs-gcc", "callops-clang", "args-gcc"}

const inCI = 1

// slow is how many times longer than others a kernel may be silent while it is busy.
var slow = map[string]int{
	"kasan-gcc": 15, // each load and store is checked, by a call
}

// leftover is the rule that is right about a kernel as built: before 6.1 or so the
// callsites of overridden weak functions stay in the table, and are patched.
const leftover = "FT407"

// mutated are the functions of ftrace's arch code, beside the entry code. A name that
// ends in "_" stands for all that begin so.
var mutated = []string{
	"ftrace_call_adjust", "ftrace_init_nop", "ftrace_make_call", "ftrace_modify_call", "ftrace_make_nop", "ftrace_modify_code",
	"ftrace_find_callable_addr", "get_ftrace_plt", "reachable_by_bl", "arm64_rec_", "ftrace_rec_",
	"ftrace_update_ftrace_func", "arch_ftrace_update_code", "arch_ftrace_update_trampoline", "arch_ftrace_trampoline_free",
	"arch_ftrace_trampoline_func", "arch_ftrace_get_symaddr", "ftrace_enable_ftrace_graph_caller", "ftrace_disable_ftrace_graph_caller",
	"ftrace_modify_graph_caller", "ftrace_graph_func", "prepare_ftrace_return",
	"aarch64_insn_patch_text_nosync", "aarch64_insn_write", "__aarch64_insn_write", "aarch64_insn_write_literal_u64", "aarch64_insn_read",
	"patch_map", "patch_unmap", "aarch64_insn_gen_", "aarch64_insn_encode_", "aarch64_insn_decode_", "label_imm_common", "branch_imm_common",
	"aarch64_get_imm_shift_mask",
	"__kretprobe_trampoline", "kretprobe_trampoline", "arch_rethook_", "arch_prepare_kretprobe", "trampoline_probe_handler",
	"module_frob_arch_sections", "module_emit_plt_entry", "module_init_layout_section", "module_finalize", "count_plts", "partition_branch_plt_relas",
}

// isMutated reports whether the function of that name is. Compilers name a clone
// "name.constprop.0".
func isMutated(name string) bool {
	base, _, _ := strings.Cut(name, ".")
	return slices.ContainsFunc(mutated, func(m string) bool { return base == m || strings.HasSuffix(m, "_") && strings.HasPrefix(base, m) })
}

// A fate is what became of a mutant.
type fate struct {
	mutants.Mutant
	in            string // the function
	old           uint32
	found, unsure []string // by ftlint
	boot          verdict
}

func (f *fate) misbehaves() bool { return len(f.boot.bad) > 0 }
func (f *fate) missed() bool     { return f.misbehaves() && len(f.found) == 0 }

// TestMutants boots kernels with one instruction of ftrace's arch code changed, and
// requires that ftlint finds those that misbehave. FTLINT_LIVE says how many, all
// kernels together; FTLINT_LIVE_KERNELS names kernels other than those of CI.
func TestMutants(t *testing.T) {
	n := number(t)
	names := kernels[:inCI]
	if s := os.Getenv("FTLINT_LIVE_KERNELS"); s != "" {
		names = strings.Fields(s)
	}
	for i, name := range names {
		share := n / len(names)
		if i < n%len(names) {
			share++
		}
		t.Run(name, func(t *testing.T) { mutate(t, name, share) })
	}
}

// seed is FTLINT_LIVE_SEED: which mutants are booted.
func seed(t *testing.T) uint64 {
	s := os.Getenv("FTLINT_LIVE_SEED")
	if s == "" {
		return 8
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatalf("FTLINT_LIVE_SEED=%s: a number was expected", s)
	}
	return n
}

func mutate(t *testing.T, name string, n int) {
	k, im := open(t, name)
	funcs, of := code(im)
	ran, v := k.executed(t, of)
	if len(v.bad) > 0 {
		t.Fatalf("the kernel as built misbehaves: %s\n%s", strings.Join(v.bad, "; "), strings.Join(v.console, "\n"))
	}
	t.Logf("the kernel as built works: %d lines on the console, %.1f s of processor time", len(v.console), v.cpu.Seconds())
	found, unsure := k.lint(t, k.vmlinux)
	defects := slices.DeleteFunc(slices.Clone(found), func(f string) bool { return strings.HasPrefix(f, leftover) })
	if len(defects)+len(unsure) > 0 {
		t.Errorf("ftlint on the kernel as built:\nfinds: %s\ninconclusive: %s", strings.Join(defects, "\n"), strings.Join(unsure, "\n"))
	}
	k.clean, k.unsure = map[string]bool{}, map[string]bool{}
	for _, f := range found {
		k.clean[f] = true
	}
	for _, u := range unsure {
		id, _, _ := strings.Cut(u, ":")
		k.unsure[id] = true
	}

	var fates []*fate
	instructions, reached := map[string]int{}, map[string]int{}
	for _, fn := range funcs {
		for _, a := range of[fn] {
			w, ok := im.Word(a)
			if !ok || w == a64.NOP {
				continue
			}
			instructions[fn]++
			if !ran[a] {
				continue // a kernel that never comes here cannot tell
			}
			reached[fn]++
			for _, m := range mutants.Of(a, w, 0, false) {
				fates = append(fates, &fate{Mutant: m, in: fn, old: w})
			}
		}
	}
	total := len(fates)
	pick := rand.New(rand.NewPCG(15, seed(t)))
	pick.Shuffle(total, func(i, j int) { fates[i], fates[j] = fates[j], fates[i] })
	fates = fates[:min(n, total)]
	try := func(c *copied, f *fate) error {
		if err := c.set(f.Addr, f.Words...); err != nil {
			return err
		}
		f.found, f.unsure = k.lint(t, c.path)
		if err := c.set(f.Addr, f.old); err != nil {
			return err
		}
		image := filepath.Join(filepath.Dir(c.path), "Image")
		var err error
		if f.boot, err = k.boot(t, image, &f.Mutant); err != nil {
			return err
		}
		if path := os.Getenv("FTLINT_LIVE_LOG"); path != "" {
			return f.log(path, k)
		}
		return nil
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		c := k.copied(t)
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(fates); i = int(next.Add(1)) - 1 {
				if err := try(c, fates[i]); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d of %d mutants of executed instructions", len(fates), total)
	tabulate(t, k, fates, funcs, instructions, reached)
}

// line describes a mutant and its fate on one line.
func (f *fate) line(k *kernel) string {
	said := "passed"
	switch {
	case len(f.found) > 0:
		said = f.found[0]
	case len(f.unsure) > 0:
		said = "inconclusive, " + f.unsure[0]
	}
	said, _, _ = strings.Cut(said, "\n")
	boot := "works"
	if f.misbehaves() {
		boot = strings.Join(f.boot.bad[:min(2, len(f.boot.bad))], "; ") + " (" + f.boot.last + ")"
	}
	name := func(uint64) string { return "" }
	return fmt.Sprintf("%s %#x %s %s %08x `%s` -> %08x `%s` | ftlint: %.200s | boot: %.200s", k.name, f.Addr, f.in, f.How,
		f.old, a64.Text(f.old, f.Addr, name), f.Words[0], a64.Text(f.Words[0], f.Addr, name), said, boot)
}

var logging sync.Mutex

// log appends the fate to a file, for humans who wait.
func (f *fate) log(path string, k *kernel) error {
	logging.Lock()
	defer logging.Unlock()
	out, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, f.line(k))
	return errors.Join(err, out.Close())
}

// A tally counts fates.
type tally struct{ works, found, passed, unsure, alarm int }

func (c *tally) add(f *fate) {
	switch {
	case !f.misbehaves():
		c.works++
		if len(f.found) > 0 {
			c.alarm++
		}
	case len(f.found) > 0:
		c.found++
	case len(f.unsure) > 0:
		c.unsure++
	default:
		c.passed++
	}
}

func (c *tally) misbehave() int { return c.found + c.passed + c.unsure }

func (c *tally) row(name, reached string) string {
	score := "-"
	if n := c.misbehave(); n > 0 {
		score = fmt.Sprintf("%.0f %%", 100*float64(c.found)/float64(n))
	}
	return fmt.Sprintf("%-44s %11s %6d %11d %6d %7d %13d %7s\n", name, reached, c.works, c.misbehave(), c.found, c.passed, c.unsure, score)
}

// tabulate prints what became of the mutants, and fails the test if too many that
// misbehave were not found.
func tabulate(t *testing.T, k *kernel, fates []*fate, funcs []string, instructions, reached map[string]int) {
	by := map[string]*tally{}
	var all tally
	var missed, alarms []string
	for _, f := range fates {
		if by[f.in] == nil {
			by[f.in] = &tally{}
		}
		by[f.in].add(f)
		all.add(f)
		switch {
		case f.missed():
			missed = append(missed, f.line(k))
		case !f.misbehaves() && len(f.found) > 0:
			alarms = append(alarms, f.line(k))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%-44s %11s %6s %11s %6s %7s %13s %7s\n", "function", "executed", "works", "misbehaves", "found", "passed", "inconclusive", "found")
	for _, fn := range funcs {
		if c := by[fn]; c != nil {
			b.WriteString(c.row(fn, fmt.Sprintf("%d of %d", reached[fn], instructions[fn])))
		}
	}
	b.WriteString(all.row("all", ""))
	fmt.Fprintf(&b, "\nmisbehave, and were not found: %d\n", len(missed))
	for _, m := range missed {
		fmt.Fprintf(&b, "  %s\n", m)
	}
	fmt.Fprintf(&b, "\nfound, and come to the end of the workload: %d\n", len(alarms))
	for _, m := range alarms {
		fmt.Fprintf(&b, "  %s\n", m)
	}
	t.Log(b.String())
	if all.found*100 < wantFound*all.misbehave() {
		t.Errorf("%s: of %d mutants that misbehave, %d were found, want %d %%", k.name, all.misbehave(), all.found, wantFound)
	}
}
