package elfscan

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"unsafe"

	"github.com/ftlint/ftlint/internal/samples"
)

// pages is the size of a section of many pages, in bytes.
const pages = 1 << 20

// wordsAt is a section at addr, each word of which is the lower half of its own
// address.
func wordsAt(addr uint64) []byte {
	b := make([]byte, 0, pages)
	for off := uint64(0); off < pages; off += 4 {
		b = le.AppendUint32(b, uint32(addr+off))
	}
	return b
}

// large is a sample whose .data has many pages.
func large(t *testing.T) samples.File {
	t.Helper()
	s := samples.Load(t, "regs-good")
	header, _ := s.Section(t, ".data")
	at := le.Uint64(header[samples.ShAddr:])
	s = s.Replace(t, ".data", wordsAt(at))
	bss, _ := s.Section(t, ".bss")
	le.PutUint64(bss[samples.ShAddr:], at+pages)
	return s
}

// sectionOf is the section of that name.
func sectionOf(t *testing.T, im *Image, name string) *Range {
	t.Helper()
	for i := range im.Sections() {
		if r := &im.Sections()[i]; r.Name == name {
			return r
		}
	}
	t.Fatalf("no section %s", name)
	return nil
}

// wrong is how many words of the section are not what they are in large.
func wrong(im *Image, r *Range) (n int) {
	for a := r.Addr; a < r.End(); a += 4 {
		if w, ok := im.Word(a); !ok || w != uint32(a) {
			n++
		}
	}
	return n
}

// What was released is read again from the file.
func TestRelease(t *testing.T) {
	im, err := Open(large(t).Write(t, "vmlinux"), "")
	if err != nil {
		t.Fatal(err)
	}
	defer im.Close()
	r := sectionOf(t, im, ".data")
	if n := wrong(im, r); n != 0 {
		t.Fatalf("%d words are wrong before anything was released", n)
	}
	for _, part := range [][2]uint64{{r.Addr, r.End()}, {r.Addr + 4, r.End() - 4}, {r.Addr, r.Addr}, {r.End(), r.Addr}, {r.Addr - 4, r.End()}, {r.Addr, r.End() + 4}} {
		im.Release(r, part[0], part[1]) // of what is no part, nothing
		if n := wrong(im, r); n != 0 {
			t.Errorf("%#x..%#x released: %d words are wrong", part[0], part[1], n)
		}
	}
}

// resident is how much of the mapping that b lies in is in memory, in KiB, as
// Linux says; ok is false on another system.
func resident(b []byte) (kib int, ok bool) {
	at := uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b))))
	maps, _ := os.ReadFile("/proc/self/smaps")
	here := false
	for line := range strings.Lines(string(maps)) {
		var lo, hi uint64
		if n, _ := fmt.Sscanf(line, "%x-%x ", &lo, &hi); n == 2 {
			here = lo <= at && at < hi
		} else if n, _ := fmt.Sscanf(line, "Rss: %d kB", &kib); n == 1 && here {
			return kib, true
		}
	}
	return 0, false
}

// What was released takes no memory until it is read again.
func TestReleaseGivesBack(t *testing.T) {
	im, err := Open(large(t).Write(t, "vmlinux"), "")
	if err != nil {
		t.Fatal(err)
	}
	defer im.Close()
	r := sectionOf(t, im, ".data")
	wrong(im, r) // reads all of it
	before, ok := resident(r.data)
	if !ok {
		t.Skip("this system does not say what is in memory")
	}
	im.Release(r, r.Addr, r.End())
	if after, _ := resident(r.data); before < pages>>10 || after > before-pages>>10*3/4 {
		t.Errorf("%d KiB are in memory after %d KiB: %d were released", after, before, pages>>10)
	}
}

// A word that SetWord has changed stands nowhere but in memory: nothing is
// released from then on.
func TestReleaseKeepsChanges(t *testing.T) {
	im, err := Open(large(t).Write(t, "vmlinux"), "")
	if err != nil {
		t.Fatal(err)
	}
	defer im.Close()
	r := sectionOf(t, im, ".data")
	at, to := r.Addr+pages/2, uint32(0xd503201f)
	if err := im.SetWord(at, to); err != nil {
		t.Fatal(err)
	}
	im.Release(r, r.Addr, r.End())
	if w, ok := im.Word(at); w != to || !ok {
		t.Errorf("%08x stands where %08x was put", w, to)
	}
	if n := wrong(im, r); n != 1 {
		t.Errorf("%d words are not what the file has: one was changed", n)
	}
}

// An image that was made from bytes in memory leaves them alone: nothing would
// bring them back, and they are another's to free.
func TestReleaseOfMemory(t *testing.T) {
	data := append(make([]byte, 8), large(t)...)[8:] // at no page's start
	im := mustOpen(t, data)
	r := sectionOf(t, im, ".data")
	im.Release(r, r.Addr, r.End())
	if n := wrong(im, r); n != 0 {
		t.Fatalf("%d words are gone", n)
	}
	at := r.Addr + pages/2
	if err := im.SetWord(at, 1); err != nil {
		t.Errorf("SetWord: %v", err)
	}
	if w, _ := im.Word(at); w != 1 {
		t.Errorf("%08x stands where 1 was put", w)
	}
	im.Close()
	if string(data[:4]) != "\x7fELF" || le.Uint32(data[len(data)-4:]) != uint32(r.Addr+pages-4) {
		t.Error("the bytes are not what they were")
	}
}
