package patchscan

import (
	"slices"
	"strings"
)

// Code is the part of a patched file that a patch shows, in tokens.
type Code struct {
	File   *File
	Lines  []Line  // of all hunks, without the removed ones
	Tokens []Token // Token.Line indexes Lines; a Gap stands between hunks
	Funcs  []*Func // in C
	Stmts  []Stmt  // in assembly
}

// Parse splits the file into tokens, functions and statements. Of a file that is
// neither C nor assembly it gives the lines alone.
func (f *File) Parse() *Code {
	c := &Code{File: f}
	var s Scanner
	s.Lang = f.Lang
	for _, h := range f.Hunks {
		begin, first := len(c.Tokens), len(c.Lines)
		for i := range h.Lines {
			if h.Lines[i].Op != '-' {
				c.Lines = append(c.Lines, h.Lines[i])
			}
		}
		if f.Lang == LangOther || first == len(c.Lines) {
			continue
		}
		if f.Whole {
			s.block++
		} else {
			s.Begin(c.Lines[first:])
		}
		for i := first; i < len(c.Lines); i++ {
			c.Tokens = s.Line(c.Tokens, int32(i), c.Lines[i].Text)
		}
		if f.Lang == LangC {
			c.functions(c.Tokens[begin:], h.Section)
		}
		c.Tokens = append(c.Tokens, Token{Kind: Gap, Line: int32(len(c.Lines) - 1)})
	}
	if f.Lang == LangAsm {
		c.statements()
	}
	return c
}

// Added reports whether the token stands on a line that is judged.
func (c *Code) Added(t Token) bool { return c.Lines[t.Line].Op == '+' }

// A Func is a C function, or what is shown of one.
type Func struct {
	Name   string
	Whole  bool    // from its declaration to its closing brace
	Tokens []Token // without comments and directives, from the declaration on
	NameAt int     // index of the name; -1 if it is not shown
	Body   int     // index of the first token behind the opening brace; 0 if that is not shown

	cond   []int32 // of each token, the conditional statement around it
	parent []int32 // of each conditional statement, the one around it
}

// keywords are the words that are not functions, though a parenthesis may follow.
var keywords = map[string]bool{
	"if": true, "for": true, "while": true, "switch": true, "return": true, "sizeof": true, "do": true, "else": true,
	"case": true, "goto": true, "typeof": true, "__typeof__": true, "__attribute__": true, "asm": true, "__asm__": true,
	"volatile": true, "__volatile__": true, "defined": true,
}

// functions finds the functions in one hunk.
func (c *Code) functions(tokens []Token, section string) {
	code := make([]Token, 0, len(tokens))
	for _, t := range tokens {
		if t.Kind != Comment && !t.Pre {
			code = append(code, t)
		}
	}
	add := func(f *Func, from, to int) {
		f.Tokens = code[from:to]
		if f.NameAt >= 0 {
			f.NameAt -= from
			f.Body -= from
		}
		f.conditions()
		c.Funcs = append(c.Funcs, f)
	}
	before := len(c.Funcs)
	start, depth := 0, 0 // where the declaration begins; number of open braces
	var open *Func       // the function that is being read
	openAt := 0          // where its declaration begins
	inside := false      // at depth 0 there are statements: the hunk begins within a function
	for i, t := range code {
		switch t.Text {
		case "{":
			if depth++; depth > 1 || open != nil {
				break
			}
			name, ok := declares(code[start:i])
			switch {
			case ok:
				open, openAt = &Func{Name: code[start+name].Text, NameAt: start + name, Body: i + 1}, start
			case i > 0 && (code[i-1].Text == ")" || code[i-1].Text == "else" || code[i-1].Text == "do"):
				inside = true
			}
		case "}":
			switch {
			case depth == 0: // the end of a function that began before
				if i+1 > 0 {
					add(&Func{Name: sectionName(section), NameAt: -1}, 0, i+1)
				}
				open, inside, start = nil, false, i+1
			case depth == 1 && open != nil:
				open.Whole = true
				add(open, openAt, i+1)
				open, depth, start = nil, 0, i+1
			default:
				if depth--; depth == 0 && !inside {
					start = i + 1
				}
			}
		case ";":
			if depth == 0 {
				start = i + 1
			}
		}
	}
	switch {
	case open != nil:
		add(open, openAt, len(code))
	case inside || len(c.Funcs) == before && onlyStatements(code, section):
		add(&Func{Name: sectionName(section), NameAt: -1}, 0, len(code))
	}
}

// onlyStatements reports whether the tokens of a hunk are statements of the function
// that its header names: each line is indented, and there is no brace to tell by.
func onlyStatements(code []Token, section string) bool {
	return sectionName(section) != "" && strings.Contains(section, "(") && !strings.HasSuffix(section, ";") &&
		slices.ContainsFunc(code, func(t Token) bool { return t.Text == ";" }) &&
		!slices.ContainsFunc(code, func(t Token) bool { return t.Col == 0 || t.Text == "{" || t.Text == "}" })
}

// declares finds the name in the declaration of a function that a body follows:
// static int name(args).
func declares(d []Token) (name int, ok bool) {
	n := len(d)
	for n > 0 && d[n-1].Kind == Ident && strings.HasPrefix(d[n-1].Text, "__") { // int f(void) __cold
		n--
	}
	if n == 0 || d[n-1].Text != ")" {
		return 0, false
	}
	depth := 0
	for i := n - 1; i >= 0; i-- {
		switch d[i].Text {
		case ")":
			depth++
		case "(":
			if depth--; depth == 0 {
				if i == 0 || d[i-1].Kind != Ident || keywords[d[i-1].Text] {
					return 0, false
				}
				if i > 1 && d[i-2].Text == ")" { // f(void) __releases(x)
					return declares(d[:i-1])
				}
				return i - 1, true
			}
		}
	}
	return 0, false
}

// sectionName is the function that a hunk's header names: the last name
// before its parenthesis.
func sectionName(section string) string {
	head, _, ok := strings.Cut(section, "(")
	if !ok {
		return strings.TrimSuffix(section, ":")
	}
	if i := strings.LastIndexAny(head, " \t*"); i >= 0 {
		head = head[i+1:]
	}
	if keywords[head] {
		return ""
	}
	return head
}

// maxNesting is the most levels of statements within statements that are read.
const maxNesting = 200

// conditions finds for each token the conditional statement (if, else, loop,
// switch) whose body the token is in.
func (f *Func) conditions() {
	f.cond = make([]int32, len(f.Tokens))
	f.parent = []int32{0}
	p := conditionReader{f: f}
	for i := max(f.Body, 0); i < len(f.Tokens); {
		next := p.statement(i, 0, 0)
		i = max(next, i+1)
	}
}

// A conditionReader reads the statements of a function and sets its cond and
// parent.
type conditionReader struct{ f *Func }

func (p conditionReader) text(i int) string {
	if i < len(p.f.Tokens) {
		return p.f.Tokens[i].Text
	}
	return ""
}

func (p conditionReader) mark(from, to int, cond int32) {
	for i := from; i < min(to, len(p.f.cond)); i++ {
		p.f.cond[i] = cond
	}
}

// statement marks the statement at i and returns the index behind it.
func (p conditionReader) statement(i int, cond int32, depth int) int {
	if i >= len(p.f.Tokens) || depth > maxNesting {
		return len(p.f.Tokens)
	}
	body := func(i int) int {
		p.f.parent = append(p.f.parent, cond)
		return p.statement(i, int32(len(p.f.parent)-1), depth+1)
	}
	switch t := p.f.Tokens[i]; {
	case t.Text == "{":
		for i++; i < len(p.f.Tokens) && p.text(i) != "}"; {
			i = max(p.statement(i, cond, depth+1), i+1)
		}
		return i + 1
	case t.Text == "if" || t.Text == "while" || t.Text == "for" || t.Text == "switch" || isLoopMacro(t) && p.text(i+1) == "(":
		end := matching(p.f.Tokens, i+1)
		p.mark(i, end, cond)
		if isLoopMacro(t) && (p.text(end) == ";" || p.text(end) == ",") {
			return end + 1
		}
		end = body(end)
		if t.Text == "if" && p.text(end) == "else" {
			end = body(end + 1)
		}
		return end
	case t.Text == "do":
		end := p.statement(i+1, cond, depth+1) // runs at least once
		if p.text(end) == "while" {
			end = matching(p.f.Tokens, end+1) + 1
		}
		return end
	}
	end, nest := i, 0
	for ; end < len(p.f.Tokens); end++ {
		switch p.text(end) {
		case "(", "[", "{":
			nest++
		case ")", "]":
			nest--
		case "}":
			if nest--; nest < 0 {
				p.mark(i, end, cond)
				return end
			}
		case ";":
			if nest <= 0 {
				p.mark(i, end+1, cond)
				return end + 1
			}
		}
	}
	p.mark(i, end, cond)
	return end
}

// isLoopMacro reports whether t is one of the kernel's loops:
// for_each_possible_cpu(cpu).
func isLoopMacro(t Token) bool {
	return t.Kind == Ident && (strings.Contains(t.Text, "for_each") || strings.HasPrefix(t.Text, "do_for_each"))
}

// matching is the index behind the parenthesis that closes the one at i. It is
// len(tokens) if no parenthesis does, and i if no parenthesis stands at i.
func matching(tokens []Token, i int) int {
	if i >= len(tokens) || tokens[i].Text != "(" {
		return i
	}
	return min(Closing(tokens, i)+1, len(tokens))
}

// closes has for each bracket the one that closes it.
var closes = map[string]string{"(": ")", "[": "]", "{": "}"}

// Closing is the index of the bracket that closes the one at i. It is len(tokens) if no
// bracket does. Brackets of other kinds do not count: a patch may not show all of them.
func Closing(tokens []Token, i int) int {
	if i >= len(tokens) {
		return len(tokens)
	}
	open, depth := tokens[i].Text, 0
	for ; i < len(tokens); i++ {
		switch tokens[i].Text {
		case open:
			depth++
		case closes[open]:
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return i
}

// Always reports whether token a, which stands before token b, is executed
// whenever b is: every conditional statement around a is also around b. A goto
// between them is not seen.
func (f *Func) Always(a, b int) bool {
	if a >= b {
		return false
	}
	for c := f.cond[b]; ; c = f.parent[c] {
		if c == f.cond[a] {
			return true
		}
		if c == 0 {
			return false
		}
	}
}

// A Stmt is a statement of assembly, or a label.
type Stmt struct {
	Label string // "name:", ENTRY(name), SYM_INNER_LABEL(name, ...): the name
	Kind  StmtKind
	Op    string  // the mnemonic, directive or macro, in lower case
	Args  []Token // its operands
	At    Token   // its first token
}

// StmtKind is what a statement is, as far as functions and their parts go.
type StmtKind uint8

const (
	StmtOther StmtKind = iota // an instruction, a directive, a macro
	StmtLabel                 // a label within a function
	StmtStart                 // the start of a function: ENTRY(f), SYM_CODE_START(f)
	StmtEnd                   // the end of a function: ENDPROC(f), SYM_CODE_END(f)
	StmtGap                   // lines are missing here
)

// statements splits assembly into statements.
func (c *Code) statements() {
	var cur []Token
	flush := func() {
		for len(cur) > 0 {
			cur = c.statement(cur)
		}
	}
	for _, t := range c.Tokens {
		switch {
		case t.Pre || t.Kind == Comment:
		case t.Kind == NewLine || t.Text == ";":
			flush()
		case t.Kind == Gap:
			flush()
			c.Stmts = append(c.Stmts, Stmt{Kind: StmtGap, At: t})
		default:
			cur = append(cur, t)
		}
	}
	flush()
}

// statement appends the first statement in tokens and returns what is left.
func (c *Code) statement(tokens []Token) []Token {
	first := tokens[0]
	if len(tokens) > 1 && tokens[1].Text == ":" && (first.Kind == Ident || first.Kind == Number) {
		c.Stmts = append(c.Stmts, Stmt{Kind: StmtLabel, Label: first.Text, At: first})
		return tokens[2:]
	}
	s := Stmt{Op: strings.ToLower(first.Text), Args: tokens[1:], At: first}
	if len(tokens) > 2 && tokens[1].Text == "(" && tokens[2].Kind == Ident {
		switch name := first.Text; {
		case name == "ENTRY" || name == "WEAK" || strings.HasPrefix(name, "SYM_") && strings.Contains(name, "_START"):
			s.Kind, s.Label = StmtStart, tokens[2].Text
		case name == "END" || name == "ENDPROC" || name == "ENDPIPROC" || strings.HasPrefix(name, "SYM_") && strings.HasSuffix(name, "_END"):
			s.Kind, s.Label = StmtEnd, tokens[2].Text
		case name == "GLOBAL" || strings.HasPrefix(name, "SYM_") && strings.Contains(name, "_LABEL"):
			s.Kind, s.Label = StmtLabel, tokens[2].Text
		}
	}
	c.Stmts = append(c.Stmts, s)
	return nil
}

// IsInstruction reports whether s is code: an instruction, or a macro that may
// stand for instructions.
func (s Stmt) IsInstruction() bool {
	return s.Kind == StmtOther && s.Op != "" && s.Op[0] != '.' && !strings.HasPrefix(s.Op, "_asm_") &&
		!slices.Contains([]string{"export_symbol", "nokprobe", "_asm_nokprobe"}, s.Op)
}
