package elfscan

import (
	"debug/dwarf"
	"fmt"
)

// CompileUnit is the DWARF of the compile unit that covers addr, and of that
// alone, and the unit's offset in .debug_info. d is nil if no unit covers addr,
// or if the image has no .debug_info.
func (im *Image) CompileUnit(addr uint64) (d *dwarf.Data, off uint64, err error) {
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
		return nil, 0, nil
	}
	off, ok, err := t.unitAt(addr)
	if err != nil || !ok {
		return nil, 0, err
	}
	d, _, _, err = t.rootDIE(off)
	return d, off, err
}
