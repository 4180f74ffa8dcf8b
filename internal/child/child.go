// Package child starts the programs that tests run. None of them outlives its
// test, or the tests.
package child

import (
	"os/exec"
	"testing"
	"time"
)

// Command is exec.Command for a test. The program is killed when the test ends
// and, on Linux, when the test's process does, however that comes: a signal, a
// timeout of go test. Programs that it has started and left behind keep Wait for
// five seconds at most.
func Command(t testing.TB, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.WaitDelay = 5 * time.Second
	cmd.SysProcAttr = diesWithParent()
	return cmd
}
