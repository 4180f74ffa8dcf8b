package patchchecks

import (
	"strings"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/patchscan"
)

// FT106 finds PC-relative instructions of a copied region that aim outside the
// region. A region counts as copied if C code of the same input names both its
// labels. If that code makes instructions, it is trusted to rewrite each
// instruction behind a label that it names, and the last instruction of the region.
var FT106 = codeCheck("FT106", func(j *judge) tally {
	used := map[string]bool{} // identifiers in the bodies of C functions
	rewrites, relocates := false, false
	j.funcs(func(s *Source, fl *flow) {
		for _, t := range fl.Tokens[max(fl.Body, 0):] {
			if t.Kind == patchscan.Ident {
				used[t.Text] = true
			}
		}
		for _, c := range fl.calls {
			switch {
			case strings.HasPrefix(c.Name, "aarch64_set_branch_offset"), strings.HasPrefix(c.Name, "aarch64_insn_adrp_set_offset"):
				relocates = true
			case strings.HasPrefix(c.Name, "aarch64_insn_gen_"):
				rewrites = true
			}
		}
	})
	n := 0
	for _, s := range j.Files {
		for _, r := range regions(s) {
			start := strings.TrimSuffix(r.label, "_end")
			if !used[r.label] || !used[start] || relocates {
				continue
			}
			n++
			inside := map[string]bool{}
			for _, st := range s.Stmts[max(r.start, 0):r.end] {
				if st.Label != "" {
					inside[st.Label] = true
				}
			}
			slot := false // behind a label that the builder names
			for i := max(r.start, 0); i < r.end; i++ {
				st := s.Stmts[i]
				if st.Kind == patchscan.StmtLabel {
					slot = slot || used[st.Label] && rewrites
					continue
				}
				if !st.IsInstruction() || st.Kind != patchscan.StmtOther {
					continue
				}
				target, ok := pcRelative(st)
				if ok && !slot && !inside[target] && !isLocal(target) && (i+1 < r.end || !rewrites) {
					j.report(s, s.span(tokens(st)), finding.
						Say("`%s` is copied, and the copy misses %s", brief(instruction(st)), brief(target)).
						Because("C code of the same input names both labels of %s..%s, and copies what is between them", short(start), short(r.label)).
						Because("the instruction reaches %s from its own address, and the copy has another one", short(target)).
						Do("Rewrite the instruction in the builder, or load the address from a literal that is copied along"))
				}
				slot = false
			}
		}
	}
	if n == 0 {
		return notApplicable("no region of arm64 assembly that the same input copies by its labels")
	}
	return examined("%s", some(n, "region"))
})

// pcRelative is the symbol that an instruction reaches from its own address. The
// kernel's macros for such instructions count as well.
func pcRelative(st patchscan.Stmt) (target string, ok bool) {
	op, _, _ := strings.Cut(st.Op, ".")
	operands := patchscan.SplitArgs(st.Args)
	arg := len(operands) - 1
	switch op {
	case "b", "bl", "cbz", "cbnz", "tbz", "tbnz", "adr", "adrp":
	case "adr_l", "ldr_l", "str_l":
		arg = 1
	case "ldr": // a literal: ldr x0, label
		if arg != 1 {
			return "", false
		}
	default:
		return "", false
	}
	if arg < 0 || arg >= len(operands) || len(operands[arg]) == 0 {
		return "", false
	}
	t := operands[arg][0]
	if t.Kind != patchscan.Ident && t.Kind != patchscan.Number || strings.HasPrefix(t.Text, "\\") {
		return "", false
	}
	return t.Text, true
}

// isLocal reports whether a target is a numeric label, or a label of the file
// alone: 1b, .Lout.
func isLocal(target string) bool {
	return target != "" && (target[0] >= '0' && target[0] <= '9' || strings.HasPrefix(target, ".L"))
}
