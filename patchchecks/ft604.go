package patchchecks

import (
	"slices"
	"strings"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/patchscan"
)

// Functions are compared if they have from minShape to maxShape tokens. Shorter
// functions are alike by nature, and the comparison of longer ones takes too long.
const (
	minShape = 45
	maxShape = 3000
)

// A likeness is the part that two functions must share to be near-duplicates: of
// the shapes, of the tokens as they stand, and of the names and constants where the
// shapes are the same.
type likeness struct{ shape, tokens, names float64 }

var (
	nearlySame = likeness{0.92, 0.90, 0.65}
	// Functions that call near-duplicates of each other.
	callersOfTwins = likeness{0.60, 0.55, 0.50}
)

// FT604 finds functions that differ in names and constants alone. Functions that
// call such functions need to be less alike: what differs below is doubled above.
// It looks at code that has to do with tracing, entry code, text or memory for code.
var FT604 = codeCheck("FT604", func(j *judge) tally {
	n := 0
	for _, s := range j.Files {
		var whole []*shape
		for _, fl := range s.Flows {
			if sh := newShape(fl); fl.Whole && len(sh.kinds) >= minShape && len(sh.kinds) <= maxShape {
				whole = append(whole, sh)
			}
		}
		n += len(whole)
		var twins []twin
		find := func(alike likeness, may func(a, b *shape) bool) {
			for i, b := range whole {
				if !s.mostlyAdded(b.fl) || slices.ContainsFunc(twins, func(t twin) bool { return t.b == b }) {
					continue
				}
				for _, a := range whole[:i] {
					if a.fl.Name == b.fl.Name || !may(a, b) { // variants of one function under #ifdef
						continue
					}
					if d, ok := a.compare(b, alike); ok {
						twins = append(twins, twin{a, b, d, alike == callersOfTwins})
						break
					}
				}
			}
		}
		find(nearlySame, func(a, b *shape) bool { return s.aboutCode(a.fl) || s.aboutCode(b.fl) })
		if below := slices.Clone(twins); len(below) > 0 {
			find(callersOfTwins, func(a, b *shape) bool {
				return slices.ContainsFunc(below, func(t twin) bool {
					return a.fl.calling(t.a.fl.Name) && b.fl.calling(t.b.fl.Name) || a.fl.calling(t.b.fl.Name) && b.fl.calling(t.a.fl.Name)
				})
			})
		}
		for _, t := range twins {
			t.report(j, s)
		}
	}
	if n == 0 {
		return notApplicable("no function of C that is long enough to compare")
	}
	return examined("%s", some(n, "function"))
})

// A twin is a function b that is nearly the same as a, and their difference.
type twin struct {
	a, b   *shape
	d      *difference
	caller bool // the two call functions that are nearly the same
}

func (t twin) report(j *judge, s *Source) {
	a, b := t.a.fl, t.b.fl
	claim := finding.Say("%s is nearly the same as %s", b.name(), a.name())
	if t.caller {
		claim = finding.Say("%s does much the same as %s", b.name(), a.name()).
			Because("they call functions that are nearly the same")
	}
	claim = claim.Because("%s of %s are the same", plural.Number(t.d.same), plural.Of(t.d.of, "token"))
	if len(t.d.pairs) > 0 {
		claim = claim.Because("%s has %s", b.name(), t.d)
	}
	j.report(s, b.Tokens[b.NameAt], claim.
		Because("a fix in one of them is easily forgotten in the other").
		Do("Make one function of them, with what differs as an argument"),
		note(s, a.Tokens[a.NameAt], "%s is here", a.name()))
}

// calling reports whether the function calls the function of a name.
func (fl *flow) calling(name string) bool {
	return slices.ContainsFunc(fl.calls, func(c patchscan.Call) bool { return c.Name == name })
}

// mostlyAdded reports whether the patch adds the function, or nearly all of it.
func (s *Source) mostlyAdded(fl *flow) bool {
	added := 0
	for _, t := range fl.Tokens {
		if s.Added(t) {
			added++
		}
	}
	return added*10 >= len(fl.Tokens)*9
}

// A shape is the body of a function, in tokens and in their kinds. All names are
// of one kind, and so are all numbers and all strings.
type shape struct {
	fl     *flow
	tokens []patchscan.Token // of the body
	kinds  []uint32          // of each token
	count  map[uint32]int    // number of tokens of each kind
}

// Kinds of tokens. Keywords have the kinds from 16 on, punctuation those from 256
// on.
const (
	aName uint32 = iota
	aNumber
	aString
)

// shapeWords are the keywords that have a kind of their own.
var shapeWords = map[string]uint32{}

func init() {
	words := []string{"if", "else", "for", "while", "do", "switch", "case", "default", "return", "goto", "break", "continue", "sizeof", "struct", "const"}
	for i, w := range words {
		shapeWords[w] = uint32(i) + 16
	}
}

func newShape(fl *flow) *shape {
	sh := &shape{fl: fl, count: map[uint32]int{}}
	if fl.NameAt >= 0 {
		sh.tokens = fl.Tokens[fl.Body:]
	}
	for _, t := range sh.tokens {
		k := aName
		switch t.Kind {
		case patchscan.Number:
			k = aNumber
		case patchscan.String, patchscan.Char:
			k = aString
		case patchscan.Ident:
			if w, ok := shapeWords[t.Text]; ok {
				k = w
			}
		default:
			k = 256
			for i := range t.Text {
				k = k<<8 | uint32(t.Text[i])
			}
		}
		sh.kinds = append(sh.kinds, k)
		sh.count[k]++
	}
	return sh
}

// A difference is the result of comparing two functions.
type difference struct {
	same, of int         // number of equal tokens, and of all tokens of the longer function
	pairs    [][2]string // names and constants that differ, of the first and of the second
}

// String says what the second function has: "x for y".
func (d *difference) String() string {
	if len(d.pairs) > 3 {
		return plural.Of(len(d.pairs), "other name")
	}
	var w []string
	for _, p := range d.pairs {
		w = append(w, brief(p[1])+" for "+brief(p[0]))
	}
	return strings.Join(w, ", ")
}

// compare reports whether the two functions are alike, and d is their difference.
func (a *shape) compare(b *shape, alike likeness) (d *difference, ok bool) {
	n, m := len(a.kinds), len(b.kinds)
	longer := max(n, m)
	if float64(min(n, m)) < alike.shape*float64(longer) {
		return nil, false
	}
	common := 0
	for k, c := range a.count {
		common += min(c, b.count[k])
	}
	if float64(common) < alike.shape*float64(longer) {
		return nil, false
	}
	// The longest common subsequence of the shapes; equal texts are preferred.
	score := make([][]int32, n+1)
	for i := range score {
		score[i] = make([]int32, m+1)
	}
	for i := n - 1; i >= 0; i-- {
		for k := m - 1; k >= 0; k-- {
			best := max(score[i+1][k], score[i][k+1])
			if a.kinds[i] == b.kinds[k] {
				s := score[i+1][k+1] + 2
				if a.tokens[i].Text == b.tokens[k].Text {
					s++
				}
				best = max(best, s)
			}
			score[i][k] = best
		}
	}
	d = &difference{of: longer}
	shapes, namesOf, namesSame := 0, 0, 0
	type renaming = [2]string
	seen := map[renaming]bool{}
	for i, k := 0, 0; i < n && k < m; {
		x, y := a.tokens[i], b.tokens[k]
		bonus := int32(2)
		if x.Text == y.Text {
			bonus = 3
		}
		switch {
		case a.kinds[i] == b.kinds[k] && score[i][k] == score[i+1][k+1]+bonus:
			shapes++
			if a.kinds[i] <= aString {
				namesOf++
				if x.Text == y.Text {
					namesSame++
				} else {
					seen[renaming{x.Text, y.Text}] = true
				}
			}
			if x.Text == y.Text {
				d.same++
			}
			i, k = i+1, k+1
		case score[i+1][k] >= score[i][k+1]:
			i++
		default:
			k++
		}
	}
	for p := range seen {
		if !seen[renaming{p[1], p[0]}] { // swapped in place, as in a declaration
			d.pairs = append(d.pairs, p)
		}
	}
	slices.SortFunc(d.pairs, func(p, q [2]string) int { return strings.Compare(p[0]+" "+p[1], q[0]+" "+q[1]) })
	return d, float64(shapes) >= alike.shape*float64(longer) && float64(d.same) >= alike.tokens*float64(longer) &&
		float64(namesSame) >= alike.names*float64(namesOf)
}
