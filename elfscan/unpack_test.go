package elfscan

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"

	"github.com/ftlint/ftlint/internal/hostile"
	"github.com/ftlint/ftlint/internal/race"
	"github.com/ftlint/ftlint/internal/samples"
)

// contents are what is packed in the tests: a byte, noise, zeros, text, code,
// and repetition at all distances.
func contents() map[string][]byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 100<<10)
	for i := range noise {
		noise[i] = byte(rnd.Uint32())
	}
	var text, code, far []byte
	for i := range 5000 {
		text = fmt.Appendf(text, "%d bottles of %x on the wall\n", i, i*i)
		code = binary.LittleEndian.AppendUint32(code, 0x94000000|uint32(i*37)&0x3ffffff)
		code = binary.LittleEndian.AppendUint32(code, 0xd503201f)
	}
	far = append(far, noise...)
	for len(far) < 300<<10 {
		from := rnd.IntN(len(far))
		far = append(far, far[from:min(len(far), from+rnd.IntN(400))]...)
		far = append(far, noise[rnd.IntN(len(noise)-64):][:rnd.IntN(64)]...)
	}
	return map[string][]byte{"one": {42}, "noise": noise, "text": text, "code": code, "far": far, "zeros": make([]byte, 300<<10)}
}

// packXZ packs data as cfg says.
func packXZ(t testing.TB, cfg xz.WriterConfig, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := cfg.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(data)
	return closed(t, &out, err, w.Close())
}

// xzChecks are the checksums that an .xz file may have of its contents.
var xzChecks = map[string]xz.WriterConfig{
	"none":    {CheckSum: xz.None, NoCheckSum: true},
	"CRC32":   {CheckSum: xz.CRC32},
	"CRC64":   {CheckSum: xz.CRC64},
	"SHA-256": {CheckSum: xz.SHA256},
}

// unpackBytes is what src unpacks to.
func unpackBytes(u *unpackers, src []byte, limit int64) ([]byte, error) {
	var out bytes.Buffer
	err := u.unpack(&out, src, limit)
	return out.Bytes(), err
}

// What xz packs comes back, whatever xz was told, from an unpacker that is kept
// from file to file: in one block and in many, and of streams behind one another
// with padding between them.
func TestUnpackXZ(t *testing.T) {
	if _, err := exec.LookPath("xz"); err != nil {
		t.Skip("no xz")
	}
	var u unpackers
	for i, args := range []string{"-0", "-6e", "--check=none", "--check=crc32 --lzma2=dict=1MiB", "--check=crc64 --block-size=65536",
		"--check=sha256 -T2 --block-size=100000", "--lzma2=preset=1,lc=0,lp=2,pb=0", "--lzma2=preset=3,mode=fast,nice=273"} {
		if race.Enabled && i%2 != 0 {
			continue // scripts/test takes all without the race detector, which makes it slow
		}
		for name, data := range contents() {
			cmd := exec.Command("xz", append(strings.Fields(args), "-c")...)
			cmd.Stdin = bytes.NewReader(data)
			packed, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			got, err := unpackBytes(&u, packed, 64<<20)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("xz %s, %s: %d bytes of %d, %v", args, name, len(got), len(data), err)
			}
			twice := bytes.Join([][]byte{packed, packed}, []byte{0, 0, 0, 0})
			got, err = unpackBytes(&u, twice, 64<<20)
			if err != nil || !bytes.Equal(got, bytes.Repeat(data, 2)) {
				t.Errorf("xz %s, %s twice: %d bytes, %v", args, name, len(got), err)
			}
			if got, err := unpackBytes(&u, append(twice, 0, 0, 0), 64<<20); err == nil {
				t.Errorf("xz %s, %s with 3 bytes of padding: %d bytes and no error", args, name, len(got))
			}
		}
	}
}

// An .xz file that is cut anywhere, or has any byte changed, is refused, or its
// contents are whole: the checksum of the contents, whichever it is, the index
// and the footer are verified. An unpacker that met damage serves for the next
// file.
func TestUnpackXZDamage(t *testing.T) {
	data := contents()["text"][:3000]
	var u unpackers
	for name, cfg := range xzChecks {
		cfg.BlockSize = 1000
		packed := packXZ(t, cfg, data)
		accepted := 0
		for n := range packed {
			if _, err := unpackBytes(&u, packed[:n], 1<<20); err == nil {
				t.Errorf("%s: cut at %d of %d: no error", name, n, len(packed))
			}
			for _, bit := range []byte{1, 0x80} {
				bad := bytes.Clone(packed)
				bad[n] ^= bit
				got, err := unpackBytes(&u, bad, 1<<20)
				if err == nil {
					accepted++
				}
				if err == nil && name != "none" && !bytes.Equal(got, data) {
					t.Errorf("%s: byte %d changed: other contents, no error", name, n)
				}
			}
			if n%100 == 0 {
				if got, err := unpackBytes(&u, packed, 1<<20); err != nil || !bytes.Equal(got, data) {
					t.Fatalf("%s: behind a damaged file: %d bytes, %v", name, len(got), err)
				}
			}
		}
		// The first byte of an LZMA chunk means nothing, and a decoder may ignore it.
		if blocks := 3; name != "none" && accepted > 2*blocks {
			t.Errorf("%s: %d changes were accepted", name, accepted)
		}
		if _, err := unpackBytes(&u, append(bytes.Clone(packed), 1, 2, 3, 4), 1<<20); err == nil {
			t.Errorf("%s: rubbish behind the stream: no error", name)
		}
	}
}

// An index that lists other sizes than the blocks have is refused, although its
// own checksum is right.
func TestUnpackXZIndex(t *testing.T) {
	packed := packXZ(t, xz.WriterConfig{}, contents()["text"][:3000])
	footer := len(packed) - 12
	index := footer - 4*(int(le.Uint32(packed[footer+4:]))+1)
	for at := index + 1; at < footer-4; at++ {
		bad := bytes.Clone(packed)
		bad[at] ^= 1
		le.PutUint32(bad[footer-4:], crc32.ChecksumIEEE(bad[index:footer-4]))
		if _, err := unpackBytes(new(unpackers), bad, 1<<20); err == nil || !strings.Contains(err.Error(), "damaged compressed data") {
			t.Errorf("byte %d of the index changed: %v", at-index, err)
		}
	}
}

// withDictionary is src, an .xz file, with another size of the dictionary in its
// first block's header, which begins at 12: size, flags, filter, size of
// properties.
func withDictionary(src []byte, props byte) []byte {
	return withBlockHeader(src, 16, props)
}

func withBlockHeader(src []byte, at int, b byte) []byte {
	src = bytes.Clone(src)
	src[at] = b
	size := (int(src[12]) + 1) * 4
	le.PutUint32(src[12+size-4:], crc32.ChecksumIEEE(src[12:12+size-4]))
	return src
}

// A filter of xz or a checksum that the reader does not know is reported as
// such, not as damage.
func TestUnpackXZUnsupported(t *testing.T) {
	packed := packXZ(t, xz.WriterConfig{}, []byte("hello"))
	filter := withBlockHeader(packed, 14, 0x0a) // ARM64
	check := bytes.Clone(packed)
	check[7] = 2 // reserved
	le.PutUint32(check[8:], crc32.ChecksumIEEE(check[6:8]))
	for name, src := range map[string][]byte{"filter": filter, "check": check} {
		if got, err := unpackBytes(new(unpackers), src, 1<<20); err == nil || !strings.HasPrefix(err.Error(), "compressed in a way that is not supported: ") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// FuzzUnpack: anything that looks packed is unpacked to at most the limit, or
// refused with one line: the same into a file and into memory, by a new unpacker
// and by one that is kept. What is accepted of xz, another decoder unpacks to the
// same.
func FuzzUnpack(f *testing.F) {
	const limit = 1 << 20
	small := samples.Load(f, "regs-good-stripped")
	for _, pack := range packers {
		f.Add(pack(f, small))
		f.Add(pack(f, make([]byte, 2*limit)))
	}
	for _, pack := range modulePackers {
		f.Add(pack(f, samples.LoadModule(f, "good-mcount")))
	}
	for _, data := range contents() {
		for _, cfg := range xzChecks {
			cfg.BlockSize = 1000
			f.Add(packXZ(f, cfg, data[:min(len(data), 3000)]))
		}
	}
	for _, props := range []byte{0, 30, 31, 40} {
		f.Add(withDictionary(packXZ(f, xzChecks["none"], small[:2000]), props))
	}
	var kept unpackers
	f.Fuzz(func(t *testing.T, data []byte) {
		if !packed(data) {
			return
		}
		var inFile []byte
		var err error
		// Three unpackers may take a window each.
		hostile.Bounded(t, 3*maxWindow+64<<20, 1000, len(data), func() {
			inFile, err = mapUnpacked(data, limit)
			one, err1 := unpackBytes(new(unpackers), data, limit)
			two, err2 := unpackBytes(&kept, data, limit)
			if fmt.Sprint(err1) != fmt.Sprint(err2) || !bytes.Equal(one, two) {
				t.Errorf("by a new unpacker %d bytes, %v; by the one that is kept %d, %v", len(one), err1, len(two), err2)
			}
			// What a reader gives before it finds damage depends on the size of the
			// reads.
			if (err == nil) != (err1 == nil) || err == nil && !bytes.Equal(inFile, one) {
				t.Errorf("into a file %d bytes, %v; into memory %d, %v", len(inFile), err, len(one), err1)
			}
		})
		if err != nil {
			hostile.OneLine(t, err, "")
			return
		}
		defer unmap(inFile)
		if len(inFile) == 0 || len(inFile) > limit {
			t.Errorf("%d bytes were unpacked, the limit is %d", len(inFile), limit)
		}
		// The other decoder accepts less than xz does.
		r, err := xz.NewReader(bytes.NewReader(data))
		if err != nil {
			return
		}
		if want, err := io.ReadAll(r); err == nil && !bytes.Equal(inFile, want) {
			t.Errorf("%d bytes, another decoder has %d", len(inFile), len(want))
		}
	})
}
