package elfscan

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/mikelolasagasti/xz"

	"github.com/ftlint/ftlint/internal/plural"
)

// The first bytes of compressed data.
const (
	magicGzip = "\x1f\x8b"
	magicXZ   = "\xfd7zXZ\x00"
	magicZstd = "\x28\xb5\x2f\xfd"
)

// packed reports by its first bytes whether data is compressed.
func packed(data []byte) bool {
	return slices.ContainsFunc([]string{magicGzip, magicXZ, magicZstd}, func(magic string) bool {
		return bytes.HasPrefix(data, []byte(magic))
	})
}

// maxWindow bounds the memory for the window of an unpacker, in bytes. It is the
// largest window that kernels' build scripts have xz use.
const maxWindow = 128 << 20

// most is n bytes or, if that is less, a quarter of GOMEMLIMIT. Memory that grows
// is there twice for a moment.
func most(n uint64) uint64 { return min(n, uint64(debug.SetMemoryLimit(-1))/4) }

// unpackers unpack one file after the other. They are kept for the next file:
// making one costs more than unpacking a small module.
type unpackers struct {
	gzip gzip.Reader
	zstd *zstd.Decoder
	xz   *xz.Reader
}

// reader is a reader of the unpacked contents of data, which is packed. It
// verifies each checksum that data has, and is valid until the next call. It may
// panic on damaged data.
func (u *unpackers) reader(data []byte) (r io.Reader, err error) {
	src := bytes.NewReader(data)
	switch {
	case bytes.HasPrefix(data, []byte(magicGzip)):
		return &u.gzip, u.gzip.Reset(src)
	case bytes.HasPrefix(data, []byte(magicXZ)):
		if u.xz == nil {
			// To the reader, a limit of 0 means its own.
			u.xz, err = xz.NewReader(src, uint32(max(1, most(maxWindow))))
			return u.xz, err
		}
		return u.xz, u.xz.Reset(src)
	default:
		if u.zstd == nil {
			u.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(most(maxWindow)))
			if err != nil {
				return nil, err
			}
		}
		return u.zstd, u.zstd.Reset(src)
	}
}

// unpack writes the unpacked contents of data, which is packed, to w. More than
// limit bytes are an error.
func (u *unpackers) unpack(w io.Writer, data []byte, limit int64) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("damaged compressed data: %v", r)
		}
	}()
	var n int64
	r, err := u.reader(data)
	if err == nil {
		n, err = io.Copy(w, io.LimitReader(r, limit+1))
	}
	var writing *os.PathError
	switch {
	case errors.As(err, &writing):
		return fmt.Errorf("no room to unpack: %v", err)
	case errors.Is(err, xz.ErrMemlimit):
		return fmt.Errorf("to unpack it takes more memory (the dictionary of xz) than the limit of %d MiB", most(maxWindow)>>20)
	case errors.Is(err, xz.ErrOptions), errors.Is(err, xz.ErrUnsupportedCheck):
		return fmt.Errorf("compressed in a way that is not supported: %v", err)
	case err != nil:
		return fmt.Errorf("damaged compressed data after %s: %v", plural.Of(n, "unpacked byte"), err)
	case n == 0:
		return errors.New("damaged compressed data: there is nothing in it")
	case n > limit:
		return fmt.Errorf("unpacks to more than the limit of %s", plural.Of(limit, "byte"))
	}
	return nil
}

// IsModule reports whether the contents of the file at path are a relocatable ELF
// file, plain or compressed. It is false if the file cannot be read.
func IsModule(path string) bool { return elfType(path, true) == elf.ET_REL }

// IsImage reports whether the file at path is a linked ELF file, not compressed.
func IsImage(path string) bool {
	t := elfType(path, false)
	return t == elf.ET_EXEC || t == elf.ET_DYN
}

// elfType is the type of the ELF file at path, or ET_NONE. If unpack is true, the
// file may be compressed.
func elfType(path string, unpack bool) (t elf.Type) {
	defer func() { // a damaged stream may panic
		if recover() != nil {
			t = elf.ET_NONE
		}
	}()
	file, _, err := openFile(path, "")
	if err != nil {
		return elf.ET_NONE
	}
	defer file.Close()
	// This is enough for the first block, which has up to 128 KiB in zstd.
	head := make([]byte, 64, 256<<10)
	n, _ := io.ReadFull(file, head)
	head = head[:n]
	if unpack && packed(head) {
		n, _ := io.ReadFull(file, head[n:cap(head)])
		head = head[:len(head)+n]
		var u unpackers
		r, err := u.reader(head)
		if err != nil {
			return elf.ET_NONE
		}
		var header [64]byte
		n, _ = io.ReadFull(r, header[:])
		head = header[:n]
	}
	if len(head) < 18 || string(head[:4]) != elf.ELFMAG {
		return elf.ET_NONE
	}
	return elf.Type(binary.LittleEndian.Uint16(head[16:]))
}
