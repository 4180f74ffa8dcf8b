package live

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/entry"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/images"
	"github.com/ftlint/ftlint/internal/mutants"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/rules"
)

// wantFound is how many of the mutants that misbehave ftlint must find, in per cent.
const wantFound = 98

// kernels are those of scripts/build-kernels whose mutants are booted. CI has the
// first three.
var kernels = []string{"callops-gcc", "args-clang", "regs-gcc", "callops-clang", "args-gcc"}

const inCI = 3

// mutated are the functions of ftrace's arch code, beside the entry code: those
// whose names begin so.
var mutated = []string{
	"ftrace_call_adjust", "ftrace_init_nop", "ftrace_make_call", "ftrace_modify_call", "ftrace_make_nop", "ftrace_modify_code",
	"ftrace_find_callable_addr", "get_ftrace_plt", "reachable_by_bl", "arm64_rec_", "ftrace_rec_",
	"ftrace_update_ftrace_func", "arch_ftrace_", "ftrace_enable_ftrace_graph_caller", "ftrace_disable_ftrace_graph_caller",
	"ftrace_modify_graph_caller", "ftrace_graph_func", "prepare_ftrace_return",
	"aarch64_insn_patch_text_nosync", "aarch64_insn_write", "__aarch64_insn_write", "aarch64_insn_read", "patch_map", "patch_unmap",
	"aarch64_insn_gen_", "aarch64_insn_encode_", "aarch64_insn_decode_", "label_imm_common", "branch_imm_common", "aarch64_get_imm_shift_mask",
	"__kretprobe_trampoline", "kretprobe_trampoline", "arch_rethook_", "arch_prepare_kretprobe", "trampoline_probe_handler",
	"module_frob_arch_sections", "module_emit_plt_entry", "module_init_layout_section", "module_finalize", "count_plts", "partition_branch_plt_relas",
}

// A kernel is one that scripts/build-kernels has built.
type kernel struct {
	name, vmlinux string
	image         []byte // the Image
	text          uint64 // address of the Image's first byte
	machine       machine
	clean         map[string]bool // what ftlint finds in the kernel as built: none are errors
	unsure        map[string]bool // rules that are inconclusive for it
}

// number is FTLINT_LIVE: how many mutants are booted.
func number(t *testing.T) int {
	t.Helper()
	s := os.Getenv("FTLINT_LIVE")
	if s == "" || testing.Short() {
		t.Skip("SKIPPED: kernels are booted by scripts/test-live")
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		t.Fatalf("FTLINT_LIVE=%s: a number of mutants was expected", s)
	}
	return n
}

func needQemu(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("qemu-system-aarch64"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no qemu-system-aarch64")
		}
		t.Skip("NO qemu-system-aarch64, nothing is booted")
	}
}

// open opens the kernel of that name; the test is skipped without it.
func open(t *testing.T, name string) (*kernel, *elfscan.Image) {
	t.Helper()
	im := images.Built(t, name, slices.Index(kernels, name) < inCI)
	needQemu(t)
	k := &kernel{name: name, vmlinux: im.Path}
	var err error
	if k.image, err = os.ReadFile(filepath.Join(filepath.Dir(im.Path), "Image")); err != nil {
		t.Fatal(err)
	}
	text, ok := im.Addr("_text")
	if !ok {
		t.Fatalf("%s has no _text", im.Path)
	}
	k.text = text
	k.machine = machine{initrd: initrd(t, filepath.Join(filepath.Dir(im.Path), "modules")), args: "nokaslr", bad: misbehaves}
	return k, im
}

// A copied is a worker's copy of a vmlinux, to be changed.
type copied struct {
	path string
	file *os.File
	elf  *elf.File
}

func (k *kernel) copied(t *testing.T) *copied {
	t.Helper()
	c := &copied{path: filepath.Join(t.TempDir(), "vmlinux")}
	b, err := os.ReadFile(k.vmlinux)
	if err == nil {
		err = os.WriteFile(c.path, b, 0o666)
	}
	if err == nil {
		c.file, err = os.OpenFile(c.path, os.O_RDWR, 0)
	}
	if err == nil {
		t.Cleanup(func() { c.file.Close() })
		c.elf, err = elf.NewFile(c.file)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// set puts words at an address.
func (c *copied) set(t *testing.T, addr uint64, words ...uint32) {
	t.Helper()
	for _, s := range c.elf.Sections {
		if s.Type == elf.SHT_PROGBITS && s.Flags&elf.SHF_ALLOC != 0 && addr-s.Addr < s.Size {
			if _, err := c.file.WriteAt(bytesOf(words), int64(s.Offset+addr-s.Addr)); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("no code at %#x", addr)
}

func bytesOf(words []uint32) (b []byte) {
	for _, w := range words {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

// lint is what ftlint says of the vmlinux: findings that the kernel as built does
// not have, and rules that are inconclusive, which say why.
func (k *kernel) lint(t *testing.T, path string) (found, unsure []string) {
	t.Helper()
	res := lint.File(t.Context(), path, lint.Config{Workers: 1, MaxPerRule: 3})
	for _, err := range res.Errors {
		unsure = append(unsure, err.Error())
	}
	for _, f := range res.Findings {
		if f.Rule.Severity == rules.Note {
			continue
		}
		s := fmt.Sprintf("%s at %#x: %s", f.Rule.ID, f.Addr, f.Message)
		if !k.clean[s] {
			found = append(found, s)
		}
	}
	for _, r := range res.Rules {
		if r.Status == finding.Inconclusive && !k.unsure[r.Rule.ID] {
			unsure = append(unsure, fmt.Sprintf("%s: %v", r.Rule.ID, r.Why))
		}
	}
	return found, unsure
}

// boot boots the kernel with other words at an address.
func (k *kernel) boot(t *testing.T, m *mutants.Mutant) verdict {
	t.Helper()
	image := slices.Clone(k.image)
	if m != nil {
		copy(image[m.Addr-k.text:], bytesOf(m.Words))
	}
	path := filepath.Join(t.TempDir(), "Image")
	if err := os.WriteFile(path, image, 0o666); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(path)
	return k.machine.boot(t, path)
}

// code is the words that are mutated, by function: of the entry code, the symbol
// that stands before them.
func code(im *elfscan.Image) (funcs []string, of map[string][]uint64) {
	of = map[string][]uint64{}
	add := func(name string, a uint64) {
		if of[name] == nil {
			funcs = append(funcs, name)
		}
		of[name] = append(of[name], a)
	}
	seen := map[uint64]bool{}
	for _, a := range entry.Walk(im).Order {
		name, _, _ := strings.Cut(im.Name(a), "+")
		seen[a] = true
		add(name, a)
	}
	im.EachSymbol(func(addr uint64, name []byte, typ elf.SymType) bool {
		if typ != elf.STT_FUNC && typ != elf.STT_NOTYPE || !slices.ContainsFunc(mutated, func(p string) bool { return strings.HasPrefix(string(name), p) }) {
			return true
		}
		s, _ := im.SymbolAt(addr)
		for a := addr; a < s.End(); a += a64.Size {
			if !seen[a] {
				seen[a] = true
				add(string(name), a)
			}
		}
		return true
	})
	return funcs, of
}

// executed is the addresses of which qemu has translated the instruction: those that
// are executed, but for exceptions.
func (k *kernel) executed(t *testing.T, of map[string][]uint64) (map[uint64]bool, verdict) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	var ranges []string
	for _, addrs := range of {
		lo, hi := slices.Min(addrs), slices.Max(addrs)
		ranges = append(ranges, fmt.Sprintf("%#x+%#x", lo, hi+a64.Size-lo))
	}
	m := k.machine
	m.qemu = []string{"-d", "in_asm", "-D", log, "-dfilter", strings.Join(ranges, ",")}
	path := filepath.Join(filepath.Dir(k.vmlinux), "Image")
	v := m.boot(t, path)
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	out := map[uint64]bool{}
	for _, line := range regexp.MustCompile(`(?m)^0x([0-9a-f]+):`).FindAllSubmatch(b, -1) {
		a, _ := strconv.ParseUint(string(line[1]), 16, 64)
		out[a] = true
	}
	return out, v
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

func mutate(t *testing.T, name string, n int) {
	k, im := open(t, name)
	funcs, of := code(im)
	ran, v := k.executed(t, of)
	if len(v.bad) > 0 {
		t.Fatalf("the kernel as built misbehaves: %s\n%s", strings.Join(v.bad, "; "), strings.Join(v.console, "\n"))
	}
	t.Logf("the kernel as built works: %d lines on the console, %.1f s of processor time", len(v.console), v.cpu.Seconds())
	found, unsure := k.lint(t, k.vmlinux)
	if len(found)+len(unsure) > 0 {
		t.Errorf("ftlint on the kernel as built:\nfinds: %s\ninconclusive: %s", strings.Join(found, "\n"), strings.Join(unsure, "\n"))
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
	pick := rand.New(rand.NewPCG(15, 8))
	pick.Shuffle(total, func(i, j int) { fates[i], fates[j] = fates[j], fates[i] })
	fates = fates[:min(n, total)]
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), 2) {
		c := k.copied(t)
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(fates); i = int(next.Add(1)) - 1 {
				f := fates[i]
				c.set(t, f.Addr, f.Words...)
				f.found, f.unsure = k.lint(t, c.path)
				c.set(t, f.Addr, f.old)
				f.boot = k.boot(t, &f.Mutant)
				if f.missed() { // be sure of it
					f.boot = k.boot(t, &f.Mutant)
				}
				if path := os.Getenv("FTLINT_LIVE_LOG"); path != "" {
					logFate(t, path, k, f)
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

// logFate appends to a file, for humans who wait.
func logFate(t *testing.T, path string, k *kernel, f *fate) {
	logging.Lock()
	defer logging.Unlock()
	out, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err == nil {
		_, err = fmt.Fprintln(out, f.line(k))
		out.Close()
	}
	if err != nil {
		t.Error(err)
	}
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
