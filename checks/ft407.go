package checks

import (
	"debug/elf"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/elfscan"
)

// FT407 finds callsites that belong to no function symbol. They have one cause,
// and an image can have hundreds: it has one finding.
var FT407 = check("FT407", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	t, none := sitesOf(pass)
	if t == nil {
		return notApplicable("%v", none)
	}
	var left []uint64
	for _, site := range t.Callsites {
		a := site.Entry
		if !site.Text {
			continue // FT403
		}
		if !t.Shape.SavesLR {
			// behind the prologue: it lies in some function
			if s, ok := im.SymbolAt(a); ok && s.Type == elf.STT_FUNC && s.Size > 0 && a >= s.End() {
				left = append(left, a)
			}
			continue
		}
		if site.AtFunc || !site.OK {
			continue // a malformed one is FT401's
		}
		if _, mixed := t.otherShape(a); mixed {
			continue // FT410
		}
		left = append(left, a)
	}
	reportLeft(pass, t, left)
	return examined("%d callsites", len(t.Addrs))
}, Sites)

// reportLeft reports the callsites that belong to no function, at the first.
func reportLeft(pass *analysis.Pass, t *SiteTable, left []uint64) {
	im := image(pass)
	are, is := "are not at the entry of a function", "is not at the entry of a function"
	if !t.Shape.SavesLR {
		are, is = "lie in no function", "lies in no function"
	}
	switch len(left) {
	case 0:
	case 1:
		report(pass, left[0], "callsite %s %s. This is what an overridden weak function leaves behind; ftrace patches it, and shows it under the name of the function before it", im.At(left[0]), is)
	default:
		const examples = 3
		var names []string
		var others []analysis.RelatedInformation
		for i, a := range left[:min(examples, len(left))] {
			names = append(names, im.At(a))
			if i > 0 {
				others = append(others, related(im, a, "another: %s", im.At(a)))
			}
		}
		more := ""
		if n := len(left) - len(names); n > 0 {
			more = fmt.Sprintf(" and %d more", n)
		}
		reportWith(pass, left[0], others, "%d callsites %s: %s%s. This is what overridden weak functions leave behind; ftrace patches them, and shows them under the names of the functions before them (%s)",
			len(left), are, strings.Join(names, ", "), more, plural(functionsOf(im, left), "function"))
	}
}

// functionsOf is how many symbols callsites are shown under.
func functionsOf(im *elfscan.Image, sites []uint64) int {
	var at []uint64
	for _, a := range sites {
		if s, ok := im.SymbolAt(a); ok {
			at = append(at, s.Addr)
		}
	}
	slices.Sort(at)
	return len(slices.Compact(at))
}
