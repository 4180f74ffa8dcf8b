package checks

import (
	"fmt"
	"reflect"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/builder"
	"github.com/ftlint/ftlint/elfscan"
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
		return im, nil
	},
	ResultType: reflect.TypeFor[*elfscan.Image](),
}

// SiteTable is the callsite table with every callsite taken apart.
type SiteTable struct {
	*elfscan.Sites                // nil if the image has no callsite table
	Era            elfscan.Era    // of the image
	Shape          elfscan.Shape  // that callsites have in this era
	Callsites      []elfscan.Site // the entries that are not blank, by address
	BTI            int            // callsites with a landing pad
}

// Sites is the callsite table, *SiteTable.
var Sites = &analysis.Analyzer{
	Name:     "sites",
	Doc:      "read the callsite table, with relocations applied, and tell the era",
	Requires: []*analysis.Analyzer{Image},
	Run: func(pass *analysis.Pass) (any, error) {
		im := image(pass)
		sites, err := im.Sites()
		if err != nil {
			return nil, err
		}
		t := &SiteTable{Sites: sites, Era: im.Era()}
		t.Shape = t.Era.Shape()
		if sites != nil {
			t.Callsites = im.SitesAs(sites.Addrs, t.Shape)
			for i := range t.Callsites {
				if t.Callsites[i].BTI {
					t.BTI++
				}
			}
		}
		return t, nil
	},
	ResultType: reflect.TypeFor[*SiteTable](),
}

// sitesOf is the callsite table, or why a rule about callsites has nothing to
// look at.
func sitesOf(pass *analysis.Pass) (t *SiteTable, why string) {
	t = pass.ResultOf[Sites].(*SiteTable)
	switch {
	case image(pass).Module() != nil && (t.Sites == nil || len(t.Addrs) == 0):
		return nil, "the module has no callsites"
	case t.Era == elfscan.EraNone:
		return nil, "no ftrace in this image"
	case t.Sites == nil:
		return nil, "no callsite table (__start_mcount_loc)"
	}
	return t, ""
}

// name is a callsite as findings name it: its function, where one begins at
// it, and the address of its entry.
func (t *SiteTable) name(im *elfscan.Image, entry uint64) string {
	if s := im.SiteAs(entry, t.Shape); s.Func != entry && s.AtFunc {
		return fmt.Sprintf("%s (%#x)", im.Name(s.Func), entry)
	}
	return im.At(entry)
}

// otherShape is the shape of another era, if the callsite at entry has that:
// its words are those of it, and a function begins where that shape has it.
func (t *SiteTable) otherShape(im *elfscan.Image, entry uint64) (elfscan.Shape, bool) {
	shape := im.GuessShape(entry)
	if shape == elfscan.ShapeUnknown || shape == t.Shape {
		return 0, false
	}
	return shape, shape == elfscan.ShapeMcount || im.SiteAs(entry, shape).AtFunc
}

// Entry is the entry code, *builder.EntryCode.
var Entry = &analysis.Analyzer{
	Name:     "entry",
	Doc:      "follow the entry code from its entry points",
	Requires: []*analysis.Analyzer{Image},
	Run: func(pass *analysis.Pass) (any, error) {
		if image(pass).Module() != nil {
			return &builder.EntryCode{}, nil // a module has none
		}
		return builder.WalkEntry(image(pass)), nil
	},
	ResultType: reflect.TypeFor[*builder.EntryCode](),
}

// text is the instruction at addr as findings show it: "`bl ftrace_stub`".
func text(im *elfscan.Image, addr uint64) string {
	w, ok := im.Word(addr)
	if !ok {
		return "(nothing)"
	}
	return "`" + a64.Text(w, addr, im.Name) + "`"
}
