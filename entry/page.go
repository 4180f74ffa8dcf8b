package entry

import (
	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/elfscan"
)

// callbacksAway is the distance of the page for callbacks from the lowest address of
// modules, in bytes. The page lies below, where kernels have their own callbacks: no
// byte of a displacement from a trampoline to there is zero.
const callbacksAway = 16<<20 + 2<<16

// CallbackPage is the address of a page behind or before the image for callbacks.
// It is in reach of the entry code and of memory near the image.
func CallbackPage(im *elfscan.Image) uint64 {
	if base := im.Arch().Modules.Base; base != 0 {
		if _, taken := im.SectionAt(base - callbacksAway); taken {
			return base + callbacksAway
		}
		return base - callbacksAway
	}
	sections := im.Sections()
	caller, _ := im.Addr("ftrace_caller")
	page := (sections[len(sections)-1].End() + 0x1ffff) &^ 0xffff
	if !a64.ReachOf(a64.Call).Contains(a64.Offset(caller, page)) {
		page = sections[0].Addr&^0xffff - 0x10000
	}
	return page
}
