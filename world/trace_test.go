package world

import (
	"testing"

	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/internal/images"
)

func TestChecksRange(t *testing.T) {
	for _, c := range []struct {
		compares []uint64
		v        uint64
		want     bool
	}{
		{[]uint64{0x38}, 0x38, true},                          // the offset in bytes
		{[]uint64{0x38}, 0x38 / 4, true},                      // and in instructions
		{[]uint64{0x38 + 1<<20}, 0x38 / 4, true},              // made positive
		{[]uint64{0xffffffc8}, 0xffffffffffffffc8, true},      // 32 bits of it
		{[]uint64{0xfffffffffffffff2}, 0x3ffffffffff2, false}, // not of this one
		{[]uint64{0x40, 7}, 0x38, false},
		{nil, 0x38, false},
	} {
		var tr Trace
		for _, x := range c.compares {
			tr.Compares = append(tr.Compares, [2]uint64{x, x})
		}
		if got := tr.ChecksRange(c.v); got != c.want {
			t.Errorf("%#x compared, offset %#x: %v", c.compares, c.v, got)
		}
	}
}

func TestBitMask(t *testing.T) {
	for w, want := range map[uint32]uint64{
		0x12001c00: 0xff,               // and w0, w0, #0xff
		0x92401c00: 0xff,               // and x0, x0, #0xff
		0xf240041f: 3,                  // tst x0, #3
		0x121b6800: 0xffffffe0,         // and w0, w0, #0xffffffe0
		0x92404c00: 0xfffff,            // and x0, x0, #0xfffff
		0xb200f3e0: 0x5555555555555555, // mov x0, #0x5555555555555555
	} {
		if got := bitMask(w); got != want {
			t.Errorf("%08x: %#x, want %#x", w, got, want)
		}
	}
}

// set_memory_ro() and functions like it count in the kernel's pages.
func TestPageSize(t *testing.T) {
	for flags, want := range map[uint32]uint64{1: 4 << 10, 2: 16 << 10, 3: 64 << 10} {
		im := images.Sample(t, "builders/builder-good.elf")
		text, _ := im.Addr("_text")
		if err := im.SetWord(text+24, flags<<1); err != nil {
			t.Fatal(err)
		}
		w := New(im)
		mem := NewMemory(w)
		mem.Reset(Heap + 64<<20)
		mem.alloc("module_alloc", 3*want-8, emu.Read|emu.Write, false, 0, ^uint64(0))
		at := w.Arg(0)
		a := mem.areaAt(at)
		w.M.X[0], w.M.X[1] = at+want, 1
		mem.protect("set_memory_ro", permChanges["set_memory_ro"])
		for off, perm := range map[uint64]emu.Perm{
			0: emu.Read | emu.Write, want - 4: emu.Read | emu.Write,
			want: emu.Read, 2*want - 4: emu.Read,
			2 * want: emu.Read | emu.Write, 3*want - 4: emu.Read | emu.Write,
		} {
			if got := a.PermAt(at + off); got != perm {
				t.Errorf("pages of %#x bytes: at +%#x %v, want %v", want, off, got, perm)
			}
		}
		if a.Contains(at+3*want) || mem.Base != at+4*want {
			t.Errorf("pages of %#x bytes: the next memory is at +%#x, want +%#x", want, mem.Base-at, 4*want)
		}
	}
}
