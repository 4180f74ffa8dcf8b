package trampoline

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/world"
)

// A Cell is an instruction or literal of a trampoline beside that of the model.
type Cell struct {
	At   uint64 // address; 0 if the trampoline lacks what the model has
	Size uint64 // in bytes: 4, 8 of the ops literal, 0 if the trampoline lacks it, more of a rest
	Word uint64 // the instruction or literal
	Code []byte // in place of Word, where instructions differ in size
	Text string // the same in the assembler's words

	Model  string // the instruction or literal of the model; "" if the model has none
	Origin uint64 // address in the template of the model's instruction; 0: none
	From   string // Origin in words
	Label  string // label of the slot at Origin; "" if Origin is not a slot
	Role   Role
	Common bool // Origin is in ftrace_common, the second region

	Unread  bool     // it is too far away for its words to be kept
	Literal bool     // it is the ops literal
	Rest    bool     // it stands for many words that the model does not have
	Words   []uint32 // of a rest: the first words
	Differs bool     // from the model
	Diffs   []int    // the differences that are about it, by index in Run.Diffs
	Writer  int      // the moment that last wrote it, by index in the result of Moments; -1 for none
}

// Bounds of the words that have a cell each: maxPad words behind the code, and
// maxWords if there is no model to show which words are code. The size of a
// trampoline is the one that the builder states, which may be wrong.
const (
	maxPad   = 8
	maxWords = 256
)

// Cells are the cells of the trampoline of a run, by address; instructions that the
// trampoline lacks stand where they should be. whole are the differences that are
// about no single cell, by index in Run.Diffs. A run without a trampoline has no
// cells.
func (t *Results) Cells(im *elfscan.Image, r *Run) (cells []Cell, whole []int) {
	a := r.Area(r.Trampoline)
	if r.Err != nil || r.Trampoline == 0 || a == nil {
		return nil, indexes(r.Diffs)
	}
	if im.Arch().AppendsReturn {
		return r.codeCells(im), indexes(r.Diffs)
	}
	c := &comparison{im: im, m: t.Model(r), r: r}
	stands := map[int]int{} // index of the model's instruction, by index of the word
	last := -1              // index of the last word that has an instruction of the model
	var lacks []int         // indexes of the model's instructions that the trampoline lacks
	if c.m != nil {
		c.words, c.place = r.built(c.m), align(c.m, r)
		for i, j := range c.place {
			if j >= 0 {
				stands[j], last = i, max(last, j)
			} else if !c.m.Insns[i].Role.optional() {
				lacks = append(lacks, i)
			}
		}
	}
	missing := func(before int) { // adds cells for lacks that belong before this instruction
		for len(lacks) > 0 && lacks[0] < before {
			cell := Cell{Differs: true}
			c.model(&cell, lacks[0], 0)
			cells = append(cells, cell)
			lacks = lacks[1:]
		}
	}
	for at := r.Trampoline; at-r.Trampoline < r.Size; at += a64.Size {
		j := int(at-r.Trampoline) / a64.Size
		if at == r.Literal {
			missing(len(c.place) + 1)
			lo, _ := r.Word(at)
			hi, ok := r.Word(at + a64.Size)
			if !ok { // too far away to be kept
				cells = append(cells, Cell{At: at, Size: 8, Text: "(not looked at)", Unread: true, Model: ".quad " + c.value(r.Ops), Literal: true})
				at += a64.Size
				continue
			}
			v := uint64(hi)<<32 | uint64(lo)
			cells = append(cells, Cell{At: at, Size: 8, Word: v, Text: ".quad " + c.value(v), Model: ".quad " + c.value(r.Ops), Literal: true, Differs: v != r.Ops})
			at += a64.Size
			continue
		}
		if c.m != nil && j > last+maxPad || j >= maxWords+last {
			missing(len(c.place) + 1)
			next := r.Trampoline + r.Size
			if r.Literal > at && r.Literal < next {
				next = r.Literal
			}
			cells = append(cells, Cell{At: at, Size: next - at, Text: fmt.Sprintf("(%#x bytes)", next-at), Rest: true, Words: r.words(at, next)})
			if at = next - a64.Size; next == r.Literal {
				continue
			}
			break
		}
		w, ok := r.Word(at)
		if !ok {
			break
		}
		cell := Cell{At: at, Size: a64.Size, Word: uint64(w), Text: a64.Text(w, at, c.name)}
		if i, ok := stands[j]; ok {
			missing(i)
			want := c.model(&cell, i, at)
			cell.Differs = (want.Err != nil || want.Word != w) && !c.joins(i, w, at)
		} else if j < last && w != a64.NOP && !(j == 0 && a64.Classify(w) == a64.Landing) {
			cell.Differs = true
		}
		cells = append(cells, cell)
	}
	missing(len(c.place) + 1)
	for i, d := range r.Diffs {
		at := slices.IndexFunc(cells, func(cell Cell) bool { return cell.At == 0 && cell.Origin == d.Origin && d.Origin != 0 })
		if at < 0 {
			at = slices.IndexFunc(cells, func(cell Cell) bool { return cell.At != 0 && d.At-cell.At < cell.Size })
		}
		// A difference in size or permissions has the address of the start.
		if at < 0 || d.Kind == Unexplained && d.Origin == 0 && !cells[at].Differs {
			whole = append(whole, i)
			continue
		}
		cells[at].Diffs = append(cells[at].Diffs, i)
		cells[at].Differs = true
	}
	return cells, whole
}

// words are the words from start to end that are kept, maxWords at most.
func (r *Run) words(start, end uint64) (out []uint32) {
	for at := start; at < end && len(out) < maxWords; at += a64.Size {
		w, ok := r.Word(at)
		if !ok {
			break
		}
		out = append(out, w)
	}
	return out
}

func indexes(diffs []Diff) (out []int) {
	for i := range diffs {
		out = append(out, i)
	}
	return out
}

// model fills in the fields of cell about instruction i of the model. at is the
// cell's address, 0 if the trampoline lacks the instruction.
func (c *comparison) model(cell *Cell, i int, at uint64) Want {
	insn := c.m.Insns[i]
	cell.Origin, cell.From, cell.Role = insn.Origin, c.label(insn.Origin), insn.Role
	cell.Common = !c.m.Entry.Contains(insn.Origin)
	cell.Label = slotLabels[insn.Role]
	if at == 0 {
		cell.Model = a64.Text(insn.Word, insn.Origin, c.im.Name)
		return Want{}
	}
	want := c.m.want(c.im, c.r, i, at, c.placeOf)
	cell.Model = want.Text
	if want.Err == nil && insn.Role != CallSlot {
		cell.Model = a64.Text(want.Word, at, c.name)
	}
	return want
}

// joins reports whether w, in place of the branch from the first region to the
// second, is a branch to the instruction that follows anyway.
func (c *comparison) joins(i int, w uint32, at uint64) bool {
	target, pcrel := a64.Target(w, at)
	if c.m.Insns[i].Role != Join || !pcrel || a64.Classify(w) != a64.Branch {
		return false
	}
	to, ok := c.placeOf(c.m.Common.Start)
	return ok && to == target
}

// value is the value of a literal in words.
func (c *comparison) value(v uint64) string {
	if v == c.r.Ops {
		return fmt.Sprintf("%#x (its ops)", v)
	}
	return at0x(c.im, v)
}

// A CellState is the state of the bytes of a cell at some moment.
type CellState uint8

const (
	Unwritten  CellState = iota
	Stale                // written by a plain store, without cache maintenance since then
	Maintained           // written, and the instruction cache has been maintained since then
)

// A Moment is something that happened to a trampoline while it was built: one
// event, or several of a kind in a row.
type Moment struct {
	world.Event             // the first; Size is that of all
	Count       int         // number of events
	Mine        bool        // it touches the memory of the trampoline
	Perm        emu.Perm    // of the trampoline's page after it
	Alive       bool        // the trampoline's memory is allocated after it
	State       []CellState // of each cell after it
	Hits        []bool      // for each cell: it touches the cell
	At          string      // address of the builder's instruction in words
	Insn        string      // the instruction that is stored or patched in; "" if it is not one instruction
	Was         string      // the instruction that a patch replaces
}

// Moments are the moments of the trampoline of a run, in order. cells are the
// result of Cells; Moments fills in their Writer.
func (r *Run) Moments(im *elfscan.Image, cells []Cell) []Moment {
	for k := range cells {
		cells[k].Writer = -1
	}
	a := r.Area(r.Trampoline)
	if a == nil {
		return nil
	}
	moments := r.moments(a, cells)
	for n := range moments {
		m := &moments[n]
		r.describe(im, m)
		for k := range cells {
			switch m.Kind {
			case world.Store, world.Copy, world.Patch, world.PatchLiteral:
				if m.Hits[k] {
					cells[k].Writer = n
				}
			}
		}
	}
	return moments
}

// describe fills in the words of a moment.
func (r *Run) describe(im *elfscan.Image, m *Moment) {
	m.At = im.Name(m.PC)
	text := func(w uint64) string {
		if im.Arch().AppendsReturn {
			words, _ := r.text(im, binary.LittleEndian.AppendUint64(nil, w)[:min(m.Size, 8)], m.Addr)
			return words
		}
		return a64.Text(uint32(w), m.Addr, func(a uint64) string {
			switch {
			case a == r.Func:
				return "the callback"
			case a-r.Trampoline < r.Size:
				return fmt.Sprintf("trampoline+%#x", a-r.Trampoline)
			}
			return im.Name(a)
		})
	}
	switch {
	case m.Kind == world.Patch:
		m.Insn, m.Was = text(m.Value), text(m.Old)
	case m.Kind == world.Store && m.Count == 1 && m.Size == a64.Size && !im.Arch().AppendsReturn:
		m.Insn = text(m.Value)
	}
}

// moments are the moments without their words. a is the area of the trampoline.
func (r *Run) moments(a *world.Area, cells []Cell) []Moment {
	const line = 64 // a cache line of today's processors, in bytes
	var out []Moment
	state := make([]CellState, len(cells))
	var perm emu.Perm
	alive := false
	for i := range r.Events {
		e := r.Events[i]
		s := Moment{Event: e, Count: 1}
		lo, hi := e.Addr, e.Addr+e.Size
		switch e.Kind {
		case world.ICache:
			lo = e.Addr &^ (line - 1)
			hi = (hi + line - 1) &^ (line - 1)
			if e.Size == ^uint64(0) {
				lo, hi = 0, ^uint64(0)
			}
			s.Mine = lo < a.Addr+a.Size && a.Addr < hi
		case world.Gen, world.ReadInsn:
			continue
		case world.Trap:
		case world.Alloc, world.Free, world.FlushReset:
			s.Mine = e.Addr == a.Addr
		default:
			s.Mine = a.Contains(e.Addr)
		}
		page := s.Mine && r.Trampoline >= e.Addr&^(emu.PageSize-1) && r.Trampoline-e.Addr&^(emu.PageSize-1) < max(e.Size, 1)
		switch {
		case e.Kind == world.Alloc && s.Mine:
			alive, perm = true, e.Perm
		case e.Kind == world.Free && s.Mine:
			alive = false
		case e.Kind == world.Protect && page:
			perm = e.Perm
		}
		s.Alive, s.Perm = alive, perm
		s.Hits = make([]bool, len(cells))
		for k, cell := range cells {
			if cell.At == 0 || !s.Mine || cell.At+cell.Size <= lo || cell.At >= hi {
				continue
			}
			switch e.Kind {
			case world.Store, world.Copy, world.Patch, world.PatchLiteral:
				if e.Err {
					continue
				}
				if state[k] = Stale; e.ByInterface() {
					state[k] = Maintained
				}
			case world.ICache:
				if state[k] == Stale {
					state[k] = Maintained
				}
			case world.Protect:
			default:
				continue
			}
			s.Hits[k] = true
		}
		s.State = slices.Clone(state)
		if n := len(out) - 1; n >= 0 && out[n].goesOn(&s) {
			p := &out[n]
			p.Size += s.Size
			p.Count++
			p.State = s.State
			for k := range s.Hits {
				p.Hits[k] = p.Hits[k] || s.Hits[k]
			}
			continue
		}
		out = append(out, s)
	}
	return out
}

// goesOn reports whether next does the same as m, to the bytes behind m's.
func (m *Moment) goesOn(next *Moment) bool {
	return (m.Kind == world.Store || m.Kind == world.Copy || m.Kind == world.ICache) && m.Kind == next.Kind && m.Func == next.Func &&
		!m.Err && !next.Err && m.Size != ^uint64(0) && m.Addr+m.Size == next.Addr && (m.PC == next.PC || m.Kind == world.ICache)
}
