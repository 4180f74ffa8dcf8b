//go:build unix

package parallel_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/ftlint/ftlint/internal/parallel"
)

// A file that is cut while it is mapped is a panic of the caller. Its value
// says that it was a fault.
func TestFault(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := syscall.Mmap(int(f.Fd()), 0, 4096, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Munmap(data) }()
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	sum := byte(0)
	got := panicOf(func() { parallel.Do(2, 2, func(i int) { sum += data[i] }) })
	if _, fault := got.(interface{ Addr() uintptr }); !fault {
		t.Errorf("panic %v (sum %d), want that of a fault", got, sum)
	}
}
