package callsite

import (
	"slices"

	"github.com/ftlint/ftlint/arch"
)

// imageEra is the era of a linked image, by its symbols. Where eras have the same
// symbols, the words at the first callsites decide.
func (t *Table) imageEra() *arch.Era {
	has := func(name string) bool { _, ok := t.Image.Lookup(name); return ok }
	for _, era := range t.Arch.Eras {
		if slices.ContainsFunc(era.Symbols, has) {
			return era
		}
	}
	if !has("ftrace_caller") && !has("_mcount") {
		return arch.None
	}
	if shape := t.vote(64, t.Guess); shape != nil {
		return t.eraOf(shape)
	}
	i := slices.IndexFunc(t.Arch.Eras, func(e *arch.Era) bool { return e.Symbols == nil && (e.Hint == "" || has(e.Hint)) })
	return t.Arch.Eras[i]
}

// eraOf is the era without symbols of its own whose callsites have the shape.
func (t *Table) eraOf(shape *arch.Shape) *arch.Era {
	i := slices.IndexFunc(t.Arch.Eras, func(e *arch.Era) bool { return e.Symbols == nil && e.Shape == shape })
	return t.Arch.Eras[i]
}

// vote is the shape that most of the first n callsites have that lie in code; nil if
// most have no known shape. An entry that points elsewhere (FT403) has no vote.
func (t *Table) vote(n int, guess func(entry uint64) *arch.Shape) *arch.Shape {
	shapes := append([]*arch.Shape{nil}, t.Arch.Shapes...)
	votes := make([]int, len(shapes))
	for _, a := range t.Addrs {
		if n == 0 {
			break
		}
		if t.Image.IsText(a) {
			votes[slices.Index(shapes, guess(a))]++
			n--
		}
	}
	return shapes[slices.Index(votes, slices.Max(votes))]
}

// moduleEra is the era of a module, by its callsites. Eras regs and args have the
// same callsites: the kernel's era decides between them. Without a kernel the
// module counts as era regs.
func (t *Table) moduleEra() *arch.Era {
	unknown := func(is func(*arch.Shape) bool) *arch.Era {
		i := slices.IndexFunc(t.Arch.Eras, func(e *arch.Era) bool { return e.Unknown && is(e.Shape) })
		return t.Arch.Eras[i]
	}
	switch {
	case t.Section == "":
		return arch.None
	case t.Section != t.Arch.Modules.Tables[0]: // that of -fpatchable-function-entry
		return unknown(func(s *arch.Shape) bool { return !s.AtEntry() })
	case len(t.Addrs) == 0:
		return arch.None
	}
	shape := t.vote(8, t.guessAtEntry)
	if kernel := t.Image.Module().Kernel; kernel != nil {
		if of, _ := Of(kernel); of.Era.Shape == shape || shape == nil {
			return of.Era
		}
	}
	if shape == nil {
		return arch.None
	}
	return unknown(func(s *arch.Shape) bool { return s == shape })
}
