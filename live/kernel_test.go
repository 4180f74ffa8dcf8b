package live

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
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

// A kernel is one that scripts/build-kernels has built.
type kernel struct {
	name, vmlinux string
	modules       []string // paths
	image         []byte   // the Image
	text          uint64   // address of the Image's first byte
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

func needQemu(t *testing.T, im *elfscan.Image) {
	t.Helper()
	name := boards[im.Arch()].qemu
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no " + name)
		}
		t.Skipf("NO %s, nothing is booted", name)
	}
}

// open opens the kernel of that name; the test is skipped without it.
func open(t *testing.T, name string) (*kernel, *elfscan.Image) {
	t.Helper()
	im := images.Built(t, name, slices.Index(kernels, name) < inCI)
	needQemu(t, im)
	k := &kernel{name: name, vmlinux: im.Path}
	var err error
	if k.image, err = os.ReadFile(filepath.Join(filepath.Dir(im.Path), "Image")); err != nil {
		t.Fatal(err)
	}
	if k.modules, err = filepath.Glob(filepath.Join(filepath.Dir(im.Path), "modules", "*.ko")); err != nil {
		t.Fatal(err)
	}
	text, ok := im.Addr("_text")
	if !ok {
		t.Fatalf("%s has no _text", im.Path)
	}
	k.text = text
	b := boards[im.Arch()]
	k.machine = machine{board: b, initrd: b.initrd(t, filepath.Join(filepath.Dir(im.Path), "modules")), args: "nokaslr", bad: misbehaves, slow: max(b.slow, slow[name])}
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
func (c *copied) set(addr uint64, words ...uint32) error {
	for _, s := range c.elf.Sections {
		if s.Type == elf.SHT_PROGBITS && s.Flags&elf.SHF_ALLOC != 0 && addr-s.Addr < s.Size {
			_, err := c.file.WriteAt(bytesOf(words), int64(s.Offset+addr-s.Addr))
			return err
		}
	}
	return fmt.Errorf("%s has no code at %#x", c.path, addr)
}

func bytesOf(words []uint32) (b []byte) {
	for _, w := range words {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

// lint is what ftlint says of the vmlinux and the kernel's modules: findings that the
// kernel as built does not have, and rules that are inconclusive, which say why.
func (k *kernel) lint(t *testing.T, path string) (found, unsure []string) {
	in := lint.Inputs{Images: []string{path}, Modules: k.modules}
	total, err := lint.Run(t.Context(), in, lint.Config{Workers: 1, MaxPerRule: 3}, func(res *finding.Result) {
		for _, err := range res.Errors {
			unsure = append(unsure, err.Error())
		}
		for _, f := range res.Findings {
			if f.Rule.Severity == rules.Note {
				continue
			}
			s := fmt.Sprintf("%s at %#x: %s", f.Rule.ID, f.Addr, f.Text())
			if !k.clean[s] {
				found = append(found, s)
			}
		}
		for _, r := range res.Rules {
			if r.Status == finding.Inconclusive && !k.unsure[r.Rule.ID] {
				unsure = append(unsure, fmt.Sprintf("%s: %v", r.Rule.ID, r.Why))
			}
		}
	})
	if err == nil {
		err = errors.Join(total.Errors...)
	}
	if err != nil {
		unsure = append(unsure, err.Error())
	}
	return found, unsure
}

// boot boots the kernel with other words at an address, in the Image at path.
func (k *kernel) boot(t *testing.T, path string, m *mutants.Mutant) (v verdict, err error) {
	image := slices.Clone(k.image)
	copy(image[m.Addr-k.text:], bytesOf(m.Words))
	if err := os.WriteFile(path, image, 0o666); err != nil {
		return v, err
	}
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
		if typ != elf.STT_FUNC && typ != elf.STT_NOTYPE || !isMutated(string(name)) {
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
	v, err := m.boot(t, path)
	var b []byte
	if err == nil {
		b, err = os.ReadFile(log)
	}
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
