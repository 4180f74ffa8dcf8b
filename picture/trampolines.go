package picture

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/rules"
	"github.com/ftlint/ftlint/trampoline"
	"github.com/ftlint/ftlint/world"
)

// Built has the trampolines that the image's builder made, and all situations
// that the builder was executed in.
type Built struct {
	Trampolines []Trampoline // built with memory in reach
	Situations  []Situation
	NoBuilder   error // why there is no trampoline; nil if there is one
	NoModel     error // why there is no model to compare with; nil if there is one
}

// A Trampoline is one that the image's builder built, beside the model.
type Trampoline struct {
	Variant    string // the entry code that it is made of
	Graph      bool   // fgraph is on
	Thunk      bool   // see trampoline.Case
	Situation  trampoline.Situation
	Addr, Size uint64
	Perms      string // permissions of its page at the end: "r-x"
	Cells      []trampoline.Cell
	Moments    []trampoline.Moment
	Diffs      []Diff
	Whole      []int // differences that are about no cell
	Err        error // why there is no trampoline; nil if there is one
}

// A Diff is a difference from the model. Rule is the ID of the rule about it.
type Diff struct{ Rule, Text string }

// A Situation is a situation that the builder was executed in, with its outcome.
type Situation struct {
	trampoline.Situation
	Variant    string
	Graph      bool
	Memory     uint64 // address of the first allocation; 0: none
	Trampoline uint64 // its address; 0: none
	Executed   bool   // the trampoline was executed
	Called     bool   // the executed trampoline reached its callback
	Slot       string // the instruction in the slot of ftrace_call
	Left       int    // areas that stay allocated although there is no trampoline
	Err        error  // why there is no verdict; nil if there is one
}

// ruleOfDiff returns the ID of the rule about a kind of difference from the
// model. If there are several rules, it is the last one that has findings, else
// the last one: FT116 leaves differences that matter to the callsite to FT113.
func ruleOfDiff(kind trampoline.DiffKind, found []finding.Finding) string {
	about := rules.About(kind)
	for _, r := range slices.Backward(about) {
		if slices.ContainsFunc(found, func(f finding.Finding) bool { return f.Rule.ID == r.ID }) {
			return r.ID
		}
	}
	return about[len(about)-1].ID
}

// Trampolines gives a *Built: the trampolines beside the model.
var Trampolines = &analysis.Analyzer{
	Name:     "trampolines",
	Doc:      "lay out the trampolines that the builder made beside the model, and how it made them",
	Requires: []*analysis.Analyzer{checks.Image, checks.Built, lint.Found},
	Run: func(pass *analysis.Pass) (any, error) {
		im, t := image(pass), pass.ResultOf[checks.Built].(*trampoline.Results)
		if im.Module() != nil {
			return &Built{}, nil
		}
		out := &Built{NoModel: t.ModelErr}
		switch {
		case t.Err != nil:
			out.NoBuilder = fmt.Errorf("the builder (%s) could not be executed: %w", im.At(t.Builder), t.Err)
		case t.None != nil:
			out.NoBuilder = t.None
		}
		found := pass.ResultOf[lint.Found].([]finding.Finding)
		for i := range t.Runs {
			r := &t.Runs[i]
			out.Situations = append(out.Situations, situation(im, r))
			if r.Situation == trampoline.Near {
				out.Trampolines = append(out.Trampolines, layOut(im, t, r, found))
			}
		}
		return out, nil
	},
	ResultType: reflect.TypeFor[*Built](),
}

// layOut lays out the trampoline of a run.
func layOut(im *elfscan.Image, t *trampoline.Results, r *trampoline.Run, found []finding.Finding) Trampoline {
	tr := Trampoline{Variant: r.Variant(), Graph: r.Graph, Thunk: r.Thunk, Situation: r.Situation, Addr: r.Trampoline, Size: r.Size, Err: r.Err}
	if r.Err == nil && r.Trampoline == 0 {
		tr.Err = errors.New("the builder made none")
	}
	tr.Cells, tr.Whole = t.Cells(im, r)
	tr.Moments = r.Moments(im, tr.Cells)
	if a := r.Area(r.Trampoline); a != nil {
		tr.Perms = a.PermAt(r.Trampoline).String()
	}
	for _, d := range r.Diffs {
		tr.Diffs = append(tr.Diffs, Diff{ruleOfDiff(d.Kind, found), d.What})
	}
	return tr
}

func situation(im *elfscan.Image, r *trampoline.Run) Situation {
	s := Situation{Situation: r.Situation, Variant: r.Variant(), Graph: r.Graph, Trampoline: r.Trampoline, Called: r.Called, Executed: r.Executed, Err: r.Err}
	for i := range r.Areas {
		a := &r.Areas[i]
		if s.Memory == 0 {
			s.Memory = a.Addr
		}
		if !a.Freed && r.Trampoline == 0 {
			s.Left++
		}
	}
	if r.CallAt != 0 {
		s.Slot = r.SlotText(im)
	}
	return s
}

// Listing lays out the trampoline, with the model's instruction where the two
// differ. ok is false if there is no trampoline.
func (t *Trampoline) Listing() (l Listing, ok bool) {
	graph := "off"
	if t.Graph {
		graph = "on"
	}
	l.Title = fmt.Sprintf("trampoline of %s at %#x, %#x bytes, with %v and fgraph %s", t.Variant, t.Addr, t.Size, t.Situation, graph)
	if t.Thunk {
		l.Title += ", for a processor that returns through the thunk"
	}
	for i := range t.Cells {
		c := &t.Cells[i]
		if c.Rest {
			l.Lines = append(l.Lines, t.rest(c)...)
			continue
		}
		line := Line{Addr: c.At, Word: c.Word, Code: c.Code, Text: c.Text, Differs: c.Differs}
		switch {
		case c.Literal:
			line.Note = "the ops literal"
			if c.Unread {
				line.Bytes = c.Size
			} else {
				line.Text = fmt.Sprintf(".quad %#x", c.Word)
			}
		case c.Origin != 0:
			line.Note = "from " + c.From
			if c.Role != trampoline.Plain {
				line.Note += ", " + c.Role.String()
			}
			if c.Differs && c.Model != c.Text {
				line.Model = c.Model
			}
			if c.At == 0 {
				line.Text, line.Missing = "(nothing)", true
			}
		case c.Differs:
			line.Note = "not in the model"
		}
		l.Lines = append(l.Lines, line)
	}
	return l, len(l.Lines) > 0
}

// rest returns the lines of a cell that stands for many words.
func (t *Trampoline) rest(c *trampoline.Cell) (lines []Line) {
	at := c.At
	for _, w := range c.Words {
		lines = append(lines, Line{Addr: at, Word: uint64(w), Text: a64.Text(w, at, func(a uint64) string {
			if a-t.Addr < t.Size {
				return fmt.Sprintf("trampoline+%#x", a-t.Addr)
			}
			return ""
		})})
		at += a64.Size
	}
	if left := c.At + c.Size - at; left > 0 {
		lines = append(lines, Line{Addr: at, Text: fmt.Sprintf("(%#x bytes)", left), Bytes: left})
	}
	return lines
}

// Happened says what happened at a moment of the trampoline's construction.
func (t *Trampoline) Happened(m *trampoline.Moment) string {
	at := func(addr uint64) string {
		if t.Addr != 0 && addr-t.Addr < max(t.Size, 1) {
			return fmt.Sprintf("trampoline+%#x", addr-t.Addr)
		}
		return fmt.Sprintf("%#x", addr)
	}
	by := ""
	if m.Func != "" {
		by = " by " + m.Func + "()"
	}
	times := ""
	if m.Count > 1 {
		times = fmt.Sprintf(", %s in a row", plural.Of(m.Count, "time"))
	}
	switch m.Kind {
	case world.Alloc:
		if m.Addr == 0 {
			return fmt.Sprintf("%s asks for %s in vain", strings.TrimPrefix(by, " by "), Bytes(m.Size))
		}
		return fmt.Sprintf("%s allocated at %#x%s", Bytes(m.Size), m.Addr, by)
	case world.Free:
		return "freed" + by
	case world.Copy:
		return fmt.Sprintf("%s copied to %s%s%s", Bytes(m.Size), at(m.Addr), by, times)
	case world.Store:
		if m.Insn != "" {
			return fmt.Sprintf("`%s` stored to %s%s", m.Insn, at(m.Addr), by)
		}
		if slices.ContainsFunc(t.Cells, func(c trampoline.Cell) bool {
			return c.Literal && c.At == m.Addr && c.Size == m.Size && !c.Differs
		}) {
			return fmt.Sprintf("the pointer to the ops stored to %s%s", at(m.Addr), by)
		}
		return fmt.Sprintf("%s stored to %s%s%s", Bytes(m.Size), at(m.Addr), by, times)
	case world.Patch:
		return fmt.Sprintf("`%s` patched to `%s` at %s%s", m.Was, m.Insn, at(m.Addr), by)
	case world.PatchLiteral:
		return fmt.Sprintf("literal at %s becomes %#x%s", at(m.Addr), m.Value, by)
	case world.Protect:
		return fmt.Sprintf("page made %v%s", m.Event.Perm, by)
	case world.ICache:
		if m.Size == ^uint64(0) {
			return "instruction cache maintained, all of it" + by
		}
		return fmt.Sprintf("instruction cache maintained, %s from %s%s", Bytes(m.Size), at(m.Addr), by)
	case world.FlushReset:
		return "permissions are to be reset when it is freed" + by
	case world.Trap:
		return "a trap: WARN() or BUG()"
	}
	return m.Kind.String() + by
}

// Bytes returns a number of bytes in words.
func Bytes(n uint64) string {
	switch {
	case n == ^uint64(0):
		return "everything"
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%#x bytes", n)
}

// Outcome describes the outcome of the situation. bad reports whether it is a
// defect.
func (s *Situation) Outcome() (words string, bad bool) {
	slot := ""
	if s.Slot != "" {
		slot = "; the slot of ftrace_call has `" + s.Slot + "`"
	}
	left := ""
	switch {
	case s.Left == 1:
		left = ", and leaves 1 piece of memory allocated"
	case s.Left > 1:
		left = fmt.Sprintf(", and leaves %s of memory allocated", plural.Of(s.Left, "piece"))
	}
	switch {
	case s.Err != nil:
		return "no verdict: " + s.Err.Error(), false
	case s.Situation == trampoline.Released:
		return "the trampoline is given back", false
	case s.Trampoline == 0:
		return "the builder makes no trampoline" + left, s.Left > 0
	case s.Executed && !s.Called:
		return "the trampoline, executed, does not come to its callback" + slot, true
	case s.Executed:
		return "the trampoline, executed, comes to its callback", false
	}
	return "the builder returns with a trampoline" + slot, false
}
