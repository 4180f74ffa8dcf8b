package checks

import (
	"golang.org/x/tools/go/analysis"
)

const (
	directRange = 128 << 20 // bytes that BL spans, and that the direct module region has
	littleRoom  = 16 << 20  // bytes below which modules soon spill over
)

// FT207 finds an image so large that little or no room is left for modules in
// reach of direct branches.
var FT207 = check("FT207", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	start, ok1 := im.Addr("_text")
	etext, ok2 := im.Addr("_etext")
	end, ok3 := im.Addr("_end")
	if !ok1 || !ok2 || !ok3 {
		return inconclusive("the image lacks one of _text, _etext, _end")
	}
	// The 128 MiB hold the modules and a part of the image. That part, and the
	// name of the region, changed with "arm64: module: rework module VA range
	// selection": before this commit the region ends at _etext.
	size, span, region := end-start, "_end - _text", "module_direct_base"
	if _, old := im.Addr("module_alloc_base"); old {
		size, span, region = etext-start, "_etext - _text", "module_alloc_base"
	} else if _, ok := im.Addr("module_direct_base"); !ok {
		region = "the direct module region"
	}
	if end < start || etext < start {
		return inconclusive("_text is %#x, _etext %#x, _end %#x: reversed", start, etext, end)
	}
	mib := func(n uint64) float64 { return float64(n) / (1 << 20) }
	switch room := int64(directRange) - int64(size); {
	case room <= 0:
		reportImage(pass, say("the image leaves no room for modules in BL's range").
			Because("%s is %#x bytes (%.1f MiB), 128 MiB or more: %s has no room", span, size, mib(size), region).
			Because("every module lands out of BL's range and needs PLTs for each call and for ftrace").
			Do("Make the image smaller: build more as modules"))
	case room < littleRoom:
		reportImage(pass, say("the image leaves %.1f MiB for modules in BL's range", mib(uint64(room))).
			Because("%s is %#x bytes (%.1f MiB), of the 128 MiB of %s", span, size, mib(size), region).
			Because("further modules land out of BL's range and need PLTs for each call and for ftrace").
			Do("Make the image smaller: build more as modules"))
	}
	return examined("%s is %.1f MiB of 128", span, mib(size))
})
