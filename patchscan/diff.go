package patchscan

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/bluekeyes/go-gitdiff/gitdiff"

	"github.com/ftlint/ftlint/internal/plural"
)

// A shown is a row of the input without its quoting.
type shown struct {
	text string
	row  int32 // index into Input.rows
	skip int32 // bytes of quoting before text
}

// readBody finds the patches in the body of one mail: the rows from first on. A
// patch may be quoted ("> +code"). Rows that are quoted less deep are then an
// answer to the patch, and not a part of it.
func (in *Input) readBody(from mailFrom, first int32) {
	rows := in.rows[first:]
	taken := comparisons(rows, first)
	var prefixes []string
	quoted := false
	for i := range rows {
		t := rows[i].text
		if t == "" || t[0] != '>' && t[0] != 'd' && t[0] != '-' || taken[first+int32(i)] {
			continue
		}
		prefix := quotePrefix(t)
		quoted = quoted || prefix != ""
		if slices.ContainsFunc(prefixes, func(other string) bool { return sameQuoting(prefix, other) }) {
			continue
		}
		var next string
		if i+1 < len(rows) {
			next, _ = unquote(rows[i+1].text, prefix)
		}
		if beginsFile(t[len(prefix):], next) {
			prefixes = append(prefixes, prefix)
		}
	}
	reply := quoted && (strings.HasPrefix(strings.ToLower(from.subject), "re:") || slices.Contains(prefixes, "") && len(prefixes) > 1)
	// Lines that begin with "> " also begin with ">". They are read once, with the
	// longer prefix.
	slices.SortStableFunc(prefixes, func(a, b string) int {
		switch {
		case a == b+" ":
			return -1
		case b == a+" ":
			return 1
		}
		return 0
	})
	for _, prefix := range prefixes {
		r := diffReader{in: in, mailFrom: from, hasMessage: prefix != "" || !reply, taken: taken}
		r.show(rows, first, prefix)
		before := len(in.Patches)
		r.read()
		if len(prefixes) == 1 {
			break
		}
		for _, p := range in.Patches[before:] {
			for _, f := range p.Files {
				for _, h := range f.Hunks {
					for i := range h.Lines {
						taken[h.Lines[i].row] = true
					}
				}
			}
		}
	}
	if len(prefixes) == 0 && !reply && !quoted && from.subject != "" {
		p := from.patch()
		var v []shown
		for i := range rows {
			if r := first + int32(i); !taken[r] {
				v = append(v, shown{rows[i].text, r, 0})
			}
		}
		p.addText(v)
		p.Message, p.Remarks = append(p.Message, p.Remarks...), nil // a cover letter has no remarks
		in.Patches = append(in.Patches, p)
	}
}

// quotePrefix is the marks with which t is quoted: "", "> ", "> > ", ">>", ...
func quotePrefix(t string) string {
	n := 0
	for n < len(t) && t[n] == '>' {
		n++
		if n < len(t) && t[n] == ' ' {
			n++
		}
	}
	return t[:n]
}

// sameQuoting reports whether two prefixes are of the same level, and both have a
// blank behind their last mark, or neither.
func sameQuoting(a, b string) bool {
	return strings.Count(a, ">") == strings.Count(b, ">") && strings.HasSuffix(a, " ") == strings.HasSuffix(b, " ")
}

// unquote takes the marks of quoting off t that are as many as those of prefix, and
// reports whether t has them. Each mail program on the way quotes in its own way: of
// the marks ">>" and "> > " only the last decides what belongs to the text.
func unquote(t, prefix string) (rest string, ok bool) {
	if rest, ok = strings.CutPrefix(t, prefix); ok {
		return rest, true
	}
	depth := strings.Count(prefix, ">")
	n := 0
	for k := range depth {
		if n == len(t) || t[n] != '>' {
			return "", false
		}
		n++
		if n < len(t) && t[n] == ' ' && (k+1 < depth || strings.HasSuffix(prefix, " ")) {
			n++
		}
	}
	return t[n:], depth > 0
}

// beginsFile reports whether a file of a diff begins at the line t.
func beginsFile(t, next string) bool {
	return strings.HasPrefix(t, "diff --git ") || strings.HasPrefix(t, "--- ") && strings.HasPrefix(next, "+++ ")
}

// patch is a patch of the mail, without files.
func (m mailFrom) patch() *Patch {
	return &Patch{Subject: m.subject, Line: m.line, Mail: m.mail, thread: m.thread, fromGit: m.git}
}

// A diffReader reads the patches of one body.
type diffReader struct {
	in *Input
	mailFrom
	hasMessage bool           // the text before the diff is the commit's message
	taken      map[int32]bool // rows that are not read again with other quoting
	v          []shown        // the rows that are read
	end        int            // index behind the last of them that is not empty
	lost       int            // number of context lines that have lost their first blank
	lostAt     int32          // row of the first of them
	joined     int            // number of lines that a mail program wrapped
	joinedAt   int32          // row of the first of them
	stray      int            // number of added or removed lines outside hunks
	strayAt    int32          // row of the first of them
}

// show adds the rows that are quoted with prefix and are not taken.
func (r *diffReader) show(rows []row, first int32, prefix string) {
	for i := range rows {
		t := rows[i].text
		rest, ok := unquote(t, prefix)
		if !ok || strings.HasPrefix(rest, ">") || r.taken[first+int32(i)] {
			continue
		}
		r.v = append(r.v, shown{rest, first + int32(i), int32(len(t) - len(rest))})
	}
}

// at is the input's line of v[i].
func (r *diffReader) at(i int) int {
	if len(r.v) == 0 {
		return r.line
	}
	return int(r.in.rows[r.v[min(i, len(r.v)-1)].row].at)
}

func (r *diffReader) text(i int) string {
	if i < len(r.v) {
		return r.v[i].text
	}
	return ""
}

// ends reports whether a file, or a patch, begins at v[i], so that the file before
// it ends.
func (r *diffReader) ends(i int) bool {
	t := r.v[i].text
	return t != "" && (t[0] == 'd' || t[0] == '-') && beginsFile(t, r.text(i+1)) || isCommit(t)
}

var commit = regexp.MustCompile(`^commit [0-9a-f]{7,64}( \(.*\))?$`)

// isCommit reports whether t begins a commit of git log or git show.
func isCommit(t string) bool { return strings.HasPrefix(t, "commit ") && commit.MatchString(t) }

// read reads the patches.
func (r *diffReader) read() {
	for r.end = len(r.v); r.end > 0 && r.v[r.end-1].text == ""; r.end-- {
	}
	p := r.patch()
	begin := 0 // of the message
	for i := 0; i < len(r.v); {
		switch {
		case isCommit(r.v[i].text):
			if len(p.Files) > 0 {
				r.in.Patches = append(r.in.Patches, p)
				p = &Patch{Line: r.at(i), fromGit: true}
			}
			p.fromGit = true
			i++
			begin = i
		case r.ends(i):
			if len(p.Files) == 0 {
				r.addMessage(p, r.v[begin:i])
			}
			var f *File
			f, i = r.readFile(i)
			p.Files = append(p.Files, f)
		default:
			if _, ok := parseHunkHeader(r.v[i].text); ok {
				r.in.note(r.at(i), "a hunk of no file is not read")
			}
			i++
		}
	}
	if len(p.Files) > 0 {
		r.in.Patches = append(r.in.Patches, p)
	}
	if r.joined > 0 {
		r.in.note(int(r.in.rows[r.joinedAt].at), "the mail was wrapped: %s of hunks are joined with the lines before, this is the first", plural.Of(r.joined, "line"))
	}
	if r.lost > 0 {
		r.in.note(int(r.in.rows[r.lostAt].at), "white space is not as it was sent: the blank in front is lost from %s, this is the first", plural.Of(r.lost, "context line"))
	}
	if r.stray > 0 {
		r.in.note(int(r.in.rows[r.strayAt].at), "not read, as it is in no hunk: %s with + or - in front, this is the first", plural.Of(r.stray, "line"))
	}
}

// addMessage adds the lines before the diff to the patch. As git am takes a mail, the
// words above a line of scissors are not the message, and a subject may stand at the
// beginning of the body.
func (r *diffReader) addMessage(p *Patch, v []shown) {
	has := r.hasMessage
	for i := len(v) - 1; i >= 0; i-- {
		if isScissors(v[i].text) {
			v, has = v[i+1:], true
			for len(v) > 0 && (v[0].text == "" || headerField.MatchString(v[0].text) && mailFields[strings.ToLower(v[0].text[:strings.IndexByte(v[0].text, ':')])]) {
				if subject, ok := strings.CutPrefix(v[0].text, "Subject:"); ok {
					p.Subject = strings.TrimSpace(subject)
				}
				v = v[1:]
			}
			break
		}
	}
	if has {
		p.addText(v)
	}
}

// addText adds the lines before the diff: those before a line "---" to the
// message, those behind it to the remarks.
func (p *Patch) addText(v []shown) {
	to := &p.Message
	for _, s := range v {
		if s.text == "---" {
			to = &p.Remarks
			continue
		}
		if to == &p.Remarks && diffstat.MatchString(s.text) {
			continue
		}
		*to = append(*to, TextRow{s.text, s.row, s.skip})
	}
}

// isScissors reports whether t is a line along which git am cuts a mail: scissors in a
// line of dashes that is most of the line.
func isScissors(t string) bool {
	dashes, scissors := strings.Count(t, "-"), 0
	for _, mark := range []string{">8", "8<", ">%", "%<", "✂"} {
		scissors += strings.Count(t, mark)
	}
	n := len(strings.TrimSpace(t))
	return scissors > 0 && n >= 8 && n < 3*(dashes+2*scissors)
}

var diffstat = regexp.MustCompile(`^\s*\S.* \| +(\d+|Bin)\b|^ ?\d+ files? changed`)

// readFile reads the file that begins at v[i], and returns the index behind it.
func (r *diffReader) readFile(i int) (*File, int) {
	f := &File{}
	begin, size := i, 0
	git := strings.HasPrefix(r.v[i].text, "diff --git ")
	var header []string // as gitdiff knows it
	if git {
		header = append(header, r.v[i].text)
		if i++; len(strings.Fields(header[0])) == 3 && strings.HasPrefix(r.text(i), "b/") { // wrapped on its way
			header[0] += " " + r.v[i].text
			i++
		}
		for ; i < len(r.v) && isExtended(r.v[i].text); i++ {
			header = append(header, r.v[i].text)
		}
	}
	var old, new string
	if strings.HasPrefix(r.text(i), "--- ") && strings.HasPrefix(r.text(i+1), "+++ ") {
		old, new = diffName(r.v[i].text, "a/"), diffName(r.v[i+1].text, "b/")
		i += 2
	}
	f.New, f.Deleted = old == "/dev/null", new == "/dev/null"
	f.Path = new
	if f.Deleted {
		f.Path = old
	}
	if git {
		r.gitHeader(f, header, begin)
	}
	f.Path = strings.TrimPrefix(path.Clean("/"+f.Path), "/")
	f.Lang, f.Arch = LangOf(f.Path), ArchOf(f.Path)

	if t := r.text(i); strings.HasPrefix(t, "Binary files ") || strings.HasPrefix(t, "GIT binary patch") {
		f.Binary = true
		r.in.note(r.at(i), "the binary change of %s is not read", f.Path)
		for i++; i < len(r.v) && !r.ends(i); i++ {
		}
		return f, i
	}
	for i < len(r.v) && !r.ends(i) {
		t := r.v[i].text
		if h, ok := parseHunkHeader(t); ok {
			var hunk *Hunk
			hunk, i = r.readHunk(h, i)
			for _, l := range hunk.Lines {
				size += len(l.Text)
			}
			f.Hunks = append(f.Hunks, hunk)
			continue
		}
		switch {
		case strings.HasPrefix(t, "@@@"):
			r.in.note(r.at(i), "%s is shown as a combined diff, that of a merge, which is not read: git diff against one parent, or git show -m, shows one that is", f.Path)
			for i++; i < len(r.v) && !r.ends(i); i++ {
			}
			continue
		case strings.HasPrefix(t, "@@"):
			r.in.note(r.at(i), "hunk header %s is not understood: its lines are not read", quote(t))
		case isSignature(t):
			// The end of the mail follows: a version, a list's footer.
			for i < len(r.v) && !r.ends(i) && !strings.HasPrefix(r.v[i].text, "@@ ") {
				i++
			}
			continue
		case t != "" && (t[0] == '+' || t[0] == '-'):
			if r.stray++; r.stray == 1 {
				r.strayAt = r.v[i].row
			}
		}
		i++
	}
	if size > maxFile {
		r.in.note(r.at(begin), "the change of %s has %d MiB, more than the limit of %d: it is not judged", f.Path, size>>20, maxFile>>20)
		f.Hunks = nil
	}
	return f, i
}

// maxFile is the size of the largest change of one file that is judged, in bytes.
// The largest source file of a kernel has some 20 MiB, and is generated.
const maxFile = 32 << 20

// isExtended reports whether t is a line of git's own header of a file.
func isExtended(t string) bool {
	for _, p := range []string{"index ", "old mode ", "new mode ", "new file mode ", "deleted file mode ", "similarity index ",
		"dissimilarity index ", "rename from ", "rename to ", "copy from ", "copy to "} {
		if strings.HasPrefix(t, p) {
			return true
		}
	}
	return false
}

// gitHeader sets what the lines --- and +++ leave open: whether the file is new or
// deleted, and its path.
func (r *diffReader) gitHeader(f *File, header []string, at int) {
	files, _, err := gitdiff.Parse(strings.NewReader(strings.Join(header, "\n") + "\n"))
	if err == nil && len(files) == 1 {
		f.New, f.Deleted = f.New || files[0].IsNew, f.Deleted || files[0].IsDelete
		if f.Path == "" {
			f.Path = files[0].NewName
		}
		if f.Path == "" {
			f.Path = files[0].OldName
		}
	}
	if f.Path == "" {
		// "diff --git a/x b/x", whatever is wrong with the rest.
		names := strings.Fields(header[0])
		f.Path = strings.TrimPrefix(names[len(names)-1], "b/")
		r.in.note(r.at(at), "the header of %s is malformed", f.Path)
	}
}

// diffName is the name on a line "--- a/name" or "+++ b/name".
func diffName(t, prefix string) string {
	name, _, _ := strings.Cut(t[4:], "\t") // a date may follow
	name = strings.TrimRight(name, " ")
	if strings.HasPrefix(name, `"`) {
		if s, err := strconv.Unquote(name); err == nil {
			name = s
		}
	}
	return strings.TrimPrefix(name, prefix)
}

// isSignature reports whether t is the "-- " that git format-patch and mail
// programs end with.
func isSignature(t string) bool { return t == "-- " || t == "--" }

// A hunkHeader is "@@ -old,oldLines +new,newLines @@ section".
type hunkHeader struct {
	old, oldLines, new, newLines int
	section                      string
}

// hunkForm is the form of a hunk's header. Archives that hide mail addresses write
// " - at - " or " at " for each @ of "@@".
var hunkForm = regexp.MustCompile(`^(?:@@|(?: ?-? ?at ?-? ?){2}) ?-(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? ?(?:@@|(?: ?-? ?at ?-? ?){2})(.*)$`)

func parseHunkHeader(t string) (h hunkHeader, ok bool) {
	if t == "" || t[0] != '@' && t[0] != ' ' && t[0] != '-' && t[0] != 'a' || len(t) > 2000 {
		return h, false
	}
	if t[0] != '@' && !strings.HasPrefix(strings.TrimLeft(t, " -"), "at ") {
		return h, false
	}
	m := hunkForm.FindStringSubmatch(t)
	if m == nil {
		return h, false
	}
	number := func(s string) int {
		if s == "" {
			return 1
		}
		n, _ := strconv.Atoi(s)
		return n
	}
	return hunkHeader{number(m[1]), number(m[2]), number(m[3]), number(m[4]), strings.TrimSpace(m[5])}, true
}

// readHunk reads the hunk whose header is v[i], and returns the index behind it.
func (r *diffReader) readHunk(h hunkHeader, i int) (*Hunk, int) {
	hunk := &Hunk{Line: r.at(i), Header: r.v[i].text, Old: h.old, Section: h.section}
	if h.oldLines == 0 {
		hunk.Old++ // the header names the line before
	}
	num := h.new
	if h.newLines == 0 {
		num++ // the header names the line before; lines that it does not count may follow
	}
	if num == 0 {
		r.in.note(r.at(i), "the hunk says that it begins at line 0: its lines are counted from 1")
		num = 1
	}
	oldLeft, newLeft := h.oldLines, h.newLines
	add := func(op byte, i int, skip int32) {
		s := r.v[i]
		l := Line{Op: op, Text: s.text[skip:], row: s.row, skip: s.skip + skip}
		if op != '+' {
			oldLeft--
		}
		if op != '-' {
			newLeft--
			l.Num = num
			num++
		}
		hunk.Lines = append(hunk.Lines, l)
	}
	wrapped := r.wrapped(h, i+1)
	ended := false // by the next header or a signature, not by the count
	for i++; i < len(r.v) && !ended && (oldLeft > 0 || newLeft > 0); {
		t := r.v[i].text
		_, header := parseHunkHeader(t)
		switch {
		case header || r.ends(i) || isSignature(t) && r.lastWords(i):
			ended = true
			continue
		case t == "":
			if oldLeft > 0 && newLeft > 0 {
				add(' ', i, 0)
			}
		case t[0] == '+' || t[0] == '-' || t[0] == ' ':
			add(t[0], i, 1)
		case isMarker(t):
		case wrapped && len(hunk.Lines) > 0:
			i = r.unwrap(&hunk.Lines[len(hunk.Lines)-1], i)
			continue
		case oldLeft > 0 && newLeft > 0:
			// An archive ate the blank that a context line begins with.
			if r.lost++; r.lost == 1 {
				r.lostAt = r.v[i].row
			}
			add(' ', i, 0)
		}
		i++
	}
	// Blank lines at the end of the text are not context.
	for n := len(hunk.Lines); (ended || i >= len(r.v)) && (oldLeft > 0 || newLeft > 0) && n > 0 && hunk.Lines[n-1].Op == ' ' && hunk.Lines[n-1].Text == ""; n-- {
		hunk.Lines = hunk.Lines[:n-1]
		oldLeft, newLeft = oldLeft+1, newLeft+1
	}
	if oldLeft == 0 && newLeft == 0 {
		last := i
		for last < len(r.v) && r.goesOn(last) {
			last++
		}
		if slices.ContainsFunc(r.v[i:last], func(s shown) bool { return s.text[0] != ' ' }) {
			for ; i < last; i++ {
				add(r.v[i].text[0], i, 1)
			}
		}
	}
	if oldLeft != 0 || newLeft != 0 {
		what := "is cut short"
		if oldLeft < 0 || newLeft < 0 {
			what = "is longer than it says"
		}
		r.in.note(hunk.Line, "the hunk %s: its header has %s before and %d after the change, here are %d and %d",
			what, plural.Of(h.oldLines, "line"), h.newLines, h.oldLines-oldLeft, h.newLines-newLeft)
	}
	return hunk, i
}

// isMarker reports whether t is not a line of the file: "\ No newline at end of
// file", in any language. Lines that are wrapped may begin with "\name".
func isMarker(t string) bool { return strings.HasPrefix(t, `\ `) }

// wrapped reports whether a mail program has wrapped lines of the hunk whose first
// line is v[i]: without the lines that begin as no line of a hunk does, the hunk is
// as long as its header says, and ends there. Empty lines at the end of the text prove
// nothing: mail programs add and drop them.
func (r *diffReader) wrapped(h hunkHeader, i int) bool {
	oldLeft, newLeft, rest := h.oldLines, h.newLines, 0
	first := i
	for ; i < r.end && (oldLeft > 0 || newLeft > 0); i++ {
		t := r.v[i].text
		if _, header := parseHunkHeader(t); header || r.ends(i) || isSignature(t) && r.lastWords(i) {
			return false
		}
		op := byte(' ')
		if t != "" {
			op = t[0]
		}
		switch op {
		case '+':
			newLeft--
		case '-':
			oldLeft--
		case ' ':
			oldLeft, newLeft = oldLeft-1, newLeft-1
		default:
			if i == first {
				return false
			}
			if !isMarker(t) {
				rest++
			}
		}
	}
	return rest > 0 && oldLeft == 0 && newLeft == 0 && (i >= len(r.v) || !r.goesOn(i))
}

// unwrap joins the line with the rows from v[i] on that a mail program has broken off
// it, and returns the index behind them.
func (r *diffReader) unwrap(l *Line, i int) int {
	whole := &r.in.rows[l.row]
	pieces := r.in.piecesOf(l.row)
	texts := []string{whole.text}
	size := int32(len(whole.text))
	for ; r.text(i) != "" && strings.IndexByte("+- ", r.v[i].text[0]) < 0; i++ {
		s := r.v[i]
		if isMarker(s.text) {
			continue
		}
		if r.joined++; r.joined == 1 {
			r.joinedAt = s.row
		}
		r.taken[s.row], r.in.rows[s.row].joined = true, true
		size++ // for a blank
		for _, p := range r.in.piecesOf(s.row) {
			quoting := max(s.skip-p.col, 0) // what the piece has of it
			p.col += quoting + size - s.skip
			p.skip += quoting
			pieces = append(pieces, p)
		}
		texts = append(texts, s.text)
		size += int32(len(s.text))
	}
	whole.text = strings.Join(texts, " ")
	r.in.pieces[l.row] = pieces
	l.Text = whole.text[l.skip:]
	return i
}

// goesOn reports whether v[i], behind the last line that a hunk's header counts,
// looks like one more line of the hunk.
func (r *diffReader) goesOn(i int) bool {
	t := r.v[i].text
	if t == "" || t[0] != '+' && t[0] != '-' && t[0] != ' ' || isSignature(t) || r.ends(i) {
		return false
	}
	_, header := parseHunkHeader(t)
	return !header
}

// lastWords reports whether the signature at v[i] ends the patch: a version number
// follows, or nothing. Otherwise it is a removed line "- ".
func (r *diffReader) lastWords(i int) bool {
	next := r.text(i + 1)
	return i+1 >= len(r.v) || next == "" || next[0] >= '0' && next[0] <= '9'
}

// quote quotes a line for a note: at most 60 bytes, with control characters
// escaped.
func quote(t string) string {
	if len(t) > 60 {
		t = t[:60] + "..."
	}
	return fmt.Sprintf("%q", t)
}
