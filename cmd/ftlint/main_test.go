package main

import (
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ftlint/ftlint/internal/child"
)

func TestMain(m *testing.M) {
	testscript.Main(tests{m}, map[string]func(){"ftlint": main})
}

// tests are the tests of this package. SIGTERM ends them: a run of ftlint within
// the test's process takes the signal for its own end, and the tests after it
// would go on.
type tests struct{ *testing.M }

func (m tests) Run() int {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	go func() {
		<-terminated
		_ = os.RemoveAll(buildDir())
		os.Exit(128 + int(syscall.SIGTERM))
	}()
	defer func() { _ = os.RemoveAll(buildDir()) }()
	return m.M.Run()
}

// buildDir is the folder of the program that ftlint builds.
var buildDir = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "ftlint-test")
	if err == nil {
		err = os.Chmod(dir, 0o755) // somebody else may run what is in it
	}
	if err != nil {
		panic(err)
	}
	return dir
})

var build sync.Once

// ftlint is the program as users run it, without the race detector. It is built
// once for all tests.
func ftlint(t *testing.T) string {
	t.Helper()
	program := filepath.Join(buildDir(), "ftlint")
	build.Do(func() {
		if out, err := child.Command(t, "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
			_ = os.Remove(program)
			t.Errorf("go build: %v\n%s", err, out)
		}
	})
	if _, err := os.Stat(program); err != nil {
		t.Fatal(err)
	}
	return program
}
