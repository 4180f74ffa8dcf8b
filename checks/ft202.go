package checks

import (
	"fmt"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/trampoline"
	"github.com/ftlint/ftlint/world"
)

// FT202 finds builders whose memory can be out of reach, and that neither have a
// PLT nor fail.
var FT202 = builtCheck("FT202", func(pass *analysis.Pass, runs []*trampoline.Run, s *spots) {
	for _, r := range runs {
		if r.Situation == trampoline.FarCallback || farBreaks(runs, r) == 0 {
			continue
		}
		for _, e := range r.Events {
			if e.Kind != world.Alloc || e.Addr == 0 {
				continue
			}
			region, worst := allocRegion(s.im, &e)
			if worst <= 128<<20 {
				continue
			}
			s.add(r, e.PC, "", say("memory for trampolines from %s() can land out of BL's reach", e.Func).
				Because("the memory can lie in %s", region).
				Because("that is up to %d MiB from callsites of the image, and from the callback; BL reaches 128 MiB", worst>>20).
				Because("the builder has no PLT and does not fail (FT203)").
				Do("Add a PLT, or refuse memory from which _text, _end or the callback is out of reach"))
		}
	}
}, trampoline.Near, trampoline.FarAbove, trampoline.FarBelow)

// allocRegion is a description of the region in which the kernel's allocator can
// place memory, and the worst distance from there to the image, in bytes.
func allocRegion(im *elfscan.Image, e *world.Event) (region string, worst uint64) {
	has := func(name string) bool { _, ok := im.Lookup(name); return ok }
	sections := im.Sections()
	lo, hi := sections[0].Addr, sections[len(sections)-1].End()
	if e.Value != 0 { // the builder asked for a range
		return fmt.Sprintf("%#x..%#x", e.From, e.Value), max(hi-min(e.From, hi), e.Value-min(lo, e.Value))
	}
	const full = 2 << 30
	switch e.Func {
	case "module_alloc", "module_alloc_noprof", "execmem_alloc", "execmem_alloc_rw":
		switch {
		case has("module_plt_base"):
			return "the 2 GiB around the image (module_plt_base) when the 128 MiB of module_direct_base are full", full
		case has("module_alloc_base"):
			return "the 2 GiB from module_alloc_base when the 128 MiB that end at _etext are full", full
		}
		return "the 2 GiB for modules when those in direct range are full (assumed: the image has neither module_plt_base nor module_alloc_base)", full
	}
	return "the whole of vmalloc space", 1 << 46
}
