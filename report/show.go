package report

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"github.com/ftlint/ftlint/builder"
)

// Show writes listings: address, word, instruction, the model's instruction
// where there is one to compare (behind "!" where they differ), and notes.
func Show(w io.Writer, listings []builder.Listing) error {
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
			fmt.Fprintf(b, "  %x:  ", line.Addr)
			if line.Word>>32 == 0 {
				fmt.Fprintf(b, "%08x  ", line.Word)
			} else {
				fmt.Fprintf(b, "%x  ", line.Word)
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
func ShowJSON(w io.Writer, listings []builder.Listing) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(map[string]any{"listings": listings})
}
