package builder

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/emu"
)

// A CodeArea is memory for code that executed code has allocated.
type CodeArea struct {
	Addr, Size uint64     // Size is what was asked for, in bytes
	Perms      []emu.Perm // of each page
	Reset      bool       // freeing it resets its permissions (VM_FLUSH_RESET_PERMS)
	Freed      bool
	Bytes      []byte // its contents at the end
}

// PermAt is the permission of the code memory at addr.
func (a *CodeArea) PermAt(addr uint64) emu.Perm { return a.Perms[(addr-a.Addr)/emu.PageSize] }

// Contains tells whether addr lies in one of the area's pages.
func (a *CodeArea) Contains(addr uint64) bool {
	return addr-a.Addr < uint64(len(a.Perms))*emu.PageSize
}

// codeMemory stands for the kernel's memory management as far as a builder of
// trampolines uses it. Its pages can always be written: who stores to one that
// the kernel would protect is found in the events.
type codeMemory struct {
	page      uint64 // size of the kernel's pages in bytes, a multiple of emu.PageSize
	base      uint64 // where memory is allocated
	failAlloc bool
	failCopy  int // which copy of the template fails, from 1; 0: none
	copies    int
	failPerm  int // which change of permissions fails, likewise
	perms     int
	areas     []*CodeArea
}

// Kernels describe an area of virtual memory by a struct vm_struct: next,
// addr, size, flags.
const (
	vmBase  = 0xffff_0000_4000_0000 // one for each area
	vmSize  = 64
	vmFlags = 24

	vmAlloc           = 0x2 // what vmalloc and its kin set
	vmFlushResetPerms = 0x100
)

// maxAreas bounds what is allocated, maxArea the size of each.
const (
	maxAreas = 32
	maxArea  = 64 << 20
)

// A copy, or a memset, of more than maxCopy bytes is not executed: trampolines
// are shorter than a page. Each bytesPerStep of a shorter one count as an
// instruction, as if its loop was executed: so the limit of instructions is one
// of copies, too.
const (
	maxCopy      = 1 << 20
	bytesPerStep = 16
)

// execmemKprobes is EXECMEM_KPROBES, whose memory is read-only and executable
// from the start; that of other types is read-write.
const (
	execmemKprobes = 1
	execmemTypes   = 16 // EXECMEM_TYPE_MAX is less in every kernel
)

// Bits of a page table entry.
const (
	pteReadOnly = 1 << 7
	pteNoExec   = 1 << 53 // PXN
)

// resetMemory forgets what was allocated.
func (t *trampWorld) resetMemory() {
	t.mem = codeMemory{page: max(t.Image.PageSize(), emu.PageSize)}
	t.M.Map(vmBase, emu.PageSize, emu.Read|emu.Write)
	if err := t.M.Watch(vmBase, emu.PageSize); err != nil {
		panic(err) // it has just been mapped
	}
}

// areaAt is the area that addr lies in, freed ones left out.
func (t *trampWorld) areaAt(addr uint64) *CodeArea {
	for _, a := range t.mem.areas {
		if !a.Freed && a.Contains(addr) {
			return a
		}
	}
	return nil
}

// hookMemory stands for allocation, copies, permissions and caches.
func (t *trampWorld) hookMemory() {
	m := t.M
	alloc := func(size func() uint64) func(string) error {
		return func(name string) error { return t.alloc(name, size(), emu.Read|emu.Write, false, 0, ^uint64(0)) }
	}
	x0 := func() uint64 { return m.X[0] }
	t.Hook(alloc(x0), "module_alloc", "module_alloc_noprof", "vmalloc", "vmalloc_noprof", "vzalloc", "vzalloc_noprof",
		"__vmalloc", "__vmalloc_noprof", "bpf_jit_alloc_exec")
	t.Hook(func(name string) error {
		return t.alloc(name, m.X[0], emu.Read|emu.Write|emu.Exec, false, 0, ^uint64(0))
	}, "vmalloc_exec")
	t.Hook(func(name string) error {
		perm := emu.Read | emu.Write
		if typ := uint32(m.X[0]); typ >= execmemTypes {
			t.fault(t.from, "it asks %s() for memory of type %#x, which is none", name, typ)
		}
		if uint32(m.X[0]) == execmemKprobes {
			perm = emu.Read | emu.Exec
		}
		return t.alloc(name, m.X[1], perm, true, 0, ^uint64(0)) // its areas all have VM_FLUSH_RESET_PERMS
	}, "execmem_alloc", "execmem_alloc_rw")
	t.Hook(func(name string) error { // size, align, start, end, gfp, prot, vm_flags, ...
		perm := emu.Read
		if m.X[5]&pteReadOnly == 0 {
			perm |= emu.Write
		}
		if m.X[5]&pteNoExec == 0 {
			perm |= emu.Exec
		}
		return t.alloc(name, m.X[0], perm, m.X[6]&vmFlushResetPerms != 0, m.X[2], m.X[3])
	}, "__vmalloc_node_range", "__vmalloc_node_range_noprof")
	t.Hook(func(name string) error { t.free(name, m.X[0]); return nil },
		"module_memfree", "execmem_free", "vfree", "vfree_atomic", "bpf_jit_free_exec")
	t.Hook(func(string) error {
		a := t.areaAt(m.X[0])
		m.X[0] = 0
		if a != nil {
			m.X[0] = vmBase + uint64(slices.Index(t.mem.areas, a))*vmSize
		}
		return nil
	}, "find_vm_area")
	t.Hook(func(name string) error { t.flushReset(name, t.areaAt(m.X[0]), true); return nil }, "set_vm_flush_reset_perms")

	// In one order: damaged symbol tables have two names for one function.
	for _, name := range slices.Sorted(maps.Keys(fallible)) {
		t.Hook(t.copyHook(true), name)
	}
	t.Hook(t.copyHook(false), "memcpy", "__memcpy", "__pi_memcpy", "memmove", "__memmove", "__pi_memmove", "aarch64_insn_copy")
	t.Hook(t.set, "memset", "__memset", "__pi_memset", "aarch64_insn_set")

	for _, name := range slices.Sorted(maps.Keys(permChanges)) {
		t.Hook(func(name string) error { t.protect(name, permChanges[name]); return nil }, name)
	}

	t.Hook(func(name string) error {
		t.event(Event{Kind: ICache, PC: t.caller(), Addr: m.X[0], Size: m.X[1] - m.X[0], Func: name})
		return nil
	}, "flush_icache_range", "__flush_icache_range", "caches_clean_inval_pou")
	t.Hook(func(name string) error { // start, end; before 5.14 addr, length
		size := m.X[1]
		if size >= m.X[0] {
			size -= m.X[0]
		}
		t.event(Event{Kind: ICache, PC: t.caller(), Addr: m.X[0], Size: size, Func: name})
		return nil
	}, "sync_icache_aliases")
	t.Hook(t.returns(0), "kick_all_cpus_sync", "smp_call_function", "smp_call_function_many_cond", "on_each_cpu_cond_mask")
	m.OnMaint = func(pc uint64, kind emu.MaintKind, addr uint64) {
		switch kind {
		case emu.ICInval:
			t.event(Event{Kind: ICache, PC: pc, Addr: addr &^ (cacheLine - 1), Size: cacheLine, Func: kind.String()})
		case emu.ICInvalAll:
			t.event(Event{Kind: ICache, PC: pc, Size: ^uint64(0), Func: kind.String()})
		}
	}
	m.OnWrite = func(pc, addr uint64, size int, value uint64) {
		if a := t.areaAt(addr); a != nil {
			if w, err := m.Read32(pc); err == nil {
				t.made[len(t.Events)] = t.parts[w&31]
			}
			t.event(Event{Kind: Store, PC: pc, Addr: addr, Size: uint64(size), Value: value, Perm: a.PermAt(addr)})
			return
		}
		if i := (addr - vmBase) / vmSize; i < uint64(len(t.mem.areas)) && addr%vmSize == vmFlags {
			t.flushReset("set_vm_flush_reset_perms", t.mem.areas[i], value&vmFlushResetPerms != 0)
			if value&^vmFlushResetPerms != vmAlloc {
				t.fault(pc, "it changes flags of its memory's vm_struct to %#x: VM_FLUSH_RESET_PERMS alone is its to set", value)
			}
		}
	}

	object := func(size func() uint64) func(string) error {
		return func(string) error { m.X[0] = t.New(min(size(), 4096)); return nil }
	}
	x2 := func() uint64 { return m.X[2] }
	t.Hook(object(x0), "__kmalloc", "__kmalloc_noprof")
	t.Hook(object(x2), "kmalloc_trace", "__kmalloc_cache_noprof", "kmem_cache_alloc_trace")
	t.Hook(t.returns(0), "kfree")
}

// fallible are the copies that can fail.
var fallible = map[string]bool{
	"copy_from_kernel_nofault": true, "probe_kernel_read": true, "__probe_kernel_read": true,
	"copy_to_kernel_nofault": true, "probe_kernel_write": true, "__probe_kernel_write": true,
}

// cacheLine is what IC IVAU invalidates, in bytes: see CTR_EL0 in package emu.
const cacheLine = 64

// permChanges are the functions that change permissions: what they clear, and
// what they set.
var permChanges = map[string]struct{ clear, set emu.Perm }{
	"set_memory_ro":  {clear: emu.Write},
	"set_memory_rw":  {set: emu.Write},
	"set_memory_x":   {set: emu.Exec},
	"set_memory_nx":  {clear: emu.Exec},
	"set_memory_rox": {clear: emu.Write, set: emu.Exec},
}

func (t *trampWorld) alloc(name string, size uint64, perm emu.Perm, reset bool, lo, hi uint64) error {
	e := Event{Kind: Alloc, PC: t.caller(), Size: size, Func: name}
	if hi != ^uint64(0) {
		e.From, e.Value = lo, hi
	}
	page := t.mem.page
	room := (size + page - 1) / page * page
	addr := t.mem.base
	t.M.X[0] = 0
	if !t.mem.failAlloc && size > 0 && size <= maxArea && len(t.mem.areas) < maxAreas && lo <= addr && addr+size <= hi {
		a := &CodeArea{Addr: addr, Size: size, Perms: slices.Repeat([]emu.Perm{perm}, int(room/emu.PageSize)), Reset: reset}
		t.M.Map(addr, size, emu.Read|emu.Write|emu.Exec)
		if err := t.M.Watch(addr, size); err != nil {
			panic(err) // it has just been mapped
		}
		vm := vmBase + uint64(len(t.mem.areas))*vmSize
		t.mem.areas = append(t.mem.areas, a)
		t.mem.base += room + page // a guard page
		e.Addr, e.Perm = addr, perm
		flags := uint64(vmAlloc)
		if reset {
			flags |= vmFlushResetPerms
		}
		for _, member := range [][2]uint64{{8, addr}, {16, room + page}, {vmFlags, flags}} {
			if err := t.M.Write64(vm+member[0], member[1]); err != nil {
				return err
			}
		}
		t.M.X[0] = addr
	}
	t.event(e)
	return nil
}

func (t *trampWorld) free(name string, addr uint64) {
	a := t.areaAt(addr)
	e := Event{Kind: Free, PC: t.caller(), Addr: addr, Func: name}
	if a != nil {
		for _, p := range a.Perms {
			e.Perm |= p
		}
		e.Size = a.Size
		for _, p := range a.Perms {
			e.Err = e.Err || !a.Reset && p != emu.Read|emu.Write
		}
		a.Freed = true
		t.M.Unmap(a.Addr, uint64(len(a.Perms))*emu.PageSize)
	}
	t.event(e)
}

func (t *trampWorld) flushReset(name string, a *CodeArea, on bool) {
	if a != nil && a.Reset != on {
		a.Reset = on
		t.event(Event{Kind: FlushReset, PC: t.from, Addr: a.Addr, Func: name})
	}
}

// copyHook stands for a copy. Only one that can fail does.
func (t *trampWorld) copyHook(canFail bool) func(string) error {
	return func(name string) error {
		m := t.M
		dst, src, n := m.X[0], m.X[1], m.X[2]
		e := Event{Kind: Copy, PC: t.caller(), Addr: dst, From: src, Size: n, Func: name}
		a := t.areaAt(dst)
		if canFail && a != nil {
			t.mem.copies++
			e.Err = t.mem.copies == t.mem.failCopy
		}
		buf := make([]byte, min(n, maxCopy))
		m.Steps += uint64(len(buf)) / bytesPerStep
		if !e.Err {
			err := m.Read(src, buf)
			if err == nil && n > maxCopy {
				err = fmt.Errorf("%s() of %#x bytes: up to %#x are executed", name, n, maxCopy)
			}
			if err == nil {
				err = m.Write(dst, buf)
			}
			if err != nil && !canFail || atLimit(err) {
				return err
			}
			e.Err = err != nil
		}
		if canFail {
			m.X[0] = 0
		}
		if e.Err {
			m.X[0] = ^uint64(14) + 1 // -EFAULT, a long
		}
		if a != nil {
			e.Perm = a.PermAt(dst)
			for i := range min(n, 8) {
				e.Value |= uint64(buf[i]) << (8 * i)
			}
			t.event(e)
		}
		return nil
	}
}

// set stands for memset(addr, byte, n) and aarch64_insn_set(addr, insn, n).
func (t *trampWorld) set(name string) error {
	m := t.M
	addr, v, n := m.X[0], uint32(m.X[1]), m.X[2]
	if n > maxCopy {
		return fmt.Errorf("%s() of %#x bytes: up to %#x are executed", name, n, maxCopy)
	}
	m.Steps += n / bytesPerStep
	if strings.HasSuffix(name, "memset") {
		v = v & 0xff * 0x01010101
	}
	buf := make([]byte, n)
	for i := range buf {
		buf[i] = byte(v >> (8 * (i % a64.Size)))
	}
	if a := t.areaAt(addr); a != nil {
		t.event(Event{Kind: Store, PC: t.caller(), Addr: addr, Size: n, Value: uint64(v), Perm: a.PermAt(addr), Func: name})
	}
	return m.Write(addr, buf)
}

func (t *trampWorld) protect(name string, change struct{ clear, set emu.Perm }) {
	addr, size := t.M.X[0]&^(t.mem.page-1), t.M.X[1]&0x7fffffff*t.mem.page
	e := Event{Kind: Protect, PC: t.caller(), Addr: addr, Size: size, Func: name}
	a := t.areaAt(addr)
	if a != nil {
		e.Perm = a.PermAt(addr)
	}
	t.mem.perms++
	switch {
	case t.mem.perms == t.mem.failPerm:
		e.Err = true
		t.event(e)
		_ = t.result(enomem)
	case a == nil || addr+size > a.Addr+uint64(len(a.Perms))*emu.PageSize+t.mem.page:
		// Beyond its area and the guard page, or in none: see
		// change_memory_common().
		e.Err = true
		t.event(e)
		_ = t.result(einval)
	default:
		first := (addr - a.Addr) / emu.PageSize
		for i := first; i < uint64(len(a.Perms)) && i < first+size/emu.PageSize; i++ {
			a.Perms[i] = a.Perms[i]&^change.clear | change.set
		}
		e.Perm = a.PermAt(addr)
		t.event(e)
		_ = t.result(0)
	}
}
