package checks

import (
	"fmt"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/entry"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/trampoline"
)

// FT102 finds labels in the wrong place: outside text, within an instruction,
// out of order, or away from the code that they label.
var FT102 = check("FT102", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	era := table(pass).Era
	if era == arch.None {
		return notApplicable("no ftrace in this image")
	}
	n := 0
	placed := map[string]uint64{} // labels whose own place is right, with their addresses
	for _, l := range era.Labels {
		s, ok := im.Lookup(l.Name)
		if !ok {
			continue
		}
		n++
		section, mapped := im.SectionAt(s.Addr)
		if !mapped { // an end label may stand at the very end of its section
			section, mapped = im.SectionAt(s.Addr - 1)
		}
		_, template := endOf(im, l.Name)
		switch {
		case !mapped:
			reportImage(pass, say("%s is in no section of the image", l.Name).Because("it is at %#x", s.Addr).Do("Move it to %s", l.Role))
		case !section.Executable() && !template:
			reportImage(pass, say("%s is in %s, which is not executable", l.Name, section.Name).Because("it is at %#x, and labels code (%s)", s.Addr, l.Role).Do("Move it to %s", l.Role))
		case into(im, s.Addr) != 0:
			fix := "Put it where an instruction begins"
			if size := im.Arch().InsnSize; size > 1 {
				fix = fmt.Sprintf("Align it to %d", size)
			}
			report(pass, s.Addr, say("%s stands %s into an instruction", l.Name, plural.Of(into(im, s.Addr), "byte")).Because("it is at %#x", s.Addr).Do("%s", fix))
		default:
			placed[l.Name] = s.Addr
		}
	}

	// The end of a region lies behind the start, and execution leaves the region
	// there by a branch or a return.
	regions := map[string]trampoline.Region{}
	if t := pass.ResultOf[Template].(*TemplateRegions); t != nil {
		for _, r := range t.Regions {
			regions[r.Label] = r
		}
	}
	for _, l := range im.Arch().Regions {
		start, ok1 := placed[l.Start]
		end, ok2 := placed[l.End]
		if !ok1 || !ok2 {
			continue
		}
		r, ok := regions[l.Start]
		switch {
		case end <= start:
			report(pass, end, say("%s stands before %s", l.End, l.Start).Because("%s is at %#x, %s at %#x", l.End, end, l.Start, start).Because("the region that a builder copies would be %s", plural.Of(int64(end-start), "byte")).Do("Put %s behind the code", l.End))
		case !ok:
			in := "no section"
			if s, mapped := im.SectionAt(end); mapped {
				in = s.Name
			}
			report(pass, end, say("%s is not in the entry code of %s", l.End, l.Start).Because("it is at %#x, in %s, %#x bytes behind %s (%#x)", end, in, end-start, l.Start, start).Do("Put it behind the last instruction of %s", l.Start))
		case r.Last == 0:
			report(pass, end, say("%s is not at the end of %s", l.End, l.Start).Because("it is at %#x", end).Because("neither the instruction before it, %s, nor the one it stands on, %s, leaves the code", text(im, r.Before()), text(im, end)).Do("Put it behind the last instruction of %s", l.Start))
		}
	}

	// The words that ftrace patches, or a builder replaces, must lie on a path of
	// the entry code.
	code := pass.ResultOf[Entry].(*entry.Code)
	for _, l := range im.Arch().Regions {
		for _, slot := range l.Slots {
			at, ok := placed[slot.Label]
			if !ok {
				continue
			}
			r, in := regions[l.Start]
			if insn, reached := code.Insns[at]; !reached {
				report(pass, at, say("%s is not in the entry code", slot.Label).Because("it is at %#x, on %s", at, text(im, at)).Because("no path from ftrace_caller leads over it").Do("Move it to the instruction that is patched"))
			} else if in && !r.Contains(at) {
				report(pass, at, say("%s is outside %s..%s", slot.Label, l.Start, l.End).Because("it is at %#x, the region is %#x..%#x", at, r.Start, r.End).Because("the copy has no such slot").Do("Move it into the region"))
			} else if slot.Is != arch.OpLoad && !slot.Is.Takes(insn.Flow) { // FT107 judges the load
				report(pass, at, say("%s is on %s", slot.Label, text(im, at)).Because("it is at %#x; the slot is %v or a NOP", at, slot.Is.Flow()).Do("Move it to the slot"))
			}
		}
	}
	return examined("%s of era %s", plural.Of(n, "label"), era)
}, Template, Entry)

// into is how many bytes addr stands into an instruction of the entry code: of the
// code behind the entry point before it, where instructions differ in size.
func into(im *elfscan.Image, addr uint64) uint64 {
	if size := im.Arch().InsnSize; size > 1 {
		return addr % size
	}
	from := uint64(0)
	for _, name := range im.Arch().EntryPoints {
		if a, ok := im.Addr(name); ok && a <= addr {
			from = max(from, a)
		}
	}
	if from == 0 || addr-from > entry.MaxInsns {
		return 0
	}
	for a := from; a < addr; {
		in, ok := im.Insn(a)
		if !ok {
			return 0
		}
		if a+in.Size > addr {
			return addr - a
		}
		a += in.Size
	}
	return 0
}

// endOf is the end label of the region that the label begins or ends. ok reports
// whether the label belongs to a template, which may lie outside text.
func endOf(im *elfscan.Image, label string) (end string, ok bool) {
	for _, l := range im.Arch().Regions {
		if l.Start == label || l.End == label {
			return l.End, true
		}
		for _, slot := range l.Slots {
			if slot.Is == arch.OpLoad && slot.Label == label {
				return "", true
			}
		}
	}
	return "", false
}
