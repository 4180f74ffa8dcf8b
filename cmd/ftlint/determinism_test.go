package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ftlint/ftlint/internal/race"
	"github.com/ftlint/ftlint/report"
)

// times are what may differ from run to run: how long it took, on standard
// error.
var times = regexp.MustCompile(`(?m)\d+\.\d+ s\b`)

// runs is what a run prints: exit status, reports, summary.
func runs(t *testing.T, format string, args []string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status := run(append([]string{"-f", format}, args...), &stdout, &stderr)
	return fmt.Sprintf("%d\n%s\n%s", status, stdout.Bytes(), times.ReplaceAll(stderr.Bytes(), []byte("0.000 s")))
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) < 2 {
		t.Fatalf("%s: %d files, %v", pattern, len(files), err)
	}
	return files
}

// reports is what a run writes, by name: a report in each format, and what the
// run prints, with its report as text.
func reports(t *testing.T, args []string) map[string]string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range report.Formats {
		args = append([]string{"-o", f.Name + "=" + filepath.Join(dir, f.Name)}, args...)
	}
	all := map[string]string{"printed": runs(t, "text", args)}
	for _, f := range report.Formats {
		b, err := os.ReadFile(filepath.Join(dir, f.Name))
		if err != nil {
			t.Fatal(err)
		}
		all[f.Name] = string(b)
	}
	return all
}

// The same input gives the same bytes: in every format, whatever the number
// of workers, in whichever order the files of a folder are named, and again.
// With -short every eighth image is taken, under the race detector every sixteenth, and
// one worker less often: scripts/test takes all without it.
func TestDeterminism(t *testing.T) {
	t.Parallel()
	const samples = "../../testdata/"
	images := append(glob(t, samples+"vmlinux-samples/*.elf"), glob(t, samples+"vmlinux-samples/builders/*.elf")...)
	every := 1
	switch {
	case testing.Short():
		every = 8
	case race.Enabled:
		every = 16
	}
	n := 0
	images = slices.DeleteFunc(images, func(string) bool { n++; return n%every != 0 })
	inputs := map[string][]string{
		"images":  images,
		"modules": append(glob(t, samples+"module-samples/*callops*.ko"), samples+"module-samples/kernel-callops.elf"),
		"patches": append(glob(t, "../../patchchecks/testdata/*.patch"), glob(t, "../../patchchecks/*.go")[0]),
	}
	for name, files := range inputs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := reports(t, append([]string{"-j", "1"}, files...))
			turned := slices.Clone(files)
			slices.Reverse(turned)
			turned = append(turned[len(turned)/2:], turned[:len(turned)/2]...)
			again := [][]string{
				append([]string{"-j", "2"}, turned...),
				append([]string{"-j", "7"}, files...),
			}
			if !race.Enabled {
				again = append(again, append([]string{"-j", "1"}, files...))
			}
			for _, args := range again {
				got := reports(t, args)
				for what, text := range want {
					if len(text) < 100 {
						t.Fatalf("%s is %q", what, text)
					}
					if got[what] != text {
						t.Errorf("%s: %s: otherwise than before (-before +now):\n%.3000s", strings.Join(args[:2], " "), what, cmp.Diff(text, got[what]))
					}
				}
			}
			if testing.Short() || race.Enabled {
				return
			}
			// On standard output a report is what it is in a file.
			for _, f := range report.Formats {
				if printed := runs(t, f.Name, append([]string{"-j", "1"}, files...)); !strings.Contains(printed, want[f.Name]) {
					t.Errorf("-f %s: otherwise than -o %s=FILE", f.Name, f.Name)
				}
			}
		})
	}
}

// The same of a real kernel, with callsites overwritten so that there is
// something to find, and all its modules: every report of a run, at once. Under the
// race detector it is 25 modules, with one worker and with eight.
func TestDeterminismOfKernel(t *testing.T) {
	t.Parallel()
	kernel := filepath.Join(kernels(), "trixie", "current")
	if _, err := os.Stat(kernel); testing.Short() {
		t.Skip("SKIPPED: -short")
	} else if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("no kernel of trixie: run scripts/fetch-kernels")
	} else if err != nil {
		t.Skip("SKIPPED: no kernel of trixie: run scripts/fetch-kernels")
	}
	folders, err := filepath.Glob(filepath.Join(kernel, "modules", "*"))
	if err != nil || len(folders) < 100 {
		t.Fatalf("%d modules, %v", len(folders), err)
	}
	vmlinux := filepath.Join(t.TempDir(), "vmlinux")
	copyFile(t, vmlinux, filepath.Join(kernel, "vmlinux"))
	sites := parts(t, vmlinux, "callsites")
	f, err := os.OpenFile(vmlinux, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, site := range sites[:200] {
		if _, err := f.WriteAt([]byte{0xc0, 0x03, 0x5f, 0xd6}, site.at); err != nil { // ret
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	modules, workers := filepath.Join(kernel, "modules"), []string{"1", "1", "2", "8"}
	if race.Enabled {
		workers = []string{"1", "8"}
		modules = t.TempDir()
		for i, from := range folders[:25] {
			folders[i] = filepath.Join(modules, filepath.Base(from))
			copyFile(t, folders[i], from)
		}
	}
	// Some modules by name, then all: each is judged once.
	files := append([]string{vmlinux, modules}, folders[:10]...)
	var want map[string]string
	for _, n := range workers {
		got := reports(t, append([]string{"-j", n}, files...))
		for _, f := range report.Formats {
			if text := got[f.Name]; strings.Count(text, "FT401") < 20 {
				t.Fatalf("-j %s: %s: %d bytes", n, f.Name, len(text))
			}
		}
		if want == nil {
			want = got
		}
		for name, text := range want {
			if got[name] != text {
				t.Errorf("-j %s: %s: otherwise than with -j 1 (-before +now):\n%.3000s", n, name, cmp.Diff(text, got[name]))
			}
		}
		slices.Reverse(files)
	}
}

// No goroutine is left behind, of runs that end well, early or badly.
func TestNoGoroutineLeft(t *testing.T) {
	const samples = "../../testdata/"
	modules := samples + "module-samples"
	calls := [][]string{
		{samples + "vmlinux-samples/builders/rfc-builder.elf"},
		{"--exhaustive", samples + "vmlinux-samples/regs-good.elf"},
		{samples + "module-samples/kernel-callops.elf", modules},
		{"-j", "8", "--timeout", "3ms", samples + "module-samples/kernel-callops.elf", modules},
		{"--timeout", "1ns", "../../patchchecks/testdata/example.patch"},
		{"../../patchchecks/testdata/example.patch"},
		{"--image", samples + "vmlinux-samples/regs-good.elf", "../../patchchecks/testdata/example.patch"},
		{"--timeout", "1ms", "--image", samples + "vmlinux-samples/regs-good.elf", "../../patchchecks/testdata/example.patch"},
		{"--git", "no-such-range"},
		{"-o", "json=no/such/folder", samples + "vmlinux-samples/regs-good.elf"},
		{"determinism_test.go"},
		{"nowhere"},
	}
	for _, args := range calls {
		runs(t, "text", args) // what starts once stays
	}
	before := runtime.NumGoroutine()
	for _, args := range calls {
		runs(t, "text", args)
		noMoreThan(t, before, args)
	}
}

// noMoreThan fails the test if more than so many goroutines stay.
func noMoreThan(t *testing.T, before int, args []string) {
	t.Helper()
	for range 100 { // one that was told to end needs a moment
		if runtime.NumGoroutine() <= before {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before {
		stacks := make([]byte, 1<<16)
		t.Fatalf("%v leaves %d goroutines behind:\n%s", args, n-before, stacks[:runtime.Stack(stacks, true)])
	}
}
