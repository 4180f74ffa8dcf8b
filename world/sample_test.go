package world

import (
	"encoding/binary"
	"testing"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/images"
	"github.com/ftlint/ftlint/internal/samples"
)

var le = binary.LittleEndian

// The function of the sample that tests write over, and its data, which tests
// replace.
const (
	fnName   = "arch_ftrace_update_trampoline"
	fnWords  = 128
	dataName = ".data"
)

// sample is a sample whose functions have other names: another by its own.
func sample(t *testing.T, names map[string]string) samples.File {
	t.Helper()
	s := samples.Load(t, "builders/builder-good")
	for old, name := range names {
		_, strtab := s.Section(t, ".strtab")
		s = s.Replace(t, ".strtab", append(append([]byte{}, strtab...), name+"\x00"...))
		le.PutUint32(s.Symbol(t, old), uint32(len(strtab)))
	}
	return s
}

// withData is the sample with other data, and the address of the data: behind
// what relocations of the sample fill in.
func withData(t *testing.T, s samples.File, data func(addr uint64) []byte) (out samples.File, addr uint64) {
	t.Helper()
	const relocated = 1 << 10
	header, _ := s.Section(t, dataName)
	addr = le.Uint64(header[samples.ShAddr:]) + relocated
	return s.Replace(t, dataName, append(make([]byte, relocated), data(addr)...)), addr
}

// open opens what a test made of a sample.
func open(t *testing.T, s samples.File) *elfscan.Image {
	t.Helper()
	im, err := elfscan.Open(s.Write(t, "vmlinux"), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(im.Close)
	return im
}

// program is a World of a sample in which the function has these words, and the
// address of the function.
func program(t *testing.T, words ...uint32) (w *World, fn uint64) {
	t.Helper()
	w = put(t, images.Sample(t, "builders/builder-good.elf"), words...)
	return w, addrOf(t, w, fnName)
}

// put makes a World of the image, in which the function is these words, and NOPs
// behind them.
func put(t *testing.T, im *elfscan.Image, words ...uint32) *World {
	t.Helper()
	w := New(im)
	fn := addrOf(t, w, fnName)
	for i := range fnWords {
		word := uint32(a64.NOP)
		if i < len(words) {
			word = words[i]
		}
		if err := w.Image.SetWord(fn+uint64(i)*a64.Size, word); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// addrOf is the address of a symbol.
func addrOf(t *testing.T, w *World, name string) uint64 {
	t.Helper()
	a, ok := w.Image.Addr(name)
	if !ok {
		t.Fatalf("the sample has no %s", name)
	}
	return a
}

// bl is the call of a symbol, as word i of the function.
func bl(t *testing.T, w *World, i int, name string, off uint64) uint32 {
	t.Helper()
	word, err := a64.EncodeBL(addrOf(t, w, fnName)+uint64(i)*a64.Size, addrOf(t, w, name)+off)
	if err != nil {
		t.Fatal(err)
	}
	return word
}

// Words of the functions that tests execute.
const (
	ret      = 0xd65f03c0
	addX0    = 0x91000400 // add x0, x0, #1
	pushLR   = 0xa9bf7bfd // stp x29, x30, [sp, #-16]!
	setFP    = 0x910003fd // mov x29, sp
	popLR    = 0xa8c17bfd // ldp x29, x30, [sp], #16
	ldrX0X0  = 0xf9400000 // ldr x0, [x0]
	ldrX0X1  = 0xf9400020 // ldr x0, [x1]
	ldrX0X9  = 0xf9400120 // ldr x0, [x9]
	ldrStack = 0xf85f03e0 // ldur x0, [sp, #-16]
	adrX1    = 0x10000001 // adr x1, .
	strX0X1  = 0xf9000020 // str x0, [x1]
	farX1    = 0xd2820001 // mov x1, #0x1000
	brkBug   = 0xd4210000 // brk #0x800, of BUG() and WARN()
	brkOther = 0xd42aa240 // brk #0x5512
)
