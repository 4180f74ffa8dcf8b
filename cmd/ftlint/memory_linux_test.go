package main

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Images whose code takes all memory that it gets cost little memory and time,
// and what cannot be known of them is inconclusive.
func TestGreedyImage(t *testing.T) {
	program := filepath.Join(t.TempDir(), "ftlint")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	const most = 256 << 10 // KiB
	for _, name := range []string{"builder-greedy", "builder-greedy-stores"} {
		for _, args := range [][]string{nil, {"--exhaustive"}} {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			cmd := exec.CommandContext(ctx, program, append(args, "../../testdata/vmlinux-samples/builders/"+name+".elf")...)
			var out, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &stderr
			begin := time.Now()
			err := cmd.Run()
			cancel()
			if peak := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss; peak > most {
				t.Errorf("%s %v: %d KiB, at most %d are in order", name, args, peak, most)
			} else {
				t.Logf("%s %v: %d KiB in %v", name, args, peak, time.Since(begin).Round(time.Millisecond))
			}
			if err != nil {
				t.Errorf("%s %v: %v\n%s", name, args, err, stderr.Bytes())
			}
			if !strings.Contains(stderr.String(), "inconclusive: FT308: the builder, executed for ftrace_caller, with memory beyond +128 MiB of the image: step limit reached at ") {
				t.Errorf("%s %v: FT308 is not inconclusive:\n%s", name, args, stderr.Bytes())
			}
		}
	}
}
