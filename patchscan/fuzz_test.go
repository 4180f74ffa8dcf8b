package patchscan

import (
	"fmt"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bluekeyes/go-gitdiff/gitdiff"
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

// dump is all that was read.
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

// Whatever the text: the same answer twice, positions inside of it, no more
// lines than it has, and code that can be taken apart.
func FuzzParse(f *testing.F) {
	seeds(f, func(text string) {
		f.Add("x.patch", text)
		f.Add("x.c", text)
		f.Add("x.S", text)
	})
	f.Add("x.patch", "From: a@b\nContent-Type: multipart/mixed; boundary=a\n\n--a\nContent-Transfer-Encoding: quoted-printable\n\n--- a/a.c=0A+++ b/a.c\n@@ -1 +1 @@\n+x\n--a--\n")
	f.Fuzz(func(t *testing.T, name, text string) {
		in, err := Parse(name, text)
		again, err2 := Parse(name, text)
		if fmt.Sprint(err) != fmt.Sprint(err2) {
			t.Fatalf("errors %v and %v", err, err2)
		}
		if err != nil {
			return
		}
		if dump(in) != dump(again) {
			t.Fatal("two readings differ")
		}
		fset := token.NewFileSet()
		in.AddTo(fset)
		lines := strings.Count(text, "\n") + 1
		if len(in.Notes) > maxNotes+1 {
			t.Fatalf("%d notes", len(in.Notes))
		}
		for _, file := range in.Files() {
			last := int32(-1)
			for _, h := range file.Hunks {
				for i := range h.Lines {
					l := &h.Lines[i]
					if l.row <= last {
						t.Fatalf("row %d after %d", l.row, last)
					}
					last = l.row
					if l.Num < 0 || l.Op == '-' && l.Num != 0 {
						t.Fatalf("line %d of %c", l.Num, l.Op)
					}
					if row := in.rows[l.row].text; row[l.skip:] != l.Text {
						t.Fatalf("%q is not at %d of %q", l.Text, l.skip, row)
					}
					p := in.Place(in.Pos(l, len(l.Text)))
					if p.InputLine < 1 || p.InputLine > lines || p.Line < 1 || p.Col < 1 || p.Text == "" && l.Text != "" {
						t.Fatalf("%+v of %d lines", p, lines)
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
	})
}

// Tokens stand one behind the other, each where it says, and leave nothing
// out but blanks.
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
			for _, tok := range Scan(lang, lines) {
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

// What gitdiff reads without complaint is read alike, unless a note says what
// differs.
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
