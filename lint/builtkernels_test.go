package lint_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/rules"
)

// builtKernels are the kernels that scripts/build-kernels can build, and the era
// that each is of. Each works when booted. What is found in one is true of it: up to
// 6.1, overridden weak functions leave callsites that ftrace patches.
var builtKernels = []struct {
	name  string
	era   *arch.Era
	inCI  bool     // CI must have it
	found []string // rules that find something
}{
	{"regs-gcc", arch.RegsEra, false, []string{"FT407"}},
	{"callops-gcc", arch.Callops, true, nil},
	{"callops-clang", arch.Callops, false, nil},
	{"args-gcc", arch.Args, false, nil},
	{"args-clang", arch.Args, false, nil},
	{"mcount-gcc", arch.Mcount, false, []string{"FT407"}},
	{"lto-clang", arch.Args, false, nil},
	{"static-gcc", arch.Callops, false, nil},
	{"nograph-clang", arch.Callops, false, nil},
	{"kasan-gcc", arch.Callops, false, nil},
	{"regs-clang", arch.RegsEra, false, []string{"FT407"}},
	{"sid-clang", arch.Args, false, nil},
}

// A kernel that was built with other options than Debian's has no finding, nor
// have its modules, and no rule is inconclusive.
func TestBuiltKernels(t *testing.T) {
	for _, k := range builtKernels {
		t.Run(k.name, func(t *testing.T) {
			dir := kernelDir(t, k.name)
			if dir == "" {
				missing(t, k.inCI, "no kernel %s: run scripts/build-kernels %s", k.name, k.name)
			}
			want, err := filepath.Glob(filepath.Join(dir, "modules", "*.ko"))
			if err != nil {
				t.Fatal(err)
			}
			modules := 0
			in := lint.Find(append(want, filepath.Join(dir, "vmlinux")))
			total, err := lint.Run(t.Context(), in, lint.Config{}, func(res *finding.Result) {
				if res.IsModule {
					modules++
				}
				if res.Image == nil || res.Image.Era != k.era.String() || res.Image.Callsites == 0 {
					t.Errorf("%s: %+v, want callsites of era %v", res.Path, res.Image, k.era)
				}
				for _, f := range res.Findings {
					if f.Rule.Severity == rules.Note || slices.Contains(k.found, f.Rule.ID) {
						continue
					}
					t.Errorf("%s:%d: %s [%s]", f.Path, f.Line, f.Text(), f.Rule.ID)
				}
				for _, r := range res.Rules {
					if r.Status == finding.Inconclusive {
						t.Errorf("%s: %s is inconclusive: %s", res.Path, r.Rule.ID, r.Why)
					}
				}
			})
			if err != nil || len(total.Errors) > 0 || total.Unread > 0 {
				t.Errorf("%+v, %v", total, err)
			}
			if modules != len(want) {
				t.Errorf("%d modules were judged, there are %d", modules, len(want))
			}
		})
	}
}
