package checks_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/rules"
)

const samples = "../testdata/vmlinux-samples"

// A want is an expectation: a comment in a sample's source,
//
//	// want FT103 "regexp"        at the line of the finding
//	// want+1 FT103 "regexp"      one line above it, so that what is shown of the line is code alone
//	// want-image FT207 "regexp"  for a finding about the image as a whole
type want struct {
	file string
	line int // 0: no source line
	rule string
	re   *regexp.Regexp
	met  bool
}

func (w *want) String() string { return fmt.Sprintf("%s:%d: %s %q", w.file, w.line, w.rule, w.re) }

var (
	wantComment = regexp.MustCompile(`// (want|want\+1|want-image) (FT.*)`)
	wantItem    = regexp.MustCompile(`(FT\d+) "((?:[^"\\]|\\.)*)"`)
	include     = regexp.MustCompile(`(?m)^\s*#include "([^"]+)"`)
	with        = regexp.MustCompile(` with=(\S+)`)
)

// readWants reads the expectations of a source file.
func readWants(t *testing.T, file string) []*want {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(samples, file))
	if err != nil {
		t.Fatal(err)
	}
	var wants []*want
	for i, text := range strings.Split(string(b), "\n") {
		m := wantComment.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		items := wantItem.FindAllStringSubmatch(m[2], -1)
		if items == nil {
			t.Errorf("%s:%d: no expectation in %q", file, i+1, text)
		}
		for _, item := range items {
			w := &want{file: filepath.Base(file), rule: item[1], re: regexp.MustCompile("(?s)" + item[2])}
			switch m[1] {
			case "want":
				w.line = i + 1
			case "want+1":
				w.line = i + 2
			}
			wants = append(wants, w)
		}
	}
	return wants
}

// sourceOf is the source that a sample was built from. Variants of one sample
// (callops-good-rela.elf) share a source: their names begin with its name.
func sourceOf(t *testing.T, elf string) string {
	t.Helper()
	for name := strings.TrimSuffix(elf, ".elf"); name != ""; {
		for _, ext := range []string{".S", ".c"} {
			if _, err := os.Stat(filepath.Join(samples, name+ext)); err == nil {
				return name + ext
			}
		}
		i := strings.LastIndexByte(name, '-')
		name = name[:max(i, 0)]
	}
	t.Fatalf("%s has no source", elf)
	return ""
}

// wantsOf reads the expectations in every source of a sample: its own, those that
// its build line links with it, and the files that these include.
func wantsOf(t *testing.T, elf string) []*want {
	t.Helper()
	files := []string{sourceOf(t, elf)}
	var wants []*want
	for i := 0; i < len(files); i++ {
		wants = append(wants, readWants(t, files[i])...)
		b, err := os.ReadFile(filepath.Join(samples, files[i]))
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Dir(files[i])
		add := func(name string) {
			if name = filepath.Join(dir, name); !slices.Contains(files, name) {
				files = append(files, name)
			}
		}
		for _, m := range include.FindAllStringSubmatch(string(b), -1) {
			add(m[1])
		}
		if i > 0 {
			continue
		}
		build := "// build: " + strings.TrimSuffix(filepath.Base(elf), ".elf") + " "
		for line := range strings.Lines(string(b)) {
			if m := with.FindStringSubmatch(line); m != nil && strings.HasPrefix(line, build) {
				for _, name := range strings.Split(m[1], ",") {
					add(name)
				}
			}
		}
	}
	return wants
}

// elfs are the sample images.
func elfs(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, dir := range []string{"", "builders", "x86"} {
		paths, err := filepath.Glob(filepath.Join(samples, dir, "*.elf"))
		if err != nil || len(paths) == 0 {
			t.Fatalf("no samples in %s: %v", filepath.Join(samples, dir), err)
		}
		for _, p := range paths {
			names = append(names, filepath.Join(dir, filepath.Base(p)))
		}
	}
	return names
}

// TestSamples compares the findings in each sample with the expectations in its
// source, both ways.
func TestSamples(t *testing.T) {
	triggered, passed := map[string]bool{}, map[string]bool{}
	var lengths []int // of headlines, in characters
	all, ran := elfs(t), 0
	for _, elf := range all {
		t.Run(elf, func(t *testing.T) {
			ran++
			cfg := lint.Config{}
			if debug := strings.TrimSuffix(elf, ".elf") + ".debug"; exists(debug) {
				cfg.DebugFile = filepath.Join(samples, debug)
			}
			res := lint.File(t.Context(), filepath.Join(samples, elf), cfg)
			if strings.HasSuffix(elf, "-stripped.elf") {
				if len(res.Errors) != 1 || !strings.Contains(res.Errors[0].Error(), "no symbol table") {
					t.Errorf("errors %v, one about the symbol table was expected", res.Errors)
				}
				return
			}
			compare(t, elf, res, nil)
			for _, f := range res.Findings {
				n := utf8.RuneCountInString(f.Headline)
				lengths = append(lengths, n)
				if n > finding.MaxHeadline || len(f.Evidence) == 0 || f.Fix == "" {
					t.Errorf("a headline of %d characters, %d facts, fix %q: %s [%s]", n, len(f.Evidence), f.Fix, f.Headline, f.Rule.ID)
				}
			}
			for _, r := range res.Rules {
				switch {
				case r.Findings > 0:
					triggered[r.Rule.ID] = true
				case r.Status == finding.Judged:
					passed[r.Rule.ID] = true
				}
			}
		})
	}
	if ran < len(all) {
		return // -run names some of the samples
	}
	slices.Sort(lengths)
	if median := lengths[len(lengths)/2]; median > 80 {
		t.Errorf("the median headline has %d characters, at most 80 are wanted", median)
	}
	// A template outside text has other labels than live entry code has
	// (dyntramp-good), so that the rule is not applicable there.
	passed["FT112"] = true
	for _, r := range rules.All() {
		if r.On&rules.Kernels == 0 {
			continue // of modules: TestModuleSamples; of patches: package patchchecks
		}
		if r.ID == "FT208" || r.ID == "FT209" {
			continue // about what loads modules: TestModuleLoaders
		}
		if !triggered[r.ID] {
			t.Errorf("no sample triggers %s: write one in testdata/vmlinux-samples, with // want %[1]s \"...\" at the line of the finding", r.ID)
		}
		if !passed[r.ID] {
			t.Errorf("no sample comes close to %s and passes: write one in testdata/vmlinux-samples", r.ID)
		}
	}
}

// compare compares the findings in a sample with the expectations in its sources,
// both ways, and returns the expectations. also, if not nil, gives other places of
// a finding: it counts there if no other finding does.
func compare(t *testing.T, elf string, res *finding.Result, also func(finding.Finding) []finding.Place) []*want {
	t.Helper()
	for _, err := range res.Errors {
		t.Error(err)
	}
	wants := wantsOf(t, elf)
	if strings.HasSuffix(elf, "-debian.elf") || strings.HasSuffix(elf, "-absolute.elf") {
		for _, w := range wants { // DWARF names the file as a kernel build does
			w.file = "arch/arm64/kernel/entry-ftrace.S"
		}
	}
	if res.Image != nil && res.Image.LineProblem != "" {
		if !strings.HasSuffix(elf, "-nodwarf.elf") {
			t.Errorf("lines could not be read: %s", res.Image.LineProblem)
		}
		for _, w := range wants {
			w.line = 0
		}
	}
	unmet := slices.DeleteFunc(slices.Clone(res.Findings), func(f finding.Finding) bool { return meet(wants, f, nil) })
	for _, f := range unmet {
		if also == nil || !meet(wants, f, also(f)) {
			t.Errorf("not expected: %s:%d: %s [%s]", f.Path, f.Line, f.Text(), f.Rule.ID)
		}
	}
	for _, w := range wants {
		if !w.met {
			t.Errorf("not found: %v", w)
		}
	}
	return wants
}

func exists(sample string) bool {
	_, err := os.Stat(filepath.Join(samples, sample))
	return err == nil
}

// meet marks the expectation that the finding meets, at its own place or at one of
// the given places, and reports whether there is one.
func meet(wants []*want, f finding.Finding, places []finding.Place) bool {
	if places == nil {
		places = []finding.Place{f.Place}
	}
	i := slices.IndexFunc(wants, func(w *want) bool {
		return !w.met && w.rule == f.Rule.ID && w.re.MatchString(f.Text()) && slices.ContainsFunc(places, func(p finding.Place) bool {
			return w.line == p.Line && (p.Line == 0 || w.file == p.Path || w.file == filepath.Base(p.Path))
		})
	})
	if i < 0 {
		return false
	}
	wants[i].met = true
	return true
}

func TestValidate(t *testing.T) {
	if err := analysis.Validate(checks.All); err != nil {
		t.Error(err)
	}
	if !slices.IsSortedFunc(checks.All, func(a, b *analysis.Analyzer) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("checks.All is not in the order of the IDs")
	}
}
