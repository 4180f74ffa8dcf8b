package report

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"

	"github.com/ftlint/ftlint/rules"
)

// A Terminal is what a command writes to.
type Terminal struct {
	io.Writer
	Color bool
	Width int // columns; 0 if lines are not to be wrapped, as in a file or a pipe
}

// narrowest is the least width to wrap at, in columns: what is narrower wraps at
// this width.
const narrowest = 30

func (t Terminal) paint(color, s string) string {
	if !t.Color || s == "" {
		return s
	}
	return color + s + reset
}

// wrap writes the words of s, the first line behind first and the others behind
// rest.
func (t Terminal) wrap(first, rest, s string) {
	width, column := max(t.Width, narrowest), columns(first)
	line, empty := first, true
	for _, word := range strings.Fields(s) {
		n := columns(word)
		switch {
		case empty:
			line += word
		case t.Width > 0 && column+1+n > width:
			fmt.Fprintln(t, line)
			line, column = rest+word, columns(rest)-1
		default:
			line += " " + word
		}
		if empty {
			column--
		}
		column, empty = column+1+n, false
	}
	fmt.Fprintln(t, line)
}

// hang writes a line that has columns. If the line is too wide, its last column is
// wrapped within itself, or on lines of its own if it begins far to the right.
func (t Terminal) hang(line string) {
	const least = 24 // columns for the last one
	width := max(t.Width, narrowest)
	at := strings.LastIndex(line, "  ") + 2
	switch {
	case t.Width == 0 || columns(line) <= width:
		fmt.Fprintln(t, line)
	case columns(line[:at])+least <= width && strings.TrimLeft(line[:at], " ") != "":
		t.wrap(line[:at], strings.Repeat(" ", columns(line[:at])), line[at:])
	default:
		indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
		if before := strings.TrimRight(line[:at], " "); before != "" {
			fmt.Fprintln(t, before)
			t.wrap(indent+"    ", indent+"    ", line[at:])
			return
		}
		t.wrap(indent, indent, line[len(indent):])
	}
}

// columns returns how wide s is, without the sequences that colour it.
func columns(s string) int {
	n := 0
	for len(s) > 0 {
		if strings.HasPrefix(s, "\x1b[") {
			if end := strings.IndexByte(s, 'm'); end >= 0 {
				s = s[end+1:]
				continue
			}
		}
		_, size := utf8.DecodeRuneInString(s)
		s, n = s[size:], n+1
	}
	return n
}

// Rules lists rules, a line each.
func (t Terminal) Rules(list []rules.Rule) error {
	return t.buffered(func(t Terminal) {
		for _, r := range list {
			id := t.paint(bold, r.ID)
			severity := t.paint(severityColor[r.Severity], r.Severity.String()) + strings.Repeat(" ", len("warning")-len(r.Severity.String()))
			t.wrap(id+" "+severity+" ", "              ", r.Name+": "+r.Title)
		}
	})
}

// buffered lets write fill t through a buffer.
func (t Terminal) buffered(write func(Terminal)) error {
	b := bufio.NewWriterSize(t.Writer, 64<<10)
	write(Terminal{b, t.Color, t.Width})
	return b.Flush()
}

// YAML writes a configuration. Comments are dimmed; a comment on a line of its own is
// wrapped.
func (t Terminal) YAML(text string) error {
	return t.buffered(func(t Terminal) {
		for line := range strings.Lines(text) {
			line = strings.TrimSuffix(line, "\n")
			switch at := strings.Index(" "+line, " # "); {
			case strings.HasPrefix(line, "# ") && t.Width > 0:
				t.wrap(t.on(dim)+"# ", "#   ", line[2:]+t.on(reset))
			case at >= 0:
				fmt.Fprintf(t, "%s%s\n", line[:at], t.paint(dim, line[at:]))
			default:
				fmt.Fprintln(t, line)
			}
		}
	})
}

// on returns a sequence if t is coloured.
func (t Terminal) on(sequence string) string {
	if t.Color {
		return sequence
	}
	return ""
}

// Page writes a page of markdown as a terminal shows it: headings in bold, text
// and lists wrapped, code as it is, links as their texts.
func (t Terminal) Page(page string) error {
	return t.buffered(func(t Terminal) {
		p := pageWriter{Terminal: t, source: []byte(page)}
		p.blocks(markdown.Parser().Parse(text.NewReader(p.source)), "", "")
	})
}

// A pageWriter writes the blocks of a page.
type pageWriter struct {
	Terminal
	source []byte
	begun  bool // something was written
}

// blocks writes the blocks in n. The first line begins with first, the others with
// indent.
func (p *pageWriter) blocks(n ast.Node, first, indent string) {
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		_, tight := c.(*ast.TextBlock) // of a list without blank lines
		if html, ok := c.(*ast.HTMLBlock); ok && html != nil {
			continue // a comment for tests
		}
		if p.begun && !tight && c != n.FirstChild() || p.begun && n.Kind() == ast.KindDocument {
			fmt.Fprintln(p)
		}
		p.block(c, first, indent)
		first, p.begun = indent, true
	}
}

func (p *pageWriter) block(n ast.Node, first, indent string) {
	switch n := n.(type) {
	case *ast.Heading:
		p.wrap(first, indent, p.paint(bold, p.inline(n, bold)))
	case *ast.List:
		for item, i := n.FirstChild(), n.Start; item != nil; item, i = item.NextSibling(), i+1 {
			bullet := "- "
			if n.IsOrdered() {
				bullet = fmt.Sprintf("%d. ", i)
			}
			if item != n.FirstChild() && !n.IsTight {
				fmt.Fprintln(p)
			}
			p.blocks(item, first+bullet, indent+strings.Repeat(" ", len(bullet)))
			first = indent
		}
	case *ast.FencedCodeBlock, *ast.CodeBlock:
		var b bytes.Buffer
		for i := range n.Lines().Len() {
			line := n.Lines().At(i)
			b.Write(line.Value(p.source))
		}
		for line := range strings.Lines(b.String()) {
			fmt.Fprintf(p, "%s    %s\n", indent, p.paint(cyan, strings.TrimSuffix(line, "\n")))
		}
	case *extast.Table:
		p.table(n, indent)
	default:
		p.wrap(first, indent, p.inline(n, ""))
	}
}

// table writes a table in columns as wide as their cells.
func (p *pageWriter) table(n *extast.Table, indent string) {
	var rows [][]string
	var widths []int
	for row := n.FirstChild(); row != nil; row = row.NextSibling() {
		var cells []string
		for cell := row.FirstChild(); cell != nil; cell = cell.NextSibling() {
			s := p.inline(cell, "")
			if row.Kind() == extast.KindTableHeader {
				s = p.paint(bold, p.inline(cell, bold))
			}
			if len(cells) == len(widths) {
				widths = append(widths, 0)
			}
			widths[len(cells)] = max(widths[len(cells)], columns(s))
			cells = append(cells, s)
		}
		rows = append(rows, cells)
	}
	for _, cells := range rows {
		line := indent
		for i, s := range cells {
			if i == len(cells)-1 { // the last one may be wrapped
				p.wrap(line, strings.Repeat(" ", columns(line)), s)
				break
			}
			line += s + strings.Repeat(" ", widths[i]-columns(s)+2)
		}
	}
}

// inline returns the text in n. around is the colour of what the text stands in.
func (p *pageWriter) inline(n ast.Node, around string) string {
	var b strings.Builder
	within := func(c ast.Node, color string) {
		s := p.inline(c, color)
		if p.Color {
			// Each word is coloured on its own: a line may end between two.
			for i, word := range strings.Fields(s) {
				if i > 0 {
					b.WriteByte(' ')
				}
				b.WriteString(color + word + reset + around)
			}
			return
		}
		b.WriteString(s)
	}
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		switch c := c.(type) {
		case *ast.Text:
			b.Write(c.Segment.Value(p.source))
			if c.SoftLineBreak() || c.HardLineBreak() {
				b.WriteByte(' ')
			}
		case *ast.String:
			b.Write(c.Value)
		case *ast.CodeSpan:
			within(c, cyan)
		case *ast.Emphasis:
			within(c, bold)
		case *ast.AutoLink:
			b.Write(c.URL(p.source))
		case *ast.RawHTML:
		default: // a link
			b.WriteString(p.inline(c, around))
		}
	}
	return b.String()
}
