package checks

import (
	"debug/elf"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/plural"
)

// FT303 finds permission boundaries inside a page.
var FT303 = check("FT303", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	page, from := im.PageSize(), "by the image header"
	if im.Arch().PageSize != 0 {
		from = "of the architecture"
	}
	if page == 0 {
		page, from = 4<<10, "assumed: the image has no arm64 image header"
	}
	n := 0
	var mapped map[uint64]bool // read where a boundary is amiss
	for _, name := range im.Arch().Boundaries {
		at, ok := im.Addr(name)
		if !ok {
			continue
		}
		over := at % page
		if over != 0 && mapped == nil {
			mapped = mappedBy(im)
		}
		if over != 0 && len(mapped) > 0 && !mapped[at] {
			continue // up to 5.10 text is mapped from _text, with the image header
		}
		n++
		if over != 0 {
			reportImage(pass, say("%s is not on a page boundary", name).
				Because("it is at %#x, %#x bytes into a page of %#x bytes (%s)", at, over, page, from).
				Because("permissions change by the page: those bytes get the wrong ones, or the mapping fails at boot").
				Do("Align %s in the linker script", name))
		}
	}
	if n == 0 {
		return inconclusive("the image has none of the kernel's boundary symbols (%s, ...)", strings.Join(im.Arch().Boundaries[:2], ", "))
	}
	return examined("%s, pages of %d KiB", plural.Of(n, "boundary"), page>>10)
})

// mappedBy is the addresses that the kernel's code that maps it is about. It is
// empty if that code is not there, or is not about _etext, which all kernels
// map up to: then it is other code, or it is not understood.
func mappedBy(im *elfscan.Image) map[uint64]bool {
	mapped := map[uint64]bool{}
	im.EachSymbol(func(_ uint64, name []byte, typ elf.SymType) bool {
		base, _, _ := strings.Cut(string(name), ".")
		if typ == elf.STT_FUNC && slices.Contains(im.Arch().Mappers, base) {
			fn, _ := im.Lookup(string(name))
			addressesIn(im, fn, mapped)
		}
		return true
	})
	if etext, ok := im.Addr("_etext"); !ok || !mapped[etext] {
		clear(mapped)
	}
	return mapped
}

// addressesIn adds to found the addresses that fn makes with ADR, ADRP and
// ADRP+ADD.
func addressesIn(im *elfscan.Image, fn elfscan.Symbol, found map[uint64]bool) {
	const most = 64 << 10 // bytes of a function: the largest of these has some 3 KiB
	var pages [32]uint64
	for pc := fn.Addr; pc < fn.Addr+min(fn.Size, most); pc += a64.Size {
		w, ok := im.Word(pc)
		if !ok {
			return
		}
		switch kind := a64.Classify(w); {
		case kind == a64.ADR, kind == a64.ADRP:
			to, _ := a64.Target(w, pc)
			pages[a64.Rd(w)] = to
			found[to] = true
		case w&0xffc00000 == 0x91000000 && pages[a64.Rn(w)] != 0: // ADD Xd, Xn, #imm
			found[pages[a64.Rn(w)]+uint64(w>>10&0xfff)] = true
		}
	}
}
