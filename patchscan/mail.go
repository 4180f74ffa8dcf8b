package patchscan

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message"
	"github.com/emersion/go-message/charset"
	"github.com/emersion/go-message/textproto"

	"github.com/ftlint/ftlint/internal/plural"
)

// readPatches reads text as one or more mails, or as a diff.
func (in *Input) readPatches(text string) error {
	lines := splitLines(text)
	without := 0
	for _, m := range splitMbox(lines) {
		before := len(in.Patches)
		in.readMail(lines[m.start:m.end], int32(m.start))
		if len(in.Patches) == before {
			without++
		}
	}
	if len(in.Files()) == 0 {
		notes := "" // two at most: a hostile mail can have 200
		for i, n := range in.Notes {
			if i == 2 {
				notes += "; and more"
				break
			}
			notes += fmt.Sprintf("; line %d: %s", n.Line, n.Text)
		}
		what := "no patch in %s: want a diff (diff --git, or --- and +++); a source file ends in .c, .h, .S or .s%s"
		return &noPatch{path: in.Path, what: fmt.Sprintf(what, plural.Of(len(lines), "line"), notes), letters: in.Patches}
	}
	if without > 0 {
		in.note(0, "not judged: %s without a patch", plural.Of(without, "mail"))
	}
	return nil
}

// noPatch is the error of an input that has no patch in it.
type noPatch struct {
	path    string
	what    string
	letters []*Patch // cover letters, and other mails that are no replies
	empty   bool     // there is nothing in the input, as in git's patch of an empty commit
}

func (e *noPatch) Error() string { return e.path + ": " + e.what }

// PassedOver reports whether an error of Open, Read or Parse is about an input that is
// passed over if other inputs have patches: an empty one, or one that has cover letters
// alone. letters are the cover letters.
func PassedOver(err error) (letters []*Patch, ok bool) {
	none := (*noPatch)(nil)
	if !errors.As(err, &none) {
		return nil, false
	}
	return none.letters, none.empty || len(none.letters) > 0
}

// A lineRange is the lines from start to before end.
type lineRange struct{ start, end int }

// splitMbox splits an mbox at its From_ lines; other text is one mail.
func splitMbox(lines []string) []lineRange {
	var mails []lineRange
	start := 0
	for i, l := range lines {
		if i > 0 && isMboxFrom(l) && i+1 < len(lines) && headerField.MatchString(lines[i+1]) {
			mails = append(mails, lineRange{start, i})
			start = i
		}
	}
	return append(mails, lineRange{start, len(lines)})
}

var (
	mboxFrom    = regexp.MustCompile(`^From \S.* \d\d:\d\d(:\d\d)?\b.* \d{4}`)
	headerField = regexp.MustCompile(`^[!-9;-~]+:`)
)

// isMboxFrom reports whether l is the line that begins a mail in an mbox:
// "From 0123abc... Mon Sep 17 00:00:00 2001".
func isMboxFrom(l string) bool { return strings.HasPrefix(l, "From ") && mboxFrom.MatchString(l) }

// mailFields are the fields that distinguish a mail's header from other text with
// colons. Names are in lower case.
var mailFields = map[string]bool{
	"from": true, "to": true, "subject": true, "date": true, "message-id": true, "received": true,
	"return-path": true, "delivered-to": true, "mime-version": true, "content-type": true,
}

// headerEnd is the number of lines of the mail header at the beginning of lines,
// without the empty line behind the header. It is 0 if there is no header.
func headerEnd(lines []string) int {
	known := false
	for i, l := range lines {
		switch {
		case l == "":
			if !known {
				return 0
			}
			return i
		case l[0] == ' ' || l[0] == '\t':
			if i == 0 {
				return 0
			}
		case headerField.MatchString(l):
			name, _, _ := strings.Cut(l, ":")
			known = known || mailFields[strings.ToLower(name)]
		default:
			return 0
		}
	}
	if !known {
		return 0
	}
	return len(lines)
}

// readMail reads one mail, or a text without a header. at is the number of the
// line of the input at which lines begin, from 0.
func (in *Input) readMail(lines []string, at int32) {
	begin := int(at) + 1
	from := mailFrom{line: begin}
	if len(lines) > 0 && isMboxFrom(lines[0]) {
		from.git = gitFrom.MatchString(lines[0])
		lines, at = lines[1:], at+1
	}
	first := int32(len(in.rows))
	if n := headerEnd(lines); n > 0 {
		h := in.header(lines[:n], at)
		subject, _ := h.Text("Subject")
		if subject == "" {
			subject = h.Get("Subject")
		}
		from.subject, from.thread = strings.Join(strings.Fields(subject), " "), thread(h)
		field := func(name string) string {
			s, err := h.Text(name)
			if err != nil {
				s = h.Get(name)
			}
			return strings.Join(strings.Fields(s), " ")
		}
		from.mail = Mail{field("From"), field("To"), field("Cc"), field("Date"), field("Message-Id"), field("References")}
		in.readPart(h, lines[min(n+1, len(lines)):], at+int32(n)+1, 0)
	} else {
		for i, l := range lines {
			in.rows = append(in.rows, row{text: l, at: at + int32(i) + 1})
		}
	}
	in.readBody(from, first)
}

// A mailFrom is what the header of a mail says about its patches.
type mailFrom struct {
	subject string
	line    int    // of the input, where the mail begins
	thread  string // as Patch.thread
	mail    Mail
	git     bool // the mail is a commit that git wrote
}

// gitFrom matches the From_ line that git log and git format-patch write.
var gitFrom = regexp.MustCompile(`^From [0-9a-f]{40,64} Mon Sep 17 00:00:00 2001`)

// thread is the Message-ID of the mail that the thread of a mail begins with: the
// first reference, or the mail itself.
func thread(h message.Header) string {
	for _, field := range []string{"References", "In-Reply-To", "Message-Id"} {
		if ids := strings.Fields(h.Get(field)); len(ids) > 0 {
			return ids[0]
		}
	}
	return ""
}

// header parses a mail header. A malformed header gets a note.
func (in *Input) header(lines []string, at int32) message.Header {
	h, err := textproto.ReadHeader(bufio.NewReader(strings.NewReader(strings.Join(lines, "\r\n") + "\r\n\r\n")))
	if err != nil {
		in.note(int(at)+1, "the mail's header is malformed (%v); its body is read as plain text", err)
	}
	return message.Header{Header: h}
}

// maxParts is the most levels of parts within parts that are read.
const maxParts = 8

// readPart appends the decoded rows of one part of a mail.
func (in *Input) readPart(h message.Header, lines []string, at int32, depth int) {
	typ, params, err := h.ContentType()
	if err != nil {
		in.note(int(at), "the content type is malformed (%v); the part is read as plain text", err)
		typ, params = "text/plain", nil
	}
	skip := func(format string, args ...any) { in.note(int(at)+1, format, args...) }
	switch {
	case depth > maxParts:
		skip("parts within parts, %d deep, are not read", depth)
	case strings.HasPrefix(typ, "multipart/") && params["boundary"] != "":
		in.readParts(lines, at, params["boundary"], depth)
	case typ == "message/rfc822":
		n := headerEnd(lines)
		in.readPart(in.header(lines[:n], at), lines[min(n+1, len(lines)):], at+int32(n)+1, depth+1)
	case typ == "application/pgp-signature" || typ == "application/pkcs7-signature":
		// A signature has no text.
	case strings.HasPrefix(typ, "text/") && typ != "text/html" || isPatchName(fileName(h, params)):
		in.readText(h, params, lines, at)
	default:
		skip("a part of type %s is not read", typ)
	}
}

// readParts splits the lines of a multipart at its boundary.
func (in *Input) readParts(lines []string, at int32, boundary string, depth int) {
	start := -1
	flush := func(end int) {
		if start >= 0 {
			n, part := 0, lines[start:end]
			for n < len(part) && part[n] != "" {
				n++
			}
			in.readPart(in.header(part[:n], at+int32(start)), part[min(n+1, len(part)):], at+int32(start+n)+1, depth+1)
		}
	}
	for i, l := range lines {
		rest, ok := strings.CutPrefix(l, "--"+boundary)
		if !ok {
			continue
		}
		switch strings.TrimRight(rest, " \t") {
		case "":
			flush(i)
			start = i + 1
		case "--":
			flush(i)
			return
		}
	}
	in.note(int(at)+1, "the mail ends within its parts: it may be cut short")
	flush(len(lines))
}

func fileName(h message.Header, params map[string]string) string {
	if _, p, err := h.ContentDisposition(); err == nil && p["filename"] != "" {
		return p["filename"]
	}
	return params["name"]
}

func isPatchName(name string) bool {
	switch path.Ext(name) {
	case ".patch", ".diff", ".eml", ".mbox", ".txt":
		return true
	}
	return false
}

// readText appends the rows of a text whose content type has the given parameters.
// It decodes the transfer encoding, then the character set, and joins the lines that
// the mail program wrapped.
func (in *Input) readText(h message.Header, params map[string]string, lines []string, at int32) {
	if len(lines) == 0 {
		return // headers alone
	}
	enc := strings.ToLower(strings.TrimSpace(h.Get("Content-Transfer-Encoding")))
	encoded := enc == "quoted-printable" || enc == "base64"
	cs := strings.ToLower(params["charset"])
	flowed, delSp := strings.EqualFold(params["format"], "flowed"), strings.EqualFold(params["delsp"], "yes")
	if cs == "us-ascii" || cs == "utf8" || cs == "utf-8" {
		cs = ""
	}
	if !encoded && cs == "" && !flowed {
		for i, l := range lines {
			in.rows = append(in.rows, row{text: l, at: at + int32(i) + 1})
		}
		switch enc {
		case "", "7bit", "8bit", "binary":
		default:
			in.note(int(at)+1, "transfer encoding %q is not known: the body is read as it is", enc)
		}
		return
	}
	body := []byte(strings.Join(lines, "\n"))
	if encoded {
		body = in.transfer(enc, body, at)
	}
	text := string(body)
	if cs != "" {
		text = in.decode(cs, body, at)
	}
	where := rawLines(enc, lines, body)
	as := asItIs
	switch enc {
	case "quoted-printable":
		as = quotedPrintable
	case "base64":
		as = inBase64
	}
	raw := func(line int32) int32 { // the input's line of a decoded one
		n := int32(len(lines) - 1)
		if int(line) < len(where) {
			n = where[line]
		}
		return at + max(n, 0) + 1
	}
	decoded := splitLines(text)
	if !flowed {
		for i, l := range decoded {
			in.rows = append(in.rows, row{text: l, at: raw(int32(i)), enc: as})
		}
		return
	}
	rows, pieces := unflow(decoded, delSp)
	for r, of := range pieces {
		for i := range of {
			of[i].at = raw(of[i].at)
		}
		in.pieces[int32(len(in.rows))+r] = of
	}
	for _, r := range rows {
		r.at, r.enc = raw(r.at), as
		in.rows = append(in.rows, r)
	}
}

// transfer decodes a transfer encoding.
func (in *Input) transfer(enc string, body []byte, at int32) []byte {
	var h message.Header
	h.Set("Content-Type", "application/octet-stream") // characters come later
	h.Set("Content-Transfer-Encoding", enc)
	e, err := message.New(h, bytes.NewReader(body))
	if err != nil {
		in.note(int(at)+1, "the body cannot be decoded (%v) and is read as it is", err)
		return body
	}
	decoded, err := io.ReadAll(e.Body)
	if err != nil {
		in.note(int(at)+1, "the body ends within its %s encoding (%v): what was read of it is %s", enc, err, plural.Of(len(decoded), "byte"))
	}
	return decoded
}

// decode converts a text in the character set cs to UTF-8.
func (in *Input) decode(cs string, body []byte, at int32) string {
	r, err := charset.Reader(cs, bytes.NewReader(body))
	if err != nil {
		in.note(int(at)+1, "character set %q is not known: the body is read as it is", cs)
		return string(body)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		in.note(int(at)+1, "the body is not in its character set %q (%v) and is read as it is", cs, err)
		return string(body)
	}
	if n := bytes.Count(text, []byte(string(utf8.RuneError))); n > 0 && !bytes.Contains(body, []byte(string(utf8.RuneError))) {
		in.note(int(at)+1, "the body has %s that its character set %q lacks", plural.Of(n, "character"), cs)
	}
	return string(text)
}

// rawLines gives for each decoded line the index of the raw line in which it
// begins. body is the text that the raw lines encode, in its own character set.
func rawLines(enc string, lines []string, body []byte) []int32 {
	var where []int32
	switch enc {
	case "quoted-printable":
		begin := int32(0)
		for i, l := range lines {
			for range strings.Count(l, "=0A") {
				where = append(where, begin)
				begin = int32(i)
			}
			if !strings.HasSuffix(strings.TrimRight(l, " \t"), "=") {
				where = append(where, begin)
				begin = int32(i) + 1
			}
		}
		return append(where, min(begin, int32(len(lines)-1)))
	case "base64":
		raw, digits := 0, 0 // a raw line, and the number of digits up to its end
		count := func() {
			if raw < len(lines) {
				digits += len(strings.TrimRight(strings.TrimSpace(lines[raw]), "="))
			}
		}
		count()
		for off := 0; off < len(body); {
			for raw < len(lines)-1 && digits*3/4 <= off {
				raw++
				count()
			}
			where = append(where, int32(raw))
			n := bytes.IndexByte(body[off:], '\n')
			if n < 0 {
				break
			}
			off += n + 1
		}
		return where
	}
	for i := range lines {
		where = append(where, int32(i))
	}
	return where
}
