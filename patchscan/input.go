package patchscan

import (
	"cmp"
	"fmt"
	"go/token"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ftlint/ftlint/internal/plural"
)

// MaxInput is the size of the largest input that is read, in bytes.
const MaxInput = 256 << 20

// memoryPerByte is the most memory that reading and judging an input takes, in
// bytes for each byte of the input, including garbage that is not collected yet.
// Without garbage it is 66 for added lines that are empty, some 20 for code, and 6
// for a patch with little of arm64.
const memoryPerByte = 128

// An Input is the contents of one file or of standard input: patches, or one
// source file.
type Input struct {
	Path    string
	Patches []*Patch // in the order of the input; a cover letter is a Patch without Files
	Source  *File    // the source file, with all its lines; nil for patches
	Notes   []Note   // things that were skipped or looked wrong

	// Letters are the cover letters of the series that are in other inputs.
	Letters []*Patch

	// AllLines has checks judge the context lines of patches too.
	AllLines bool

	// Known reports whether the kernel has a name; nil if nothing is known of it.
	Known func(name string) bool

	// Symbol reports whether the image that was built with the patches has a symbol;
	// nil if there is no image. Macros, members and inlined functions have none.
	Symbol func(name string) bool

	// Context are files of the kernel's tree that the patches' code has to do with.
	// None of their lines are judged.
	Context []*File

	base     map[string]*File  // files that the patches touch, as the kernel's tree has them
	own      int32             // number of rows of the input itself, if rows of the tree follow; else 0
	rows     []row             // all lines that were read, decoded and unwrapped
	pieces   map[int32][]piece // of the rows that a mail program wrapped, by index into rows
	parts    []part            // of an input that Join made
	file     *token.File
	notShown int // number of notes beyond maxNotes
}

// A part is an input that Join put into another.
type part struct {
	path string
	row  int32 // the first
}

// Join makes one input of several, which are the patches of a series in files of
// their own. The patches become those of the new input; of the inputs only Path,
// Patches and Notes are valid then. Positions of the new input are lines of the
// files.
func Join(inputs []*Input) *Input {
	joined := &Input{Path: inputs[0].Path, AllLines: inputs[0].AllLines, Letters: inputs[0].Letters, pieces: map[int32][]piece{}}
	for _, in := range inputs {
		shift := int32(len(joined.rows))
		joined.parts = append(joined.parts, part{in.Path, shift})
		joined.rows = append(joined.rows, in.rows...)
		for r, pieces := range in.pieces {
			joined.pieces[r+shift] = pieces
		}
		joined.Patches = append(joined.Patches, in.Patches...)
		for _, p := range in.Patches {
			for _, rows := range [][]TextRow{p.Message, p.Remarks} {
				for i := range rows {
					rows[i].row += shift
				}
			}
			for _, f := range p.Files {
				for _, h := range f.Hunks {
					for i := range h.Lines {
						h.Lines[i].row += shift
					}
				}
			}
		}
	}
	return joined
}

// FileOf is a file of the kernel's tree, with all its lines; none of them counts as
// added.
func FileOf(path, text string) *File {
	f := &File{Path: path, Lang: LangOf(path), Arch: ArchOf(path)}
	h := &Hunk{Line: 1, Old: 1}
	for i, l := range splitLines(text) {
		h.Lines = append(h.Lines, Line{Op: ' ', Text: l, Num: i + 1, row: int32(i)})
	}
	f.Hunks = []*Hunk{h}
	return f
}

// add is FileOf with the lines among those of the input, behind its own. A position
// in it is one of the tree's file.
func (in *Input) add(path, text string) *File {
	f := FileOf(path, text)
	if len(in.parts) == 0 {
		in.parts = []part{{in.Path, 0}}
	}
	shift := int32(len(in.rows))
	in.parts = append(in.parts, part{path, shift})
	lines := f.Hunks[0].Lines
	for i := range lines {
		lines[i].row += shift
		in.rows = append(in.rows, row{text: lines[i].Text, at: int32(i + 1)})
	}
	if in.own == 0 {
		in.own = shift
	}
	return f
}

// AddContext adds a file of the tree to Context. The input has no positions yet.
func (in *Input) AddContext(path, text string) {
	in.Context = append(in.Context, in.add(path, text))
}

// SetBase gives a file that the patches touch, as the kernel's tree has it: without
// the patches, or with them. The input has no positions yet.
func (in *Input) SetBase(path, text string) {
	if in.base == nil {
		in.base = map[string]*File{}
	}
	in.base[path] = in.add(path, text)
}

// FromTree reports whether the line is one of the kernel's tree, and not of the
// patches.
func (in *Input) FromTree(l *Line) bool { return in.own > 0 && l.row >= in.own }

// Part is the index of the input, of those that Join has put together, in which a
// position is; 0 for any other input.
func (in *Input) Part(pos token.Pos) int {
	n := 0
	for n+1 < len(in.parts) && in.parts[n+1].row <= int32(in.file.Line(pos)-1) {
		n++
	}
	return n
}

// A row is one decoded line of the input, or several that a mail program made of one.
type row struct {
	text string // without its end
	at   int32  // the line of the input on which it begins
	enc  encoding

	stuffed bool // the input's line has a blank before text, put in by the mail program
	joined  bool // a row before has the text too
}

// A piece is what one line of the input has of a row.
type piece struct {
	col  int32  // byte of the row's text with which the piece begins
	skip int32  // bytes of the line before the piece
	at   int32  // the line's number in the input
	text string // the line, decoded
}

// piece is the first piece of the row, or all of it.
func (r *row) piece() piece {
	if r.stuffed {
		return piece{skip: 1, at: r.at, text: " " + r.text}
	}
	return piece{at: r.at, text: r.text}
}

// piecesOf are the pieces of a row, in order.
func (in *Input) piecesOf(r int32) []piece {
	if pieces, ok := in.pieces[r]; ok {
		return pieces
	}
	return []piece{in.rows[r].piece()}
}

// An encoding is the transfer encoding in which an input has a line.
type encoding uint8

const (
	asItIs encoding = iota
	quotedPrintable
	inBase64
)

func (e encoding) String() string { return [...]string{"", "quoted-printable", "base64"}[e] }

// A Note names a part of the input that was not read, or not read as it stands.
type Note struct {
	Line int // of the input; 0 for all of it
	Text string
}

// A Patch is one commit: a message and changes to files. Each mail of a mailbox
// is one Patch.
type Patch struct {
	Subject string    // decoded; "" if the patch has none
	Line    int       // of the input, where the patch begins
	Message []TextRow // the commit message, up to the "---"
	Remarks []TextRow // the text behind the "---", without the diffstat; git does not commit it
	Files   []*File
	Mail    Mail // whose the patch is, and where it was sent

	thread  string // Message-ID of the mail that its thread begins with; "" if it is not known
	fromGit bool   // it is one of the commits that git log or git format-patch wrote
}

// A Mail is what the header of a mail says, decoded. A field that it does not have is
// "".
type Mail struct {
	From, To, Cc, Date string
	ID                 string // Message-ID
	References         string
}

// A TextRow is a line of a message.
type TextRow struct {
	Text string
	row  int32 // index into Input.rows
	skip int32 // bytes of the row before Text
}

// A File is one file as a patch shows it: parts of the file, in hunks.
type File struct {
	Path    string // after the patch; of a removed file, before the patch
	Lang    Lang
	Arch    string // "arm64", "x86", ...; "" if the path names no architecture
	Hunks   []*Hunk
	New     bool
	Deleted bool
	Binary  bool
	Whole   bool // a source file: all lines are here, and all are judged

	composed bool // made by Compose of several changes
}

// A Hunk is a run of lines of a file.
type Hunk struct {
	Line    int    // of the input, where the header stands
	Header  string // the header as it stands, without quoting
	Old     int    // number of the first line before the patch; of lines that are put in alone, of the line behind
	Section string // what the header shows behind the second @@
	Lines   []Line
}

// A Line is one line of a hunk.
type Line struct {
	Op   byte   // '+' added, '-' removed, ' ' neither
	Text string // without operator, quoting, line end
	Num  int    // in the patched file; 0 for a removed line
	row  int32  // index into Input.rows
	skip int32  // bytes of the row before Text
}

// Open reads the file at path; "-" is standard input. A file whose name ends as
// C or assembly does (.c, .h, .S, .s) is a source file, unless it begins like a
// mail or a diff.
func Open(path string) (*Input, error) {
	name, r := path, io.Reader(os.Stdin)
	if path == "-" {
		name = "<stdin>"
	} else {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		r = f
	}
	return Read(name, r)
}

// Read is Open for a reader; name is the path of the input.
func Read(name string, r io.Reader) (*Input, error) {
	var text strings.Builder
	if f, ok := r.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && info.Size() < MaxInput {
			text.Grow(int(info.Size()) + 1)
		}
	}
	most := min(MaxInput, debug.SetMemoryLimit(-1)/memoryPerByte)
	n, err := io.Copy(&text, io.LimitReader(r, most+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case n > most && most < MaxInput:
		return nil, fmt.Errorf("%s: more than %d KiB, which may need more memory than GOMEMLIMIT has", name, most>>10)
	case n > MaxInput:
		return nil, fmt.Errorf("%s: more than %d MiB: that is not a patch", name, MaxInput>>20)
	}
	return Parse(name, text.String())
}

// Parse is Open for a text; name is the path of the input.
func Parse(name, text string) (*Input, error) {
	in := &Input{Path: name, pieces: map[int32][]piece{}}
	if decoded, ok := fromUTF16(text); ok {
		in.note(0, "the input is in UTF-16, and is read as such")
		text = decoded
	}
	if strings.TrimSpace(text) == "" {
		return nil, &noPatch{path: name, what: "it is empty", empty: true}
	}
	var err error
	switch what := "the patches, mails or sources that are read here"; {
	case strings.HasPrefix(text, "\x7fELF"):
		return nil, fmt.Errorf("%s: an ELF file, not %s: name the file, because an image is not read from a pipe", name, what)
	case strings.HasPrefix(text, "\x1f\x8b"), strings.HasPrefix(text, "\xfd7zXZ\x00"), strings.HasPrefix(text, "\x28\xb5\x2f\xfd"):
		return nil, fmt.Errorf("%s: compressed data, not %s: unpack patches first; name the file of an image", name, what)
	}
	if LangOf(name) != LangOther && !looksLikePatch(text) {
		in.readSource(text)
	} else {
		err = in.readPatches(text)
	}
	if err != nil {
		return nil, err
	}
	in.noteBytes()
	return in, nil
}

// looksLikePatch reports whether the text of a file with the name of a source file
// is a patch nevertheless.
func looksLikePatch(text string) bool {
	head, _, _ := strings.Cut(text, "\n")
	return strings.HasPrefix(head, "diff --git ") || isMboxFrom(head) || strings.HasPrefix(head, "--- a/")
}

// readSource makes the source file, of all lines of the input.
func (in *Input) readSource(text string) {
	f := &File{Path: sourcePath(in.Path), Lang: LangOf(in.Path), Whole: true}
	f.Arch = ArchOf(f.Path)
	if f.Arch == "" {
		if abs, err := filepath.Abs(in.Path); err == nil {
			f.Arch = ArchOf(filepath.ToSlash(abs))
		}
	}
	h := &Hunk{Line: 1}
	for i, l := range splitLines(text) {
		in.rows = append(in.rows, row{text: l, at: int32(i + 1)})
		h.Lines = append(h.Lines, Line{Op: '+', Text: l, Num: i + 1, row: int32(i)})
	}
	f.Hunks = []*Hunk{h}
	in.Source = f
}

func sourcePath(path string) string { return filepath.ToSlash(filepath.Clean(path)) }

// splitLines splits at \n and drops \r in front of it.
func splitLines(text string) []string {
	lines := make([]string, 0, strings.Count(text, "\n")+1)
	for text != "" {
		l, rest, _ := strings.Cut(text, "\n")
		lines = append(lines, strings.TrimSuffix(l, "\r"))
		text = rest
	}
	return lines
}

// noteBytes notes lines with bytes that do not belong in a text.
func (in *Input) noteBytes() {
	nul, bad := 0, 0
	var nulAt, badAt int32
	for i := range in.rows {
		t := in.rows[i].text
		if in.rows[i].joined {
			continue
		}
		if strings.IndexByte(t, 0) >= 0 {
			if nul++; nul == 1 {
				nulAt = in.rows[i].at
			}
		}
		if !utf8.ValidString(t) {
			if bad++; bad == 1 {
				badAt = in.rows[i].at
			}
		}
	}
	if nul > 0 {
		in.note(int(nulAt), "NUL bytes in %s, this is the first", plural.Of(nul, "line"))
	}
	if bad > 0 {
		in.note(int(badAt), "bytes that are not UTF-8 in %s, this is the first; they are read as they are", plural.Of(bad, "line"))
	}
}

// maxNotes is the number of notes that are kept of one input; the last note then
// counts the others. maxNote is the most bytes that one note has.
const (
	maxNotes = 200
	maxNote  = 300
)

// note adds a note about a line of the input; line 0 is the whole input.
func (in *Input) note(line int, format string, args ...any) {
	switch n := len(in.Notes); {
	case n < maxNotes:
		in.Notes = append(in.Notes, Note{line, oneLine(fmt.Sprintf(format, args...))})
	case n == maxNotes:
		in.Notes = append(in.Notes, Note{0, "1 more note is not shown"})
		in.notShown = 1
	default:
		in.notShown++
		in.Notes[maxNotes].Text = fmt.Sprintf("not shown: %s", plural.Of(in.notShown, "more note"))
	}
}

// oneLine makes one line of a text that may quote the input: without control
// characters, and of maxNote bytes at most.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if len(text) > maxNote {
		text = strings.ToValidUTF8(text[:maxNote], "") + "..."
	}
	return text
}

// line is the line of a file that stands at row r, or nil if row r is not a line
// of a file.
func (in *Input) line(r int32) (*File, *Line) {
	for _, f := range in.Files() {
		for _, h := range f.Hunks {
			if n := len(h.Lines); n == 0 || r < h.Lines[0].row || r > h.Lines[n-1].row {
				continue
			}
			i, ok := slices.BinarySearchFunc(h.Lines, r, func(l Line, r int32) int { return cmp.Compare(l.row, r) })
			if ok {
				return f, &h.Lines[i]
			}
		}
	}
	return nil, nil
}

// Files are the files of all patches, or the source file.
func (in *Input) Files() []*File {
	if in.Source != nil {
		return []*File{in.Source}
	}
	var files []*File
	for _, p := range in.Patches {
		files = append(files, p.Files...)
	}
	return files
}

// Changes reports whether the patch adds a line between first and last, which are
// lines of the patched file, or removes one there.
func (f *File) Changes(first, last int) bool {
	for _, h := range f.Hunks {
		at := 0
		for i := range h.Lines {
			l := &h.Lines[i]
			if l.Num > 0 {
				at = l.Num
			}
			if l.Op != ' ' && at >= first && at <= last {
				return true
			}
		}
	}
	return false
}

// AddTo adds the input to a file set. The input has no positions before. A
// token.Pos is an int, so that on a 32-bit host a file set has room for 2 GiB of
// patches. If fset is half full, the input becomes the only file of a new set: the
// other half is for files that are added at the same time.
func (in *Input) AddTo(fset *token.FileSet) {
	offsets := make([]int, len(in.rows))
	size := 0
	for i := range in.rows {
		offsets[i] = size
		size += len(in.rows[i].text) + 1
	}
	if fset.Base() > math.MaxInt/2-size {
		fset = token.NewFileSet()
	}
	in.file = fset.AddFile(in.Path, -1, size)
	in.file.SetLines(offsets)
}

// Pos is the position of byte col of the line's Text, counted from 0.
func (in *Input) Pos(l *Line, col int) token.Pos { return in.pos(l.row, l.skip, col) }

// MessagePos is the position of byte col of a line of a message, counted from 0.
func (in *Input) MessagePos(t TextRow, col int) token.Pos { return in.pos(t.row, t.skip, col) }

// An InputLine is what a line of the input, or of the part of it that Join has put
// there, has of a line of a file or of a message.
type InputLine struct {
	Path string
	Line int
	Text string // without operator and quoting
}

// InputLines are where a line of a file stands: several lines if a mail program wrapped
// it.
func (in *Input) InputLines(l *Line) []InputLine { return in.inputLines(l.row, l.skip) }

// MessageLines are where a line of a message stands, as InputLines.
func (in *Input) MessageLines(t TextRow) []InputLine { return in.inputLines(t.row, t.skip) }

func (in *Input) inputLines(r, skip int32) (lines []InputLine) {
	path := in.Path
	for _, p := range in.parts {
		if p.row <= r {
			path = p.path
		}
	}
	for _, p := range in.piecesOf(r) {
		before := int(p.skip + max(skip-p.col, 0))
		lines = append(lines, InputLine{path, int(p.at), p.text[min(before, len(p.text)):]})
	}
	return lines
}

func (in *Input) pos(r, skip int32, col int) token.Pos {
	col = min(max(col+int(skip), 0), len(in.rows[r].text))
	return in.file.LineStart(int(r)+1) + token.Pos(col)
}

// A Place is a position as path, line and column.
type Place struct {
	Path string // of the patched file, or of the input if no patched file has the line
	Line int
	Col  int
	Text string // the line

	InputPath string // the same position in the input, or in the part of it that Join has put there
	InputLine int
	InputCol  int
	InputText string
	Encoding  string // the transfer encoding in which the input has the line; "" if it has the text as it is
}

// Place is the place of a position of this input.
func (in *Input) Place(pos token.Pos) Place {
	if in.file == nil || pos < in.file.Pos(0) || int(pos) > in.file.Base()+in.file.Size() {
		return Place{Path: in.Path, InputPath: in.Path}
	}
	r := int32(in.file.Line(pos) - 1)
	col := int(pos - in.file.LineStart(int(r)+1))
	path := in.Path
	if len(in.parts) > 0 {
		path = in.parts[in.Part(pos)].path
	}
	p := Place{InputPath: path, Encoding: in.rows[r].enc.String()}
	for _, s := range in.piecesOf(r) {
		if at := col - int(s.col); at >= 0 {
			p.InputLine, p.InputCol, p.InputText = int(s.at), min(at+int(s.skip), len(s.text))+1, s.text
		}
	}
	p.Path, p.Line, p.Col, p.Text = path, p.InputLine, p.InputCol, p.InputText
	if f, l := in.line(r); l != nil && l.Num > 0 {
		p.Path, p.Line, p.Col, p.Text = f.Path, l.Num, max(col-int(l.skip), 0)+1, l.Text
	}
	return p
}
