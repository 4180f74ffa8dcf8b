package patchscan

import (
	"encoding/base64"
	"errors"
	"fmt"
	"go/token"
	"mime/quotedprintable"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/bluekeyes/go-gitdiff/gitdiff"
	"github.com/google/go-cmp/cmp"

	"github.com/ftlint/ftlint/internal/hostile"
)

// seeds are the texts in testdata.
func seeds(f *testing.F, add func(text string)) {
	files, err := filepath.Glob("testdata/*.*")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		add(string(b))
	}
}

// dump is everything that was read of an input, as text.
func dump(in *Input) string {
	var b strings.Builder
	for _, p := range in.Patches {
		fmt.Fprintf(&b, "%d %q %v %v\n", p.Line, p.Subject, p.Message, p.Remarks)
	}
	for _, f := range in.Files() {
		fmt.Fprintf(&b, "%q %v %q %t %t %t\n", f.Path, f.Lang, f.Arch, f.New, f.Deleted, f.Binary)
		for _, h := range f.Hunks {
			fmt.Fprintf(&b, "%d %q %v\n", h.Line, h.Section, h.Lines)
		}
	}
	return b.String() + fmt.Sprint(in.Notes)
}

// read parses the text, and is nil if the text is refused. It fails the test
// unless two readings are equal, memory is in proportion to the text, an error is
// one line that names the input, positions are inside the text, the lines of a
// hunk count up, and tokens stand in their lines.
func read(t *testing.T, name, text string) (in *Input) {
	t.Helper()
	var again *Input
	var err, err2 error
	hostile.Bounded(t, 16<<20, 4000, len(text), func() {
		in, err = Parse(name, text)
		again, err2 = Parse(name, text)
	})
	if fmt.Sprint(err) != fmt.Sprint(err2) {
		t.Fatalf("errors %v and %v", err, err2)
	}
	if err != nil {
		said, ok := strings.CutPrefix(err.Error(), name+": ")
		if !ok {
			t.Fatalf("the error does not begin with %q: %v", name, err)
		}
		hostile.OneLine(t, errors.New(said), "")
		return nil
	}
	if dump(in) != dump(again) {
		t.Fatal("two readings differ")
	}
	in.AddTo(token.NewFileSet())
	lines := strings.Count(text, "\n") + 1
	if len(in.Notes) > maxNotes+1 {
		t.Fatalf("%d notes", len(in.Notes))
	}
	for _, n := range in.Notes {
		if n.Line < 0 || n.Line > lines {
			t.Fatalf("a note about line %d of %d: %s", n.Line, lines, n.Text)
		}
		hostile.OneLine(t, errors.New(n.Text), "")
	}
	inside := func(p Place, line string) {
		if p.InputLine < 1 || p.InputLine > lines || p.InputCol < 1 || p.InputCol > len(p.InputText)+1 || p.Line < 1 || p.Col < 1 || p.Col > len(p.Text)+1 || p.Text == "" && line != "" {
			t.Fatalf("%+v of %d lines", p, lines)
		}
	}
	// A byte of a line that is not a blank stands where Place says, and the input has
	// that line as Place says, unless the text was decoded.
	raw := strings.Split(text, "\n")
	asItIs := utf8.ValidString(text) && !strings.ContainsAny(text, "\r\x00\ufeff") && !strings.Contains(strings.ToLower(text), "charset")
	stands := func(l *Line, col int) {
		p := in.Place(in.Pos(l, col))
		if p.InputCol > len(p.InputText) || p.InputText[p.InputCol-1] != l.Text[col] {
			t.Fatalf("byte %d of %q is not at %d of %q", col, l.Text, p.InputCol, p.InputText)
		}
		if asItIs && p.Encoding == "" && raw[p.InputLine-1] != p.InputText {
			t.Fatalf("line %d is %q, not %q", p.InputLine, raw[p.InputLine-1], p.InputText)
		}
	}
	for _, p := range in.Patches {
		if p.Line < 1 || p.Line > lines {
			t.Fatalf("a patch at line %d of %d", p.Line, lines)
		}
		for _, m := range slices.Concat(p.Message, p.Remarks) {
			inside(in.Place(in.MessagePos(m, len(m.Text))), m.Text)
		}
	}
	for _, file := range in.Files() {
		last := int32(-1)
		for _, h := range file.Hunks {
			num := 0
			if h.Line < 1 || h.Line > lines {
				t.Fatalf("a hunk at line %d of %d", h.Line, lines)
			}
			for i := range h.Lines {
				l := &h.Lines[i]
				if l.row <= last {
					t.Fatalf("row %d after %d", l.row, last)
				}
				last = l.row
				if (l.Num == 0) != (l.Op == '-') || l.Num > 0 && num > 0 && l.Num != num+1 || l.Op != ' ' && l.Op != '+' && l.Op != '-' {
					t.Fatalf("line %d of %c behind %d", l.Num, l.Op, num)
				}
				num = max(num, l.Num)
				if row := in.rows[l.row].text; row[l.skip:] != l.Text {
					t.Fatalf("%q is not at %d of %q", l.Text, l.skip, row)
				}
				p := in.Place(in.Pos(l, len(l.Text)))
				inside(p, l.Text)
				trimmed := strings.Trim(l.Text, " \t")
				if trimmed != "" {
					begin := strings.Index(l.Text, trimmed)
					stands(l, begin)
					stands(l, begin+len(trimmed)-1)
				}
				if l.Num > 0 && (p.Line != l.Num || p.Text != l.Text || p.Col != len(l.Text)+1) {
					t.Fatalf("the end of line %d, %q, is at %+v", l.Num, l.Text, p)
				}
			}
		}
		code := file.Parse()
		for _, tok := range code.Tokens {
			if tok.Kind != Gap && code.Lines[tok.Line].Text[tok.Col:][:len(tok.Text)] != tok.Text {
				t.Fatalf("token %+v", tok)
			}
		}
		for _, fn := range code.Funcs {
			fn.Calls()
			fn.Assigns()
			for i := range fn.Tokens {
				fn.Always(0, i)
			}
		}
	}
	return in
}

// Any text under any name is refused, or read as the function read asks.
func FuzzParse(f *testing.F) {
	seeds(f, func(text string) {
		f.Add("x.patch", text)
		f.Add("x.c", text)
		f.Add("x.S", text)
	})
	f.Add("x.patch", "From: a@b\nContent-Type: multipart/mixed; boundary=a\n\n--a\nContent-Transfer-Encoding: quoted-printable\n\n--- a/a.c=0A+++ b/a.c\n@@ -1 +1 @@\n+x\n--a--\n")
	f.Fuzz(func(t *testing.T, name, text string) { read(t, name, text) })
}

// FuzzMail reads mails. A mail of any header and body is refused, or read as the
// function read asks. A patch is the same after a mail program has sent it:
// encoded, wrapped in parts, and behind another mail in a mailbox.
func FuzzMail(f *testing.F) {
	seeds(f, func(text string) {
		for way := range uint8(ways) {
			f.Add(way, "Subject: [PATCH] =?utf-8?q?na=C3=AFve?=\nContent-Type: text/plain; charset=iso-8859-1\n", text)
		}
	})
	const patch = "--- a/x.c\n+++ b/x.c\n@@ -1,2 +1,2 @@\n int a; \n-int b;\n+int c;\t/* =3D */ \n"
	for _, header := range []string{
		"Content-Type: multipart/mixed; boundary=b\n", "Content-Type: message/rfc822\n", "Content-Type: text/html\n",
		"Content-Type: text/plain; charset=utf-16\nContent-Transfer-Encoding: base64\n", "Content-Type: application/octet-stream; name=x.patch\nContent-Transfer-Encoding: BASE64\n",
		"Content-Transfer-Encoding: quoted-printable\nContent-Type: text/plain; charset=\"koi8-r\"; format=flowed\n", "Content-Transfer-Encoding: x-uuencode\n",
	} {
		f.Add(uint8(len(header)), header, patch)
	}
	f.Add(uint8(0), "Content-Type: multipart/mixed; boundary=b\n", "--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\n"+patch+"--c--\n--b\nContent-Transfer-Encoding: base64\n\nLS0tIGEvYS5jCisrKyBiL2EuYwpAQCAtMSArMSBAQAorIHgK\n--b--\n")
	f.Fuzz(func(t *testing.T, way uint8, header, body string) {
		read(t, "x.eml", "From: a <a@example.com>\n"+header+"\n"+body)
		if way%ways == 0 || strings.ContainsAny(body, "\r\x00") || !utf8.ValidString(body) || strings.Contains(body, "\nFrom ") || strings.HasPrefix(body, "From ") {
			return // which mail programs change
		}
		body += "\n"
		plain := read(t, "x.eml", "From: a <a@example.com>\nMIME-Version: 1.0\n\n"+body)
		if plain == nil {
			return
		}
		sent := read(t, "x.eml", send(int(way%ways), body))
		if sent == nil {
			t.Fatalf("refused, sent in way %d", way%ways)
		}
		if diff := cmp.Diff(changes(plain), changes(sent)); diff != "" {
			t.Fatalf("sent in way %d (-plain +sent):\n%s", way%ways, diff)
		}
	})
}

const ways = 7

// send is a mail with the body, sent in one of several ways, numbered from 1.
func send(way int, body string) string {
	header, encoded := "", body
	switch way {
	case 1, 4:
		header = "Content-Transfer-Encoding: base64\n"
		encoded = ""
		for text := base64.StdEncoding.EncodeToString([]byte(body)); text != ""; text = text[min(len(text), 76):] {
			encoded += text[:min(len(text), 76)] + "\n"
		}
	case 2, 5:
		header = "Content-Transfer-Encoding: quoted-printable\n"
		var b strings.Builder
		w := quotedprintable.NewWriter(&b)
		w.Write([]byte(body))
		w.Close()
		encoded = b.String()
	case 3, 6:
		header = "Content-Transfer-Encoding: 8bit\n"
	}
	const from = "From: a <a@example.com>\nMIME-Version: 1.0\n"
	header = "Content-Type: text/plain; charset=utf-8\n" + header
	if way <= 3 {
		return "From 0123456789abcdef Mon Sep 17 00:00:00 2001\nFrom: b\n\nNo patch.\n\nFrom 0123456789abcdef Mon Sep 17 00:00:00 2001\n" + from + header + "\n" + encoded
	}
	return from + "Content-Type: multipart/signed; boundary=\"=-=none of the body's=-=\"\n\n--=-=none of the body's=-=\n" + header + "\n" + encoded +
		"\n--=-=none of the body's=-=\nContent-Type: application/pgp-signature\n\nabc\n--=-=none of the body's=-=--\n"
}

// Tokens stand one behind the other, each at its own position, and leave out only
// blanks.
func FuzzScan(f *testing.F) {
	seeds(f, func(text string) { f.Add(text) })
	f.Add("a /* b\n c */ \"d\\\" e\" 'f' // g\n#define h \\\n i\n\tldr x0, =0x1f")
	f.Fuzz(func(t *testing.T, text string) {
		lines := splitLines(text)
		for _, lang := range []Lang{LangC, LangAsm} {
			at, line := 0, int32(0)
			blank := func(s string) {
				if strings.Trim(s, "\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n\x0b\x0c\r\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x7f \u00a0") != "" {
					t.Fatalf("%v: %q was left out", lang, s)
				}
			}
			rest := func() { // of the lines before the next token's
				blank(lines[line][at:])
				at = 0
				line++
			}
			for _, tok := range scan(lang, lines) {
				for line < tok.Line {
					rest()
				}
				if tok.Line != line || int(tok.Col) < at || !strings.HasPrefix(lines[line][tok.Col:], tok.Text) {
					t.Fatalf("%v: %+v at %d:%d", lang, tok, line, at)
				}
				blank(lines[line][at:tok.Col])
				at = int(tok.Col) + len(tok.Text)
			}
			for int(line) < len(lines) {
				rest()
			}
		}
	})
}

// A diff that gitdiff accepts is read as gitdiff reads it, unless a note names the
// difference.
func FuzzGitdiff(f *testing.F) {
	seeds(f, func(text string) {
		if i := strings.Index(text, "diff --git"); i >= 0 {
			f.Add(text[i:])
		}
	})
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsAny(text, ">\r") || !strings.HasPrefix(text, "diff --git ") {
			return // gitdiff knows no quoting, nor the ends of other lines
		}
		files, _, err := gitdiff.Parse(strings.NewReader(text))
		if err != nil {
			return
		}
		var want []string
		hunks := 0
		for _, file := range files {
			hunks += len(file.TextFragments)
			for _, frag := range file.TextFragments {
				num := frag.NewPosition
				for _, l := range frag.Lines {
					at := int64(0)
					if l.Op != gitdiff.OpDelete {
						at = num
						num++
					}
					want = append(want, fmt.Sprintf("%d %s%s", at, l.Op, strings.TrimSuffix(l.Line, "\n")))
				}
			}
		}
		in, err := Parse("x.patch", text)
		if err != nil {
			if len(want) > 0 {
				t.Fatalf("%v, gitdiff reads %q", err, want)
			}
			return
		}
		var got []string
		for _, file := range in.Files() {
			hunks -= len(file.Hunks)
			for _, h := range file.Hunks {
				for _, l := range h.Lines {
					got = append(got, fmt.Sprintf("%d %c%s", l.Num, l.Op, l.Text))
				}
			}
		}
		if hunks < 0 {
			return // headers that gitdiff takes for text: @@-1 +1@@
		}
		if len(in.Notes) == 0 && !slices.Equal(got, want) {
			t.Fatalf("read   %q\ngitdiff %q", got, want)
		}
	})
}
