package unxz

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// Dictionary is the most memory that a block of src, an .xz file, asks a
// streaming reader to take for its window, in bytes: up to 4 GiB, whatever the
// file's size. Nothing is unpacked. An error says where src is damaged or cut
// off; then the size is that of the blocks before.
func Dictionary(src []byte) (size uint64, err error) {
	r := &reader{b: src}
	for stream := 0; len(r.b) > 0; stream++ {
		if stream > 0 && len(r.b) >= 4 && binary.LittleEndian.Uint32(r.b) == 0 {
			r.take(4) // stream padding
			continue
		}
		h, err := r.take(headerSize)
		if err != nil {
			return size, err
		}
		check, ok := checkSizes[h[7]]
		if string(h[:6]) != Magic || !ok {
			return size, errors.New("not an .xz stream")
		}
		var blocks []block
		for len(r.b) > 0 && r.b[0] != 0 {
			b, dict, err := r.skipBlock(check)
			size = max(size, dict)
			if err != nil {
				return size, err
			}
			blocks = append(blocks, b)
		}
		if _, err := index(r, blocks); err != nil {
			return size, err
		}
		if _, err := r.take(headerSize); err != nil { // as long as the footer
			return size, err
		}
	}
	return size, nil
}

// skipBlock skips a block whose check has that many bytes.
func (r *reader) skipBlock(check int) (b block, dict uint64, err error) {
	began := r.off
	h, err := r.take((int(r.b[0]) + 1) * 4)
	if err != nil {
		return b, 0, err
	}
	body, sum := h[:len(h)-4], binary.LittleEndian.Uint32(h[len(h)-4:])
	if crc32.ChecksumIEEE(body) != sum {
		return b, 0, errors.New("a damaged block header")
	}
	hr := &reader{b: body[2:]}
	for _, has := range []byte{0x40, 0x80} { // the sizes, packed and unpacked
		if body[1]&has != 0 {
			if _, err := hr.vli(); err != nil {
				return b, 0, err
			}
		}
	}
	// The filter: its ID, the size of its properties, and they.
	p, err := hr.take(3)
	if err != nil || body[1]&3 != 0 || p[0] != filterLZMA2 || p[1] != 1 || p[2] > 40 {
		return b, 0, errors.New("packed with filters other than LZMA2 (0x21) alone, or with damaged ones")
	}
	// Section 5.3.1 of the format.
	if dict = uint64(2|p[2]&1) << (p[2]/2 + 11); p[2] == 40 {
		dict = 1<<32 - 1
	}
	at, size := r.off, uint64(0)
	for {
		c, err := r.take(1)
		if err != nil {
			return b, dict, err
		}
		if c[0] == 0 {
			break
		}
		n := 0
		switch kind := c[0]; {
		case kind < 3: // bytes as they are
			h, err := r.take(2)
			if err != nil {
				return b, dict, err
			}
			n = int(binary.BigEndian.Uint16(h)) + 1
			size += uint64(n)
		case kind < 0x80:
			return b, dict, errors.New("an LZMA2 chunk of unknown kind")
		default:
			h, err := r.take(4)
			if err != nil {
				return b, dict, err
			}
			size += uint64(kind&0x1f)<<16 + uint64(binary.BigEndian.Uint16(h)) + 1
			n = int(binary.BigEndian.Uint16(h[2:])) + 1
			if kind >= 0xc0 {
				n++ // properties
			}
		}
		if _, err := r.take(n); err != nil {
			return b, dict, err
		}
	}
	b = block{uint64(r.off-began) + uint64(check), size}
	if err := r.zeros(-(r.off - at) & 3); err != nil {
		return b, dict, err
	}
	_, err = r.take(check)
	return b, dict, err
}
