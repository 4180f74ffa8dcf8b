package checks

import (
	"fmt"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/elfscan"
)

// FT401 finds callsites whose words are those of no era. Words of another
// era's shape are FT410.
var FT401 = check("FT401", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	t, none := sitesOf(pass)
	if t == nil {
		return notApplicable("%v", none)
	}
	for _, s := range t.Callsites {
		a := s.Entry
		if !s.Text || s.OK {
			continue
		}
		if _, mixed := t.otherShape(a); mixed {
			continue
		}
		when := "at boot"
		if im.Module() != nil {
			when = "when the module is loaded"
		}
		report(pass, a, "callsite %s is not %s, as era %s has it: %s. %s; ftrace refuses it %s and switches itself off",
			t.name(im, a), t.Shape, t.Era, words(im, a, t.Shape), t.Place(a), when)
	}
	return examined("%d callsites", len(t.Addrs))
}, Sites)

// words shows the instructions of a callsite.
func words(im *elfscan.Image, entry uint64, shape *arch.Shape) string {
	n := shape.Words
	var out []string
	for a := entry; len(out) < n; a += a64.Size {
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
