package world

import (
	"fmt"
	"math/bits"

	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/emu"
)

// shadowSize is the size of the region that holds KASAN's shadow bytes, one for 8 or
// for 16 bytes, in bytes.
const shadowSize = 1 << 45

// shadow is the address of the region with KASAN's shadow bytes; ok is false if the
// image is built without KASAN. The region ends where the upper half of the kernel's
// addresses begins, which the image lies in: KASAN_SHADOW_END of
// arch/arm64/include/asm/memory.h, for each size of virtual addresses.
func shadow(im *elfscan.Image) (addr uint64, ok bool) {
	text, ok := im.Addr("_text")
	if _, kasan := im.Addr("kasan_report"); !ok || !kasan {
		return 0, false
	}
	half := ^uint64(0) << (64 - bits.LeadingZeros64(^text))
	return half - shadowSize, true
}

// hookKASAN has stand-ins for the checks that compilers add to code in a kernel with
// KASAN. They find nothing: the emulator judges accesses. Some code looks up shadow
// bytes by itself, and poisons those of its stack: Reset maps the bytes.
func (w *World) hookKASAN() {
	shadow, ok := shadow(w.Image)
	if !ok {
		return
	}
	w.kasan = shadow
	var checks []string
	for _, access := range []string{"load", "store"} {
		for _, size := range []string{"1", "2", "4", "8", "16", "N"} {
			checks = append(checks, fmt.Sprintf("__asan_%s%s_noabort", access, size), fmt.Sprintf("__hwasan_%s%s_noabort", access, size))
		}
	}
	w.Hook(w.Returns(clobbered|0x11), checks...) // they return nothing
	w.Hook(w.Returns(1), "__kasan_check_read", "__kasan_check_write", "kasan_check_range")
}

// mapShadow maps KASAN's shadow bytes. All are 0: each address is good.
func (w *World) mapShadow() {
	if w.kasan != 0 {
		w.Mem.Map(w.kasan, shadowSize, emu.Read|emu.Write)
	}
}
