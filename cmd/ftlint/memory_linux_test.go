package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			peakOf := watchMemory(cmd.Process.Pid)
			err := cmd.Wait()
			cancel()
			peak := peakOf()
			if peak == 0 || peak > most {
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

// watchMemory looks at the peak of a process's resident memory while the process
// runs. What it returns gives the peak in KiB. What wait4() reports would not do:
// it has the memory of the parent, which the child shared until it called exec().
func watchMemory(pid int) (peak func() int) {
	stop, done := make(chan struct{}), make(chan int)
	go func() {
		most := 0
		for {
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			if _, rest, ok := bytes.Cut(status, []byte("VmHWM:")); ok {
				var kib int
				_, _ = fmt.Sscan(string(rest), &kib)
				most = max(most, kib)
			}
			select {
			case <-stop:
				done <- most
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	return func() int { close(stop); return <-done }
}
