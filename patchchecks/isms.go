package patchchecks

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/patchscan"
	"github.com/ftlint/ftlint/rules"
)

// FT501 finds instructions of another architecture, in assembly and in comments.
var FT501 = isms("FT501", "`%s` is an %s instruction")

// FT502 finds registers of another architecture, in assembly and in comments.
var FT502 = isms("FT502", "`%s` is an %s register")

// FT504 finds names that only another architecture has, in code and in comments.
var FT504 = isms("FT504", "%s is a name that only %s has")

// A wordList are the words of one rule in one architecture's code.
type wordList struct {
	words  map[string]rules.Ism
	begins []rules.Ism // those that are the beginnings of words
}

// listOf is the list of a rule.
func listOf(isms *rules.Isms, rule string) wordList {
	list := wordList{words: map[string]rules.Ism{}}
	for _, ism := range isms.Words {
		switch {
		case ism.Rule != rule:
		case strings.HasSuffix(ism.Token, "*"):
			list.begins = append(list.begins, ism)
		default:
			list.words[ism.Token] = ism
		}
	}
	return list
}

// find is the entry of the list for a word.
func (list wordList) find(word string) (ism rules.Ism, ok bool) {
	if ism, ok = list.words[word]; ok {
		return ism, true
	}
	for _, ism := range list.begins {
		if strings.HasPrefix(word, ism.Token[:len(ism.Token)-1]) {
			return ism, true
		}
	}
	return ism, false
}

// isms makes the check of the words of one rule. headline has %s for the word, and
// for the architecture whose word it is.
func isms(rule, headline string) *analysis.Analyzer {
	lists := map[*rules.Isms]wordList{}
	for _, isms := range rules.AllIsms {
		lists[isms] = listOf(isms, rule)
	}
	return codeCheck(rule, func(j *judge) tally {
		isms := rules.IsmsIn(j.Arch.Name)
		if len(j.Files) == 0 {
			return notApplicable(noCode)
		}
		list := lists[isms]
		for _, s := range j.Files {
			var own map[string]bool // names of the file: a variable rsp is not x86's register
			s.eachName(isms, rule == "FT504", func(t patchscan.Token, word string, col int) {
				ism, ok := list.find(word)
				if begins, is := strings.CutSuffix(word, " "); !ok && is && rule == "FT501" {
					if _, found := list.find(begins); !found {
						ism, ok = statementAt(isms, s, t, col)
						word = ism.Token
					}
				}
				if !ok || !s.Added(t) || rule == "FT502" && word == "LR" && t.Kind == patchscan.Comment && !inLR.MatchString(t.Text) {
					return
				}
				if rule == "FT502" && word[0] != '%' && (t.Kind == patchscan.Comment || s.File.Lang == patchscan.LangAsm) {
					if own == nil {
						own = ownNames(s)
					}
					if own[word] {
						return
					}
				}
				word = strings.TrimSuffix(word, " ")
				t.Col, t.Text = t.Col+int32(col), word
				j.report(s, t, instead(finding.Say(headline, word, isms.Of), isms, ism))
			})
		}
		return examined("%s", some(len(list.words)+len(list.begins), "word"))
	})
}

// inLR matches comments in which LR is the register: it is also an
// abbreviation of other things.
var inLR = regexp.MustCompile(`\b(in|into|to|from|through|via|saves?|saved|restores?|loads?|sets?|clobbers?) LR\b|\bLR (is|was|has|holds|points|register)\b|\b[xX]30\b`)

// statementAt is the statement of assembly at an offset of a token, if it is of a form
// that only the other architecture has. Its Token is the statement.
func statementAt(isms *rules.Isms, s *Source, t patchscan.Token, col int) (ism rules.Ism, ok bool) {
	line := s.Lines[t.Line].Text
	at := int(t.Col) + col
	if at > len(line) {
		return ism, false
	}
	for _, st := range isms.Statements {
		if text := st.Form.FindString(line[at:]); text != "" {
			return rules.Ism{Rule: "FT501", Token: strings.TrimSpace(text), Instead: st.Instead}, true
		}
	}
	return ism, false
}

// instead completes a claim about a thing of the table with what takes its place.
func instead(c finding.Claim, isms *rules.Isms, ism rules.Ism) finding.Claim {
	if ism.Instead == "" {
		return c.Because("%s has nothing in its place", isms.In).Do("Leave it out")
	}
	return c.Do("Use %s", ism.Instead)
}

// ownNames are the identifiers in a C file's code, and the names that an assembly file
// defines: macros, and their parameters.
func ownNames(s *Source) map[string]bool {
	m := map[string]bool{}
	defines := int32(-1) // the line
	for i, t := range s.Tokens {
		if t.Text == ".macro" || t.Text == "define" && t.Pre || t.Text == ".set" || t.Text == ".equ" {
			defines = t.Line
		}
		switch {
		case t.Kind != patchscan.Ident:
		case s.File.Lang == patchscan.LangC, t.Line == defines && (s.Tokens[i-1].Text == "define" || !t.Pre):
			m[t.Text] = true
		}
	}
	return m
}

// leftover matches comments that say what the code was before somebody carried it
// over.
var leftover = regexp.MustCompile(`(?i)\b(was|were|formerly|originally|used to be|ported from)\b`)

// compares reports whether a comment compares with the architecture whose words are
// looked for, so that its words are meant.
func compares(isms *rules.Isms, comment string) bool {
	return isms.Named.MatchString(comment) && !leftover.MatchString(comment)
}

// eachName calls do for each word that may be an instruction, a register or a
// symbol: the words of comments that do not name the architecture whose words are
// looked for, of assembly and inline assembly and, if code is true, the identifiers of
// C. A register with a % comes with the %. A word at which a statement of assembly
// begins comes twice, the second time with a blank behind it. col is the offset of the
// word in the token t, in bytes.
func (s *Source) eachName(isms *rules.Isms, code bool, do func(t patchscan.Token, word string, col int)) {
	meant := map[int32]bool{} // comments that name the other architecture
	jumps := map[int32]bool{} // comments about BPF, which has a jmp of its own
	for _, t := range s.Tokens {
		if t.Kind == patchscan.Comment {
			if compares(isms, t.Text) {
				meant[t.Block] = true
			}
			if strings.Contains(t.Text, "bpf") || strings.Contains(t.Text, "BPF") {
				jumps[t.Block] = true
			}
		}
	}
	asm := s.File.Lang == patchscan.LangAsm
	others := s.otherArchs()
	inline := 0       // behind asm: 1 and the number of open parentheses; else 0
	operands := false // behind the code of inline assembly
	for i, t := range s.Tokens {
		if others[t.Line] {
			continue
		}
		switch t.Kind {
		case patchscan.Comment:
			if meant[t.Block] {
				continue
			}
			eachWord(t.Text, func(word string, col int) {
				if !jumps[t.Block] || word != "jmp" {
					do(t, word, col)
				}
			})
		case patchscan.Ident:
			if s.File.Lang == patchscan.LangC && isAsm(t.Text) && inline == 0 {
				inline, operands = 1, false
			}
			if asm && i > 0 && s.Tokens[i-1].Text == "%" && s.Tokens[i-1].Line == t.Line {
				do(s.Tokens[i-1], "%"+t.Text, 0)
			} else if asm || code {
				do(t, t.Text, 0)
				if asm && (i == 0 || beginsStatement(s.Tokens[i-1].Text)) {
					do(t, t.Text+" ", 0)
				}
			}
		case patchscan.String:
			if inline > 1 || asm {
				text := escapes.Replace(t.Text)
				eachWord(text, func(word string, col int) {
					do(t, word, col)
					if !operands && beginsStatement(strings.TrimRight(text[:col], " ")) {
						do(t, word+" ", col)
					}
				})
			}
		case patchscan.Punct:
			switch {
			case inline == 0:
			case t.Text == ":":
				operands = true
			case t.Text == "(":
				inline++
			case t.Text == ")":
				if inline--; inline == 1 {
					inline = 0
				}
			case t.Text == ";" && inline == 1, t.Text == "{":
				inline = 0
			}
		case patchscan.Gap:
			inline = 0
		}
	}
}

// beginsStatement reports whether what stands before a word of assembly ends a
// statement, or a label.
func beginsStatement(before string) bool {
	return before == "" || strings.IndexByte("\";:\n", before[len(before)-1]) >= 0
}

// escapes turns the ends of lines and the tabs of inline assembly to what parts words
// and statements, of the same length.
var escapes = strings.NewReplacer(`\n`, "; ", `\t`, "  ")

func isAsm(word string) bool {
	return word == "asm" || word == "__asm__" || word == "asm_inline" || word == "ALTERNATIVE" || word == "__ALTERNATIVE"
}

// isWord reports whether a byte belongs to a word.
func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// eachWord calls do for each word of a text. A word behind a % comes with the %, and
// b.eq is one word.
// col is the offset of the word in bytes.
func eachWord(s string, do func(word string, col int)) {
	for i := 0; i < len(s); {
		if !isWord(s[i]) {
			i++
			continue
		}
		end := i
		for end < len(s) && isWord(s[end]) {
			end++
		}
		if s[i] > '9' {
			begin := i
			if s[begin:end] == "b" && end+2 < len(s) && s[end] == '.' && isWord(s[end+1]) && isWord(s[end+2]) && (end+3 == len(s) || !isWord(s[end+3])) {
				end += 3 // b.eq
			}
			if i > 0 && s[i-1] == '%' {
				begin--
			}
			do(s[begin:end], begin)
		}
		i = end
	}
}

// FT503 finds opcodes of another architecture and their sizes in code.
var FT503 = codeCheck("FT503", func(j *judge) tally {
	isms := rules.IsmsIn(j.Arch.Name)
	if len(j.Files) == 0 {
		return notApplicable(noCode)
	}
	codes := opcodesOf[isms]
	of := arch.Named(isms.Of)
	for _, s := range j.Files {
		if s.File.Lang != patchscan.LangC {
			continue
		}
		others := s.otherArchs()
		for i, t := range s.Tokens {
			if others[t.Line] {
				continue
			}
			switch t.Kind {
			case patchscan.Comment:
				if at, ism, ok := codes.inWords(isms, t); ok {
					j.report(s, at, finding.Say("`%s` is the opcode of an %s instruction", at.Text, isms.Of).
						Because("the comment says what the code was on %s, and not what it is", isms.Of).
						Do("Say what the %s code does, with %s", isms.In, ism.Instead))
				}
			case patchscan.Ident:
				if ism, ok := codes.names.find(t.Text); ok {
					j.report(s, t, instead(finding.Say("%s belongs to %s's instructions", t.Text, isms.Of), isms, ism))
				}
			case patchscan.Number:
				c, at, ok := codes.number(isms, of, s, i)
				if ok {
					j.report(s, at, c)
				}
			}
		}
	}
	return examined("%s and names", some(codes.n, "opcode"))
})

// number judges the number at s.Tokens[i]. at is what the claim c is about.
func (codes opcodes) number(isms *rules.Isms, of *arch.Arch, s *Source, i int) (c finding.Claim, at patchscan.Token, ok bool) {
	t := s.Tokens[i]
	if run := codes.runAt(s.Tokens, i); run != nil {
		c = finding.Say("%s are the bytes of an %s instruction", run.ism.Token, isms.Of).Because("%s", isms.Stored)
		return instead(c, isms, run.ism), s.span(s.Tokens[i : i+2*len(run.bytes)-1]), true
	}
	v, isNumber := number(t)
	if isNumber && v == of.CallSize {
		near, ok := callArithmetic(s.Tokens, i)
		if !ok {
			return c, at, false
		}
		c = finding.Say("`%s` counts with the %d bytes of an %s call", brief(near), of.CallSize, isms.Of)
		for _, why := range isms.Counted {
			c = c.Because("%s", why)
		}
		return c.Do("%s", isms.Count), t, true
	}
	ism, found := codes.values[v]
	if !isNumber || !found || !strings.HasPrefix(t.Text, "0x") {
		return c, at, false
	}
	unit, types := "byte", []string{"u8", "char"}
	if of.InsnSize == 4 {
		unit, types = "word", []string{"u32", "__le32"}
	}
	if v&0xffff != v && v&0xffff != 0 {
		c = finding.Say("`%s` is the word of an %s instruction", t.Text, isms.Of)
	} else if stmt, ok := storesOpcode(s.Tokens, i, types); ok {
		c = finding.Say("`%s` stores a %s of %s code", brief(stmt), unit, isms.Of)
	} else {
		return c, at, false
	}
	return instead(c.Because("%s", isms.Stored), isms, ism), t, true
}

// inWords finds an opcode in a comment that says what the code was on the other
// architecture. at is the opcode.
func (codes opcodes) inWords(isms *rules.Isms, comment patchscan.Token) (at patchscan.Token, ism rules.Ism, ok bool) {
	if !isms.Named.MatchString(comment.Text) || !leftover.MatchString(comment.Text) {
		return at, ism, false
	}
	for _, m := range hexCode.FindAllStringIndex(comment.Text, -1) {
		v, _ := strconv.ParseUint(comment.Text[m[0]:m[1]], 0, 32)
		if ism, ok = codes.values[v]; ok {
			at = comment
			at.Col, at.Text = at.Col+int32(m[0]), comment.Text[m[0]:m[1]]
			return at, ism, true
		}
	}
	return at, ism, false
}

// hexCode matches a byte, or a word of 4 bytes.
var hexCode = regexp.MustCompile(`\b0x(?:[0-9a-fA-F]{2}|[0-9a-fA-F]{8})\b`)

// otherArchs are the lines that are compiled for other architectures alone: in code of
// arm64 those between #ifdef CONFIG_X86 and #endif.
func (s *Source) otherArchs() map[int32]bool {
	if s.others != nil {
		return s.others
	}
	lines := map[int32]bool{}
	var open []bool // of each condition that is open: the lines are of another architecture
	for i := range s.Lines {
		t := strings.TrimLeft(s.Lines[i].Text, " \t")
		if t != "" && t[0] == '#' {
			t = strings.TrimLeft(t[1:], " \t")
			own, other := false, otherArch.MatchString(t)
			for name, re := range judgedArch {
				if re.MatchString(t) {
					own, other = own || name == s.Arch.Name, other || name != s.Arch.Name
				}
			}
			not := strings.HasPrefix(t, "ifndef") || strings.Contains(t, "!")
			switch {
			case strings.HasPrefix(t, "if"):
				open = append(open, other && !own && !not || own && not && !other)
			case len(open) == 0:
			case strings.HasPrefix(t, "elif"):
				open[len(open)-1] = other && !own && !not
			case strings.HasPrefix(t, "else"):
				open[len(open)-1] = false
			case strings.HasPrefix(t, "endif"):
				open = open[:len(open)-1]
			}
		}
		for _, other := range open {
			if other {
				lines[int32(i)] = true
			}
		}
	}
	s.others = lines
	return lines
}

// judgedArch are what conditions for an architecture have in them, by its name;
// otherArch is that of the architectures whose code is not judged.
var (
	judgedArch = map[string]*regexp.Regexp{
		"arm64": regexp.MustCompile(`CONFIG_ARM64|__aarch64__`),
		"x86":   regexp.MustCompile(`CONFIG_X86|__(x86_64|i386)__`),
	}
	otherArch = regexp.MustCompile(`CONFIG_(PPC|POWERPC|S390|RISCV|LOONGARCH|MIPS|ARM\b|SPARC|PARISC)|__(powerpc|riscv|s390)__`)
)

// An opcodeRun is an opcode of several bytes.
type opcodeRun struct {
	bytes []uint64
	ism   rules.Ism
}

// opcodes are a table of FT503: macros by name, opcodes of one number, opcodes of
// several.
type opcodes struct {
	n      int
	names  wordList
	values map[uint64]rules.Ism
	runs   []opcodeRun
}

var opcodesOf = map[*rules.Isms]opcodes{}

func init() {
	for _, isms := range rules.AllIsms {
		codes := opcodes{names: listOf(isms, "FT503"), values: map[uint64]rules.Ism{}}
		for token, ism := range codes.names.words {
			codes.n++
			if !strings.HasPrefix(token, "0x") {
				continue
			}
			delete(codes.names.words, token)
			run := opcodeRun{ism: ism}
			for _, b := range strings.Fields(token) {
				v, _ := strconv.ParseUint(b, 0, 32)
				run.bytes = append(run.bytes, v)
			}
			if len(run.bytes) == 1 {
				codes.values[run.bytes[0]] = ism
			} else {
				codes.runs = append(codes.runs, run)
			}
		}
		opcodesOf[isms] = codes
	}
}

// number is the value of an integer constant.
func number(t patchscan.Token) (uint64, bool) {
	if t.Kind != patchscan.Number {
		return 0, false
	}
	v, err := strconv.ParseUint(strings.TrimRight(t.Text, "uUlL"), 0, 64)
	return v, err == nil
}

// runAt finds the opcode whose bytes stand at tokens[i], with commas between them.
func (codes opcodes) runAt(tokens []patchscan.Token, i int) *opcodeRun {
	for r := range codes.runs {
		ok := true
		for k, want := range codes.runs[r].bytes {
			at := i + 2*k
			if at >= len(tokens) || k > 0 && tokens[at-1].Text != "," {
				ok = false
				break
			}
			if v, isNumber := number(tokens[at]); !isNumber || v != want || !strings.HasPrefix(tokens[at].Text, "0x") {
				ok = false
				break
			}
		}
		if ok {
			return &codes.runs[r]
		}
	}
	return nil
}

var codeName = regexp.MustCompile(`(?i)^(opcode|insn|code|.*_(opcode|insn|code)|(opcode|insn|code)_.*)$`)

// storesOpcode reports whether the number tokens[i] is stored through a pointer to one
// of the types, or into a variable that is called opcode, insn or code. stmt is the
// statement.
func storesOpcode(tokens []patchscan.Token, i int, types []string) (stmt string, ok bool) {
	begin := i
	for begin > 0 && i-begin < 40 {
		t := tokens[begin-1]
		if t.Text == ";" || t.Text == "{" && begin < i-1 || t.Text == "}" || t.Kind == patchscan.Gap || t.Kind == patchscan.Comment {
			break
		}
		begin--
	}
	assign := -1
	named, typed := false, false
	for k := begin; k < i; k++ {
		t := tokens[k]
		switch {
		case t.Text == "=":
			assign = k
		case assign >= 0:
		case t.Kind == patchscan.Ident && codeName.MatchString(t.Text):
			named = true
		case slices.Contains(types, t.Text) && k+1 < len(tokens) && tokens[k+1].Text == "*" && k > begin && tokens[k-1].Text == "(":
			typed = true
		}
	}
	if assign < 0 || !named && !typed {
		return "", false
	}
	// Directly: "= 0xe8" or, of an array, "= { 0xe8".
	if before := tokens[i-1].Text; before != "=" && before != "{" {
		return "", false
	}
	return text(tokens[begin : i+1]), true
}

// callArithmetic reports whether the number at tokens[i] is added to or
// subtracted from the address of an instruction. near is the expression.
func callArithmetic(tokens []patchscan.Token, i int) (near string, ok bool) {
	if i < 2 {
		return "", false
	}
	op, name := tokens[i-1].Text, tokens[i-2].Text
	if op != "+" && op != "-" || tokens[i-2].Kind != patchscan.Ident {
		return "", false
	}
	switch name {
	case "ip", "pc", "rip":
		return text(tokens[i-2 : i+1]), true
	}
	return "", false
}
