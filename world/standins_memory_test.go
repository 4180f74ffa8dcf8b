package world

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/emu"
)

const (
	memoryAt = Heap + 64<<20 // where areas are allocated
	rw       = emu.Read | emu.Write
	rx       = emu.Read | emu.Exec
	rwx      = rw | emu.Exec
)

// memory is a World of a sample that has more of the kernel's functions for
// memory, and its Memory.
func memory(t *testing.T) (*World, *Memory) {
	t.Helper()
	w := New(open(t, sample(t, map[string]string{
		"vfs_read": "__vmalloc_node_range", "vfs_write": "vmalloc_exec", "ftrace_stub": "set_memory_rox",
		"ftrace_stub_graph": "memset", "ftrace_find_unique_ops": "set_vm_flush_reset_perms",
	})))
	mem := NewMemory(w)
	w.Reset()
	mem.Reset(memoryAt)
	return w, mem
}

// call calls a function that a stand-in stands for.
func call(t *testing.T, w *World, name string, args ...uint64) uint64 {
	t.Helper()
	v, err := w.Call(addrOf(t, w, name), args...)
	if err != nil {
		t.Fatalf("%s(%#x): %v", name, args, err)
	}
	return v
}

// The allocators of memory for code: where its size stands among the arguments,
// and what its pages may be used for.
func TestAllocators(t *testing.T) {
	const size = 0x1234
	for _, c := range []struct {
		name  string
		args  []uint64
		perm  emu.Perm // 0: it fails
		reset bool     // freeing it resets its permissions
		fault bool
	}{
		{"module_alloc", []uint64{size}, rw, false, false},
		{"vmalloc_exec", []uint64{size}, rwx, false, false},
		{"execmem_alloc", []uint64{0, size}, rw, true, false},
		{"execmem_alloc", []uint64{execmemKprobes, size}, rx, true, false},
		{"execmem_alloc", []uint64{execmemTypes - 1, size}, rw, true, false},
		{"execmem_alloc", []uint64{execmemTypes, size}, rw, true, true},
		// size, align, start, end, gfp, prot, vm_flags
		{"__vmalloc_node_range", []uint64{size, 1, memoryAt, memoryAt + size, 0, 1 << 53, 0}, rw, false, false},
		{"__vmalloc_node_range", []uint64{size, 1, memoryAt, memoryAt + size, 0, 0, vmFlushResetPerms}, rwx, true, false},
		{"__vmalloc_node_range", []uint64{size, 1, memoryAt, memoryAt + size, 0, 1 << 7, 0}, rx, false, false},
		{"__vmalloc_node_range", []uint64{size, 1, memoryAt, memoryAt + size - 1, 0, 0, 0}, 0, false, false},
		{"__vmalloc_node_range", []uint64{size, 1, memoryAt + 1, memoryAt + 2*size, 0, 0, 0}, 0, false, false},
		{"module_alloc", []uint64{0}, 0, false, false},
		{"module_alloc", []uint64{maxArea + 1}, 0, false, false},
		{"module_alloc", []uint64{maxArea}, rw, false, false},
	} {
		w, mem := memory(t)
		at := call(t, w, c.name, c.args...)
		what := fmt.Sprintf("%s(%#x)", c.name, c.args)
		if (len(w.Faults) > 0) != c.fault {
			t.Errorf("%s: faults %v", what, w.Faults)
		}
		if len(w.Events) != 1 || w.Events[0].Kind != Alloc || w.Events[0].Func != c.name || w.Events[0].Addr != at || w.Events[0].Perm != c.perm {
			t.Errorf("%s: events %v", what, w.Events)
		}
		if c.perm == 0 {
			if at != 0 || len(mem.Areas) != 0 {
				t.Errorf("%s gives %#x, areas %v", what, at, mem.Areas)
			}
			continue
		}
		asked := slices.Max(c.args[:min(len(c.args), 2)])
		if at != memoryAt || len(mem.Areas) != 1 {
			t.Fatalf("%s gives %#x, areas %v", what, at, mem.Areas)
		}
		a := mem.Areas[0]
		if a.Size != asked || a.Addr != at || a.Reset != c.reset || a.Freed || slices.ContainsFunc(a.Perms, func(p emu.Perm) bool { return p != c.perm }) {
			t.Errorf("%s: %#x..%#x, reset %v, %v", what, a.Addr, a.Size, a.Reset, a.Perms[:1])
		}
		if pages := (asked + emu.PageSize - 1) / emu.PageSize; uint64(len(a.Perms)) != pages || !a.Contains(at+asked-1) || a.Contains(at+pages*emu.PageSize) || a.Contains(at-1) {
			t.Errorf("%s: %d pages", what, len(a.Perms))
		}
	}
}

// Allocations fail if they are to, and there is an end of them.
func TestAllocFails(t *testing.T) {
	w, mem := memory(t)
	mem.FailAlloc = true
	if at := call(t, w, "module_alloc", 64); at != 0 || len(mem.Areas) != 0 {
		t.Errorf("it gives %#x", at)
	}
	mem.Reset(memoryAt)
	for i := range maxAreas + 1 {
		if at := call(t, w, "module_alloc", 64); (at == 0) != (i == maxAreas) {
			t.Errorf("allocation %d gives %#x", i, at)
		}
	}
}

// Behind each area is a guard page, at which nothing is: it belongs to the area
// as struct vm_struct has it, and to no other.
func TestGuardPage(t *testing.T) {
	w, mem := memory(t)
	first, second := call(t, w, "module_alloc", 2*emu.PageSize), call(t, w, "module_alloc", 1)
	if second != first+3*emu.PageSize {
		t.Errorf("the second area is at +%#x", second-first)
	}
	guard := first + 2*emu.PageSize
	if _, err := w.M.Read32(guard - 4); err != nil {
		t.Error(err)
	}
	if _, err := w.M.Read32(guard); err == nil || mem.areaAt(guard) != nil {
		t.Error("something is at the guard page")
	}
	for _, at := range []uint64{first, first + emu.PageSize} {
		vm := call(t, w, "find_vm_area", at)
		for off, want := range map[uint64]uint64{8: first, 16: 3 * emu.PageSize, 24: vmAlloc} {
			if v, err := w.M.Read64(vm + off); v != want || err != nil {
				t.Errorf("find_vm_area(%#x): %#x at +%d (%v), want %#x", at, v, off, err, want)
			}
		}
	}
	if vm := call(t, w, "find_vm_area", guard); vm != 0 {
		t.Errorf("find_vm_area() of the guard page is %#x", vm)
	}
}

// A change of permissions may reach to the end of the guard page, like the
// kernel's, and no further.
func TestProtect(t *testing.T) {
	const page = emu.PageSize
	const enomem32 = ^uint32(12) + 1
	for _, c := range []struct {
		name       string
		off, pages uint64
		fails      bool // it is to fail
		want       [3]emu.Perm
		ret        uint32
	}{
		{"set_memory_ro", 0, 3, false, [3]emu.Perm{emu.Read, emu.Read, emu.Read}, 0},
		{"set_memory_ro", page, 1, false, [3]emu.Perm{rw, emu.Read, rw}, 0},
		{"set_memory_ro", page + 8, 1, false, [3]emu.Perm{rw, emu.Read, rw}, 0},
		{"set_memory_ro", 2 * page, 1, false, [3]emu.Perm{rw, rw, emu.Read}, 0},
		{"set_memory_ro", 0, 4, false, [3]emu.Perm{emu.Read, emu.Read, emu.Read}, 0}, // with the guard page
		{"set_memory_ro", 0, 5, false, [3]emu.Perm{rw, rw, rw}, einval32},
		{"set_memory_ro", 2 * page, 3, false, [3]emu.Perm{rw, rw, rw}, einval32},
		{"set_memory_ro", 3 * page, 1, false, [3]emu.Perm{rw, rw, rw}, einval32}, // in no area
		{"set_memory_ro", 0, 0, false, [3]emu.Perm{rw, rw, rw}, 0},
		{"set_memory_ro", 0, 3, true, [3]emu.Perm{rw, rw, rw}, enomem32},
		{"set_memory_x", 0, 1, false, [3]emu.Perm{rwx, rw, rw}, 0},
		{"set_memory_rox", 0, 1, false, [3]emu.Perm{rx, rw, rw}, 0},
		{"set_memory_nx", 0, 3, false, [3]emu.Perm{rw, rw, rw}, 0},
		{"set_memory_rw", 0, 3, false, [3]emu.Perm{rw, rw, rw}, 0},
	} {
		w, mem := memory(t)
		at := call(t, w, "module_alloc", 3*page)
		w.Events = w.Events[:0]
		if c.fails {
			mem.Expect(1)
		}
		ret := uint32(call(t, w, c.name, at+c.off, c.pages))
		if got := [3]emu.Perm(mem.Areas[0].Perms); ret != c.ret || got != c.want {
			t.Errorf("%s(+%#x, %d): %d and %v, want %d and %v", c.name, c.off, c.pages, int32(ret), got, int32(c.ret), c.want)
		}
		e := w.Events[0]
		if len(w.Events) != 1 || e.Kind != Protect || e.Err != (c.ret != 0) || e.Addr != at+c.off&^(page-1) || e.Size != c.pages*page {
			t.Errorf("%s(+%#x, %d): events %v", c.name, c.off, c.pages, w.Events)
		}
		if a := mem.areaAt(e.Addr); a != nil && e.Perm != a.PermAt(e.Addr) {
			t.Errorf("%s(+%#x, %d): the event has %v", c.name, c.off, c.pages, e.Perm)
		}
	}
	// What takes away comes back.
	w, mem := memory(t)
	at := call(t, w, "module_alloc", page)
	for _, c := range []struct {
		name string
		want emu.Perm
	}{{"set_memory_ro", emu.Read}, {"set_memory_x", rx}, {"set_memory_nx", emu.Read}, {"set_memory_rw", rw}} {
		if call(t, w, c.name, at, 1); mem.Areas[0].Perms[0] != c.want {
			t.Errorf("%s: %v, want %v", c.name, mem.Areas[0].Perms[0], c.want)
		}
	}
}

// Memory that is freed is gone. Its pages are as they were allocated by then, or
// their permissions are reset.
func TestFree(t *testing.T) {
	for _, c := range []struct {
		alloc  []string
		change string
		err    bool
	}{
		{[]string{"module_alloc"}, "", false},
		{[]string{"module_alloc"}, "set_memory_ro", true},
		{[]string{"module_alloc"}, "set_memory_x", true},
		{[]string{"module_alloc", "set_vm_flush_reset_perms"}, "set_memory_ro", false},
	} {
		w, mem := memory(t)
		at := call(t, w, c.alloc[0], 2*emu.PageSize)
		for _, name := range c.alloc[1:] {
			call(t, w, name, at)
		}
		if c.change != "" {
			call(t, w, c.change, at+emu.PageSize, 1)
		}
		call(t, w, "module_memfree", at)
		e := w.Events[len(w.Events)-1]
		if e.Kind != Free || e.Addr != at || e.Size != 2*emu.PageSize || e.Err != c.err {
			t.Errorf("%v, %s: %+v", c.alloc, c.change, e)
		}
		if _, err := w.M.Read32(at + emu.PageSize); err == nil || !mem.Areas[0].Freed || mem.areaAt(at) != nil || call(t, w, "find_vm_area", at) != 0 {
			t.Errorf("%v, %s: it is still there", c.alloc, c.change)
		}
	}
	w, mem := memory(t)
	call(t, w, "module_memfree", memoryAt)
	if len(w.Events) != 1 || w.Events[0].Size != 0 || len(mem.Areas) != 0 {
		t.Errorf("of what was not allocated: %v", w.Events)
	}
}

// A copy that can fail does where nothing is mapped, and when it is to; another
// ends the execution there. A copy into an area is an event.
func TestCopies(t *testing.T) {
	for _, c := range []struct {
		name    string
		to      uint64 // from the area; nowhere as it is
		from    uint64 // from the object, likewise
		size    uint64
		fail    int
		ret     uint64 // of what can fail
		stopped bool
	}{
		{"copy_from_kernel_nofault", 8, 0, 16, 0, 0, false},
		{"copy_from_kernel_nofault", 8, 0, 16, 1, ^uint64(14) + 1, false},
		{"copy_from_kernel_nofault", 8, 0, 16, 2, 0, false},
		{"copy_from_kernel_nofault", 8, nowhere, 16, 0, ^uint64(14) + 1, false},
		{"copy_from_kernel_nofault", emu.PageSize - 8, 0, 16, 0, ^uint64(14) + 1, false},
		{"copy_from_kernel_nofault", 8, 0, maxCopy + 1, 0, ^uint64(14) + 1, false},
		{"memcpy", 8, 0, 16, 0, 0, false},
		{"memcpy", 8, 0, 16, 1, 0, false},
		{"memcpy", 8, nowhere, 16, 0, 0, true},
		{"memcpy", emu.PageSize - 8, 0, 16, 0, 0, true},
		{"memcpy", 8, 0, maxCopy + 1, 0, 0, true},
	} {
		w, mem := memory(t)
		area, object := call(t, w, "module_alloc", emu.PageSize), w.Object(64)
		w.Events = w.Events[:0]
		text := []byte("0123456789abcdef")
		if err := w.M.Write(object, text); err != nil {
			t.Fatal(err)
		}
		mem.FailCopy = c.fail
		to, from := area+c.to, object
		if c.from == nowhere {
			from = nowhere + 16*emu.PageSize
		}
		what := fmt.Sprintf("%s(+%#x, %#x, %#x), failing %d", c.name, c.to, from, c.size, c.fail)
		v, err := w.Call(addrOf(t, w, c.name), to, from, c.size)
		if (err != nil) != c.stopped {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if c.stopped {
			continue
		}
		if Fallible(c.name) && v != c.ret {
			t.Errorf("%s returns %d", what, int64(v))
		}
		if len(w.Events) != 1 || w.Events[0].Kind != Copy || w.Events[0].Err != (c.ret != 0) || w.Events[0].Addr != to || w.Events[0].From != from || w.Events[0].Size != c.size {
			t.Errorf("%s: events %+v", what, w.Events)
		}
		want, value := text, le.Uint64(text)
		if c.ret != 0 {
			want, value = make([]byte, 16), 0
		}
		got := make([]byte, 16)
		if err := w.M.Read(area+8, got); err != nil || !bytes.Equal(got, want) || len(w.Events) == 1 && w.Events[0].Value != value && c.to == 8 && c.from == 0 && c.size == 16 {
			t.Errorf("%s: %q, event %#x, want %q", what, got, w.Events[0].Value, want)
		}
	}
}

// A copy fails alone: neither the one before it nor the one behind it does.
func TestFailCopy(t *testing.T) {
	w, mem := memory(t)
	area, object := call(t, w, "module_alloc", emu.PageSize), w.Object(64)
	mem.FailCopy = 2
	for i := range 3 {
		if v := call(t, w, "copy_from_kernel_nofault", area, object, 8); (v != 0) != (i == 1) {
			t.Errorf("copy %d returns %d", i+1, int64(v))
		}
	}
}

// A copy that comes upon a page that is not mapped has copied nothing.
func TestCopyInPart(t *testing.T) {
	w, _ := memory(t)
	area := call(t, w, "module_alloc", emu.PageSize)
	const last = Heap + heapSize - 8
	if err := w.M.Write64(last, 0x1234); err != nil {
		t.Fatal(err)
	}
	v := call(t, w, "copy_from_kernel_nofault", area, last, 16)
	if e := w.Events[1]; v == 0 || !e.Err || e.Value != 0 {
		t.Errorf("returns %d, event %+v", int64(v), e)
	}
	if v, err := w.M.Read64(area); v != 0 || err != nil {
		t.Errorf("%#x was copied (%v)", v, err)
	}
}

// What is longer than any trampoline is not copied.
func TestLongCopy(t *testing.T) {
	for _, size := range []uint64{maxCopy, maxCopy + 1} {
		w, _ := memory(t)
		area := call(t, w, "module_alloc", 2*size)
		_, err := w.Call(addrOf(t, w, "memcpy"), area, area+size, size)
		if long := size > maxCopy; (err != nil) != long || long && !strings.Contains(err.Error(), "memcpy() of 0x100001 bytes: up to 0x100000 are executed") {
			t.Errorf("%#x bytes: %v", size, err)
		}
	}
}

// memset() stores a byte as often as it is told, and what is longer than any
// trampoline is not executed.
func TestSet(t *testing.T) {
	w, _ := memory(t)
	at := call(t, w, "module_alloc", 64)
	call(t, w, "memset", at+4, 0x1a5, 8)
	if v, err := w.M.Read64(at + 4); v != 0xa5a5a5a5a5a5a5a5 || err != nil {
		t.Errorf("%#x (%v)", v, err)
	}
	if before, _ := w.M.Read32(at); before != 0 {
		t.Errorf("%#x stands before", before)
	}
	if behind, _ := w.M.Read32(at + 12); behind != 0 {
		t.Errorf("%#x stands behind", behind)
	}
	if e := w.Events[1]; e.Kind != Store || e.Addr != at+4 || e.Size != 8 {
		t.Errorf("%+v", e)
	}
	if _, err := w.Call(addrOf(t, w, "memset"), at, 0, maxCopy+1); err == nil || !strings.Contains(err.Error(), "up to 0x100000 are executed") {
		t.Errorf("of too much: %v", err)
	}
}

// A store to an area is an event, and so is one that sets VM_FLUSH_RESET_PERMS in
// what describes the area. Other flags are not for the code to change.
func TestStores(t *testing.T) {
	const strX1X0 = 0xf9000001 // str x1, [x0]
	for _, c := range []struct {
		off, value uint64 // of the vm_struct
		reset      bool
		fault      bool
	}{
		{vmFlags, vmAlloc | vmFlushResetPerms, true, false},
		{vmFlags, vmAlloc, false, false},
		{vmFlags, vmFlushResetPerms, true, true}, // VM_ALLOC is lost
		{vmFlags, vmAlloc | 4, false, true},
		{0, vmFlushResetPerms, false, false},
	} {
		w, mem := memory(t)
		area := call(t, w, "module_alloc", 64)
		vm := call(t, w, "find_vm_area", area)
		if err := w.M.Write32(area, strX1X0); err != nil {
			t.Fatal(err)
		}
		if err := w.M.Write32(area+4, ret); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Call(area, area+16, 0x1234); err != nil {
			t.Fatal(err)
		}
		if e := w.Events[1]; e.Kind != Store || e.PC != area || e.Addr != area+16 || e.Size != 8 || e.Value != 0x1234 || e.Perm != rw {
			t.Errorf("a store is %+v", e)
		}
		if _, err := w.Call(area, vm+c.off, c.value); err != nil {
			t.Fatal(err)
		}
		if mem.Areas[0].Reset != c.reset || (len(w.Events) == 3 && w.Events[2].Kind == FlushReset && w.Events[2].Addr == area) != c.reset || (len(w.Faults) == 1) != c.fault {
			t.Errorf("%#x to vm_struct+%d: reset %v, %d events, faults %v", c.value, c.off, mem.Areas[0].Reset, len(w.Events), w.Faults)
		}
	}
}
