package checks

import (
	"golang.org/x/tools/go/analysis"
)

// noinstr are parts of text in which no callsite may lie, by their boundary
// symbols.
var noinstr = []struct{ start, end, why string }{
	{"__noinstr_text_start", "__noinstr_text_end", "code that runs while RCU, lockdep or the entry state is not set up"},
	{"__entry_text_start", "__entry_text_end", "exception entry and return, before and after the kernel's own state"},
	{"__hyp_text_start", "__hyp_text_end", "code that runs at EL2, where the entry code is not mapped"},
	{"__hyp_idmap_text_start", "__hyp_idmap_text_end", "code that runs at EL2 in the identity map"},
	{"__idmap_text_start", "__idmap_text_end", "code that runs in the identity map, with the MMU off or tables in change"},
	{"__entry_tramp_text_start", "__entry_tramp_text_end", "the exception vectors' trampoline, with the kernel unmapped"},
	{"__hibernate_exit_text_start", "__hibernate_exit_text_end", "code that runs from a copy while the kernel is overwritten"},
	{"__relocate_new_kernel_start", "__relocate_new_kernel_end", "code that runs from a copy while kexec replaces the kernel"},
}

// FT405 finds callsites in text that must not be instrumented.
var FT405 = check("FT405", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	t, why := sitesOf(pass)
	if t == nil {
		return notApplicable("%s", why)
	}
	n := 0
	for _, r := range noinstr {
		start, ok1 := im.Addr(r.start)
		end, ok2 := im.Addr(r.end)
		if !ok1 || !ok2 || end <= start {
			continue
		}
		n++
		for _, a := range t.Addrs {
			if start <= a && a < end {
				report(pass, a, "callsite %s lies in %s..%s (%#x..%#x): %s. Mark the function noinstr or notrace, or build its file without the compiler's patchable entries",
					t.name(im, a), r.start, r.end, start, end, r.why)
			}
		}
	}
	if n == 0 {
		return notApplicable("the image has no boundary symbols of text that must not be instrumented (__noinstr_text_start, ...)")
	}
	return examined("%d callsites, %d parts of text", len(t.Addrs), n)
}, Sites)
