package patchchecks

import (
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/patchscan"
	"github.com/ftlint/ftlint/rules"
)

// FT501 finds x86 instructions, in assembly and in comments.
var FT501 = isms("FT501", "`%s` is an x86 instruction")

// FT502 finds x86 registers, in assembly and in comments.
var FT502 = isms("FT502", "`%s` is an x86 register")

// FT504 finds names that only x86 has, in code and in comments.
var FT504 = isms("FT504", "%s is a name that only x86 has")

// isms makes the check of the words of one rule. headline has %s for the word.
func isms(rule, headline string) *analysis.Analyzer {
	table := map[string]rules.Ism{}
	for _, ism := range rules.X86 {
		if ism.Rule == rule {
			table[ism.Token] = ism
		}
	}
	return codeCheck(rule, func(j *judge) tally {
		if len(j.Files) == 0 {
			return notApplicable(noCode)
		}
		for _, s := range j.Files {
			var used map[string]bool // identifiers of the code: a variable rsp is not x86's register
			eachName(s, rule == "FT504", func(t patchscan.Token, word string, col int) {
				ism, ok := table[word]
				if !ok || !s.Added(t) {
					return
				}
				if t.Kind == patchscan.Comment && s.File.Lang == patchscan.LangC && rule == "FT502" && word[0] != '%' {
					if used == nil {
						used = identifiers(s)
					}
					if used[word] {
						return
					}
				}
				t.Col, t.Text = t.Col+int32(col), word
				c := finding.Say(headline, word)
				if ism.Instead != "" {
					c = c.Do("Use %s", ism.Instead)
				} else {
					c = c.Because("arm64 has nothing in its place")
				}
				j.report(s, t, c)
			})
		}
		return examined("%s", some(len(table), "word"))
	})
}

// identifiers are the identifiers in the file's code.
func identifiers(s *Source) map[string]bool {
	m := map[string]bool{}
	for _, t := range s.Tokens {
		if t.Kind == patchscan.Ident {
			m[t.Text] = true
		}
	}
	return m
}

// leftover matches comments that say what the code was before somebody carried it
// over to arm64.
var leftover = regexp.MustCompile(`(?i)\b(was|were|formerly|originally|used to be|ported from)\b`)

// aboutX86 reports whether a comment compares with x86, so that its x86 words are
// meant.
func aboutX86(comment string) bool {
	return namesX86(comment) && !leftover.MatchString(comment)
}

// namesX86 reports whether a text names x86.
func namesX86(comment string) bool {
	for _, word := range []string{"x86", "X86", "i386", "amd64", "AMD64", "Intel", "intel"} {
		if strings.Contains(comment, word) {
			return true
		}
	}
	return false
}

// eachName calls do for each word that may be an instruction, a register or a
// symbol: the words of comments that do not name x86, of assembly and inline
// assembly and, if code is true, the identifiers of C. A register with a % comes
// with the %. col is the offset of the word in the token t, in bytes.
func eachName(s *Source, code bool, do func(t patchscan.Token, word string, col int)) {
	compares := map[int32]bool{} // comments that name x86
	jumps := map[int32]bool{}    // comments about BPF, which has a jmp of its own
	for _, t := range s.Tokens {
		if t.Kind == patchscan.Comment {
			if aboutX86(t.Text) {
				compares[t.Block] = true
			}
			if strings.Contains(t.Text, "bpf") || strings.Contains(t.Text, "BPF") {
				jumps[t.Block] = true
			}
		}
	}
	asm := s.File.Lang == patchscan.LangAsm
	others := s.otherArchs()
	inline := 0 // behind asm: 1 and the number of open parentheses; else 0
	for i, t := range s.Tokens {
		if others[t.Line] {
			continue
		}
		switch t.Kind {
		case patchscan.Comment:
			if compares[t.Block] {
				continue
			}
			eachWord(t.Text, func(word string, col int) {
				if !jumps[t.Block] || word != "jmp" {
					do(t, word, col)
				}
			})
		case patchscan.Ident:
			if s.File.Lang == patchscan.LangC && isAsm(t.Text) && inline == 0 {
				inline = 1
			}
			if asm && i > 0 && s.Tokens[i-1].Text == "%" && s.Tokens[i-1].Line == t.Line {
				do(s.Tokens[i-1], "%"+t.Text, 0)
			} else if asm || code {
				do(t, t.Text, 0)
			}
		case patchscan.String:
			if inline > 1 || asm {
				eachWord(t.Text, func(word string, col int) { do(t, word, col) })
			}
		case patchscan.Punct:
			switch {
			case inline == 0:
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

func isAsm(word string) bool {
	return word == "asm" || word == "__asm__" || word == "asm_inline" || word == "ALTERNATIVE" || word == "__ALTERNATIVE"
}

// eachWord calls do for each word of a text. A word behind a % comes with the %.
// col is the offset of the word in bytes.
func eachWord(s string, do func(word string, col int)) {
	isWord := func(c byte) bool {
		return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
	}
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
			if i > 0 && s[i-1] == '%' {
				begin--
			}
			do(s[begin:end], begin)
		}
		i = end
	}
}

// FT503 finds x86 opcodes and their sizes in code.
var FT503 = codeCheck("FT503", func(j *judge) tally {
	if len(j.Files) == 0 {
		return notApplicable(noCode)
	}
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
				if at, ism, ok := opcodeInWords(t); ok {
					j.report(s, at, finding.Say("`%s` is the opcode of an x86 instruction", at.Text).
						Because("the comment says what the code was on x86, and not what it is").
						Do("Say what the arm64 code does, with %s", ism.Instead))
				}
			case patchscan.Ident:
				if ism, ok := opcodeNames[t.Text]; ok {
					j.report(s, t, finding.Say("%s belongs to x86's instructions", t.Text).Do("Use %s", ism.Instead))
				}
			case patchscan.Number:
				if run := runAt(s.Tokens, i); run != nil {
					at := s.span(s.Tokens[i : i+2*len(run.bytes)-1])
					j.report(s, at, finding.Say("%s are the bytes of an x86 instruction", run.ism.Token).
						Because("%s", words).
						Do("Use %s", run.ism.Instead))
				} else if v, ok := number(t); ok && v == 5 {
					if near, ok := callArithmetic(s.Tokens, i); ok {
						j.report(s, t, finding.Say("`%s` counts with the 5 bytes of an x86 call", brief(near)).
							Because("an A64 instruction has AARCH64_INSN_SIZE, 4 bytes").
							Because("x86 counts a call's offset from the end of the call, and BL counts from its own address").
							Do("Count from the address of the BL, or add AARCH64_INSN_SIZE where the next instruction is meant"))
					}
				} else if ism, found := opcodeBytes[v]; ok && found && strings.HasPrefix(t.Text, "0x") {
					if stmt, ok := storesOpcode(s.Tokens, i); ok {
						j.report(s, t, finding.Say("`%s` stores a byte of x86 code", brief(stmt)).
							Because("%s", words).
							Do("Use %s", ism.Instead))
					}
				}
			}
		}
	}
	return examined("%s and names", some(len(opcodeNames)+len(opcodeBytes)+len(opcodeRuns), "opcode"))
})

// opcodeInWords finds an opcode in a comment that says what the code was on x86. at
// is the opcode.
func opcodeInWords(comment patchscan.Token) (at patchscan.Token, ism rules.Ism, ok bool) {
	if !namesX86(comment.Text) || !leftover.MatchString(comment.Text) {
		return at, ism, false
	}
	for _, m := range hexByte.FindAllStringIndex(comment.Text, -1) {
		v, _ := strconv.ParseUint(comment.Text[m[0]:m[1]], 0, 8)
		if ism, ok = opcodeBytes[v]; ok {
			at = comment
			at.Col, at.Text = at.Col+int32(m[0]), comment.Text[m[0]:m[1]]
			return at, ism, true
		}
	}
	return at, ism, false
}

var hexByte = regexp.MustCompile(`\b0x[0-9a-fA-F]{2}\b`)

// otherArchs are the lines that are compiled for other architectures alone: those
// between #ifdef CONFIG_X86 and #endif.
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
			arm64, other := strings.Contains(t, "CONFIG_ARM64") || strings.Contains(t, "__aarch64__"), otherArch.MatchString(t)
			not := strings.HasPrefix(t, "ifndef") || strings.Contains(t, "!")
			switch {
			case strings.HasPrefix(t, "if"):
				open = append(open, other && !arm64 && !not || arm64 && not && !other)
			case len(open) == 0:
			case strings.HasPrefix(t, "elif"):
				open[len(open)-1] = other && !arm64 && !not
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

var otherArch = regexp.MustCompile(`CONFIG_(X86|PPC|POWERPC|S390|RISCV|LOONGARCH|MIPS|ARM\b|SPARC|PARISC)|__(x86_64|i386|powerpc|riscv|s390|s390x)__`)

// words says why bytes of x86 do harm in code of arm64.
const words = "A64 instructions are words of 4 bytes: a byte that is stored into one makes another instruction of it"

// An opcodeRun is an opcode of several bytes.
type opcodeRun struct {
	bytes []uint64
	ism   rules.Ism
}

// The table of FT503: macros by name, opcodes of one byte, opcodes of several.
var (
	opcodeNames = map[string]rules.Ism{}
	opcodeBytes = map[uint64]rules.Ism{}
	opcodeRuns  []opcodeRun
)

func init() {
	for _, ism := range rules.X86 {
		if ism.Rule != "FT503" {
			continue
		}
		if !strings.HasPrefix(ism.Token, "0x") {
			opcodeNames[ism.Token] = ism
			continue
		}
		run := opcodeRun{ism: ism}
		for _, b := range strings.Fields(ism.Token) {
			v, _ := strconv.ParseUint(b, 0, 8)
			run.bytes = append(run.bytes, v)
		}
		if len(run.bytes) == 1 {
			opcodeBytes[run.bytes[0]] = ism
		} else {
			opcodeRuns = append(opcodeRuns, run)
		}
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
func runAt(tokens []patchscan.Token, i int) *opcodeRun {
	for r := range opcodeRuns {
		ok := true
		for k, want := range opcodeRuns[r].bytes {
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
			return &opcodeRuns[r]
		}
	}
	return nil
}

var codeName = regexp.MustCompile(`(?i)^(opcode|insn|code|.*_(opcode|insn|code)|(opcode|insn|code)_.*)$`)

// storesOpcode reports whether the number tokens[i] is stored as one byte, or into
// a variable that is called opcode, insn or code. stmt is the statement.
func storesOpcode(tokens []patchscan.Token, i int) (stmt string, ok bool) {
	begin := i
	for begin > 0 && i-begin < 40 {
		t := tokens[begin-1]
		if t.Text == ";" || t.Text == "{" && begin < i-1 || t.Text == "}" || t.Kind == patchscan.Gap || t.Kind == patchscan.Comment {
			break
		}
		begin--
	}
	assign := -1
	named, byteStore := false, false
	for k := begin; k < i; k++ {
		t := tokens[k]
		switch {
		case t.Text == "=":
			assign = k
		case assign >= 0:
		case t.Kind == patchscan.Ident && codeName.MatchString(t.Text):
			named = true
		case (t.Text == "u8" || t.Text == "char") && k+1 < len(tokens) && tokens[k+1].Text == "*" && k > begin && tokens[k-1].Text == "(":
			byteStore = true
		}
	}
	if assign < 0 || !named && !byteStore {
		return "", false
	}
	// Directly: "= 0xe8" or, of an array, "= { 0xe8".
	if before := tokens[i-1].Text; before != "=" && before != "{" {
		return "", false
	}
	return text(tokens[begin : i+1]), true
}

// callArithmetic reports whether the number 5 at tokens[i] is added to or
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
