// Package report writes findings: as text for people and editors, as JSON for
// programs.
package report

import (
	"bufio"
	"fmt"
	"io"
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
// A finding that has no source line is at its image: "path: severity: ...".
type Text struct {
	W       io.Writer
	Color   bool
	SrcTree string // where sources are looked for, to show the line; "" for nowhere
	// MaxPerRule bounds the findings of a rule that are shown of an input, or of
	// all modules; 0 for all. What was found and is not shown is counted.
	MaxPerRule int

	tree      sourceTree
	inModules *finding.Limit // of findings about modules, all together
}

// ANSI sequences, as gcc and clang colour their output.
const (
	bold, reset        = "\x1b[1m", "\x1b[0m"
	red, magenta, cyan = "\x1b[1;31m", "\x1b[1;35m", "\x1b[1;36m"
	green              = "\x1b[1;32m"
)

func (t *Text) paint(color, s string) string {
	if !t.Color {
		return s
	}
	return color + s + reset
}

var severityColor = map[rules.Severity]string{rules.Error: red, rules.Warning: magenta, rules.Note: cyan}

// Write writes the findings of one input, then how many were left out.
func (t *Text) Write(res *finding.Result) error {
	w := bufio.NewWriter(t.W)
	limit := &finding.Limit{Most: t.MaxPerRule}
	if res.IsModule {
		if t.inModules == nil {
			t.inModules = limit
		}
		limit = t.inModules
	}
	for _, f := range res.Findings {
		if !limit.Take(f.Rule.ID) {
			continue
		}
		fmt.Fprintf(w, "%s %s %s [%s %s]\n", t.paint(bold, position(f.Place)+":"), t.paint(severityColor[f.Rule.Severity], f.Rule.Severity.String()+":"), OneLine(message(f)), f.Rule.ID, f.Rule.Name)
		if f.Source != "" {
			t.excerpt(w, f.Line, f.Col, strings.ToValidUTF8(f.Source, "?"))
		} else {
			t.source(w, f.Place)
		}
		for _, r := range f.Related {
			fmt.Fprintf(w, "%s %s %s\n", t.paint(bold, position(r.Place)+":"), t.paint(cyan, "note:"), OneLine(r.Message))
		}
	}
	for _, r := range res.Rules {
		if res.IsModule {
			break // More
		}
		if n := r.Findings - limit.Taken(r.Rule.ID); n > 0 {
			fmt.Fprintf(w, "%s %s %s\n", t.paint(bold, printable(res.Path)+":"), t.paint(cyan, "note:"), more(n, r.Rule, notShown))
		}
	}
	return w.Flush()
}

// message is what a finding says.
func message(f finding.Finding) string {
	if f.Confirmed {
		return f.Message + " (the image confirms it)"
	}
	return f.Message
}

// position is a place as editors know it.
func position(p finding.Place) string {
	path := printable(p.Path)
	if p.Line == 0 {
		return path
	}
	return fmt.Sprintf("%s:%d:%d", path, p.Line, p.Col)
}

// OneLine is s as every reader of lines has it on one: control characters,
// Unicode's line ends, what turns the direction of text, and bytes that are no
// UTF-8 are as Go writes them (\n, \x1b, \u2028, \xff). Names in a file that is
// damaged, or meant to harm, may hold any.
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

// isPlain reports whether OneLine has nothing to do.
func isPlain(s string) bool { return utf8.ValidString(s) && !strings.ContainsFunc(s, isUnsafe) }

// isUnsafe reports whether a character ends a line, for a terminal, Python or
// JavaScript, or shows the line as it is not.
func isUnsafe(r rune) bool {
	return unicode.IsControl(r) || r > unicode.MaxLatin1 && unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

// printable keeps a path with a newline in it on one line.
func printable(path string) string {
	if !isPlain(path) {
		return strconv.Quote(path)
	}
	return path
}

// source shows the line, and a caret under what is on it, if the tree has it.
func (t *Text) source(w io.Writer, p finding.Place) {
	t.tree.root = t.SrcTree
	if line, ok := t.tree.line(p.Path, p.Line); ok {
		t.excerpt(w, p.Line, p.Col, line)
	}
}

// excerpt shows a line, and a caret under what is on it from column col on.
func (t *Text) excerpt(w io.Writer, number, col int, line string) {
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
	code := strings.TrimLeft(line, " \t")
	if from := col - 1; from > len(line)-len(code) && from < len(line) {
		code = strings.ToValidUTF8(line[from:], "")
	}
	before := line[:len(line)-len(code)]
	indent := strings.Map(func(r rune) rune {
		if r != '\t' {
			return ' '
		}
		return r
	}, before)
	if i := strings.Index(code, "//"); i > 0 {
		code = strings.TrimRight(code[:i], " \t")
	}
	fmt.Fprintf(w, "%6d | %s\n", number, line)
	if code != "" {
		fmt.Fprintf(w, "%6s | %s%s\n", "", indent, t.paint(green, "^"+strings.Repeat("~", len([]rune(code))-1)))
	}
}
