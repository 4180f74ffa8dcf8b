package patchchecks

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/patchscan"
)

// FT603 finds offsets that are cut to the width of an instruction's field without
// a test of their range.
var FT603 = codeCheck("FT603", func(j *judge) tally {
	n := 0
	j.funcs(func(s *Source, fl *flow) {
		if isFramework(s.File.Path) {
			return // callers of the encoders test the range
		}
		look := func(value []patchscan.Token, at int) {
			for _, m := range masks(value) {
				bits, low := fl.maskRange(m.mask)
				if !isOffsetField(bits, low, m) || len(m.offset) == 1 && insnName.MatchString(m.offset[0].Text) {
					continue
				}
				n++
				if alignment, tested := fl.rangeTested(m.offset, at); !tested {
					fl.reportMasked(j, m, bits, at, alignment)
				}
			}
		}
		for i := range fl.assigns {
			a := &fl.assigns[i]
			if a.Stores() || len(masks(a.Value)) == 0 {
				continue
			}
			if out, ok := fl.leaves(a); ok && out.code || insnName.MatchString(key(a.Name)) || fl.isInstruction(a.Name) {
				look(a.Value, a.At)
			}
		}
		for _, out := range fl.sinks() {
			if out.code || fl.hasInstruction(out.value) || slices.ContainsFunc(fl.assigns, func(a patchscan.Assign) bool {
				return a.Stores() && a.At == out.index && insnName.MatchString(key(a.Name)) // *insn |= ...
			}) {
				look(out.value, out.index)
			}
		}
	})
	if n == 0 {
		return notApplicable("nothing masks an offset into an instruction")
	}
	return examined("%s", some(n, "masked offset"))
})

// reportMasked reports an offset that the statement at a token cuts to a number of
// bits, or to a field of unknown width if bits is 0. alignment is the place at which
// the alignment of the offset is tested and the range is not. It is nil if no place
// tests the alignment.
func (fl *flow) reportMasked(j *judge, m masked, bits, at int, alignment *patchscan.Token) {
	field, holds := "a field", ""
	if bits > 0 {
		field = plural.Of(bits, "bit")
		if bits == 19 || bits == 26 {
			holds = fmt.Sprintf(", which hold offsets of %#x..%+#x bytes", -int64(4)<<(bits-1), int64(4)<<(bits-1)-4)
		}
	}
	var related []analysis.RelatedInformation
	test := "nothing tests the range before"
	if alignment != nil {
		test = fmt.Sprintf("%s tests the alignment, and nothing tests the range", fl.src.where(*alignment))
		related = append(related, note(fl.src, *alignment, "a test of the alignment alone"))
	}
	j.report(fl.src, fl.statement(at), finding.Say("`%s` is cut to %s of an instruction, and nothing tests its range", brief(text(m.offset)), field).
		Because("`%s` keeps %s%s", text(m.all), field, holds).
		Because("%s", test).
		Because("an offset that does not fit is encoded as another one").
		Do("Test the range first, or use an encoder that does (aarch64_insn_gen_*)"), related...)
}

// isInstruction reports whether an instruction is assigned to the variable, too.
func (fl *flow) isInstruction(name string) bool {
	return slices.ContainsFunc(fl.assigns, func(a patchscan.Assign) bool { return a.Name == name && fl.hasInstruction(a.Value) })
}

// hasInstruction reports whether a value has a constant that is an instruction, or
// a macro with such a constant.
func (fl *flow) hasInstruction(value []patchscan.Token) bool {
	isInstruction := func(t patchscan.Token) bool { _, ok := instructionWord(t); return ok }
	return slices.ContainsFunc(value, func(t patchscan.Token) bool {
		return isInstruction(t) || t.Kind == patchscan.Ident && slices.ContainsFunc(fl.src.macros[t.Text].Body, isInstruction)
	})
}

// A masked is an expression offset & mask, or (offset & mask) << shift.
type masked struct{ all, offset, mask, shift []patchscan.Token }

// masks finds the masked values in an expression.
func masks(v []patchscan.Token) []masked {
	var out []masked
	for i, t := range v {
		switch {
		case t.Text == "&" && binary(v, i):
			if m, ok := maskAt(v, i); ok {
				out = append(out, m)
			}
		case (t.Text == "FIELD_PREP" || strings.HasSuffix(t.Text, "32_encode_bits")) && i+1 < len(v) && v[i+1].Text == "(":
			end := patchscan.Closing(v, i+1)
			if args := patchscan.SplitArgs(v[i+2 : end]); len(args) == 2 {
				m := masked{all: v[i:min(end+1, len(v))], offset: args[1], mask: args[0]}
				if t.Text != "FIELD_PREP" {
					m.offset, m.mask = m.mask, m.offset
				}
				out = append(out, m)
			}
		}
	}
	return out
}

// maskAt reads the expression around the & at i.
func maskAt(v []patchscan.Token, i int) (m masked, ok bool) {
	begin, end := i, i+1
	for depth := 0; begin > 0; begin-- {
		t := v[begin-1].Text
		if t == ")" || t == "]" {
			depth++
		} else if t == "(" || t == "[" {
			depth--
		}
		if depth < 0 || depth == 0 && bindsLess(t) {
			break
		}
	}
	for depth := 0; end < len(v); end++ {
		t := v[end].Text
		if t == "(" || t == "[" {
			depth++
		} else if t == ")" || t == "]" {
			depth--
		}
		if depth < 0 || depth == 0 && bindsLess(t) {
			break
		}
	}
	m = masked{all: v[begin:end], offset: v[begin:i], mask: v[i+1 : end]}
	if len(m.offset) == 0 || len(m.mask) == 0 {
		return m, false
	}
	for begin > 0 && end < len(v) && v[begin-1].Text == "(" && v[end].Text == ")" {
		begin, end = begin-1, end+1
		if end+1 < len(v) && v[end].Text == "<<" {
			last := end + 2
			if v[end+1].Text == "(" {
				last = min(patchscan.Closing(v, end+1)+1, len(v))
			}
			m.all, m.shift = v[begin:last], v[end+1:last]
			break
		}
	}
	if isMask(m.offset) && !isMask(m.mask) {
		m.offset, m.mask = m.mask, m.offset
	}
	return m, m.shift != nil || isMask(m.mask)
}

// bindsLess reports whether an operator ends the operands of an &.
func bindsLess(op string) bool {
	switch op {
	case "|", "^", "&", "&&", "||", "?", ":", ",", ";", "=", "{", "}", "return":
		return true
	}
	return false
}

// isMask reports whether tokens look like a mask: GENMASK(18, 0), 0x7ffff.
func isMask(tokens []patchscan.Token) bool {
	for _, t := range tokens {
		if t.Text == "GENMASK" || t.Text == "BIT" || strings.Contains(strings.ToLower(t.Text), "mask") {
			return true
		}
	}
	bits, _ := maskRange(text(tokens))
	return bits > 0
}

// isOffsetField reports whether a mask of a number of bits, the lowest of which is
// low, keeps the offset of an instruction: imm26 of B and BL, imm19 of LDR, CBZ and
// B.cond, imm14 of TBZ, imm9 and imm7 of loads and stores. Numbers of registers, and
// the pieces that MOVZ, MOVK and ADD take of a value, are cut on purpose. Zero bits
// stand for a width that is not known.
func isOffsetField(bits, low int, m masked) bool {
	if m.shift != nil {
		s, err := strconv.Atoi(strings.Trim(text(m.shift), "()uUlL "))
		if err != nil {
			return slices.Contains([]int{0, 7, 9, 14, 19, 21, 26}, bits)
		}
		if low += s; bits == 0 {
			return low == 5
		}
	}
	switch bits {
	case 26:
		return low == 0
	case 14, 19, 21:
		return low == 5
	case 9:
		return low == 12
	case 7:
		return low == 15
	}
	return false
}

// maskRange is the number of bits of a mask and the lowest of them; the number is
// 0 if it is not known.
func (fl *flow) maskRange(mask []patchscan.Token) (bits, low int) {
	for range 4 { // names of names
		if bits, low = maskRange(text(mask)); bits > 0 || len(mask) != 1 {
			return bits, low
		}
		value := fl.src.macros[mask[0].Text].Body
		for i := range fl.assigns {
			if a := &fl.assigns[i]; a.Name == mask[0].Text {
				value = a.Value
			}
		}
		mask = value
	}
	return 0, 0
}

// maskRange is the method of that name, for a mask without names.
func maskRange(s string) (bits, low int) {
	s = strings.ReplaceAll(s, " ", "")
	for strings.HasPrefix(s, "(") && closes(s) {
		s = s[1 : len(s)-1]
	}
	for _, suffix := range []string{"UL", "ULL", "U", "u", "ul"} {
		s = strings.ReplaceAll(strings.ReplaceAll(s, "1"+suffix+"<<", "1<<"), suffix+")", ")")
	}
	var n, lo int
	if _, err := fmt.Sscanf(s, "BIT(%d)-1", &n); err == nil && strings.HasSuffix(s, ")-1") && n > 0 && n <= 32 {
		return n, 0
	}
	if _, err := fmt.Sscanf(s, "(1<<%d)-1", &n); err == nil && strings.HasSuffix(s, ")-1") && n > 0 && n <= 32 {
		return n, 0
	}
	if _, err := fmt.Sscanf(s, "GENMASK(%d,%d)", &n, &lo); err == nil && strings.Count(s, "(") == 1 && n >= lo {
		return n - lo + 1, lo
	}
	if base, by, ok := strings.Cut(s, "<<"); ok {
		if n, err := strconv.Atoi(by); err == nil && n >= 0 && n < 32 {
			if bits, low = maskRange(base); bits > 0 {
				return bits, low + n
			}
		}
		return 0, 0
	}
	v, err := strconv.ParseUint(strings.TrimRight(s, "uUlL"), 0, 32)
	if err != nil || v == 0 {
		return 0, 0
	}
	for ; v&1 == 0; v >>= 1 {
		low++
	}
	if v&(v+1) != 0 {
		return 0, 0
	}
	for ; v > 0; v >>= 1 {
		bits++
	}
	return bits, low
}

// closes reports whether the last character of s closes the parenthesis that s
// begins with.
func closes(s string) bool {
	depth := 0
	for i := range s {
		switch s[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i == len(s)-1
			}
		}
	}
	return false
}

// rangeTested reports whether the offset, or a value that it is computed from, is
// compared or passed to a function that tests ranges, before the token at. If only
// the alignment is tested, alignment is the place of that test.
func (fl *flow) rangeTested(offset []patchscan.Token, at int) (alignment *patchscan.Token, tested bool) {
	names := fl.origins(offset, at)
	for i := max(fl.Body, 1); i+1 < at; i++ {
		switch fl.Tokens[i].Text {
		case "<", ">", "<=", ">=":
			if fl.compares(i, names) {
				return nil, true
			}
		case "%":
			if near := names[fl.Tokens[i-1].Text] || names[fl.Tokens[i+1].Text]; near && alignment == nil {
				alignment = &fl.Tokens[i-1]
			}
		}
	}
	for _, c := range fl.calls {
		if c.At >= at {
			break
		}
		uses := false
		for _, arg := range c.Args {
			uses = uses || mentions(arg, names)
		}
		if uses && (strings.Contains(c.Name, "range") || strings.Contains(c.Name, "abs") || strings.Contains(c.Name, "fits") ||
			strings.HasPrefix(c.Name, "check") || strings.HasPrefix(c.Name, "sign_extend")) {
			return nil, true
		}
		if uses && c.Name == "IS_ALIGNED" && alignment == nil {
			alignment = &fl.Tokens[c.At]
		}
	}
	return alignment, false
}

// compares reports whether one of the names is an operand of the comparison at a
// token.
func (fl *flow) compares(i int, names map[string]bool) bool {
	side := func(step int) bool {
		for k, depth := i+step, 0; k >= fl.Body && k < len(fl.Tokens); k += step {
			switch fl.Tokens[k].Text {
			case "(", "[":
				depth += step
			case ")", "]":
				depth -= step
			case ";", "{", "}", "&&", "||", ",", "?", ":":
				if depth == 0 {
					return false
				}
			}
			if depth < 0 {
				return false
			}
			if names[fl.Tokens[k].Text] {
				return true
			}
		}
		return false
	}
	return side(-1) || side(1)
}
