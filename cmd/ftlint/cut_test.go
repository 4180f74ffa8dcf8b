//go:build unix

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A kernel image that is cut while ftlint runs, whenever that is, ends the run
// with a status and with one line for each input that could not be judged,
// never with a traceback: in the worlds that callsites are executed in, and
// while modules are judged as modules of the image.
func TestCut(t *testing.T) {
	exhaustive := []string{"--exhaustive", "--rules", "FT408,FT409"}
	samples := "../../testdata/"
	moments := 60
	if testing.Short() {
		moments = 8
	}
	t.Run("sample", func(t *testing.T) {
		cutWhile(t, samples+"vmlinux-samples/callops-good.elf", moments, exhaustive...)
	})
	t.Run("sample with modules", func(t *testing.T) {
		cutWhile(t, samples+"module-samples/kernel-callops.elf", moments, samples+"module-samples/good-callops.ko", samples+"module-samples/no-ftrace-plt.ko")
	})
	t.Run("kernel", func(t *testing.T) {
		cutWhile(t, realKernel(t, "trixie"), 10, exhaustive...)
	})
	t.Run("kernel with modules", func(t *testing.T) {
		vmlinux := realKernel(t, "trixie")
		modules, err := filepath.Glob(filepath.Join(filepath.Dir(vmlinux), "modules", "*.ko*"))
		if err != nil || len(modules) < 200 {
			t.Fatalf("%d modules, %v", len(modules), err)
		}
		cutWhile(t, vmlinux, 10, modules[:200]...)
	})
}

// realKernel is the vmlinux of a suite; without one, or if the run is to be
// quick, the test is skipped.
func realKernel(t *testing.T, suite string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED: -short")
	}
	vmlinux := filepath.Join(kernels(), suite, "current", "vmlinux")
	if _, err := os.Stat(vmlinux); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("SKIPPED: no kernel of %s: run scripts/fetch-kernels", suite)
	}
	return vmlinux
}

// cutWhile runs ftlint, as it is built for users, with args on a copy of the image and
// cuts the copy to nothing at moments spread evenly over the run.
func cutWhile(t *testing.T, image string, moments int, args ...string) {
	t.Helper()
	program := ftlint(t)
	path := filepath.Join(t.TempDir(), "vmlinux")
	var took time.Duration // by the last run
	run := func(after time.Duration) (status int, stdout, stderr string) {
		copyFile(t, path, image)
		var out, errs bytes.Buffer
		cmd := exec.Command(program, append([]string{"-q", "--max-per-rule", "1", path}, args...)...)
		cmd.Stdout, cmd.Stderr = &out, &errs
		began := time.Now()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if after > 0 {
			time.Sleep(after)
			if err := os.Truncate(path, 0); err != nil {
				t.Error(err)
			}
		}
		_ = cmd.Wait()
		took = time.Since(began)
		return cmd.ProcessState.ExitCode(), out.String(), errs.String()
	}
	if status, _, stderr := run(0); status < 0 || status > 1 || stderr != "" {
		t.Fatalf("of the whole image: status %d\n%s", status, stderr)
	}
	whole := took
	var statuses [3]int
	for i := range moments {
		after := whole * time.Duration(i+1) / time.Duration(moments)
		status, stdout, stderr := run(after)
		if status < 0 || status > 2 || strings.Contains(stdout+stderr, "goroutine ") || strings.Contains(stdout+stderr, "internal error") {
			t.Fatalf("cut after %v: status %d\n%.4000s", after, status, stderr)
		}
		statuses[status]++
		lines := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
		if stderr == "" {
			lines = nil
		}
		if (status == 2) != (len(lines) > 0) {
			t.Errorf("cut after %v: status %d, and it says\n%s", after, status, stderr)
		}
		var about []string
		for _, line := range lines {
			file, _, _ := strings.Cut(strings.TrimPrefix(line, "ftlint: "), ": ")
			if !strings.HasPrefix(line, "ftlint: ") || file != path && !slices.Contains(args, file) || slices.Contains(about, file) {
				t.Errorf("cut after %v: not one line for each input:\n%s", after, stderr)
			}
			about = append(about, file)
		}
	}
	t.Logf("%v for a run; cut at %d moments: status 0 %d times, 1 %d times, 2 %d times", whole.Round(time.Millisecond), moments, statuses[0], statuses[1], statuses[2])
}
