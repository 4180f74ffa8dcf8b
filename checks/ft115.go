package checks

import (
	"encoding/binary"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/plural"
)

// FT115 finds metadata that points into what a builder copies.
var FT115 = check("FT115", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	t := pass.ResultOf[Template].(*TemplateRegions)
	if t == nil {
		return notApplicable(noTemplate)
	}
	total, tables := 0, 0
	for _, m := range im.Arch().Tables {
		start, stop, b := tableBytes(im, m)
		if start == 0 {
			continue
		}
		size := entrySize(im, m, start, b)
		if len(b) == 0 || size == 0 {
			return inconclusive("%s..%s (%#x..%#x) is not a table of entries of %v bytes that point at code", m.Start, m.Stop, start, stop, m.Sizes)
		}
		tables++
		eachEntry(m, start, b, size, func(i int, code, covered uint64) {
			total++
			for _, r := range t.Regions {
				if code < r.Limit() && code+covered > r.Start {
					report(pass, max(code, r.Start), say("%s in the template %s", m.What, m.Lost).
						Because("entry %d of %s, at %#x, points at %s, %s", i, m.Start, start+uint64(i*size), im.At(code), text(im, code)).
						Because("a builder copies %s (%#x..%#x)", r.Label, r.Start, r.Limit()).
						Do("Keep such code out of the template, or have the builder apply it"))
				}
			}
		})
	}
	if tables == 0 {
		return notApplicable("the image has no alternatives, jump labels or exception table")
	}
	return examined("%s of %s", plural.Of(total, "entry"), plural.Of(tables, "table"))
}, Template)

// tableBytes are the bytes of the table, with relocations applied, and the addresses of
// its start and end: 0 if the image has no such table.
func tableBytes(im *elfscan.Image, m arch.Table) (start, stop uint64, b []byte) {
	if mod := im.Module(); mod != nil {
		s, _ := mod.Section(m.Section)
		if r, ok := im.SectionAt(s.Addr); ok && s.Size > 0 {
			return r.Addr, r.End(), im.Relocated(r)
		}
		return 0, 0, nil
	}
	start, ok1 := im.Addr(m.Start)
	stop, ok2 := im.Addr(m.Stop)
	if !ok1 || !ok2 || stop <= start {
		return 0, 0, nil
	}
	b, _ = im.Bytes(start, int(min(stop-start, uint64(im.Size()))))
	return start, stop, b
}

// eachEntry calls f with the number of each entry, and the address and size of the code
// that it covers.
func eachEntry(m arch.Table, start uint64, b []byte, size int, f func(i int, code, covered uint64)) {
	for off := 0; off+size <= len(b); off += size {
		covered := uint64(1)
		if m.Length != 0 {
			covered = uint64(b[off+size-m.Length])
		}
		f(off/size, start+uint64(off)+uint64(int64(int32(binary.LittleEndian.Uint32(b[off:])))), covered)
	}
}

// entrySize is the size of the table's entries in bytes: the first of the
// possible sizes with which every entry points at code, or 0 if no size fits.
func entrySize(im *elfscan.Image, m arch.Table, start uint64, b []byte) int {
sizes:
	for _, size := range m.Sizes {
		if len(b)%size != 0 {
			continue
		}
		for off := 0; off < len(b); off += size {
			if !im.IsText(start + uint64(off) + uint64(int64(int32(binary.LittleEndian.Uint32(b[off:]))))) {
				continue sizes
			}
		}
		return size
	}
	return 0
}
