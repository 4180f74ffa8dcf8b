package trampoline

import (
	"strings"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/world"
)

// A HandMade is an instruction that the builder put together itself.
type HandMade struct {
	Word     uint32
	At       uint64        // where it went
	PC       uint64        // the builder's instruction that put it there
	Constant *world.Traced // the constant that it is made of; nil: none was seen
	Mask     *world.Traced // what cut its offset to the field, with no check of its range; nil: nothing did
}

// HandMade are the instructions that the builder stored or patched and that no
// maker of instructions returned.
func (r *Run) HandMade(im *elfscan.Image) []HandMade {
	made := map[uint32]bool{}
	for _, e := range append(r.before[:len(r.before):len(r.before)], r.Events...) {
		if e.Kind == world.Gen {
			made[uint32(e.Value)] = true
		}
	}
	var out []HandMade
	for n, e := range r.Events {
		ok := e.Kind == world.Patch || e.Kind == world.Store && e.Size == a64.Size && e.Func == "" ||
			e.Kind == world.Copy && e.Size == a64.Size && !e.Err && !im.IsText(e.From)
		w := uint32(e.Value)
		if !ok || r.Area(e.Addr) == nil || made[w] || w == 0 || a64.Classify(w) == a64.Break || strings.HasPrefix(a64.Text(w, 0, nil), ".inst") {
			continue
		}
		h := HandMade{Word: w, At: e.Addr, PC: e.PC}
		of, known := r.made[n]
		if !known { // through memory: any constant, any mask that fits
			of = world.AllParts
		}
		for i := range r.Numbers.Constants {
			if c := &r.Numbers.Constants[i]; of.HasConstant(i) && isBase(uint32(c.Out), w) && c.Out>>32 == 0 {
				h.Constant = c
			}
		}
		field, bits := offsetField(w)
		for i := range r.Numbers.Masks {
			m := &r.Numbers.Masks[i]
			if of.HasMask(i) && bits != 0 && field != 0 && m.Width <= bits+2 && (keeps(m.Out, field, bits) || keeps(m.Out>>5, field, bits)) && !r.Numbers.ChecksRange(m.In) {
				h.Mask = m
			}
		}
		if h.Constant != nil || h.Mask != nil {
			out = append(out, h)
		}
	}
	return out
}

// keeps reports whether a number that was cut has the field's value in its lower
// bits, in instructions or in bytes.
func keeps(v uint64, field uint32, bits uint) bool {
	mask := uint64(1)<<bits - 1
	return v&mask == uint64(field) || v>>2&mask == uint64(field)
}

// isBase reports whether the instruction w is the constant c with its offset, or
// its register, filled in. Hints do not count: NOP is a constant of the
// kernel's own headers.
func isBase(c, w uint32) bool {
	kind := a64.Classify(w)
	if a64.Classify(c) != kind {
		return false
	}
	switch kind {
	case a64.Nop, a64.Hint, a64.Landing:
		return false
	case a64.Other:
		return c == w
	case a64.BR, a64.BLR, a64.Ret:
		return c&^(31<<5) == w&^(31<<5)
	}
	off, _ := offsetField(c)
	return sameButOffset(c, w) && (off == 0 || c == w)
}

// offsetField is the field of a PC-relative instruction that holds its offset,
// and the field's width in bits; 0 if there is none in one piece.
func offsetField(w uint32) (value uint32, bits uint) {
	switch a64.Classify(w) {
	case a64.Branch, a64.Call:
		return w & (1<<26 - 1), 26
	case a64.BCond, a64.CBZ, a64.LDRLit:
		return w >> 5 & (1<<19 - 1), 19
	case a64.TBZ:
		return w >> 5 & (1<<14 - 1), 14
	}
	return 0, 0
}
