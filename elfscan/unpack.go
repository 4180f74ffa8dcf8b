package elfscan

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/ftlint/ftlint/unxz"
)

var errNothing = errors.New("damaged compressed data: there is nothing in it")

// unpackers unpack into memory. They are kept for the next file: making one
// costs more than unpacking a small module.
type unpackers struct {
	gzip *gzip.Reader
	zstd *zstd.Decoder
	xz   unxz.Decoder
}

// unpacker tells by its first bytes how data is compressed, and gives what
// unpacks it, behind dst, to at most limit bytes; nil if it is not compressed.
func (u *unpackers) unpacker(data []byte) func(dst, data []byte, limit int64) ([]byte, error) {
	switch {
	case bytes.HasPrefix(data, []byte{0x1f, 0x8b}):
		return u.gunzip
	case bytes.HasPrefix(data, []byte(unxz.Magic)):
		return u.unxz
	case bytes.HasPrefix(data, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return u.unzstd
	}
	return nil
}

func (u *unpackers) gunzip(dst, data []byte, limit int64) ([]byte, error) {
	var err error
	if u.gzip == nil {
		u.gzip, err = gzip.NewReader(bytes.NewReader(data))
	} else {
		err = u.gzip.Reset(bytes.NewReader(data))
	}
	if err != nil {
		return dst, fmt.Errorf("damaged compressed data: %v", err)
	}
	return readAll(dst, u.gzip, limit)
}

func (u *unpackers) unzstd(dst, data []byte, limit int64) ([]byte, error) {
	var err error
	if u.zstd == nil {
		u.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(most(maxWindow)))
	}
	if err == nil {
		err = u.zstd.Reset(bytes.NewReader(data))
	}
	if err != nil {
		return dst, fmt.Errorf("damaged compressed data: %v", err)
	}
	return readAll(dst, u.zstd, limit)
}

func (u *unpackers) unxz(dst, data []byte, limit int64) ([]byte, error) {
	out, err := u.xz.Append(dst, data, limit)
	var tooMuch *unxz.LimitError
	switch {
	case errors.As(err, &tooMuch):
		return out, tooMuch
	case err != nil:
		return out, fmt.Errorf("damaged compressed data: %v", err)
	case len(out) == 0:
		return out, errNothing
	}
	return out, nil
}

// readAll appends what r gives to dst, limit bytes at most.
func readAll(dst []byte, r io.Reader, limit int64) (out []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("damaged compressed data: %v", v)
		}
	}()
	out = dst
	for {
		if len(out) == cap(out) {
			out = append(out, 0)[:len(out)]
		}
		n, err := r.Read(out[len(out):cap(out)])
		out = out[:len(out)+n]
		switch {
		case int64(len(out)) > limit:
			return out, fmt.Errorf("unpacks to more than the limit of %d bytes", limit)
		case err == io.EOF && len(out) == 0:
			return out, errNothing
		case err == io.EOF:
			return out, nil
		case err != nil:
			return out, fmt.Errorf("damaged compressed data after %d unpacked bytes: %v", len(out), err)
		}
	}
}

// IsModule tells by its contents whether the file at path is a relocatable ELF
// file, plain or compressed. What cannot be read is none.
func IsModule(path string) bool { return elfType(path, true) == elf.ET_REL }

// IsImage tells whether the file at path is a linked ELF file, not compressed.
func IsImage(path string) bool {
	t := elfType(path, false)
	return t == elf.ET_EXEC || t == elf.ET_DYN
}

// elfType is the type of the ELF file at path, or ET_NONE. It looks into a
// compressed one if unpack.
func elfType(path string, unpack bool) (t elf.Type) {
	defer func() { // of a damaged stream
		if recover() != nil {
			t = elf.ET_NONE
		}
	}()
	file, _, err := openFile(path, "")
	if err != nil {
		return elf.ET_NONE
	}
	defer file.Close()
	// Enough for the first bytes that it unpacks to: a block of zstd has 128 KiB.
	head := make([]byte, 64, 256<<10)
	n, _ := io.ReadFull(file, head)
	head = head[:n]
	if open := unpacker(head); unpack && open != nil {
		n, _ := io.ReadFull(file, head[n:cap(head)])
		head = head[:len(head)+n]
		if bytes.HasPrefix(head, []byte(unxz.Magic)) {
			if window, _ := unxz.Dictionary(head); window > maxWindow {
				return elf.ET_NONE
			}
		}
		r, err := open(bytes.NewReader(head))
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
