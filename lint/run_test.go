package lint_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/lint"
)

// Run takes what a command line can name in one call, and gives the results in
// the order of the inputs: patches, then images, then modules.
func TestRunOfEverything(t *testing.T) {
	patch, source := "../patchchecks/testdata/example.patch", "../testdata/vmlinux-samples/builders/rfc-builder.c"
	kernel, built := moduleSamples+"/kernel-regs.elf", samples+"rfc-trampoline-debian.elf"
	modules := []string{moduleSamples + "/good-regs.ko", moduleSamples + "/site-malformed.ko"}
	in := lint.Find([]string{modules[1], kernel, source, patch, modules[0], patch})
	in.Built = built
	for _, workers := range []int{1, 4} {
		var got []string
		total, err := lint.Run(t.Context(), in, lint.Config{Workers: workers}, func(res *finding.Result) { got = append(got, res.Path) })
		if err != nil || total.Judged != 2 || total.Interrupted != nil || len(total.Errors) > 0 {
			t.Errorf("%+v, %v", total, err)
		}
		if want := []string{patch, source, built, kernel, modules[0], modules[1]}; !slices.Equal(got, want) {
			t.Errorf("%d workers: results of %q, want %q", workers, got, want)
		}
	}
	// Each module goes with the kernel that it is made for; a debug file is of one.
	in.Images = append(in.Images, built)
	total, err := lint.Run(t.Context(), in, lint.Config{}, func(res *finding.Result) {
		if res.IsModule && (res.Image == nil || res.Image.Module.Kernel != kernel) {
			t.Errorf("%s was judged with another kernel than %s", res.Path, kernel)
		}
	})
	if err != nil || len(total.Errors) > 0 {
		t.Errorf("two kernels: %+v, %v", total, err)
	}
	if _, err := lint.Run(t.Context(), in, lint.Config{DebugFile: built}, func(*finding.Result) { t.Error("a result, though the call was bad") }); err == nil {
		t.Error("a debug file of two kernels")
	}
}

// What an identity says of a symbol is its name in the symbol table, whatever
// characters the name has.
func TestSymbolOfIdentity(t *testing.T) {
	b, err := os.ReadFile(samples + "site-not-at-entry.elf")
	if err != nil {
		t.Fatal(err)
	}
	b = bytes.ReplaceAll(b, []byte("\x00vfs_fsync\x00"), []byte("\x00vf+s [nc]\x00"))
	path := filepath.Join(t.TempDir(), "vmlinux")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	res := lint.File(t.Context(), path, lint.Config{})
	if !slices.ContainsFunc(res.Findings, func(f finding.Finding) bool { return f.Identity.Symbol == "vf+s [nc]" }) {
		t.Errorf("no finding has the symbol: %+v", res.Findings)
	}
}
