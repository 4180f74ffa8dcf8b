package patchchecks

import (
	"strings"

	"github.com/ftlint/ftlint/patchscan"
)

// A region is code of a file that a builder may copy: from the start of a
// function, or from a label, to the label with _end.
type region struct {
	fn         string // the function that the end label is in
	label      string // of the end
	start, end int    // indexes of Stmts: the function's start, a label, or where the hunk begins; the end label
}

// regions finds the end labels in the assembly of s that C code can name:
// "ftrace_caller_end" in the function ftrace_caller, or behind a label ftrace_caller.
func regions(s *Source) []region {
	var out []region
	fn, start := "", -1
	labels := map[string]int{}
	for i, st := range s.Stmts {
		switch st.Kind {
		case patchscan.StmtStart:
			fn, start = st.Label, i
			labels = map[string]int{}
		case patchscan.StmtEnd:
			fn, start = "", -1
		case patchscan.StmtGap:
			if start < 0 {
				start = i
			}
		case patchscan.StmtLabel:
			if isLocal(st.Label) {
				continue // no C code can name it
			}
			name, ok := strings.CutSuffix(st.Label, "_end")
			if at, known := labels[name]; ok && known {
				out = append(out, region{fn, st.Label, at, i})
			} else if ok {
				out = append(out, region{fn, st.Label, start, i})
			}
			labels[st.Label] = i
		}
	}
	return out
}

// entryCode are the functions of ftrace's own entry code.
var entryCode = map[string]bool{"ftrace_caller": true, "ftrace_regs_caller": true, "ftrace_common": true}

// endsFlow reports whether execution never goes on behind the instruction.
func endsFlow(st patchscan.Stmt) bool {
	switch st.Op {
	case "b", "br", "ret", "eret", "retaa", "retab", "braa", "brab":
		return true
	}
	return false
}

// instruction is a statement in the form of messages.
func instruction(st patchscan.Stmt) string { return text(tokens(st)) }

func tokens(st patchscan.Stmt) []patchscan.Token { return append([]patchscan.Token{st.At}, st.Args...) }
