package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/picture"
)

// Listings returns what ftlint show lays out: the entry code of an image, a
// callsite in each state of its life, and trampolines beside the model.
func Listings(res *finding.Result) ([]picture.Listing, error) {
	for _, err := range res.Errors {
		return nil, err
	}
	d := picture.Of(res)
	for _, err := range d.Problems {
		return nil, err
	}
	listings := slices.Concat(d.Entry, d.Life.Listings)
	for i := range d.Built.Trampolines {
		if l, ok := d.Built.Trampolines[i].Listing(); ok {
			listings = append(listings, l)
		}
	}
	if len(listings) == 0 {
		return nil, fmt.Errorf("%s: era %s: there is no entry code and no callsite to show", res.Path, res.Image.Era)
	}
	return listings, nil
}

// Show writes listings: address, word, instruction, the model's instruction
// where there is one to compare (behind "!" where they differ), and notes. A note
// that does not fit on its line is below it.
func (t Terminal) Show(listings []picture.Listing) error {
	return t.buffered(func(t Terminal) {
		for i, l := range listings {
			if i > 0 {
				fmt.Fprintln(t)
			}
			t.wrap(t.on(bold), "  ", OneLine(l.Title)+t.on(reset))
			width := 0
			for _, line := range l.Lines {
				width = max(width, len(OneLine(line.Text)))
			}
			for _, line := range l.Lines {
				t.listed(line, width)
			}
		}
	})
}

// listed writes a line of a listing. width is that of the column of instructions.
func (t Terminal) listed(line picture.Line, width int) {
	for _, label := range line.Labels {
		fmt.Fprintln(t, t.paint(bold, OneLine(label)+":"))
	}
	s := ""
	switch {
	case line.Missing:
		s = fmt.Sprintf("  %16s   %8s  ", "", "")
	case line.Bytes > 0:
		s = fmt.Sprintf("  %x:  %8s  ", line.Addr, "")
	default:
		s = fmt.Sprintf("  %x:  %s  ", line.Addr, line.Hex())
	}
	indent := strings.Repeat(" ", len(s))
	switch {
	case line.Model != "" && line.Differs:
		s += fmt.Sprintf("%-*s  ", width, OneLine(line.Text)) + t.paint(red, "! "+OneLine(line.Model))
	case line.Model != "":
		s += fmt.Sprintf("%-*s  = %s", width, OneLine(line.Text), OneLine(line.Model))
	default:
		s += OneLine(line.Text)
	}
	note := "// " + OneLine(line.Note)
	switch {
	case line.Note == "":
		fmt.Fprintln(t, s)
	case t.Width > 0 && columns(s)+len("  ")+columns(note) > t.Width:
		fmt.Fprintln(t, s)
		t.wrap(indent+t.on(dim), indent+"// ", note+t.on(reset))
	default:
		fmt.Fprintf(t, "%s  %s\n", s, t.paint(dim, note))
	}
}

// jsonListing and jsonLine are a picture.Listing and one of its lines. Numbers of 64
// bits are strings: many readers of JSON would round them.
type jsonListing struct {
	Title string     `json:"title"`
	Lines []jsonLine `json:"lines"`
}

type jsonLine struct {
	Address string   `json:"address,omitempty"`
	Labels  []string `json:"labels,omitempty"`
	Word    string   `json:"word,omitempty"`
	Text    string   `json:"text"`
	Model   string   `json:"model,omitempty"`
	Differs bool     `json:"differs,omitempty"`
	Note    string   `json:"note,omitempty"`
	Bytes   uint64   `json:"bytes,omitempty"`
	Missing bool     `json:"missing,omitempty"`
}

// ShowJSON writes listings as one JSON document.
func ShowJSON(w io.Writer, listings []picture.Listing) error {
	out := []jsonListing{}
	for _, l := range listings {
		j := jsonListing{Title: l.Title, Lines: []jsonLine{}}
		for _, line := range l.Lines {
			jl := jsonLine{Labels: line.Labels, Text: line.Text, Model: line.Model, Differs: line.Differs, Note: line.Note, Bytes: line.Bytes, Missing: line.Missing}
			if !line.Missing {
				jl.Address = fmt.Sprintf("%#x", line.Addr)
				if line.Bytes == 0 {
					jl.Word = line.Hex()
					if line.Code == nil {
						jl.Word = fmt.Sprintf("%#08x", line.Word)
					}
				}
			}
			j.Lines = append(j.Lines, jl)
		}
		out = append(out, j)
	}
	return encode(w, map[string]any{"listings": out})
}
