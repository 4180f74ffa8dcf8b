package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// collected is the heap at the end of a collection, in MB, as GODEBUG=gctrace=1
// prints it: "25->27->12 MB".
var collected = regexp.MustCompile(`\d+->(\d+)->\d+ MB`)

// GOMEMLIMIT is honoured: the heap stays below it on a real kernel with all
// its modules, and a patch that may need more is refused.
func TestMemoryLimit(t *testing.T) {
	program := filepath.Join(t.TempDir(), "ftlint")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	const limit = 32 // MiB
	limited := func(args ...string) (stderr []byte, status int) {
		cmd := exec.Command(program, args...)
		cmd.Env = append(os.Environ(), "GOMEMLIMIT="+strconv.Itoa(limit)+"MiB", "GODEBUG=gctrace=1")
		var b bytes.Buffer
		cmd.Stderr = &b
		_ = cmd.Run()
		return b.Bytes(), cmd.ProcessState.ExitCode()
	}

	big := filepath.Join(t.TempDir(), "big.patch")
	if err := os.WriteFile(big, bytes.Repeat([]byte("+ x\n"), limit<<20/16), 0o600); err != nil {
		t.Fatal(err)
	}
	if stderr, status := limited(big); status != 2 || !bytes.Contains(stderr, []byte("big.patch: more than 4096 KiB, which may need more memory than GOMEMLIMIT has\n")) {
		t.Errorf("a patch of 8 MiB: status %d\n%s", status, stderr)
	}

	kernel := filepath.Join(kernels(), "trixie", "current")
	if _, err := os.Stat(kernel); err != nil {
		if os.Getenv("CI") == "true" && !testing.Short() {
			t.Fatal(err)
		}
		t.Skip("SKIPPED: no kernel of trixie: run scripts/fetch-kernels")
	}
	for _, args := range [][]string{{"-q", "--exhaustive", filepath.Join(kernel, "vmlinux")}, {"-q", filepath.Join(kernel, "vmlinux"), filepath.Join(kernel, "modules")}} {
		stderr, status := limited(args...)
		all := collected.FindAllSubmatch(stderr, -1)
		if status != 0 || len(all) == 0 {
			t.Fatalf("%v: status %d, %d collections\n%s", args, status, len(all), stderr)
		}
		for _, m := range all {
			if mb, _ := strconv.Atoi(string(m[1])); mb > limit {
				t.Errorf("%v: a heap of %d MB with GOMEMLIMIT=%dMiB", args, mb, limit)
			}
		}
	}
}
