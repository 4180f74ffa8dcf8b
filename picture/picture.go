// Package picture has analyzers whose results reports draw: the entry code of an
// image, a callsite in each state of its life, trampolines beside the model and
// how they were built, an address map, and the code around findings.
package picture

import (
	"reflect"
	"slices"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/finding"
)

// All are the analyzers that draw. About a module only Excerpts has results.
var All = []*analysis.Analyzer{Entry, Life, Trampolines, BPF, Map, Distances, Excerpts, Lines}

// Listings are the analyzers of All that lay out code for ftlint show: they look
// up no source lines.
var Listings = []*analysis.Analyzer{Entry, Life, Trampolines}

// A Drawn has all pictures of an image.
type Drawn struct {
	Entry     EntryCode
	Life      *SiteLife
	Built     *Built
	BPF       BPFCode
	Map       *AddressMap    // nil for none
	Distances *SiteDistances // nil for none
	Excerpts  *Code
	Lines     SourceLines
	Problems  []error // what could not be drawn, and why
}

// Of returns the pictures in a result.
func Of(res *finding.Result) *Drawn {
	d := &Drawn{Life: &SiteLife{}, Built: &Built{}, Excerpts: &Code{}}
	problem := func(err error) {
		if err != nil && !slices.ContainsFunc(d.Problems, func(have error) bool { return have.Error() == err.Error() }) {
			d.Problems = append(d.Problems, err)
		}
	}
	for _, p := range res.Pictures {
		switch p := p.(type) {
		case EntryCode:
			d.Entry = p
		case *SiteLife:
			d.Life = p
			problem(p.Err)
		case *Built:
			d.Built = p
		case BPFCode:
			d.BPF = p
		case *AddressMap:
			d.Map = p
		case *SiteDistances:
			d.Distances = p
		case *Code:
			d.Excerpts = p
			problem(p.Err)
		case SourceLines:
			d.Lines = p
		case error:
			problem(p)
		}
	}
	return d
}

// image returns the image that the pass draws.
func image(pass *analysis.Pass) *elfscan.Image { return pass.ResultOf[checks.Image].(*elfscan.Image) }

// A Source is a source line.
type Source struct {
	Path string
	Line int
}

// SourceLines are the source lines of instructions, by address. Instructions
// without a known line are left out.
type SourceLines map[uint64]Source

// Lines gives the SourceLines of all instructions that other pictures have.
var Lines = &analysis.Analyzer{
	Name:     "lines",
	Doc:      "look up the source lines of all instructions that are drawn",
	Requires: []*analysis.Analyzer{checks.Image, Entry, Life, Trampolines, Excerpts},
	Run: func(pass *analysis.Pass) (any, error) {
		im, lines := image(pass), SourceLines{}
		add := func(addr uint64) {
			if line, ok := im.Line(addr); ok && addr != 0 {
				lines[addr] = Source{line.File, line.Line}
			}
		}
		for _, list := range [][]Listing{pass.ResultOf[Entry].(EntryCode), pass.ResultOf[Life].(*SiteLife).Listings, pass.ResultOf[Excerpts].(*Code).Listings} {
			for i := range list {
				for k := range list[i].Lines {
					add(list[i].Lines[k].Addr)
				}
			}
		}
		t := pass.ResultOf[Trampolines].(*Built)
		for i := range t.Trampolines {
			for k := range t.Trampolines[i].Cells {
				add(t.Trampolines[i].Cells[k].Origin)
			}
			for k := range t.Trampolines[i].Moments {
				add(t.Trampolines[i].Moments[k].PC)
			}
		}
		return lines, nil
	},
	ResultType: reflect.TypeFor[SourceLines](),
}
