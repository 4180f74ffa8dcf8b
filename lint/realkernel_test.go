package lint_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/images"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/internal/race"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/report"
	"github.com/ftlint/ftlint/rules"
)

// The suites whose kernels are tested if scripts/fetch-kernels has fetched
// them, and the era that each is of.
var suites = []struct {
	name string
	era  *arch.Era
	inCI bool // CI must have it
}{
	{"bullseye", arch.RegsEra, false},
	{"bookworm", arch.RegsEra, true},
	{"trixie", arch.Callops, true},
	{"forky", arch.Callops, false},
	{"sid", arch.Callops, false},
}

// figures are exact, for the kernels that they were counted on.
var figures = map[string]struct{ callsites, blank, notAtEntry int }{
	"5.10.0-32-cloud-arm64":      {34264, 0, 286},
	"6.1.0-50-cloud-arm64":       {38491, 0, 292},
	"6.12.107+deb13-cloud-arm64": {43880, 336, 0},
	"7.2.12+deb14-cloud-arm64":   {48435, 351, 0},
	"7.2.13+deb14-cloud-arm64":   {48440, 351, 0},
}

// kernelDir is where the current kernel of a suite is, or "".
func kernelDir(t testing.TB, suite string) string {
	t.Helper()
	root := os.Getenv("FTLINT_KERNELS")
	if root == "" {
		cache := os.Getenv("XDG_CACHE_HOME")
		if cache == "" {
			home, err := os.UserHomeDir()
			if err != nil {
				return ""
			}
			cache = filepath.Join(home, ".cache")
		}
		root = filepath.Join(cache, "ftlint", "kernels")
	}
	dir, err := filepath.EvalSymlinks(filepath.Join(root, suite, "current"))
	if err != nil {
		return ""
	}
	if _, err := os.Stat(filepath.Join(dir, "vmlinux")); err != nil {
		return ""
	}
	return dir
}

// needKernel is kernelDir for a test that cannot do without.
func needKernel(t *testing.T, suite string, inCI bool) string {
	t.Helper()
	dir := kernelDir(t, suite)
	if dir == "" {
		missing(t, inCI, "no kernel of %s: run scripts/fetch-kernels %s", suite, suite)
	}
	return dir
}

// missing skips the test, or fails it where nothing may be skipped.
func missing(t *testing.T, inCI bool, format string, args ...any) {
	t.Helper()
	if inCI && os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// run lints a file that must be readable.
func run(t *testing.T, path string, cfg lint.Config) *finding.Result {
	t.Helper()
	res := lint.File(t.Context(), path, cfg)
	for _, err := range res.Errors {
		t.Error(err)
	}
	if res.Image == nil {
		t.Fatalf("%s could not be opened", path)
	}
	return res
}

// speaksOf says for each rule about callsites what it has to say it examined:
// all of them. The rules that do not apply to a kernel are not asked.
func speaksOf(id string, im *finding.ImageFacts) string {
	switch id {
	case "FT201", "FT401", "FT402", "FT404", "FT405", "FT407", "FT410", "FT411":
		return plural.Of(im.Callsites, "callsite")
	case "FT403":
		return fmt.Sprintf("%s, %d of them blank", plural.Of(im.Callsites+im.Blank, "entry"), im.Blank)
	}
	return ""
}

// A real kernel is of the era that its suite says, has every callsite
// resolved and judged, and has no defect that would break it.
func TestRealKernels(t *testing.T) {
	for _, suite := range suites {
		t.Run(suite.name, func(t *testing.T) {
			dir := needKernel(t, suite.name, suite.inCI)
			res := run(t, filepath.Join(dir, "vmlinux"), lint.Config{})
			im := res.Image
			if im.Era != suite.era.String() {
				t.Errorf("era %v, want %v", im.Era, suite.era)
			}
			if im.Callsites < 30000 {
				t.Errorf("%d callsites, more than 30000 were expected", im.Callsites)
			}
			var ran []string
			for _, r := range res.Rules {
				switch {
				case r.Status == finding.Inconclusive:
					t.Errorf("%s is inconclusive: %s", r.Rule.ID, r.Why)
				case r.Skipped != nil && r.Rule.ID != "FT714": // which reads each function's prototype with --exhaustive
					t.Errorf("%s is not executed in full: %v", r.Rule.ID, r.Skipped)
				case r.Rule.Severity == rules.Error && r.Findings > 0:
					t.Errorf("%s %s: %d findings", r.Rule.ID, r.Rule.Name, r.Findings)
				case r.Status != finding.NotApplicable:
					ran = append(ran, r.Rule.ID)
				}
				if want := speaksOf(r.Rule.ID, im); r.Status != finding.NotApplicable && !strings.HasPrefix(r.Examined, want) {
					t.Errorf("%s examined %q, want %q", r.Rule.ID, r.Examined, want)
				}
			}
			// Among those that ran are at least the ones that need no execution.
			want := []string{"FT101", "FT102", "FT201", "FT207", "FT303", "FT401", "FT403", "FT404", "FT405", "FT406", "FT407", "FT410", "FT411", "FT412", "FT413", "FT504"}
			if suite.era == arch.Callops {
				want = append(want, "FT402")
			}
			for _, id := range want {
				if !slices.Contains(ran, id) {
					t.Errorf("%s did not run", id)
				}
			}
			for _, f := range res.Findings {
				if f.Rule.Severity == rules.Error {
					t.Errorf("%s:%d: %s [%s]", f.Path, f.Line, f.Text(), f.Rule.ID)
				}
			}
			known := 0 // findings that are true
			for _, r := range res.Rules {
				n := images.True[suite.name][r.Rule.ID]
				if known += n; (n > 0 || r.Rule.ID >= "FT7") && r.Findings != n {
					t.Errorf("%s: %d findings, %d are true", r.Rule.ID, r.Findings, n)
				}
			}
			version := filepath.Base(dir)
			if want, ok := figures[version]; !ok {
				t.Logf("no figures are known of %s: %d callsites, %d blank, %d findings", version, im.Callsites, im.Blank, len(res.Findings))
			} else if n := notAtEntry(res); im.Callsites != want.callsites || im.Blank != want.blank || n != want.notAtEntry || len(res.Findings) > 1+brokenInit(res)+known {
				t.Errorf("%s: %d callsites, %d blank, %d not at an entry, %d findings; want %+v", version, im.Callsites, im.Blank, n, len(res.Findings), want)
			}
		})
	}
}

// notAtEntry is how many callsites the finding of FT407 is about.
func notAtEntry(res *finding.Result) (n int) {
	for _, f := range res.Findings {
		if f.Rule.ID == "FT407" {
			_, _ = fmt.Sscanf(f.Text(), "%d callsites are not at the entry of a function", &n)
		}
	}
	return n
}

// brokenInit is 1 if a kernel has the note of FT209: its modules have no PLT in init
// text, as before 6.17.
func brokenInit(res *finding.Result) int {
	is := func(f finding.Finding) bool { return f.Rule.ID == "FT209" && f.Rule.Severity == rules.Note }
	if slices.ContainsFunc(res.Findings, is) {
		return 1
	}
	return 0
}

// Each callsite of a real kernel lies in text, and its words are those of the
// era; entries are the blank ones and the callsites, nothing else.
func TestRealKernelCallsites(t *testing.T) {
	for _, suite := range suites {
		t.Run(suite.name, func(t *testing.T) {
			im := openKernel(t, needKernel(t, suite.name, suite.inCI))
			sites, err := callsite.Of(im)
			if err != nil {
				t.Fatal(err)
			}
			if len(sites.Entries.Values) != len(sites.Addrs)+sites.Blank || uint64(len(sites.Entries.Values)*8) != sites.Entries.End-sites.Entries.Start {
				t.Errorf("a table of %d entries in %#x..%#x: %d callsites and %d blank", len(sites.Entries.Values), sites.Entries.Start, sites.Entries.End, len(sites.Addrs), sites.Blank)
			}
			if suite.era == arch.RegsEra && sites.Entries.FromRela != len(sites.Entries.Values) {
				t.Errorf("%d of %d entries have RELA relocations", sites.Entries.FromRela, len(sites.Entries.Values))
			}
			if suite.era == arch.Callops && sites.Entries.FromRelr != len(sites.Addrs) && sites.Entries.FromRelr != len(sites.Entries.Values) {
				t.Errorf("%d of %d entries have RELR relocations", sites.Entries.FromRelr, len(sites.Entries.Values))
			}
			for _, a := range sites.Addrs {
				if s := sites.SiteAs(a, suite.era.Shape); !s.OK || !im.IsText(a) || !im.IsText(s.Call) {
					t.Fatalf("%s is no callsite of era %v in text: %+v", im.At(a), suite.era, s)
				}
			}
		})
	}
}

func openKernel(t *testing.T, dir string) *elfscan.Image {
	t.Helper()
	im, err := elfscan.Open(filepath.Join(dir, "vmlinux"), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(im.Close)
	return im
}

// The labels of ftrace's entry code in all eras, and some of its arm64 hooks.
var labels = []string{
	"ftrace_caller", "ftrace_regs_caller", "ftrace_common", "ftrace_call", "ftrace_graph_call",
	"ftrace_graph_caller", "ftrace_caller_direct", "ftrace_caller_direct_late", "ftrace_stub",
	"ftrace_stub_graph", "ftrace_stub_direct_tramp", "return_to_handler",
	// Functions, but not those that begin with inlined code: their address has
	// the line of that.
	"ftrace_make_call", "ftrace_make_nop", "ftrace_modify_call", "ftrace_init_nop",
}

// symMacro names what a line of assembly begins: SYM_CODE_START(ftrace_caller).
var symMacro = regexp.MustCompile(`^SYM_[A-Z_]*(?:START|LABEL)[A-Z_]*\((\w+)`)

// Every label resolves to the file that defines it, and to a line of it that
// belongs to that definition in the very source that the kernel was built of.
func TestRealKernelLines(t *testing.T) {
	for _, suite := range suites {
		t.Run(suite.name, func(t *testing.T) {
			dir := needKernel(t, suite.name, suite.inCI)
			im := openKernel(t, dir)
			const entry, hooks = "arch/arm64/kernel/entry-ftrace.S", "arch/arm64/kernel/ftrace.c"
			source := map[string][]string{}
			for _, file := range []string{entry, hooks} {
				b, err := os.ReadFile(filepath.Join(dir, "src", file))
				if err != nil {
					missing(t, suite.inCI, "no source of this kernel (run scripts/fetch-kernels %s): %v", suite.name, err)
				}
				source[file] = strings.Split(string(b), "\n")
			}
			found := 0
			for _, label := range labels {
				addr, ok := im.Addr(label)
				if !ok {
					continue // not of this era
				}
				l, ok := im.Line(addr)
				lines := source[l.File]
				if !ok || lines == nil || l.Line > len(lines) {
					t.Errorf("%s is at %s:%d, of %s or %s", label, l.File, l.Line, entry, hooks)
					continue
				}
				found++
				if l.File == entry {
					begun := ""
					for i := l.Line - 1; i >= 0 && begun == ""; i-- {
						if m := symMacro.FindStringSubmatch(lines[i]); m != nil {
							begun = m[1]
						}
					}
					// Two names of one place: the line is that of the last.
					other, _ := im.Addr(begun)
					if begun != label && other != addr {
						t.Errorf("%s is at %s:%d, which is in %s", label, l.File, l.Line, begun)
					}
				} else if near := strings.Join(lines[max(0, l.Line-5):l.Line], "\n"); !strings.Contains(near, label+"(") {
					t.Errorf("%s is at %s:%d, where it is not named:\n%s", label, l.File, l.Line, near)
				}
			}
			if found < 11 {
				t.Errorf("only %d of the labels %v have a line", found, labels)
			}
			if err := im.LineProblem(); err != nil {
				t.Error(err)
			}
		})
	}
}

// What a kernel is found to be does not depend on its DWARF, nor on how it is
// packed: only source lines do. Under the race detector, which makes unpacking
// slow, some of the variants are taken: scripts/test takes all without it.
func TestRealKernelVariants(t *testing.T) {
	if testing.Short() {
		t.Skip("packs and unpacks kernels")
	}
	const objcopy = "aarch64-linux-gnu-objcopy"
	if _, err := exec.LookPath(objcopy); err != nil {
		missing(t, true, "no %s (Debian: binutils-aarch64-linux-gnu)", objcopy)
	}
	suites := []string{"bookworm", "trixie"}
	if race.Enabled {
		suites = suites[:1]
	}
	for _, suite := range suites {
		t.Run(suite, func(t *testing.T) {
			vmlinux := filepath.Join(needKernel(t, suite, true), "vmlinux")
			want := run(t, vmlinux, lint.Config{})
			stripped := filepath.Join(t.TempDir(), "vmlinux")
			if out, err := exec.Command(objcopy, "--strip-debug", vmlinux, stripped).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", objcopy, err, out)
			}
			variants := []string{stripped}
			for ext, packer := range packers {
				if ext == ".zst" || suite == "bookworm" && (ext == ".gz" || !race.Enabled) { // the others are slow to unpack
					variants = append(variants, pack(t, stripped, ext, packer))
				}
			}
			for _, path := range variants {
				t.Run(filepath.Base(path), func(t *testing.T) {
					got := run(t, path, lint.Config{})
					compareByAddress(t, got, want)
					for _, f := range got.Findings {
						if f.Line != 0 || f.Path != path {
							t.Errorf("%s:%d: there is no DWARF to tell this line", f.Path, f.Line)
						}
					}
					if len(got.Findings) > 0 && !strings.Contains(got.Image.LineProblem, "no DWARF") {
						t.Errorf("findings lack source lines, and the summary says %q", got.Image.LineProblem)
					}
				})
			}
			t.Run("debug file", func(t *testing.T) {
				got := run(t, stripped, lint.Config{DebugFile: vmlinux})
				compareByAddress(t, got, want)
				for i, f := range got.Findings {
					if w := want.Findings[i]; w.Line != 0 && (f.Path != w.Path || f.Line != w.Line) {
						t.Errorf("%s:%d, with lines of its own %s:%d", f.Path, f.Line, w.Path, w.Line)
					}
				}
			})
		})
	}
}

// compareByAddress compares all but the source lines.
func compareByAddress(t *testing.T, got, want *finding.Result) {
	t.Helper()
	lines := func(res *finding.Result) (out []string) {
		for _, f := range res.Findings {
			out = append(out, fmt.Sprintf("%#x %s %s", f.Addr, f.Rule.ID, f.Text()))
		}
		slices.Sort(out)
		for _, r := range res.Rules {
			status, why := report.Status(r)
			out = append(out, fmt.Sprintf("%s %s %s %s %d", r.Rule.ID, status, why, r.Examined, r.Findings))
		}
		return append(out, fmt.Sprint(res.Image.Era, res.Image.Callsites, res.Image.Blank, res.Image.Form, res.Image.Entries))
	}
	g, w := lines(got), lines(want)
	for i := range max(len(g), len(w)) {
		switch {
		case i >= len(g):
			t.Errorf("not found: %s", w[i])
		case i >= len(w):
			t.Errorf("found in excess: %s", g[i])
		case g[i] != w[i]:
			t.Fatalf("found    %s\nexpected %s", g[i], w[i])
		}
	}
}

// packers pack fast: how well is of no interest.
var packers = map[string]func(w io.Writer, r io.Reader) error{
	".gz": command("gzip", "-1"),
	".xz": command("xz", "-0"),
	".zst": func(w io.Writer, r io.Reader) error {
		z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest))
		if err != nil {
			return err
		}
		if _, err := io.Copy(z, r); err != nil {
			return err
		}
		return z.Close()
	},
}

// command packs by a program: the race detector makes Go's own packers slow.
func command(name string, args ...string) func(w io.Writer, r io.Reader) error {
	return func(w io.Writer, r io.Reader) error {
		cmd := exec.Command(name, args...)
		cmd.Stdin, cmd.Stdout = r, w
		return cmd.Run()
	}
}

func pack(t *testing.T, path, ext string, packer func(io.Writer, io.Reader) error) string {
	t.Helper()
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(path + ext)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := packer(out, in); err != nil {
		t.Fatalf("%s: %v", out.Name(), err)
	}
	return out.Name()
}

// The same input gives the same bytes, however many checks run at once.
func TestDeterminism(t *testing.T) {
	inputs, err := filepath.Glob("../testdata/vmlinux-samples/*.elf")
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	if dir := kernelDir(t, "bookworm"); dir != "" {
		inputs = append(inputs, filepath.Join(dir, "vmlinux"))
	}
	for _, input := range inputs {
		output := func(workers int) string {
			res := lint.File(t.Context(), input, lint.Config{Checks: checks.All, MaxPerRule: 20, Workers: workers})
			var b bytes.Buffer
			for _, format := range report.Formats {
				if err := format.Write(&b, &report.Run{Results: []*finding.Result{res}}); err != nil {
					t.Fatal(err)
				}
			}
			res.Elapsed = 0
			report.Summary(&b, res, true)
			return b.String()
		}
		want := output(1)
		for _, workers := range []int{2, 8, 8} {
			if got := output(workers); got != want {
				t.Errorf("%s: %d workers give\n%s\none gives\n%s", input, workers, got, want)
			}
		}
	}
}
