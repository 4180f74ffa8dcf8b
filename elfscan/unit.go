package elfscan

import (
	"bytes"
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

// EachUnitNaming calls do with the DWARF of each compile unit that may have an entry of
// that name, until do returns false. It reads all of .debug_info, which takes a second.
// Units that name their entries by index (clang's DW_FORM_strx) are left out.
func (im *Image) EachUnitNaming(name string, do func(d *dwarf.Data) bool) (err error) {
	t := im.lines()
	t.mu.Lock()
	defer t.mu.Unlock()
	defer Guard()()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("damaged DWARF: %v", r)
		}
	}()
	if t.section(".debug_info") == nil {
		return ErrNoDebugInfo
	}
	info, err := t.bytes(".debug_info")
	if err != nil {
		return err
	}
	texts, err := t.bytes(".debug_str")
	if err != nil {
		return err
	}
	// The linker puts a text that others end in behind their beginnings: each place
	// where the name ends a text may be the name's.
	places := map[uint32]bool{}
	first, last := ^uint32(0), uint32(0)
	for at, want := 0, []byte(name+"\x00"); ; at++ {
		i := bytes.Index(texts[at:], want)
		if i < 0 {
			break
		}
		at += i
		places[uint32(at)] = true
		first, last = min(first, uint32(at)), max(last, uint32(at))
	}
	const header = 11 // bytes of the shortest header of a unit
	for off := uint64(0); off < uint64(len(info)) && len(places) > 0; {
		unit, next, err := unitBytes(info, off)
		if err != nil {
			return err
		}
		named := false
		for i := header; i+4 <= len(unit) && !named; i++ {
			v := uint32(unit[i]) | uint32(unit[i+1])<<8 | uint32(unit[i+2])<<16 | uint32(unit[i+3])<<24
			named = v-first <= last-first && places[v]
		}
		if named {
			d, _, _, err := t.rootDIE(off)
			if err != nil {
				return err
			}
			if !do(d) {
				return nil
			}
		}
		off = next
	}
	return nil
}
