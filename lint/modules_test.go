package lint_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/lint"
)

const moduleSamples = "../testdata/module-samples"

// copies fills a folder with n copies of a sample of a module.
func copies(t testing.TB, name string, n int) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(moduleSamples, name+".ko"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for i := range n {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%04d.ko", i)), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Results come in the order of the inputs, however many run at once.
func TestInOrder(t *testing.T) {
	in := lint.Find([]string{copies(t, "good-callops", 200), filepath.Join(moduleSamples, "kernel-callops.elf")})
	if len(in.Modules) != 200 || len(in.Images) != 1 || len(in.Errors) != 0 {
		t.Fatalf("%d modules, files %v, errors %v", len(in.Modules), in.Images, in.Errors)
	}
	var got []string
	total, err := lint.Run(context.Background(), in, lint.Config{Workers: 8}, func(res *finding.Result) {
		got = append(got, res.Path)
		for _, f := range res.Findings {
			t.Errorf("%s: %s %s", f.Path, f.Rule.ID, f.Text())
		}
	})
	if err != nil || total.Judged != 200 || total.Unread != 0 || len(total.Errors) != 0 || total.Interrupted != nil {
		t.Errorf("%+v, %v", total, err)
	}
	if want := append(slices.Clone(in.Images), in.Modules...); !slices.Equal(got, want) {
		t.Errorf("order: %v", got)
	}
}

// A defect of the kernel's functions is a finding of the first module that shows it.
// The rule does not apply to the others, and says where the finding is.
func TestDefectOfTheKernel(t *testing.T) {
	in := lint.Find([]string{copies(t, "plt-wrong", 3), filepath.Join(moduleSamples, "kernel-plt-wrong.elf")})
	var results []*finding.Result
	if _, err := lint.Run(context.Background(), in, lint.Config{Workers: 2}, func(res *finding.Result) { results = append(results, res) }); err != nil {
		t.Fatal(err)
	}
	if len(results) != 4 {
		t.Fatalf("%d results", len(results))
	}
	for n, res := range results {
		want, status := 1, finding.Judged
		if n > 1 { // behind the kernel and the first module
			want, status = 0, finding.NotApplicable
		}
		if len(res.Findings) != want {
			t.Errorf("%s: %d findings, want %d: %v", res.Path, len(res.Findings), want, res.Findings)
		}
		for _, r := range res.Rules {
			if r.Rule.ID == "FT409" && (r.Findings != want || r.Status != status) {
				t.Errorf("%s: %d findings, %v", res.Path, r.Findings, r.Outcome)
			} else if r.Rule.ID == "FT409" && want == 0 && !strings.HasSuffix(fmt.Sprint(r.Why), "module_finalize does wrong, as is said of "+results[1].Path) {
				t.Errorf("%s: %v", res.Path, r.Why)
			}
		}
	}
}

// When the context is done Run returns at once and says how far it came.
func TestInterrupted(t *testing.T) {
	in := lint.Find([]string{copies(t, "good-callops", 400), filepath.Join(moduleSamples, "kernel-callops.elf")})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var at time.Time
	emitted := 0
	stop := func(done int) {
		if done == 5 {
			at = time.Now()
			cancel()
		}
	}
	total, err := lint.Run(ctx, in, lint.Config{Workers: 2, Progress: stop}, func(res *finding.Result) {
		if res.IsModule {
			emitted++
		}
	})
	if err != nil || total.Interrupted == nil || total.Judged != emitted || total.Judged >= 400 || total.Modules != 400 {
		t.Errorf("%+v, %v: %d emitted", total, err, emitted)
	}
	if d := time.Since(at); d > time.Second {
		t.Errorf("it took %v to stop", d)
	}
}

// A folder that is named by a link is searched; links in it are not followed,
// and what cannot be read is an error beside the modules that can.
func TestFind(t *testing.T) {
	dir := copies(t, "good-regs", 1)
	sub := filepath.Join(dir, "kernel", "drivers")
	if err := os.MkdirAll(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.ko.xz", "b.ko.gz", "c.ko.zst", "d.ko.debug", "e.txt", "new\nline.ko"} {
		if err := os.WriteFile(filepath.Join(sub, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	outside := copies(t, "good-regs", 3)
	links := filepath.Join(t.TempDir(), "link")
	for _, l := range [][2]string{{outside, filepath.Join(dir, "build")}, {filepath.Join(outside, "0000.ko"), filepath.Join(dir, "z.ko")}, {dir, links}} {
		if err := os.Symlink(l[0], l[1]); err != nil {
			t.Skip(err)
		}
	}
	in := lint.Find([]string{links})
	var names []string
	for _, m := range in.Modules {
		rel, err := filepath.Rel(links, m)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, rel)
	}
	if want := []string{"0000.ko", "kernel/drivers/a.ko.xz", "kernel/drivers/b.ko.gz", "kernel/drivers/c.ko.zst", "kernel/drivers/new\nline.ko"}; !slices.Equal(names, want) || len(in.Errors) != 0 {
		t.Errorf("found %q, errors %v", names, in.Errors)
	}

	empty := t.TempDir()
	in = lint.Find([]string{empty, "nowhere", "nowhere", filepath.Join(outside, "0001.ko"), filepath.Join(moduleSamples, "kernel-regs.elf")})
	if len(in.Errors) != 1 || !strings.Contains(in.Errors[0].Error(), empty+": a folder without a vmlinux or modules") {
		t.Errorf("errors %v", in.Errors)
	}
	if want := []string{filepath.Join(moduleSamples, "kernel-regs.elf"), "nowhere"}; !slices.Equal(in.Images, want) || len(in.Modules) != 1 {
		t.Errorf("files %q, modules %q", in.Images, in.Modules)
	}

	if os.Geteuid() != 0 {
		if err := os.Chmod(sub, 0); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(sub, 0o700)
		in = lint.Find([]string{dir})
		if len(in.Modules) != 1 || len(in.Errors) != 1 || !strings.Contains(in.Errors[0].Error(), fs.ErrPermission.Error()) {
			t.Errorf("modules %q, errors %v", in.Modules, in.Errors)
		}
	}
}
