package builder

import (
	"fmt"
	"strings"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/elfscan"
)

// A Listing is a piece of code laid out for people: the entry code, a
// callsite through its life, a trampoline with the model beside it.
type Listing struct {
	Title string        `json:"title"`
	Lines []ListingLine `json:"lines"`
}

// A ListingLine is one instruction, or one literal.
type ListingLine struct {
	Addr    uint64   `json:"address"`
	Labels  []string `json:"labels,omitempty"` // that stand here
	Word    uint64   `json:"word"`
	Text    string   `json:"text"`
	Model   string   `json:"model,omitempty"`   // what the model has here, where there is a builder to compare
	Differs bool     `json:"differs,omitempty"` // from the model
	Note    string   `json:"note,omitempty"`
}

// slotNotes says what is special about the instruction at a label.
var slotNotes = map[string]string{
	"ftrace_call":           "slot: patched to BL the callback",
	"ftrace_graph_call":     "slot: NOP, patched to B ftrace_graph_caller when fgraph is on",
	"function_trace_op_ptr": "op load: the builder replaces this pair",
}

// EntryListing lays out the entry code of the image: one listing for each run
// of instructions without a gap.
func EntryListing(im *elfscan.Image) []Listing {
	entry := WalkEntry(im)
	labels := map[uint64][]string{}
	for _, name := range append(append([]string{"ftrace_call", "ftrace_graph_call", "function_trace_op_ptr", "ftrace_common_return"}, entryNames...), endNames...) {
		if a, ok := im.Addr(name); ok {
			labels[a] = append(labels[a], name)
		}
	}
	var out []Listing
	for i, a := range entry.Order {
		if i == 0 || a != entry.Order[i-1]+a64.Size {
			out = append(out, Listing{Title: "entry code at " + im.At(a)})
		}
		w := entry.Words[a]
		line := ListingLine{Addr: a, Labels: labels[a], Word: uint64(w), Text: a64.Text(w, a, im.Name)}
		var notes []string
		for _, l := range labels[a] {
			if n := slotNotes[l]; n != "" {
				notes = append(notes, n)
			} else if strings.HasSuffix(l, "_end") {
				notes = append(notes, "end label")
			}
		}
		line.Note = strings.Join(notes, "; ")
		last := &out[len(out)-1]
		last.Lines = append(last.Lines, line)
	}
	return out
}

// endNames are the end labels of a dynamic trampoline's template.
var endNames = []string{"ftrace_regs_caller_end", "ftrace_caller_end", "ftrace_common_end"}

// SiteListing lays out the callsite at entry in each state of its life, as
// the image's own functions make it.
func (f *SiteFuncs) SiteListing(entry uint64) ([]Listing, error) {
	im := f.w.Image
	run := f.Run(entry)
	s := run.Site
	built := SiteState{}
	if b, ok := im.Word(s.Call); ok {
		built.Second = b
	}
	if w, ok := im.Word(s.Call - a64.Size); ok {
		built.First = w
	}
	built.Literal, _ = im.Uint64(s.Entry)
	name := im.Name(entry)
	if s.AtFunc {
		name = im.Name(s.Func)
	}
	out := []Listing{f.siteListing(fmt.Sprintf("callsite of %s, as built", name), s, built, nil)}
	for _, step := range run.Steps {
		switch {
		case step.Func == "ftrace_call_adjust":
			continue
		case step.WantRet != "0":
			continue // the refusals that end a run leave nothing new to see
		}
		out = append(out, f.siteListing(fmt.Sprintf("callsite of %s after %s, which returned %d", name, step.Func, step.Returned), s, step.Got, &step.Want))
	}
	return out, run.Err
}

func (f *SiteFuncs) siteListing(title string, s elfscan.Site, st SiteState, model *SiteState) Listing {
	im := f.w.Image
	l := Listing{Title: title}
	if f.shape == elfscan.ShapeCallops {
		line := ListingLine{Addr: s.Entry, Word: st.Literal, Text: ".quad " + im.At(st.Literal), Note: "the ops pointer"}
		if uint32(st.Literal) == a64.NOP {
			line.Text = "nop; nop"
		}
		if model != nil {
			line.Model, line.Differs = ".quad "+im.At(model.Literal), model.Literal != st.Literal
		}
		l.Lines = append(l.Lines, line)
	}
	word := func(addr uint64, w uint32, m uint32, note string) {
		line := ListingLine{Addr: addr, Word: uint64(w), Text: a64.Text(w, addr, im.Name), Note: note}
		if s.Func == addr {
			line.Labels = []string{im.Name(addr)}
		}
		if model != nil {
			line.Model, line.Differs = a64.Text(m, addr, im.Name), m != w
		}
		l.Lines = append(l.Lines, line)
	}
	m := SiteState{}
	if model != nil {
		m = *model
	}
	if s.BTI {
		w, _ := im.Word(s.Func)
		word(s.Func, w, w, "")
	}
	if f.shape != elfscan.ShapeMcount {
		word(s.Call-a64.Size, st.First, m.First, "saves the caller's LR")
	}
	word(s.Call, st.Second, m.Second, "the call")
	return l
}
