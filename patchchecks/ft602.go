package patchchecks

import (
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/patchscan"
)

// FT602 finds instructions that are overwritten without a check of the old
// instruction. One function gets one finding, at the first of them; the others are
// related places.
var FT602 = check("FT602", func(j *judge) finding.Outcome {
	n := 0
	j.funcs(func(s *Source, fl *flow) {
		var at []patchscan.Token
		var how, fix string // of the first
		add := func(t patchscan.Token, evidence, do string) {
			if !s.Added(t) {
				return
			}
			if at = append(at, t); len(at) == 1 {
				how, fix = evidence, do
			}
		}
		for _, c := range fl.calls {
			if c.Name == "ftrace_modify_code" && len(c.Args) == 4 && fl.computed(c.Args[0], c.At) {
				n++
				if v := text(c.Args[3]); v == "false" || v == "0" {
					add(fl.span(c), "`"+text(fl.Tokens[c.At:c.End])+"` writes a slot at a computed address, and its last argument turns the check off",
						"Pass the instruction that the builder put there, and true")
				}
			}
		}
		compares := fl.compares()
		copied := false
		for _, st := range fl.stores() {
			if !st.word {
				copied = true
				continue
			}
			if !copied || !copiers[fl.Tokens[st.index].Text] {
				continue
			}
			if n++; !compares {
				add(fl.statement(st.index), "`"+text(untilSemicolon(fl.Tokens[st.index:]))+"` overwrites an instruction of the copy, and nothing compares it",
					"Compare with the instruction that is expected there first")
			}
		}
		for _, c := range fl.calls {
			switch c.Name {
			case "aarch64_insn_patch_text_nosync", "aarch64_insn_write", "aarch64_insn_patch_text":
				if len(c.Args) == 0 || !fl.pointsInto(c.Args[0]) {
					continue
				}
				if n++; !compares {
					add(fl.span(c), c.Name+"() writes to a trampoline, and nothing reads or compares an instruction in "+fl.name(),
						"Read the old instruction with aarch64_insn_read() and compare it first")
				}
			}
		}
		if len(at) > 0 {
			var related []analysis.RelatedInformation
			for _, t := range at[1:] {
				related = append(related, note(s, t, "and here"))
			}
			j.report(s, at[0], finding.Say("%s overwrites an instruction with no check of the old one", fl.name()).
				Because("%s", how).
				Because("a label or an address that is wrong goes unnoticed until the code runs").
				Do("%s", fix), related...)
		}
	})
	if n == 0 {
		return notApplicable("nothing of arm64 writes instructions to a trampoline or to a computed address")
	}
	return examined("%s of instructions", plural.Of(n, "write"))
})

// computed reports whether an address is the result of a computation in this
// function, and not the address of a symbol. The address is an argument of the
// call at token index at.
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

// compares reports whether the function reads or compares instructions.
func (fl *flow) compares() bool {
	for _, c := range fl.calls {
		if c.Name == "aarch64_insn_read" || c.Name == "memcmp" || strings.HasPrefix(c.Name, "aarch64_insn_is_") {
			return true
		}
	}
	return false
}
