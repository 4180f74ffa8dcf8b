package patching

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/world"
)

// Physical addresses. The image lies in memory that begins above zero, and
// pages of modules lie in no order.
const (
	memoryStart = 0x5_0000_0000
	imageStart  = 0x5_4320_0000
	moduleStart = 0x5_9000_0000
)

// A patcher executes the interface in one image. It is not for concurrent use.
type patcher struct {
	im   *elfscan.Image
	w    *world.World
	runs *Runs
	fns  []function
	page uint64 // size of the kernel's pages, in bytes

	// Addresses; 0 if the image has no such symbol.
	setFixmap, systemState, useNG, voffset, memstart uint64
	lock                                             uint64

	first, last uint64   // addresses of the image
	modules     []module // memory that is not the image's
	pages       pageInfo
	canMap      bool          // the pages of modules are known
	written     map[bool]bool // by place.module: a function has written to such a place
	direct      bool          // text of modules is writable: the kernel does not map it elsewhere

	skipped []string          // what cannot be executed, and why
	slots   map[uint64]uint64 // addresses of fixmap slots, by index; 0: not known
	lse     []uint64          // addresses of branches around LSE atomics
	clean   bool              // nothing has gone wrong since reset
	copied  bool              // a copy that can fail is called
	inline  bool              // the lock is taken by the functions themselves

	task   []byte  // as it is before each call
	after  []byte  // a buffer to read it after the call
	shown  []byte  // a buffer for a page
	before [8]byte // what stood at the target
	out    uint64  // where a word that is read goes
	currentCall
}

// currentCall is the state of the call that runs.
type currentCall struct {
	at        place
	now       situation
	target    uint64 // what is to be patched, or read
	size      uint64 // in bytes
	real      bool   // __set_fixmap() itself is executed
	mapped    []mapping
	maps      int
	stores    []store // to what is patched
	maint     []maint
	lockHeld  bool // by a stand-in
	waited    bool // for the lock
	daif, pmr uint64
}

// A module is memory of a module: two pages, and nothing behind them.
type module struct {
	addr  uint64
	where string // "below"
	phys  [2]uint64
}

// A mapping is a page that is mapped at a fixmap slot.
type mapping struct {
	index      uint64
	slot, page uint64 // addresses
}

// A store is bytes that were written through a mapping, or directly.
type store struct {
	addr  uint64 // of the memory itself, not of its mapping
	bytes []byte
}

// A maint is one step of the maintenance of caches; stores counts the stores
// before it.
type maint struct {
	kind   emu.MaintKind
	addr   uint64
	stores int
}

func newPatcher(im *elfscan.Image, guarded bool) *patcher {
	p := &patcher{im: im, fns: functionsOf(im), page: max(im.PageSize(), emu.PageSize), slots: map[uint64]uint64{}, written: map[bool]bool{}}
	for name, addr := range map[string]*uint64{
		"__set_fixmap": &p.setFixmap, "system_state": &p.systemState, "arm64_use_ng_mappings": &p.useNG,
		"kimage_voffset": &p.voffset, "memstart_addr": &p.memstart, "patch_lock": &p.lock,
	} {
		*addr, _ = im.Addr(name)
	}
	if len(p.fns) == 0 || p.setFixmap == 0 {
		return p
	}
	p.bounds()
	p.w = world.New(im)
	p.w.M.WatchLoaded, p.w.M.Guarded = true, guarded
	p.w.Reset()
	for _, fn := range p.fns {
		p.w.Unhook(fn.name)
	}
	p.hook()
	p.task = world.Poison(world.Task, 16<<10, world.TaskMark)
	clear(p.task[:128]) // thread_info
	p.shown = make([]byte, p.page)
	p.after = make([]byte, len(p.task))
	p.findLSE()
	p.findPages()
	return p
}

// bounds finds where the image lies, and makes memory of modules below and
// above it.
func (p *patcher) bounds() {
	p.first = ^uint64(0)
	for _, s := range p.im.Sections() {
		p.first, p.last = min(p.first, s.Addr), max(p.last, s.End())
	}
	const gap = 48 << 20
	below := (p.first - gap) &^ (64<<10 - 1)
	above := (p.last + gap) &^ (64<<10 - 1)
	p.modules = []module{
		{addr: below, where: "below", phys: [2]uint64{moduleStart + 9*p.page, moduleStart + 3*p.page}},
		{addr: above, where: "above", phys: [2]uint64{moduleStart + 5*p.page, moduleStart + 17*p.page}},
	}
}

// physical is the physical address of the page that addr is in.
func (p *patcher) physical(addr uint64) (uint64, bool) {
	a := addr &^ (p.page - 1)
	if a >= p.first&^(p.page-1) && a < p.last {
		return a - p.base() + imageStart, true
	}
	for _, m := range p.modules {
		if i := (a - m.addr) / p.page; i < 2 {
			return m.phys[i], true
		}
	}
	return 0, false
}

// base is the address of the image that is at imageStart.
func (p *patcher) base() uint64 { return p.first &^ (2<<20 - 1) }

// prepare makes everything as it is before a call. After a call that did wrong it
// brings back the image.
func (p *patcher) prepare(at place) {
	if !p.clean {
		p.reset()
	}
	if p.systemState != 0 {
		_ = p.w.M.Write32(p.systemState, uint32(at.state)) // a variable of the image
	}
}

// reset brings back the image and sets up memory around it.
func (p *patcher) reset() {
	p.w.Reset()
	m := p.w.M
	_ = m.Write(world.Task, p.task) // mapped by Reset, like the pages below
	p.out = p.w.Object(64)
	_ = m.Watch(world.Heap, emu.PageSize)
	_ = m.Protect(world.StackTop, emu.PageSize, emu.Read)
	perm := emu.Read | emu.Exec
	if p.direct {
		perm |= emu.Write
	}
	for _, mod := range p.modules {
		m.Map(mod.addr, 2*p.page, perm)
		_ = m.Watch(mod.addr, 2*p.page)
	}
	// A kernel that lacks one of these variables does without it.
	for addr, v := range map[uint64]uint64{p.voffset: p.base() - imageStart, p.memstart: memoryStart} {
		if addr != 0 {
			_ = m.Write64(addr, v)
		}
	}
	for _, name := range []string{"mem_map", "vmemmap"} { // CONFIG_FLATMEM; kernels 5.4 to 5.9
		if s, ok := p.im.Lookup(name); ok && s.Size == 8 {
			_ = m.Write64(s.Addr, pagesBase)
		}
	}
	if p.pages.sections != nil {
		p.pages.sections.lay(p)
	}
	p.mapped, p.clean = p.mapped[:0], true
}

// switches makes what a situation changes in the image, or undoes it.
func (p *patcher) switches(s situation, on bool) {
	m := p.w.M
	if s.owned {
		v := uint32(0)
		if on {
			v = lockOwned
		}
		_ = m.Write32(p.lock, v)
	}
	if s.ng {
		b := []byte{0}
		if on {
			b[0] = 1
		}
		_ = m.Write(p.useNG, b)
	}
	for _, a := range p.lse {
		if w, ok := p.im.Word(a); ok && s.lse {
			if on {
				w = a64.NOP
			}
			_ = m.Write32(a, w)
		}
	}
}

// Values of the lock, a struct qspinlock: the lowest byte is 1 while a processor
// has it, the upper half is for those that wait.
const (
	lockOwned  = 0x40001 // another processor has it, and one more waits
	lockWaited = 0x80001 // it was waited for, and one more waits
)

// Bits of DAIF and the priority mask that lets interrupts through.
const (
	daifI  = 1 << 7
	pmrAll = 0xe0
)

// begin makes the state of one call.
func (p *patcher) begin(_ function, at place, s situation) {
	p.currentCall = currentCall{at: at, now: s, mapped: p.mapped[:0], stores: p.stores[:0], maint: p.maint[:0], pmr: pmrAll}
	m := p.w.M
	if s.masked {
		p.daif = daifI | 1<<6
	}
	m.Sys[emu.DAIF], m.Sys[emu.ICCPMREL1] = p.daif, p.pmr
	p.switches(s, true)
	if phys, ok := p.physical(at.addr); ok && p.pages.sections != nil {
		_ = m.Write64(p.pages.of(phys, p.page), p.pages.sections.flags(phys))
	}
}

// findLSE finds the branches that alternatives or jump labels replace by a NOP
// on a processor with LSE atomics: in a function with exclusive instructions, no
// instruction goes to the code behind them.
func (p *patcher) findLSE() {
	for _, s := range p.own() {
		targets, exclusive := map[uint64]bool{}, false
		for a := s.Addr; a < s.End(); a += a64.Size {
			w, _ := p.im.Word(a)
			const ldxr, ldxrMask = 0x085f7c00, 0x3fff7c00 // LDXR, LDAXR
			exclusive = exclusive || w&ldxrMask == ldxr
			if target, ok := a64.Target(w, a); ok && a64.Classify(w) != a64.Call {
				targets[target] = true
			}
		}
		for a := s.Addr; exclusive && a+a64.Size < s.End(); a += a64.Size {
			w, _ := p.im.Word(a)
			next, _ := p.im.Word(a + a64.Size)
			if target, _ := a64.Target(w, a); a64.Classify(w) == a64.Branch && target > a && !targets[a+a64.Size] && next != 0 && next != a64.NOP {
				p.lse = append(p.lse, a)
			}
		}
	}
}

// plainCopies reports whether the copies that can fail call nothing else, but for
// a question whether they may read: then they are executed themselves. Older
// kernels go through the copies of user space.
func (p *patcher) plainCopies() bool {
	for _, name := range []string{"copy_to_kernel_nofault", "copy_from_kernel_nofault"} {
		s, ok := p.im.Lookup(name)
		if !ok {
			return false
		}
		for _, target := range callsOf(p.im, s) {
			if p.im.Name(target) != "copy_from_kernel_nofault_allowed" {
				return false
			}
		}
	}
	return true
}

// own are the functions of the interface and what they call directly that is
// part of it, in three steps.
func (p *patcher) own() (list []elfscan.Symbol) {
	seen := map[uint64]bool{}
	var add func(addr uint64, depth int)
	add = func(addr uint64, depth int) {
		s, ok := p.im.SymbolAt(addr)
		if !ok || seen[s.Addr] || s.Size == 0 || p.w.HasStandIn(s.Addr) {
			return
		}
		seen[s.Addr] = true
		list = append(list, s)
		if depth > 0 {
			for _, target := range callsOf(p.im, s) {
				add(target, depth-1)
			}
		}
	}
	for _, fn := range p.fns {
		if fn.kind != reads {
			add(fn.addr, 3)
		}
	}
	return list
}

// callsOf are the targets of the direct calls in a function.
func callsOf(im *elfscan.Image, fn elfscan.Symbol) (targets []uint64) {
	for a := fn.Addr; a < fn.End(); a += a64.Size {
		w, _ := im.Word(a)
		if target, ok := a64.Target(w, a); ok && a64.Classify(w) == a64.Call {
			targets = append(targets, target)
		}
	}
	return targets
}

// hook makes the stand-ins.
func (p *patcher) hook() {
	w := p.w
	w.Hook(p.onSetFixmap, "__set_fixmap")
	p.hookPages()
	w.Hook(p.onCopyTo, "copy_to_kernel_nofault", "probe_kernel_write", "__probe_kernel_write")
	w.Hook(p.onCopyFrom, "copy_from_kernel_nofault", "probe_kernel_read", "__probe_kernel_read")
	w.Hook(p.onLock, "_raw_spin_lock_irqsave")
	w.Hook(p.onUnlock, "_raw_spin_unlock_irqrestore")
	w.Hook(p.onSlowpath, "queued_spin_lock_slowpath")
	w.Hook(w.Returns(0), "kick_all_cpus_sync", "smp_call_function")
	// These are executed themselves: what they are told to maintain is noted.
	for _, name := range []string{"caches_clean_inval_pou", "__flush_icache_range", "flush_icache_range"} {
		if a, ok := p.im.Addr(name); ok && p.im.IsText(a) {
			w.M.Hook(a, func(m *emu.Machine) error {
				if start, end := m.X[0], m.X[1]; start != p.target || end != p.target+a64.Size {
					p.diff("maintains the caches of %#x..%#x by %s, not of the word at %s", start, end, name, p.name(p.target))
				}
				return emu.ErrProceed
			})
		}
	}
	w.M.OnWrite = p.onWrite
	w.M.OnMaint = func(_ uint64, kind emu.MaintKind, addr uint64) {
		if p.real && kind == emu.TLBInval {
			p.maint = append(p.maint, maint{kind, addr, len(p.stores)})
		} else if !p.real {
			p.maint = append(p.maint, maint{kind, addr, len(p.stores)})
		}
	}
	w.AtCall = func(name string) {
		if diff := w.Unwinds(name); diff != "" && !p.real {
			p.diff("%s", diff)
		}
	}
}

// hookPages is the stand-in for vmalloc_to_page().
func (p *patcher) hookPages() {
	p.w.Hook(func(string) error {
		addr := p.w.Arg(0)
		phys, ok := p.physical(addr)
		p.w.SetResult(0)
		if p.now.unbacked || p.at.text {
			return nil // old kernels find no page of text: it is mapped in blocks
		}
		if !ok {
			p.diff("looks for the page of %#x, where no memory is: %s is to be patched", addr, p.name(p.target))
			return nil
		}
		p.w.SetResult(p.pages.of(phys, p.page))
		return nil
	}, "vmalloc_to_page")
}

func (p *patcher) diff(format string, args ...any) { p.w.Fault(p.w.PC(), format, args...) }

// name is the address as messages have it.
func (p *patcher) name(addr uint64) string {
	if n := p.im.Name(addr); n != "" {
		return fmt.Sprintf("%s (%#x)", n, addr)
	}
	return fmt.Sprintf("%#x", addr)
}

// onSetFixmap stands for __set_fixmap(index, phys, prot): it maps a physical page
// at the slot, or clears the slot if prot is 0.
func (p *patcher) onSetFixmap(string) error {
	if p.real {
		return emu.ErrProceed
	}
	index, phys, prot := p.w.Arg(0)&0xffff_ffff, p.w.Arg(1), p.w.Arg(2)
	slot, err := p.slotOf(index)
	if err != nil {
		return err
	}
	p.guarded("calls __set_fixmap")
	i := slices.IndexFunc(p.mapped, func(m mapping) bool { return m.index == index })
	if prot == 0 {
		if i < 0 {
			if !p.direct || !p.at.module { // which is patched where it lies, and the slot cleared all the same
				p.diff("clears fixmap slot %#x, where it has mapped nothing", index)
			}
			return nil
		}
		_ = p.w.M.Protect(p.mapped[i].slot, p.page, 0) // show has mapped it
		p.mapped = slices.Delete(p.mapped, i, i+1)
		return nil
	}
	p.maps++
	if i >= 0 {
		p.diff("maps a page at fixmap slot %#x, where one is mapped already", index)
		p.mapped = slices.Delete(p.mapped, i, i+1)
	}
	p.judgeProt(prot)
	want, _ := p.physical(p.target)
	if got := phys &^ (p.page - 1); got != want {
		p.diff("maps the physical page %#x at fixmap slot %#x: that of %s is %#x", got, index, p.name(p.target), want)
		return nil
	}
	page := p.target &^ (p.page - 1)
	p.mapped = append(p.mapped, mapping{index, slot, page})
	if slot != 0 {
		p.show(slot, page)
	}
	return nil
}

// show makes a copy of the page at the slot. onWrite and put forward what is
// written there.
func (p *patcher) show(slot, page uint64) {
	m := p.w.M
	if _, ok := m.PermAt(slot); !ok {
		m.Map(slot, p.page, emu.Read|emu.Write)
		_ = m.Watch(slot, p.page)
	}
	_ = m.Protect(slot, p.page, emu.Read|emu.Write)
	_ = m.Read(page, p.shown) // part of a page may be missing at the end of the image
	_ = m.Write(slot, p.shown)
}

// slotOf is the address of a fixmap slot: __set_fixmap() itself, executed, clears
// the slot, and invalidates the TLB for its address. It is 0 if it does no such
// thing.
func (p *patcher) slotOf(index uint64) (uint64, error) {
	slot, ok := p.slots[index]
	if ok {
		return slot, nil
	}
	m := p.w.M
	saved, sp, before := m.X, m.SP, len(p.maint)
	p.real = true
	_, err := m.Call(p.setFixmap, index, 0, 0)
	p.real = false
	m.X, m.SP = saved, sp
	var stop *emu.Stop
	if errors.As(err, &stop) && stop.Reason == emu.Break {
		p.diff("calls __set_fixmap for slot %#x, which does not exist", index)
		return 0, err
	}
	if err == nil && len(p.maint) > before {
		// The operand has bits 55 to 12 of the address, in bits 43 to 0 (TLBI VAAE1IS).
		slot = uint64(int64(p.maint[before].addr<<20)>>8) &^ (p.page - 1)
	}
	p.maint = p.maint[:before]
	p.slots[index] = slot
	return slot, nil
}

// Bits of a page table entry.
const (
	ptePage   = 3      // valid, and a page
	pteAttr   = 7 << 2 // index of memory attributes: of normal memory 0 or, in old kernels, 4
	pteUser   = 1 << 6
	pteRdonly = 1 << 7
	pteShared = 3 << 8 // inner shareable
	pteAF     = 1 << 10
	pteNG     = 1 << 11
	pteWrite  = 1 << 51
	ptePXN    = 1 << 53
	pteUXN    = 1 << 54
	pteDirty  = 1 << 55 // for software, in newer kernels

	// pteText are the bits of a mapping for patching, but for those that differ
	// between kernels: PAGE_KERNEL (arch/arm64/include/asm/pgtable-prot.h).
	pteText = ptePage | pteShared | pteAF | pteWrite | ptePXN | pteUXN
)

func (p *patcher) judgeProt(prot uint64) {
	switch attr := prot & pteAttr >> 2; {
	case prot&ptePage != ptePage || prot&pteAF == 0:
		p.diff("maps with attributes %#x: the mapping is not valid", prot)
	case prot&(pteRdonly|pteUser) != 0 || prot&pteWrite == 0:
		p.diff("maps with attributes %#x: the mapping is not writable by the kernel alone", prot)
	case prot&ptePXN == 0 || prot&pteUXN == 0:
		p.diff("maps with attributes %#x: the mapping is writable and executable", prot)
	case attr != 0 && attr != 4:
		p.diff("maps with attributes %#x: the mapping is not of normal memory, as that of the text is", prot)
	case p.useNG != 0 && (prot&pteNG != 0) != p.now.ng:
		p.diff("maps with attributes %#x: the mapping is global where it must not be, or not global where it could be", prot)
	case prot&^(pteAttr|pteNG|pteDirty) != pteText:
		p.diff("maps with attributes %#x, not with those of the kernel's data (%#x)", prot, uint64(pteText))
	}
}

// guarded judges what must be done under the lock, with interrupts off.
func (p *patcher) guarded(what string) {
	held := p.lockHeld
	if p.lock != 0 && !held {
		v, _ := p.w.M.Read32(p.lock)
		held = v == 1 && !p.now.owned || v == lockWaited && p.waited
	}
	if !held {
		p.diff("%s without patch_lock", what)
	}
	if p.w.M.Sys[emu.DAIF]&daifI == 0 && p.w.M.Sys[emu.ICCPMREL1] == pmrAll {
		p.diff("%s with interrupts on", what)
	}
}

// memoryAt is the memory that addr shows: addr itself, or the page that is mapped
// there.
func (p *patcher) memoryAt(addr uint64) (memory uint64, mapped bool) {
	for i := range p.mapped {
		m := &p.mapped[i]
		if m.slot == 0 { // the first use tells
			if _, ok := p.w.M.PermAt(addr); !ok && addr%p.page == p.target%p.page {
				m.slot = addr &^ (p.page - 1)
				p.show(m.slot, m.page)
			}
		}
		if off := addr - m.slot; off < p.page {
			return m.page + off, true
		}
	}
	return addr, false
}

// put writes bytes to memory at addr, which may be a mapping.
func (p *patcher) put(addr uint64, b []byte) error {
	memory, mapped := p.memoryAt(addr)
	if mapped {
		p.guarded("writes")
		if err := p.w.M.Write(addr, b); err != nil {
			return err
		}
	}
	p.stores = append(p.stores, store{memory, b})
	return p.w.M.Write(memory, b)
}

// onCopyTo stands for copy_to_kernel_nofault(to, from, size).
func (p *patcher) onCopyTo(name string) error {
	to, from, size := p.w.Arg(0), p.w.Arg(1), p.w.Arg(2)
	p.copied = true
	if p.now.copies {
		return emu.ErrProceed
	}
	const efault = ^uint64(13) // -EFAULT, a long
	p.w.SetResult(efault)
	if size != p.size {
		p.diff("calls %s for %s, not for %d", name, plural.Of(size, "byte"), p.size)
		return nil
	}
	b := make([]byte, size)
	if err := p.w.M.Read(from, b); err != nil || p.now.fault {
		return nil
	}
	memory, mapped := p.memoryAt(to)
	perm, ok := p.w.M.PermAt(to)
	switch {
	case !mapped && (!ok || perm&emu.Write == 0):
		p.diff("calls %s for %#x, where it has mapped nothing", name, to)
		return nil
	case mapped && to%p.page+size > p.page:
		p.diff("calls %s for %s at %s, which go past the mapped page", name, plural.Of(size, "byte"), p.name(memory))
		return nil
	}
	p.w.SetResult(0)
	return p.put(to, b)
}

// onCopyFrom stands for copy_from_kernel_nofault(to, from, size).
func (p *patcher) onCopyFrom(name string) error {
	to, from, size := p.w.Arg(0), p.w.Arg(1), p.w.Arg(2)
	p.copied = true
	if p.now.copies {
		return emu.ErrProceed
	}
	const efault = ^uint64(13)
	p.w.SetResult(efault)
	if size != a64.Size || from != p.target {
		p.diff("calls %s for %s at %s, not for %d at %s", name, plural.Of(size, "byte"), p.name(from), a64.Size, p.name(p.target))
		return nil
	}
	if p.now.fault {
		return nil
	}
	b := make([]byte, size)
	if err := p.w.M.Read(from, b); err != nil {
		return nil
	}
	if perm, ok := p.w.M.PermAt(to); !ok || perm&emu.Write == 0 {
		p.diff("calls %s to write to %#x, where it must not", name, to)
		return nil
	}
	p.w.SetResult(0)
	if off := to - world.Heap; off < emu.PageSize {
		p.put(to, b)
		return nil
	}
	return p.w.M.Write(to, b)
}

// onWrite judges a store of executed code to memory that is watched.
func (p *patcher) onWrite(pc, addr uint64, size int, value uint64) {
	if p.real {
		return
	}
	b := binary.LittleEndian.AppendUint64(nil, value)[:size]
	memory, mapped := p.memoryAt(addr)
	switch {
	case mapped:
		p.guarded("writes")
		p.stores = append(p.stores, store{memory, b})
		_ = p.w.M.Write(memory, b) // its page is mapped
	case addr == p.lock && addr != 0:
		p.inline = true
	case p.lock == 0 && addr >= p.first && addr < p.last:
		p.lock, p.inline = addr, true
	default:
		p.stores = append(p.stores, store{addr, b})
	}
}

// onLock stands for _raw_spin_lock_irqsave(lock).
func (p *patcher) onLock(string) error {
	lock := p.w.Arg(0)
	if p.lock == 0 {
		p.lock = lock
	}
	switch {
	case lock != p.lock:
		p.diff("takes the lock %s, not patch_lock", p.name(lock))
	case p.lockHeld:
		p.diff("takes patch_lock, which it has")
	}
	p.lockHeld = true
	p.w.SetResult(p.w.M.Sys[emu.DAIF])
	p.w.M.Sys[emu.DAIF] |= daifI | 1<<6
	return nil
}

// onUnlock stands for _raw_spin_unlock_irqrestore(lock, flags).
func (p *patcher) onUnlock(string) error {
	if lock := p.w.Arg(0); lock != p.lock || !p.lockHeld {
		p.diff("gives back the lock %s, which it has not taken", p.name(lock))
	}
	p.lockHeld = false
	p.w.M.Sys[emu.DAIF] = p.w.Arg(1)
	return nil
}

// onSlowpath stands for queued_spin_lock_slowpath(lock, value), which waits for
// the lock.
func (p *patcher) onSlowpath(string) error {
	lock, v := p.w.Arg(0), uint32(p.w.Arg(1))
	now, err := p.w.M.Read32(lock)
	if lock != p.lock || err != nil || v != now || !p.now.owned {
		p.diff("calls queued_spin_lock_slowpath(%s, %#x): the lock is patch_lock, and has %#x", p.name(lock), v, now)
		return nil
	}
	p.waited = true
	return p.w.M.Write32(lock, lockWaited)
}
