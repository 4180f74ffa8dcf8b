package checks

import (
	"fmt"
	"slices"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/entry"
	"github.com/ftlint/ftlint/internal/plural"
)

// hooks are the functions that the entry code calls as callbacks, and when: by
// the patched ftrace_call or through the ops. All but the last are the core's.
// prepare_ftrace_return is not here: either the entry code calls it directly, or
// nothing does. Functions that only patch (ftrace_make_call, aarch64_insn_write, ...) are not on the way
// of a call that is traced, and may be traced themselves: in 6.1 some are.
var hooks = []struct{ name, when string }{
	{"arch_ftrace_ops_list_func", "several tracers are on"},
	{"ftrace_ops_list_func", "several tracers are on"},
	{"ftrace_ops_assist_func", "a tracer wants protection"},
	{"ftrace_graph_func", "the graph tracer is on"},
}

// FT406 finds functions that are traced on the way of a call that is traced:
// that the entry code calls, directly or as a callback, and what these call.
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
	way := &tracedWay{im: im, t: t, seen: map[uint64]bool{}}
	for _, c := range code.Calls {
		if site, ok := siteOf(im, t, c.Target); ok {
			report(pass, c.At, say("the entry code calls %s, which has a callsite", im.Name(c.Target)).
				Because("it calls it with %s at %s; the callsite is at %#x", text(im, c.At), im.At(c.At), site).
				Because("when the function is traced, the entry code calls itself without end").
				Do("Mark %s notrace", im.Name(c.Target)), relatedTo(im, site, "its callsite")...)
		} else if im.IsText(c.Target) {
			way.walk(c.Target, im.Name(c.Target)+", which the entry code calls")
		}
	}
	for _, h := range hooks {
		hook, ok := im.Addr(h.name)
		if !ok || !im.IsText(hook) {
			continue
		}
		what := fmt.Sprintf("%s, which the entry code calls when %s", h.name, h.when)
		if site, ok := siteOf(im, t, hook); ok && !slices.ContainsFunc(code.Calls, func(c entry.Call) bool { return c.Target == hook }) {
			report(pass, site, say("%s has a callsite, and runs for each traced call", h.name).
				Because("the entry code calls it when %s; its callsite is at %#x", h.when, site).
				Because("when it is traced, it is called for its own call, without end").
				Do("Mark %s notrace", h.name))
		}
		way.walk(hook, what)
	}
	for _, c := range way.traced {
		report(pass, c.At, say("%s has a callsite, and runs for each traced call", im.Name(c.Target)).
			Because("%s, calls it with %s at %s; its callsite is at %#x", c.from, text(im, c.At), im.At(c.At), c.site).
			Because("when it is traced, it is called for its own call, without end").
			Do("Mark %s notrace", im.Name(c.Target)), relatedTo(im, c.site, "its callsite")...)
	}
	return examined("%s of entry code, %s", plural.Of(len(code.Words), "instruction"), plural.Of(len(code.Calls)+way.calls, "call"))
}, Sites, Entry)

// A tracedWay are the functions on the way of a call that is traced.
type tracedWay struct {
	im     *elfscan.Image
	t      *SiteTable
	seen   map[uint64]bool // by function: it takes a lock against recursion
	calls  int
	traced []tracedCall
}

// A tracedCall is a call, on the way of a call that is traced, of a function that
// is itself traced.
type tracedCall struct {
	entry.Call
	from string // the function that calls, and how the entry code comes there
	site uint64
}

// walk follows the calls of the function at fn in the order of its instructions,
// and those of the functions that it calls. It leaves out calls that only WARN() and
// BUG() need. It ends at the first return, at a call through a register, which is one
// of a tracer that has its own protection, and where a lock against recursion is
// taken, which it reports.
//
// from says how the entry code comes to fn.
func (y *tracedWay) walk(fn uint64, from string) (locked bool) {
	s, ok := y.im.SymbolAt(fn)
	if locked, done := y.seen[fn]; done || !ok || len(y.seen) > maxWay {
		return locked
	}
	y.seen[fn] = false
	var ored uint32 // registers that hold the result of an ORR, as bits
	for a := fn; a < s.End(); a += a64.Size {
		w, _ := y.im.Word(a)
		target, _ := a64.Target(w, a)
		kind := a64.Classify(w)
		switch {
		case kind == a64.Call, kind == a64.Branch && (target < s.Addr || target >= s.End()):
			if kind == a64.Call && y.warns(a, s.End()) {
				continue
			}
			y.calls++
			if site, ok := siteOf(y.im, y.t, target); ok {
				y.traced = append(y.traced, tracedCall{entry.Call{At: a, Target: target}, from, site})
			} else if y.walk(target, y.im.Name(target)+", called by "+from) {
				y.seen[fn] = true
				return true
			}
			ored = 0
		case kind == a64.BLR, kind == a64.BR, kind == a64.Ret:
			return false
		case mayStore(w) && (!plainStore(w) || ored>>(w&31)&1 == 1):
			y.seen[fn] = true
			return true
		case isORR(w):
			ored |= 1 << (w & 31)
		case kind == a64.Branch && target > a:
			a = target - a64.Size
		case kind.EndsFlow():
			return false
		default:
			ored &^= 1 << (w & 31)
		}
	}
	return false
}

// warns reports whether the instructions behind the call at a lead to a BRK, whatever
// happens: they are those of a WARN() or BUG(), and something is wrong already.
func (y *tracedWay) warns(a, end uint64) bool {
	for a += a64.Size; a < end; a += a64.Size {
		w, _ := y.im.Word(a)
		switch a64.Classify(w) {
		case a64.Break:
			return true
		case a64.BCond, a64.CBZ, a64.TBZ, a64.Branch, a64.BR, a64.Ret, a64.ERet, a64.Nop: // a NOP may be a jump label's
			return false
		}
	}
	return false
}

// maxWay bounds the functions on the way of a call that is traced. Kernels have
// about 10.
const maxWay = 64

// isORR reports whether w is an ORR that sets bits in a number (Arm ARM, C6.2): a
// MOV does not.
func isORR(w uint32) bool {
	const xzr = 31
	return (w&0x7f80_0000 == 0x3200_0000 || w&0x7f20_0000 == 0x2a00_0000) && a64.Rn(w) != xzr
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

// plainStore reports whether w, which mayStore, stores one or two registers and
// does nothing else.
func plainStore(w uint32) bool {
	pair, one := w>>27&7 == 5, w>>27&7 == 7
	return pair || one && (w>>24&1 == 1 || w>>21&1 == 0 || w>>10&3 != 0)
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
