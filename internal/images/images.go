// Package images opens the images that tests look at: samples, and the kernels
// that scripts/fetch-kernels has fetched.
package images

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/samples"
)

// Samples is where the samples are, seen from a package's folder.
const Samples = samples.Dir

// Kernels are the suites whose kernels are tested.
var Kernels = []string{"bullseye", "bookworm", "trixie", "forky", "sid"}

// True are the findings on the kernels of suites that are true, beside those of FT209,
// FT407 and FT413: how many of each rule. All are about the JIT. 6.1 gives programs
// memory that is not aligned to 8 bytes, and its ftrace has no direct calls; all make a
// program's page writable for a moment when a trampoline is far away.
var True = map[string]map[string]int{
	"bookworm": {"FT707": 1, "FT708": 1, "FT714": 1},
	"trixie":   {"FT708": 1},
	"forky":    {"FT708": 1},
	"sid":      {"FT708": 1},
}

// Good are samples without a defect, of all eras.
var Good = []string{
	"regs-good.elf", "regs-5.10-good.elf", "regs-bti-good.elf", "args-good.elf", "callops-good.elf", "callops-bti-good.elf", "callops-6.3-good.elf",
	"mcount-good.elf", "mcount-scheduled.elf", "dyntramp-good.elf",
	"builders/sites-regs-good.elf", "builders/sites-args-good.elf", "builders/sites-args-good-ssp.elf",
	"builders/sites-callops-good.elf", "builders/sites-callops-good-bti.elf", "builders/sites-mcount-good.elf",
	"builders/sites-callops-good-kasan.elf", "builders/sites-callops-good-kasan-inline.elf",
}

// Sample opens a sample for the test.
func Sample(t testing.TB, name string) *elfscan.Image {
	t.Helper()
	return open(t, filepath.Join(Samples, name))
}

func open(t testing.TB, path string) *elfscan.Image {
	t.Helper()
	im, err := elfscan.Open(path, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(im.Close)
	return im
}

// Dir is where scripts/fetch-kernels puts kernels.
func Dir(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv("FTLINT_KERNELS"); dir != "" {
		return dir
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(cache, "ftlint", "kernels")
}

// Kernel opens the kernel of a suite. Without it the test is skipped, but not
// in CI.
func Kernel(t testing.TB, suite string) *elfscan.Image {
	t.Helper()
	inCI := slices.Contains([]string{"bookworm", "trixie", "trixie-amd64"}, suite)
	return kernel(t, suite, inCI, "scripts/fetch-kernels")
}

// Built opens the kernel of a name that scripts/build-kernels has built. Without it
// the test is skipped; in CI it fails, if inCI says that the kernel is built there.
func Built(t testing.TB, name string, inCI bool) *elfscan.Image {
	t.Helper()
	return kernel(t, name, inCI, "scripts/build-kernels")
}

func kernel(t testing.TB, name string, inCI bool, script string) *elfscan.Image {
	t.Helper()
	path := filepath.Join(Dir(t), name, "current", "vmlinux")
	if _, err := os.Stat(path); err != nil {
		if inCI && os.Getenv("CI") == "true" {
			t.Fatalf("no kernel %s: run %s %s", name, script, name)
		}
		t.Skipf("NO KERNEL %s, nothing is tested: run %s %s", name, script, name)
	}
	return open(t, path)
}

// Poke changes bytes of the image.
func Poke(t testing.TB, im *elfscan.Image, addr uint64, code []byte) {
	t.Helper()
	for i, c := range code {
		at := addr + uint64(i) - 3 // the word that ends with the byte
		w, ok := im.Word(at)
		if !ok {
			t.Fatalf("no bytes at %#x", at)
		}
		if err := im.SetWord(at, w&0xff_ffff|uint32(c)<<24); err != nil {
			t.Fatal(err)
		}
	}
}

// Each runs the test on all kernels and good samples.
func Each(t *testing.T, test func(t *testing.T, im *elfscan.Image)) {
	for _, suite := range Kernels {
		t.Run(suite, func(t *testing.T) { test(t, Kernel(t, suite)) })
	}
	for _, name := range Good {
		t.Run(name, func(t *testing.T) { test(t, Sample(t, name)) })
	}
}
