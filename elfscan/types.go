package elfscan

import (
	"debug/dwarf"
	"fmt"
)

// TypesAt is the DWARF of the compile unit that covers addr, and of that alone:
// for the layout of types where the image has no BTF.
func (im *Image) TypesAt(addr uint64) (d *dwarf.Data, err error) {
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
		return nil, fmt.Errorf("no .debug_info")
	}
	off, ok, err := t.unitAt(addr)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("no unit of .debug_info covers %#x", addr)
	}
	d, _, _, err = t.rootDIE(off)
	return d, err
}
