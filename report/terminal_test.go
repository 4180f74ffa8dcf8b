package report_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ftlint/ftlint/picture"
	"github.com/ftlint/ftlint/report"
	"github.com/ftlint/ftlint/rules"
)

var sequences = regexp.MustCompile("\x1b\\[[0-9;]*m")

// uncoloured returns the lines of s without the sequences that colour them.
func uncoloured(s string) []string {
	return strings.Split(strings.TrimSuffix(sequences.ReplaceAllString(s, ""), "\n"), "\n")
}

const markdownPage = "# FT1 name\n\nSome *plain* text with `code()` in it\nand a [link](https://x.org).\n\n" +
	"- one item that is rather long for\n  a narrow terminal\n- two\n\n1. first\n\n2. second\n\n```c\nint x;  /* as it is */\n```\n\n| era | words |\n| --- | --- |\n| `regs` | NOP, NOP, and more of them |\n"

func TestPage(t *testing.T) {
	var b bytes.Buffer
	if err := (report.Terminal{Writer: &b, Width: 32}).Page(markdownPage); err != nil {
		t.Fatal(err)
	}
	want := `FT1 name

Some plain text with code() in
it and a link.

- one item that is rather long
  for a narrow terminal
- two

1. first

2. second

    int x;  /* as it is */

era   words
regs  NOP, NOP, and more of them
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
	var c bytes.Buffer
	if err := (report.Terminal{Writer: &c, Width: 32, Color: true}).Page(markdownPage); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(c.String(), "\x1b[1mFT1 name\x1b[0m") {
		t.Errorf("the heading is not bold: %q", c.String())
	}
	if diff := cmp.Diff(strings.Split(strings.TrimSuffix(want, "\n"), "\n"), uncoloured(c.String())); diff != "" {
		t.Errorf("colour changes the text: %s", diff)
	}
}

// All pages keep to the width of the terminal, but for code and words that are
// longer, and have all words of their source.
func TestPagesFit(t *testing.T) {
	words := func(s string) string {
		return strings.Join(regexp.MustCompile(`[\pL\pN]+`).FindAllString(s, -1), " ")
	}
	for _, r := range rules.All() {
		source, ok := r.Page()
		if !ok {
			continue
		}
		for _, width := range []int{40, 100} {
			var b bytes.Buffer
			if err := (report.Terminal{Writer: &b, Width: width, Color: true}).Page(source); err != nil {
				t.Fatal(err)
			}
			lines := uncoloured(b.String())
			for _, line := range lines {
				if n := len([]rune(line)); n > width && !strings.HasPrefix(line, "    ") && strings.Contains(strings.TrimLeft(line, " -"), " ") {
					t.Errorf("%s at %d columns: a line of %d: %s", r.ID, width, n, line)
				}
			}
			source := regexp.MustCompile("(?m)^(```.*|\\|[-| ]*\\||<!--.*)$").ReplaceAllString(source, "")
			if diff := cmp.Diff(strings.Fields(words(source)), strings.Fields(words(strings.Join(lines, "\n")))); diff != "" {
				t.Errorf("%s at %d columns: %s", r.ID, width, diff)
			}
		}
	}
}

func TestRulesFit(t *testing.T) {
	var wide, narrow bytes.Buffer
	if err := (report.Terminal{Writer: &wide}).Rules(rules.All()); err != nil {
		t.Fatal(err)
	}
	if err := (report.Terminal{Writer: &narrow, Width: 60, Color: true}).Rules(rules.All()); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(wide.String(), "\n"); n != len(rules.All()) {
		t.Errorf("%d lines for %d rules", n, len(rules.All()))
	}
	for _, line := range uncoloured(narrow.String()) {
		if len(line) > 60 {
			t.Errorf("a line of %d columns: %s", len(line), line)
		}
	}
	if diff := cmp.Diff(strings.Fields(wide.String()), strings.Fields(strings.Join(uncoloured(narrow.String()), " "))); diff != "" {
		t.Error(diff)
	}
}

func TestShowFits(t *testing.T) {
	listings := []picture.Listing{{Title: "entry code", Lines: []picture.Line{
		{Addr: 0xffff800080010000, Labels: []string{"ftrace_call"}, Word: 0xd503201f, Text: "nop", Note: "slot: patched to BL the callback"},
		{Addr: 0xffff800080010004, Word: 0xd65f03c0, Text: "ret", Model: "ret x9", Differs: true},
	}}}
	for _, c := range []struct {
		width int
		want  []string
	}{
		{0, []string{"entry code", "ftrace_call:", "  ffff800080010000:  d503201f  nop  // slot: patched to BL the callback", "  ffff800080010004:  d65f03c0  ret  ! ret x9"}},
		{60, []string{"entry code", "ftrace_call:", "  ffff800080010000:  d503201f  nop", "                               // slot: patched to BL the", "                               // callback", "  ffff800080010004:  d65f03c0  ret  ! ret x9"}},
	} {
		var b bytes.Buffer
		if err := (report.Terminal{Writer: &b, Width: c.width, Color: true}).Show(listings); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, uncoloured(b.String())); diff != "" {
			t.Errorf("width %d: %s", c.width, diff)
		}
	}
}

func TestYAMLFits(t *testing.T) {
	const text = "# 42 of 61 rules run; these do not: FT101 FT102 FT103\nrules:\n  disable:\n    - FT1 # --disable\n"
	var b bytes.Buffer
	if err := (report.Terminal{Writer: &b, Width: 40, Color: true}).YAML(text); err != nil {
		t.Fatal(err)
	}
	want := []string{"# 42 of 61 rules run; these do not:", "#   FT101 FT102 FT103", "rules:", "  disable:", "    - FT1 # --disable"}
	if diff := cmp.Diff(want, uncoloured(b.String())); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(b.String(), "\x1b[2m# --disable\x1b[0m") {
		t.Errorf("the comment is not dimmed: %q", b.String())
	}
	b.Reset()
	if err := (report.Terminal{Writer: &b}).YAML(text); err != nil || b.String() != text {
		t.Errorf("%v, %q", err, b.String())
	}
}
