package callsite

import (
	"slices"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/x64"
)

// landingPad is the size of BTI and of ENDBR64, in bytes.
const landingPad = 4

// Unrecorded are the functions, by address, that begin with the NOPs of a
// callsite of the shape and have no entry in the table; with a nil shape, with
// those of any. NOPs that stand there for another reason count as well.
// functions is how many were looked at. Callsites that are a BL behind the
// prologue are not looked for.
func (t *Table) Unrecorded(shape *arch.Shape) (found []Site, functions int) {
	shapes := []*arch.Shape{shape}
	if shape == nil {
		shapes = slices.DeleteFunc(slices.Clone(t.Arch.Shapes), func(s *arch.Shape) bool { return !s.AtEntry() })
		slices.Reverse(shapes) // the longest first
	}
	var section *elfscan.Range
	var from uint64 // where the code begins that is kept in memory
	next := 0       // of t.Addrs, behind the functions before
	t.Image.EachFunction(func(fn uint64) {
		if section == nil || fn-section.Addr >= section.Size {
			section, _ = t.Image.SectionAt(fn)
			from = fn
		}
		if section != nil && fn-from >= releaseChunk {
			t.Image.Release(section, from, fn)
			from = fn
		}
		if section == nil || !section.Executable() {
			return
		}
		functions++
		// Most functions have an entry: their words need no look.
		const literal = 8 // bytes before the function
		for next < len(t.Addrs) && t.Addrs[next] < fn-literal {
			next++
		}
		if next < len(t.Addrs) && (t.Addrs[next] == fn || t.Addrs[next] == fn-literal || t.Addrs[next] == fn+landingPad && t.Shape != nil && t.Shape.Size != 0) {
			return
		}
		for _, shape := range shapes {
			if s := t.atFunction(fn, shape, section); s.OK && s.Saved < 0 && !t.between(s.Entry, s.Call) {
				found = append(found, s)
				break
			}
		}
	})
	return found, functions
}

// atFunction takes the callsite apart that the function at fn, which lies in
// the section, has if it has one of the shape.
func (t *Table) atFunction(fn uint64, shape *arch.Shape, section *elfscan.Range) (s Site) {
	if !shape.AtEntry() || fn-section.Addr < shape.Literal {
		return s
	}
	s = t.takeApart(fn-shape.Literal, shape, section)
	if shape.Literal == 0 && !s.OK {
		s = t.takeApart(fn+landingPad, shape, section) // behind a landing pad
	}
	if shape.Size != 0 && s.OK { // a NOP of that size can stand there for many reasons
		b := section.Data()[s.Call-section.Addr]
		s.OK = b == x64.OpCall
	}
	s.OK, s.AtFunc = s.OK && s.Func == fn, true
	return s
}

// between reports whether the table has an entry from first to last.
func (t *Table) between(first, last uint64) bool {
	i, _ := slices.BinarySearch(t.Addrs, first)
	return i < len(t.Addrs) && t.Addrs[i] <= last
}
