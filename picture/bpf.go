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

// BPFCode is a BPF trampoline, laid out: empty if the image's generator makes none.
type BPFCode []Listing

// BPF gives the BPFCode of an image: the first trampoline that differs from the model,
// with the differences at the instructions that are to blame, or else one that serves
// three programs.
var BPF = &analysis.Analyzer{
	Name:     "bpfcode",
	Doc:      "lay out a BPF trampoline",
	Requires: []*analysis.Analyzer{checks.Image, checks.BPF},
	Run: func(pass *analysis.Pass) (any, error) {
		im, res := image(pass), pass.ResultOf[checks.BPF].(*bpf.Results)
		if res.None != nil || res.Err != nil {
			return BPFCode(nil), nil
		}
		var blamed []bpf.Diff
		c, err := res.Kernel.ParsePrograms(bpf.Proto{Args: []bpf.Arg{{Size: 8}, {Size: 4}}, Ret: 4}, "fentry,fmod_ret,fexit")
		for i := range res.Failed {
			if f := &res.Failed[i]; f.Diffs[0].At != 0 {
				c, blamed = &f.Case, f.Diffs
				break
			}
		}
		if err != nil {
			return BPFCode(nil), nil
		}
		shown, err := res.Kernel.Show(c)
		if err != nil {
			return BPFCode(nil), nil // the rules say why
		}
		l := bpfListing(im, shown)
		for _, d := range blamed {
			if i := d.Offset / a64.Size; d.At != 0 && i < uint64(len(l.Lines)) {
				l.Lines[i].Note = strings.TrimPrefix(l.Lines[i].Note+"; to blame: "+d.Text, "; ")
			}
		}
		return BPFCode{l}, nil
	},
	ResultType: reflect.TypeFor[BPFCode](),
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
// emitted an instruction, where it is another than that of the instruction before.
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
	return l
}

// within is the name of an address: relative to the trampoline, if it lies in it.
func within(im *elfscan.Image, shown *bpf.Listing, addr uint64) string {
	if first := shown.Parts[0].Addr; addr-first < uint64(len(shown.Parts))*a64.Size {
		return fmt.Sprintf("trampoline+%#x", addr-first)
	}
	return im.Name(addr)
}
