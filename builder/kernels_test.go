package builder_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ftlint/ftlint/elfscan"
)

const samples = "../testdata/vmlinux-samples"

// open opens an image for the test.
func open(t testing.TB, path string) *elfscan.Image {
	t.Helper()
	im, err := elfscan.Open(path, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { im.Close() })
	return im
}

// kernel is the kernel of a suite that scripts/fetch-kernels has fetched.
// Without it the test is skipped, but not in CI.
func kernel(t testing.TB, suite string) *elfscan.Image {
	t.Helper()
	root := os.Getenv("FTLINT_KERNELS")
	if root == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		root = filepath.Join(cache, "ftlint", "kernels")
	}
	path := filepath.Join(root, suite, "current", "vmlinux")
	if _, err := os.Stat(path); err != nil {
		if needed := suite == "bookworm" || suite == "trixie"; needed && os.Getenv("CI") == "true" {
			t.Fatalf("no kernel of %s: run scripts/fetch-kernels %s", suite, suite)
		}
		t.Skipf("NO KERNEL of %s, nothing is tested: run scripts/fetch-kernels %s", suite, suite)
	}
	return open(t, path)
}

// kernels are the suites whose kernels are tested.
var kernels = []string{"bullseye", "bookworm", "trixie", "forky"}

// goodSamples are samples without a defect, of all eras.
var goodSamples = []string{
	"regs-good.elf", "regs-5.10-good.elf", "regs-bti-good.elf", "args-good.elf", "callops-good.elf", "callops-bti-good.elf", "callops-6.3-good.elf",
	"mcount-good.elf", "dyntramp-good.elf",
	"builders/sites-regs-good.elf", "builders/sites-args-good.elf", "builders/sites-args-good-ssp.elf",
	"builders/sites-callops-good.elf", "builders/sites-callops-good-bti.elf", "builders/sites-mcount-good.elf",
}

// each runs the test on all good images.
func each(t *testing.T, test func(t *testing.T, im *elfscan.Image)) {
	for _, suite := range kernels {
		t.Run(suite, func(t *testing.T) { test(t, kernel(t, suite)) })
	}
	for _, name := range goodSamples {
		t.Run(name, func(t *testing.T) { test(t, open(t, filepath.Join(samples, name))) })
	}
}

// callsites are those of the image that are as built.
func callsites(t testing.TB, im *elfscan.Image) []elfscan.Site {
	t.Helper()
	sites, err := im.Sites()
	if err != nil || sites == nil {
		t.Fatalf("no callsites: %v", err)
	}
	var out []elfscan.Site
	for _, s := range im.SitesAs(sites.Addrs, im.Era().Shape()) {
		if s.OK && s.Saved < 0 {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		t.Fatal("no callsite is as built")
	}
	return out
}
