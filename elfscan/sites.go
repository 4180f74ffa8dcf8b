package elfscan

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/ftlint/ftlint/a64"
)

// Sites is the callsite table of an image: what stands between
// __start_mcount_loc and __stop_mcount_loc once relocations are applied, or in
// a module's section __patchable_function_entries or __mcount_loc.
type Sites struct {
	Start, End uint64   // addresses of the table
	Table      []uint64 // all entries, in the table's order
	Addrs      []uint64 // the entries that are not blank, by address
	Blank      int      // entries that are zero: the build blanked an overridden weak function's
	FromRela   int      // entries whose value stands in a RELA addend
	FromRelr   int      // entries that a RELR relocation covers: the value stands in place
}

// Form says in words how the table's values are stored.
func (s *Sites) Form() string {
	switch {
	case s.FromRela > 0 && s.FromRelr > 0:
		return fmt.Sprintf("%d by RELA, %d by RELR relocations", s.FromRela, s.FromRelr)
	case s.FromRela > 0:
		return "RELA relocations"
	case s.FromRelr > 0:
		return "RELR relocations"
	}
	return "values in place"
}

// Place is where in the table the entry with value addr stands: "entry 12 of
// the callsite table (0xffff...)".
func (s *Sites) Place(addr uint64) string {
	i := slices.Index(s.Table, addr)
	return fmt.Sprintf("entry %d of the callsite table (%#x)", i, s.Start+uint64(i)*8)
}

// Contains tells whether the table has an entry with value addr.
func (s *Sites) Contains(addr uint64) bool {
	_, ok := slices.BinarySearch(s.Addrs, addr)
	return ok
}

// Sites reads the callsite table, once. It is nil if the image has none and
// has no ftrace either, or is a module without callsites. Errors are of type *Error: boundary symbols that are
// missing or reversed, a table of odd size or outside the image, values that
// no relocation fills in.
func (im *Image) Sites() (*Sites, error) { return im.sites() }

// siteTable is where the callsite table of a linked image lies, by its boundary
// symbols; ok is false if there is none.
func (im *Image) siteTable() (start, stop uint64, ok bool, err error) {
	const startName, stopName = "__start_mcount_loc", "__stop_mcount_loc"
	fail := func(format string, args ...any) (uint64, uint64, bool, error) {
		return 0, 0, false, &Error{im.Path, "callsite table", fmt.Sprintf(format, args...)}
	}
	start, ok1 := im.Addr(startName)
	stop, ok2 := im.Addr(stopName)
	switch {
	case !ok1 && !ok2:
		if _, dynamic := im.Lookup("ftrace_make_call"); dynamic {
			return fail("the image has ftrace_make_call, but neither %s nor %s", startName, stopName)
		}
		return 0, 0, false, nil
	case !ok1:
		return fail("symbol %s is missing (%s is %#x)", startName, stopName, stop)
	case !ok2:
		return fail("symbol %s is missing (%s is %#x)", stopName, startName, start)
	case stop < start:
		return fail("reversed: %s is %#x, %s is %#x", startName, start, stopName, stop)
	}
	return start, stop, true, nil
}

func (im *Image) readSites() (*Sites, error) {
	fail := func(format string, args ...any) (*Sites, error) {
		return nil, &Error{im.Path, "callsite table", fmt.Sprintf(format, args...)}
	}
	find := im.siteTable
	if im.module != nil {
		find = im.moduleTable
	}
	start, stop, ok, err := find()
	if err != nil || !ok {
		return nil, err
	}
	size := stop - start
	if size%8 != 0 {
		return fail("its size, %#x bytes, is not a multiple of 8 (%#x..%#x)", size, start, stop)
	}
	if im.module != nil {
		if err := im.relocProblem(); err != nil {
			return nil, err
		}
	}
	if size > uint64(im.Size()) {
		return fail("%#x..%#x is larger than the file", start, stop)
	}
	b, ok := im.Bytes(start, int(size))
	if !ok && size > 0 {
		return fail("%#x..%#x does not lie in one section with file bytes", start, stop)
	}
	s := &Sites{Start: start, End: stop, Table: make([]uint64, size/8)}
	for i := range s.Table {
		s.Table[i] = binary.LittleEndian.Uint64(b[i*8:])
	}
	misplaced, from := uint64(0), start
	if im.module == nil {
		from -= min(start, 7) // one that begins before the table may reach into it
	}
	err = im.eachRela(from, stop, func(r reloc) {
		if (r.addr-start)%8 != 0 {
			misplaced = r.addr
			return
		}
		s.Table[(r.addr-start)/8] = r.value
		s.FromRela++
	})
	if err != nil {
		return nil, err
	}
	if misplaced != 0 {
		return fail("a relocation at %#x is not at an entry", misplaced)
	}
	if s.FromRelr, err = im.countRelr(start, stop); err != nil {
		return nil, err
	}
	s.Addrs = make([]uint64, 0, len(s.Table))
	for _, v := range s.Table {
		if v != 0 {
			s.Addrs = append(s.Addrs, v)
		}
	}
	s.Blank = len(s.Table) - len(s.Addrs)
	if len(s.Table) > 0 && len(s.Addrs) == 0 {
		return fail("all %d entries are zero, and no relocation fills them in", len(s.Table))
	}
	if !slices.IsSorted(s.Addrs) {
		slices.Sort(s.Addrs)
	}
	return s, nil
}

// Shape is what the words at a callsite look like, in terms of the eras.
type Shape uint8

const (
	ShapeUnknown Shape = iota
	ShapeMcount        // BL, at the entry itself
	ShapeNops          // NOP NOP at the function's entry, [BTI c] before them
	ShapeCallops       // NOP NOP before the function, then [BTI c] NOP NOP
)

var shapeNames = [...]string{"unknown", "`bl _mcount`", "`nop; nop` at the function's entry", "`nop; nop` before the function and `nop; nop` in it"}

func (s Shape) String() string { return shapeNames[s] }

// Shape is the shape that callsites have in era e.
func (e Era) Shape() Shape {
	switch e {
	case EraMcount:
		return ShapeMcount
	case EraRegs, EraArgs, EraDyntramp:
		return ShapeNops
	case EraCallops:
		return ShapeCallops
	}
	return ShapeUnknown
}

// A Site is one callsite, taken apart.
type Site struct {
	Entry  uint64 // the value in the table
	Func   uint64 // where the function begins; not known (0) for ShapeMcount
	Call   uint64 // where the BL to the entry code stands, or will stand
	Saved  int8   // the register that LR is saved in, if the words say so; else -1
	BTI    bool   // a landing pad stands in it
	OK     bool   // the words are those of the shape
	Text   bool   // the entry lies in an executable section
	AtFunc bool   // a function symbol, or a label, stands at Func
}

// SiteAs takes the callsite at entry apart as one of the given shape. The
// words may be as built or as the kernel leaves them at run time: the first
// NOP replaced by MOV Xn, LR; the second by BL; the literal before a function
// by a pointer.
func (im *Image) SiteAs(entry uint64, shape Shape) Site {
	section, _ := im.SectionAt(entry)
	s := im.takeApart(entry, shape, section)
	s.AtFunc = im.FunctionAt(s.Func)
	return s
}

// SitesAs is SiteAs of many entries, which must be in ascending order.
func (im *Image) SitesAs(entries []uint64, shape Shape) []Site {
	out := make([]Site, len(entries))
	ix := im.addrs()
	var section *Range
	k := 0 // in ix
	for i, entry := range entries {
		if section == nil || entry-section.Addr >= section.Size {
			section, _ = im.SectionAt(entry)
		}
		s := im.takeApart(entry, shape, section)
		for k < len(ix) && im.symAddr(ix[k]) < s.Func {
			k++
		}
		for k > 0 && im.symAddr(ix[k-1]) >= s.Func { // entries ascend, functions nearly do
			k--
		}
		for j := k; j < len(ix) && im.symAddr(ix[j]) == s.Func && !s.AtFunc; j++ {
			s.AtFunc = im.isCode(ix[j])
		}
		out[i] = s
	}
	return out
}

// takeApart is SiteAs without AtFunc. section is the one that entry lies in,
// or nil.
func (im *Image) takeApart(entry uint64, shape Shape, section *Range) Site {
	s := Site{Entry: entry, Saved: -1, Text: section != nil && section.Executable()}
	var data []byte
	var at uint64 // of entry in data
	if section != nil {
		data, at = section.data, entry-section.Addr
	}
	if shape == ShapeMcount && im.module != nil && section != nil {
		data = im.relocated(section) // BL _mcount is the only word with a relocation
	}
	word := func(off uint64) uint32 { // at entry+off; 0 where there is none
		if i := at + off; i < uint64(len(data)) && uint64(len(data))-i >= a64.Size {
			return binary.LittleEndian.Uint32(data[i:])
		}
		return 0
	}
	pair := uint64(0) // of the two NOPs in the function, from entry
	switch shape {
	case ShapeMcount:
		s.Call = entry
		s.OK = word(0) == a64.NOP || im.callsTracer(word(0), entry)
		return s
	case ShapeNops:
		s.Func = entry
		if at >= a64.Size && word(^uint64(a64.Size)+1) == a64.BTIc {
			s.BTI = true
			s.Func -= a64.Size
		}
	case ShapeCallops:
		pair = 8
		s.Func = entry + pair
		if word(pair) == a64.BTIc {
			s.BTI = true
			pair += a64.Size
		}
	default:
		return s
	}
	s.Call = entry + pair + a64.Size
	first, second := word(pair), word(pair+a64.Size)
	initialised := false
	if rd, rm, mov := a64.IsMOV(first); mov && rm == a64.LR {
		s.Saved, initialised = int8(rd), true
	}
	s.OK = (first == a64.NOP || initialised) && (second == a64.NOP || initialised && a64.Classify(second) == a64.Call)
	if shape == ShapeCallops && s.OK && !initialised {
		// The literal: NOPs as built, a pointer to an ftrace_ops at run time.
		s.OK = word(0) == a64.NOP && word(a64.Size) == a64.NOP
	}
	return s
}

// callsTracer tells whether w at pc is a BL to _mcount or, patched, to the
// entry code.
func (im *Image) callsTracer(w uint32, pc uint64) bool {
	if a64.Classify(w) != a64.Call {
		return false
	}
	target, _ := a64.Target(w, pc)
	if im.module != nil {
		return im.moduleCalls(target)
	}
	for _, name := range []string{"_mcount", "ftrace_caller", "ftrace_regs_caller"} {
		if a, ok := im.Addr(name); ok && a == target {
			return true
		}
	}
	return false
}

// Era tells the generation of ftrace in the image by its symbols, and where
// those of two eras agree by the first callsites.
func (im *Image) Era() Era { return im.era() }

func (im *Image) findEra() Era {
	if im.module != nil {
		return im.moduleEra()
	}
	has := func(names ...string) bool {
		for _, n := range names {
			if _, ok := im.Lookup(n); ok {
				return true
			}
		}
		return false
	}
	switch {
	case has("ftrace_caller_end", "ftrace_regs_caller_end", "function_trace_op_ptr", "ftrace_common_end"):
		return EraDyntramp
	case has("ftrace_regs_caller", "ftrace_common"):
		return EraRegs
	}
	entry := has("ftrace_caller")
	if !entry && !has("_mcount") {
		return EraNone
	}
	if sites, err := im.Sites(); err == nil && sites != nil && len(sites.Addrs) > 0 {
		var votes [ShapeCallops + 1]int
		for _, a := range sites.Addrs[:min(64, len(sites.Addrs))] {
			votes[im.GuessShape(a)]++
		}
		switch best := slices.Index(votes[:], slices.Max(votes[:])); Shape(best) {
		case ShapeMcount:
			return EraMcount
		case ShapeNops:
			return EraArgs
		case ShapeCallops:
			return EraCallops
		}
	}
	switch {
	case has("_mcount"):
		return EraMcount
	case has("ftrace_call"):
		return EraArgs
	}
	return EraCallops
}

// GuessShape is the shape that the words at entry speak for. Four NOPs can be both
// shapes of NOPs: the symbol then tells where the function begins.
func (im *Image) GuessShape(entry uint64) Shape {
	if w, ok := im.Word(entry); ok && im.callsTracer(w, entry) {
		return ShapeMcount
	}
	return im.nopShape(entry)
}

// nopShape is GuessShape for callsites that are NOPs.
func (im *Image) nopShape(entry uint64) Shape {
	callops, nops := im.SiteAs(entry, ShapeCallops), im.SiteAs(entry, ShapeNops)
	switch {
	case callops.OK && nops.OK:
		if nops.AtFunc && !callops.AtFunc {
			return ShapeNops
		}
		return ShapeCallops
	case callops.OK:
		return ShapeCallops
	case nops.OK:
		return ShapeNops
	}
	return ShapeUnknown
}
