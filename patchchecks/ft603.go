package patchchecks

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/patchscan"
)

// FT603 finds offsets that are cut to the width of an instruction's field without
// a test of their range.
var FT603 = check("FT603", func(j *judge) finding.Outcome {
	n := 0
	j.funcs(func(s *Source, fl *flow) {
		if isFramework(s.File.Path) {
			return // callers of the encoders test the range
		}
		for _, a := range fl.assigns {
			m, ok := findMask(a.Value)
			if !ok {
				continue
			}
			if _, stored := fl.storedAsCode(a); !stored && !insnName.MatchString(key(a.Name)) {
				continue
			}
			n++
			if alignment, tested := fl.rangeTested(m.offset, a.At); !tested {
				field, holds := "a field", ""
				if bits := fl.maskBits(m.mask); bits > 0 {
					field = plural.Of(bits, "bit")
					if bits == 19 || bits == 26 {
						holds = fmt.Sprintf(", which hold offsets of %#x..%+#x bytes", -int64(4)<<(bits-1), int64(4)<<(bits-1)-4)
					}
				}
				var related []analysis.RelatedInformation
				test := "nothing tests the range before"
				if alignment != nil {
					test = fmt.Sprintf("%s tests the alignment, and nothing tests the range", s.where(*alignment))
					related = append(related, note(s, *alignment, "a test of the alignment alone"))
				}
				j.report(s, fl.statement(a.At), finding.Say("`%s` is cut to %s of an instruction, and nothing tests its range", brief(text(m.offset)), field).
					Because("`%s` keeps %s%s", text(m.all), field, holds).
					Because("%s", test).
					Because("an offset that does not fit is encoded as another one").
					Do("Test the range first, or use an encoder that does (aarch64_insn_gen_*)"), related...)
			}
		}
	})
	if n == 0 {
		return notApplicable("nothing masks an offset into an instruction")
	}
	return examined("%s", plural.Of(n, "masked offset"))
})

// A masked is an expression (offset & mask) << shift.
type masked struct{ all, offset, mask []patchscan.Token }

// findMask finds an expression (offset & mask) << shift in a value.
func findMask(v []patchscan.Token) (m masked, ok bool) {
	for i, t := range v {
		if t.Text != "(" {
			continue
		}
		depth, and, end := 0, -1, -1
		for k := i; k < len(v) && end < 0; k++ {
			switch v[k].Text {
			case "(":
				depth++
			case ")":
				if depth--; depth == 0 {
					end = k
				}
			case "&":
				if depth == 1 && k > i+1 {
					and = k
				}
			}
		}
		if and < 0 || end < 0 || end+2 >= len(v) || v[end+1].Text != "<<" {
			continue
		}
		m = masked{v[i : end+3], v[i+1 : and], v[and+1 : end]}
		if isMask(m.offset) {
			m.offset, m.mask = m.mask, m.offset
		}
		return m, true
	}
	return m, false
}

// isMask reports whether tokens look like a mask: GENMASK(18, 0), 0x7ffff.
func isMask(tokens []patchscan.Token) bool {
	for _, t := range tokens {
		if t.Text == "GENMASK" || t.Text == "BIT" || strings.Contains(strings.ToLower(t.Text), "mask") {
			return true
		}
	}
	return len(tokens) == 1 && tokens[0].Kind == patchscan.Number
}

// maskBits is the number of bits of a mask, or 0 if the number is not known.
func (fl *flow) maskBits(mask []patchscan.Token) int {
	s := strings.ReplaceAll(text(mask), " ", "")
	var n, lo int
	if _, err := fmt.Sscanf(s, "BIT(%d)-1", &n); err == nil {
		return n
	}
	if _, err := fmt.Sscanf(s, "GENMASK(%d,%d)", &n, &lo); err == nil && lo == 0 {
		return n + 1
	}
	if v, err := strconv.ParseUint(strings.TrimRight(s, "uUlL"), 0, 32); err == nil && v > 0 && v&(v+1) == 0 {
		for ; v > 0; v >>= 1 {
			n++
		}
		return n
	}
	if len(mask) == 1 {
		for _, a := range fl.assigns {
			if a.Name == s && len(a.Value) > 0 && text(a.Value) != s {
				return fl.maskBits(a.Value)
			}
		}
	}
	return 0
}

// rangeTested reports whether the offset, or a value that it is computed from, is
// compared or passed to a function that tests ranges, before the token at. If only
// the alignment is tested, alignment is the place of that test.
func (fl *flow) rangeTested(offset []patchscan.Token, at int) (alignment *patchscan.Token, tested bool) {
	names := map[string]bool{}
	for _, t := range offset {
		if t.Kind == patchscan.Ident {
			names[t.Text] = true
		}
	}
	for _, a := range fl.assigns {
		if a.At < at && names[key(a.Name)] {
			for _, t := range a.Value {
				if t.Kind == patchscan.Ident {
					names[t.Text] = true
				}
			}
		}
	}
	for i := max(fl.Body, 1); i+1 < at; i++ {
		near := names[fl.Tokens[i-1].Text] || names[fl.Tokens[i+1].Text] || fl.Tokens[i+1].Text == "-" || fl.Tokens[i+1].Text == "("
		switch fl.Tokens[i].Text {
		case "<", ">", "<=", ">=":
			if near {
				return nil, true
			}
		case "%":
			if near && alignment == nil {
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
