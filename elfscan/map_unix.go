//go:build unix

package elfscan

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// mapFile maps the first size bytes of file, read-only and private.
func mapFile(file *os.File, size int64) ([]byte, error) {
	if size == 0 {
		return nil, fmt.Errorf("is empty")
	}
	data, err := unix.Mmap(int(file.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("cannot map %d bytes: %v", size, err)
	}
	return data, nil
}

func unmap(data []byte) { _ = unix.Munmap(data) }

// makeWritable lets a mapping be written to. The file does not change: the
// mapping is private.
func makeWritable(data []byte) error { return unix.Mprotect(data, unix.PROT_READ|unix.PROT_WRITE) }
