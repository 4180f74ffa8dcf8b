package emu

import (
	"encoding/binary"
	"math/bits"
	"strings"
)

// PageSize is the granule of permissions, in bytes.
const PageSize = 4096

const (
	pageMask   = PageSize - 1
	opsPerPage = PageSize / 4
	codePages  = 4 // pages that the decoded code of one takes: 16 bytes an op
	noPage     = 4 // the address of no page: run compares all bits of PC but 2 to 11 with it
)

// Perm is what a page may be used for.
type Perm uint8

const (
	Read Perm = 1 << iota
	Write
	Exec
)

// String is as in /proc/maps: "rw-".
func (p Perm) String() string {
	var b strings.Builder
	for i, c := range "rwx" {
		if p>>i&1 == 0 {
			c = '-'
		}
		b.WriteRune(c)
	}
	return b.String()
}

// A page is PageSize bytes of memory.
type page struct {
	addr  uint64
	perm  Perm
	clean bool // bytes and permission are those that Load gave
	gone  bool // unmapped, although Load may have something here
	watch bool
	epoch uint64 // Reset number, when it was last counted for MaxPages
	ran   uint64 // the same of its code
	data  [PageSize]byte
	code  *[opsPerPage]op // decoded on first execution; nil if nothing here was executed

	// Of machines that keep decoded code themselves: the page holds some, and
	// version is a number that changes with it.
	decoded bool
	version uint64
}

// A span is how Map, Watch or Unmap want pages to be that nobody has touched yet.
type span struct {
	first, last uint64 // addresses of pages
	perm        Perm
	watch, gone bool
}

func (s *span) covers(a uint64) bool { return s.first <= a && a <= s.last }

// memory is the pages of a Core.
type memory struct {
	pages    map[uint64]*page
	spans    []span  // of this epoch; a later one overrides an earlier one
	dirty    []*page // pages that are not clean
	free     []*page
	freeCode []*[opsPerPage]op
	epoch    uint64
	touched  int // pages in use in this epoch, as MaxPages counts them
	decoded  int // pages that have code
	code     *[opsPerPage]op
	codeAt   uint64 // address of the page of code; noPage if it must be looked up
	changes  uint64 // of decoded pages: see Code

	// Caches of pages by address, direct-mapped: readable pages, and writable
	// ones whose stores need no notice: not clean, not watched, no code.
	readable [tlbSize]*page
	writable [tlbSize]*page
	cached   uint64 // a bit for each entry of them that may be in use
}

const tlbSize = 64 // one bit each in cached

// Map makes the pages that addr..addr+size touches zero, with permission
// perm, whatever was there. A page costs memory, and counts for MaxPages, when
// it is first touched. Pages that are not mapped come from m.Load when they are
// first touched: it fills page (PageSize bytes, for the aligned address addr)
// and returns their permission, or false if there is nothing.
func (m *Core) Map(addr, size uint64, perm Perm) {
	m.set(addr, size, span{perm: perm}, func(p *page) {
		clear(p.data[:])
		p.perm, p.gone, p.watch = perm, false, false
	})
}

// Unmap takes pages away: no access works, and Load is not asked for them
// until Reset.
func (m *Core) Unmap(addr, size uint64) {
	m.set(addr, size, span{gone: true}, func(p *page) { p.gone = true })
}

// set has the pages that addr..addr+size touches be as s says: change is called
// for those that exist, the others are made so when they are touched.
func (m *Core) set(addr, size uint64, s span, change func(*page)) {
	if size == 0 {
		return
	}
	s.first, s.last = addr&^pageMask, (addr+size-1)&^pageMask
	m.spans = append(m.spans, s)
	if (s.last-s.first)/PageSize < uint64(len(m.pages)) {
		for a := s.first; ; a += PageSize {
			if p := m.pages[a]; p != nil {
				m.forget(p)
				m.taint(p)
				change(p)
			}
			if a == s.last {
				return
			}
		}
	}
	for a, p := range m.pages {
		if s.covers(a) {
			m.forget(p)
			m.taint(p)
			change(p)
		}
	}
}

// spanAt is the span that the page at a has, which nobody has touched; nil if it
// has none.
func (m *Core) spanAt(a uint64) *span {
	for i := len(m.spans) - 1; i >= 0; i-- {
		if m.spans[i].covers(a) {
			return &m.spans[i]
		}
	}
	return nil
}

// Protect sets the permission of pages.
func (m *Core) Protect(addr, size uint64, perm Perm) error {
	return m.each(addr, size, func(a uint64) error {
		p, err := m.hostPage(a, Write)
		if err == nil {
			m.forget(p)
			m.taint(p)
			p.perm = perm
		}
		return err
	})
}

// Watch has OnWrite called before each store of executed code to these pages:
// for each register that is stored, and twice, low half first, for one of 16
// bytes. It lasts until Reset, or Map of the page.
func (m *Core) Watch(addr, size uint64) error {
	if n := len(m.spans); n > 0 && size > 0 {
		// Usually the pages that were mapped last: then no page is touched.
		if s := m.spans[n-1]; !s.gone && s.covers(addr&^pageMask) && s.covers((addr+size-1)&^pageMask) {
			s.watch = true
			m.set(addr, size, s, func(p *page) { p.watch = true })
			return nil
		}
	}
	return m.each(addr, size, func(a uint64) error {
		p, err := m.hostPage(a, Write)
		if err == nil {
			m.forget(p)
			m.taint(p)
			p.watch = true
		}
		return err
	})
}

// PermAt is the permission of the page that addr is in; false if there is
// none.
func (m *Core) PermAt(addr uint64) (Perm, bool) {
	p, err := m.hostPage(addr, Read)
	if err != nil {
		return 0, false
	}
	return p.perm, true
}

// Read fills buf from memory at addr, whatever the permission.
func (m *Core) Read(addr uint64, buf []byte) error {
	for len(buf) > 0 {
		p, err := m.hostPage(addr, Read)
		if err != nil {
			return err
		}
		n := copy(buf, p.data[addr&pageMask:])
		buf, addr = buf[n:], addr+uint64(n)
	}
	return nil
}

// Write stores data at addr, whatever the permission. OnWrite does not see
// it.
func (m *Core) Write(addr uint64, data []byte) error {
	for len(data) > 0 {
		p, err := m.hostPage(addr, Write)
		if err != nil {
			return err
		}
		off := addr & pageMask
		n := copy(p.data[off:], data)
		m.changed(p, off, n)
		data, addr = data[n:], addr+uint64(n)
	}
	return nil
}

// Read32 and Read64 are Read of a little-endian integer.
func (m *Core) Read32(addr uint64) (uint32, error) {
	var b [4]byte
	err := m.Read(addr, b[:])
	return binary.LittleEndian.Uint32(b[:]), err
}

func (m *Core) Read64(addr uint64) (uint64, error) {
	var b [8]byte
	err := m.Read(addr, b[:])
	return binary.LittleEndian.Uint64(b[:]), err
}

// Write32 and Write64 are Write of a little-endian integer.
func (m *Core) Write32(addr uint64, v uint32) error {
	return m.Write(addr, binary.LittleEndian.AppendUint32(make([]byte, 0, 4), v))
}

func (m *Core) Write64(addr, v uint64) error {
	return m.Write(addr, binary.LittleEndian.AppendUint64(make([]byte, 0, 8), v))
}

// Touched is how many pages are in use since Reset, as MaxPages counts them.
func (m *Core) Touched() int { return m.touched }

// each calls f for each page that addr..addr+size touches, until it fails.
func (m *Core) each(addr, size uint64, f func(uint64) error) error {
	if size == 0 {
		return nil
	}
	for a, n := addr&^pageMask, (addr&pageMask+size-1)/PageSize; ; a, n = a+PageSize, n-1 {
		if err := f(a); err != nil || n == 0 {
			return err
		}
	}
}

// newPage adds a page of zeros, without permission.
func (m *Core) newPage(a uint64) *page {
	if m.pages == nil {
		m.pages = make(map[uint64]*page)
	}
	var p *page
	if n := len(m.free); n > 0 {
		p, m.free = m.free[n-1], m.free[:n-1]
		*p = page{}
	} else {
		p = new(page)
	}
	p.addr, p.clean, p.epoch = a, true, m.epoch
	m.pages[a] = p
	m.touched++
	return p
}

// pageAt is the page at the aligned address a, made or loaded if need be. If
// there is no page, it is nil and the reason is Unmapped or PageLimit.
func (m *Core) pageAt(a uint64) (*page, Reason) {
	p := m.pages[a]
	if p != nil && p.epoch == m.epoch {
		if p.gone {
			return nil, Unmapped
		}
		return p, 0
	}
	var s *span
	if p == nil {
		s = m.spanAt(a)
		if s == nil && m.Load == nil || s != nil && s.gone {
			return nil, Unmapped
		}
	}
	if m.touched >= m.maxPages() {
		return nil, PageLimit
	}
	if p != nil {
		m.count(p)
		return p, 0
	}
	p = m.newPage(a)
	if s != nil {
		p.perm, p.watch = s.perm, s.watch
		m.taint(p)
		return p, 0
	}
	perm, ok := m.Load(a, p.data[:])
	if !ok {
		delete(m.pages, a)
		m.free = append(m.free, p)
		m.touched--
		return nil, Unmapped
	}
	p.perm, p.watch = perm, m.WatchLoaded
	return p, 0
}

// count counts a page that is used for the first time in this epoch.
func (m *Core) count(p *page) {
	if p.epoch != m.epoch {
		p.epoch = m.epoch
		m.touched++
	}
}

// hostPage is the page that addr is in, for the host.
func (m *Core) hostPage(addr uint64, access Perm) (*page, error) {
	p, reason := m.pageAt(addr &^ pageMask)
	if p == nil {
		return nil, &Stop{Reason: reason, Addr: addr, Access: access}
	}
	return p, nil
}

// taint notes that a page is no longer as Load gave it.
func (m *Core) taint(p *page) {
	m.count(p)
	if p.clean {
		p.clean = false
		m.dirty = append(m.dirty, p)
	}
}

// forget drops p from the caches, with its decoded code, because its permission
// or its watch changes.
func (m *Core) forget(p *page) {
	i := p.addr / PageSize % tlbSize
	m.readable[i], m.writable[i] = nil, nil
	m.codeAt = noPage
	if p.code != nil {
		clear(p.code[:])
	}
	m.outdate(p)
}

// outdate notes that decoded code of the page may be other code now.
func (m *Core) outdate(p *page) {
	if p.decoded {
		m.changes++
		p.version = m.changes
	}
}

// Executed reports whether the instruction at addr was executed, and not written
// since, in a page that is still in use.
func (m *Core) Executed(addr uint64) bool {
	p := m.pages[addr&^pageMask]
	return p != nil && p.code != nil && p.code[addr/4%opsPerPage].code > opHook
}

// forgetAt forgets the decoded code of n bytes at addr.
func (m *Core) forgetAt(addr uint64, n int) {
	if p := m.pages[addr&^pageMask]; p != nil {
		m.undecode(p, addr&pageMask, n)
	}
}

// undecode forgets the decoded code of n bytes of p at off.
func (m *Core) undecode(p *page, off uint64, n int) {
	if p.code != nil {
		clear(p.code[off/4 : (off+uint64(n)+3)/4])
	}
	m.outdate(p)
}

// changed notes that n bytes of p at off were written.
func (m *Core) changed(p *page, off uint64, n int) {
	m.taint(p)
	m.undecode(p, off, n)
}

func (m *Core) resetMemory() {
	m.epoch++
	m.touched = 0
	m.spans = m.spans[:0]
	for _, p := range m.dirty {
		m.drop(p)
	}
	m.dirty = m.dirty[:0]
	// Kept pages and those of the next run are at most one and a half of the
	// limit together.
	if len(m.pages)+codePages*m.decoded > m.maxPages()/2 {
		for _, p := range m.pages {
			m.drop(p)
		}
	}
	for ; m.cached != 0; m.cached &= m.cached - 1 {
		i := bits.TrailingZeros64(m.cached)
		m.readable[i], m.writable[i] = nil, nil
	}
	m.codeAt = noPage
}

func (m *Core) drop(p *page) {
	m.outdate(p)
	delete(m.pages, p.addr)
	m.free = append(m.free, p)
	if p.code != nil {
		m.freeCode = append(m.freeCode, p.code)
		p.code = nil
		m.decoded--
	}
}

func (m *Core) maxPages() int {
	if m.MaxPages != 0 {
		return m.MaxPages
	}
	return DefaultMaxPages
}

// fault fills m.stop for an access by the instruction at m.PC.
func (m *Core) fault(reason Reason, addr uint64, access Perm) {
	m.stop = Stop{Reason: reason, PC: m.PC, Addr: addr, Access: access}
}

// access is the page at addr for an instruction that uses it as kind says. If the
// instruction may not, access is nil and m.stop says why.
func (m *Core) access(addr uint64, kind Perm) *page {
	p, reason := m.pageAt(addr &^ pageMask)
	if p == nil {
		m.fault(reason, addr, kind)
		return nil
	}
	if p.perm&kind == 0 {
		m.fault(Permission, addr, kind)
		return nil
	}
	return p
}

// cached is the 8 bytes at a, if pages has their page and they lie in it; else
// nil.
func cached(pages *[tlbSize]*page, a uint64) *[8]byte {
	p := pages[a/PageSize%tlbSize]
	if off := a & pageMask; p != nil && p.addr == a-off && off <= PageSize-8 {
		return (*[8]byte)(p.data[off:])
	}
	return nil
}

// getBytes is the first size bytes of b, 1, 2, 4 or 8, as a number.
func getBytes(b *[8]byte, size uint8) uint64 {
	switch size {
	case 8:
		return binary.LittleEndian.Uint64(b[:])
	case 4:
		return uint64(binary.LittleEndian.Uint32(b[:]))
	case 2:
		return uint64(binary.LittleEndian.Uint16(b[:]))
	}
	return uint64(b[0])
}

// putBytes makes the low size bytes of v the first bytes of b.
func putBytes(b *[8]byte, v uint64, size uint8) {
	switch size {
	case 8:
		binary.LittleEndian.PutUint64(b[:], v)
	case 4:
		binary.LittleEndian.PutUint32(b[:], uint32(v))
	case 2:
		binary.LittleEndian.PutUint16(b[:], uint16(v))
	default:
		b[0] = byte(v)
	}
}

// Get loads size bytes, 1, 2, 4 or 8, for an instruction. If it returns false,
// Failed says why.
func (m *Core) Get(a uint64, size uint8) (uint64, bool) { return m.ld(a, size) }

// Put stores the low size bytes of v, 1, 2, 4 or 8, for an instruction. If it
// returns false, Failed says why, and nothing was stored.
func (m *Core) Put(a, v uint64, size uint8) bool { return m.st(a, v, size) }

// CanPut reports whether an instruction may store size bytes at a. If it may not,
// Failed says why.
func (m *Core) CanPut(a uint64, size uint8) bool {
	return m.access(a, Write) != nil && m.access(a+uint64(size)-1, Write) != nil
}

// Code copies the bytes at pc, which must be executable, up to len(buf) or to the end
// of the pages that are, and returns their number. The page's decoded code, which
// the caller keeps, is valid until version changes, and Changes changes with each
// version. If no byte can be executed, n is 0 and Failed says why.
func (m *Core) Code(pc uint64, buf []byte) (n int, version uint64) {
	for n < len(buf) {
		p := m.access(pc+uint64(n), Exec)
		if p == nil {
			return n, version
		}
		if n == 0 {
			if p.ran != m.epoch || !p.decoded {
				if m.touched+codePages > m.maxPages() {
					m.fault(PageLimit, pc, Exec)
					return 0, 0
				}
				m.touched += codePages
				p.ran = m.epoch
			}
			version = p.version
		}
		if !p.decoded {
			p.decoded = true
			m.changes++
			p.version = m.changes
			version = max(version, p.version)
			m.writable[p.addr/PageSize%tlbSize] = nil // its stores need notice from now on
		}
		n += copy(buf[n:], p.data[(pc+uint64(n))&pageMask:])
	}
	return n, version
}

// Changes is a number that changes when code that was given out by Code may have
// changed.
func (m *Core) Changes() uint64 { return m.changes }

// ld loads size bytes, 1, 2, 4 or 8, for an instruction. If it returns false,
// m.stop says why.
func (m *Core) ld(a uint64, size uint8) (uint64, bool) {
	if b := cached(&m.readable, a); b != nil {
		return getBytes(b, size), true
	}
	return m.ldSlow(a, uint64(size))
}

func (m *Core) ldSlow(a uint64, size uint64) (uint64, bool) {
	var b [8]byte
	for n := uint64(0); n < size; {
		p := m.access(a+n, Read)
		if p == nil {
			return 0, false
		}
		m.readable[p.addr/PageSize%tlbSize] = p
		m.cached |= 1 << (p.addr / PageSize % tlbSize)
		n += uint64(copy(b[n:size], p.data[(a+n)&pageMask:]))
	}
	return binary.LittleEndian.Uint64(b[:]), true
}

// st stores the low size bytes of v, 1, 2, 4 or 8, for an instruction. If it
// returns false, m.stop says why, and nothing was stored.
func (m *Core) st(a, v uint64, size uint8) bool {
	b := cached(&m.writable, a)
	if b == nil {
		return m.stSlow(a, v, uint64(size))
	}
	putBytes(b, v, size)
	return true
}

// st is Core.st. OnWrite finds the registers in m.X.
func (m *Machine) st(a, v uint64, size uint8) bool {
	b := cached(&m.writable, a)
	if b == nil {
		m.regsOut()
		return m.stSlow(a, v, uint64(size))
	}
	putBytes(b, v, size)
	return true
}

func (m *Core) stSlow(a, v uint64, size uint64) bool {
	first := m.access(a, Write)
	if first == nil {
		return false
	}
	last := first
	if end := a + size - 1; end&^pageMask != first.addr {
		if last = m.access(end&^pageMask, Write); last == nil {
			return false
		}
	}
	if (first.watch || last.watch) && m.OnWrite != nil {
		value := v
		if size < 8 {
			value &= 1<<(8*size) - 1
		}
		m.OnWrite(m.PC, a, int(size), value)
	}
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	off := a & pageMask
	n := copy(first.data[off:], b[:size])
	m.changed(first, off, n)
	if last != first {
		copy(last.data[:], b[n:size])
		m.changed(last, 0, int(size)-n)
	}
	if first.code == nil && !first.decoded && !first.watch {
		m.writable[first.addr/PageSize%tlbSize] = first
		m.cached |= 1 << (first.addr / PageSize % tlbSize)
	}
	return true
}

// fetch makes m.code the decoded code of the page that PC is in. If it returns
// false, m.stop says why.
func (m *Core) fetch() bool {
	if m.PC&3 != 0 {
		m.fault(Misaligned, m.PC, Exec)
		return false
	}
	p := m.access(m.PC, Exec)
	if p == nil {
		return false
	}
	if p.code == nil || p.ran != m.epoch {
		if m.touched+codePages > m.maxPages() {
			m.fault(PageLimit, m.PC, Exec)
			return false
		}
		m.touched += codePages
		p.ran = m.epoch
	}
	if p.code == nil {
		m.decoded++
		if n := len(m.freeCode); n > 0 {
			p.code, m.freeCode = m.freeCode[n-1], m.freeCode[:n-1]
			clear(p.code[:])
		} else {
			p.code = new([opsPerPage]op)
		}
		m.writable[p.addr/PageSize%tlbSize] = nil // its stores need notice from now on
	}
	m.code, m.codeAt = p.code, p.addr
	return true
}

// wordAt is the word at pc, whose page exists.
func (m *Core) wordAt(pc uint64) uint32 {
	return binary.LittleEndian.Uint32(m.pages[pc&^pageMask].data[pc&pageMask:])
}
