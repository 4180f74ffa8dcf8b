package trampoline

import (
	"fmt"

	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/entry"
)

// A Region is a part of the entry code between a label and its end label. A
// builder of trampolines copies it.
type Region struct {
	Label, EndLabel string
	Start, End      uint64 // addresses of the labels
	// Last is the address of the instruction that leaves the region. It stands
	// before the end label or, if that label stands too early, at it. Last is 0 if
	// neither instruction leaves the region.
	Last uint64
	// OnLast reports whether the end label stands at Last and not behind it.
	OnLast bool

	before uint64 // address of the instruction before End
	limit  uint64
}

// Limit is the address behind what a builder copies of the region: its last
// instruction too, unless builders append that.
func (r *Region) Limit() uint64 { return r.limit }

// Before is the address of the instruction before the end label.
func (r *Region) Before() uint64 { return r.before }

// Contains reports whether addr lies in what a builder copies of the region.
func (r *Region) Contains(addr uint64) bool { return r.Start <= addr && addr < r.Limit() }

// Describe describes the region in words, for people.
func (r *Region) Describe(im *elfscan.Image) string {
	text := func(addr uint64) string {
		text, _ := im.Text(addr)
		return "`" + text + "`"
	}
	if r.Last == 0 {
		return fmt.Sprintf("%s..%s, %#x bytes, whose last instruction %s does not leave it", r.Label, r.EndLabel, r.End-r.Start, text(r.before))
	}
	where := "the last instruction"
	if r.OnLast {
		where = "the label stands on the last instruction"
	}
	return fmt.Sprintf("%s..%s, %#x bytes, %s %s at +%#x", r.Label, r.EndLabel, r.End-r.Start, where, text(r.Last), r.Last-r.Start)
}

// A Template are the regions that a dynamic trampoline is made of. A label that is
// missing or misplaced has no region; FT101 and FT102 report it.
type Template struct {
	Regions []Region
}

// Region is the region that begins at the label; nil if there is none.
func (t *Template) Region(label string) *Region {
	for i := range t.Regions {
		if t.Regions[i].Label == label {
			return &t.Regions[i]
		}
	}
	return nil
}

// FindTemplate finds the template of the image's dynamic trampolines by its labels.
// It is nil if the image's era has no dynamic trampolines.
func FindTemplate(table *callsite.Table) *Template {
	if !table.Era.Template {
		return nil
	}
	im := table.Image
	t := &Template{}
	for _, l := range table.Arch.Regions {
		start, ok1 := im.Addr(l.Start)
		end, ok2 := im.Addr(l.End)
		size := table.Arch.InsnSize
		if !ok1 || !ok2 || end <= start || end-start > maxRegion || start%size != 0 || end%size != 0 {
			continue
		}
		r := Region{Label: l.Start, EndLabel: l.End, Start: start, End: end, limit: end}
		before, stands := Before(im, start, end)
		if !stands { // the end label stands within an instruction
			continue
		}
		r.before = before
		leaves := func(addr uint64) (uint64, bool) {
			in, ok := im.Insn(addr)
			return in.Size, ok && in.Flow.Ends()
		}
		if _, ok := leaves(before); ok && !table.Arch.AppendsReturn {
			r.Last = before
		} else if size, ok := leaves(end); ok {
			r.Last, r.OnLast = end, true
			if !table.Arch.AppendsReturn {
				r.limit += size
			}
		}
		t.Regions = append(t.Regions, r)
	}
	return t
}

// maxRegion bounds the size of a region, in bytes.
const maxRegion = 4 * entry.MaxInsns

// Before is the address of the instruction before addr, if instruction follows
// instruction from start to addr.
func Before(im *elfscan.Image, start, addr uint64) (before uint64, ok bool) {
	for a := start; a < addr; {
		in, ok := im.Insn(a)
		if !ok {
			return 0, false
		}
		before, a = a, a+in.Size
		if a == addr {
			return before, true
		}
	}
	return 0, false
}
