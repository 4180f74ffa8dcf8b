package patchscan

import (
	"strings"
)

// Kind is what a token is.
type Kind uint8

const (
	Ident   Kind = iota // names and keywords; in assembly also mnemonics and directives: b.eq, .word
	Number              // 0x1f, 10UL, 1.5; in assembly also local labels: 1f
	String              // with its quotes
	Char                // with its quotes
	Comment             // one line of a comment, with its marks
	Punct               // operators and everything else
	NewLine             // the end of a statement's line, in assembly alone
	Gap                 // lines are missing here: the end of a hunk
)

// A Token is a piece of one line.
type Token struct {
	Kind  Kind
	Pre   bool   // within a preprocessor directive
	Line  int32  // index into the lines that were scanned
	Col   int32  // bytes before it in its line
	Block int32  // comments: the same for all lines of one comment
	Text  string // as it stands
}

// operators of more than one character, longest first.
var operators = []string{"<<=", ">>=", "...", "->", "++", "--", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||",
	"+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "##"}

// A Scanner splits lines into tokens. It remembers what goes on behind the end of
// a line: a comment, or a directive that a backslash continues.
type Scanner struct {
	Lang      Lang
	inComment bool
	directive bool // continued from the line before
	block     int32
}

// Begin prepares the scanner for lines behind a gap. It guesses from the lines
// whether they begin within a comment.
func (s *Scanner) Begin(lines []Line) {
	s.inComment, s.directive = false, false
	s.block++
	for i := range lines {
		t := lines[i].Text
		open, end := strings.Index(t, "/*"), strings.Index(t, "*/")
		if end >= 0 && (open < 0 || end < open) {
			s.inComment = true
			return
		}
		if open >= 0 {
			return
		}
	}
}

func isLetter(c byte) bool {
	return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// Line appends the tokens of the line t, which is number n.
func (s *Scanner) Line(tokens []Token, n int32, t string) []Token {
	asm := s.Lang == LangAsm
	i := 0
	add := func(k Kind, end int) {
		tokens = append(tokens, Token{Kind: k, Pre: s.directive, Line: n, Col: int32(i), Text: t[i:end], Block: s.block})
		i = end
	}
	if !s.directive && !s.inComment {
		s.directive = isDirective(t)
	}
	for i < len(t) {
		if s.inComment {
			end := strings.Index(t[i:], "*/")
			if end < 0 {
				add(Comment, len(t))
				break
			}
			add(Comment, i+end+2)
			s.inComment = false
			s.block++
			continue
		}
		c := t[i]
		switch {
		case c <= ' ' || c == 0x7f:
			i++
		case strings.HasPrefix(t[i:], "\u00a0"): // a blank, after some web mail
			i += 2
		case c == '/' && i+1 < len(t) && t[i+1] == '*':
			if end := strings.Index(t[i+2:], "*/"); end >= 0 {
				add(Comment, i+2+end+2)
				s.block++
			} else {
				s.inComment = true
				add(Comment, len(t))
			}
		case c == '/' && i+1 < len(t) && t[i+1] == '/':
			add(Comment, len(t))
			s.block++
		case asm && c == '#' && !s.directive && strings.TrimSpace(t[:i]) == "" && !isImmediate(t[i:]):
			add(Comment, len(t)) // gas takes a # that begins a line for a comment
			s.block++
		case c == '"' || c == '\'' && !(asm && !strings.Contains(t[i+1:], "'")):
			end := i + 1
			for end < len(t) && t[end] != c {
				if t[end] == '\\' {
					end++
				}
				end++
			}
			k := String
			if c == '\'' {
				k = Char
			}
			add(k, min(end+1, len(t)))
		case isLetter(c) || asm && (c == '.' || c == '\\' || c == '$') && i+1 < len(t) && (isLetter(t[i+1]) || t[i+1] == '@'):
			end := i + 1
			for end < len(t) && (isLetter(t[end]) || isDigit(t[end]) || asm && (t[end] == '.' || t[end] == '$' || t[end] == '\\' || t[end] == '@')) {
				end++
			}
			add(Ident, end)
		case isDigit(c):
			end := i + 1
			for end < len(t) && (isLetter(t[end]) || isDigit(t[end]) || !asm && t[end] == '.') {
				end++
			}
			add(Number, end)
		default:
			end := i + 1
			for _, op := range operators {
				if op[0] == c && strings.HasPrefix(t[i:], op) {
					end = i + len(op)
					break
				}
			}
			if c >= 0x80 { // one token for a run of other characters
				for end < len(t) && t[end] >= 0x80 {
					end++
				}
			}
			add(Punct, end)
		}
	}
	if asm && !s.inComment {
		i = len(t)
		add(NewLine, len(t))
	}
	if s.directive && !strings.HasSuffix(strings.TrimRight(t, " \t"), "\\") {
		s.directive = false
	}
	return tokens
}

// isDirective reports whether t is a line for the preprocessor.
func isDirective(t string) bool {
	t = strings.TrimLeft(t, " \t")
	if t == "" || t[0] != '#' {
		return false
	}
	t = strings.TrimLeft(t[1:], " \t")
	n := 0
	for n < len(t) && isLetter(t[n]) {
		n++
	}
	switch t[:n] {
	case "define", "undef", "include", "if", "ifdef", "ifndef", "elif", "elifdef", "elifndef", "else", "endif", "error", "warning", "pragma", "line":
		return true
	}
	return false
}

// isImmediate reports whether the # at the beginning of t stands before an operand
// on a line of its own.
func isImmediate(t string) bool { return len(t) > 1 && (isDigit(t[1]) || t[1] == '-' || t[1] == '(') }
