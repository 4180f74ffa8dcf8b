package patchchecks

import (
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/patchscan"
)

// FT601 finds constants that are A64 instructions and are stored as instructions.
var FT601 = check("FT601", func(j *judge) finding.Outcome {
	constants := 0
	for _, s := range j.Files {
		if s.File.Lang != patchscan.LangC || isFramework(s.File.Path) {
			continue
		}
		// Macros: #define LDR_X2 0x58000002
		macros := map[string]patchscan.Token{}
		for i := range len(s.Tokens) - 2 {
			if s.Tokens[i].Pre && s.Tokens[i].Text == "define" && s.Tokens[i+2].Pre {
				for _, t := range s.Tokens[i+2 : min(i+8, len(s.Tokens))] {
					if _, ok := instructionWord(t); ok && t.Line == s.Tokens[i].Line {
						macros[s.Tokens[i+1].Text] = t
					}
				}
			}
		}
		for _, fl := range s.Flows {
			find := func(tokens []patchscan.Token, sink patchscan.Token) {
				for _, t := range tokens {
					at := t
					if m, ok := macros[t.Text]; ok && t.Kind == patchscan.Ident {
						t, at = m, m
					}
					w, ok := instructionWord(t)
					if !ok {
						continue
					}
					constants++
					var related []analysis.RelatedInformation
					stored := "it is stored as an instruction"
					if sink.Line != at.Line {
						stored += ", at " + s.where(sink)
						related = append(related, note(s, sink, "stored here"))
					}
					j.report(s, at, byHand(t, w, stored), related...)
				}
			}
			for _, a := range fl.assigns {
				if sink, ok := fl.storedAsCode(a); ok {
					find(a.Value, sink)
				}
			}
			for _, c := range fl.calls {
				find(writtenBy(c), fl.Tokens[c.At])
			}
		}
		for _, table := range codeTables(s) {
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
	return examined("%s that are stored as instructions", plural.Of(constants, "constant"))
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

// insnName matches names of variables that hold an instruction.
var insnName = regexp.MustCompile(`(?i)^(insn|inst|instr|opcode|.*_(insn|inst|instr|opcode)s?|(insn|instr|opcode)_.*)$`)

// writers are the functions that write an instruction to text, each with the index
// of the argument that is the instruction.
var writers = map[string]int{
	"aarch64_insn_patch_text_nosync": 1, "aarch64_insn_write": 1, "ftrace_modify_code": 2, "cpu_to_le32": 0,
	"put_unaligned_le32": 0,
}

// writtenBy is the argument of a call that is written as an instruction, or nil.
func writtenBy(c patchscan.Call) []patchscan.Token {
	if i, ok := writers[c.Name]; ok && i < len(c.Args) {
		return c.Args[i]
	}
	return nil
}

// storedAsCode reports whether the assigned value is stored as an instruction, and
// at which token.
func (fl *flow) storedAsCode(a patchscan.Assign) (sink patchscan.Token, ok bool) {
	if a.Deref || strings.Contains(a.Name, "[") {
		return fl.Tokens[a.At], fl.memory[key(a.Name)] || insnName.MatchString(key(a.Name))
	}
	// The variable, and the variables that its value is assigned to.
	name := key(a.Name)
	names := fl.derived(func(v []patchscan.Token) bool { return mentions(v, map[string]bool{name: true}) })
	names[name] = true
	for _, c := range fl.calls {
		if c.At < a.At {
			continue
		}
		if copiers[c.Name] && len(c.Args) == 3 && len(c.Args[1]) > 1 && c.Args[1][0].Text == "&" && mentions(c.Args[1], names) {
			return fl.Tokens[c.At], true
		}
		if c.Name != "cpu_to_le32" && mentions(writtenBy(c), names) {
			return fl.Tokens[c.At], true
		}
	}
	for _, b := range fl.assigns {
		if b.At > a.At && (b.Deref || strings.Contains(b.Name, "[")) && fl.memory[key(b.Name)] && mentions(b.Value, names) {
			return fl.Tokens[b.At], true
		}
	}
	return sink, false
}

// codeTables are the initialisers of arrays with a name for code in which each
// constant is an instruction: u32 insns[] = { 0x58000051, ... }.
func codeTables(s *Source) [][]patchscan.Token {
	var out [][]patchscan.Token
	for i := 2; i+1 < len(s.Tokens); i++ {
		if s.Tokens[i].Text != "=" || s.Tokens[i+1].Text != "{" || s.Tokens[i-1].Text != "]" {
			continue
		}
		name := i - 1
		for name > 0 && s.Tokens[name].Text != "[" {
			name--
		}
		if name == 0 || !insnName.MatchString(s.Tokens[name-1].Text) && !tableName.MatchString(s.Tokens[name-1].Text) {
			continue
		}
		end, all, n := i+2, true, 0
		for ; end < len(s.Tokens) && s.Tokens[end].Text != "}" && s.Tokens[end].Kind != patchscan.Gap; end++ {
			if s.Tokens[end].Kind == patchscan.Number {
				_, ok := instructionWord(s.Tokens[end])
				all, n = all && ok, n+1
			}
		}
		if all && n > 0 {
			out = append(out, s.Tokens[i+2:end])
		}
	}
	return out
}

// tableName matches names of arrays that hold code.
var tableName = regexp.MustCompile(`(?i)(insn|code|tramp|templ|veneer|plt)`)

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
