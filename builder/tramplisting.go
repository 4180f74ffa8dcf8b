package builder

import (
	"fmt"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/elfscan"
)

// Listing lays out the trampoline of a run as it was built, with the model
// beside it where they differ; ok is false if there is none.
func (t *Trampolines) Listing(im *elfscan.Image, r *TrampRun) (l Listing, ok bool) {
	a := r.Area(r.Trampoline)
	if r.Err != nil || a == nil {
		return l, false
	}
	graph := "off"
	if r.Graph {
		graph = "on"
	}
	l.Title = fmt.Sprintf("trampoline of %s at %#x, %#x bytes, with %v and fgraph %s", r.Variant(), r.Trampoline, r.Size, r.Situation, graph)
	c := &comparison{im: im, m: t.Model(r), r: r}
	stands := map[uint64]int{} // by address: the instruction of the model
	if c.m != nil {
		c.words, c.place = r.built(c.m), align(c.m, r)
		for i, j := range c.place {
			if j >= 0 {
				stands[c.at(j)] = i
			}
		}
	}
	for at := r.Trampoline; at < r.Trampoline+r.Size; at += a64.Size {
		if at == r.Literal {
			lo, _ := r.Word(at)
			hi, _ := r.Word(at + a64.Size)
			v := uint64(hi)<<32 | uint64(lo)
			l.Lines = append(l.Lines, ListingLine{Addr: at, Word: v, Text: fmt.Sprintf(".quad %#x", v), Note: "the ops literal", Differs: v != r.Ops})
			at += a64.Size
			continue
		}
		w, ok := r.Word(at)
		if !ok {
			break
		}
		line := ListingLine{Addr: at, Word: uint64(w), Text: a64.Text(w, at, c.name)}
		if i, ok := stands[at]; ok {
			insn := c.m.Insns[i]
			if want := c.m.want(im, r, i, at, c.placeOf); want.Err != nil || want.Word != w {
				line.Model, line.Differs = want.Text, true
			}
			line.Note = "from " + c.label(insn.Origin)
			if insn.Role != Plain {
				line.Note += ", " + insn.Role.String()
			}
		} else if at < r.Trampoline+r.Code && w != a64.NOP {
			line.Differs, line.Note = true, "not in the model"
		}
		l.Lines = append(l.Lines, line)
	}
	return l, true
}
