package lint_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/internal/race"
	"github.com/ftlint/ftlint/lint"
)

// moduleFigures are exact, for the modules that they were counted on.
var moduleFigures = map[string]struct{ modules, without, callsites int }{
	"5.10.0-32-cloud-arm64":      {944, 12, 40001},
	"6.1.0-50-cloud-arm64":       {992, 11, 44765},
	"6.12.107+deb13-cloud-arm64": {1083, 12, 52738},
	"7.2.12+deb14-cloud-arm64":   {1082, 9, 53880},
}

// needModules is the folder with the current kernel and modules of a suite.
func needModules(t *testing.T, suite string, inCI bool) string {
	t.Helper()
	dir := needKernel(t, suite, inCI)
	if _, err := os.Stat(filepath.Join(dir, "modules")); err != nil {
		missing(t, inCI, "no modules of %s: run FTLINT_MODULES=1 scripts/fetch-kernels %s", suite, suite)
	}
	return dir
}

// All modules of a real kernel are read, all of their callsites are judged, and
// nothing is found: not one of the rules that apply to them is undecided, and
// what is executed is executed near the kernel and far from it. Under the race
// detector every tenth is taken: scripts/test takes all without it.
func TestRealModules(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	for _, suite := range suites {
		t.Run(suite.name, func(t *testing.T) {
			dir := needModules(t, suite.name, suite.inCI)
			modules, without, callsites, executed := 0, 0, 0, 0
			files := []string{filepath.Join(dir, "modules")}
			if race.Enabled {
				all, err := filepath.Glob(filepath.Join(files[0], "*.ko*"))
				if err != nil || len(all) < 500 {
					t.Fatalf("%d modules, %v", len(all), err)
				}
				n := 0
				files = slices.DeleteFunc(all, func(string) bool { n++; return n%10 != 0 })
			}
			in := lint.Find(append(files, filepath.Join(dir, "vmlinux")))
			total, err := lint.Run(context.Background(), in, lint.Config{}, func(res *finding.Result) {
				for _, err := range res.Errors {
					t.Error(err)
				}
				if !res.IsModule || res.Image == nil {
					return
				}
				modules++
				n := res.Image.Callsites
				callsites += n
				if n == 0 {
					without++
				} else if res.Image.Era != suite.era.String() {
					t.Errorf("%s: era %v", res.Path, res.Image.Era)
				}
				for _, f := range res.Findings {
					t.Errorf("%s: %s: %s", f.Path, f.Rule.ID, f.Text())
				}
				for _, r := range res.Rules {
					switch id := r.Rule.ID; {
					case r.Status == finding.Inconclusive:
						t.Errorf("%s: %s: inconclusive: %s", res.Path, id, r.Why)
					case n == 0:
						continue
					case id == "FT409" && strings.HasSuffix(r.Examined, "the module placed near and far"):
						executed++
					case id == "FT409" && !strings.HasPrefix(r.Examined, plural.Of(n, "callsite")+" by the model"):
						t.Errorf("%s: FT409 examined %q", res.Path, r.Examined)
					case id == "FT403" && r.Examined != plural.Of(n, "entry")+", 0 of them blank":
						t.Errorf("%s: FT403 examined %q", res.Path, r.Examined)
					case (id == "FT401" || id == "FT404" || id == "FT407" || id == "FT410") && r.Examined != plural.Of(n, "callsite"):
						t.Errorf("%s: %s examined %q of %d callsites", res.Path, id, r.Examined, n)
					}
				}
			})
			if err != nil || len(total.Errors) > 0 || total.Unread > 0 || total.Judged != modules {
				t.Errorf("%+v, %v", total, err)
			}
			t.Logf("%d modules, %d of them without callsites, %d callsites, of %d modules executed, %.2f s", modules, without, callsites, executed, total.Elapsed.Seconds())
			if executed == 0 {
				t.Error("no callsite was executed")
			}
			if race.Enabled {
				return
			}
			if want, ok := moduleFigures[filepath.Base(dir)]; ok && (modules != want.modules || without != want.without || callsites != want.callsites) {
				t.Errorf("want %+v", want)
			}
			if modules < 500 || callsites < 10000 {
				t.Error("these are not all modules of a kernel")
			}
		})
	}
}

// Every callsite of some modules is executed, not one of each kind.
func TestRealModulesExhaustively(t *testing.T) {
	if testing.Short() || race.Enabled {
		t.Skip("SKIPPED: short, or under the race detector: scripts/test has a step for it")
	}
	for _, suite := range []string{"bookworm", "trixie"} {
		t.Run(suite, func(t *testing.T) {
			dir := needModules(t, suite, true)
			paths, err := filepath.Glob(filepath.Join(dir, "modules", "*.ko*"))
			if err != nil {
				t.Fatal(err)
			}
			rnd := rand.New(rand.NewPCG(1, 1))
			rnd.Shuffle(len(paths), func(i, j int) { paths[i], paths[j] = paths[j], paths[i] })
			in := lint.Find(append(slices.Clone(paths[:min(40, len(paths))]), filepath.Join(dir, "vmlinux")))
			cfg := lint.Config{Settings: checks.Settings{Exhaustive: true}, Checks: []*analysis.Analyzer{checks.FT408, checks.FT409}}
			executed := 0
			_, err = lint.Run(context.Background(), in, cfg, func(res *finding.Result) {
				for _, f := range res.Findings {
					t.Errorf("%s: %s: %s", f.Path, f.Rule.ID, f.Text())
				}
				if res.IsModule && res.Image != nil && res.Image.Callsites > 0 {
					for _, r := range res.Rules {
						if want := fmt.Sprintf("%d of %[1]d callsites executed, the module placed near and far", res.Image.Callsites); r.Rule.ID == "FT409" && r.Examined != want {
							t.Errorf("%s: %q, want %q", res.Path, r.Examined, want)
						}
					}
					executed += res.Image.Callsites
				}
			})
			if err != nil || executed < 100 {
				t.Errorf("%d callsites executed, %v", executed, err)
			}
		})
	}
}

// A kernel whose loader or site functions are broken for modules that are far
// is found by way of its modules: one word of it is changed at a time.
func TestBrokenFarKernels(t *testing.T) {
	if testing.Short() || race.Enabled {
		t.Skip("SKIPPED: short, or under the race detector: scripts/test has a step for it")
	}
	for _, suite := range []string{"bookworm", "trixie"} {
		t.Run(suite, func(t *testing.T) {
			dir := needModules(t, suite, true)
			paths, err := filepath.Glob(filepath.Join(dir, "modules", "xfs.ko*"))
			if err != nil || len(paths) != 1 {
				t.Fatalf("xfs: %v, %v", paths, err)
			}
			caught, tried := 0, 0
			var survivors []string
			for _, fn := range []string{"module_finalize", "get_plt_entry"} {
				for off := uint64(0); off < 512; off += 12 {
					kernel, err := elfscan.Open(filepath.Join(dir, "vmlinux"), "")
					if err != nil {
						t.Fatal(err)
					}
					start, ok := kernel.Lookup(fn)
					if !ok || off >= start.Size {
						kernel.Close()
						break
					}
					at := start.Addr + off
					word, _ := kernel.Word(at)
					if word == a64.NOP || a64.Classify(word) == a64.Call && off < 16 {
						kernel.Close()
						continue
					}
					if err := kernel.SetWord(at, a64.NOP); err != nil {
						t.Fatal(err)
					}
					tried++
					if judgedBad(t, kernel, paths[0]) {
						caught++
					} else {
						survivors = append(survivors, fmt.Sprintf("%s+%#x: %s", fn, off, a64.Text(word, at, kernel.Name)))
					}
					kernel.Close()
				}
			}
			t.Logf("%d of %d changes were caught; not: %s", caught, tried, strings.Join(survivors, "; "))
			if tried < 20 || caught*2 < tried {
				t.Errorf("%d of %d changes were caught", caught, tried)
			}
		})
	}
}

// judgedBad tells whether FT204, FT205 or FT409 of the module says that
// something is wrong, or cannot say.
func judgedBad(t *testing.T, kernel *elfscan.Image, module string) bool {
	t.Helper()
	bad := false
	for _, r := range lint.Module(t.Context(), module, kernel, lint.Config{}).Rules {
		bad = bad || r.Rule.ID == "FT409" && (r.Findings > 0 || r.Status == finding.Inconclusive || !strings.Contains(r.Examined, "near and far"))
	}
	return bad
}
