package checks

import (
	"encoding/binary"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/plural"
)

// A metaTable is a table of the image whose entries point at code. Each entry
// begins with the signed 32-bit offset from the entry to the code.
type metaTable struct {
	what        string // what an entry is
	lost        string // what an entry does not do for the copy
	start, stop string // symbols
	sizes       []int  // possible sizes of an entry in bytes, newest first
	length      int    // offset of the byte with the number of bytes of code that the entry covers; 0 if it covers one instruction
	section     string // the table's section in a module; "" if the table does not replace NOPs
}

var metaTables = []metaTable{
	// struct alt_instr
	{"an alternative", "is not applied to the copy", "__alt_instructions", "__alt_instructions_end", []int{12}, 10, ".altinstructions"},
	// struct jump_entry
	{"a jump label", "never switches in the copy", "__start___jump_table", "__stop___jump_table", []int{16}, 0, "__jump_table"},
	// struct exception_table_entry: 12 bytes since "arm64: extable: add `type` and `data` fields"
	{"an exception-table entry", "does not cover the copy, where a fault is fatal", "__start___ex_table", "__stop___ex_table", []int{12, 8}, 0, ""},
}

// FT115 finds metadata that points into what a builder copies.
var FT115 = check("FT115", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	t := pass.ResultOf[Template].(*TemplateRegions)
	if t == nil {
		return notApplicable(noTemplate)
	}
	total, tables := 0, 0
	for _, m := range metaTables {
		start, stop, b := m.bytes(im)
		if start == 0 {
			continue
		}
		size := entrySize(im, m, start, b)
		if len(b) == 0 || size == 0 {
			return inconclusive("%s..%s (%#x..%#x) is not a table of entries of %v bytes that point at code", m.start, m.stop, start, stop, m.sizes)
		}
		tables++
		m.each(start, b, size, func(i int, code, covered uint64) {
			total++
			for _, r := range t.Regions {
				if code < r.Limit() && code+covered > r.Start {
					report(pass, max(code, r.Start), say("%s in the template %s", m.what, m.lost).
						Because("entry %d of %s, at %#x, points at %s, %s", i, m.start, start+uint64(i*size), im.At(code), text(im, code)).
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

// bytes are the bytes of the table, with relocations applied, and the addresses of
// its start and end: 0 if the image has no such table.
func (m metaTable) bytes(im *elfscan.Image) (start, stop uint64, b []byte) {
	if mod := im.Module(); mod != nil {
		s, _ := mod.Section(m.section)
		if r, ok := im.SectionAt(s.Addr); ok && s.Size > 0 {
			return r.Addr, r.End(), im.Relocated(r)
		}
		return 0, 0, nil
	}
	start, ok1 := im.Addr(m.start)
	stop, ok2 := im.Addr(m.stop)
	if !ok1 || !ok2 || stop <= start {
		return 0, 0, nil
	}
	b, _ = im.Bytes(start, int(min(stop-start, uint64(im.Size()))))
	return start, stop, b
}

// each calls f with the number of each entry, and the address and size of the code
// that it covers.
func (m metaTable) each(start uint64, b []byte, size int, f func(i int, code, covered uint64)) {
	for off := 0; off+size <= len(b); off += size {
		covered := uint64(a64.Size)
		if m.length != 0 {
			covered = uint64(b[off+m.length])
		}
		f(off/size, start+uint64(off)+uint64(int64(int32(binary.LittleEndian.Uint32(b[off:])))), covered)
	}
}

// entrySize is the size of the table's entries in bytes: the first of the
// possible sizes with which every entry points at code, or 0 if no size fits.
func entrySize(im *elfscan.Image, m metaTable, start uint64, b []byte) int {
sizes:
	for _, size := range m.sizes {
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
