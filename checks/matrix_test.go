package checks_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/child"
	"github.com/ftlint/ftlint/internal/race"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/rules"
)

// A cell is one way to compile the samples that are in C: a compiler, flags for
// it, and the kernel's pages in KiB.
type cell struct {
	cc, flags string
	pages     int
}

func (c cell) String() string { return fmt.Sprintf("%s %s, pages of %d KiB", c.cc, c.flags, c.pages) }

// matrix is the cells in which the expectations of the samples must hold: each
// compiler at -O2 and -Os, without marks, with signed return addresses, with
// landing pads as well, and with the shadow call stack; and each compiler with
// larger pages.
func matrix() []cell {
	var cells []cell
	for _, cc := range []string{"gcc", "clang"} {
		for _, level := range []string{"-O2", "-Os"} {
			for _, marks := range []string{
				"-mbranch-protection=none", "-mbranch-protection=pac-ret", "-mbranch-protection=standard",
				"-mbranch-protection=none -ffixed-x18 -fsanitize=shadow-call-stack",
			} {
				cells = append(cells, cell{cc, level + " " + marks, 4})
			}
		}
		for _, pages := range []int{16, 64} {
			cells = append(cells, cell{cc, "-O2 -mbranch-protection=pac-ret", pages})
		}
	}
	return cells
}

// TestMatrix builds the samples in C in every cell of the matrix, and compares the
// findings with the expectations: every seeded defect is found, and nothing else.
func TestMatrix(t *testing.T) {
	if testing.Short() || race.Enabled {
		t.Skip("SKIPPED: short, or under the race detector: scripts/test has a step for it")
	}
	for _, tool := range []string{"aarch64-linux-gnu-gcc", "clang", "pahole", "llvm-addr2line"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skipf("SKIPPED: no %s", tool)
		}
	}
	kept := os.Getenv("FTLINT_MATRIX") // a folder with what was built before
	got := map[cell]*outcome{}
	cells := matrix()
	dirs := map[cell]string{}
	var building sync.WaitGroup
	var mu sync.Mutex
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for _, c := range cells {
		dir := t.TempDir()
		if kept != "" {
			dir = filepath.Join(kept, strings.ReplaceAll(c.String(), " ", ""))
		}
		dirs[c] = dir
		if _, err := os.Stat(filepath.Join(dir, "images/builders/rfc-builder.elf")); err == nil {
			continue
		}
		building.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			cmd := child.Command(t, "../scripts/build-samples", "--matrix", dir)
			cmd.Env = append(os.Environ(), "SAMPLE_CC="+c.cc, "SAMPLE_FLAGS="+c.flags, fmt.Sprintf("SAMPLE_PAGES=%d", c.pages))
			if out, err := cmd.CombinedOutput(); err != nil {
				mu.Lock()
				defer mu.Unlock()
				t.Errorf("%v: %v\n%s", c, err, out)
			}
		})
	}
	building.Wait()
	if t.Failed() {
		return
	}
	for _, c := range cells {
		got[c] = &outcome{}
	}
	t.Run("cells", func(t *testing.T) {
		for _, c := range cells {
			t.Run(c.String(), func(t *testing.T) {
				t.Parallel()
				paths, err := filepath.Glob(filepath.Join(dirs[c], "images/builders/*.elf"))
				if err != nil || len(paths) < 50 {
					t.Fatalf("%d images, %v", len(paths), err)
				}
				for _, path := range paths {
					t.Run(filepath.Base(path), func(t *testing.T) { got[c].judge(t, path) })
				}
			})
		}
	})
	var b strings.Builder
	fmt.Fprintf(&b, "%-91s %8s %8s %8s %13s\n", "", "samples", "defects", "found", "false errors")
	for _, c := range cells {
		o := got[c]
		fmt.Fprintf(&b, "%-91v %8d %8d %8d %13d\n", c, o.samples, o.wanted, o.found, o.errors)
	}
	t.Logf("\n%s", b.String())
}

// An outcome counts, in a cell, what is wanted of samples, what of that is found, and
// errors that are not wanted.
type outcome struct{ samples, wanted, found, errors int }

// judge compares the findings in a sample with the expectations.
func (o *outcome) judge(t *testing.T, path string) {
	res := lint.File(t.Context(), path, lint.Config{Workers: 1})
	wants := compare(t, filepath.Join("builders", filepath.Base(path)), res, func(f finding.Finding) []finding.Place { return around(t, path, f) })
	o.samples++
	o.wanted += len(wants)
	for _, f := range res.Findings {
		if rule, _ := rules.Lookup(f.Rule.ID); rule.Severity == rules.Error { // the catalogue's, as below
			o.errors++
		}
	}
	for _, w := range wants {
		if !w.met {
			continue
		}
		o.found++
		if rule, _ := rules.Lookup(w.rule); rule.Severity == rules.Error {
			o.errors--
		}
	}
}

// around are the places that an expectation may name instead of the place of a
// finding: the lines at which the finding's function is inlined, by addr2line, and
// the lines before and after each. Compilers differ in which of two statements a
// merged store belongs to, and whether a function begins at its brace.
func around(t *testing.T, path string, f finding.Finding) []finding.Place {
	if f.Addr == 0 {
		return nil
	}
	out, err := child.Command(t, "llvm-addr2line", "-i", "-e", path, fmt.Sprintf("%#x", f.Addr)).Output()
	if err != nil {
		t.Fatal(err)
	}
	places := []finding.Place{f.Place}
	for line := range strings.Lines(string(out)) {
		file, number, _ := strings.Cut(strings.TrimSpace(line), ":")
		n, err := strconv.Atoi(number)
		if err != nil {
			t.Fatalf("addr2line: %s", line)
		}
		places = append(places, finding.Place{Path: filepath.Clean(file), Line: n})
	}
	for _, p := range places {
		for _, by := range []int{-1, 1} {
			places = append(places, finding.Place{Path: p.Path, Line: p.Line + by})
		}
	}
	return places
}
