package patching

import (
	"fmt"
	"slices"

	"github.com/ftlint/ftlint/emu"
)

// pageInfo is how the kernel numbers its struct pages.
type pageInfo struct {
	page, pfn uint64    // address of the struct page of frame number pfn, if the pages are at a constant address
	size      uint64    // of a struct page, in bytes
	sections  *sections // if they are not
}

// of is the address of the struct page of the page of memory at phys. page is the
// size of the kernel's pages in bytes.
func (i *pageInfo) of(phys, page uint64) uint64 {
	if i.sections != nil {
		return i.sections.mapOf(i.sections.number(phys)) + phys/page*i.size
	}
	return i.page + (phys/page-i.pfn)*i.size
}

// sections are those of a kernel with CONFIG_SPARSEMEM and without
// CONFIG_SPARSEMEM_VMEMMAP: the struct pages of each section are elsewhere, and the
// flags of a struct page have the number of its section.
type sections struct {
	bits  uint   // of an address within a section: SECTION_SIZE_BITS
	phys  uint   // of a physical address: MAX_PHYSMEM_BITS
	entry uint64 // size of a struct mem_section, in bytes
}

// Where a kernel with sections has its struct pages, and the sections.
const (
	pagesBase = 0xffff_0010_0000_0000
	pagesSize = 8 << 30
	rootsBase = 0xffff_0020_0000_0000 // pointers to pages of sections, and those

	sectionFlags = 0x7     // present, with pages, online
	mapStep      = 1 << 24 // from the pages of one section to those of the next, beside their own size
)

func (s *sections) number(phys uint64) uint64 { return phys >> s.bits }

// flags are the flags of the struct page of the page at phys.
func (s *sections) flags(phys uint64) uint64 { return s.number(phys) << (64 - (s.phys - s.bits)) }

// mapOf is what a section's number adds to the place of its struct pages.
func (s *sections) mapOf(number uint64) uint64 { return pagesBase + number*mapStep }

// lay writes the sections of the memory that there is.
func (s *sections) lay(p *patcher) {
	m := p.w.M
	table, ok := p.im.Lookup("mem_section")
	if !ok {
		return
	}
	m.Map(pagesBase, pagesSize, emu.Read|emu.Write)
	const roots = 2 // enough for 512 sections of the smallest size
	m.Map(rootsBase, (1+roots)*emu.PageSize, emu.Read)
	at := func(number uint64) uint64 { // CONFIG_SPARSEMEM_STATIC: an array
		return table.Addr + number*s.entry
	}
	if table.Size == 8 { // CONFIG_SPARSEMEM_EXTREME
		_ = m.Write64(table.Addr, rootsBase)
		at = func(number uint64) uint64 {
			per := p.page / s.entry
			page := rootsBase + (1+number/per%roots)*emu.PageSize
			_ = m.Write64(rootsBase+number/per*8, page)
			return page + number%per*s.entry
		}
	}
	phys := []uint64{imageStart}
	for a := p.first; a < p.last; a += 1 << s.bits {
		end, _ := p.physical(min(a+1<<s.bits, p.last-1))
		phys = append(phys, end)
	}
	for _, mod := range p.modules {
		phys = append(phys, mod.phys[:]...)
	}
	for _, a := range phys {
		_ = m.Write64(at(s.number(a)), s.mapOf(s.number(a))|sectionFlags)
	}
}

// findPages finds out how the kernel numbers its pages: vmalloc_to_pfn(),
// executed, gives the frame number of the page that a stand-in for
// vmalloc_to_page() returns.
func (p *patcher) findPages() {
	toPage, ok := p.im.Addr("vmalloc_to_page")
	calls := false // one of the functions calls it
	for _, s := range p.own() {
		calls = calls || ok && slices.Contains(callsOf(p.im, s), toPage)
	}
	if !calls {
		p.direct, p.canMap = true, true
		return
	}
	toPFN, ok := p.im.Addr("vmalloc_to_pfn")
	if !ok {
		p.skipped = append(p.skipped, "memory of modules (the image has no vmalloc_to_pfn, which tells how its pages are numbered)")
		return
	}
	var page uint64
	p.w.Hook(func(string) error { p.w.SetResult(page); return nil }, "vmalloc_to_page")
	pfn := func(addr uint64) (uint64, error) {
		page = addr
		p.prepare(place{addr: p.modules[0].addr, state: running})
		return p.w.Call(toPFN, p.modules[0].addr)
	}
	// An address that any kernel can have for a struct page, whose size is a multiple
	// of 8 bytes.
	const some = pagesBase + 64*9*5*7*11*13*8
	first, err := pfn(some)
	for size := uint64(32); size <= 256 && err == nil && !p.canMap; size += 8 {
		var next uint64
		if next, err = pfn(some + size); err == nil && next == first+1 {
			p.pages, p.canMap = pageInfo{page: some, pfn: first, size: size}, true
		}
	}
	if !p.canMap && !p.findSections(pfn) {
		why := "vmalloc_to_pfn, executed, does not tell how pages are numbered"
		if err != nil {
			why = fmt.Sprintf("vmalloc_to_pfn: %v", err)
		}
		p.skipped = append(p.skipped, "memory of modules ("+why+")")
	}
	p.hookPages()
}

// findSections finds the sections with which pfn gives the frame numbers of a
// module's two pages. It reports whether there are any.
func (p *patcher) findSections(pfn func(page uint64) (uint64, error)) bool {
	if _, ok := p.im.Addr("mem_section"); !ok {
		return false
	}
	for _, bits := range []uint{27, 30, 29} {
		for _, phys := range []uint{48, 52} {
			for _, entry := range []uint64{16, 32} {
				p.pages, p.clean = pageInfo{sections: &sections{bits, phys, entry}}, false
				for p.pages.size = 32; p.pages.size <= 256; p.pages.size += 8 {
					p.prepare(place{addr: p.modules[0].addr, state: running})
					right := 0
					for _, at := range p.modules[0].phys {
						page := p.pages.of(at, p.page)
						_ = p.w.M.Write64(page, p.pages.sections.flags(at))
						if n, err := pfn(page); err == nil && n == at/p.page {
							right++
						}
					}
					if right == 2 {
						p.canMap, p.clean = true, false
						return true
					}
				}
			}
		}
	}
	p.pages, p.clean = pageInfo{}, false
	return false
}
