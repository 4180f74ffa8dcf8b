package checks

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/arch"
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
	if len(code.Insns) == 0 && im.Module() != nil {
		return notApplicable("a module has no entry code: that of the kernel calls no module")
	}
	if len(code.Insns) == 0 {
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
	return examined("%s of entry code, %s", plural.Of(len(code.Insns), "instruction"), plural.Of(len(code.Calls)+way.calls, "call"))
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
	locks, thunk := y.im.Arch().TakesLock(), y.im.Arch().Thunk
	for a := fn; a < s.End(); {
		in, ok := y.im.Insn(a)
		if !ok {
			return false
		}
		lock := locks(y.im.Code(a, int(in.Size)))
		next := a + in.Size
		switch {
		case thunk != "" && in.Target != 0 && strings.HasPrefix(y.im.Name(in.Target), thunk), in.Flow == arch.CallsAway, in.Flow == arch.JumpsAway, in.Flow == arch.Leaves:
			return false
		case in.Flow == arch.Calls, (in.Flow == arch.Jumps || in.Flow == arch.JumpsIf) && (in.Target < s.Addr || in.Target >= s.End()):
			if in.Flow == arch.Calls && y.warns(next, s.End()) {
				a = next
				continue
			}
			y.calls++
			if site, ok := siteOf(y.im, y.t, in.Target); ok {
				y.traced = append(y.traced, tracedCall{entry.Call{At: a, Target: in.Target}, from, site})
			} else if y.walk(in.Target, y.im.Name(in.Target)+", called by "+from) {
				y.seen[fn] = true
				return true
			}
		case lock:
			y.seen[fn] = true
			return true
		case in.Flow == arch.Jumps && in.Target > a:
			next = in.Target
		case in.Flow.Ends():
			return false
		}
		a = next
	}
	return false
}

// warns reports whether the instructions from a on, behind a call, lead to a trap,
// whatever happens: they are those of a WARN() or BUG(), and something is wrong
// already.
func (y *tracedWay) warns(a, end uint64) bool {
	for a < end {
		in, ok := y.im.Insn(a)
		switch in.Flow {
		case arch.Traps:
			return true
		case arch.GoesOn, arch.Calls, arch.CallsAway:
		default: // a NOP may be a jump label's
			return false
		}
		if !ok {
			return false
		}
		a += in.Size
	}
	return false
}

// maxWay bounds the functions on the way of a call that is traced. Kernels have
// about 10.
const maxWay = 64

// siteOf is the entry in the table of the callsite of the function that begins at
// fn.
func siteOf(im *elfscan.Image, t *SiteTable, fn uint64) (site uint64, ok bool) {
	for _, off := range t.Shape.Places() {
		if a := fn + off; t.Contains(a) && t.Site(a).Func == fn {
			return a, true
		}
	}
	if !t.Shape.AtEntry() { // behind the prologue
		if s, ok := im.SymbolAt(fn); ok && s.Addr == fn {
			for a := fn; a < s.End(); a += im.Arch().InsnSize {
				if t.Contains(a) {
					return a, true
				}
			}
		}
	}
	return 0, false
}
