package child

import (
	"bufio"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A program ends with its test.
func TestEndsWithTest(t *testing.T) {
	var pid int
	t.Run("", func(t *testing.T) {
		cmd := Command(t, "sleep", "1000")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		pid = cmd.Process.Pid
		t.Cleanup(func() { _ = cmd.Wait() })
	})
	ended(t, pid)
}

// A program ends with the process of its test, when SIGTERM ends that: here with
// this test, run again.
func TestEndsWithProcess(t *testing.T) {
	if os.Getenv("FTLINT_CHILD") != "" {
		cmd := Command(t, "sleep", "1000")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("pid " + strconv.Itoa(cmd.Process.Pid) + "\n")
		_ = cmd.Wait()
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	again := Command(t, self, "-test.run", "^TestEndsWithProcess$")
	again.Env = append(os.Environ(), "FTLINT_CHILD=1")
	out, err := again.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "pid ")))
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = again.Wait()
	ended(t, pid)
}

// ended fails the test unless the process ends within five seconds. One that
// nobody waits for, in a container whose first process is not init, has ended.
func ended(t *testing.T, pid int) {
	t.Helper()
	for range 500 {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		_, state, _ := strings.Cut(string(stat), ") ")
		if errors.Is(err, os.ErrNotExist) || strings.HasPrefix(state, "Z") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %d goes on", pid)
}
