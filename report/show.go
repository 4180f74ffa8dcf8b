package report

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"

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
// where there is one to compare (behind "!" where they differ), and notes.
func Show(w io.Writer, listings []picture.Listing) error {
	b := bufio.NewWriter(w)
	for i, l := range listings {
		if i > 0 {
			fmt.Fprintln(b)
		}
		fmt.Fprintf(b, "%s\n", OneLine(l.Title))
		width := 0
		for _, line := range l.Lines {
			width = max(width, len(OneLine(line.Text)))
		}
		for _, line := range l.Lines {
			for _, label := range line.Labels {
				fmt.Fprintf(b, "%s:\n", OneLine(label))
			}
			switch {
			case line.Missing:
				fmt.Fprintf(b, "  %16s   %8s  ", "", "")
			case line.Bytes > 0:
				fmt.Fprintf(b, "  %x:  %8s  ", line.Addr, "")
			case line.Word>>32 == 0:
				fmt.Fprintf(b, "  %x:  %08x  ", line.Addr, line.Word)
			default:
				fmt.Fprintf(b, "  %x:  %x  ", line.Addr, line.Word)
			}
			switch {
			case line.Model != "":
				mark := "="
				if line.Differs {
					mark = "!"
				}
				fmt.Fprintf(b, "%-*s  %s %s", width, OneLine(line.Text), mark, OneLine(line.Model))
			default:
				fmt.Fprint(b, OneLine(line.Text))
			}
			if line.Note != "" {
				fmt.Fprintf(b, "  // %s", OneLine(line.Note))
			}
			fmt.Fprintln(b)
		}
	}
	return b.Flush()
}

// ShowJSON writes listings as one JSON document.
func ShowJSON(w io.Writer, listings []picture.Listing) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(map[string]any{"listings": listings})
}
