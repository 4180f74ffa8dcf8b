//go:build unix

package elfscan

import (
	"fmt"
	"os"
	"unsafe"

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

// release has the system take back the pages that lie in data. The system reads
// them again when they are used.
func release(data []byte) {
	page := uintptr(os.Getpagesize())
	at := uintptr(unsafe.Pointer(unsafe.SliceData(data)))
	if skip := (page - at%page) % page; skip < uintptr(len(data)) {
		data = data[skip:]
		_ = unix.Madvise(data[:uintptr(len(data))&^(page-1)], unix.MADV_DONTNEED)
	}
}

// makeWritable makes a mapping writable. The file does not change, as the mapping
// is private.
func makeWritable(data []byte) error { return unix.Mprotect(data, unix.PROT_READ|unix.PROT_WRITE) }
