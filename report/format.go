package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/ftlint/ftlint/lint"
)

// A Run is one call of ftlint: what a report is about.
type Run struct {
	Results []*lint.Result // in the order of the inputs
	Version string         // of ftlint
	SrcTree string         // where sources are looked for; "" for nowhere
}

// A Format is one form that a report can have.
type Format struct {
	Name  string // as -f and -o take it
	Doc   string // what it is, in a few words
	Write func(w io.Writer, run *Run) error
}

// Formats are all of them.
var Formats = []Format{
	{"text", "lines as compilers print them", writeText},
	{"json", "one JSON document", func(w io.Writer, run *Run) error { return JSON(w, run.Results) }},
}

// LookupFormat finds a format by its name.
func LookupFormat(name string) (Format, error) {
	var names []string
	for _, f := range Formats {
		if f.Name == name {
			return f, nil
		}
		names = append(names, f.Name)
	}
	return Format{}, fmt.Errorf("format %q: want %s", name, strings.Join(names, ", "))
}

// writeText writes as text what is not written as it comes.
func writeText(w io.Writer, run *Run) error {
	t := Text{W: w, SrcTree: run.SrcTree}
	for _, res := range run.Results {
		if err := t.Write(res); err != nil {
			return err
		}
	}
	return t.More(run.Results)
}
