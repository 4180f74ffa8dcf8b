package checks_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/lint"
)

// without copies a sample and gives one of its symbols, or sections, another name of
// the same length.
func without(t *testing.T, sample, symbol string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(samples, sample))
	if err != nil {
		t.Fatal(err)
	}
	name := []byte("\x00" + symbol + "\x00")
	if bytes.Count(b, name) == 0 {
		t.Fatalf("%s has no name %s", sample, symbol)
	}
	gone := bytes.Clone(name)
	gone[1] ^= 1
	path := filepath.Join(t.TempDir(), filepath.Base(sample))
	if err := os.WriteFile(path, bytes.ReplaceAll(b, name, gone), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// A rule names the cases that did not run, each with the reason.
func TestSkipped(t *testing.T) {
	kernels, modules := samples+"/", moduleSamples+"/"
	unindexed := without(t, "../module-samples/kernel-callops.elf", ".debug_aranges") // as a kernel that clang built
	for _, test := range []struct {
		path string
		rule string
		want string // what is skipped; "": nothing is
	}{
		{modules + "kernel-callops.elf", "FT409", ``},
		{unindexed, "FT409", `^callsites of far modules \(no BTF: give a module or --exhaustive\)$`},
		{modules + "kernel-callops.elf", "FT408", ``},
		{unindexed, "FT113", `^direct calls by the kernel's own layout of ftrace_ops \(no BTF: give a module or --exhaustive\)$`},
		{modules + "kernel-mcount.elf", "FT409", `^callsites of far modules \(in era mcount only those of modules that are given\)$`},
		{modules + "good-mcount.ko", "FT413", `^functions themselves \(calls of _mcount`},
		{modules + "good-regs-wax.ko", "FT304", `^the kernel's loader on \.plt, \.text\.ftrace_trampoline \(no vmlinux was given\)$`},
		{modules + "good-callops.ko", "FT304", ``},
		{kernels + "callops-good.elf", "FT409", ``}, // it has no modules that could be far
		{kernels + "site-malformed.elf", "FT409", `^3 callsites \(not as built, misaligned or out of reach\)$`},
		{kernels + "builders/sites-callops-good.elf", "FT206", ``},
		{without(t, "builders/sites-callops-good.elf", "aarch64_insn_gen_branch_imm"), "FT206", `^aarch64_insn_gen_branch_imm \(the image has no such function\)$`},
		{kernels + "builders/builder-good.elf", "FT116", ``},
		{kernels + "builders/bpf-good.elf", "FT714", `^the prototype of each function \(give --exhaustive\)$`},
		{kernels + "builders/bpf-no-direct.elf", "FT714", ``}, // none can have a program
		{kernels + "builders/builder-dangling.elf", "FT116", `^the builder for ftrace_caller, with a trampoline asked for again \(with the trampoline released, ops->trampoline stays\)$`},
	} {
		t.Run(filepath.Base(test.path)+"/"+test.rule, func(t *testing.T) {
			var res *finding.Result
			if strings.HasSuffix(test.path, ".ko") {
				res = lintWith(t, "", test.path, lint.Config{})
			} else {
				res = lint.File(t.Context(), test.path, lint.Config{})
			}
			for _, r := range res.Rules {
				if r.Rule.ID != test.rule {
					continue
				}
				if r.Status != finding.Judged {
					t.Fatalf("%v: %v", r.Status, r.Why)
				}
				got := errors.Join(r.Skipped...)
				if (got == nil) != (test.want == "") || got != nil && !regexp.MustCompile(test.want).MatchString(strings.SplitN(got.Error(), "\n", 2)[0]) {
					t.Errorf("skipped: %v, want %s", got, test.want)
				}
				return
			}
			t.Error("the rule did not run")
		})
	}
}

// Where modules are judged with a kernel that has no BTF, DWARF is read, and what
// the kernel's summary would have called for is executed.
func TestModulesGiven(t *testing.T) {
	dir := moduleSamples + "/"
	_, err := lint.Run(context.Background(), lint.Find([]string{dir + "good-callops.ko", dir + "kernel-callops.elf"}), lint.Config{}, func(res *finding.Result) {
		for _, r := range res.Rules {
			if r.Skipped != nil || r.Status == finding.Inconclusive {
				t.Errorf("%s: %s: %v, skipped: %v", res.Path, r.Rule.ID, r.Why, r.Skipped)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range lintWith(t, dir+"kernel-callops.elf", dir+"no-ftrace-plt.ko", lint.Config{}).Rules {
		if want := "callsites of the module far from the kernel (it has no section .text.ftrace_trampoline)"; r.Rule.ID == "FT409" && (len(r.Skipped) != 1 || r.Skipped[0].Error() != want) {
			t.Errorf("skipped: %v, want %s", r.Skipped, want)
		}
	}
}

// A path through the entry code that cannot be prepared has not passed.
func TestGraphWithoutHook(t *testing.T) {
	res := lint.File(t.Context(), without(t, "metadata-near.elf", "prepare_ftrace_return"), lint.Config{})
	i := slices.IndexFunc(res.Rules, func(r finding.RuleRun) bool { return r.Rule.ID == "FT113" })
	if r := res.Rules[i]; r.Status != finding.Inconclusive || !strings.Contains(r.Why.Error(), "no prepare_ftrace_return") {
		t.Errorf("%v: %v", r.Status, r.Why)
	}
}
