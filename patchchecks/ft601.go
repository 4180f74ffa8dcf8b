package patchchecks

import (
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/patchscan"
)

// FT601 finds constants that are A64 instructions and are stored as instructions.
//
// Most 32-bit numbers are an instruction. A constant is judged if it goes where
// only instructions go, if it is completed with the offset of a branch, or if
// nothing but an instruction has its value: a NOP, a RET.
var FT601 = codeCheck("FT601", func(j *judge) tally {
	constants := 0
	for _, s := range j.Files {
		if s.File.Lang != patchscan.LangC || isFramework(s.File.Path) {
			continue
		}
		// each calls do for each constant in a value that is an instruction. at is the
		// constant, in a macro the name or the constant, whichever the patch adds.
		each := func(value []patchscan.Token, do func(at, t patchscan.Token, w uint32, of []patchscan.Token)) {
			for i, t := range value {
				if besideComparison(value, i) {
					continue
				}
				if w, ok := instructionWord(t); ok {
					do(t, t, w, value)
					continue
				}
				for _, b := range s.macros[t.Text].Body {
					if w, ok := instructionWord(b); ok && t.Kind == patchscan.Ident {
						at := b
						if !s.Added(b) {
							at = t
						}
						do(at, b, w, s.macros[t.Text].Body)
					}
				}
			}
		}
		report := func(at, t patchscan.Token, w uint32, sink patchscan.Token) {
			constants++
			var related []analysis.RelatedInformation
			stored := "it is stored as an instruction"
			if sink.Line != at.Line {
				stored += ", at " + s.where(sink)
				related = append(related, note(s, sink, "stored here"))
			}
			j.report(s, at, byHand(t, w, stored), related...)
		}
		for _, fl := range s.Flows {
			for i := range fl.assigns {
				a := &fl.assigns[i]
				if a.Stores() {
					continue
				}
				each(a.Value, func(at, t patchscan.Token, w uint32, of []patchscan.Token) {
					out, ok := fl.leaves(a)
					if ok && (out.code || isUnmistakable(w) || insnName.MatchString(key(a.Name)) || hasBranchOffset(of) || fl.getsBranchOffset(a)) {
						report(at, t, w, fl.Tokens[out.index])
					}
				})
			}
			for _, out := range fl.sinks() {
				each(out.value, func(at, t patchscan.Token, w uint32, of []patchscan.Token) {
					if out.code || isUnmistakable(w) || hasBranchOffset(of) || hasBranchOffset(out.value) {
						report(at, t, w, fl.Tokens[out.index])
					}
				})
			}
		}
		for _, table := range j.codeTables(s) {
			for _, t := range table {
				if w, ok := instructionWord(t); ok {
					constants++
					j.report(s, t, byHand(t, w, "it stands in a table of instructions"))
				}
			}
		}
	}
	if len(j.Files) == 0 {
		return notApplicable(noCode)
	}
	return examined("%s that are stored as instructions", some(constants, "constant"))
})

// byHand is the claim that the instruction w, the constant t, is made by hand. where
// says where it is stored.
func byHand(t patchscan.Token, w uint32, where string) finding.Claim {
	return finding.Say("%s is `%s`, made by hand", brief(t.Text), brief(disassemble(w))).
		Because("%s", where).
		Because("an encoder of the kernel says what it makes, and checks registers and ranges").
		Do("%s", encoder(w))
}

// isFramework reports whether the file belongs to the kernel's own encoders, which
// must make instructions from constants.
func isFramework(path string) bool {
	base := path[strings.LastIndexByte(path, '/')+1:]
	return base == "insn.c" || base == "insn.h" || base == "insn-def.h" || base == "brk-imm.h" || base == "debug-monitors.h" || base == "bpf_jit.h"
}

// instructionWord is the value of a constant of 8 hexadecimal digits. ok reports
// whether that is an A64 instruction.
func instructionWord(t patchscan.Token) (w uint32, ok bool) {
	digits, ok := strings.CutPrefix(strings.ToLower(strings.TrimRight(t.Text, "uUlL")), "0x")
	if !ok || len(digits) != 8 {
		return 0, false
	}
	v, ok := number(t)
	if !ok {
		return 0, false
	}
	return uint32(v), !strings.HasPrefix(a64.Text(uint32(v), 0, nil), ".inst")
}

// isUnmistakable reports whether w is one of the instructions whose words are
// nothing else, because all bits but those of a register or a hint are fixed: NOP
// and other hints, RET, BR, BLR, barriers, ERET.
func isUnmistakable(w uint32) bool {
	switch {
	case w&0xfffff01f == 0xd503201f, // HINT
		w&0xfffff01f == 0xd503301f,           // DSB, DMB, ISB, CLREX
		w&0xff9ffc1f == 0xd61f0000 && w != 0, // BR, BLR, RET
		w == 0xd69f03e0:                      // ERET
		return true
	}
	return false
}

// hasBranchOffset reports whether an instruction is completed in the value with the
// offset of a branch, of a literal or of an address.
func hasBranchOffset(value []patchscan.Token) bool {
	for _, m := range masks(value) {
		if bits, low := maskRange(text(m.mask)); isOffsetField(bits, low, m) {
			return true
		}
	}
	return false
}

// getsBranchOffset reports whether the variable that a sets is completed so later:
// insn |= off & 0x3ffffff.
func (fl *flow) getsBranchOffset(a *patchscan.Assign) bool {
	for i := range fl.assigns {
		if b := &fl.assigns[i]; b.At > a.At && b.Name == a.Name && b.Op != "=" && hasBranchOffset(b.Value) {
			return true
		}
	}
	return false
}

// codeTables are the initialisers of arrays that hold code, in which each constant
// is an instruction: u32 insns[] = { 0x58000051, ... }. An array holds code if its
// name says so, if one of the constants is nothing else, or if a function of the
// series writes it to memory for code.
func (j *judge) codeTables(s *Source) [][]patchscan.Token {
	var out [][]patchscan.Token
	for i := 2; i+1 < len(s.Tokens); i++ {
		if s.Tokens[i].Text != "=" || s.Tokens[i+1].Text != "{" || s.Tokens[i-1].Text != "]" {
			continue
		}
		name := i - 1
		for name > 0 && s.Tokens[name].Text != "[" {
			name--
		}
		if name == 0 {
			continue
		}
		end, all, n, sure := i+2, true, 0, false
		for ; end < len(s.Tokens) && s.Tokens[end].Text != "}" && s.Tokens[end].Kind != patchscan.Gap; end++ {
			if s.Tokens[end].Kind == patchscan.Number && s.Tokens[end-1].Text != "[" { // [1] = 0x58000051
				w, ok := instructionWord(s.Tokens[end])
				all, n, sure = all && ok, n+1, sure || ok && isUnmistakable(w)
			}
		}
		array := s.Tokens[name-1].Text
		if all && n > 0 && (sure || insnName.MatchString(array) || tableName.MatchString(array) || j.copiesAsCode(array)) {
			out = append(out, s.Tokens[i+2:end])
		}
	}
	return out
}

// copiesAsCode reports whether a function copies the array to memory for code.
func (j *judge) copiesAsCode(array string) (found bool) {
	j.funcs(func(_ *Source, fl *flow) {
		for _, c := range fl.calls {
			if len(c.Args) >= 3 && mentions(c.Args[1], map[string]bool{array: true}) {
				found = found || copiers[c.Name] && fl.holdsCode(c.Args[0]) || codeCopiers[c.Name]
			}
		}
	})
	return found
}

// codeCopiers are the kernel's functions that copy code.
var codeCopiers = map[string]bool{"aarch64_insn_copy": true, "text_poke_copy": true, "bpf_arch_text_copy": true}

// tableName matches names of arrays that hold code.
var tableName = regexp.MustCompile(`(?i)(insn|code|tramp|te?mpl|veneer|plt)`)

// disassemble is the instruction in the assembler's syntax, with targets relative
// to its own address.
func disassemble(w uint32) string {
	return a64.Text(w, 0, func(addr uint64) string {
		if addr == 0 {
			return "."
		}
		return fmt.Sprintf(".%+#x", int64(addr))
	})
}

// encoder is the fix: the kernel's function that makes the instruction.
func encoder(w uint32) string {
	reg := func(r int) string { return fmt.Sprintf("AARCH64_INSN_REG_%d", r) }
	switch a64.Classify(w) {
	case a64.LDRLit:
		return fmt.Sprintf("Use aarch64_insn_gen_load_literal(pc, addr, %s, %t)", reg(a64.Rd(w)), w>>30 == 1)
	case a64.Branch:
		return "Use aarch64_insn_gen_branch_imm(pc, addr, AARCH64_INSN_BRANCH_NOLINK)"
	case a64.Call:
		return "Use aarch64_insn_gen_branch_imm(pc, addr, AARCH64_INSN_BRANCH_LINK)"
	}
	mnemonic, _, _ := strings.Cut(a64.Text(w, 0, nil), " ")
	switch mnemonic, _, _ = strings.Cut(mnemonic, "."); mnemonic {
	case "nop":
		return "Use aarch64_insn_gen_nop()"
	case "br", "blr", "ret":
		return "Use aarch64_insn_gen_branch_reg()"
	case "adr", "adrp":
		return "Use aarch64_insn_gen_adr()"
	case "movz", "movk", "movn":
		return "Use aarch64_insn_gen_movewide()"
	case "mov":
		if w>>24&0x1f == 0x0a { // ORR of registers
			return "Use aarch64_insn_gen_move_reg()"
		}
		return "Use aarch64_insn_gen_movewide()"
	case "cbz", "cbnz":
		return "Use aarch64_insn_gen_comp_branch_imm()"
	case "b":
		return "Use aarch64_insn_gen_cond_branch_imm()"
	case "stp", "ldp":
		return "Use aarch64_insn_gen_load_store_pair()"
	case "ldr", "str":
		return "Use aarch64_insn_gen_load_store_imm()"
	case "add", "sub":
		return "Use aarch64_insn_gen_add_sub_imm()"
	}
	return "Teach the instruction framework (arch/arm64/lib/insn.c) to encode it"
}
