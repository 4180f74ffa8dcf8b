package checks

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/world"
)

// FT413 finds functions that were built with a callsite and have no entry in
// the callsite table.
var FT413 = check("FT413", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	t := pass.ResultOf[Sites].(*SiteTable)
	shape := t.Shape
	if im.Module() == nil {
		if known, none := sitesOf(pass); known == nil {
			return notApplicable("%v", none)
		}
	} else if kernel := moduleKernel(pass).Kernel; shape == nil && kernel != nil {
		of, _ := callsite.Of(kernel)
		if of.Shape == nil {
			return notApplicable("no ftrace in the kernel")
		}
		shape = of.Shape
	}
	var skipped []error
	if shape != nil && !shape.AtEntry() {
		const lack = "calls of _mcount without an entry are not looked for"
		if im.Module() == nil {
			return notApplicable("functions of era %s have no NOPs, and %s", t.Era, lack)
		}
		skipped = []error{&world.Lack{What: "functions themselves (" + lack + ")"}}
	}
	found, functions := t.Unrecorded(shape)
	if len(found) > 0 {
		other, err := otherNOPs(im)
		if err != nil {
			return inconclusive("%s begins with the NOPs of a callsite and has no entry in the callsite table, and whether they are for something else cannot be told: %w", im.At(found[0].Func), err)
		}
		found = slices.DeleteFunc(found, other)
	}
	for _, o := range t.OtherTables {
		found = slices.DeleteFunc(found, func(s callsite.Site) bool { _, in := slices.BinarySearch(o.Addrs, s.Entry); return in })
		for _, a := range o.Addrs {
			if s := t.SiteAs(a, cmp.Or(shape, t.Guess(a))); s.Text && !t.Contains(a) {
				s.Func = cmp.Or(s.Func, a) // behind the prologue
				found = append(found, s)
			}
		}
	}
	if len(found) > 0 {
		slices.SortFunc(found, func(a, b callsite.Site) int { return cmp.Compare(a.Func, b.Func) })
		reportUnrecorded(pass, t, found)
	}
	return partly(skipped, "%s, %s", plural.Of(functions, "function"), plural.Of(len(t.Addrs), "callsite"))
}, Sites, InKernel)

// reportUnrecorded reports functions that have a callsite and no entry in the
// table: all in one finding, as they have one reason.
func reportUnrecorded(pass *analysis.Pass, t *SiteTable, found []callsite.Site) {
	im := image(pass)
	first := found[0]
	who, others := labelOf(im, first.Func)+" has", ""
	if n := len(found); n > 1 {
		who = fmt.Sprintf("%s and %s have", labelOf(im, first.Func), plural.Of(n-1, "other function"))
		var names []string
		for _, s := range found[1:min(n, 4)] {
			names = append(names, im.At(s.Func))
		}
		others = strings.Join(names, ", ")
		if n > 4 {
			others += ", ..."
		}
	}
	why, fix := "no entry was made for it, or a tool dropped it", "Look for what rewrote the object or its sections behind the compiler"
	if im.Module() != nil && t.Section == "" {
		why, fix = "the module has no section "+im.Arch().Modules.Tables[0], "Look for what dropped the section behind the compiler"
	}
	for _, o := range t.OtherTables {
		read := t.Section
		if read == o.Section {
			read = "the first of that name"
		}
		why = fmt.Sprintf("the module has another section %s, with %s, and the loader looks at %s alone", o.Section, plural.Of(len(o.Addrs), "entry"), read)
		fix = "Link the module with the kernel's module.lds, which makes one section of them"
	}
	site := "a callsite"
	if w, ok := im.Word(first.Call); ok && w == a64.NOP {
		site = "the NOPs of a callsite"
	}
	c := say("%s %s and no entry in the callsite table", who, site).
		Because("%s has it at %#x", im.At(first.Func), first.Entry)
	if others != "" {
		c = c.Because("the others: %s", others)
	}
	report(pass, first.Func, c.Because("ftrace does not know of it, so that it can be neither traced nor livepatched").Because("%s", why).Do("%s", fix))
}

// otherNOPs tells NOPs of a callsite from those that stand at a function's
// beginning for another reason: an alternative or a jump label may take their
// place, or the code must not be instrumented. It is an error if a table of
// them cannot be read.
func otherNOPs(im *elfscan.Image) (is func(callsite.Site) bool, err error) {
	type span struct{ start, end uint64 }
	var spans []span
	for _, m := range im.Arch().Tables {
		if m.Section == "" {
			continue
		}
		start, _, b := tableBytes(im, m)
		if start == 0 {
			continue
		}
		size := entrySize(im, m, start, b)
		if len(b) == 0 || size == 0 {
			return nil, fmt.Errorf("%s (%#x) is not a table of entries of %v bytes that point at code", m.Section, start, m.Sizes)
		}
		eachEntry(m, start, b, size, func(_ int, code, covered uint64) { spans = append(spans, span{code, code + covered}) })
	}
	for _, r := range noinstr {
		start, ok1 := im.Addr(r.start)
		if end, ok2 := im.Addr(r.end); ok1 && ok2 {
			spans = append(spans, span{start, end})
		}
	}
	return func(s callsite.Site) bool {
		return slices.ContainsFunc(spans, func(p span) bool { return p.start <= s.Call && s.Entry < p.end })
	}, nil
}
