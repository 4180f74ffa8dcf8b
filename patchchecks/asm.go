package patchchecks

import (
	"strings"

	"github.com/ftlint/ftlint/patchscan"
)

// A region is what a builder copies of a file: from a function's start, or a
// label, to the label with _end.
type region struct {
	src        *Source
	fn         string // the function that the end label is in
	label      string // of the end
	start, end int    // indexes of Stmts: the function's start or where the hunk begins, the end label
	gap        bool   // lines are missing between start and end
}

// regions finds the end labels in the assembly of s: "ftrace_caller_end" in
// the function ftrace_caller, or behind a label ftrace_caller.
func regions(s *Source) []region {
	var out []region
	fn, start, gap := "", -1, false
	labels := map[string]int{}
	for i, st := range s.Stmts {
		switch st.Kind {
		case patchscan.StmtStart:
			fn, start, gap = st.Label, i, false
			labels = map[string]int{}
		case patchscan.StmtEnd:
			fn, start = "", -1
		case patchscan.StmtGap:
			gap = true
			if start < 0 {
				start = i
			}
		case patchscan.StmtLabel:
			name, ok := strings.CutSuffix(st.Label, "_end")
			if at, known := labels[name]; ok && known {
				out = append(out, region{s, fn, st.Label, at, i, false})
			} else if ok {
				out = append(out, region{s, fn, st.Label, start, i, gap || start < 0})
			}
			labels[st.Label] = i
		}
	}
	return out
}

// entryCode are the functions that ftrace itself runs.
var entryCode = map[string]bool{"ftrace_caller": true, "ftrace_regs_caller": true, "ftrace_common": true}

// endsFlow tells whether execution never goes on behind the instruction.
func endsFlow(st patchscan.Stmt) bool {
	switch st.Op {
	case "b", "br", "ret", "eret", "retaa", "retab", "braa", "brab":
		return true
	}
	return false
}

// instruction is a statement as messages show it.
func instruction(st patchscan.Stmt) string {
	return text(append([]patchscan.Token{st.At}, st.Args...))
}
