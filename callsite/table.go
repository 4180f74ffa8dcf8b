// Package callsite is about the callsites of ftrace. It reads the table that
// lists them, tells the era by their shapes, and executes the kernel's own
// functions on them: the life of a callsite is compared with a model. It also
// executes the loader of modules, which writes their PLTs for ftrace.
package callsite

import (
	"fmt"
	"slices"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/plural"
)

// A Table is the callsite table of an image, with relocations applied. It stands
// between __start_mcount_loc and __stop_mcount_loc, or in a module's section
// __patchable_function_entries or __mcount_loc.
type Table struct {
	Image *elfscan.Image
	Arch  *arch.Arch
	Era   *arch.Era
	Shape *arch.Shape // of the callsites of the era; nil if it is not known

	Entries *elfscan.Addresses // as they stand; nil if the image has no table
	Addrs   []uint64           // the entries that are not zero, by address
	Blank   int                // the number of entries that are zero: the build blanks those of overridden weak functions

	Section     string       // name of a module's section with the table; "" if there is none
	OtherTables []OtherTable // further sections that list callsites

	tracers [3]uint64 // of a linked image: addresses of the functions that a callsite may call
}

// An OtherTable is a section of a module that lists callsites and that the
// loader ignores: it takes the first section of the name it knows.
type OtherTable struct {
	Section string
	Addrs   []uint64 // the entries that are not blank
}

// A key is the key by which an image keeps its Table.
type key struct{}

// Of is the callsite table of the image, which is read once. The Table is never
// nil. With an error, or if the image has no callsites, Entries is nil and symbols
// tell Era. Errors are of type *elfscan.Error: boundary symbols are missing or
// reversed, the table has an odd size or lies outside the image, or no relocation
// fills it in.
func Of(im *elfscan.Image) (*Table, error) {
	type result struct {
		t   *Table
		err error
	}
	r := im.Derived(key{}, func() any {
		t, err := readTable(im)
		return result{t, err}
	}).(result)
	return r.t, r.err
}

func readTable(im *elfscan.Image) (*Table, error) {
	t := &Table{Image: im, Arch: im.Arch(), Era: arch.None}
	if im.Module() == nil {
		t.tracers = t.findTracers()
	}
	err := t.read()
	if im.Module() != nil {
		t.Era = t.moduleEra()
	} else {
		t.Era = t.imageEra()
	}
	t.Shape = t.Era.Shape
	return t, err
}

// findTracers are the functions that a callsite of the image may call, as it is built
// or while it is enabled: 0 for one that the image does not have.
func (t *Table) findTracers() (out [3]uint64) {
	names := [...]string{"", "ftrace_caller", "ftrace_regs_caller"}
	for _, shape := range t.Arch.Shapes {
		if shape.Tracer != "" {
			names[0] = shape.Tracer
		}
	}
	for i, name := range names {
		out[i], _ = t.Image.Addr(name)
	}
	return out
}

// Attach tells the image which instructions belong to callsites. Their NOPs have
// no source lines of their own, and get those of their functions.
func Attach(im *elfscan.Image) {
	im.SetPads(func(im *elfscan.Image, addr uint64) (elfscan.Pad, bool) {
		s, ok := around(im, addr)
		return elfscan.Pad{Start: s.Entry, End: s.Call + im.Arch().CallSize, Func: s.Func}, ok
	})
}

// Place is the place in the table of the entry with value addr, in words: "entry
// 12 of the callsite table (0xffff...)".
func (t *Table) Place(addr uint64) string {
	i := slices.Index(t.Entries.Values, addr)
	return fmt.Sprintf("entry %d of the callsite table (%#x)", i, t.Entries.Start+uint64(i)*8)
}

// Contains reports whether the table has an entry with value addr.
func (t *Table) Contains(addr uint64) bool {
	_, ok := slices.BinarySearch(t.Addrs, addr)
	return ok
}

// tableName names the table in errors.
const tableName = "callsite table"

// read sets Entries, Addrs and Blank.
func (t *Table) read() (err error) {
	var entries *elfscan.Addresses
	if t.Image.Module() != nil {
		entries, err = t.ofModule()
	} else {
		entries, err = t.ofImage()
	}
	if err != nil || entries == nil {
		return err
	}
	addrs := make([]uint64, 0, len(entries.Values))
	for _, v := range entries.Values {
		if v != 0 {
			addrs = append(addrs, v)
		}
	}
	if len(entries.Values) > 0 && len(addrs) == 0 {
		if n := entries.FromRela + entries.FromRelr; n > 0 {
			return t.fail("all %s are zero, and the relocations at %d of them leave them so (their addends are 0)", plural.Of(len(entries.Values), "entry"), n)
		}
		return t.fail("all %s are zero, and no relocation fills them in", plural.Of(len(entries.Values), "entry"))
	}
	if !slices.IsSorted(addrs) {
		slices.Sort(addrs)
	}
	t.Entries, t.Addrs, t.Blank = entries, addrs, len(entries.Values)-len(addrs)
	return nil
}

func (t *Table) fail(format string, args ...any) error {
	return &elfscan.Error{Path: t.Image.Path, Where: tableName, What: fmt.Sprintf(format, args...)}
}

// ofImage reads the table of a linked image, between two boundary symbols. It is
// nil if the image has neither the symbols nor dynamic ftrace.
func (t *Table) ofImage() (*elfscan.Addresses, error) {
	const startName, stopName = "__start_mcount_loc", "__stop_mcount_loc"
	im := t.Image
	start, ok1 := im.Addr(startName)
	stop, ok2 := im.Addr(stopName)
	switch {
	case !ok1 && !ok2:
		if _, dynamic := im.Lookup("ftrace_make_call"); dynamic {
			return nil, t.fail("the image has ftrace_make_call, but neither %s nor %s", startName, stopName)
		}
		return nil, nil
	case !ok1:
		return nil, t.fail("symbol %s is missing (%s is %#x)", startName, stopName, stop)
	case !ok2:
		return nil, t.fail("symbol %s is missing (%s is %#x)", stopName, startName, start)
	case stop < start:
		return nil, t.fail("reversed: %s is %#x, %s is %#x", startName, start, stopName, stop)
	}
	return im.Addresses(tableName, start, stop)
}

// ofModule reads the table of a module, from the first section of a name that the
// loader knows.
func (t *Table) ofModule() (entries *elfscan.Addresses, err error) {
	for _, name := range t.Arch.Modules.Tables {
		for i, s := range t.Image.Module().Sections {
			switch {
			case s.Name != name:
			case t.Section == "":
				t.Section = name
				entries, err = t.Image.AddressesOf(tableName, i)
			default:
				t.other(name, i)
			}
		}
	}
	return entries, err
}

// other notes section i as one that the loader does not look at, if it has
// entries.
func (t *Table) other(name string, i int) {
	entries, err := t.Image.AddressesOf(tableName, i)
	if err != nil {
		return // nobody reads it
	}
	addrs := slices.DeleteFunc(slices.Clone(entries.Values), func(a uint64) bool { return a == 0 })
	if len(addrs) > 0 {
		slices.Sort(addrs)
		t.OtherTables = append(t.OtherTables, OtherTable{name, addrs})
	}
}
