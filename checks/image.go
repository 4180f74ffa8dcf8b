package checks

import (
	"cmp"
	"fmt"
	"reflect"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/entry"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/world"
)

// Image is the kernel image or the module, *elfscan.Image. The driver opens the
// image and puts it into ResultOf. Without the driver the analyzer opens the one
// file that Pass.OtherFiles names.
var Image = &analysis.Analyzer{
	Name: "image",
	Doc:  "open the kernel image",
	Run: func(pass *analysis.Pass) (any, error) {
		if len(pass.OtherFiles) != 1 {
			return nil, fmt.Errorf("image: Pass.OtherFiles names %s, one was expected", plural.Of(len(pass.OtherFiles), "file"))
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

// SiteTable is the callsite table with every callsite decoded.
type SiteTable struct {
	*callsite.Table
	Callsites []callsite.Site // the entries that are not blank, by address
	BTI       int             // number of callsites with a landing pad
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

// sitesOf is the callsite table. If a rule about callsites has nothing to look
// at, t is nil and none, a *world.Lack, says why.
func sitesOf(pass *analysis.Pass) (t *SiteTable, none error) {
	t = pass.ResultOf[Sites].(*SiteTable)
	switch {
	case image(pass).Module() != nil && (t.Entries == nil || len(t.Addrs) == 0):
		return nil, &world.Lack{What: "the module has no callsites"}
	case image(pass).Module() != nil && t.Era == arch.None:
		return nil, &world.Lack{What: "the module's callsites have no form that is known"}
	case t.Era == arch.None:
		return nil, &world.Lack{What: "no ftrace in this image"}
	case t.Entries == nil:
		return nil, &world.Lack{What: "no callsite table (__start_mcount_loc)"}
	}
	return t, nil
}

// siteName is the name of the callsite whose table entry is addr, for findings: its
// function, if a function begins at the callsite, and addr.
func siteName(t *callsite.Table, addr uint64) string {
	if s := t.Site(addr); s.Func != addr && s.AtFunc {
		return fmt.Sprintf("%s (%#x)", t.Image.Name(s.Func), addr)
	}
	return t.Image.At(addr)
}

// name is siteName.
func (t *SiteTable) name(_ *elfscan.Image, addr uint64) string { return siteName(t.Table, addr) }

// label is name without the address, for headlines, if the callsite has a name.
func (t *SiteTable) label(im *elfscan.Image, addr uint64) string {
	if s := t.Site(addr); s.Func != addr && s.AtFunc {
		addr = s.Func
	}
	return labelOf(im, addr)
}

// labelOf is addr as headlines show it: its name, or the address if it has none.
func labelOf(im *elfscan.Image, addr uint64) string {
	return cmp.Or(im.Name(addr), fmt.Sprintf("%#x", addr))
}

// otherShape is the shape of another era, if the callsite whose table entry is
// addr has that shape: its words match, and a function begins where the shape
// asks for one.
func (t *SiteTable) otherShape(addr uint64) (*arch.Shape, bool) {
	shape := t.Guess(addr)
	if shape == nil || shape == t.Shape {
		return nil, false
	}
	return shape, !shape.AtEntry() || t.SiteAs(addr, shape).AtFunc
}

// table is the callsite table of the image that the pass looks at. It drops the
// error of a table that cannot be read: Sites returns that error.
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
			return &entry.Code{}, nil // a module has no entry code
		}
		return entry.Walk(image(pass)), nil
	},
	ResultType: reflect.TypeFor[*entry.Code](),
}

// text is the instruction at addr in the form of findings: "`bl ftrace_stub`".
func text(im *elfscan.Image, addr uint64) string {
	text, _ := im.Text(addr)
	if text == "(nothing)" {
		return text
	}
	return "`" + text + "`"
}

// words is the instructions of the callsite whose table entry is addr, in the form
// of findings.
func words(im *elfscan.Image, addr uint64, shape *arch.Shape) string {
	var out []string
	if shape.Size != 0 {
		return fmt.Sprintf("% x %s", im.Code(addr, int(shape.Size)), text(im, addr))
	}
	n := shape.Words
	for a := addr; len(out) < n; a += a64.Size {
		w, ok := im.Word(a)
		if !ok {
			break
		}
		out = append(out, fmt.Sprintf("%08x %s", w, text(im, a)))
		if shape.Literal != 0 && len(out) == 3 && w == a64.BTIc {
			n++
		}
	}
	return strings.Join(out, ", ")
}
