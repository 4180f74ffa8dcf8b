package tracing

import (
	"slices"
	"sort"
	"strings"

	"github.com/ftlint/ftlint/elfscan"
)

// A span is a stretch of the kernel's addresses.
type span struct {
	name   string
	lo, hi uint64
}

func (s span) has(addr uint64) bool { return s.lo <= addr && addr < s.hi }

// spanOf is the stretch between two symbols; an empty one if the image lacks them.
func spanOf(im *elfscan.Image, name, start, stop string) span {
	lo, ok1 := im.Addr(start)
	hi, ok2 := im.Addr(stop)
	if !ok1 || !ok2 {
		return span{name: name}
	}
	return span{name, lo, hi}
}

// quiet are the parts of the text that the kernel keeps from tracers.
func quiet(im *elfscan.Image) []span {
	return []span{
		spanOf(im, ".noinstr.text", "__noinstr_text_start", "__noinstr_text_end"),
		spanOf(im, ".kprobes.text", "__kprobes_text_start", "__kprobes_text_end"),
		spanOf(im, ".entry.text", "__entry_text_start", "__entry_text_end"),
		spanOf(im, ".hyp.text", "__hyp_text_start", "__hyp_text_end"),
		spanOf(im, ".idmap.text", "__idmap_text_start", "__idmap_text_end"),
		spanOf(im, ".hyp.idmap.text", "__hyp_idmap_text_start", "__hyp_idmap_text_end"),
		spanOf(im, ".mmuoff.text", "__mmuoff_code_start", "__mmuoff_code_end"),
	}
}

func spanAt(list []span, addr uint64) (span, bool) {
	i := slices.IndexFunc(list, func(s span) bool { return s.has(addr) })
	if i < 0 {
		return span{}, false
	}
	return list[i], true
}

// ftrace answers for ftrace: it can use a function that has an entry in the table.
// The kernel looks for the entry from the function's first byte to its last.
func (k *Kernel) ftrace(u *unit) {
	t := u.table
	if !k.caps.tracing {
		for i := range u.functions {
			u.functions[i].Ftrace = Answer{Why: NoTracer}
		}
		return
	}
	var calls []uint64
	if t.Entries != nil {
		for _, s := range t.Sites() {
			calls = append(calls, s.Call)
		}
	}
	slices.Sort(calls)
	unrecorded := map[uint64]bool{}
	if t.Shape != nil && t.Shape.SavesLR {
		list, _ := t.Unrecorded(t.Shape)
		for _, s := range list {
			unrecorded[s.Func] = true
		}
	}
	used := make([]bool, len(calls))
	for i := range u.functions {
		f := &u.functions[i]
		n := sort.Search(len(calls), func(n int) bool { return calls[n] >= f.Addr })
		if n < len(calls) && calls[n] < f.Addr+max(f.Size, 1) {
			f.Call, used[n] = calls[n], true
		}
		in, quiet := spanAt(u.quiet, f.Addr)
		whole, _, part := strings.Cut(f.Name, ".cold")
		switch {
		case f.Call != 0 && !u.init(f.Call):
			f.Ftrace = Answer{Why: Can}
		case u.init(f.Addr):
			f.Ftrace = Answer{Why: Init}
		case part:
			f.Ftrace = Answer{Why: Part, About: whole}
		case unrecorded[f.Addr]:
			f.Ftrace = Answer{Why: NoRecord}
		case len(calls) == 0:
			f.Ftrace = Answer{Why: NoTable}
		case quiet:
			f.Ftrace = Answer{Why: Range, About: in.name}
		default:
			f.Ftrace = Answer{Why: Notrace}
		}
	}
	for n, call := range calls {
		if !used[n] && !u.init(call) {
			u.stray = append(u.stray, call)
		}
	}
}
