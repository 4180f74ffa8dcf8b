//go:build unix

package main

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ftlint/ftlint/internal/child"
)

// A run that gets a signal, whenever it comes, leaves each file whole: as it
// was, or as a run without one writes it. Nothing is left beside them.
func TestSignals(t *testing.T) {
	program := ftlint(t)
	samples, err := filepath.Abs("../../testdata/vmlinux-samples/builders")
	if err != nil {
		t.Fatal(err)
	}
	inputs, err := filepath.Glob(filepath.Join(samples, "*.elf"))
	if err != nil || len(inputs) < 8 {
		t.Fatalf("%d samples, %v", len(inputs), err)
	}
	inputs = inputs[:8]
	dir := t.TempDir()
	files := []string{"page", "results", "known"}
	start := func() *exec.Cmd {
		cmd := child.Command(t, program, append([]string{"-q", "-o", "html=page", "-o", "json=results", "--write-baseline", "known"}, inputs...)...)
		cmd.Dir = dir
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}

	began := time.Now()
	if err := start().Wait(); err != nil {
		t.Fatal(err) // all findings are in the baseline
	}
	took := time.Since(began)
	whole := map[string][]byte{}
	for _, name := range files {
		whole[name] = read(name)
	}

	const old = "what was there\n"
	times := 40
	if testing.Short() {
		times = 12
	}
	statuses := map[int]int{}
	written := 0
	for i := range times {
		for _, name := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(old), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cmd := start()
		after := took * time.Duration(i+1) * 3 / 2 / time.Duration(times) // files are written in the end
		time.Sleep(after)
		if err := cmd.Process.Signal([]os.Signal{os.Interrupt, syscall.SIGTERM}[i%2]); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		statuses[cmd.ProcessState.ExitCode()]++ // -1: before ftlint listens for signals
		for _, name := range files {
			switch got := read(name); {
			case bytes.Equal(got, whole[name]):
				written++
			case string(got) != old:
				t.Errorf("a signal after %v: %s has %d bytes, want the old %d or all %d", after, name, len(got), len(old), len(whole[name]))
			}
		}
		if list, err := os.ReadDir(dir); err != nil || len(list) != len(files) {
			t.Errorf("a signal after %v leaves %v, %v", after, list, err)
		}
	}
	for status := range statuses {
		if status < -1 || status > 2 || status == 1 {
			t.Errorf("statuses %v", statuses)
		}
	}
	if statuses[2] == 0 {
		t.Errorf("no run was interrupted: statuses %v", statuses)
	}
	t.Logf("statuses %v, %d of %d files written", statuses, written, times*len(files))
}

// SIGTERM ends these tests, also while ftlint runs in their process.
func TestTerminated(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := child.Command(t, self, "-test.v", "-test.run", "^TestDeterminism$")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "=== CONT  TestDeterminism/") {
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			limit := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
			defer limit.Stop()
		}
	}
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 128+int(syscall.SIGTERM) {
		t.Errorf("the tests end with %v", cmd.ProcessState)
	}
}

// An interrupt leaves none behind either: of modules, of patches, of an image
// that patches are judged with.
func TestNoGoroutineLeftByInterrupt(t *testing.T) {
	own := make(chan os.Signal, 1) // or a signal that comes late ends the test
	signal.Notify(own, os.Interrupt)
	defer signal.Stop(own)
	const samples = "../../testdata/"
	images := glob(t, samples+"vmlinux-samples/builders/sites-*.elf")[:16] // they take longer than the interrupts below
	patches := glob(t, "../../patchchecks/testdata/*.patch")
	calls := [][]string{
		append([]string{"--exhaustive"}, images...),
		append([]string{"--exhaustive", "-j", "1", "--image", images[0]}, patches...),
		{"-j", "8", samples + "module-samples/kernel-callops.elf", samples + "module-samples"},
	}
	for _, args := range calls {
		runs(t, "text", args)
	}
	before := runtime.NumGoroutine()
	for _, args := range calls {
		for _, after := range []time.Duration{time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond} {
			done := make(chan string)
			go func() { done <- runs(t, "text", args) }()
			time.Sleep(after)
			if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			<-done
			noMoreThan(t, before, args)
		}
	}
}
