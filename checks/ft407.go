package checks

import (
	"debug/elf"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
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
		if !t.Shape.AtEntry() {
			// The callsite stands behind the prologue, so it lies within a function.
			if s, ok := im.SymbolAt(a); ok && s.Type == elf.STT_FUNC && s.Size > 0 && a >= s.End() {
				left = append(left, a)
			}
			continue
		}
		if site.AtFunc || !site.OK {
			continue // a malformed callsite: FT401
		}
		if _, mixed := t.otherShape(a); mixed {
			continue // FT410
		}
		if t.BTI > 0 && slices.ContainsFunc(t.Shape.Places(), func(place uint64) bool { return im.FunctionAt(a - place) }) {
			continue // of a function that has lost its landing pad: ftrace uses it
		}
		left = append(left, a)
	}
	kernel, _ := kernelOf(pass)
	disabled := false
	if kernel != nil {
		_, disabled = kernel.Lookup(weakCheck)
	}
	it := "ftrace patches it, and shows it under the name of the function before it"
	them := "ftrace patches them, and shows them under the names of the functions before them"
	switch {
	case kernel == nil:
		it = "whether the kernel disables it is to be seen in its vmlinux: give that, too"
		them = "whether the kernel disables them is to be seen in its vmlinux: give that, too"
	case disabled:
		it, them = "this kernel disables it", "this kernel disables them"
	}
	reportLeft(pass, t, left, it, them)
	return finding.Outcome{Examined: plural.Of(len(t.Addrs), "callsite"), Harmless: disabled || kernel == nil}, nil
}, Sites, InKernel)

// weakCheck is the function that kernels have that disable callsites at boot, and
// in modules as they are loaded, which lie too far behind a symbol
// (FTRACE_MCOUNT_MAX_OFFSET).
const weakCheck = "ftrace_check_work_func"

// reportLeft reports the callsites that belong to no function, at the first; it and
// them say what becomes of one, and of several.
func reportLeft(pass *analysis.Pass, t *SiteTable, left []uint64, it, them string) {
	im := image(pass)
	where := "in or behind"
	are, is := "are not at the entry of a function", "is not at the entry of a function"
	if !t.Shape.AtEntry() {
		are, is, where = "lie in no function", "lies in no function", "behind"
	}
	fix := `Build with a scripts/sorttable that drops them ("scripts/sorttable: Zero out weak functions in mcount_loc table")`
	if im.Module() != nil {
		fix = "Compile the weak default only where nothing overrides it"
	}
	switch len(left) {
	case 0:
	case 1:
		report(pass, left[0], say("callsite %s %s", labelOf(im, left[0]), is).
			Because("it is at %#x", left[0]).
			Because("this is what an overridden weak function leaves behind; %s", it).
			Do("%s", fix))
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
		report(pass, left[0], say("%s %s", plural.Of(len(left), "callsite"), are).
			Because("they lie %s %s: %s%s", where, plural.Of(functionsOf(im, left), "function"), strings.Join(names, ", "), more).
			Because("this is what overridden weak functions leave behind; %s", them).
			Do("%s", fix), others...)
	}
}

// functionsOf is of how many symbols callsites get the names.
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
