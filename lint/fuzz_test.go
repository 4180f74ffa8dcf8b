package lint_test

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/hostile"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/report"
)

// places are what of an ELF file damage is done to: its header, its section
// headers, and each section that has bytes. The header comes up as one of two
// dozen, and so do the callsites: bytes at random places of a file are most
// often debug information.
func places(t testing.TB, file []byte) (list [][2]int) {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	at := int(f.ByteOrder.Uint64(file[40:]))
	list = append(list, [2]int{0, 64}, [2]int{at, at + 64*len(f.Sections)})
	for _, s := range f.Sections {
		if s.Type != elf.SHT_NOBITS && s.FileSize > 0 {
			list = append(list, [2]int{int(s.Offset), int(s.Offset + s.FileSize)})
		}
	}
	return list
}

// A damage changes bytes of samples.
type damage struct {
	files  [][]byte
	places [][][2]int
}

// of reads the samples.
func (d *damage) of(t testing.TB, paths ...string) {
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		d.files = append(d.files, b)
		d.places = append(d.places, places(t, b))
	}
}

// do gives a copy of a sample with bytes in one of its places overwritten.
func (d *damage) do(sample, place uint8, off uint16, with []byte) []byte {
	n := int(sample) % len(d.files)
	b := bytes.Clone(d.files[n])
	p := d.places[n][int(place)%len(d.places[n])]
	copy(b[p[0]+int(off)%(p[1]-p[0]):p[1]], with)
	return b
}

// seed adds for each place of each sample its own bytes, and others.
func (d *damage) seed(f *testing.F) {
	for n := range d.files {
		f.Add(uint8(n), uint8(0), uint16(0), []byte{})
		for k := n % 9; k < len(d.places[n]); k += 9 { // samples have much in common
			p := d.places[n][k]
			f.Add(uint8(n), uint8(k), uint16(0), bytes.Clone(d.files[n][p[0]:min(p[1], p[0]+64)]))
			f.Add(uint8(n), uint8(k), uint16(p[1]-p[0])/2, bytes.Repeat([]byte{0xff}, 8))
		}
	}
}

// lintDamaged lints inputs of which one is hostile, with one worker and with
// several: what is written of it is the same, and true of some file.
func lintDamaged(t *testing.T, in lint.Inputs, hostilePath string, size int) {
	const timeout = 4 * time.Second
	var first []byte
	for _, workers := range []int{1, 3} {
		run := &report.Run{}
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		began := time.Now()
		// A kernel of this size is judged with 20 MB; each machine that
		// executes may have 64.
		hostile.Bounded(t, 1<<30, 2000, size, func() {
			total, err := lint.Run(ctx, in, lint.Config{Workers: workers, MaxPerRule: 50}, func(res *finding.Result) { run.Results = append(run.Results, res) })
			if err != nil {
				t.Fatal(err)
			}
			run.Errors = total.Errors
		})
		if took := time.Since(began); took > timeout+3*time.Second {
			t.Errorf("it ended after %v, not %v", took, timeout)
		}
		if ctx.Err() != nil {
			t.Logf("not judged in %v", timeout)
			return
		}
		for _, res := range run.Results {
			checkResult(t, res, hostilePath)
		}
		for _, name := range []string{"jsonl", "text"} {
			format, err := report.LookupFormat(name)
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := format.Write(&b, run); err != nil {
				t.Fatal(err)
			}
			if name != "jsonl" {
				continue
			}
			for line := range bytes.Lines(b.Bytes()) {
				if !json.Valid(line) {
					t.Errorf("no line of JSON: %q", line)
				}
			}
			if first == nil {
				first = b.Bytes()
			} else if !bytes.Equal(first, b.Bytes()) {
				t.Errorf("with one worker\n%s\nwith %d\n%s", first, workers, b.Bytes())
			}
		}
	}
}

// checkResult checks what is said of an input: errors of one line, findings
// where something is, and a reason for each rule without a verdict.
func checkResult(t *testing.T, res *finding.Result, hostilePath string) {
	t.Helper()
	for _, err := range res.Errors {
		hostile.OneLine(t, err, res.Path+": ")
		if strings.Contains(err.Error(), "internal error") {
			t.Errorf("a panic: %v", err)
		}
	}
	if res.Path == hostilePath && (res.Image == nil) != (len(res.Rules) == 0) || res.Image == nil && len(res.Errors) == 0 {
		t.Errorf("image %v, %d rules, errors %v", res.Image, len(res.Rules), res.Errors)
	}
	found := map[string]int{}
	place := func(p finding.Place) {
		if p.Path == "" || p.Line < 0 || p.Line > 0 && p.Col < 1 || p.Line == 0 && p.Path != res.Path {
			t.Errorf("a finding at %+v", p)
		}
	}
	for i := range res.Findings {
		f := &res.Findings[i]
		found[f.Rule.ID]++
		place(f.Place)
		for _, r := range f.Related {
			place(r.Place)
		}
		if f.Headline == "" || f.Identity.Rule != f.Rule.ID || f.Identity.Object == "" || f.Addr == 0 && (f.Symbol != "" || f.Insn != "") {
			t.Errorf("finding %+v", f)
		}
		if i > 0 && finding.Compare(*f, res.Findings[i-1]) < 0 {
			t.Errorf("%+v behind %+v", f, res.Findings[i-1])
		}
	}
	for _, r := range res.Rules {
		if r.Findings < found[r.Rule.ID] || r.Findings > 0 && r.Status == finding.NotApplicable || r.Examined == "" && r.Status == finding.Judged || (r.Status == finding.Judged) != (r.Why == nil) {
			t.Errorf("%d findings are kept of %+v", found[r.Rule.ID], r)
		}
		if r.Why != nil && strings.Contains(r.Why.Error(), "internal error") {
			t.Errorf("%s: a panic: %s", r.Rule.ID, r.Why)
		}
	}
}

// FuzzImage lints a kernel image with bytes of it overwritten: all checks,
// within a timeout and bounded memory, with findings where something is, and
// the same written with any number of workers.
func FuzzImage(f *testing.F) {
	fuzzImages(f, "regs-good", "mcount-good", "args-good-relr", "callops-good", "dyntramp-live", "site-malformed", "rfc-trampoline-dwarf5", "end-4k-of-64k",
		"builders/rfc-builder", "builders/builder-good-plt", "builders/builder-wx", "builders/entry-return", "builders/sites-callops-good-bti", "builders/sites-mcount-good", "builders/sites-range-up")
}

// FuzzImageX64 is FuzzImage for kernels for x86-64.
func FuzzImageX64(f *testing.F) {
	fuzzImages(f, "x86/good", "x86/blank-known", "x86/life-near", "x86/hooks-lock-good", "x86/context-lost")
}

func fuzzImages(f *testing.F, names ...string) {
	var d damage
	for _, name := range names {
		d.of(f, samples+name+".elf")
	}
	d.seed(f)
	path := filepath.Join(f.TempDir(), "vmlinux")
	f.Fuzz(func(t *testing.T, sample, place uint8, off uint16, with []byte) {
		b := d.do(sample, place, off, with)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		lintDamaged(t, lint.Inputs{Images: []string{path}}, path, len(b))
	})
}

// FuzzModule is FuzzImage for a module, with a kernel that it may or may not be
// of, or without one.
func FuzzModule(f *testing.F) {
	const modules = "../testdata/module-samples/"
	var d damage
	for _, name := range []string{"good-callops", "good-callops-6.12", "good-regs", "good-regs-wax", "good-mcount", "init-no-plt", "plt-of-text", "sites-mixed", "section-wx"} {
		d.of(f, modules+name+".ko")
	}
	kernels := []string{"", "kernel-callops", "kernel-callops-6.12", "kernel-regs", "kernel-mcount"}
	for n := range d.files {
		for k := n % 7; k < len(d.places[n]); k += 7 {
			p := d.places[n][k]
			for kernel := range kernels {
				if (kernel+n+k)%3 == 0 {
					f.Add(uint8(kernel), uint8(n), uint8(k), uint16(p[1]-p[0])/3, bytes.Repeat([]byte{0xff}, 8))
				}
			}
		}
		f.Add(uint8(n), uint8(n), uint8(0), uint16(0), []byte{})
	}
	path := filepath.Join(f.TempDir(), "m.ko")
	f.Fuzz(func(t *testing.T, kernel, sample, place uint8, off uint16, with []byte) {
		b := d.do(sample, place, off, with)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		in := lint.Inputs{Modules: []string{path}}
		if name := kernels[int(kernel)%len(kernels)]; name != "" {
			in.Images = []string{modules + name + ".elf"}
		}
		lintDamaged(t, in, path, len(b))
	})
}
