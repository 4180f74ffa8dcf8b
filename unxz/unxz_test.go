package unxz_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"

	"github.com/ftlint/ftlint/internal/hostile"
	"github.com/ftlint/ftlint/unxz"
)

// contents are what is packed in the tests: nothing, noise, repetition at all
// distances, text, code.
func contents() map[string][]byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 100<<10)
	for i := range noise {
		noise[i] = byte(rnd.Uint32())
	}
	var text, code, runs, far []byte
	for i := range 5000 {
		text = fmt.Appendf(text, "%d bottles of %x on the wall\n", i, i*i)
		code = binary.LittleEndian.AppendUint32(code, 0x94000000|uint32(i*37)&0x3ffffff)
		code = binary.LittleEndian.AppendUint32(code, 0xd503201f)
	}
	for len(runs) < 300<<10 {
		n, c := rnd.IntN(700), byte(rnd.Uint32())
		runs = append(runs, bytes.Repeat([]byte{c, c ^ byte(n%3)}, n)...)
	}
	for len(far) < 1300<<10 {
		from := 0
		if len(far) > 0 {
			from = rnd.IntN(len(far))
		}
		far = append(far, far[from:min(len(far), from+rnd.IntN(400))]...)
		far = append(far, noise[rnd.IntN(len(noise)-64):][:rnd.IntN(64)]...)
	}
	return map[string][]byte{"empty": nil, "one": {42}, "noise": noise, "text": text, "code": code, "runs": runs, "far": far, "zeros": make([]byte, 1100<<10)}
}

func pack(t testing.TB, cfg xz.WriterConfig, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := cfg.NewWriter(&out)
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func unpack(src []byte) ([]byte, error) {
	var d unxz.Decoder
	return d.Append(nil, src, 64<<20)
}

// What ulikunitz/xz packs, with all its settings, comes back.
func TestRoundTrip(t *testing.T) {
	for name, data := range contents() {
		for _, check := range []byte{xz.None, xz.CRC32, xz.CRC64, xz.SHA256} {
			cfg := xz.WriterConfig{CheckSum: check, NoCheckSum: check == xz.None, DictCap: 1 << 20, BlockSize: 1 << 20}
			got, err := unpack(pack(t, cfg, data))
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s, check %d: %d bytes of %d, %v", name, check, len(got), len(data), err)
			}
		}
	}
	text := contents()["text"]
	for _, p := range []struct{ lc, lp, pb int }{{0, 0, 0}, {4, 0, 4}, {0, 4, 2}, {2, 2, 0}, {3, 1, 3}} {
		cfg := xz.WriterConfig{DictCap: 1 << 16}
		cfg.Properties = &lzma.Properties{LC: p.lc, LP: p.lp, PB: p.pb}
		got, err := unpack(pack(t, cfg, text))
		if err != nil || !bytes.Equal(got, text) {
			t.Errorf("lc %d lp %d pb %d: %d bytes of %d, %v", p.lc, p.lp, p.pb, len(got), len(text), err)
		}
	}
}

// What xz itself packs comes back, whatever it was told.
func TestAgainstXZ(t *testing.T) {
	if _, err := exec.LookPath("xz"); err != nil {
		t.Skip("no xz")
	}
	for _, args := range []string{"-0", "-6e", "--check=none", "--check=crc32 --lzma2=dict=1MiB", "--check=crc64 --block-size=65536",
		"--check=sha256 -T2 --block-size=100000", "--lzma2=preset=1,lc=0,lp=2,pb=0", "--lzma2=preset=3,mode=fast,nice=273"} {
		for name, data := range contents() {
			cmd := exec.Command("xz", append(strings.Fields(args), "-c")...)
			cmd.Stdin = bytes.NewReader(data)
			packed, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			got, err := unpack(packed)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("xz %s, %s: %d bytes of %d, %v", args, name, len(got), len(data), err)
			}
			// streams one behind the other, with padding
			got, err = unpack(append(append(append([]byte(nil), packed...), 0, 0, 0, 0), packed...))
			if err != nil || !bytes.Equal(got, append(append([]byte(nil), data...), data...)) {
				t.Errorf("xz %s, %s twice: %d bytes, %v", args, name, len(got), err)
			}
		}
	}
}

// A decoder is used for one file after the other, and unpacks behind what is
// there.
func TestReuse(t *testing.T) {
	var d unxz.Decoder
	all := contents()
	var got []byte
	var err error
	for range 2 {
		for name, data := range all {
			before := len(got)
			if got, err = d.Append(got, pack(t, xz.WriterConfig{}, data), 64<<20); err != nil || !bytes.Equal(got[before:], data) {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
}

// No file unpacks to more than the limit, and little memory is used to find out.
func TestLimit(t *testing.T) {
	bomb := pack(t, xz.WriterConfig{}, make([]byte, 32<<20))
	var d unxz.Decoder
	for _, limit := range []int64{0, 1, 1000, 1 << 20, 32<<20 - 1} {
		got, err := d.Append(nil, bomb, limit)
		var tooMuch *unxz.LimitError
		if !errors.As(err, &tooMuch) || tooMuch.Limit != limit || int64(len(got)) > limit {
			t.Errorf("limit %d: %d bytes, %v", limit, len(got), err)
		}
	}
	if got, err := d.Append(nil, bomb, 32<<20); err != nil || len(got) != 32<<20 {
		t.Errorf("at the limit: %d bytes, %v", len(got), err)
	}
}

// A file that is cut anywhere, or has any byte changed, is an error: everything
// in it is checked.
func TestDamage(t *testing.T) {
	data := contents()["text"][:3000]
	packed := pack(t, xz.WriterConfig{CheckSum: xz.CRC32}, data)
	for n := range packed {
		if _, err := unpack(packed[:n]); err == nil {
			t.Fatalf("cut at %d of %d: no error", n, len(packed))
		}
		for _, bit := range []byte{1, 0x80} {
			bad := bytes.Clone(packed)
			bad[n] ^= bit
			if got, err := unpack(bad); err == nil {
				t.Fatalf("byte %d changed: no error, same: %v", n, bytes.Equal(got, data))
			}
		}
	}
	if _, err := unpack(append(bytes.Clone(packed), 1, 2, 3, 4)); err == nil {
		t.Error("rubbish behind the stream: no error")
	}
}

// Filters other than LZMA2 are refused by name.
func TestFilter(t *testing.T) {
	packed := pack(t, xz.WriterConfig{}, []byte("hello"))
	// the block header begins at 12: size, flags, filter ID
	header := bytes.Clone(packed)
	header[14] = 0x0a // ARM64
	size := (int(header[12]) + 1) * 4
	binary.LittleEndian.PutUint32(header[12+size-4:], crc32.ChecksumIEEE(header[12:12+size-4]))
	if _, err := unpack(header); err == nil || !strings.Contains(err.Error(), "filter 0xa: LZMA2 (0x21) alone is supported") {
		t.Errorf("got %v", err)
	}
}

// The dictionary is that which xz was told, of the block that has the largest.
func TestDictionary(t *testing.T) {
	text := contents()["text"]
	small := pack(t, xz.WriterConfig{DictCap: 1 << 16}, text)
	large := pack(t, xz.WriterConfig{DictCap: 3 << 20, BlockSize: 10000, CheckSum: xz.SHA256}, text)
	for _, test := range []struct {
		src  []byte
		want uint64
		fail bool
	}{
		{small, 1 << 16, false},
		{large, 3 << 20, false},
		{append(append(bytes.Clone(small), 0, 0, 0, 0), large...), 3 << 20, false},
		{append(bytes.Clone(large), small...), 3 << 20, false},
		{withDictionary(small, 40), 1<<32 - 1, false},
		{withDictionary(small, 39), 3 << 30, false},
		{withDictionary(small, 0), 4096, false},
		{withDictionary(small, 41), 0, true},
		{large[:len(large)/2], 3 << 20, true},
		{append(bytes.Clone(small), large[:20]...), 1 << 16, true},
		{small[:len(small)-1], 1 << 16, true},
		{append(bytes.Clone(small), "text"...), 1 << 16, true},
	} {
		if got, err := unxz.Dictionary(test.src); got != test.want || (err != nil) != test.fail {
			t.Errorf("%#x, %v; want %#x", got, err, test.want)
		}
	}
}

// withDictionary is src with another size of the dictionary in its first
// block's header, which begins at 12: size, flags, filter, size of properties.
func withDictionary(src []byte, props byte) []byte {
	src = bytes.Clone(src)
	src[16] = props
	size := (int(src[12]) + 1) * 4
	binary.LittleEndian.PutUint32(src[12+size-4:], crc32.ChecksumIEEE(src[12:12+size-4]))
	return src
}

// FuzzAppend: whatever the input, it is unpacked to no more than the limit, in
// memory by the limit and the input, twice the same, behind what was there. What
// is accepted, ulikunitz/xz unpacks to the same, and its dictionary is known.
func FuzzAppend(f *testing.F) {
	for name, data := range contents() {
		if name != "zeros" && name != "far" {
			f.Add(pack(f, xz.WriterConfig{CheckSum: xz.CRC32}, data[:min(len(data), 4000)]))
			f.Add(pack(f, xz.WriterConfig{CheckSum: xz.SHA256, BlockSize: 1000}, data[:min(len(data), 3000)]))
		}
	}
	kernel, err := os.ReadFile("../testdata/vmlinux-samples/regs-good-stripped.elf")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(pack(f, xz.WriterConfig{CheckSum: xz.CRC64}, kernel))
	f.Add(withDictionary(pack(f, xz.WriterConfig{CheckSum: xz.None, NoCheckSum: true}, kernel[:2000]), 40))
	var d, other unxz.Decoder
	f.Fuzz(func(t *testing.T, src []byte) {
		const limit = 1 << 20
		var got []byte
		var err error
		hostile.Bounded(t, 16*limit, 100, len(src), func() { got, err = d.Append(nil, src, limit) })
		if len(got) > limit {
			t.Fatalf("%d bytes", len(got))
		}
		again, err2 := other.Append([]byte("abc"), src, limit)
		if fmt.Sprint(err) != fmt.Sprint(err2) || string(again[:3]) != "abc" || !bytes.Equal(got, again[3:]) {
			t.Fatalf("%d bytes, %v; by another decoder %d, %v", len(got), err, len(again)-3, err2)
		}
		var dict uint64
		var walked error
		hostile.Bounded(t, 1<<20, 100, len(src), func() { dict, walked = unxz.Dictionary(src) })
		if err != nil {
			hostile.OneLine(t, err, "")
			return
		}
		if walked != nil || dict < 4096 && len(got) > 0 || dict >= 1<<32 {
			t.Fatalf("the dictionary is %#x, %v", dict, walked)
		}
		if dict > 64<<20 {
			return // memory for ulikunitz/xz
		}
		r, err := xz.NewReader(bytes.NewReader(src))
		if err != nil {
			return // it refuses headers that xz accepts
		}
		want, err := io.ReadAll(r)
		if err == nil && !bytes.Equal(got, want) {
			t.Fatalf("%d bytes, ulikunitz/xz has %d", len(got), len(want))
		}
	})
}
