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

// The same input gives the same bytes: in every format, whatever the number
// of workers, in whichever order the files of a folder are named, and again.
func TestDeterminism(t *testing.T) {
	const samples = "../../testdata/"
	inputs := map[string][]string{
		"images":  append(glob(t, samples+"vmlinux-samples/*.elf"), glob(t, samples+"vmlinux-samples/builders/*.elf")...),
		"modules": append(glob(t, samples+"module-samples/*callops*.ko"), samples+"module-samples/kernel-callops.elf"),
		"patches": append(glob(t, "../../patchchecks/testdata/*.patch"), glob(t, "../../patchchecks/*.go")[0]),
	}
	real := filepath.Join(kernels(), "trixie", "current")
	if _, err := os.Stat(real); err == nil && !testing.Short() {
		inputs["real"] = []string{filepath.Join(real, "vmlinux"), filepath.Join(real, "modules")}
	} else if os.Getenv("CI") == "true" && !testing.Short() {
		t.Fatal("no kernel of trixie: run scripts/fetch-kernels")
	}
	for name, files := range inputs {
		formats := report.Formats
		if name == "real" {
			formats = formats[:1]
		}
		for _, format := range formats {
			t.Run(name+"/"+format.Name, func(t *testing.T) {
				want := runs(t, format.Name, append([]string{"-j", "1"}, files...))
				if len(want) < 100 {
					t.Fatalf("it prints %q", want)
				}
				turned := slices.Clone(files)
				slices.Reverse(turned)
				turned = append(turned[len(turned)/2:], turned[:len(turned)/2]...)
				for _, args := range [][]string{
					append([]string{"-j", "1"}, files...),
					append([]string{"-j", "2"}, turned...),
					append([]string{"-j", "7"}, files...),
				} {
					if got := runs(t, format.Name, args); got != want {
						t.Fatalf("%s: otherwise than before (-before +now):\n%.3000s", strings.Join(args[:2], " "), cmp.Diff(want, got))
					}
				}
			})
		}
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
		{"determinism_test.go"},
		{"nowhere"},
	}
	for _, args := range calls {
		runs(t, "text", args) // what starts once stays
	}
	before := runtime.NumGoroutine()
	for _, args := range calls {
		runs(t, "text", args)
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
}
