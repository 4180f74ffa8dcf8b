package patchchecks

import (
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/patchscan"
)

// FT104 finds end labels in front of the last instruction of their function.
var FT104 = codeCheck("FT104", func(j *judge) tally {
	n := 0
	for _, s := range j.Files {
		for _, r := range regions(s) {
			n++
			// Behind the label stand one instruction that ends the function, and the
			// function's end.
			last := -1
			for i := r.end + 1; i < len(s.Stmts); i++ {
				st := s.Stmts[i]
				if st.Kind == patchscan.StmtLabel || st.Kind == patchscan.StmtOther && !st.IsInstruction() {
					continue
				}
				if last < 0 && endsFlow(st) {
					last = i
					continue
				}
				if last >= 0 && st.Kind == patchscan.StmtEnd {
					j.report(s, s.span(tokens(s.Stmts[r.end])), finding.
						Say("%s stands on the last instruction, not after it", brief(r.label)).
						Because("behind the label is `%s`, the last instruction of %s", instruction(s.Stmts[last]), short(st.Label)).
						Because("every use of the label must add AARCH64_INSN_SIZE by hand").
						Do("Put the label behind that instruction"))
				}
				break
			}
		}
	}
	if n == 0 {
		return notApplicable("no end label (name_end) in a function of arm64 assembly")
	}
	return examined("%s", some(n, "end label"))
})
