package checks_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/rules"
)

const (
	moduleSamples = "../testdata/module-samples"
	x86Samples    = "../testdata/vmlinux-samples/x86" // with modules, too
)

// kernelComment names the kernel that a sample of a module is for.
var kernelComment = regexp.MustCompile(`(?m)^// kernel: (\S+)$`)

// lintWith lints a module with a kernel, or without a kernel if kernel is "", and
// returns the module's result.
func lintWith(t *testing.T, kernel, module string, cfg lint.Config) *finding.Result {
	t.Helper()
	args := []string{module}
	if kernel != "" {
		args = append(args, kernel)
	}
	var got *finding.Result
	total, err := lint.Run(context.Background(), lint.Find(args), cfg, func(res *finding.Result) {
		for _, err := range res.Errors {
			t.Error(err)
		}
		if res.IsModule {
			got = res
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range total.Errors {
		t.Error(err)
	}
	if got == nil || got.Image == nil {
		t.Fatalf("%s was not judged as a module", module)
	}
	return got
}

// TestModuleSamples compares the findings in each sample of a module with the
// expectations in its source, both ways. It lints the samples without a defect
// without a kernel, too.
func TestModuleSamples(t *testing.T) {
	var paths []string
	for _, dir := range []string{moduleSamples, x86Samples} {
		some, err := filepath.Glob(filepath.Join(dir, "*.ko"))
		if err != nil || len(some) == 0 {
			t.Fatalf("no samples in %s: %v", dir, err)
		}
		paths = append(paths, some...)
	}
	triggered, ran := map[string]bool{}, 0
	for _, path := range paths {
		name, dir := strings.TrimSuffix(filepath.Base(path), ".ko"), filepath.Dir(path)
		t.Run(name, func(t *testing.T) {
			ran++
			source := name
			for {
				if _, err := os.Stat(filepath.Join(dir, source+".S")); err == nil {
					break
				}
				i := strings.LastIndexByte(source, '-')
				if i < 0 {
					t.Fatalf("%s has no source", path)
				}
				source = source[:i]
			}
			b, err := os.ReadFile(filepath.Join(dir, source+".S"))
			if err != nil {
				t.Fatal(err)
			}
			m := kernelComment.FindSubmatch(b)
			if m == nil {
				t.Fatalf("%s.S names no kernel", source)
			}
			kernel := filepath.Join(dir, string(m[1])+".elf")
			res := lintWith(t, kernel, path, lint.Config{})
			from, err := filepath.Rel(samples, filepath.Join(dir, source+".S"))
			if err != nil {
				t.Fatal(err)
			}
			wants := readWants(t, from)
			for _, w := range wants {
				w.file = filepath.Base(w.file)
			}
			for _, f := range res.Findings {
				triggered[f.Rule.ID] = true
				if f.Fix == "" {
					t.Errorf("no fix: %s [%s]", f.Headline, f.Rule.ID)
				}
				if !meet(wants, f, nil) {
					t.Errorf("%s:%d: unexpected finding: %s %s", f.Path, f.Line, f.Rule.ID, f.Text())
				}
			}
			for _, w := range wants {
				if !w.met {
					t.Errorf("not found: %v", w)
				}
			}
			for _, r := range res.Rules {
				if r.Status == finding.Inconclusive {
					t.Errorf("%s: inconclusive: %s", r.Rule.ID, r.Why)
				}
			}
			if len(wants) > 0 {
				return
			}
			alone := lintWith(t, "", path, lint.Config{})
			for _, f := range alone.Findings {
				t.Errorf("without a kernel: %s:%d: %s %s", f.Path, f.Line, f.Rule.ID, f.Text())
			}
			for _, r := range alone.Rules {
				if r.Rule.ID == "FT204" && dir == moduleSamples && (r.Why == nil || r.Why.Error() != "no vmlinux was given") && alone.Image.Callsites > 0 {
					t.Errorf("FT204 without a kernel: %+v", r.Outcome)
				}
			}
		})
	}
	if ran < len(paths) {
		return // -run names some of the samples
	}
	for _, r := range rules.All() {
		switch r.ID {
		case "FT406", "FT408", "FT411", "FT412": // about the kernel: its samples trigger them
		default:
			if r.On&rules.Modules != 0 && !triggered[r.ID] {
				t.Errorf("no sample of a module triggers %s: write one in testdata/module-samples, with // want %[1]s \"...\" at the line of the finding", r.ID)
			}
		}
	}
}

// A module placed out of reach goes through its PLT, which is executed. The
// kernel's functions do that in each era.
func TestModuleIsPlacedFar(t *testing.T) {
	for name, kernel := range map[string]string{
		"good-callops": "kernel-callops", "good-callops-bti": "kernel-callops", "good-callops-6.12": "kernel-callops-6.12",
		"good-regs": "kernel-regs", "good-regs-wax": "kernel-regs", "good-mcount": "kernel-mcount", "good-mcount-6.1": "kernel-mcount-6.1",
	} {
		res := lintWith(t, filepath.Join(moduleSamples, kernel+".elf"), filepath.Join(moduleSamples, name+".ko"), lint.Config{})
		for _, r := range res.Rules {
			if r.Rule.ID == "FT409" && !strings.Contains(r.Examined, "placed near and far") {
				t.Errorf("%s: FT409 examined %q", name, r.Examined)
			}
		}
	}
}

// TestModuleLoaders executes the loader of each sample of a kernel on made-up
// modules. The samples have no BTF, so that only an exhaustive run does all of that.
func TestModuleLoaders(t *testing.T) {
	const far = `(?s)^ftrace_make_call cannot enable .*executed with ftrace_caller \+1024 MiB and the PLT in the module's text -256 MiB away \(BL reaches -128\.\.\+128\), it returns 0 and leaves d4202000 .brk #0x100.: the kernel dies`
	wants := map[string]map[string]string{ // by kernel and rule
		"kernel-plt-wrong":    {"FT409": `(?s)^module_finalize does with.*executed on a module with all sections.*it writes a PLT entry at 0x[0-9a-f]+ that does not come to ftrace_caller`},
		"kernel-plt-writable": {"FT409": `(?s)^module_frob_arch_sections does with.*executed on a module with all sections.*it makes \.plt SHT_NOBITS with flags SHF_WRITE\+SHF_ALLOC\+SHF_EXECINSTR`},
		"kernel-plt-near":     {"FT409": `(?s)^ftrace_make_call leaves other words .*executed on callsite .* just behind its text`, "FT209": far},
		"kernel-plt-small":    {"FT208": `(?s)^module_emit_plt_entry does not give.*executed on a made-up module with most branches in text, it finds no room in \.init\.plt, as module_frob_arch_sections has counted the branches \(0x48 bytes\): it must hold 6 entries`},
		"kernel-exit-init":    {"FT208": `(?s)^module_init_layout_section does not give.*executed on names of sections, it takes "\.exit\.text" for init text, which is freed when .*: this kernel can unload modules`},
		"kernel-callops-6.12": {"FT209": far},
		"kernel-regs":         {"FT209": far}, // a note: one region holds both, unless it is full
	}
	paths, err := filepath.Glob(filepath.Join(moduleSamples, "kernel-*.elf"))
	if err != nil || len(paths) < 5 {
		t.Fatalf("%d kernels in %s: %v", len(paths), moduleSamples, err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".elf")
		t.Run(name, func(t *testing.T) {
			res := lint.File(t.Context(), path, lint.Config{Settings: checks.Settings{Exhaustive: true}})
			found := map[string]bool{}
			for _, f := range res.Findings {
				if want := wants[name][f.Rule.ID]; want == "" || !regexp.MustCompile(want).MatchString(f.Text()) {
					t.Errorf("not expected: %s %s", f.Rule.ID, f.Text())
				}
				if note := f.Rule.Severity == rules.Note; note != (name == "kernel-regs") {
					t.Errorf("%s is of severity %v", f.Rule.ID, f.Rule.Severity)
				}
				found[f.Rule.ID] = true
			}
			for rule, want := range wants[name] {
				if !found[rule] {
					t.Errorf("not found: %s %s", rule, want)
				}
			}
			for _, r := range res.Rules {
				if r.Status == finding.Inconclusive {
					t.Errorf("%s: inconclusive: %s", r.Rule.ID, r.Why)
				}
			}
		})
	}
}

// Of a callsite in init text, FT205 judges the module where the kernel has PLTs in
// init text, and FT209 the kernel where it has none.
func TestOneRuleJudgesInitText(t *testing.T) {
	for kernel, judges := range map[string]string{"kernel-callops": "FT205", "kernel-callops-6.12": "FT209", "kernel-regs": "FT209"} {
		path := filepath.Join(moduleSamples, kernel+".elf")
		module := map[string]string{"kernel-callops": "init-no-plt", "kernel-callops-6.12": "good-callops-6.12", "kernel-regs": "good-regs"}[kernel]
		found := map[string]bool{}
		for _, f := range lint.File(t.Context(), path, lint.Config{Settings: checks.Settings{Exhaustive: true}}).Findings {
			found[f.Rule.ID] = true
		}
		for _, f := range lintWith(t, path, filepath.Join(moduleSamples, module+".ko"), lint.Config{}).Findings {
			found[f.Rule.ID] = true
		}
		if len(found) != 1 || !found[judges] {
			t.Errorf("%s with %s: found %v, %s alone was expected", kernel, module, found, judges)
		}
	}
}

// Exit text is init text in a kernel that cannot unload modules.
func TestExitText(t *testing.T) {
	for kernel, want := range map[string]elfscan.Part{"kernel-callops": elfscan.Text, "kernel-no-unload": elfscan.InitText} {
		k, err := elfscan.Open(filepath.Join(moduleSamples, kernel+".elf"), "")
		if err != nil {
			t.Fatal(err)
		}
		defer k.Close()
		m, err := elfscan.OpenModule(filepath.Join(moduleSamples, "good-callops.ko"), elfscan.ModuleOptions{Kernel: k})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if s, _ := m.Module().Section(".exit.text"); s.Part != want {
			t.Errorf("%s: .exit.text is in %v, want %v", kernel, s.Part, want)
		}
		res := lintWith(t, filepath.Join(moduleSamples, kernel+".elf"), filepath.Join(moduleSamples, "good-callops.ko"), lint.Config{})
		for _, f := range res.Findings {
			t.Errorf("%s: %s %s", kernel, f.Rule.ID, f.Text())
		}
	}
}
