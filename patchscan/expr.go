package patchscan

import (
	"slices"
	"strings"
)

// A Call is a call of a function or macro in a function.
type Call struct {
	Name string
	At   int       // index of the name in Func.Tokens
	End  int       // index behind the closing parenthesis in Func.Tokens
	Args [][]Token // the arguments
}

// Calls are the calls in the body of f, in their order.
func (f *Func) Calls() []Call {
	var calls []Call
	for i := f.Body; i+1 < len(f.Tokens); i++ {
		t := f.Tokens[i]
		if t.Kind != Ident || keywords[t.Text] || f.Tokens[i+1].Text != "(" {
			continue
		}
		end := matching(f.Tokens, i+1)
		last := end
		if f.Tokens[end-1].Text == ")" { // else the call is not closed here
			last--
		}
		calls = append(calls, Call{t.Text, i, end, SplitArgs(f.Tokens[i+2 : max(last, i+2)])})
	}
	return calls
}

// SplitArgs splits the arguments of a call, or the operands of an instruction, at
// the commas outside parentheses, brackets and braces.
func SplitArgs(tokens []Token) [][]Token {
	var args [][]Token
	depth, begin := 0, 0
	for i, t := range tokens {
		switch t.Text {
		case "(", "[", "{":
			depth++
		case ")", "]", "}":
			depth--
		case ",":
			if depth == 0 {
				args = append(args, tokens[begin:i])
				begin = i + 1
			}
		}
	}
	if len(tokens) > 0 {
		args = append(args, tokens[begin:])
	}
	return args
}

// An Assign is an assignment to a variable, or through a pointer.
type Assign struct {
	Name  string  // the variable with its members and indexes: "ops->trampoline", "p[1]"; "" for an expression
	Left  []Token // all of the left side, without the type of a declaration
	Deref bool    // through a pointer: *p = x, *(u32 *)(p + 4) = x
	Op    string  // "=", "|=", ...
	At    int     // index of the variable, or of what stands for it, in Func.Tokens
	Value []Token
}

// Stores reports whether the assignment writes to memory that a pointer or an
// array names, and not to a variable.
func (a *Assign) Stores() bool { return a.Deref || strings.Contains(a.Name, "[") }

// Assigns are the assignments in the body of f, initialisations too.
func (f *Func) Assigns() []Assign {
	var out []Assign
	for i := f.Body; i < len(f.Tokens); i++ {
		switch f.Tokens[i].Text {
		case "=", "|=", "+=", "-=", "&=", "^=", "<<=", ">>=", "*=", "/=", "%=":
		default:
			continue
		}
		a := Assign{Op: f.Tokens[i].Text}
		if !f.leftSide(&a, i) {
			continue
		}
		end, depth := i+1, 0
		for ; end < len(f.Tokens); end++ {
			t := f.Tokens[end].Text
			if t == "(" || t == "[" || t == "{" {
				depth++
			} else if t == ")" || t == "]" || t == "}" {
				depth--
			}
			if depth < 0 || depth == 0 && (t == ";" || t == ",") {
				break
			}
		}
		a.Value = f.Tokens[i+1 : min(end, len(f.Tokens))]
		out = append(out, a)
	}
	return out
}

// leftSide reads the left side of an assignment, backwards from its operator, and
// reports whether that is one: a variable, a member, an element, or what a pointer
// points to.
func (f *Func) leftSide(a *Assign, op int) bool {
	tokens := f.Tokens
	end := op
	if end > f.Body && (tokens[end-1].Text == "++" || tokens[end-1].Text == "--") { // *p++ = x
		end--
	}
	left, group := f.operand(end)
	if left == end {
		return false
	}
	a.At = left
	if !group {
		for _, t := range tokens[left:end] {
			a.Name += t.Text
		}
	} else if tokens[left+1].Text == "*" { // (*p) = x
		a.Deref = true
	}
	// Casts, signs and stars in front of the operand.
	begin := left
	for begin > f.Body {
		switch before := tokens[begin-1].Text; {
		case before == "++" || before == "--":
			begin--
			continue
		case before == "*" && f.stars(begin-1):
			a.Deref = true
			begin--
			continue
		case before == ")":
			if at := f.opening(begin - 1); at > f.Body && tokens[at-1].Text == "*" && isType(tokens[at+1:begin-1]) {
				begin = at
				continue
			}
		}
		break
	}
	a.Left = tokens[begin:op]
	return !group || a.Deref
}

// operand is the index at which the operand begins that ends before tokens[end]: a
// name with its members and indexes, or a group in parentheses.
func (f *Func) operand(end int) (begin int, group bool) {
	i, indexed := end, false
	for i > f.Body {
		t := f.Tokens[i-1]
		switch {
		case t.Text == "]" || t.Text == ")":
			at := f.opening(i - 1)
			if at == i-1 {
				return end, false
			}
			if i = at; t.Text == "]" {
				indexed = true
				continue // what is indexed stands before
			}
			if i > f.Body && f.Tokens[i-1].Kind == Ident && !keywords[f.Tokens[i-1].Text] {
				continue // the macro or function stands before
			}
			group = !indexed
		case t.Kind == Ident && !keywords[t.Text]:
			i--
			group = false
		default:
			return end, false
		}
		if i == f.Body || f.Tokens[i-1].Text != "->" && f.Tokens[i-1].Text != "." {
			return i, group
		}
		i--
		group = false
		if i == f.Body || f.Tokens[i-1].Kind == Punct && f.Tokens[i-1].Text != "]" && f.Tokens[i-1].Text != ")" {
			return i, false // .member = x, in an initialiser
		}
	}
	return i, group
}

// maxLeft is the most tokens of a left side that are read.
const maxLeft = 1000

// opening is the index of the bracket or parenthesis that tokens[i] closes, or i if
// it is not near.
func (f *Func) opening(i int) int {
	depth := 0
	for k := i; k >= max(f.Body, i-maxLeft); k-- {
		switch f.Tokens[k].Text {
		case ")", "]", "}":
			depth++
		case "(", "[", "{":
			if depth--; depth == 0 {
				return k
			}
		}
	}
	return i
}

// stars reports whether the star at i, or the run of stars that ends there, reads
// through a pointer: "*p = x" stores, and "u32 *p = x" declares.
func (f *Func) stars(i int) bool {
	for i > f.Body && f.Tokens[i-1].Text == "*" {
		i--
	}
	if i == f.Body {
		return true
	}
	switch before := f.Tokens[i-1]; before.Text {
	case ";", "{", "}", ")", ":", "else", "do", "(", "&&", "||":
		return true
	case ",": // a declaration has its type before: u32 *p = x, *q = y
		k := i - 1
		for k > f.Body && k > i-maxLeft && !slices.Contains([]string{";", "{", "}"}, f.Tokens[k-1].Text) {
			k--
		}
		return f.Tokens[k].Kind != Ident || f.Tokens[k+1].Kind != Ident && f.Tokens[k+1].Text != "*"
	}
	return false
}

// isType reports whether tokens may be the type of a cast: u32 *, struct x **.
func isType(tokens []Token) bool {
	for i, t := range tokens {
		if t.Kind != Ident && (t.Text != "*" || i == 0) {
			return false
		}
	}
	return len(tokens) > 0
}

// A Return is a return statement with a value.
type Return struct {
	At    int // index of the keyword in Func.Tokens
	Value []Token
}

// Returns are the return statements of f that have a value.
func (f *Func) Returns() []Return {
	var out []Return
	for i := f.Body; i < len(f.Tokens); i++ {
		if f.Tokens[i].Text != "return" {
			continue
		}
		end := i + 1
		for end < len(f.Tokens) && f.Tokens[end].Text != ";" && f.Tokens[end].Text != "}" {
			end++
		}
		if end > i+1 {
			out = append(out, Return{i, f.Tokens[i+1 : end]})
		}
	}
	return out
}

// A Macro is a macro that a file defines.
type Macro struct {
	Name   Token
	Params []string
	Body   []Token
}

// Macros are the macros with a body that the shown lines define, by name.
func (c *Code) Macros() map[string]Macro {
	out := map[string]Macro{}
	t := c.Tokens
	for i := 0; i+2 < len(t); i++ {
		if !t[i].Pre || t[i].Text != "define" || !t[i+1].Pre || t[i+1].Kind != Ident {
			continue
		}
		m := Macro{Name: t[i+1]}
		end := i + 2
		for end < len(t) && t[end].Pre && !(t[end].Text == "#" && startsLine(t, end)) {
			end++
		}
		rest := t[i+2 : end]
		if len(rest) > 0 && rest[0].Text == "(" && rest[0].Line == m.Name.Line && int(rest[0].Col) == int(m.Name.Col)+len(m.Name.Text) {
			close := matching(rest, 0)
			for _, p := range SplitArgs(rest[1:max(close-1, 1)]) {
				if len(p) == 1 {
					m.Params = append(m.Params, p[0].Text)
				}
			}
			rest = rest[close:]
		}
		for _, b := range rest {
			if b.Kind != Comment && b.Text != "\\" {
				m.Body = append(m.Body, b)
			}
		}
		if len(m.Body) > 0 {
			out[m.Name.Text] = m
		}
	}
	return out
}

// startsLine reports whether tokens[i] is the first of its line.
func startsLine(tokens []Token, i int) bool {
	return i == 0 || tokens[i-1].Line != tokens[i].Line
}
