package patchchecks

import (
	"regexp"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/patchscan"
)

// A sink is a place where a value leaves a function as an instruction can: a store
// through a pointer, a call that writes it, a return.
type sink struct {
	index int               // of its first token, in Func.Tokens
	value []patchscan.Token // what leaves
	code  bool              // only instructions go there
}

// writers are the functions that write an instruction to text, each with the index
// of the argument that is the instruction.
var writers = map[string]int{
	"aarch64_insn_patch_text_nosync": 1, "aarch64_insn_write": 1, "aarch64_insn_patch_text": 1, "ftrace_modify_code": 2,
}

// storers are functions and macros that store a value anywhere, each with the index
// of the value, and with that of the destination.
var storers = map[string][2]int{
	"WRITE_ONCE": {1, 0}, "smp_store_release": {1, 0}, "xchg": {1, 0},
	"put_unaligned": {0, 1}, "put_unaligned_le32": {0, 1},
	"copy_to_kernel_nofault": {1, 0}, "probe_kernel_write": {1, 0},
}

// swaps are the functions that give a value the byte order of instructions.
var swaps = map[string]bool{"cpu_to_le32": true, "__cpu_to_le32": true, "cpu_to_le32s": true}

// emitName matches names of functions that write an instruction or make one.
var emitName = regexp.MustCompile(`(?i)(^|_)(emit|insns?|instr|opcode)(_|$|\d)`)

// sinks are the sinks of the function, in the order of the text.
func (fl *flow) sinks() []sink {
	if fl.allSinks != nil {
		return fl.allSinks
	}
	out := []sink{}
	for i := range fl.assigns {
		a := &fl.assigns[i]
		holds := fl.holdsCode(a.Left)
		switch {
		case len(a.Value) > 0 && a.Value[0].Text == "{": // a table
		case a.Stores():
			out = append(out, sink{a.At, a.Value, holds})
		case callsAny(a.Value, swaps): // a member: plt->br = cpu_to_le32(x)
			out = append(out, sink{a.At, a.Value, holds || fl.src.File.Arch == "arm64"})
		}
	}
	for _, c := range fl.calls {
		i, isWriter := writers[c.Name]
		at, isStorer := storers[c.Name]
		switch {
		case isWriter && i < len(c.Args):
			out = append(out, sink{c.At, c.Args[i], true})
		case isStorer && len(c.Args) > 1:
			out = append(out, sink{c.At, c.Args[at[0]], fl.holdsCode(c.Args[at[1]])})
		case copiers[c.Name] && len(c.Args) == 3 && len(c.Args[1]) > 1 && c.Args[1][0].Text == "&":
			out = append(out, sink{c.At, c.Args[1], true})
		case emitName.MatchString(c.Name) && !strings.HasPrefix(c.Name, "aarch64_insn_is_"):
			for _, arg := range c.Args {
				out = append(out, sink{c.At, arg, false})
			}
		}
	}
	for _, r := range fl.returns {
		out = append(out, sink{r.At, r.Value, false})
	}
	slices.SortStableFunc(out, func(a, b sink) int { return a.index - b.index })
	fl.allSinks = out
	return out
}

// insnName matches names of variables that hold an instruction.
var insnName = regexp.MustCompile(`(?i)^(insn|inst|instr|opcode|.*_(insn|inst|instr|opcode)s?|(insn|instr|opcode)_.*)$`)

// codeMemory matches names of memory that holds code.
var codeMemory = regexp.MustCompile(`(?i)(^|_)(insns?|instrs?|code|tramp\w*|tmpl|templ\w*|veneers?|plts?|stubs?)(_|$)`)

// holdsCode reports whether a destination is memory for instructions.
func (fl *flow) holdsCode(left []patchscan.Token) bool {
	if fl.pointsInto(left) {
		return true
	}
	for i, t := range left {
		switch {
		case t.Text == "[":
			return false // an index follows
		case t.Kind == patchscan.Ident && (i+1 == len(left) || left[i+1].Text != "->" && left[i+1].Text != "." && left[i+1].Text != "("):
			if insnName.MatchString(t.Text) || codeMemory.MatchString(t.Text) {
				return true
			}
		}
	}
	return false
}

// leaves finds the first sink behind an assignment to a variable that the
// variable's value reaches. A sink for code is preferred.
func (fl *flow) leaves(a *patchscan.Assign) (found sink, ok bool) {
	name := key(a.Name)
	names := fl.derived(func(v []patchscan.Token) bool { return mentions(v, map[string]bool{name: true}) })
	names[name] = true
	for _, s := range fl.sinks() {
		if s.index > a.At && mentions(s.value, names) && !compared(s.value, names) && (!ok || s.code && !found.code) {
			found, ok = s, true
		}
	}
	return found, ok
}

// compared reports whether a value only compares the variables: return insn == x.
func compared(value []patchscan.Token, names map[string]bool) bool {
	for i, t := range value {
		if t.Kind == patchscan.Ident && names[t.Text] && !besideComparison(value, i) {
			return false
		}
	}
	return true
}

// besideComparison reports whether the token at i is an operand of a comparison, or
// is masked for one.
func besideComparison(value []patchscan.Token, i int) bool {
	for _, k := range []int{i - 1, i + 1} {
		if k < 0 || k >= len(value) {
			continue
		}
		switch value[k].Text {
		case "==", "!=", "<", ">", "<=", ">=", "&&", "||", "!":
			return true
		case "&":
			if binary(value, k) {
				return slices.ContainsFunc(value, func(t patchscan.Token) bool { return t.Text == "==" || t.Text == "!=" })
			}
		}
	}
	return false
}

// binary reports whether the & or * at i has an operand on its left.
func binary(tokens []patchscan.Token, i int) bool {
	if i == 0 {
		return false
	}
	before := tokens[i-1]
	return before.Kind == patchscan.Ident && before.Text != "return" || before.Kind == patchscan.Number || before.Text == ")" || before.Text == "]"
}

// typeWords are words of declarations and casts, which name no value.
var typeWords = map[string]bool{
	"unsigned": true, "signed": true, "long": true, "int": true, "short": true, "char": true, "void": true, "const": true,
	"static": true, "struct": true, "union": true, "volatile": true, "sizeof": true, "bool": true, "if": true, "return": true,
	"u8": true, "u16": true, "u32": true, "u64": true, "s8": true, "s16": true, "s32": true, "s64": true, "__le32": true,
	"uint32_t": true, "uint64_t": true, "int64_t": true, "size_t": true, "ssize_t": true, "uintptr_t": true, "NULL": true,
	"__force": true, "cpu_to_le32": true, "le32_to_cpu": true,
}

// origins are the names that a value comes from: the variables, members and
// functions in it, and those in what was assigned to these variables before the
// token at. Constants are not among them.
func (fl *flow) origins(value []patchscan.Token, at int) map[string]bool {
	names, _ := fl.trace(value, at)
	return names
}

// trace is origins, with the values that were assigned on the way.
func (fl *flow) trace(value []patchscan.Token, at int) (names map[string]bool, values [][]patchscan.Token) {
	names = map[string]bool{}
	add := func(tokens []patchscan.Token) {
		values = append(values, tokens)
		for i, t := range tokens {
			if t.Kind != patchscan.Ident || typeWords[t.Text] || t.Text == strings.ToUpper(t.Text) {
				continue
			}
			name := t.Text
			if i > 0 && (tokens[i-1].Text == "->" || tokens[i-1].Text == ".") {
				name = "->" + name
			}
			names[name] = true
		}
	}
	add(value)
	seen := map[int]bool{} // assignments and calls, by their tokens
	for more := true; more; {
		more = false
		for i := range fl.assigns {
			if a := &fl.assigns[i]; a.At < at && !a.Deref && !seen[a.At] && names[key(a.Name)] {
				seen[a.At], more = true, true
				add(a.Value)
			}
		}
		for _, c := range fl.calls { // f(&x) sets x
			for _, arg := range c.Args {
				if c.At < at && !seen[c.At] && len(arg) == 2 && arg[0].Text == "&" && names[arg[1].Text] {
					seen[c.At], more = true, true
					names[c.Name] = true
				}
			}
		}
	}
	return names, values
}
