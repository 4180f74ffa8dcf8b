package elfscan

import (
	"debug/dwarf"
	"errors"
	"fmt"
)

// ErrNoDebugInfo says that an image has no DWARF.
var ErrNoDebugInfo = errors.New("no .debug_info")

// HasDebugInfo reports whether the image, or its debug file, has DWARF. It does not
// read the DWARF.
func (im *Image) HasDebugInfo() bool {
	t := im.lines()
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.section(".debug_info") != nil
}

// IndexesUnit reports whether CompileUnit finds the unit that covers addr without a
// search: .debug_aranges names it, and no section is compressed.
func (im *Image) IndexesUnit(addr uint64) bool {
	t := im.lines()
	t.mu.Lock()
	defer t.mu.Unlock()
	defer Guard()()
	for _, name := range []string{".debug_aranges", ".debug_abbrev", ".debug_info"} {
		if s := t.section(name); s == nil || compressed(s) {
			return false
		}
	}
	_, ok := t.unitByAranges(addr)
	return ok
}

// CompileUnit is the DWARF of the one compile unit that covers addr. d is nil if
// no unit covers addr. The error is ErrNoDebugInfo if the image has no DWARF.
func (im *Image) CompileUnit(addr uint64) (d *dwarf.Data, err error) {
	t := im.lines()
	t.mu.Lock()
	defer t.mu.Unlock()
	defer Guard()()
	defer func() { // debug/dwarf may panic on damage
		if r := recover(); r != nil {
			d, err = nil, fmt.Errorf("damaged DWARF: %v", r)
		}
	}()
	if t.section(".debug_info") == nil {
		return nil, ErrNoDebugInfo
	}
	off, ok, err := t.unitAt(addr)
	if err != nil || !ok {
		return nil, err
	}
	d, _, _, err = t.rootDIE(off)
	return d, err
}
