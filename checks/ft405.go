package checks

import (
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/plural"
)

// noinstr lists the parts of text that must not have callsites, by their boundary
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

const markNoinstr = "Mark the function noinstr or notrace, or build its file without the compiler's patchable entries"

// FT405 finds callsites in text that must not be instrumented.
var FT405 = check("FT405", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	t, none := sitesOf(pass)
	if t == nil {
		return notApplicable("%v", none)
	}
	if m := im.Module(); m != nil {
		return noinstrSections(pass, m, t)
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
				report(pass, a, say("callsite %s lies in text that must not be instrumented", t.label(im, a)).
					Because("%#x is in %s..%s (%#x..%#x)", a, r.start, r.end, start, end).
					Because("that is %s", r.why).
					Do("%s", markNoinstr))
			}
		}
	}
	if n == 0 {
		return notApplicable("the image has no boundary symbols of text that must not be instrumented (__noinstr_text_start, ...)")
	}
	return examined("%s, %s of text", plural.Of(len(t.Addrs), "callsite"), plural.Of(n, "part"))
}, Sites)

// noinstrNames are the beginnings of the names of those sections of modules that
// must not have callsites.
var noinstrNames = []string{".noinstr.text", ".entry.text", ".hyp.text", ".idmap.text", ".hyp.idmap.text"}

// noinstrSections judges a module. Its text has sections instead of boundary
// symbols.
func noinstrSections(pass *analysis.Pass, m *elfscan.Module, t *SiteTable) (any, error) {
	im := image(pass)
	n := 0
	for i := range m.Sections {
		s := &m.Sections[i]
		if !slices.ContainsFunc(noinstrNames, func(name string) bool {
			rest, found := strings.CutPrefix(s.Name, name)
			return found && (rest == "" || rest[0] == '.')
		}) {
			continue
		}
		n++
		for _, a := range t.Addrs {
			if a-s.Addr < s.Size {
				report(pass, a, say("callsite %s lies in text that must not be instrumented", t.label(im, a)).
					Because("%#x is in section %s", a, s.Name).
					Do("%s", markNoinstr))
			}
		}
	}
	return examined("%s, %s that must not be instrumented", plural.Of(len(t.Addrs), "callsite"), plural.Of(n, "section"))
}
