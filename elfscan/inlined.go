package elfscan

import (
	"debug/dwarf"
	"fmt"
	"slices"
)

// Inlined are the source lines of the calls that the compiler has inlined around
// addr, the innermost first: the first is the line that calls what addr belongs to.
// The result is empty if nothing is inlined there, or if the debug information does
// not say so.
func (im *Image) Inlined(addr uint64) (calls []Line) {
	d, err := im.CompileUnit(addr)
	if err != nil || d == nil {
		return nil
	}
	undo := Guard()
	defer undo()
	defer func() { // debug/dwarf panics on damage
		if recover() != nil {
			calls = nil
		}
	}()
	r := d.Reader()
	unit, err := r.Next()
	if err != nil || unit == nil {
		return nil
	}
	dir, _ := unit.Val(dwarf.AttrCompDir).(string)
	lines, err := d.LineReader(unit)
	if err != nil || lines == nil {
		return nil
	}
	files := lines.Files()
	for {
		e, err := r.Next()
		if err != nil || e == nil {
			break
		}
		switch e.Tag {
		case dwarf.TagSubprogram, dwarf.TagInlinedSubroutine, dwarf.TagLexDwarfBlock:
		default:
			if e.Children {
				r.SkipChildren()
			}
			continue
		}
		if !covers(d, e, addr) {
			r.SkipChildren()
			continue
		}
		file, ok1 := e.Val(dwarf.AttrCallFile).(int64)
		n, ok2 := e.Val(dwarf.AttrCallLine).(int64)
		if e.Tag == dwarf.TagInlinedSubroutine && ok1 && ok2 && file >= 0 && file < int64(len(files)) && files[file] != nil {
			col, _ := e.Val(dwarf.AttrCallColumn).(int64)
			calls = append(calls, Line{kernelPath(dir, files[file].Name), int(n), int(col)})
		}
	}
	slices.Reverse(calls)
	return calls
}

// LineOfCall is the source line whose position is PosOfCall(addr), as "file:line", or
// the address if its line is not known.
func (im *Image) LineOfCall(addr uint64) string {
	l, ok := im.Line(addr)
	if calls := im.Inlined(addr); len(calls) > 0 {
		l, ok = calls[0], true
	}
	if !ok {
		return fmt.Sprintf("%#x", addr)
	}
	return fmt.Sprintf("%s:%d", l.File, l.Line)
}

// covers reports whether an entry's code, which can be in several ranges, contains
// addr. A block without ranges of its own is looked into.
func covers(d *dwarf.Data, e *dwarf.Entry, addr uint64) bool {
	ranges, err := d.Ranges(e)
	if err != nil {
		return false
	}
	return e.Tag == dwarf.TagLexDwarfBlock && len(ranges) == 0 ||
		slices.ContainsFunc(ranges, func(r [2]uint64) bool { return r[0] <= addr && addr < r[1] })
}
