package world

import (
	"errors"
	"testing"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/internal/images"
)

const (
	nowhere            = 0xffff_0000_4000_0000 // no page is there
	efault32, einval32 = ^uint32(14) + 1, ^uint32(22) + 1
)

// Stand-ins for the patching interface do nothing at an address where nothing is
// mapped, even if they are to fail. They return -EFAULT, or -EINVAL if the address
// is not aligned, and neither read nor record a word.
func TestPatchUnmapped(t *testing.T) {
	w := New(images.Sample(t, "builders/builder-branch-kept.elf"))
	to := uint64(StackTop - 256)
	for _, c := range []struct {
		name      string
		addr, arg uint64
		want      uint32
	}{
		{"aarch64_insn_read", nowhere, to, efault32},
		{"aarch64_insn_read", nowhere + 2, to, efault32},
		{"aarch64_insn_patch_text_nosync", nowhere, a64.NOP, efault32},
		{"aarch64_insn_patch_text_nosync", nowhere + 2, a64.NOP, einval32},
		{"aarch64_insn_write", nowhere, a64.NOP, efault32},
		{"aarch64_insn_write_literal_u64", nowhere, 1, efault32},
	} {
		for _, fails := range []map[string]int{nil, {c.name: FailAll}} {
			w.Reset()
			w.Fail = fails
			fn, ok := w.Image.Addr(c.name)
			if !ok {
				t.Fatalf("the sample has no %s", c.name)
			}
			ret, err := w.Call(fn, c.addr, c.arg)
			if err != nil || uint32(ret) != c.want || len(w.Events) > 0 {
				t.Errorf("%s(%#x), failing %v: %d, %v, events %v", c.name, c.addr, fails, int32(ret), err, w.Events)
			}
			if v, err := w.M.Read32(to); v != 0 || err != nil {
				t.Errorf("%s(%#x), failing %v: gives %#x (%v)", c.name, c.addr, fails, v, err)
			}
		}
	}
}

// Maintenance of the instruction cache fails at an address where nothing is
// mapped. No event is recorded for a range that reaches beyond the memory.
func TestFlushUnmapped(t *testing.T) {
	w := New(images.Sample(t, "builders/builder-branch-kept.elf"))
	NewMemory(w)
	fn, ok := w.Image.Addr("caches_clean_inval_pou")
	if !ok {
		t.Fatal("the sample has no caches_clean_inval_pou")
	}
	for _, c := range []struct {
		start, end uint64
		ok         bool
	}{
		{Heap, Heap + heapSize, true},
		{Heap + 8, Heap + 12, true},
		{Heap, Heap, true},
		{Heap, Heap + heapSize + 1, false},
		{Heap - 1, Heap + 1, false},
		{Heap + 64, Heap, false}, // -64 bytes
		{nowhere, nowhere + 4, false},
	} {
		w.Reset()
		_, err := w.Call(fn, c.start, c.end)
		var stop *emu.Stop
		if (err == nil) != c.ok || len(w.Events) == 1 != c.ok || !c.ok && !errors.As(err, &stop) {
			t.Errorf("%#x..%#x: %v, events %v", c.start, c.end, err, w.Events)
		}
	}
}
