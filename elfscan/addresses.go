package elfscan

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/ftlint/ftlint/arch"
)

// Addresses is a table of addresses in an image, relocations applied.
type Addresses struct {
	Start, End uint64   // addresses of the table
	Values     []uint64 // in the table's order
	FromRela   int      // the number of entries whose value stands in a RELA addend
	FromRelr   int      // the number of entries with a RELR relocation, whose value stands in place
}

// Form says in words how the table's values are stored.
func (t *Addresses) Form() string {
	switch {
	case t.FromRela > 0 && t.FromRelr > 0:
		return fmt.Sprintf("%d by RELA, %d by RELR relocations", t.FromRela, t.FromRelr)
	case t.FromRela > 0:
		return "RELA relocations"
	case t.FromRelr > 0:
		return "RELR relocations"
	}
	return "values in place"
}

// Addresses reads the table of addresses between start and stop. what names the
// table in errors. Errors are of type *Error: the table has an odd size or lies
// outside the image, or a relocation is not at an entry.
func (im *Image) Addresses(what string, start, stop uint64) (*Addresses, error) {
	fail := func(format string, args ...any) (*Addresses, error) {
		return nil, &Error{im.Path, what, fmt.Sprintf(format, args...)}
	}
	size := stop - start
	if size%8 != 0 {
		return fail("its size, %#x bytes, is not a multiple of 8 (%#x..%#x)", size, start, stop)
	}
	if size > uint64(im.Size()) {
		return fail("%#x..%#x is larger than the file", start, stop)
	}
	b, ok := im.Bytes(start, int(size))
	if !ok && size > 0 {
		return fail("%#x..%#x does not lie in one section with file bytes", start, stop)
	}
	t := &Addresses{Start: start, End: stop, Values: make([]uint64, size/8)}
	for i := range t.Values {
		t.Values[i] = binary.LittleEndian.Uint64(b[i*8:])
	}
	misplaced, from := uint64(0), start
	if im.module == nil {
		from -= min(start, 7) // a relocation that begins before the table may reach into it
	}
	err := im.eachRela(from, stop, func(r reloc) {
		if (r.addr-start)%8 != 0 {
			misplaced = r.addr
			return
		}
		t.Values[(r.addr-start)/8] = r.value
		t.FromRela++
	})
	if err != nil {
		return nil, err
	}
	if misplaced != 0 {
		return fail("a relocation at %#x is not at an entry", misplaced)
	}
	if t.FromRelr, err = im.countRelr(start, stop); err != nil {
		return nil, err
	}
	return t, nil
}

// AddressesOf reads the table of addresses in section i of a module. i is the
// section's number in the file. The loader fills the table by 64-bit relocations
// alone. what and errors are as for Addresses.
func (im *Image) AddressesOf(what string, i int) (*Addresses, error) {
	s := im.module.Sections[i]
	if s.Part == NoPart {
		return nil, &Error{im.Path, sectionAt(i, s.Name), "the " + what + " is not loaded (SHF_ALLOC is not set)"}
	}
	if s.Size%8 == 0 {
		if err := im.relocProblem(i); err != nil {
			return nil, err
		}
	}
	return im.Addresses(what, s.Addr, s.Addr+s.Size)
}

// relocProblem is an error if a relocation of section i, a table of addresses,
// is not at an entry.
func (im *Image) relocProblem(i int) error {
	s := im.module.Sections[i]
	var err error
	known := &im.arch.Relocs
	im.eachModReloc(i, ^uint64(0), func(r modReloc) {
		switch {
		case err != nil:
		case r.off >= s.Size || s.Size-r.off < 8 || r.off%8 != 0:
			err = &Error{im.Path, "relocations of " + clean(s.Name),
				fmt.Sprintf("one is for offset %#x of a table of %#x bytes: a multiple of 8 inside was expected", r.off, s.Size)}
		case r.typ != known.Absolute[0] && !slices.Contains(known.Delta, r.typ) && !slices.Contains(known.None, r.typ):
			err = &Error{im.Path, "relocations of " + clean(s.Name), fmt.Sprintf("%s at offset %#x: %s was expected", im.relocName(r.typ), r.off, im.relocName(known.Absolute[0]))}
		}
	})
	return err
}

// relocName is the name of a type of relocation.
func (im *Image) relocName(typ uint32) string {
	if im.arch == arch.X86 {
		return elf.R_X86_64(typ).String()
	}
	return elf.R_AARCH64(typ).String()
}
