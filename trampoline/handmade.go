package trampoline

import (
	"strings"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/world"
)

// A HandMade is an instruction that the builder made without a maker of
// instructions.
type HandMade struct {
	Word     uint32
	At       uint64        // address that it was written to
	PC       uint64        // address of the builder's instruction that wrote it
	Constant *world.Traced // the constant that it is made of; nil: none was seen
	Mask     *world.Traced // the instruction that cut its offset to the field without a check of its range; nil: none
}

// HandMade are the instructions that the builder wrote and that no maker of
// instructions returned.
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
		if !known { // it came through memory: any constant or mask that fits may be in it
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
			if of.HasMask(i) && bits != 0 && field != 0 && m.Width <= bits+2 &&
				(keeps(m.Out, field, bits) || keeps(m.Out>>5, field, bits)) && !r.Numbers.ChecksRange(m.In) {
				h.Mask = m
			}
		}
		if h.Constant != nil || h.Mask != nil {
			out = append(out, h)
		}
	}
	return out
}

// keeps reports whether the lower bits of v, which was cut, are the field's value,
// in instructions or in bytes.
func keeps(v uint64, field uint32, bits uint) bool {
	mask := uint64(1)<<bits - 1
	return v&mask == uint64(field) || v>>2&mask == uint64(field)
}

// isBase reports whether the instruction w is the constant c with an offset or a
// register filled in. Hints do not count, as NOP is a constant of the kernel's own
// headers.
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

// offsetField is the value of the field that holds the offset of a PC-relative
// instruction, and the field's width in bits. Both are 0 if the instruction has no
// such field, or has it in two pieces.
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
