// Package report writes findings as text for people and editors, as a page of
// HTML, and in the formats of other programs.
package report

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/rules"
)

// Text writes findings in the form of compilers:
//
//	path:line:col: severity: message [FT103 copy-misses-ret]
//
// A finding without a source line has the path of its image: "path: severity: ...".
type Text struct {
	W       io.Writer
	Color   bool
	Many    bool   // several kernels are judged: each finding names its own
	SrcTree string // folder of the kernel sources, to show lines; "" for none
	// MaxPerRule bounds the findings of a rule that are shown for an input, or for
	// all modules together; 0 for all. Findings that are not shown are counted.
	MaxPerRule int

	tree      sourceTree
	inModules *finding.Limit // for all modules together
}

// ANSI sequences, as gcc and clang colour their output.
const (
	bold, reset        = "\x1b[1m", "\x1b[0m"
	red, magenta, cyan = "\x1b[1;31m", "\x1b[1;35m", "\x1b[1;36m"
	green              = "\x1b[1;32m"
	dim                = "\x1b[2m"
)

func (t *Text) paint(color, s string) string {
	if !t.Color {
		return s
	}
	return color + s + reset
}

var severityColor = map[rules.Severity]string{rules.Error: red, rules.Warning: magenta, rules.Note: cyan}

// Write writes the findings of one input, then how many it left out.
func (t *Text) Write(res *finding.Result) error {
	w := bufio.NewWriter(t.W)
	limit := &finding.Limit{Most: t.MaxPerRule}
	if res.IsModule {
		if t.inModules == nil {
			t.inModules = limit
		}
		limit = t.inModules
	}
	kept := limit.Keep(res.Findings)
	for i := range res.Findings {
		if kept[i] {
			in := ""
			if f := &res.Findings[i]; (res.IsModule || t.Many) && len(input(res, f)) > 0 {
				in = "in " + printable(res.Path)
			}
			t.finding(w, &res.Findings[i], in)
		}
	}
	for _, r := range res.Rules {
		if res.IsModule {
			break // More writes it
		}
		if n := r.Findings - limit.Taken(r.Rule.ID); n > 0 {
			fmt.Fprintf(w, "%s %s %s\n", t.paint(bold, printable(res.Path)+":"), t.paint(cyan, "note:"), more(n, r.Rule, notShown))
		}
	}
	return w.Flush()
}

// WriteShared writes the findings of many inputs, each once with the inputs that
// have it, then how many it left out.
func (t *Text) WriteShared(results []*finding.Result) error {
	w := bufio.NewWriter(t.W)
	limit := &finding.Limit{Most: t.MaxPerRule}
	left := map[string]int{}
	var order []rules.Rule
	for _, s := range sharedFindings(results) {
		if limit.Take(s.Rule.ID) {
			t.finding(w, s.Finding, s.inWords())
			continue
		}
		if left[s.Rule.ID]++; left[s.Rule.ID] == 1 {
			order = append(order, s.Rule)
		}
	}
	for _, r := range order {
		fmt.Fprintf(w, "%s %s\n", t.paint(cyan, "note:"), more(left[r.ID], r, notShown))
	}
	return w.Flush()
}

// finding writes one finding; in says which inputs have it, "" if there is but
// one.
func (t *Text) finding(w io.Writer, f *finding.Finding, in string) {
	severity := t.paint(severityColor[f.Rule.Severity], f.Rule.Severity.String()+":")
	fmt.Fprintf(w, "%s %s %s\n", t.paint(bold, position(f.Place)+":"), severity, headline(f))
	if f.Source != "" {
		t.excerpt(w, f.Place, strings.ToValidUTF8(f.Source, "?"))
	} else {
		t.source(w, f.Place)
	}
	lines := proof(f)
	if own := ownLine(f); own != "" {
		lines = slices.Insert(lines, len(f.Evidence), own)
	}
	for _, l := range append(lines, in) {
		if l != "" {
			fmt.Fprintf(w, "  %s\n", l)
		}
	}
	for _, r := range f.Related {
		if r.Same {
			continue // ownLine has said it
		}
		fmt.Fprintf(w, "%s %s %s\n", t.paint(bold, position(r.Place)+":"), t.paint(cyan, "note:"), OneLine(r.Message))
	}
}

// ownLine says where the line of a finding is in the patch, or in the patched file,
// whichever the finding's place is not; "" if it has one place. The form is not that
// of a place: editors would take it for one more finding.
func ownLine(f *finding.Finding) string {
	for _, r := range f.Related {
		if r.Same {
			return fmt.Sprintf("line %d of %s", r.Line, printable(r.Path))
		}
	}
	return ""
}

// position returns a place in the form that editors know.
func position(p finding.Place) string {
	path := printable(p.Path)
	if p.Line == 0 {
		return path
	}
	return fmt.Sprintf("%s:%d:%d", path, p.Line, p.Col)
}

// OneLine returns s on one line. Control characters, Unicode's line ends,
// characters that change the direction of text, and bytes that are not UTF-8
// become Go's escapes (\n, \x1b, \u2028, \xff). Names in a damaged or hostile
// file may have any of them.
func OneLine(s string) string {
	if isPlain(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case isUnsafe(r):
			q := strconv.QuoteRune(r)
			b.WriteString(q[1 : len(q)-1])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// isPlain reports whether OneLine returns s as it is.
func isPlain(s string) bool {
	return isASCII(s) || utf8.ValidString(s) && !strings.ContainsFunc(s, isUnsafe)
}

// isASCII reports whether s has printable characters of ASCII alone, as nearly all
// texts do.
func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// isUnsafe reports whether a character ends a line for a terminal, Python or
// JavaScript, or makes a terminal show another line than the bytes say.
func isUnsafe(r rune) bool {
	return unicode.IsControl(r) || r > unicode.MaxLatin1 && unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

// printable returns a path on one line, quoted if it has unsafe characters.
func printable(path string) string {
	if !isPlain(path) {
		return strconv.Quote(path)
	}
	return path
}

// source shows the line at a place with carets below it, if the tree has the line.
func (t *Text) source(w io.Writer, p finding.Place) {
	t.tree.root = t.SrcTree
	if line, ok := t.tree.line(p.Path, p.Line); ok {
		t.excerpt(w, p, line)
	}
}

// word returns the word that s begins with: a name or a number, else one character.
func word(s string) string {
	end := strings.IndexFunc(s, func(r rune) bool { return r != '_' && r != '.' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if end < 0 {
		return s
	}
	_, first := utf8.DecodeRuneInString(s)
	return s[:max(end, first)]
}

// meant returns the code of a line that columns col to end mean, and the line's text
// before it.
func meant(line string, col, end int) (before, code string) {
	if 0 < col && col < end && end <= len(line)+1 {
		return line[:col-1], strings.ToValidUTF8(line[col-1:end-1], "")
	}
	code = strings.TrimLeft(line, " \t")
	if from := col - 1; from > len(line)-len(code) && from < len(line) {
		code = strings.ToValidUTF8(line[from:], "")
	}
	before = line[:len(line)-len(code)]
	if col > 1 && col-1 == len(before) {
		return before, word(code)
	}
	for _, comment := range []string{"//", "/*"} {
		if i := strings.Index(code, comment); i > 0 {
			code = strings.TrimRight(code[:i], " \t")
		}
	}
	return before, code
}

// excerpt shows the line at a place with carets below the text that is meant. If the
// end of that text is not known, they are below the word at the place's column or,
// if the column is 1, below all of the line's code.
func (t *Text) excerpt(w io.Writer, p finding.Place, line string) {
	const most = 300 // bytes of a line that are shown
	if len(line) > most {
		line = strings.ToValidUTF8(line[:most], "") + " ..."
	}
	line = strings.Map(func(r rune) rune {
		if r != '\t' && isUnsafe(r) {
			return ' '
		}
		return r
	}, strings.TrimRight(line, " \t\r"))
	before, code := meant(line, p.Col, p.EndCol)
	indent := strings.Map(func(r rune) rune {
		if r != '\t' {
			return ' '
		}
		return r
	}, before)
	fmt.Fprintf(w, "%6d | %s\n", p.Line, line)
	if code != "" {
		fmt.Fprintf(w, "%6s | %s%s\n", "", indent, t.paint(green, "^"+strings.Repeat("~", len([]rune(code))-1)))
	}
}
