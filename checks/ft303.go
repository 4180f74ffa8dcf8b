package checks

import (
	"golang.org/x/tools/go/analysis"
)

// boundaries are the symbols at which the kernel's own mapping of itself
// changes permissions (map_kernel() and mark_rodata_ro() in
// arch/arm64/mm/mmu.c, later arch/arm64/kernel/pi/map_kernel.c).
var boundaries = []string{
	"_stext", "_etext", "__start_rodata", "__inittext_begin", "__inittext_end",
	"__initdata_begin", "__initdata_end", "_sdata", "_end",
}

// FT303 finds permission boundaries inside a page.
var FT303 = check("FT303", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	page, from := im.PageSize(), "by the image header"
	if page == 0 {
		page, from = 4<<10, "assumed: the image has no arm64 image header"
	}
	n := 0
	for _, name := range boundaries {
		at, ok := im.Addr(name)
		if !ok {
			continue
		}
		n++
		if over := at % page; over != 0 {
			reportImage(pass, "%s is at %#x, %#x bytes into a page of %#x bytes (%s): permissions change by the page, so those bytes get the wrong ones, or the mapping fails at boot. Align it in the linker script", name, at, over, page, from)
		}
	}
	if n == 0 {
		return inconclusive("the image has none of the kernel's boundary symbols (_stext, _etext, ...)")
	}
	return examined("%d boundaries, pages of %d KiB", n, page>>10)
})
