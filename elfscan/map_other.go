//go:build !unix

package elfscan

import (
	"fmt"
	"io"
	"os"
)

// mapFile reads the first size bytes of file, as ftlint knows no mmap of this
// system.
func mapFile(file *os.File, size int64) ([]byte, error) {
	if size == 0 {
		return nil, fmt.Errorf("is empty")
	}
	data := make([]byte, size)
	_, err := io.ReadFull(io.NewSectionReader(file, 0, size), data)
	return data, err
}

func unmap([]byte) {}

func release([]byte) {}

func makeWritable([]byte) error { return nil }
