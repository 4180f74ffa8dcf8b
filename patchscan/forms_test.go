package patchscan

import (
	"go/token"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// messages are the subject and the message of each patch, in one line.
func messages(in *Input) (out []string) {
	for _, p := range in.Patches {
		var rows []string
		for _, r := range p.Message {
			if r.Text != "" {
				rows = append(rows, r.Text)
			}
		}
		out = append(out, p.Subject+": "+strings.Join(rows, "|"))
	}
	return out
}

// flow wraps the lines of a text at 60 characters, as a mail program does that
// writes format=flowed.
func flow(text string, stuff bool) string {
	var out []string
	for _, l := range strings.Split(text, "\n") {
		if stuff && l != "" && (l[0] == ' ' || l[0] == '>' || strings.HasPrefix(l, "From ")) {
			l = " " + l
		}
		for len(l) > 60 && !strings.HasPrefix(l, "diff ") {
			at := strings.LastIndexByte(l[:60], ' ')
			if at < 20 || l[at+1] == '-' || l[at+1] == '+' || l[at+1] == ' ' {
				break
			}
			out = append(out, l[:at+1])
			l = l[at+1:]
		}
		out = append(out, l)
	}
	return strings.Join(out, "\n")
}

// A mail in format=flowed is unwrapped, with blanks stuffed in front of lines or
// not, and with the blank at which a line was wrapped kept or not.
func TestFlowed(t *testing.T) {
	text := testdata(t, "simple.patch")
	header, body, _ := strings.Cut(text, "\n\n")
	body = strings.Replace(body, "\t// the callsite is in x9 = 9", "\t// the callsite is in x9 = 9, and what follows makes a line that no mail program leaves as long as it is", 1)
	want := parse(t, "mail", header+"\n\n"+body)
	for name, sent := range map[string]string{
		"stuffed":          header + "\nContent-Type: text/plain; charset=utf-8; format=flowed\n\n" + flow(body, true),
		"not stuffed":      header + "\nContent-Type: text/plain; charset=utf-8; format=flowed\n\n" + flow(body, false),
		"DelSp":            header + "\nContent-Type: text/plain; format=Flowed; DelSp=yes\n\n" + strings.ReplaceAll(strings.ReplaceAll(flow(body, true), " \n", "  \n"), "--  \n", "-- \n"),
		"quoted-printable": header + "\nContent-Type: text/plain; charset=utf-8; format=flowed\nContent-Transfer-Encoding: quoted-printable\n\n" + encodeQP(t, flow(body, true)),
		"a reply":          header + "\nContent-Type: text/plain; format=flowed\n\nOn Monday someone wrote:\n> " + strings.ReplaceAll(strings.TrimSuffix(flow(body, false), "\n"), "\n", "\n> ") + "\n\nI agree.\n",
	} {
		in := parse(t, name, sent)
		if strings.Count(sent, "\n") <= strings.Count(text, "\n") {
			t.Errorf("%s: nothing was wrapped", name)
		}
		if diff := cmp.Diff(changes(want), changes(in)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if len(in.Notes) > 0 {
			t.Errorf("%s: notes %q", name, notes(in))
		}
		// Lines begin and end where their text does.
		in.AddTo(token.NewFileSet())
		h := in.Files()[0].Hunks[0]
		for i := range h.Lines {
			p := in.Place(in.Pos(&h.Lines[i], 0))
			raw := strings.Split(sent, "\n")[p.InputLine-1]
			text := strings.TrimSpace(h.Lines[i].Text)
			if name == "quoted-printable" || text == "" {
				continue
			}
			if !strings.Contains(raw, text[:min(len(text), 20)]) {
				t.Errorf("%s: line %d is %q, not %q", name, p.InputLine, raw, text)
			}
			end := in.Place(in.Pos(&h.Lines[i], strings.Index(h.Lines[i].Text, text)+len(text)-1))
			if raw := strings.Split(sent, "\n")[end.InputLine-1]; end.InputCol != len(raw) || !strings.HasSuffix(text, raw[strings.LastIndexAny(raw, " +\t")+1:]) {
				t.Errorf("%s: %q ends at %d of %q", name, text, end.InputCol, raw)
			}
		}
	}
}

// A text in UTF-16 is read and named.
func TestUTF16(t *testing.T) {
	text := strings.ReplaceAll(testdata(t, "simple.patch"), "\n", "\r\n")
	utf16 := encodeUTF16(t, text) // with a mark, the high byte first
	swapped := []byte(utf16)
	for i := 0; i+1 < len(swapped); i += 2 {
		swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
	}
	for name, sent := range map[string]string{
		"high first": utf16, "low first": string(swapped), "high first, no mark": utf16[2:], "low first, no mark": string(swapped[2:]),
	} {
		in := parse(t, "x.patch", sent)
		if diff := cmp.Diff(simple, changes(in)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if diff := cmp.Diff([]string{"0: the input is in UTF-16, and is read as such"}, notes(in)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// A header that a mail program wrapped is one file.
func TestWrappedHeader(t *testing.T) {
	text := testdata(t, "simple.patch")
	for name, sent := range map[string]string{
		"a mail": strings.ReplaceAll(text, " b/arch", "\nb/arch"),
		"quoted": quoteWith("> ", strings.ReplaceAll(text[strings.Index(text, "diff --git"):], " b/arch", "\nb/arch")),
	} {
		sent = strings.NewReplacer("+++\nb/arch", "+++ b/arch", "+++\n> b/arch", "+++ b/arch").Replace(sent)
		in := parse(t, "mail", sent)
		if len(in.Files()) != 2 || len(in.Notes) > 0 {
			t.Errorf("%s: %d files, notes %q", name, len(in.Files()), notes(in))
		}
		if diff := cmp.Diff(simple, changes(in)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// A combined diff is named, once a file, and the other files are read.
func TestCombined(t *testing.T) {
	text := testdata(t, "simple.patch")
	merge := "diff --cc arch/arm64/kernel/x.c\nindex 1,2..3\n--- a/arch/arm64/kernel/x.c\n+++ b/arch/arm64/kernel/x.c\n@@@ -1,2 -1,2 +1,3 @@@\n  int a;\n++int b;\n  int c;\n@@@ -9,1 -9,1 +9,2 @@@\n++int d;\n"
	in := parse(t, "x.patch", merge+text[strings.Index(text, "diff --git"):])
	if diff := cmp.Diff(simple, changes(in)); diff != "" {
		t.Error(diff)
	}
	if n := notes(in); len(n) != 1 || !strings.HasPrefix(n[0], "5: arch/arm64/kernel/x.c is shown as a combined diff") {
		t.Errorf("notes %q", n)
	}
}

// The words above a line of scissors are not the message.
func TestScissors(t *testing.T) {
	text := testdata(t, "simple.patch")
	diff := text[strings.Index(text, "diff --git"):]
	for _, scissors := range []string{"-- >8 --", "---- 8< ----", "------------------------ >8 ------------------------", "- - - >8 - - -", "-----8<----- cut here -----8<-----"} {
		for _, subject := range []string{"[PATCH] x", "Re: x"} {
			in := parse(t, "mail", "From: a@example.org\nSubject: "+subject+"\n\n> Someone said that.\n\nTODO: how about this?\n\n"+scissors+"\nFrom: b@example.org\nSubject: [PATCH] y\n\nThe message.\n---\nA remark.\n\n"+diff)
			if diff := cmp.Diff([]string{"[PATCH] y: The message."}, messages(in)); diff != "" {
				t.Errorf("%s %q: %s", subject, scissors, diff)
			}
		}
	}
	for _, none := range []string{"--", "----------", "a <8 b", "if (x >8)"} {
		in := parse(t, "mail", "From: a@example.org\nSubject: [PATCH] x\n\nWords.\n\n"+none+"\nMore.\n---\n"+diff)
		if got := messages(in); !strings.HasPrefix(got[0], "[PATCH] x: Words.|"+none+"|More.") {
			t.Errorf("%q: %q", none, got)
		}
	}
}

// A patch under several levels of quoting is read, whatever marks each mail program
// on the way has written.
func TestQuotedDeep(t *testing.T) {
	text := testdata(t, "simple.patch")
	diff := strings.TrimSuffix(text[strings.Index(text, "diff --git"):], "\n")
	for name, prefix := range map[string]func(i int) string{
		"three":       func(int) string { return "> > > " },
		"mixed":       func(i int) string { return []string{"> > > ", ">>> ", "> >> "}[i%3] },
		"without end": func(i int) string { return []string{">>>", "> >>"}[i%2] },
	} {
		var b strings.Builder
		b.WriteString("From: c@example.org\nSubject: Re: [PATCH] x\n\nOn Tuesday B wrote:\n> On Monday A wrote:\n>> On Sunday C wrote:\n")
		for i, l := range strings.Split(diff, "\n") {
			b.WriteString(prefix(i) + l + "\n")
			if strings.HasPrefix(l, "+") && !strings.HasPrefix(l, "+++") {
				b.WriteString(">> Why?\n> Because.\n> +no code\nI see.\n")
			}
		}
		in := parse(t, "mail", b.String())
		if diff := cmp.Diff(simple, changes(in)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if len(in.Notes) > 0 {
			t.Errorf("%s: notes %q", name, notes(in))
		}
	}
}

// What git range-diff and an interdiff show in a cover letter is neither a message
// nor a patch.
func TestComparisons(t *testing.T) {
	const header = "From: a@example.org\nSubject: [PATCH v2 0/2] x\n\nWords.\n\nA (2):\n  one\n  two\n\n arch/arm64/kernel/x.c | 2 +-\n 1 file changed\n\n"
	text := testdata(t, "simple.patch")
	for name, test := range map[string]struct{ shown, want string }{
		"range-diff":      {"Range-diff against v1:\n1:  0123456789ab ! 1:  123456789abc one\n    @@ arch/arm64/kernel/x.c: int f(void)\n     -+/* TODO */\n     ++diff --git a/x b/x\n-:  ------------ > 2:  23456789abcd two\n", ""},
		"without heading": {"1:  0123456789ab = 1:  123456789abc one\n2:  0123456789ab ! 2:  123456789abc two\n    @@ Commit message\n     + TODO\n\nThanks.\n", "Thanks."},
		"interdiff":       {"Interdiff against v1:\ndiff --git a/arch/arm64/kernel/y.c b/arch/arm64/kernel/y.c\n--- a/arch/arm64/kernel/y.c\n+++ b/arch/arm64/kernel/y.c\n@@ -1 +1,2 @@\n int a;\n+int b; /* TODO */\n", ""},
	} {
		cover := header + test.shown + "-- \n2.39\n\n"
		in := parse(t, "x.mbox", "From a@example.org Mon May  5 12:00:00 2025\n"+cover+"From a@example.org Mon May  5 12:00:00 2025\n"+strings.Join(strings.Split(text, "\n")[1:], "\n"))
		if diff := cmp.Diff(simple, changes(in)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		got := messages(in)[0]
		if !strings.Contains(got, "Words.|A (2):|  one|  two") || !strings.Contains(got, test.want) || strings.Contains(got, "TODO") || strings.Contains(got, "0123456789ab") {
			t.Errorf("%s: message %q", name, got)
		}
		if len(in.Notes) > 0 {
			t.Errorf("%s: notes %q", name, notes(in))
		}
	}
}

// The place of a line that the mail has encoded says so.
func TestEncodedPlace(t *testing.T) {
	text := testdata(t, "simple.patch")
	header, body, _ := strings.Cut(text, "\n\n")
	for want, sent := range map[string]string{
		"":                 text,
		"base64":           header + "\nContent-Transfer-Encoding: base64\n\n" + encodeBase64(body),
		"quoted-printable": header + "\nContent-Transfer-Encoding: quoted-printable\n\n" + encodeQP(t, body),
	} {
		in := parse(t, "mail", sent)
		in.AddTo(token.NewFileSet())
		if got := in.Place(in.Pos(&in.Files()[0].Hunks[0].Lines[0], 0)).Encoding; got != want {
			t.Errorf("encoding %q, want %q", got, want)
		}
	}
}

// Lines of a hunk that a mail program wrapped are joined where the counts of the
// hunk's header prove it.
func TestHardWrapped(t *testing.T) {
	const head = "--- a/x.c\n+++ b/x.c\n"
	for _, test := range []struct{ hunk, want, note string }{
		{"@@ -1,3 +1,4 @@\n int a;\n+int long_name =\nlonger_value;\n int b;\n int c;\n", "int a;|int long_name = longer_value;|int b;|int c;", "the mail was wrapped: 1 line of hunks"},
		{"@@ -1,3 +1,4 @@\n int a;\n+int x =\ny\n+ z;\n int c;\n", "", "before and 4 after the change"}, // + z; is a line of its own
		{"@@ -1,2 +1,3 @@ f()\n\n+int x = y +\n\tz;\n int b;\n-- \n2.39\n", "|int x = y + \tz;|int b;", "the mail was wrapped"},
		{"@@ -1,2 +1,3 @@\n int a;\n+\tmac \\one,\n\\two\n int b;\n\\ No newline at end of file\n", "int a;|\tmac \\one, \\two|int b;", "the mail was wrapped"},
		// An archive ate the blanks of context lines: nothing is joined.
		{"@@ -1,3 +1,4 @@\nint a;\n+int x;\nint b;\nint c;\n", "int a;|int x;|int b;|int c;", "white space is not as it was sent"},
		{"@@ -1,3 +1,4 @@\n int a;\n+int x;\nint b;\n int c;\n", "int a;|int x;|int b;|int c;", "white space is not as it was sent"},
		// An empty line at the end of the mail proves nothing.
		{"@@ -1,2 +1,3 @@\n int a;\n+int x;\nint b;\n\n", "int a;|int x;|int b;", "white space is not as it was sent"},
		// Words behind the last line are not a part of it.
		{"@@ -1,1 +1,2 @@\n int a;\n+int x;\nThanks\n", "int a;|int x;", ""},
	} {
		in, err := Parse("x.patch", head+test.hunk)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, l := range in.Patches[0].Files[0].Hunks[0].Lines {
			lines = append(lines, l.Text)
		}
		var notes []string
		for _, n := range in.Notes {
			notes = append(notes, n.Text)
		}
		got := strings.Join(lines, "|")
		if test.want != "" && got != test.want {
			t.Errorf("%s\nis read as %q, want %q", test.hunk, got, test.want)
		}
		if all := strings.Join(notes, "\n"); !strings.Contains(all, test.note) || test.note == "" && all != "" {
			t.Errorf("%s\nhas the notes %q, want %q", test.hunk, all, test.note)
		}
	}
}

// Each word of a line that a mail program wrapped is at the line of the mail where it
// stands, quoted or not. A line that was wrapped is read once, with the quoting that
// it has.
func TestPlaceOfWrapped(t *testing.T) {
	body := "--- a/x.c\n+++ b/x.c\n@@ -1,3 +1,4 @@\n int a;\n+int long_name =\nlonger_value +\nlongest_value;\n int b;\n int c;\n"
	reply := "Subject: Re: [PATCH] x\n\nOn Monday someone wrote:\n" + quoteWith("> ", body) + "\nI agree.\n"
	both := body + "-- \n2.39\n\nOn Monday someone wrote:\n" + quoteWith("> ", strings.ReplaceAll(body, "x.c", "y.c"))
	for name, sent := range map[string]string{
		"plain":  body,
		"quoted": reply,
		"both":   both,
		"flowed": "From: a@example.org\nContent-Type: text/plain; format=flowed\n\n" + strings.Replace(body, "value +\nlongest", "value + \nlongest", 1),
	} {
		in := parse(t, name, sent)
		for _, f := range in.Files() {
			const joined = "int long_name = longer_value + longest_value;"
			l := &f.Hunks[0].Lines[1]
			if len(f.Hunks[0].Lines) != 4 || l.Text != joined {
				t.Errorf("%s: %+v", name, f.Hunks[0].Lines)
				continue
			}
			in.AddTo(token.NewFileSet())
			for _, word := range []string{"int", "long_name", "=", "longer_value", "+", "longest_value", ";"} {
				at := strings.Index(joined, word)
				p := in.Place(in.Pos(l, at))
				raw := strings.Split(sent, "\n")[p.InputLine-1]
				if !strings.HasPrefix(raw[p.InputCol-1:], word) || raw != p.InputText {
					t.Errorf("%s: %q of %s is at %d of line %d, %q; the place has %q", name, word, f.Path, p.InputCol, p.InputLine, raw, p.InputText)
				}
				if p.Line != 2 || p.Col != at+1 || p.Text != joined {
					t.Errorf("%s: %q is at %d:%d of %s", name, word, p.Line, p.Col, f.Path)
				}
			}
		}
	}
	in := Join([]*Input{parse(t, "one", testdata(t, "simple.patch")), parse(t, "two", reply)})
	in.AddTo(token.NewFileSet())
	files := in.Files()
	if p := in.Place(in.Pos(&files[len(files)-1].Hunks[0].Lines[1], 16)); p.InputPath != "two" || p.InputText != "> longer_value +" || p.InputCol != 3 {
		t.Errorf("in a series: %+v", p)
	}
}

// A line that is wrapped a hundred thousand times is read at once.
func TestWrappedOften(t *testing.T) {
	for name, text := range map[string]string{
		"by hand": "--- a/x.c\n+++ b/x.c\n@@ -1,2 +1,3 @@\n int a;\n+x\n" + strings.Repeat("a long piece of the line, as it may be\n", 100_000) + " int b;\n",
		"flowed":  "From: a@example.org\nContent-Type: text/plain; format=flowed\n\n" + strings.Repeat("a long piece of the line, as it may be \n", 100_000) + "\n--- a/x.c\n+++ b/x.c\n@@ -1,1 +1,2 @@\n int a;\n+x\n",
	} {
		began := time.Now()
		parse(t, name, text)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: %v", name, took)
		}
	}
}
