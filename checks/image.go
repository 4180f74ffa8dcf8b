package checks

import (
	"fmt"
	"reflect"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/entry"
	"github.com/ftlint/ftlint/world"
)

// Image is the kernel image itself, *elfscan.Image. The driver opens it and
// puts it in ResultOf; on its own the analyzer opens the one file that
// Pass.OtherFiles names.
var Image = &analysis.Analyzer{
	Name: "image",
	Doc:  "open the kernel image",
	Run: func(pass *analysis.Pass) (any, error) {
		if len(pass.OtherFiles) != 1 {
			return nil, fmt.Errorf("image: Pass.OtherFiles names %d files, one was expected", len(pass.OtherFiles))
		}
		im, err := elfscan.Open(pass.OtherFiles[0], "")
		if err != nil {
			return nil, err
		}
		im.AddTo(pass.Fset)
		callsite.Attach(im)
		return im, nil
	},
	ResultType: reflect.TypeFor[*elfscan.Image](),
}

// SiteTable is the callsite table with every callsite taken apart.
type SiteTable struct {
	*callsite.Table
	Callsites []callsite.Site // the entries that are not blank, by address
	BTI       int             // callsites with a landing pad
}

// Sites is the callsite table, *SiteTable.
var Sites = &analysis.Analyzer{
	Name:     "sites",
	Doc:      "read the callsite table, with relocations applied, and tell the era",
	Requires: []*analysis.Analyzer{Image},
	Run: func(pass *analysis.Pass) (any, error) {
		table, err := callsite.Of(image(pass))
		if err != nil {
			return nil, err
		}
		t := &SiteTable{Table: table, Callsites: table.Sites()}
		for i := range t.Callsites {
			if t.Callsites[i].BTI {
				t.BTI++
			}
		}
		return t, nil
	},
	ResultType: reflect.TypeFor[*SiteTable](),
}

// sitesOf is the callsite table, or why a rule about callsites has nothing to
// look at: a *world.Lack.
func sitesOf(pass *analysis.Pass) (t *SiteTable, none error) {
	t = pass.ResultOf[Sites].(*SiteTable)
	switch {
	case image(pass).Module() != nil && (t.Entries == nil || len(t.Addrs) == 0):
		return nil, &world.Lack{What: "the module has no callsites"}
	case t.Era == arch.None:
		return nil, &world.Lack{What: "no ftrace in this image"}
	case t.Entries == nil:
		return nil, &world.Lack{What: "no callsite table (__start_mcount_loc)"}
	}
	return t, nil
}

// name is a callsite as findings name it: its function, where one begins at
// it, and the address of its entry.
func (t *SiteTable) name(im *elfscan.Image, entry uint64) string {
	if s := t.Site(entry); s.Func != entry && s.AtFunc {
		return fmt.Sprintf("%s (%#x)", im.Name(s.Func), entry)
	}
	return im.At(entry)
}

// otherShape is the shape of another era, if the callsite at entry has that:
// its words are those of it, and a function begins where that shape has it.
func (t *SiteTable) otherShape(entry uint64) (*arch.Shape, bool) {
	shape := t.Guess(entry)
	if shape == nil || shape == t.Shape {
		return nil, false
	}
	return shape, !shape.SavesLR || t.SiteAs(entry, shape).AtFunc
}

// table is the callsite table of the image that the pass looks at; for what is
// said of it when it cannot be read, see Sites.
func table(pass *analysis.Pass) *callsite.Table {
	t, _ := callsite.Of(image(pass))
	return t
}

// Entry is the entry code, *entry.Code.
var Entry = &analysis.Analyzer{
	Name:     "entry",
	Doc:      "follow the entry code from its entry points",
	Requires: []*analysis.Analyzer{Image},
	Run: func(pass *analysis.Pass) (any, error) {
		if image(pass).Module() != nil {
			return &entry.Code{}, nil // a module has none
		}
		return entry.Walk(image(pass)), nil
	},
	ResultType: reflect.TypeFor[*entry.Code](),
}

// text is the instruction at addr as findings show it: "`bl ftrace_stub`".
func text(im *elfscan.Image, addr uint64) string {
	w, ok := im.Word(addr)
	if !ok {
		return "(nothing)"
	}
	return "`" + a64.Text(w, addr, im.Name) + "`"
}
