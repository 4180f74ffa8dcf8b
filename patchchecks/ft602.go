package patchchecks

import (
	"regexp"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/patchscan"
)

// FT602 finds instructions that are overwritten without a check of the old
// instruction. One function gets one finding, at the first of them; the others are
// related places.
var FT602 = codeCheck("FT602", func(j *judge) tally {
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
		copied := false
		for _, st := range fl.stores() {
			if !st.word {
				copied = true
				continue
			}
			if !copied || !copiers[fl.Tokens[st.index].Text] {
				continue
			}
			if n++; !fl.reads(nil, st.index) {
				add(fl.statement(st.index), "`"+text(untilSemicolon(fl.Tokens[st.index:]))+"` overwrites an instruction of the copy, and nothing compares it",
					"Compare with the instruction that is expected there first")
			}
		}
		for _, c := range fl.calls {
			if i, ok := writers[c.Name]; !ok || c.Name == "ftrace_modify_code" || len(c.Args) <= i {
				continue
			}
			what := ""
			switch {
			case fl.pointsInto(c.Args[0]):
				what = "writes to a trampoline"
			case fl.sum(c.Args[0], c.At):
				what = "writes to an address that is computed"
			case fl.hooks(c):
				what = "writes a branch over the entry of a live function"
			default:
				continue
			}
			if n++; !fl.reads(c.Args[0], c.At) {
				add(fl.span(c), c.Name+"() "+what+", and nothing reads or compares an instruction in "+fl.name(),
					"Read the old instruction with aarch64_insn_read() and compare it first")
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
	return examined("%s of instructions", some(n, "write"))
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

// slotName matches names of memory with code that was there before.
var slotName = regexp.MustCompile(`(?i)(^|_)(tramp\w*|image|stub|slot|text|entry|plt|template|tmpl|hook|site|callsite|base)(_|$)`)

// sum reports whether an address is the sum of a base and an offset that were
// computed: tramp + off, image + 8. The next word behind a pointer that is written
// from its beginning on (addr + 1) is not such an address.
func (fl *flow) sum(arg []patchscan.Token, at int) bool {
	isSum := func(v []patchscan.Token) bool {
		for i := 1; i+1 < len(v); i++ {
			if op := v[i].Text; op != "+" && op != "-" || !operand(v[i-1]) || !operand(v[i+1]) {
				continue
			}
			if v[i+1].Kind != patchscan.Number && v[i-1].Kind != patchscan.Number || slotName.MatchString(v[i-1].Text) || slotName.MatchString(v[i+1].Text) {
				return true
			}
		}
		return false
	}
	if isSum(arg) {
		return true
	}
	for _, a := range fl.assigns {
		if a.At < at && !a.Deref && mentions(arg, map[string]bool{key(a.Name): true}) && isSum(a.Value) {
			return true
		}
	}
	return false
}

// operand reports whether a token may be an operand of a sum.
func operand(t patchscan.Token) bool {
	return t.Kind == patchscan.Ident || t.Kind == patchscan.Number || t.Text == ")" || t.Text == "(" || t.Text == "]"
}

// hooks reports whether the call writes a branch to the address that the branch is
// made for, and that address comes from a parameter or from a look-up of symbols:
// the entry of a function that is live.
func (fl *flow) hooks(c patchscan.Call) bool {
	to := fl.origins(c.Args[0], c.At)
	given := to["kallsyms_lookup_name"]
	for _, p := range fl.params() {
		given = given || p != "" && to[p]
	}
	computed := slices.ContainsFunc(fl.calls, func(c patchscan.Call) bool { return to[c.Name] && c.Name != "kallsyms_lookup_name" })
	if !given || computed {
		return false
	}
	for _, b := range fl.calls {
		if b.Name != "aarch64_insn_gen_branch_imm" || b.At > c.At || len(b.Args) < 2 {
			continue
		}
		for name := range fl.origins(b.Args[0], b.At) {
			if to[name] {
				return true
			}
		}
	}
	return false
}

// reads reports whether the function reads or compares the instruction at an
// address, or any instruction if address is nil, before the token at.
func (fl *flow) reads(address []patchscan.Token, at int) bool {
	names := fl.origins(address, at)
	same := func(arg []patchscan.Token) bool { return address == nil || mentions(arg, names) }
	for _, c := range fl.calls {
		switch {
		case c.Name == "aarch64_insn_read" || c.Name == "copy_from_kernel_nofault" && len(c.Args) == 3 && isWordSize(c.Args[2]):
			if len(c.Args) > 0 && (same(c.Args[0]) || len(c.Args) > 1 && same(c.Args[1])) {
				return true
			}
		case c.Name == "memcmp":
			if len(c.Args) == 3 && (same(c.Args[0]) || same(c.Args[1])) {
				return true
			}
		case strings.HasPrefix(c.Name, "aarch64_insn_is_"):
			return true
		case address != nil && c.At < at && fl.helper(c, names, (*flow).readsParameter):
			return true
		}
	}
	for i := max(fl.Body, 1); i+1 < len(fl.Tokens) && address != nil; i++ { // *p != old
		if op := fl.Tokens[i].Text; op != "==" && op != "!=" {
			continue
		}
		begin, end := i, i+1
		for begin > fl.Body && !slices.Contains(separators, fl.Tokens[begin-1].Text) {
			begin--
		}
		for end < len(fl.Tokens) && !slices.Contains(separators, fl.Tokens[end].Text) {
			end++
		}
		test := fl.Tokens[begin:end]
		for k, t := range test {
			if (t.Text == "*" && !binary(test, k) || t.Text == "[") && mentions(test, names) {
				return true
			}
		}
	}
	return false
}

// separators are the tokens around a comparison.
var separators = []string{";", "{", "}", "&&", "||", "?", ":"}
