package picture

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/bpf"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/elfscan"
)

// BPFCode has BPF trampolines, laid out: none if the image's generator makes none.
type BPFCode []Generated

// Generated is a BPF trampoline, laid out.
type Generated struct {
	Listing
	Cells []GeneratedCell // of each line
	Diffs []Diff          // from the model
	While string          // what happens while it differs: "fentry program 1 skipped"; "" for nothing special
}

// A GeneratedCell is what one instruction of a BPF trampoline is for.
type GeneratedCell struct {
	Name    string // of the stretch that it belongs to; "" if no execution came to it
	Purpose bpf.Purpose
	Leaves  bool // execution goes from here out of the trampoline
	Diffs   []int
}

// BPF gives the BPFCode of an image: for each rule that has findings a trampoline that
// differs from the model, with the differences at the instructions that are to blame;
// without such a rule a trampoline that serves three programs.
var BPF = &analysis.Analyzer{
	Name:     "bpfcode",
	Doc:      "lay out BPF trampolines",
	Requires: []*analysis.Analyzer{checks.Image, checks.BPF},
	Run: func(pass *analysis.Pass) (any, error) {
		im, res, code := image(pass), pass.ResultOf[checks.BPF].(*bpf.Results), BPFCode(nil)
		if res.None != nil || res.Err != nil {
			return code, nil
		}
		drawn := map[string]bool{} // rules
		for i := range res.Failed {
			f := &res.Failed[i]
			isNew := func(d bpf.Diff) bool { return d.At != 0 && !drawn[checks.BPFRule(d.Kind)] }
			if !slices.ContainsFunc(f.Diffs, isNew) {
				continue
			}
			shown, err := res.Kernel.Show(&f.Case)
			if err != nil {
				continue // the finding says why
			}
			shown.While, shown.Diffs = f.While, f.Diffs
			for _, d := range f.Diffs {
				drawn[checks.BPFRule(d.Kind)] = true
			}
			code = append(code, *generated(im, shown))
		}
		if len(code) > 0 {
			return code, nil
		}
		c, err := res.Kernel.ParsePrograms(bpf.Proto{Args: []bpf.Arg{{Size: 8}, {Size: 4}}, Ret: 4}, "fentry,fmod_ret,fexit")
		if err != nil {
			return code, nil
		}
		shown, err := res.Kernel.Show(c)
		if err != nil {
			return code, nil // the rules say why
		}
		return append(code, *generated(im, shown)), nil
	},
	ResultType: reflect.TypeFor[BPFCode](),
}

// generated lays out a trampoline.
func generated(im *elfscan.Image, shown *bpf.Listing) *Generated {
	g := &Generated{Listing: bpfListing(im, shown)}
	for _, p := range shown.Parts {
		g.Cells = append(g.Cells, GeneratedCell{Name: p.Name, Purpose: p.Purpose, Leaves: p.Leaves})
	}
	for i, d := range shown.Diffs {
		g.While = shown.While
		g.Diffs = append(g.Diffs, Diff{checks.BPFRule(d.Kind), d.Text})
		if k := d.Offset / a64.Size; d.At != 0 && k < uint64(len(g.Cells)) {
			g.Cells[k].Diffs = append(g.Cells[k].Diffs, i)
		}
	}
	return g
}

// BPFTrampoline is the BPF trampoline that an image's generator makes for a function
// and programs. proto is the function's prototype in C or, of a function of the kernel,
// its name; programs are kinds of programs: "fentry,fexit".
func BPFTrampoline(im *elfscan.Image, proto, programs string) (Listing, error) {
	table, err := callsite.Of(im)
	if err != nil {
		return Listing{}, err
	}
	guarded := slices.ContainsFunc(table.Sites(), func(s callsite.Site) bool { return s.BTI })
	k, err := bpf.Open(table, callsite.ReadTypes(im, false), guarded)
	if err != nil {
		return Listing{}, err
	}
	p, err := k.ParseProto(proto)
	if err != nil {
		return Listing{}, err
	}
	if strings.TrimSpace(programs) == "" {
		return Listing{}, errors.New("no programs are named: fentry,fexit")
	}
	c, err := k.ParsePrograms(p, programs)
	if err != nil {
		return Listing{}, err
	}
	shown, err := k.Show(c)
	if err != nil {
		return Listing{}, err
	}
	return bpfListing(im, shown), nil
}

// bpfListing lays out a trampoline. A note names the source line of the generator that
// emitted an instruction, where it is another than that of the instruction before, and
// the differences from the model that the instruction is to blame for.
func bpfListing(im *elfscan.Image, shown *bpf.Listing) Listing {
	n := len(shown.Parts) * a64.Size
	l := Listing{Title: fmt.Sprintf("BPF trampoline for %s, %#x bytes of %#x that were computed", shown.Case.String(), n, shown.Size)}
	before, lines := "", map[uint64]string{}
	for _, p := range shown.Parts {
		line := Line{Addr: p.Addr, Word: uint64(p.Word), Text: a64.Text(p.Word, p.Addr, func(addr uint64) string { return within(im, shown, addr) }), Note: p.Note}
		if p.Label != "" {
			line.Labels = []string{p.Label}
		}
		at, ok := lines[p.Emitter.PC]
		if !ok && p.Emitter.PC != 0 {
			at = im.LineOfCall(p.Emitter.PC)
			lines[p.Emitter.PC] = at
		}
		if at != before && at != "" && !strings.HasPrefix(at, "0x") {
			before = at
			line.Note = strings.TrimPrefix(line.Note+"; "+at, "; ")
		}
		l.Lines = append(l.Lines, line)
	}
	for _, d := range shown.Diffs {
		if i := d.Offset / a64.Size; d.At != 0 && i < uint64(len(l.Lines)) {
			line := &l.Lines[i]
			line.Differs = true
			line.Note = strings.TrimPrefix(line.Note+"; to blame: "+d.Text, "; ")
		}
	}
	return l
}

// within is the name of an address: relative to the trampoline, if it lies in it.
func within(im *elfscan.Image, shown *bpf.Listing, addr uint64) string {
	if first := shown.Parts[0].Addr; addr-first < uint64(len(shown.Parts))*a64.Size {
		return fmt.Sprintf("trampoline+%#x", addr-first)
	}
	return im.Name(addr)
}
