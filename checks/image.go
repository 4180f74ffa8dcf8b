package checks

import (
	"fmt"
	"reflect"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
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

// A Call is a branch out of the entry code.
type Call struct {
	At, Target uint64 // addresses of the branch and of where it goes
	Word       uint32
}

// EntryCode is the entry code as far as it can be reached from its entry
// points without an indirect branch.
type EntryCode struct {
	Words map[uint64]uint32 // every instruction, by address
	Order []uint64          // their addresses, ascending
	Calls []Call            // BLs, and branches to functions that are not entry code
}

// entryNames are the symbols at which entry code is entered, in all eras.
var entryNames = []string{
	"ftrace_regs_caller", "ftrace_caller", "ftrace_common", "ftrace_graph_caller",
	"ftrace_caller_direct_late", "ftrace_caller_direct", "ftrace_stub_direct_tramp",
	"_mcount", "return_to_handler",
}

// Entry is the entry code, *EntryCode.
var Entry = &analysis.Analyzer{
	Name:     "entry",
	Doc:      "follow the entry code from its entry points",
	Requires: []*analysis.Analyzer{Image},
	Run: func(pass *analysis.Pass) (any, error) {
		im := image(pass)
		var roots []uint64
		for _, name := range entryNames {
			if a, ok := im.Addr(name); ok {
				roots = append(roots, a)
			}
		}
		return walk(im, roots), nil
	},
	ResultType: reflect.TypeFor[*EntryCode](),
}

// maxEntryWords bounds the walk. The largest entry code has some 150.
const maxEntryWords = 4096

// walk follows the code from roots through direct branches until every path
// has returned or left.
func walk(im *elfscan.Image, roots []uint64) *EntryCode {
	e := &EntryCode{Words: map[uint64]uint32{}}
	// Entry code lies together: a branch further away than this leaves it.
	const near = 4096
	lo, hi := ^uint64(0), uint64(0)
	for _, r := range roots {
		lo, hi = min(lo, r), max(hi, r)
	}
	inside := func(a uint64) bool { return a+near >= lo && a < hi+near }
	todo := append([]uint64(nil), roots...)
	for len(todo) > 0 {
		pc := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for len(e.Words) < maxEntryWords {
			w, ok := im.Word(pc)
			if _, seen := e.Words[pc]; seen || !ok || !im.IsText(pc) {
				break
			}
			e.Words[pc] = w
			kind := a64.Classify(w)
			switch kind {
			case a64.Call, a64.Branch, a64.BCond, a64.CBZ, a64.TBZ:
				target, _ := a64.Target(w, pc)
				if kind == a64.Call || !inside(target) {
					e.Calls = append(e.Calls, Call{pc, target, w})
				} else {
					todo = append(todo, target)
				}
			}
			if kind.EndsFlow() {
				break
			}
			pc += a64.Size
		}
	}
	e.Order = sortedKeys(e.Words)
	return e
}

// text is the instruction at addr as findings show it: "`bl ftrace_stub`".
func text(im *elfscan.Image, addr uint64) string {
	w, ok := im.Word(addr)
	if !ok {
		return "(nothing)"
	}
	return "`" + a64.Text(w, addr, im.Name) + "`"
}
