package patchchecks

import (
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/patchscan"
)

// FT602 finds instructions that are overwritten unseen. In one function it
// speaks once: of the first, with the others beside it.
var FT602 = check("FT602", func(j *judge) finding.Outcome {
	n := 0
	j.funcs(func(s *Source, fl *flow) {
		var at []patchscan.Token
		var what string
		add := func(t patchscan.Token, words string) {
			if !s.Added(t) {
				return
			}
			if at = append(at, t); len(at) == 1 {
				what = words
			}
		}
		for _, c := range fl.calls {
			if c.Name == "ftrace_modify_code" && len(c.Args) == 4 && fl.computed(c.Args[0], c.At) {
				n++
				if v := text(c.Args[3]); v == "false" || v == "0" {
					add(fl.Tokens[c.At], text(fl.Tokens[c.At:closing(fl, c)])+" writes a slot at a computed address with no check of the old instruction: pass the instruction that the builder put there, and true")
				}
			}
		}
		looks := fl.looks()
		copied := false
		for _, st := range fl.stores() {
			if !st.word {
				copied = true
				continue
			}
			if !copied || !copiers[fl.Tokens[st.index].Text] {
				continue
			}
			if n++; !looks {
				add(st.at, text(untilSemicolon(fl.Tokens[st.index:]))+" overwrites an instruction of the copy with no check of what it is: a label in the wrong place goes unnoticed until the code runs. Compare with the instruction that is expected there first")
			}
		}
		for _, c := range fl.calls {
			switch c.Name {
			case "aarch64_insn_patch_text_nosync", "aarch64_insn_write", "aarch64_insn_patch_text":
				if len(c.Args) == 0 || !fl.pointsInto(c.Args[0]) {
					continue
				}
				if n++; !looks {
					add(fl.Tokens[c.At], c.Name+"() writes to a trampoline with no check of the old instruction: read it with aarch64_insn_read() and compare first")
				}
			}
		}
		if len(at) > 0 {
			var related []analysis.RelatedInformation
			for _, t := range at[1:] {
				related = append(related, note(s, t, "and here"))
			}
			j.report(s, at[0], related, "%s", what)
		}
	})
	if n == 0 {
		return notApplicable("nothing of arm64 writes instructions to a trampoline or to a computed address")
	}
	return examined("%d writes of instructions", n)
})

func closing(fl *flow, c patchscan.Call) int {
	depth := 0
	for i := c.At + 1; i < len(fl.Tokens); i++ {
		switch fl.Tokens[i].Text {
		case "(":
			depth++
		case ")":
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(fl.Tokens)
}

// computed tells whether an address, as an argument of a call at token
// index at, is the result of a computation in this function, and not the
// address of a symbol.
func (fl *flow) computed(arg []patchscan.Token, at int) bool {
	isComputed := func(v []patchscan.Token) bool {
		for i, t := range v {
			switch {
			case t.Text == "+" || t.Text == "-" || t.Text == "->":
				return true
			case t.Text == "(" && i > 0 && v[i-1].Kind == patchscan.Ident:
				return true
			}
		}
		return false
	}
	if isComputed(arg) {
		return true
	}
	for _, a := range fl.assigns {
		if a.At < at && mentions(arg, map[string]bool{key(a.Name): true}) && isComputed(a.Value) {
			return true
		}
	}
	return false
}

// looks tells whether the function reads instructions before it writes them.
func (fl *flow) looks() bool {
	for _, c := range fl.calls {
		if c.Name == "aarch64_insn_read" || c.Name == "memcmp" || strings.HasPrefix(c.Name, "aarch64_insn_is_") {
			return true
		}
	}
	return false
}
