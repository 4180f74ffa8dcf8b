package world

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/emu"
)

// An Area is memory for code, which executed code has allocated.
type Area struct {
	Addr, Size uint64     // Size is the number of bytes that were asked for
	Perms      []emu.Perm // of each page of emu.PageSize bytes
	Reset      bool       // freeing it resets its permissions (VM_FLUSH_RESET_PERMS)
	Freed      bool
	Bytes      []byte // a copy of its contents, for callers that keep the Area
}

// PermAt is the permission at addr, which the area contains.
func (a *Area) PermAt(addr uint64) emu.Perm { return a.Perms[(addr-a.Addr)/emu.PageSize] }

// Contains reports whether addr lies in one of the area's pages.
func (a *Area) Contains(addr uint64) bool {
	return addr-a.Addr < uint64(len(a.Perms))*emu.PageSize
}

// Memory stands for the kernel's management of memory for code. Stores to its
// pages always work. An Event of a store has the permission of the page, so that a
// store to a page that the kernel would protect can be found.
type Memory struct {
	Page  uint64 // size of the kernel's pages in bytes, a multiple of emu.PageSize
	Base  uint64 // address of the next area
	Areas []*Area

	FailAlloc bool // allocations fail
	FailCopy  int  // number of the copy into an area that fails, from 1; 0: none
	FailPerm  int  // number of the change of permissions that fails, from 1; 0: none

	w             *World
	copies, perms int // since Reset or Expect
}

// NewMemory makes a Memory from which the World's code allocates.
func NewMemory(w *World) *Memory {
	mem := &Memory{w: w, Page: max(w.Image.PageSize(), emu.PageSize)}
	mem.hook()
	return mem
}

// Reset forgets all areas. It is called after World.Reset. New areas are allocated
// from base on.
func (mem *Memory) Reset(base uint64) {
	*mem = Memory{w: mem.w, Page: mem.Page, Base: base}
	mem.w.Mem.Map(vmBase, emu.PageSize, emu.Read|emu.Write)
	if err := mem.w.Mem.Watch(vmBase, emu.PageSize); err != nil {
		panic(err) // it has just been mapped
	}
}

// Expect has the nth change of permissions from now on fail; n is from 1.
func (mem *Memory) Expect(n int) { mem.perms, mem.FailPerm = 0, n }

// Kernels describe an area of virtual memory by a struct vm_struct: next,
// addr, size, flags.
const (
	vmBase  = 0xffff_0000_4000_0000 // address of the first; each area has one
	vmSize  = 64                    // room for one, in bytes
	vmFlags = 24                    // offset of flags, in bytes

	vmAlloc           = 0x2 // the flag that vmalloc() and functions like it set
	vmFlushResetPerms = 0x100
)

// maxAreas bounds the number of areas, maxArea the size of each in bytes.
const (
	maxAreas = 32
	maxArea  = 64 << 20
)

// A copy, or a memset, of more than maxCopy bytes is not executed: trampolines
// are shorter than a page. In a shorter one, bytesPerStep bytes count as one
// instruction, so that the limit of instructions bounds copies, too.
const (
	maxCopy      = 1 << 20
	bytesPerStep = 16
)

// Types of memory of execmem_alloc().
const (
	execmemKprobes = 1  // EXECMEM_KPROBES: read-only and executable; other types are read-write
	execmemTypes   = 16 // EXECMEM_TYPE_MAX is less in every kernel
)

// areaAt is the area that addr lies in, nil if there is none that is not freed.
func (mem *Memory) areaAt(addr uint64) *Area {
	for _, a := range mem.Areas {
		if !a.Freed && a.Contains(addr) {
			return a
		}
	}
	return nil
}

// hook makes the stand-ins for allocation, copies, permissions and caches.
func (mem *Memory) hook() {
	mem.hookAllocators()
	mem.hookAreas()
	mem.hookCopies()
	for _, name := range slices.Sorted(maps.Keys(permChanges)) {
		mem.w.Hook(func(name string) error { mem.protect(name, permChanges[name]); return nil }, name)
	}
	mem.hookCaches()
	mem.w.Mem.OnWrite = mem.onWrite
}

// hookAllocators makes the stand-ins for functions that allocate memory for code,
// and objects.
func (mem *Memory) hookAllocators() {
	alloc := func(size func() uint64) func(string) error {
		return func(name string) error { return mem.alloc(name, size(), emu.Read|emu.Write, false, 0, ^uint64(0)) }
	}
	x0 := func() uint64 { return mem.w.Arg(0) }
	mem.w.Hook(alloc(x0), "module_alloc", "module_alloc_noprof", "vmalloc", "vmalloc_noprof", "vzalloc", "vzalloc_noprof",
		"__vmalloc", "__vmalloc_noprof", "bpf_jit_alloc_exec")
	mem.w.Hook(func(name string) error {
		return mem.alloc(name, mem.w.Arg(0), emu.Read|emu.Write|emu.Exec, false, 0, ^uint64(0))
	}, "vmalloc_exec")
	mem.w.Hook(func(name string) error {
		perm := emu.Read | emu.Write
		if typ := uint32(mem.w.Arg(0)); typ >= execmemTypes {
			mem.w.Fault(mem.w.Caller(), "asks %s() for memory of type %#x, which does not exist", name, typ)
		}
		if uint32(mem.w.Arg(0)) == execmemKprobes {
			perm = emu.Read | emu.Exec
		}
		return mem.alloc(name, mem.w.Arg(1), perm, true, 0, ^uint64(0)) // all its areas have VM_FLUSH_RESET_PERMS
	}, "execmem_alloc", "execmem_alloc_rw")
	mem.w.Hook(func(name string) error { // size, align, start, end, gfp, prot, vm_flags, ...
		return mem.alloc(name, mem.w.Arg(0), mem.w.cpu.pagePerm(mem.w.Arg(5)), mem.w.Arg(6)&vmFlushResetPerms != 0, mem.w.Arg(2), mem.w.Arg(3))
	}, "__vmalloc_node_range", "__vmalloc_node_range_noprof")
	object := func(size func() uint64) func(string) error {
		return func(string) error { mem.w.SetResult(mem.w.Object(min(size(), 4096))); return nil }
	}
	x2 := func() uint64 { return mem.w.Arg(2) }
	mem.w.Hook(object(x0), "__kmalloc", "__kmalloc_noprof")
	mem.w.Hook(object(x2), "kmalloc_trace", "__kmalloc_cache_noprof", "kmem_cache_alloc_trace")
	mem.w.Hook(mem.w.Returns(0), "kfree")
}

// hookAreas makes the stand-ins for functions that free or describe areas.
func (mem *Memory) hookAreas() {
	mem.w.Hook(func(name string) error { mem.free(name, mem.w.Arg(0)); return nil },
		"module_memfree", "execmem_free", "vfree", "vfree_atomic", "bpf_jit_free_exec")
	mem.w.Hook(func(string) error {
		a := mem.areaAt(mem.w.Arg(0))
		mem.w.SetResult(0)
		if a != nil {
			mem.w.SetResult(vmBase + uint64(slices.Index(mem.Areas, a))*vmSize)
		}
		return nil
	}, "find_vm_area")
	mem.w.Hook(func(name string) error { mem.flushReset(name, mem.areaAt(mem.w.Arg(0)), true); return nil }, "set_vm_flush_reset_perms")
}

// hookCopies makes the stand-ins for functions that copy or fill memory.
func (mem *Memory) hookCopies() {
	// The order is fixed because a damaged symbol table can have two of the names
	// at one address.
	for _, name := range slices.Sorted(maps.Keys(fallible)) {
		mem.w.Hook(mem.copyHook(true), name)
	}
	mem.w.Hook(mem.copyHook(false), "memcpy", "__memcpy", "__pi_memcpy", "memmove", "__memmove", "__pi_memmove", "aarch64_insn_copy")
	mem.w.Hook(mem.set, "memset", "__memset", "__pi_memset", "aarch64_insn_set")
}

// hookCaches makes the stand-ins for functions that maintain caches, and has
// instructions that do so recorded.
func (mem *Memory) hookCaches() {
	mem.w.Hook(func(name string) error {
		return mem.flush(name, mem.w.Arg(0), mem.w.Arg(1)-mem.w.Arg(0))
	}, "flush_icache_range", "__flush_icache_range", "caches_clean_inval_pou")
	mem.w.Hook(func(name string) error { // start, end; before 5.14 addr, length
		size := mem.w.Arg(1)
		if size >= mem.w.Arg(0) {
			size -= mem.w.Arg(0)
		}
		return mem.flush(name, mem.w.Arg(0), size)
	}, "sync_icache_aliases")
	mem.w.Hook(mem.w.Returns(0), "kick_all_cpus_sync", "smp_call_function", "smp_call_function_many_cond", "on_each_cpu_cond_mask")
	if mem.w.M == nil {
		return // the processor's caches see stores
	}
	mem.w.M.OnMaint = func(pc uint64, kind emu.MaintKind, addr uint64) {
		switch kind {
		case emu.ICInval:
			mem.w.event(Event{Kind: ICache, PC: pc, Addr: addr &^ (cacheLine - 1), Size: cacheLine, Func: kind.String()})
		case emu.ICInvalAll:
			mem.w.event(Event{Kind: ICache, PC: pc, Size: ^uint64(0), Func: kind.String()})
		}
	}
}

// onWrite records a store to an area, or to the flags of its vm_struct.
func (mem *Memory) onWrite(pc, addr uint64, size int, value uint64) {
	if a := mem.areaAt(addr); a != nil {
		mem.w.event(Event{Kind: Store, PC: pc, Addr: addr, Size: uint64(size), Value: value, Perm: a.PermAt(addr)})
		return
	}
	if i := (addr - vmBase) / vmSize; i < uint64(len(mem.Areas)) && addr%vmSize == vmFlags {
		mem.flushReset("set_vm_flush_reset_perms", mem.Areas[i], value&vmFlushResetPerms != 0)
		if value&^vmFlushResetPerms != vmAlloc {
			mem.w.Fault(pc, "changes flags of its memory's vm_struct to %#x: it may change VM_FLUSH_RESET_PERMS alone", value)
		}
	}
}

// Fallible reports whether the function is a copy that can fail.
func Fallible(name string) bool { return fallible[name] }

// fallible are the copies that can fail.
var fallible = map[string]bool{
	"copy_from_kernel_nofault": true, "probe_kernel_read": true, "__probe_kernel_read": true,
	"copy_to_kernel_nofault": true, "probe_kernel_write": true, "__probe_kernel_write": true,
}

// cacheLine is the size in bytes of the line that IC IVAU invalidates: see CTR_EL0
// in package emu.
const cacheLine = 64

// permChanges are the functions that change permissions, with the permissions that
// they clear and set.
var permChanges = map[string]struct{ clear, set emu.Perm }{
	"set_memory_ro":  {clear: emu.Write},
	"set_memory_rw":  {set: emu.Write},
	"set_memory_x":   {set: emu.Exec},
	"set_memory_nx":  {clear: emu.Exec},
	"set_memory_rox": {clear: emu.Write, set: emu.Exec},
}

// alloc stands for an allocation between the addresses lo and hi. reset reports
// whether freeing the area resets its permissions.
func (mem *Memory) alloc(name string, size uint64, perm emu.Perm, reset bool, lo, hi uint64) error {
	e := Event{Kind: Alloc, PC: mem.w.Caller(), Size: size, Func: name}
	if hi != ^uint64(0) {
		e.From, e.Value = lo, hi
	}
	page := mem.Page
	room := (size + page - 1) / page * page
	addr := mem.Base
	mem.w.SetResult(0)
	if !mem.FailAlloc && size > 0 && size <= maxArea && len(mem.Areas) < maxAreas && lo <= addr && addr+size <= hi {
		if s, over := mem.over(addr, room); over {
			return fmt.Errorf("%s() of %#x bytes: from %#x on they would lie over %s of the image", name, size, addr, s)
		}
		if _, err := mem.Give(addr, size, perm, reset); err != nil {
			return err
		}
		mem.Base += room + page // a guard page
		e.Addr, e.Perm = addr, perm
		mem.w.SetResult(addr)
	}
	mem.w.event(e)
	return nil
}

// Give makes an area at addr, as if code had allocated it before. addr is the address
// of a page. reset reports whether freeing the area resets its permissions.
func (mem *Memory) Give(addr, size uint64, perm emu.Perm, reset bool) (*Area, error) {
	room := (size + mem.Page - 1) / mem.Page * mem.Page
	a := &Area{Addr: addr, Size: size, Perms: slices.Repeat([]emu.Perm{perm}, int(room/emu.PageSize)), Reset: reset}
	mem.w.Mem.Map(addr, size, emu.Read|emu.Write|emu.Exec)
	if err := mem.w.Mem.Watch(addr, size); err != nil {
		return nil, err
	}
	vm := vmBase + uint64(len(mem.Areas))*vmSize
	mem.Areas = append(mem.Areas, a)
	flags := uint64(vmAlloc)
	if reset {
		flags |= vmFlushResetPerms
	}
	for _, member := range [][2]uint64{{8, addr}, {16, room + mem.Page}, {vmFlags, flags}} {
		if err := mem.w.Mem.Write64(vm+member[0], member[1]); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// over reports whether memory would lie over a section of the image.
func (mem *Memory) over(addr, size uint64) (section string, ok bool) {
	for _, s := range mem.w.Image.Sections() {
		if s.Addr < addr+size && addr < s.End() {
			return s.Name, true
		}
	}
	return "", false
}

func (mem *Memory) free(name string, addr uint64) {
	a := mem.areaAt(addr)
	e := Event{Kind: Free, PC: mem.w.Caller(), Addr: addr, Func: name}
	if a != nil {
		for _, p := range a.Perms {
			e.Perm |= p
		}
		e.Size = a.Size
		for _, p := range a.Perms {
			e.Err = e.Err || !a.Reset && p != emu.Read|emu.Write
		}
		a.Freed = true
		mem.w.Mem.Unmap(a.Addr, uint64(len(a.Perms))*emu.PageSize)
	}
	mem.w.event(e)
}

func (mem *Memory) flushReset(name string, a *Area, on bool) {
	if a != nil && a.Reset != on {
		a.Reset = on
		mem.w.event(Event{Kind: FlushReset, PC: mem.w.from, Addr: a.Addr, Func: name})
	}
}

// flush stands for maintenance of the instruction cache. The kernel maintains it
// line by line, by address, so that the first page that is not mapped is an
// error.
func (mem *Memory) flush(name string, addr, size uint64) error {
	e := Event{Kind: ICache, PC: mem.w.Caller(), Addr: addr, Size: size, Func: name}
	for end, b := addr+size, make([]byte, 1); size > 0; {
		if err := mem.w.Mem.Read(addr, b); err != nil {
			return err
		}
		next := addr&^(emu.PageSize-1) + emu.PageSize
		if end-addr <= next-addr {
			break
		}
		addr = next
	}
	mem.w.event(e)
	return nil
}

// copyHook is the stand-in for a copy. If canFail is false, a page that is not
// mapped is an error of the emulator.
func (mem *Memory) copyHook(canFail bool) func(string) error {
	return func(name string) error {
		m := mem.w.Mem
		dst, src, n := mem.w.Arg(0), mem.w.Arg(1), mem.w.Arg(2)
		e := Event{Kind: Copy, PC: mem.w.Caller(), Addr: dst, From: src, Size: n, Func: name}
		a := mem.areaAt(dst)
		if canFail && a != nil {
			mem.copies++
			e.Err = mem.copies == mem.FailCopy
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
			if e.Err = err != nil; e.Err {
				clear(buf) // it has bytes from before the page that is not mapped
			}
		}
		if canFail {
			mem.w.SetResult(0)
		}
		if e.Err {
			mem.w.SetResult(^uint64(14) + 1) // -EFAULT, a long
		}
		if a != nil {
			e.Perm = a.PermAt(dst)
			for i := range min(n, 8) { // zeros, if it fails
				e.Value |= uint64(buf[i]) << (8 * i)
			}
			mem.w.event(e)
		}
		return nil
	}
}

// set stands for memset(addr, byte, n) and aarch64_insn_set(addr, insn, n).
func (mem *Memory) set(name string) error {
	m := mem.w.Mem
	addr, v, n := mem.w.Arg(0), uint32(mem.w.Arg(1)), mem.w.Arg(2)
	if n > maxCopy {
		return fmt.Errorf("%s() of %#x bytes: up to %#x are executed", name, n, maxCopy)
	}
	m.Steps += n / bytesPerStep
	if strings.HasSuffix(name, "memset") {
		v = v & 0xff * 0x01010101
	}
	buf := make([]byte, n)
	for i := range buf {
		buf[i] = byte(v >> (8 * (i % 4)))
	}
	if a := mem.areaAt(addr); a != nil {
		mem.w.event(Event{Kind: Store, PC: mem.w.Caller(), Addr: addr, Size: n, Value: uint64(v), Perm: a.PermAt(addr), Func: name})
	}
	return m.Write(addr, buf)
}

func (mem *Memory) protect(name string, change struct{ clear, set emu.Perm }) {
	addr, size := mem.w.Arg(0)&^(mem.Page-1), mem.w.Arg(1)&0x7fffffff*mem.Page
	e := Event{Kind: Protect, PC: mem.w.Caller(), Addr: addr, Size: size, Func: name}
	a := mem.areaAt(addr)
	if a != nil {
		e.Perm = a.PermAt(addr)
	}
	mem.perms++
	switch {
	case mem.perms == mem.FailPerm:
		e.Err = true
		mem.w.event(e)
		_ = mem.w.result(enomem)
	case a == nil || addr+size > a.Addr+uint64(len(a.Perms))*emu.PageSize+mem.Page:
		// addr is in no area, or the end is behind the guard page: see
		// change_memory_common().
		e.Err = true
		mem.w.event(e)
		_ = mem.w.result(einval)
	default:
		first := (addr - a.Addr) / emu.PageSize
		for i := first; i < uint64(len(a.Perms)) && i < first+size/emu.PageSize; i++ {
			a.Perms[i] = a.Perms[i]&^change.clear | change.set
		}
		e.Perm = a.PermAt(addr)
		mem.w.event(e)
		_ = mem.w.result(0)
	}
}
