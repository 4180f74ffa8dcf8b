package checks

import (
	"slices"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/entry"
)

// graphHooks are the functions by which the function graph tracer looks at a
// call that is traced: the entry code calls them directly or as a callback.
// Functions that only patch (ftrace_make_call, aarch64_insn_write, ...) are not
// on the way of a call that is traced, and may be traced themselves: in 6.1 some
// are.
var graphHooks = []string{"ftrace_graph_func", "prepare_ftrace_return"}

// FT406 finds calls from the entry code, and from the graph tracer's hooks, to
// functions that are traced.
var FT406 = check("FT406", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	t, none := sitesOf(pass)
	if t == nil {
		return notApplicable("%v", none)
	}
	code := pass.ResultOf[Entry].(*entry.Code)
	if len(code.Words) == 0 && im.Module() != nil {
		return notApplicable("a module has no entry code: that of the kernel calls no module")
	}
	if len(code.Words) == 0 {
		return inconclusive("no entry code was found")
	}
	for _, c := range code.Calls {
		if site, ok := siteOf(im, t, c.Target); ok {
			reportWith(pass, c.At, relatedTo(im, site, "its callsite"), "the entry code calls %s with %s at %s, and that function has a callsite (%#x): when it is traced, the entry code calls itself without end. Mark %s notrace",
				im.Name(c.Target), text(im, c.At), im.At(c.At), site, im.Name(c.Target))
		}
	}
	calls := len(code.Calls)
	for _, name := range graphHooks {
		hook, ok := im.Addr(name)
		if !ok || !im.IsText(hook) {
			continue
		}
		if site, ok := siteOf(im, t, hook); ok && !slices.ContainsFunc(code.Calls, func(c entryCall) bool { return c.Target == hook }) {
			report(pass, site, "%s, which the entry code calls when the graph tracer is on, has a callsite (%#x): when it is traced, it is called for its own call, without end. Mark %[1]s notrace", name, site)
		}
		if call, ok := firstCall(im, hook); ok {
			calls++
			if site, ok := siteOf(im, t, call.Target); ok {
				reportWith(pass, call.At, relatedTo(im, site, "its callsite"), "%s, which the entry code calls when the graph tracer is on, calls %s with %s at %s, and that function has a callsite (%#x): when it is traced, it is called for its own call, without end. Mark %[2]s notrace",
					name, im.Name(call.Target), text(im, call.At), im.At(call.At), site)
			}
		}
	}
	return examined("%d instructions of entry code, %d calls", len(code.Words), calls)
}, Sites, Entry)

// entryCall is a call by the entry code, or on behalf of it.
type entryCall = entry.Call

// firstCall is the first call of the function at fn, in the order of its
// instructions. It is false if the function calls nothing, or stores before that
// to other memory than its stack: so could it take the lock that keeps tracers
// from recursion.
func firstCall(im *elfscan.Image, fn uint64) (c entryCall, ok bool) {
	s, ok := im.SymbolAt(fn)
	for a := fn; ok && a < s.End(); a += a64.Size {
		w, _ := im.Word(a)
		target, _ := a64.Target(w, a)
		switch kind := a64.Classify(w); {
		case kind == a64.Call, kind == a64.Branch && (target < s.Addr || target >= s.End()):
			return entryCall{At: a, Target: target}, true
		case kind == a64.BLR, kind == a64.BR, mayStore(w):
			return entryCall{}, false
		}
	}
	return entryCall{}, false
}

// mayStore reports whether w is a load or store (Arm ARM, C4.1, "Loads and
// Stores") to memory that is not the stack's, by SP or FP, and not surely a load
// of a general register.
func mayStore(w uint32) bool {
	if w>>25&5 != 4 { // op0 is x1x0
		return false
	}
	const fp, sp = 29, 31
	if base := a64.Rn(w); base == fp || base == sp {
		return false
	}
	switch w >> 27 & 7 {
	case 3: // literal
		return false
	case 5: // a pair
		return w>>22&1 == 0
	case 7: // one register, by immediate or register offset; with bits 21 and 11:10 an atomic
		return w>>22&3 == 0 || w>>24&1 == 0 && w>>21&1 == 1 && w>>10&3 == 0
	}
	return true // exclusive, acquire and release, SIMD structures
}

// siteOf is the entry in the table of the callsite of the function that begins at
// fn.
func siteOf(im *elfscan.Image, t *SiteTable, fn uint64) (site uint64, ok bool) {
	for _, off := range []uint64{0, a64.Size, ^uint64(8) + 1} { // at the function's start, behind a BTI, 8 bytes before the start
		if a := fn + off; t.Contains(a) && t.Site(a).Func == fn {
			return a, true
		}
	}
	if !t.Shape.SavesLR { // behind the prologue
		if s, ok := im.SymbolAt(fn); ok && s.Addr == fn {
			for a := fn; a < s.End(); a += a64.Size {
				if t.Contains(a) {
					return a, true
				}
			}
		}
	}
	return 0, false
}
