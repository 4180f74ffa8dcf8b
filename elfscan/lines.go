package elfscan

import (
	"bytes"
	"debug/dwarf"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"go/token"
	"io"
	"math"
	"path"
	"strings"
	"sync"

	"github.com/go-delve/delve/pkg/dwarf/line"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/internal/plural"
)

// A Line is a line of a source file. File is relative to the kernel tree
// ("arch/arm64/kernel/entry-ftrace.S") if the debug information shows where the
// tree begins.
type Line struct {
	File string
	Line int // from 1
	Col  int // from 1, in bytes; 0 if the debug information has none, as that of assembly
}

// at reports whether two lines are the same, wherever on the line they begin.
func (l Line) at(m Line) bool { return l.File == m.File && l.Line == m.Line }

// positions hands out token.Pos for addresses. The image is one token.File;
// each address that is asked for takes the next offset in it. Only Position
// looks up the source line, because most findings of a long list are counted
// and never shown.
type positions struct {
	mu    sync.Mutex
	file  *token.File
	of    map[spot]token.Pos
	spots []spot // by offset; the first is unused
}

// A spot is what has a position: an address, or the call that was inlined around it.
type spot struct {
	addr uint64
	call bool
}

const (
	maxPositions       = 1 << 28
	maxModulePositions = 1 << 20 // less, as there are many modules
)

// owner is the image that pos belongs to: im or, if im is a module, perhaps the
// kernel that it is loaded into.
func (im *Image) owner(pos token.Pos) *Image {
	if im.module != nil && im.module.Kernel != nil {
		if k := im.module.Kernel; k.positions.file != nil && k.positions.file.Base() <= int(pos) && int(pos) <= k.positions.file.Base()+k.positions.file.Size() {
			return k
		}
	}
	return im
}

// AddTo makes the image a file of fset, so that Pos can be used. A token.Pos is
// an int: on a 32-bit host a file set has room for a few images or 2,000 modules.
// If fset is half full, the image becomes the only file of another set. The other
// half is room for files that are added at the same time.
func (im *Image) AddTo(fset *token.FileSet) {
	size, base := maxPositions, -1
	if im.module != nil {
		size = maxModulePositions
	}
	if fset.Base() > math.MaxInt/2-size {
		fset = token.NewFileSet()
		if im.module != nil && im.module.Kernel != nil { // see owner
			if k := im.module.Kernel.positions.file; k != nil && k.Base() <= size+1 {
				base = k.Base() + k.Size() + 1
			}
		}
	}
	im.positions.file = fset.AddFile(im.Path, base, size)
	im.positions.of = map[spot]token.Pos{}
	im.positions.spots = []spot{{}}
}

// Added reports whether AddTo was called.
func (im *Image) Added() bool { return im.positions.file != nil }

// FilePos is the position of the image itself.
func (im *Image) FilePos() token.Pos { return im.positions.file.Pos(0) }

// Pos is the position of addr. Once the image has no room for another position,
// Pos is the position of the image itself.
func (im *Image) Pos(addr uint64) token.Pos { return im.pos(spot{addr: addr}) }

// PosOfCall is the position of the call that the compiler has inlined around addr:
// of the innermost, if there are several. If there is none it is that of addr.
func (im *Image) PosOfCall(addr uint64) token.Pos { return im.pos(spot{addr, true}) }

func (im *Image) pos(s spot) token.Pos {
	p := &im.positions
	p.mu.Lock()
	defer p.mu.Unlock()
	pos, ok := p.of[s]
	if !ok {
		if len(p.spots) > p.file.Size() {
			return p.file.Pos(0)
		}
		pos = p.file.Pos(len(p.spots))
		p.of[s] = pos
		p.spots = append(p.spots, s)
	}
	return pos
}

// PosAddr is the address whose position is pos. ok is false if pos is the
// position of the image itself or of another file.
func (im *Image) PosAddr(pos token.Pos) (addr uint64, ok bool) {
	s, ok := im.owner(pos).positions.spotOf(pos)
	return s.addr, ok
}

func (p *positions) spotOf(pos token.Pos) (s spot, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	off := int(pos) - p.file.Base()
	if off <= 0 || off >= len(p.spots) {
		return spot{}, false
	}
	return p.spots[off], true
}

// Position is the source line that DWARF names for the address of pos, or the
// image's path and no line. It reads the DWARF of the compile unit that the
// address lies in.
func (im *Image) Position(pos token.Pos) token.Position {
	im = im.owner(pos)
	if s, ok := im.positions.spotOf(pos); ok {
		l, ok := im.Line(s.addr)
		if s.call {
			if calls := im.Inlined(s.addr); len(calls) > 0 {
				l, ok = calls[0], true
			}
		}
		if ok {
			return token.Position{Filename: l.File, Line: l.Line, Column: max(l.Col, 1)}
		}
	}
	return token.Position{Filename: im.Path}
}

// A Pad is a sequence of instructions at the entry of a function that the
// compiler leaves to be patched. Compilers leave pads out of their line tables:
// by the table, a pad would have the line of the code before it.
type Pad struct {
	Start, End uint64 // addresses of the first instruction, and behind the last
	Func       uint64 // address of the function
}

// SetPads has Line ask padAt for the pad that an address of the image lies in.
// An image that PlaceAt makes has the same padAt.
func (im *Image) SetPads(padAt func(im *Image, addr uint64) (Pad, bool)) { im.padAt = padAt }

// Line is the source line of addr. Every instruction of a pad has the line of
// the function. So has the first instruction of a function, if code of another file
// is inlined there.
func (im *Image) Line(addr uint64) (Line, bool) {
	t := im.lines()
	t.mu.Lock()
	defer t.mu.Unlock()
	l, ok := t.find(addr, false)
	if fn, found := im.SymbolAt(addr); found && fn.Addr == addr && fn.Type == elf.STT_FUNC {
		if of, found := t.find(addr, true); found && of.File != l.File {
			l, ok = of, true
		}
	}
	if im.padAt == nil {
		return l, ok
	}
	pad, in := im.padAt(im, addr)
	if !in {
		return l, ok
	}
	before, _ := t.find(pad.Start-a64.Size, false)
	if ok && !l.at(before) {
		return l, ok
	}
	for _, at := range []uint64{pad.Func, pad.End} {
		if of, found := t.find(at, true); found && !of.at(before) {
			return of, true
		}
	}
	return l, ok
}

// LineProblem says why a source line that was asked for could not be read: no
// DWARF, or damaged DWARF. It is nil if there was no such line.
func (im *Image) LineProblem() error {
	t := im.lines()
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.problem
}

// lineTables finds source lines.
type lineTables struct {
	mu      sync.Mutex
	im      *Image // the image that has the DWARF
	units   map[uint64]*line.DebugLineInfo
	infos   []unitRange // ranges of the units that .debug_aranges lacks
	scanned bool
	problem error
	cache   map[string][]byte // sections that had to be unpacked
}

type unitRange struct{ lo, hi, offset uint64 }

func (im *Image) findLineTables() *lineTables {
	t := &lineTables{im: im.debug, units: map[uint64]*line.DebugLineInfo{}, cache: map[string][]byte{}}
	if im.module != nil {
		t.im, t.problem = im.debugOfModule()
	}
	return t
}

var errNoDWARF = errors.New("no DWARF line tables (.debug_line)")

// find is the source line of addr. If a table has several lines for addr, find
// gives the first (of a function: the line that it begins on) or the last (of
// code that is inlined there). An error is kept in t.problem; a finding then
// falls back to symbol+offset.
func (t *lineTables) find(addr uint64, first bool) (l Line, ok bool) {
	undo := Guard()
	defer undo()
	defer func() { // debug/dwarf and the line table reader panic on damage
		if r := recover(); r != nil {
			l, ok = Line{}, false
			t.problem = fmt.Errorf("damaged DWARF: %v", r)
		}
	}()
	l, err := t.lookup(addr, first)
	if err != nil {
		t.problem = err
	}
	return l, err == nil && l.Line > 0
}

func (t *lineTables) lookup(addr uint64, first bool) (Line, error) {
	if t.section(".debug_line") == nil || t.section(".debug_info") == nil {
		return Line{}, errNoDWARF
	}
	off, ok, err := t.unitAt(addr)
	if err != nil || !ok {
		return Line{}, err
	}
	info, err := t.unit(off)
	if err != nil {
		return Line{}, err
	}
	// Of several rows at one address the reader gives the first or, asked for
	// the middle of the instruction, the last. Where no row covers the address
	// it gives line 1 of the unit's first file.
	pc := addr
	if !first {
		pc++
	}
	file, n := info.PCToLine(0, pc)
	// Line 0 is code that the compiler attributes to no line: clang does so with
	// constants and addresses that it makes ahead of the statement that uses
	// them. find then gives the line of the next instruction that has one.
	if s, ok := t.im.SymbolAt(addr); ok && file != "" && n == 0 {
		for end := min(s.End(), addr+maxAhead); n == 0 && pc+a64.Size < end; {
			pc += a64.Size
			file, n = info.PCToLine(0, pc)
		}
	}
	if file == "" || n <= 1 {
		return Line{}, nil
	}
	l := Line{File: kernelPath(info.IncludeDirs[0], file), Line: n}
	l.Col, err = t.column(off, pc, n)
	return l, err
}

// column is the column of the row for pc, which is of the unit at off and has line
// n; 0 if the row has none. The reader of line tables keeps columns to itself,
// that of the standard library does not.
func (t *lineTables) column(off, pc uint64, n int) (int, error) {
	d, entry, _, err := t.rootDIE(off)
	if err != nil || entry == nil {
		return 0, err
	}
	r, err := d.LineReader(entry)
	if err != nil || r == nil {
		return 0, err
	}
	var row, next dwarf.LineEntry
	col := 0
	for have := false; ; have = true {
		if err := r.Next(&next); err != nil {
			return col, nil // the end, or damage that the other reader did not mind
		}
		if have && !row.EndSequence && row.Address <= pc && pc < next.Address && row.Line == n {
			col = row.Column
			if !next.EndSequence && next.Address != row.Address {
				return col, nil
			}
		}
		row = next
	}
}

// maxAhead is how far behind an address without a line find looks for a line, in
// bytes.
const maxAhead = 64 * a64.Size

// A debug section unpacks to at most maxSection bytes, and to at most
// maxRatio times its size in the file: DWARF packs to a third or so.
const (
	maxSection = 512 << 20
	maxRatio   = 64
)

// section is the debug section of that name, which may be compressed (then
// its old name begins with .z).
func (t *lineTables) section(name string) *elf.Section {
	for _, name := range []string{name, ".z" + name[1:]} {
		if s := t.im.file.Section(name); s != nil && s.Type != elf.SHT_NOBITS {
			return s
		}
	}
	return nil
}

// compressed reports whether the section is.
func compressed(s *elf.Section) bool {
	return s.Flags&elf.SHF_COMPRESSED != 0 || strings.HasPrefix(s.Name, ".z")
}

// bytes are the contents of a section, unpacked if need be. They are empty if
// there is no such section.
func (t *lineTables) bytes(name string) ([]byte, error) {
	s := t.section(name)
	if s == nil {
		return nil, nil
	}
	if b, ok := t.cache[name]; ok {
		return b, nil
	}
	if !compressed(s) {
		b := t.im.data[s.Offset : s.Offset+s.FileSize]
		if t.im.module != nil {
			b = t.im.debugSection(s, b)
			t.cache[name] = b
		}
		return b, nil
	}
	limit := min(maxSection, int64(s.FileSize)*maxRatio)
	b, err := io.ReadAll(io.LimitReader(s.Open(), limit+1))
	if err != nil {
		return nil, fmt.Errorf("damaged %s: %v", s.Name, err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("damaged %s: it unpacks to more than %s", s.Name, plural.Of(limit, "byte"))
	}
	if t.im.module != nil {
		b = t.im.debugSection(s, b)
	}
	t.cache[name] = b
	return b, nil
}

// unitAt is the offset in .debug_info of the unit that covers addr.
func (t *lineTables) unitAt(addr uint64) (off uint64, ok bool, err error) {
	if off, ok := t.unitByAranges(addr); ok {
		return off, true, nil
	}
	return t.unitByScan(addr) // .debug_info is the largest part of an image
}

// unitByAranges is the offset in .debug_info of the unit that covers addr, by
// .debug_aranges (DWARF 5, 6.1.2).
func (t *lineTables) unitByAranges(addr uint64) (off uint64, ok bool) {
	t.eachAranges(func(unit uint64, tuples []byte) bool {
		le := binary.LittleEndian
		for ; len(tuples) >= 16; tuples = tuples[16:] {
			lo, size := le.Uint64(tuples), le.Uint64(tuples[8:])
			if addr-lo < size {
				off, ok = unit, true
				return false
			}
		}
		return true
	})
	return off, ok
}

// eachAranges calls do for the units that .debug_aranges names, with their
// ranges there, until do returns false. whole reports whether the table is there
// and undamaged.
func (t *lineTables) eachAranges(do func(unit uint64, tuples []byte) bool) (whole bool) {
	le := binary.LittleEndian
	b, err := t.bytes(".debug_aranges")
	if err != nil || len(b) == 0 {
		return false
	}
	for len(b) >= 12 {
		n := uint64(le.Uint32(b)) + 4
		if n > uint64(len(b)) || n < 16 {
			return false
		}
		set := b[:n]
		b = b[n:]
		if le.Uint16(set[4:]) != 2 || set[10] != 8 || set[11] != 0 {
			return false
		}
		if !do(uint64(le.Uint32(set[6:])), set[16:]) {
			break
		}
	}
	return true
}

// unitByScan is the offset in .debug_info of the unit that covers addr, by the
// units' own ranges. It looks at the units that .debug_aranges does not name.
// clang's assembler writes that table and its C compiler does not, so that a
// kernel that clang built has the table for its assembly alone.
func (t *lineTables) unitByScan(addr uint64) (off uint64, ok bool, err error) {
	if !t.scanned {
		t.scanned = true
		info, err := t.bytes(".debug_info")
		if err != nil {
			return 0, false, err
		}
		named := map[uint64]bool{}
		if !t.eachAranges(func(unit uint64, _ []byte) bool { named[unit] = true; return true }) {
			clear(named)
		}
		for off := uint64(0); off < uint64(len(info)); {
			if named[off] {
				_, next, err := unitBytes(info, off)
				if err != nil {
					return 0, false, err
				}
				off = next
				continue
			}
			d, entry, next, err := t.rootDIE(off)
			if err != nil {
				return 0, false, err
			}
			if entry != nil {
				ranges, err := d.Ranges(entry)
				if err != nil {
					return 0, false, fmt.Errorf("damaged .debug_info, unit at %#x: %v", off, err)
				}
				for _, r := range ranges {
					t.infos = append(t.infos, unitRange{r[0], r[1], off})
				}
			}
			off = next
		}
	}
	for _, u := range t.infos {
		if u.lo <= addr && addr < u.hi {
			return u.offset, true, nil
		}
	}
	return 0, false, nil
}

// unitBytes is the unit at off in .debug_info, and the offset of the next.
func unitBytes(info []byte, off uint64) (unit []byte, next uint64, err error) {
	if off > uint64(len(info)) || uint64(len(info))-off < 11 {
		return nil, 0, fmt.Errorf("damaged .debug_info: no unit at %#x of %#x", off, len(info))
	}
	n := uint64(binary.LittleEndian.Uint32(info[off:])) + 4
	if n > uint64(len(info))-off { // or a unit of DWARF64 (0xffffffff), which no kernel has
		return nil, 0, fmt.Errorf("damaged .debug_info: the unit at %#x is %#x bytes long, %#x are left", off, n, uint64(len(info))-off)
	}
	return info[off : off+n], off + n, nil
}

// rootDIE is the first entry of the unit at off in .debug_info, and the
// offset of the next unit. Only that unit is looked at.
func (t *lineTables) rootDIE(off uint64) (d *dwarf.Data, entry *dwarf.Entry, next uint64, err error) {
	info, err := t.bytes(".debug_info")
	if err != nil {
		return nil, nil, 0, err
	}
	unit, next, err := unitBytes(info, off)
	if err != nil {
		return nil, nil, 0, err
	}
	sections := map[string][]byte{}
	for _, name := range []string{".debug_abbrev", ".debug_line", ".debug_ranges", ".debug_str", ".debug_addr", ".debug_line_str", ".debug_str_offsets", ".debug_rnglists"} {
		if sections[name], err = t.bytes(name); err != nil {
			return nil, nil, 0, err
		}
	}
	d, err = dwarf.New(sections[".debug_abbrev"], nil, nil, unit, sections[".debug_line"], nil, sections[".debug_ranges"], sections[".debug_str"])
	for _, name := range []string{".debug_addr", ".debug_line_str", ".debug_str_offsets", ".debug_rnglists"} {
		if err == nil && sections[name] != nil {
			err = d.AddSection(name, sections[name])
		}
	}
	if err == nil {
		entry, err = d.Reader().Next()
	}
	if err != nil {
		return nil, nil, 0, fmt.Errorf("damaged .debug_info, unit at %#x: %v", off, err)
	}
	return d, entry, next, nil
}

// unit is the line table of the unit at off in .debug_info.
func (t *lineTables) unit(off uint64) (*line.DebugLineInfo, error) {
	if info, ok := t.units[off]; ok {
		return info, nil
	}
	_, entry, _, err := t.rootDIE(off)
	if err != nil {
		return nil, err
	}
	if entry == nil {
		return nil, fmt.Errorf("damaged .debug_info: the unit at %#x is empty", off)
	}
	stmts, ok := entry.Val(dwarf.AttrStmtList).(int64)
	if !ok {
		return nil, fmt.Errorf(".debug_info: the unit at %#x has no line table", off)
	}
	dir, _ := entry.Val(dwarf.AttrCompDir).(string)
	all, err := t.bytes(".debug_line")
	if err != nil {
		return nil, err
	}
	program, err := lineProgram(all, uint64(stmts))
	if err != nil {
		return nil, err
	}
	strs, err := t.bytes(".debug_line_str")
	if err != nil {
		return nil, err
	}
	info := line.Parse(dir, bytes.NewBuffer(program), strs, nil, 0, false, 8)
	if info == nil || len(info.FileNames) == 0 || len(info.IncludeDirs) == 0 {
		return nil, fmt.Errorf("damaged .debug_line: the program at %#x names no files", stmts)
	}
	t.units[off] = info
	return info, nil
}

// maxLineProgram is the largest line program that is read, in bytes. The
// largest of a kernel has some 300 KB.
const maxLineProgram = 64 << 20

// lineProgram is a copy of the line number program at off. Its lengths, table
// sizes and opcodes, which the reader trusts, are checked.
func lineProgram(all []byte, off uint64) ([]byte, error) {
	le := binary.LittleEndian
	fail := func(format string, args ...any) ([]byte, error) {
		return nil, fmt.Errorf("damaged .debug_line: the program at %#x "+format, append([]any{off}, args...)...)
	}
	if off > uint64(len(all)) || uint64(len(all))-off < 16 {
		return fail("lies outside its %#x bytes", len(all))
	}
	n := uint64(le.Uint32(all[off:])) + 4
	if n > uint64(len(all))-off || n > maxLineProgram || n < 32 {
		return fail("is %#x bytes long, %#x are left", n, uint64(len(all))-off)
	}
	b := bytes.Clone(all[off : off+n]) // the reader may write to it
	version, at := le.Uint16(b[4:]), 6
	if version < 2 || version > 5 {
		return fail("is of version %d", version)
	}
	if version >= 5 {
		if b[6] != 8 || b[7] != 0 {
			return fail("has addresses of %s", plural.Of(b[6], "byte"))
		}
		at = 8
	}
	header := uint64(le.Uint32(b[at:]))
	end := uint64(at) + 4 + header
	if end > n {
		return fail("has a header of %#x bytes", header)
	}
	at += 4 + 1 // min_instruction_length
	if version >= 4 {
		at++ // maximum_operations_per_instruction
	}
	at += 2 // default_is_stmt, line_base
	lineRange, opcodeBase := b[at], b[at+1]
	if lineRange == 0 {
		return fail("has a line range of 0")
	}
	if opcodeBase == 0 || opcodeBase > 13 {
		return fail("has %s", plural.Of(int(opcodeBase)-1, "standard opcode"))
	}
	at += 2 + int(opcodeBase) - 1
	if version < 5 {
		return b, nil
	}
	// The tables of directories and files: the reader makes room for as many
	// entries as they claim.
	r := bytes.NewReader(b[min(uint64(at), end):end])
	for range 2 {
		format, err := r.ReadByte()
		if err != nil {
			return fail("is cut off in its header")
		}
		forms := make([]uint64, format)
		for i := range forms {
			if _, err := binary.ReadUvarint(r); err != nil {
				return fail("is cut off in its header")
			}
			if forms[i], err = binary.ReadUvarint(r); err != nil {
				return fail("is cut off in its header")
			}
		}
		count, err := binary.ReadUvarint(r)
		if err != nil || count > uint64(r.Len()) {
			return fail("claims %s or files in %#x bytes", plural.Of(count, "directory"), r.Len())
		}
		for range count {
			for _, form := range forms {
				if err := skipForm(r, form); err != nil {
					return fail("names a directory or file by %v", err)
				}
			}
		}
	}
	return b, nil
}

// skipForm skips an attribute of the given form (DWARF 5, 7.5.6). It knows the
// forms that may stand in a line table header.
func skipForm(r *bytes.Reader, form uint64) error {
	size := int64(0)
	switch form {
	case 0x08: // DW_FORM_string
		for {
			c, err := r.ReadByte()
			if err != nil || c == 0 {
				return err
			}
		}
	case 0x0f, 0x1a: // udata, strx
		_, err := binary.ReadUvarint(r)
		return err
	case 0x09: // block
		n, err := binary.ReadUvarint(r)
		if err != nil || n > uint64(r.Len()) {
			return io.ErrUnexpectedEOF
		}
		size = int64(n)
	case 0x0b, 0x25: // data1, strx1
		size = 1
	case 0x05, 0x26: // data2, strx2
		size = 2
	case 0x06, 0x0e, 0x1f, 0x28: // data4, strp, line_strp, strx4
		size = 4
	case 0x07: // data8
		size = 8
	case 0x1e: // data16
		size = 16
	default:
		return fmt.Errorf("form %#x", form)
	}
	if size > int64(r.Len()) {
		return io.ErrUnexpectedEOF
	}
	_, err := r.Seek(size, io.SeekCurrent)
	return err
}

// topDirs are the folders at the top of a kernel tree that hold code.
var topDirs = map[string]bool{
	"arch": true, "block": true, "certs": true, "crypto": true, "drivers": true, "fs": true,
	"include": true, "init": true, "io_uring": true, "ipc": true, "kernel": true, "lib": true,
	"mm": true, "net": true, "rust": true, "samples": true, "security": true, "sound": true,
	"tools": true, "usr": true, "virt": true,
}

// SourceName is the path of a file of the kernel's sources as findings show it. dir is
// the directory that the compiler ran in; "" if it is not known.
func SourceName(dir, file string) string { return kernelPath(dir, file) }

// kernelPath is the path of file relative to the kernel tree. The debug
// information names it by other paths, as distributions build in folders of their
// own ("debian/build/build_arm64/arch/arm64/kernel/ftrace.c") or with absolute
// paths. A file that is in no known folder keeps its name, less the directory dir
// that the compiler ran in.
func kernelPath(dir, file string) string {
	file = path.Clean(file)
	if rest, ok := strings.CutPrefix(file, path.Clean(dir)+"/"); ok {
		file = rest
	}
	parts := strings.Split(file, "/")
	if topDirs[parts[0]] || len(parts) == 1 {
		return file
	}
	for i := range parts[:len(parts)-1] { // the surest sign first
		if parts[i] == "arch" && (parts[i+1] == "arm64" || parts[i+1] == "x86") {
			return strings.Join(parts[i:], "/")
		}
	}
	for i := range parts[:len(parts)-1] {
		if topDirs[parts[i]] {
			return strings.Join(parts[i:], "/")
		}
	}
	return file
}
