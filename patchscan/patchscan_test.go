package patchscan

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"go/token"
	"mime/quotedprintable"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

func testdata(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func parse(t testing.TB, name, text string) *Input {
	t.Helper()
	in, err := Parse(name, text)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// changes are the added and removed lines of an input: the path, the line of
// the patched file, the operator, the text.
func changes(in *Input) (out []string) {
	for _, f := range in.Files() {
		for _, h := range f.Hunks {
			for _, l := range h.Lines {
				if l.Op != ' ' {
					out = append(out, fmt.Sprintf("%s:%d %c%s", f.Path, l.Num, l.Op, l.Text))
				}
			}
		}
	}
	return out
}

func notes(in *Input) (out []string) {
	for _, n := range in.Notes {
		out = append(out, fmt.Sprintf("%d: %s", n.Line, n.Text))
	}
	return out
}

var simple = []string{
	"arch/arm64/kernel/entry-ftrace.S:124 +\t// the callsite is in x9 = 9",
	"arch/arm64/kernel/entry-ftrace.S:125 +\tnop",
	"arch/arm64/kernel/ftrace.c:0 -#include <linux/vmalloc.h>",
	"arch/arm64/kernel/ftrace.c:0 -",
	"arch/arm64/kernel/ftrace.c:13 +#include <linux/atomic.h> /* naïve */",
	"arch/arm64/kernel/ftrace.c:51 +static atomic_t tramps;",
	"arch/arm64/kernel/ftrace.c:52 +",
	"arch/arm64/kernel/ftrace.c:53 +static void count_tramp(void)",
	"arch/arm64/kernel/ftrace.c:54 +{",
	"arch/arm64/kernel/ftrace.c:55 +\tatomic_inc(&tramps);",
	"arch/arm64/kernel/ftrace.c:56 +}",
}

func TestFormatPatch(t *testing.T) {
	in := parse(t, "simple.patch", testdata(t, "simple.patch"))
	if diff := cmp.Diff(simple, changes(in)); diff != "" {
		t.Error(diff)
	}
	if len(in.Notes) > 0 {
		t.Errorf("notes %q", notes(in))
	}
	p := in.Patches[0]
	if want := "[PATCH 1/2] arm64: ftrace: count the trampolines that were made for a callback"; p.Subject != want {
		t.Errorf("subject %q", p.Subject)
	}
	var message, remarks []string
	for _, r := range p.Message {
		message = append(message, r.Text)
	}
	for _, r := range p.Remarks {
		remarks = append(remarks, r.Text)
	}
	if got := strings.Join(message, "|"); !strings.HasPrefix(got, "Nobody can tell") || !strings.HasSuffix(got, "dev@example.org>") {
		t.Errorf("message %q", got)
	}
	if got := strings.Trim(strings.Join(remarks, "|"), "|"); got != "v2: count under the lock" {
		t.Errorf("remarks %q", got)
	}
	if f := in.Files()[1]; f.Lang != LangC || f.Arch != "arm64" || f.Hunks[1].Section != "static int ftrace_modify_code(unsigned long pc, u32 old, u32 new," {
		t.Errorf("%v %q %q", f.Lang, f.Arch, f.Hunks[1].Section)
	}
}

// A patch is the same patch in every form in which it is sent.
func TestTransports(t *testing.T) {
	text := testdata(t, "simple.patch")
	header, body, _ := strings.Cut(text, "\n\n")
	mail := func(fields, body string) string { return header + "\n" + fields + "\n\n" + body }
	for name, sent := range map[string]string{
		"as a mail":       text,
		"with CR LF":      strings.ReplaceAll(text, "\n", "\r\n"),
		"as a diff alone": text[strings.Index(text, "diff --git"):],
		"8bit":            mail("Content-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit", body),
		"called US-ASCII": mail("Content-Type: text/plain; charset=us-ascii\nContent-Transfer-Encoding: 8bit", body),
		"quoted-printable": mail("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable",
			encodeQP(t, body)),
		"base64": mail("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: BASE64", encodeBase64(body)),
		"latin-1": mail("Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit",
			encodeLatin1(t, body)),
		"latin-1, quoted-printable": mail("Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable",
			encodeQP(t, encodeLatin1(t, body))),
		"UTF-16, base64": mail("Content-Type: text/plain; charset=utf-16\nContent-Transfer-Encoding: base64",
			encodeBase64(encodeUTF16(t, body))),
		"in a multipart": mail("Content-Type: multipart/mixed; boundary=\"=-x\"",
			"For those who cannot read MIME.\n--=-x\nContent-Type: text/plain\n\n"+body+"\n--=-x\nContent-Type: application/pgp-signature\n\n-----BEGIN\n--=-x--\n"),
		"attached": mail("Content-Type: multipart/mixed; boundary=xyz",
			"--xyz\nContent-Type: text/plain\n\nSee attachment.\n--xyz\nContent-Type: application/octet-stream; name=\"a.patch\"\nContent-Transfer-Encoding: base64\n\n"+encodeBase64(text)+"\n--xyz--\n"),
		"forwarded": mail("Content-Type: multipart/mixed; boundary=xyz",
			"--xyz\nContent-Type: message/rfc822\n\n"+text[strings.Index(text, "\n")+1:]+"\n--xyz--\n"),
		"quoted with > ":      quoteWith("> ", body),
		"quoted with >":       quoteWith(">", body),
		"quoted twice":        quoteWith("> > ", body),
		"quoted, trimmed":     strings.ReplaceAll(quoteWith("> ", body), "> \n", ">\n"),
		"trailing blanks cut": strings.ReplaceAll(body, "\n \n", "\n\n"),
	} {
		t.Run(name, func(t *testing.T) {
			in := parse(t, "mail", sent)
			if diff := cmp.Diff(simple, changes(in)); diff != "" {
				t.Error(diff)
			}
			if len(in.Notes) > 0 {
				t.Errorf("notes %q", notes(in))
			}
			// Positions are where the text stands, if it stands there as it is.
			in.AddTo(token.NewFileSet())
			lines := strings.Split(strings.ReplaceAll(sent, "\r", ""), "\n")
			for _, f := range in.Files() {
				for _, h := range f.Hunks {
					for i := range h.Lines {
						p := in.Place(in.Pos(&h.Lines[i], 0))
						if p.InputLine < 1 || p.InputLine > len(lines) {
							t.Fatalf("line %d of %d", p.InputLine, len(lines))
						}
						raw := lines[p.InputLine-1]
						if name == "quoted-printable" && !strings.Contains(raw, "=") || !strings.Contains(sent, "Encoding: ") {
							if !strings.Contains(raw, h.Lines[i].Text) {
								t.Errorf("line %d is %q, not %q", p.InputLine, raw, h.Lines[i].Text)
							} else if at := p.InputCol - 1; raw[at:] != h.Lines[i].Text {
								t.Errorf("column %d of %q is not %q", p.InputCol, raw, h.Lines[i].Text)
							}
						}
					}
				}
			}
		})
	}
}

// A line of a patch in base64 stands on the raw line that has its first byte. A
// raw line encodes 57 bytes. The test has lines that begin with a raw line, and a
// body that ends within its encoding.
func TestBase64Rows(t *testing.T) {
	const header = "From: a@example.org\nContent-Transfer-Encoding: base64\n\n"
	diff := "--- /dev/null\n+++ b/a.c\n@@ -0,0 +1,121 @@\n"
	body := strings.Repeat("x", 2*57-1-len(diff)) + "\n" + diff
	begins := len(body) // of the first line, at the beginning of a raw line
	for i := range 120 {
		body += fmt.Sprintf("+%s // %03d\n", strings.Repeat("y", 48+i%2), i) // 57 or 58 bytes
	}
	body += "+z\n" // on the last raw line
	for name, encoded := range map[string]string{"whole": encodeBase64(body), "cut off": strings.TrimSuffix(encodeBase64(body), "\n") + "A"} {
		in := parse(t, "mail", header+encoded)
		in.AddTo(token.NewFileSet())
		at, seen := begins, 0
		for _, h := range in.Files()[0].Hunks {
			for i := range h.Lines {
				if got, want := in.Place(in.Pos(&h.Lines[i], 0)).InputLine, 4+at/57; got != want {
					t.Errorf("%s: line %d of the file is on line %d of the mail, want %d", name, i+1, got, want)
				}
				at += 1 + len(h.Lines[i].Text) + 1
				seen++
			}
		}
		if seen != 121 {
			t.Errorf("%s: %d lines", name, seen)
		}
	}
}

func encodeQP(t *testing.T, s string) string {
	var b bytes.Buffer
	w := quotedprintable.NewWriter(&b)
	if _, err := w.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	w.Close()
	return strings.ReplaceAll(b.String(), "\r\n", "\n")
}

func encodeBase64(s string) string {
	var b strings.Builder
	for code := base64.StdEncoding.EncodeToString([]byte(s)); code != ""; {
		n := min(76, len(code))
		b.WriteString(code[:n] + "\n")
		code = code[n:]
	}
	return b.String()
}

func encodeLatin1(t *testing.T, s string) string {
	out, err := charmap.ISO8859_1.NewEncoder().String(strings.ReplaceAll(s, "–", "-"))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func encodeUTF16(t *testing.T, s string) string {
	out, err := unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewEncoder().String(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func quoteWith(prefix, body string) string {
	return "Re: something\n\nSomeone wrote:\n" + prefix + strings.ReplaceAll(strings.TrimSuffix(body, "\n"), "\n", "\n"+prefix) + "\n\nI agree.\n"
}

// The mails in testdata give the expected patches and notes.
func TestCorpus(t *testing.T) {
	for _, test := range []struct {
		file    string
		patches int
		changes []string
		notes   []string
	}{
		{file: "reply.eml", patches: 1, changes: []string{
			"arch/arm64/kernel/ftrace.c:51 +static int tramps;",
			"arch/arm64/kernel/ftrace.c:52 +",
			"arch/arm64/kernel/ftrace.c:53 +static void count_tramp(void) { tramps++; }",
			"arch/arm64/kernel/ftrace.c:54 +",
		}},
		{file: "reply-deep.eml", patches: 1, changes: []string{
			"arch/arm64/kernel/ftrace.c:51 +static int tramps;",
		}},
		{file: "counter.eml", patches: 2, changes: []string{
			"kernel/a.c:2 +int b;",
			"kernel/a.c:2 +int other;",
		}},
		{file: "mangled.txt", patches: 1, changes: []string{
			"arch/arm64/kernel/ftrace.c:52 +static int tramps;",
			"arch/arm64/kernel/ftrace.c:53 +",
			"arch/arm64/kernel/ftrace.c:93 + b",
		}, notes: []string{
			"11: white space is not as it was sent: the blank in front is lost from 8 context lines, this is the first",
		}},
		{file: "cut.patch", patches: 1, changes: []string{
			"arch/arm64/kernel/ftrace.c:11 +int b;",
			"arch/arm64/kernel/ftrace.c:32 +int e;",
			"arch/arm64/kernel/ftrace.c:33 +int g;",
			"arch/arm64/kernel/ftrace.c:1 +int first;",
		}, notes: []string{
			"3: the hunk is cut short: its header has 9 lines before and 10 after the change, here are 2 and 3",
			"7: the hunk is longer than it says: its header has 2 lines before and 2 after the change, here are 2 and 4",
			`12: hunk header "@@ -99999999999,2 +1,2 @@" is not understood: its lines are not read`,
			"14: the hunk says that it begins at line 0: its lines are counted from 1",
			"13: not read, as it is in no hunk: 1 line with + or - in front, this is the first",
		}},
		{file: "binary.patch", patches: 1, changes: []string{
			"gone.c:0 -int a;",
			"gone.c:0 -int b;",
			"kernel/café.c:0 -int a;",
			"kernel/café.c:1 +int b;",
		}, notes: []string{
			"4: the binary change of Documentation/logo.gif is not read",
			"13: the binary change of a.png is not read",
		}},
		{file: "show.txt", patches: 2, changes: []string{
			"kernel/a.c:2 +int b;",
			"kernel/a.c:3 +int c;",
		}},
	} {
		t.Run(test.file, func(t *testing.T) {
			in := parse(t, test.file, testdata(t, test.file))
			if len(in.Patches) != test.patches {
				t.Errorf("%d patches, want %d", len(in.Patches), test.patches)
			}
			if diff := cmp.Diff(test.changes, changes(in)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.notes, notes(in)); diff != "" {
				t.Errorf("notes:\n%s", diff)
			}
		})
	}
}

// Names of files that are renamed, removed, made executable.
func TestFiles(t *testing.T) {
	in := parse(t, "binary.patch", testdata(t, "binary.patch"))
	var got []string
	for _, f := range in.Files() {
		got = append(got, fmt.Sprintf("%s new=%t deleted=%t binary=%t", f.Path, f.New, f.Deleted, f.Binary))
	}
	want := []string{
		"Documentation/logo.gif new=true deleted=false binary=true",
		"a.png new=false deleted=false binary=true",
		"kernel/new name.c new=false deleted=false binary=false",
		"scripts/run new=false deleted=false binary=false",
		"gone.c new=false deleted=true binary=false",
		"kernel/café.c new=false deleted=false binary=false",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The text of a reply is not a commit message, nor is the text around a patch in
// the reply.
func TestWordsOfOthers(t *testing.T) {
	for file, want := range map[string][]string{
		"reply.eml":   {"Nobody can tell how many there are. Count them.||Signed-off-by: A Developer <dev@example.org>"},
		"counter.eml": {"", ""},
		"show.txt":    {"    kernel: two||    It has a diff.", "    kernel: three"},
	} {
		in := parse(t, file, testdata(t, file))
		var got []string
		for _, p := range in.Patches {
			var rows []string
			for _, r := range p.Message {
				if !strings.HasPrefix(r.Text, "Author:") && !strings.HasPrefix(r.Text, "Date:") {
					rows = append(rows, r.Text)
				}
			}
			got = append(got, strings.Trim(strings.Join(rows, "|"), "|"))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", file, diff)
		}
	}
}

// A mailbox is a series: each mail is a patch, and so is the cover letter.
func TestMbox(t *testing.T) {
	patch := testdata(t, "simple.patch")
	from, _, _ := strings.Cut(patch, "\n")
	cover := from + "\nFrom: dev@example.org\nSubject: [PATCH 0/2] arm64: =?utf-8?q?caf=C3=A9?=\n\nFrom here on it is 30% faster.\n\nFrom Monday 1 2025\n\nBye.\n-- \n2.39\n\n"
	other := "From dev@example.org Mon May  5 12:00:00 2025\nFrom: dev@example.org\nSubject: [PATCH 2/2] b\n\ntext\n---\n" + patch[strings.Index(patch, "diff --git"):]
	talk := "From dev@example.org Mon May  5 12:00:00 2025\nFrom: dev@example.org\nSubject: Re: [PATCH 2/2] b\n\n> text\n\nI see.\n"
	in := parse(t, "series.mbox", cover+patch+other+talk)
	var subjects []string
	for _, p := range in.Patches {
		subjects = append(subjects, fmt.Sprintf("%d %s, %d files", p.Line, p.Subject, len(p.Files)))
	}
	want := []string{
		"1 [PATCH 0/2] arm64: café, 0 files",
		"13 [PATCH 1/2] arm64: ftrace: count the trampolines that were made for a callback, 2 files",
		"73 [PATCH 2/2] b, 2 files",
	}
	if diff := cmp.Diff(want, subjects); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"0: not judged: 1 mail without a patch"}, notes(in)); diff != "" {
		t.Error(diff)
	}
}

// An input that is not a patch gives an error, which names the input and says what
// was expected.
func TestNoPatch(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"empty":     {" \n\n", "x: it is empty"},
		"talk":      {"From: a@example.org\nSubject: hello\n\nHow are you?\n", "x: no patch in 4 lines"},
		"reply":     {"From: a@example.org\nSubject: Re: hello\n\n> How are you?\n\nFine.\n", "x: no patch in 6 lines"},
		"HTML":      {"From: a@example.org\nContent-Type: text/html\n\n<p>diff --git a/x b/x\n", "a part of type text/html is not read"},
		"image":     {"From: a@example.org\nContent-Type: image/png\n\nxx\n", "a part of type image/png is not read"},
		"bad mime":  {"From: a@example.org\nContent-Type: multipart/mixed; boundary=a\n\n--a\n", "no patch"},
		"only head": {"From: a@example.org\nSubject: x\n", "no patch"},
		"NULs":      {strings.Repeat("\x00", 100), "no patch in 1 line"},
	} {
		_, err := Parse("x", test.text)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", name, err, test.want)
		}
	}
	if _, err := Open("testdata/absent.patch"); err == nil || !strings.Contains(err.Error(), "absent.patch") {
		t.Errorf("absent: %v", err)
	}
}

// Damage gets a note, and the undamaged parts are read.
func TestDamage(t *testing.T) {
	text := testdata(t, "simple.patch")
	header, body, _ := strings.Cut(text, "\n\n")
	mail := func(fields, body string) string { return header + "\n" + fields + "\n\n" + body }
	for name, test := range map[string]struct{ text, note string }{
		"unknown charset":  {mail("Content-Type: text/plain; charset=x-klingon", body), `character set "x-klingon" is not known`},
		"unknown encoding": {mail("Content-Transfer-Encoding: x-rot13", body), `transfer encoding "x-rot13" is not known`},
		"wrong charset":    {mail("Content-Type: text/plain; charset=utf-8", strings.ReplaceAll(body, "ï", "\xef")), "bytes that are not UTF-8 in 1 line"},
		"NUL bytes":        {strings.ReplaceAll(text, "swab", "sw\x00ab"), "NUL bytes in 1 line"},
		"cut within parts": {mail("Content-Type: multipart/mixed; boundary=a", "--a\n\n"+body), "it may be cut short"},
	} {
		in := parse(t, name, test.text)
		if got := notes(in); len(got) != 1 || !strings.Contains(got[0], test.note) {
			t.Errorf("%s: notes %q, want one with %q", name, got, test.note)
		}
		if n := len(changes(in)); n != len(simple) {
			t.Errorf("%s: %d changes, want %d", name, n, len(simple))
		}
	}
	t.Run("broken base64", func(t *testing.T) {
		code := encodeBase64(body)
		in := parse(t, "x", mail("Content-Transfer-Encoding: base64", code[:len(code)*3/4]+"!!!"))
		if got := notes(in); !slices.ContainsFunc(got, func(n string) bool { return strings.Contains(n, "ends within its base64 encoding") }) {
			t.Errorf("notes %q", got)
		}
	})
	t.Run("lines of a megabyte", func(t *testing.T) {
		long := strings.Repeat("x", 1<<20)
		in := parse(t, "x", strings.Replace(text, "+\tnop\n", "+\t"+long+"\n", 1))
		if got := changes(in); len(got) != len(simple) || !strings.HasSuffix(got[1], long) {
			t.Error("the line was lost")
		}
	})
	t.Run("many notes", func(t *testing.T) {
		var b strings.Builder
		b.WriteString("diff --git a/a.c b/a.c\n--- a/a.c\n+++ b/a.c\n")
		for range 1000 {
			b.WriteString("@@ -1,5 +1,5 @@\n int a;\n")
		}
		in := parse(t, "x", b.String())
		if n := len(in.Notes); n != maxNotes+1 || in.Notes[n-1].Text != "not shown: 800 more notes" {
			t.Errorf("%d notes, the last %q", n, in.Notes[n-1].Text)
		}
	})
}

// A source file is one file with all its lines. Its name decides its language.
func TestSource(t *testing.T) {
	in := parse(t, "./arch/arm64/kernel/x.S", "a\nb\r\n")
	f := in.Source
	if f == nil || f.Path != "arch/arm64/kernel/x.S" || f.Lang != LangAsm || f.Arch != "arm64" || len(f.Hunks[0].Lines) != 2 || f.Hunks[0].Lines[1].Text != "b" {
		t.Errorf("%+v", f)
	}
	// A patch that is called like a source is a patch.
	if in := parse(t, "x.c", testdata(t, "simple.patch")); in.Source != nil || len(in.Patches) != 1 {
		t.Error("a patch was read as a source")
	}
}

func TestArch(t *testing.T) {
	for path, want := range map[string]string{
		"arch/arm64/kernel/ftrace.c":            "arm64",
		"arch/x86/kernel/ftrace_64.S":           "x86",
		"arch/arm/kernel/ftrace.c":              "arm",
		"/home/u/linux/arch/arm64/kernel/x.c":   "arm64",
		"tools/testing/selftests/arm64/fp/x.S":  "arm64",
		"tools/arch/x86/lib/memcpy_64.S":        "x86",
		"kernel/trace/ftrace.c":                 "",
		"arch/Kconfig":                          "",
		"ftrace.c":                              "",
		"drivers/perf/arm64.c":                  "",
		"Documentation/arch/arm64/booting.rst":  "arm64",
		"include/linux/ftrace.h":                "",
		"arch/x86/include/asm/text-patching.h":  "x86",
		"arch/riscv/kernel/mcount-dyn.S":        "riscv",
		"arch/arm64/boot/dts/vendor/board.dtsi": "arm64",
	} {
		if got := ArchOf(path); got != want {
			t.Errorf("ArchOf(%q) = %q, want %q", path, got, want)
		}
	}
}
