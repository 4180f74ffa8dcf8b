package patchchecks

import (
	"regexp"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/patchscan"
)

// FT710 finds generated branches that land on no landing pad: BR and BLR to a return
// address, and a first instruction that does not accept the branch of a PLT.
var FT710 = codeCheck("FT710", func(j *judge) tally {
	n := 0
	plt := "" // a PLT that branches by a register that BTI C does not accept
	j.funcs(func(s *Source, fl *flow) {
		if at := fl.branchOfPLT(); at >= 0 && plt == "" {
			plt = "`" + text(fl.Tokens[at:fl.closing(at+1)]) + "` of the PLT at " + s.where(fl.Tokens[at])
		}
	})
	j.funcs(func(s *Source, fl *flow) {
		for _, c := range fl.calls {
			reg, op := branchRegister(c)
			if reg == "" {
				continue
			}
			n++
			if why := fl.returnAddress(reg, c.At, 0); why != "" {
				j.report(s, fl.span(c), finding.Say("%s emits %s to a return address, where no landing pad is", fl.name(), op).
					Because("`%s` is a return address: %s", short(reg), why).
					Because("no compiler puts a landing pad behind a call, and RET needs none").
					Because("a processor with BTI takes an exception there, and the kernel oopses").
					Do("Emit RET with the register, and set the link register by ADR first where the code is to come back"))
			}
		}
		c, ok := fl.firstPad()
		if !ok {
			return
		}
		n++
		why := plt
		if len(fl.paramsOfType("bpf_tramp_image")) > 0 || fl.NameAt < 0 && strings.Contains(fl.Name, "trampoline") {
			why = "the PLT through which a BPF trampoline beyond 128 MiB is reached"
		}
		if why == "" || len(c.Args) == 0 || text(c.Args[0]) != "A64_BTI_C" {
			return
		}
		j.report(s, fl.span(c), finding.Say("%s begins code that a PLT branches to with BTI C", fl.name()).
			Because("BTI C accepts BLR, and BR only by x16 and x17").
			Because("what comes by BR: %s", why).
			Because("a processor with BTI takes an exception there, and the kernel oopses").
			Do("Emit A64_BTI_JC, which accepts each of the branches"))
	})
	if n == 0 {
		return notApplicable("nothing generates an indirect branch or a landing pad")
	}
	return examined("%s", some(n, "generated branch"))
})

// branchRegister is the register of the BR or BLR that a call makes, and the branch's
// mnemonic. Both are "" if the call makes neither.
func branchRegister(c patchscan.Call) (reg, op string) {
	switch {
	case c.Name == "A64_BR" && len(c.Args) == 1:
		return text(c.Args[0]), "BR"
	case c.Name == "A64_BLR" && len(c.Args) == 1:
		return text(c.Args[0]), "BLR"
	case c.Name == "aarch64_insn_gen_branch_reg" && len(c.Args) == 2:
		switch text(c.Args[1]) {
		case "AARCH64_INSN_BRANCH_NOLINK":
			return text(c.Args[0]), "BR"
		case "AARCH64_INSN_BRANCH_LINK":
			return text(c.Args[0]), "BLR"
		}
	}
	return "", ""
}

var (
	linkRegister = regexp.MustCompile(`^(A64_LR|A64_R\(30\)|AARCH64_INSN_REG_(LR|30))$`)
	savedReturn  = regexp.MustCompile(`(?i)(^|_)(ret_?addr|return_?addr|lr)(_|$)`) // offsets of saved return addresses
	readsOnly    = regexp.MustCompile(`^A64_(STR\w*|PUSH|CBN?Z|TBN?Z|CMP\w*|TST\w*|BR|BLR|RET)$`)
)

// returnAddress says why a register holds a return address at a token; "" if it does
// not, as far as the function shows.
func (fl *flow) returnAddress(reg string, at, depth int) string {
	for _, c := range slices.Backward(fl.calls) {
		i := slices.IndexFunc(c.Args, func(arg []patchscan.Token) bool { return text(arg) == reg })
		if c.At >= at || i < 0 || readsOnly.MatchString(c.Name) || !strings.HasPrefix(c.Name, "A64_") && !emitterName.MatchString(c.Name) {
			continue
		}
		where := fl.src.where(fl.Tokens[c.At])
		isSaved := func(t patchscan.Token) bool { return savedReturn.MatchString(t.Text) }
		switch {
		case c.Name == "A64_MOV" && i == 2:
			continue // only read
		case c.Name == "A64_MOV" && i == 1 && len(c.Args) == 3 && depth < 8:
			return fl.returnAddress(text(c.Args[2]), c.At, depth+1)
		case c.Name == "A64_POP" && i == 1 && text(c.Args[0]) == "A64_FP":
			return "it is loaded from a frame record (" + where + ")"
		case strings.HasPrefix(c.Name, "A64_LDR64I") && i == 0 && slices.ContainsFunc(c.Args[len(c.Args)-1], isSaved):
			return "it is loaded from `" + text(c.Args[len(c.Args)-1]) + "` (" + where + ")"
		}
		return ""
	}
	switch {
	case linkRegister.MatchString(reg):
		return "it is the link register"
	case reg == "A64_R(9)" && strings.Contains(fl.Name, "tramp"):
		return "a callsite passes its caller's link register in x9"
	}
	return ""
}

// branchOfPLT is the index of a generated BR by the register into which a literal was
// loaded. BTI C does not accept that register. The index is -1 if no BR is like that.
func (fl *flow) branchOfPLT() int {
	loaded := map[string]bool{}
	for _, c := range fl.calls {
		switch {
		case c.Name == "A64_LDR64LIT" && len(c.Args) > 0:
			loaded[text(c.Args[0])] = true
		case c.Name == "A64_BR" && len(c.Args) == 1 && loaded[text(c.Args[0])]:
			if reg := text(c.Args[0]); reg != "A64_R(16)" && reg != "A64_R(17)" && fl.isPLT() {
				return c.At
			}
		}
	}
	return -1
}

// entryName matches the functions that generate the first instructions of code.
var entryName = regexp.MustCompile(`(?i)(prologue|tramp)`)

// firstPad is the first call of the function that appends an instruction, if it
// always appends a landing pad in a kernel with BTI.
func (fl *flow) firstPad() (patchscan.Call, bool) {
	if !entryName.MatchString(fl.Name) {
		return patchscan.Call{}, false
	}
	c, ok := fl.emitsIn([2]int{fl.Body, len(fl.Tokens)})
	if !ok || len(c.Args) == 0 || !strings.HasPrefix(text(c.Args[0]), "A64_BTI_") {
		return c, false
	}
	for _, b := range fl.branchings() {
		if (in(b.then, c.At) || in(b.els, c.At)) && !strings.Contains(text(b.cond), "CONFIG_ARM64_BTI_KERNEL") {
			return c, false
		}
	}
	return c, true
}
