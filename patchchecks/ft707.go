package patchchecks

import (
	"slices"
	"strings"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/patchscan"
)

// binaryAllocators are the functions that allocate the memory of a program, with the
// alignment as their third argument.
var binaryAllocators = map[string]bool{"bpf_jit_binary_alloc": true, "bpf_jit_binary_pack_alloc": true}

// literalWords are names that only code with a 64-bit literal of a PLT has.
var literalWords = map[string]bool{"A64_LDR64LIT": true, "PLT_TARGET_SIZE": true, "PLT_TARGET_OFFSET": true, "bpf_plt": true}

// FT707 finds 64-bit literals in generated code that may be at 4 mod 8: the code's
// memory is aligned to 4 bytes, or nothing pads the code in front of the literal. It
// looks at literals of PLTs, which are written while they may be read.
var FT707 = codeCheck("FT707", func(j *judge) tally {
	var literal string // where a literal is generated
	j.funcs(func(s *Source, fl *flow) {
		for _, t := range fl.Tokens {
			if literal == "" && t.Kind == patchscan.Ident && literalWords[t.Text] {
				literal = "`" + t.Text + "` at " + s.where(t)
			}
		}
	})
	if literal == "" {
		return notApplicable("nothing generates a PLT with a 64-bit literal")
	}
	n := 0
	j.funcs(func(s *Source, fl *flow) {
		for _, c := range fl.calls {
			switch {
			case binaryAllocators[c.Name] && len(c.Args) > 2:
				n++
				if isWordSize(c.Args[2]) {
					j.report(s, fl.src.span(c.Args[2]), finding.Say("%s aligns generated code to 4 bytes, and its 64-bit literal needs 8", fl.name()).
						Because("the third argument of %s() is `%s`", c.Name, text(c.Args[2])).
						Because("the code has a literal in it: %s", literal).
						Because("a load that is not aligned can get half of the old and half of the new address").
						Do("Pass sizeof(u64) as the alignment"))
				}
			case c.Name == "A64_LDR64LIT" && len(c.Args) == 2 && fl.Body > 0 && fl.isPLT() && constant(c.Args[1]):
				n++
				if !fl.pads(c.At) && !fl.callersPad() {
					j.report(s, fl.span(c), finding.Say("%s does not align the 64-bit literal of a PLT", fl.name()).
						Because("the literal is at a fixed distance from `%s`, and nothing before it looks at the index", text(fl.Tokens[c.At:c.End])).
						Because("an odd index puts the literal at 4 mod 8").
						Because("a load that is not aligned can get half of the old and half of the new address").
						Do("Emit a NOP first, where the literal's index would be odd"))
				}
			}
		}
	})
	if n == 0 {
		return notApplicable("nothing allocates the memory of a PLT's literal, or emits its load")
	}
	return examined("%s", some(n, "place"))
})

// isPLT reports whether the function has to do with PLTs.
func (fl *flow) isPLT() bool {
	return isPLT(fl.Name) || slices.ContainsFunc(fl.Tokens, func(t patchscan.Token) bool { return t.Kind == patchscan.Ident && isPLT(t.Text) })
}

// constant reports whether a value has no variable.
func constant(v []patchscan.Token) bool {
	return !slices.ContainsFunc(v, func(t patchscan.Token) bool {
		return t.Kind == patchscan.Ident && !typeWords[t.Text] && t.Text != strings.ToUpper(t.Text)
	})
}

// pads reports whether the function looks at the alignment of what is in front of a
// token.
func (fl *flow) pads(at int) bool {
	for i := fl.Body; i < at; i++ {
		switch t := fl.Tokens[i]; {
		case t.Text == "%":
			return true
		case t.Text == "&" && binary(fl.Tokens, i) && slices.Contains([]string{"1", "7", "0x1", "0x7"}, fl.Tokens[i+1].Text):
			return true
		case t.Kind == patchscan.Ident && hasAny(strings.ToUpper(t.Text), "ALIGN", "ROUND_UP"):
			return true
		}
	}
	return false
}

// callersPad reports whether a function that calls this one looks at the alignment
// before.
func (fl *flow) callersPad() bool {
	for _, others := range fl.helpers {
		for _, g := range others {
			if slices.ContainsFunc(g.calls, func(c patchscan.Call) bool { return c.Name == fl.Name && g.pads(c.At) }) {
				return true
			}
		}
	}
	return false
}
