package rules

import "regexp"

// Ism is a thing of one architecture that has no place in the code of
// another.
//
// FT501 and FT504: Token is a whole word, or with * at its end the beginning of one;
// case matters. A Token with a blank at its end counts only where a statement of
// assembly begins.
// FT502: a Token with % counts only behind a % (rsi is the Arm CCA Realm Services
// Interface, rip is English), and a Token without % only where there is no %. In a
// comment a Token without % does not count if the file's code has a name like it.
// FT503: Token is the name of a macro, or the bytes of an opcode as a C initialiser
// has them, with one space between them. A single byte, or a word of 4 bytes that ends
// in zeros, counts only if it is stored as such, or into a variable named opcode, insn
// or code; another word counts wherever it stands.
type Ism struct {
	Rule    string // ID
	Token   string
	Instead string // the counterpart, in a few words; "" if there is none
}

// Isms are the words of one architecture that are looked for in the code of another.
type Isms struct {
	Of, In string // architectures, by name (arch.Arch.Name): whose words, in whose code
	Words  []Ism
	// Statements are the statements of assembly that only Of has although In has their
	// words: by their operands. They are of FT501.
	Statements []Statement

	Named   *regexp.Regexp // what a comment has that names Of: the comment compares, and its words are meant
	Stored  string         // why an opcode does harm in the code of In
	Counted []string       // why the size of a call of Of is wrong there
	Count   string         // what to do about that
}

// A Statement is a form of statements of assembly.
type Statement struct {
	Form    *regexp.Regexp // matches at the beginning of a statement
	Instead string         // as of Ism
}

// AllIsms are the tables, one for each of arch.All.
var AllIsms = []*Isms{&X86, &ARM64}

// IsmsIn are the words that are looked for in the code of an architecture, by its
// name (arch.Arch.Name).
func IsmsIn(arch string) *Isms {
	for _, isms := range AllIsms {
		if isms.In == arch {
			return isms
		}
	}
	return nil
}
