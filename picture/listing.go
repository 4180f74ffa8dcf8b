package picture

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/entry"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/x64"
)

// A Listing is a piece of code laid out for people: the entry code, a
// callsite through its life, a trampoline with the model beside it.
type Listing struct {
	Title string
	Lines []Line
}

// A Line is one instruction, or one literal.
type Line struct {
	Addr    uint64
	Labels  []string // labels at Addr
	Word    uint64
	Code    []byte // in place of Word, where instructions differ in size
	Text    string
	Model   string // the model's instruction, if it is compared
	Differs bool   // from the model
	Note    string
	Bytes   uint64 // size of the words that the line stands for, in bytes; 0: it is one instruction or literal
	Missing bool   // the code lacks what the model has here: there is no address
}

// Hex is the instruction, or the literal, in hexadecimal: a word, or its bytes in
// the order of their addresses.
func (l *Line) Hex() string {
	switch {
	case l.Code != nil:
		return fmt.Sprintf("% x", l.Code)
	case l.Word>>32 == 0:
		return fmt.Sprintf("%08x", l.Word)
	}
	return fmt.Sprintf("%016x", l.Word)
}

// slotNotes says what is special about the instruction of a slot.
var slotNotes = map[arch.SlotKind]string{
	arch.CallSlot:   "slot: patched to the call of the callback",
	arch.GraphSlot:  "slot: NOP, patched to B ftrace_graph_caller when fgraph is on",
	arch.DirectSlot: "slot: the branch to a direct call, a NOP in the copy",
	arch.OpLoad:     "op load: the builder replaces it",
}

// labelsOf returns the labels of the entry code: inner labels, entry points, and
// the ends of a template's parts; notes are those of slots.
func labelsOf(a *arch.Arch) (labels []string, notes map[string]string) {
	labels, notes = append([]string{"ftrace_common_return"}, a.EntryPoints...), map[string]string{}
	for _, r := range a.Regions {
		labels = append(labels, r.End)
		for _, s := range r.Slots {
			labels, notes[s.Label] = append(labels, s.Label), slotNotes[s.Is]
		}
	}
	return labels, notes
}

// EntryCode is the entry code: one listing for each run of instructions without
// a gap.
type EntryCode []Listing

// Entry gives the EntryCode of an image.
var Entry = &analysis.Analyzer{
	Name:     "entrycode",
	Doc:      "lay out the entry code",
	Requires: []*analysis.Analyzer{checks.Image, checks.Entry},
	Run: func(pass *analysis.Pass) (any, error) {
		im, code := image(pass), pass.ResultOf[checks.Entry].(*entry.Code)
		labels := map[uint64][]string{}
		names, slots := labelsOf(im.Arch())
		for _, name := range names {
			if a, ok := im.Addr(name); ok {
				labels[a] = append(labels[a], name)
			}
		}
		var out EntryCode
		end := uint64(0) // of the instruction before
		for _, a := range code.Order {
			if a != end {
				out = append(out, Listing{Title: "entry code at " + im.At(a)})
			}
			size := code.Insns[a].Size
			end = a + size
			line := lineAt(im, a, size)
			line.Labels = labels[a]
			var notes []string
			for _, l := range labels[a] {
				if n := slots[l]; n != "" {
					notes = append(notes, n)
				} else if strings.HasSuffix(l, "_end") {
					notes = append(notes, "end label")
				}
			}
			line.Note = strings.Join(notes, "; ")
			last := &out[len(out)-1]
			last.Lines = append(last.Lines, line)
		}
		return out, nil
	},
	ResultType: reflect.TypeFor[EntryCode](),
}

// lineAt is the instruction at addr, of size bytes.
func lineAt(im *elfscan.Image, addr, size uint64) Line {
	text, _ := im.Text(addr)
	line := Line{Addr: addr, Text: text}
	if w, ok := im.Word(addr); ok && im.Arch().InsnSize > 1 {
		line.Word = uint64(w)
	} else {
		line.Code = slices.Clone(im.Code(addr, int(size))) // which outlives the image
	}
	return line
}

// SiteLife is a callsite in each state of its life.
type SiteLife struct {
	Listings []Listing
	Err      error // why the life ends early, or why there is no callsite; nil for neither
}

// Life gives a *SiteLife: a callsite in each state of its life.
var Life = &analysis.Analyzer{
	Name:     "life",
	Doc:      "lay out a callsite in each state of its life, as the image's own functions make it",
	Requires: []*analysis.Analyzer{checks.Image},
	Run: func(pass *analysis.Pass) (any, error) {
		im := image(pass)
		if im.Module() != nil {
			return &SiteLife{}, nil
		}
		table, err := callsite.Of(im)
		if table.Entries == nil || err != nil {
			return &SiteLife{Err: err}, nil
		}
		for _, at := range table.Addrs {
			if s := table.Site(at); s.OK && s.Text {
				if table.Shape.Size != 0 {
					return insnLifeOf(table, s), nil
				}
				if f, _ := callsite.NewExecutor(table); f != nil {
					return lifeOf(table, f, at), nil
				}
				break
			}
		}
		return &SiteLife{}, nil
	},
	ResultType: reflect.TypeFor[*SiteLife](),
}

// lifeOf lays out the life of the callsite at the table's entry addr.
func lifeOf(table *callsite.Table, f *callsite.Executor, addr uint64) *SiteLife {
	im, run := table.Image, f.Run(addr)
	s := run.Site
	built := callsite.State{}
	if b, ok := im.Word(s.Call); ok {
		built.Second = b
	}
	if w, ok := im.Word(s.Call - a64.Size); ok {
		built.First = w
	}
	built.Literal, _ = im.Uint64(s.Entry)
	name := im.Name(addr)
	if s.AtFunc {
		name = im.Name(s.Func)
	}
	life := &SiteLife{Err: run.Err}
	add := func(title string, st callsite.State, model *callsite.State) {
		life.Listings = append(life.Listings, siteListing(table, "callsite of "+name+title, s, st, model))
	}
	add(", as built", built, nil)
	for _, step := range run.Steps {
		switch {
		case step.Func == "ftrace_call_adjust":
			continue
		case step.WantRet != "0":
			continue // the refusals that end a run leave nothing new to see
		}
		add(fmt.Sprintf(" after %s, which returned %d", step.Func, step.Returned), step.Got, &step.Want)
	}
	return life
}

// insnLifeOf lays out the life of a callsite that is one instruction of several bytes.
func insnLifeOf(table *callsite.Table, s callsite.Site) *SiteLife {
	im, life := table.Image, &SiteLife{}
	x, err := callsite.NewInsnExecutor(table)
	if x == nil {
		life.Err = err
		return life
	}
	run := x.Run(s)
	life.Err = run.Err
	name := im.Name(s.Call)
	if s.AtFunc {
		name = im.Name(s.Func)
	}
	add := func(title string, got, want []byte) {
		text := func(code []byte) string { // several, if short ones stand there
			var insns []string
			for at := s.Call; len(code) > 0; {
				n := min(max(x64.Size(code), 1), len(code))
				insns = append(insns, x64.Text(code, at, im.Name))
				code, at = code[n:], at+uint64(n)
			}
			return strings.Join(insns, "; ")
		}
		line := Line{Addr: s.Call, Code: got, Text: text(got), Note: "the call"}
		if want != nil {
			line.Model, line.Differs = text(want), !bytes.Equal(got, want)
		}
		if s.Func == s.Call {
			line.Labels = []string{im.Name(s.Call)}
		}
		life.Listings = append(life.Listings, Listing{Title: "callsite of " + name + title, Lines: []Line{line}})
	}
	add(", as built", slices.Clone(im.Code(s.Call, int(table.Shape.Size))), nil)
	for _, st := range run.States {
		title := " after " + st.Func
		if st.When != "" {
			title += ", where " + st.When
		}
		add(title, st.Got, st.Want)
	}
	return life
}

// siteListing lays out a callsite in the state st, beside the state of the model
// if model is not nil.
func siteListing(table *callsite.Table, title string, s callsite.Site, st callsite.State, model *callsite.State) Listing {
	im, shape := table.Image, table.Shape
	l := Listing{Title: title}
	if shape.Literal != 0 {
		line := Line{Addr: s.Entry, Word: st.Literal, Text: ".quad " + im.At(st.Literal), Note: "the ops pointer"}
		if uint32(st.Literal) == a64.NOP {
			line.Text = "nop; nop"
		}
		if model != nil {
			line.Model, line.Differs = ".quad "+im.At(model.Literal), model.Literal != st.Literal
		}
		l.Lines = append(l.Lines, line)
	}
	word := func(addr uint64, w uint32, m uint32, note string) {
		line := Line{Addr: addr, Word: uint64(w), Text: a64.Text(w, addr, im.Name), Note: note}
		if s.Func == addr {
			line.Labels = []string{im.Name(addr)}
		}
		if model != nil {
			line.Model, line.Differs = a64.Text(m, addr, im.Name), m != w
		}
		l.Lines = append(l.Lines, line)
	}
	m := callsite.State{}
	if model != nil {
		m = *model
	}
	if s.BTI {
		w, _ := im.Word(s.Func)
		word(s.Func, w, w, "")
	}
	if shape.SavesLR {
		word(s.Call-a64.Size, st.First, m.First, "saves the caller's LR")
	}
	word(s.Call, st.Second, m.Second, "the call")
	return l
}

// Code is stretches of code.
type Code struct {
	Listings []Listing
	Err      error // why some code is left out; nil if none is
}

// Limits of excerpts. Code beyond them is left out.
const (
	maxExcerpts = 400 // stretches of code
	around      = 5   // instructions before and after an address
)

// Excerpts gives a *Code: the code around the addresses that findings name, and
// around the instructions with which the builder acted, unless another listing
// has it.
var Excerpts = &analysis.Analyzer{
	Name:     "excerpts",
	Doc:      "lay out the code around what findings speak of, and of the builder",
	Requires: []*analysis.Analyzer{checks.Image, lint.Found, Entry, Life, Trampolines},
	Run: func(pass *analysis.Pass) (any, error) {
		im := image(pass)
		var addrs []uint64
		add := func(a uint64) {
			if a != 0 && a%im.Arch().InsnSize == 0 && im.IsText(a) {
				addrs = append(addrs, a)
			}
		}
		for _, t := range pass.ResultOf[Trampolines].(*Built).Trampolines {
			for i := range t.Moments {
				add(t.Moments[i].PC)
			}
		}
		for _, f := range pass.ResultOf[lint.Found].([]finding.Finding) {
			add(f.Addr)
			for _, r := range f.Related {
				add(r.Addr)
			}
		}
		slices.Sort(addrs)
		listed := map[uint64]bool{}
		for _, list := range slices.Concat(pass.ResultOf[Entry].(EntryCode), pass.ResultOf[Life].(*SiteLife).Listings) {
			for _, line := range list.Lines {
				listed[line.Addr] = true
			}
		}
		return excerpts(im, slices.DeleteFunc(slices.Compact(addrs), func(a uint64) bool { return listed[a] })), nil
	},
	ResultType: reflect.TypeFor[*Code](),
}

// excerpts lays out the code around addresses in ascending order.
func excerpts(im *elfscan.Image, addrs []uint64) *Code {
	c := &Code{}
	var end uint64 // the address after the last excerpt
	for _, a := range addrs {
		from := before(im, a)
		if from < end {
			from = end
		}
		if len(c.Listings) == 0 || from != end {
			if len(c.Listings) == maxExcerpts {
				c.Err = fmt.Errorf("findings speak of more than %s of code: those behind %#x are not laid out", plural.Of(maxExcerpts, "stretch"), end)
				return c
			}
			c.Listings = append(c.Listings, Listing{Title: "around " + im.At(a)})
		}
		list := &c.Listings[len(c.Listings)-1]
		at, behind := from, 0 // instructions from a on
		for behind <= around {
			size := max(1, im.Arch().InsnSize)
			if in, ok := im.Insn(at); ok {
				size = in.Size
			}
			if at >= a {
				behind++
			}
			if !im.IsText(at) {
				at += size
				continue
			}
			line := lineAt(im, at, size)
			if s, ok := im.SymbolAt(at); ok && s.Addr == at {
				line.Labels = []string{im.Name(at)}
			}
			list.Lines = append(list.Lines, line)
			at += size
		}
		end = at
	}
	return c
}

// before is the address of the instruction that stands around instructions before
// addr; where instructions differ in size, of the first such in its function.
func before(im *elfscan.Image, addr uint64) uint64 {
	if size := im.Arch().InsnSize; size > 1 {
		return addr - min(addr, around*size)
	}
	s, ok := im.SymbolAt(addr)
	var starts []uint64 // of the last instructions before addr
	for a := s.Addr; ok && a < addr; {
		in, known := im.Insn(a)
		if !known {
			return addr
		}
		if starts = append(starts, a); len(starts) > around {
			starts = starts[1:]
		}
		a += in.Size
	}
	return append(starts, addr)[0]
}
