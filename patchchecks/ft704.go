package patchchecks

import (
	"slices"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/patchscan"
)

// FT704 finds code of generators that emits another number of instructions than the
// pass without an image has counted: an address of another value in each pass, moved
// by as many instructions as the value needs, and instructions that only the pass
// with an image emits.
var FT704 = codeCheck("FT704", func(j *judge) tally {
	n := 0
	j.funcs(func(s *Source, fl *flow) {
		if !fl.generates() {
			return
		}
		n++
		branchings := fl.branchings()
		for _, c := range fl.calls {
			address := fl.movesVariably(c)
			if address == nil || slices.ContainsFunc(branchings, func(b branching) bool {
				asks, _ := asksForImage(b.cond)
				return asks && (in(b.then, c.At) || in(b.els, c.At) || b.els[1] <= c.At && (fl.leavesIn(b.then) || fl.leavesIn(b.els)))
			}) {
				continue
			}
			j.report(s, fl.span(c), finding.Say("%s emits an address by as many instructions as its value needs", fl.name()).
				Because("`%s` is another address when the size is computed than when the code is emitted", text(address)).
				Because("%s() leaves out the instructions for parts of the address that are 0 or all ones", short(c.Name)).
				Because("an address that needs more than was counted makes the code longer than its memory").
				Do("Count the most, 4 instructions, in the pass with no image, or emit the same number for each address"))
		}
		for _, b := range branchings {
			asks, has := asksForImage(b.cond)
			arm, other := b.then, b.els
			if !has {
				arm, other = b.els, b.then
			}
			c, emits := fl.emitsIn(arm)
			if !asks || !emits || !has && !negated(b.cond) || fl.countsIn(other) || fl.leavesIn(arm) {
				continue
			}
			j.report(s, fl.span(c), finding.Say("%s emits instructions that the pass with no image does not count", fl.name()).
				Because("`%s` runs only where `%s` says that there is an image", text(fl.Tokens[c.At:c.End]), text(b.cond)).
				Because("the pass that computes the size has no image, and counts nothing here").
				Do("Emit in both passes, or add the number of instructions to the index in the pass with no image"))
		}
	})
	if n == 0 {
		return notApplicable("nothing generates code in two passes")
	}
	return examined("%s that generate code", some(n, "function"))
})

// negated reports whether a condition is that there is no image, and nothing else.
func negated(cond []patchscan.Token) bool {
	return len(cond) > 0 && (cond[0].Text == "!" || cond[len(cond)-1].Text == "NULL" && cond[max(len(cond)-2, 0)].Text == "==") &&
		!slices.ContainsFunc(cond, func(t patchscan.Token) bool { return t.Text == "||" || t.Text == "&&" || t.Text == "(" })
}

// movesVariably is the address that a call moves by a number of instructions that
// depends on the address, if that address is another one in each pass.
func (fl *flow) movesVariably(c patchscan.Call) []patchscan.Token {
	if c.Name != "emit_a64_mov_i64" && !slices.ContainsFunc(fl.helpers[c.Name], (*flow).emitsByValue) {
		return nil
	}
	images := fl.paramsOfType("bpf_tramp_image") // arch_bpf_trampoline_size() is given none
	if fl.NameAt < 0 {
		images["im"] = true // its declaration is not shown
	}
	for _, arg := range c.Args {
		madeInteger := func(a patchscan.Assign) bool { return a.At < c.At && a.Name == arg[0].Text && castsToInteger(a.Value) }
		if len(arg) == 1 && !slices.ContainsFunc(fl.assigns, madeInteger) || len(arg) > 1 && !castsToInteger(arg) {
			continue
		}
		_, values := fl.trace(arg, c.At)
		for _, v := range values {
			if distance(v) {
				break
			}
			if mentions(v, images) || mentions(v, imageNames) {
				return arg
			}
		}
	}
	return nil
}

// castsToInteger reports whether a value is a pointer that is cast to a number.
func castsToInteger(v []patchscan.Token) bool {
	if len(v) < 3 || v[0].Text != "(" {
		return false
	}
	for i, t := range v[1:] {
		switch t.Text {
		case "const", "unsigned":
		case "u64", "long", "uintptr_t":
			return v[i+2].Text == ")"
		default:
			return false
		}
	}
	return false
}

// distance reports whether a value is the distance between two addresses, which is
// the same wherever the image is.
func distance(v []patchscan.Token) bool {
	return slices.ContainsFunc(v, func(t patchscan.Token) bool { return t.Text == "-" })
}

// emitsByValue reports whether the function moves a value by a number of
// instructions that depends on the value: it is named for that, and emits some where
// a condition on the value holds.
func (fl *flow) emitsByValue() bool {
	params := fl.params()
	if !emitterName.MatchString(fl.Name) || len(params) < 2 {
		return false
	}
	values := map[string]bool{}
	for _, p := range params {
		values[p] = p != "" && p != "ctx" && p != "reg"
	}
	for name := range fl.derived(func(v []patchscan.Token) bool { return mentions(v, values) }) {
		values[name] = true
	}
	for _, b := range fl.branchings() {
		ofPass := slices.ContainsFunc(b.cond, func(t patchscan.Token) bool { return t.Text == "ctx" })
		if asks, _ := asksForImage(b.cond); asks || ofPass || !mentions(b.cond, values) {
			continue
		}
		if _, ok := fl.emitsIn(b.then); ok && b.els[0] == b.els[1] {
			return true
		}
	}
	return false
}
