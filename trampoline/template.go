package trampoline

import (
	"fmt"

	"github.com/ftlint/ftlint/a64"
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
}

// Limit is the address behind the region's last instruction.
func (r *Region) Limit() uint64 {
	if r.OnLast {
		return r.End + a64.Size
	}
	return r.End
}

// Contains reports whether addr lies in the region, its last instruction
// included.
func (r *Region) Contains(addr uint64) bool { return r.Start <= addr && addr < r.Limit() }

// Describe describes the region in words, for people.
func (r *Region) Describe(im *elfscan.Image) string {
	text := func(addr uint64) string {
		w, _ := im.Word(addr)
		return "`" + a64.Text(w, addr, im.Name) + "`"
	}
	if r.Last == 0 {
		return fmt.Sprintf("%s..%s, %#x bytes, whose last instruction %s does not leave it", r.Label, r.EndLabel, r.End-r.Start, text(r.End-a64.Size))
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
		if !ok1 || !ok2 || end <= start || end-start > entry.MaxWords*a64.Size || start%a64.Size != 0 || end%a64.Size != 0 {
			continue
		}
		r := Region{Label: l.Start, EndLabel: l.End, Start: start, End: end}
		leaves := func(addr uint64) bool {
			w, ok := im.Word(addr)
			return ok && a64.Classify(w).EndsFlow()
		}
		switch {
		case leaves(end - a64.Size):
			r.Last = end - a64.Size
		case leaves(end):
			r.Last, r.OnLast = end, true
		}
		t.Regions = append(t.Regions, r)
	}
	return t
}
