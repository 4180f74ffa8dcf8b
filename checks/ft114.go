package checks

import (
	"fmt"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/callsite"
)

// FT114 finds entry points without a landing pad in a kernel that is built
// with BTI.
var FT114 = check("FT114", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	t, none := sitesOf(pass)
	if t == nil {
		return notApplicable("%v", none)
	}
	late := latePads(t)
	types := judgeTypes(pass)
	if t.BTI == 0 && len(late) == 0 {
		if types > 0 {
			return examined("%s (kCFI; the kernel is not built with BTI)", plural(types, "type"))
		}
		return notApplicable("the kernel is not built with BTI: none of %d callsites has a landing pad", len(t.Addrs))
	}
	n := 0
	for _, e := range t.Era.Indirect {
		at, ok := im.Addr(e.Symbol)
		if !ok || !im.IsText(at) {
			continue
		}
		n++
		if w, _ := im.Word(at); !e.Branch.Accepts(w) {
			report(pass, at, "%s (%#x) begins with %s, no landing pad, and is reached by %s: in a guarded page that is a Branch Target exception. Begin it with BTI c (%d of %d callsites have BTI: this kernel is built with it)",
				e.Symbol, at, text(im, at), e.From, t.BTI, len(t.Addrs))
		}
	}
	if len(late) > 0 {
		more := ""
		if len(late) > 1 {
			more = fmt.Sprintf(" (and %s)", plural(len(late)-1, "more function"))
		}
		report(pass, late[0].Func, "%s begins with ftrace's NOPs, and its landing pad stands behind them%s: a BLR to the function lands on a NOP, and in a guarded page that is a Branch Target exception. Build with a compiler that puts the landing pad first (GCC bug 92424)",
			im.Name(late[0].Func), more)
	}
	if types > 0 {
		return examined("%d entry points, %s (kCFI)", n, plural(types, "type"))
	}
	return examined("%d entry points", n)
}, Sites)

// typed are the functions of the entry code that the kernel's C code calls by
// pointers.
var typed = []string{"ftrace_stub", "ftrace_stub_graph"}

// judgeTypes reports a function of typed without the word before it that kCFI
// compares ("arm64: Add types to indirect called assembly functions"). It returns
// the number of types that it looked at: 0 if the kernel is not built with kCFI.
func judgeTypes(pass *analysis.Pass) (n int) {
	im := image(pass)
	for _, name := range typed {
		typ, ok := im.Lookup("__kcfi_typeid_" + name)
		at, found := im.Addr(name)
		if !ok || !found || !im.IsText(at) {
			continue
		}
		n++
		if w, _ := im.Word(at - a64.Size); w != uint32(typ.Addr) {
			report(pass, at, "%s has %08x before it, not its type, %08x (__kcfi_typeid_%s): a call of it by a pointer is checked by kCFI, and traps. Begin it with SYM_TYPED_FUNC_START", name, w, uint32(typ.Addr), name)
		}
	}
	return n
}

// latePads are the callsites whose function has its landing pad behind the NOPs.
func latePads(t *SiteTable) (late []callsite.Site) {
	for i := range t.Callsites {
		if t.Callsites[i].Late {
			late = append(late, t.Callsites[i])
		}
	}
	return late
}
