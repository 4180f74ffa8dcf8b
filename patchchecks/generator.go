package patchchecks

import (
	"regexp"
	"slices"

	"github.com/ftlint/ftlint/patchscan"
)

// A generator of code runs twice: the first pass has no image and only counts the
// instructions, the second writes them.

// emitterName matches the functions of generators that append instructions.
var emitterName = regexp.MustCompile(`^emit(_|$)`)

// imageNames are the names of the memory that a generator writes to, and of the
// address at which the code will run. Both are NULL in the first pass.
var imageNames = map[string]bool{"->image": true, "->ro_image": true, "image": true, "ro_image": true}

// A branching is an if statement: its condition, and the tokens of its two arms as
// ranges of Func.Tokens.
type branching struct {
	cond      []patchscan.Token
	then, els [2]int
}

func in(r [2]int, i int) bool { return r[0] <= i && i < r[1] }

// branchings are the if statements of the function.
func (fl *flow) branchings() []branching {
	var out []branching
	for i := fl.Body; i+1 < len(fl.Tokens); i++ {
		if fl.Tokens[i].Text != "if" || fl.Tokens[i+1].Text != "(" {
			continue
		}
		begin := fl.closing(i + 1)
		end := fl.behind(begin)
		b := branching{cond: fl.Tokens[i+2 : max(begin-1, i+2)], then: [2]int{begin, end}, els: [2]int{end, end}}
		if end < len(fl.Tokens) && fl.Tokens[end].Text == "else" {
			b.els = [2]int{end + 1, fl.behind(end + 1)}
		}
		out = append(out, b)
	}
	return out
}

// closing is the index behind what closes the parenthesis or brace at i.
func (fl *flow) closing(i int) int {
	return min(patchscan.Closing(fl.Tokens, i)+1, len(fl.Tokens))
}

// behind is the index behind the statement at i.
func (fl *flow) behind(i int) int {
	for i < len(fl.Tokens) {
		switch fl.Tokens[i].Text {
		case "{":
			return fl.closing(i)
		case "if":
			end := fl.behind(fl.closing(i + 1))
			if end >= len(fl.Tokens) || fl.Tokens[end].Text != "else" {
				return end
			}
			i = end + 1
		case "for", "while":
			i = fl.closing(i + 1)
		default:
			return i + len(untilSemicolon(fl.Tokens[i:])) + 1
		}
	}
	return i
}

// asksForImage reports whether a condition decides by the pass, and whether it holds
// in the one that has an image.
func asksForImage(cond []patchscan.Token) (asks, has bool) {
	if !mentions(cond, imageNames) {
		return false, false
	}
	for i, t := range cond {
		switch t.Text {
		case "<", ">", "<=", ">=", "||", "(", "+", "-":
			return true, false // a distance, or more than the pass
		case "!":
			return true, false
		case "==":
			return true, i+1 < len(cond) && cond[i+1].Text != "NULL"
		}
	}
	return true, true
}

// emitsIn is the first call in a range of tokens that appends instructions.
func (fl *flow) emitsIn(r [2]int) (first patchscan.Call, ok bool) {
	for _, c := range fl.calls {
		if in(r, c.At) && emitterName.MatchString(c.Name) {
			return c, true
		}
	}
	return first, false
}

// countsIn reports whether a range of tokens counts instructions, by hand or by
// appending them, or leaves the function to where that may be done.
func (fl *flow) countsIn(r [2]int) bool {
	if _, ok := fl.emitsIn(r); ok {
		return true
	}
	return fl.leavesIn(r) || fl.hasIn(r, "idx")
}

// leavesIn reports whether a range of tokens leaves the course of the function.
func (fl *flow) leavesIn(r [2]int) bool { return fl.hasIn(r, "return", "goto") }

// hasIn reports whether a range of tokens has one of the words.
func (fl *flow) hasIn(r [2]int, words ...string) bool {
	return slices.ContainsFunc(fl.Tokens[min(r[0], len(fl.Tokens)):min(r[1], len(fl.Tokens))], func(t patchscan.Token) bool {
		return slices.Contains(words, t.Text)
	})
}

// paramsOfType are the names of the parameters whose type has a word.
func (fl *flow) paramsOfType(word string) map[string]bool {
	names := map[string]bool{}
	if fl.NameAt < 0 {
		return names
	}
	for i := fl.NameAt; i+2 < fl.Body; i++ {
		if fl.Tokens[i].Text == word && fl.Tokens[i+1].Text == "*" && fl.Tokens[i+2].Kind == patchscan.Ident {
			names[fl.Tokens[i+2].Text] = true
		}
	}
	return names
}

// generates reports whether the function appends instructions.
func (fl *flow) generates() bool {
	return slices.ContainsFunc(fl.calls, func(c patchscan.Call) bool { return emitterName.MatchString(c.Name) })
}
