package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/trampoline"
)

// makers are the kernel's functions that make instructions, by the instruction's
// kind.
var makers = map[a64.Kind]string{
	a64.Branch: "aarch64_insn_gen_branch_imm(pc, addr, AARCH64_INSN_BRANCH_NOLINK)",
	a64.Call:   "aarch64_insn_gen_branch_imm(pc, addr, AARCH64_INSN_BRANCH_LINK)",
	a64.BCond:  "aarch64_insn_gen_cond_branch_imm()",
	a64.CBZ:    "aarch64_insn_gen_comp_branch_imm()",
	a64.BR:     "aarch64_insn_gen_branch_reg(reg, AARCH64_INSN_BRANCH_NOLINK)",
	a64.BLR:    "aarch64_insn_gen_branch_reg(reg, AARCH64_INSN_BRANCH_LINK)",
	a64.Ret:    "aarch64_insn_gen_branch_reg(reg, AARCH64_INSN_BRANCH_RETURN)",
	a64.ADR:    "aarch64_insn_gen_adr(pc, addr, reg, AARCH64_INSN_ADR_TYPE_ADR)",
	a64.ADRP:   "aarch64_insn_gen_adr(pc, addr, reg, AARCH64_INSN_ADR_TYPE_ADRP)",
	a64.LDRLit: "aarch64_insn_gen_load_literal(pc, addr, reg, true)",
}

// FT601 finds instructions that the builder makes from a constant of its own.
var FT601 = builtCheck("FT601", func(pass *analysis.Pass, runs []*trampoline.Run, s *spots) {
	for _, r := range runs {
		for _, h := range r.HandMade(s.im) {
			if h.Constant == nil || s.inEncoder(h.Constant.PC) {
				continue
			}
			use := makers[a64.Classify(h.Word)]
			if use == "" {
				use = "its encoder in arch/arm64/lib/insn.c, or add one"
			}
			c := uint32(h.Constant.Out)
			// Compilers load a constant before or after the statement that uses it.
			// Where the offset is cut to its field, the mask's place is better.
			pc := h.Constant.PC
			if h.Mask != nil {
				pc = h.Mask.PC
			}
			s.add(r, pc, "", say("the builder assembles an instruction by hand: %#08x is `%s`", c, a64.Text(c, 0, func(uint64) string { return "." })).
				Because("it becomes %08x %s and is stored to %s (%s)", h.Word, word(s.im, r, h.Word, h.At), at(r, h.At), s.line(h.PC)).
				Do("Use %s", use))
		}
	}
}, trampoline.Near, trampoline.Updated)
