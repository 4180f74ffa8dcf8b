package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/ftlint/ftlint/internal/child"
)

// collected is the heap at the end of a collection, in MB, as GODEBUG=gctrace=1
// prints it: "25->27->12 MB".
var collected = regexp.MustCompile(`\d+->(\d+)->\d+ MB`)

// GOMEMLIMIT is honoured: the heap stays below it on a real kernel with all
// its modules; patches and modules that may need more are refused.
func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	program := ftlint(t)
	const limit = 32 // MiB
	limited := func(args ...string) (stderr []byte, status int) {
		cmd := child.Command(t, program, args...)
		cmd.Env = append(os.Environ(), "GOMEMLIMIT="+strconv.Itoa(limit)+"MiB", "GODEBUG=gctrace=1")
		var b bytes.Buffer
		cmd.Stderr = &b
		_ = cmd.Run()
		return b.Bytes(), cmd.ProcessState.ExitCode()
	}

	over := func(stderr []byte) (most int) {
		for _, m := range collected.FindAllSubmatch(stderr, -1) {
			if mb, _ := strconv.Atoi(string(m[1])); mb > limit {
				most = max(most, mb)
			}
		}
		return most
	}
	// bounded fails the test if the heap is over the limit in each of three runs. The
	// collector lags behind where other programs have the processors.
	bounded := func(stderr []byte, args ...string) {
		t.Helper()
		most := over(stderr)
		for try := 0; try < 2 && most > 0; try++ {
			stderr, _ = limited(args...)
			most = over(stderr)
		}
		if most > 0 {
			t.Errorf("%v: a heap of %d MB with GOMEMLIMIT=%dMiB", args, most, limit)
		}
	}

	// What takes the most memory for its size, and is just small enough.
	dir := t.TempDir()
	lines := (limit<<20/128 - 200) / 2
	head := fmt.Sprintf("--- /dev/null\n+++ b/arch/arm64/kernel/ftrace.c\n@@ -0,0 +1,%d @@\n", lines)
	patch := filepath.Join(dir, "a.patch")
	write := func(name string, text []byte) {
		t.Helper()
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(patch, append([]byte(head), bytes.Repeat([]byte("+\n"), lines)...))
	if stderr, status := limited(patch); status != 0 {
		t.Errorf("a patch of empty lines: status %d\n%s", status, stderr)
	} else {
		bounded(stderr, patch)
	}
	write(patch, append([]byte(head), bytes.Repeat([]byte("+\n"), lines+200)...))
	if stderr, status := limited(patch); status != 2 || !bytes.Contains(stderr, []byte("a.patch: more than 256 KiB, which may need more memory than GOMEMLIMIT has\n")) {
		t.Errorf("a patch that is too large: status %d\n%s", status, stderr)
	}

	// A module of 1 KB for each MB that it unpacks to.
	module := filepath.Join(dir, "bomb.ko.gz")
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	for range 2 * limit {
		if _, err := w.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	write(module, packed.Bytes())
	if stderr, status := limited(module); status != 2 || !bytes.Contains(stderr, []byte("bomb.ko.gz: unpacks to more than the limit of 8,388,608 bytes\n")) {
		t.Errorf("a bomb: status %d\n%s", status, stderr)
	} else {
		bounded(stderr, module)
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
		bounded(stderr, args...)
	}
}
