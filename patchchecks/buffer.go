package patchchecks

import (
	"maps"
	"strings"

	"github.com/ftlint/ftlint/patchscan"
)

// A place is what is known of the memory that an address is in.
type place struct {
	sites   map[patchscan.Token]bool // the calls that allocate it
	outside bool                     // the caller may have given the address
	unknown bool                     // the address may be one of any memory
}

func (p *place) add(q place) {
	maps.Copy(p.sites, q.sites)
	p.outside = p.outside || q.outside
	p.unknown = p.unknown || q.unknown
}

// apart reports whether two addresses are certainly in different memory: each is in
// memory that the function allocates, by different calls, or one is a parameter.
// Whatever cannot be told is not apart.
func apart(a, b place) bool {
	if a.unknown || b.unknown || a.outside && b.outside {
		return false
	}
	for site := range a.sites {
		if b.sites[site] {
			return false
		}
	}
	known := func(p place) bool { return len(p.sites) > 0 || p.outside }
	return known(a) && known(b)
}

// placeOf is the place of the address that a call has as its first argument.
func (fl *flow) placeOf(c patchscan.Call) place {
	if len(c.Args) == 0 {
		return place{unknown: true}
	}
	p := fl.address(c.Args[0], c.At, newLookup())
	if fl.Tokens[c.At].Text != c.Name && len(p.sites) == 0 {
		p.unknown = true // a helper calls c.Name, possibly for a member of the argument
	}
	return p
}

// placeStored is the place that a store writes to.
func (fl *flow) placeStored(st store) place {
	to := fl.destination(st)
	if len(to) > 0 && to[0].Text == "*" {
		to = to[1:]
	}
	return fl.address(to, st.index, newLookup())
}

// aligning are the functions and macros whose result is in the memory of their
// argument.
var aligning = map[string]bool{
	"PAGE_ALIGN": true, "PAGE_ALIGN_DOWN": true, "ALIGN": true, "ALIGN_DOWN": true, "PTR_ALIGN": true, "PTR_ALIGN_DOWN": true,
	"round_down": true, "round_up": true, "READ_ONCE": true,
}

// A lookup is the search for one place.
type lookup struct {
	asked map[string]bool // the variables whose values are being looked at
	left  int             // the number of variables that may still be looked at
}

func newLookup() *lookup { return &lookup{map[string]bool{}, 1000} }

// address is the place of the address that a value computes at the token at.
func (fl *flow) address(value []patchscan.Token, at int, l *lookup) place {
	out := place{sites: map[patchscan.Token]bool{}}
	vague := false // a name that is not known, which may be an offset
	for i := 0; i < len(value); i++ {
		t, next := value[i], ""
		if i+1 < len(value) {
			next = value[i+1].Text
		}
		switch {
		case t.Text == "?" || t.Text == "{":
			return place{unknown: true}
		case t.Text == "*" && i+1 < len(value) && (next == "(" || value[i+1].Kind == patchscan.Ident) && (!binary(value, i) || value[i-1].Text == ")"):
			return place{unknown: true} // what a pointer points to
		case t.Text == "sizeof" && next == "(":
			i = patchscan.Closing(value, i+1)
		case t.Kind != patchscan.Ident || typeWords[t.Text]:
		case next == "(" && allocators[t.Text]:
			out.sites[t] = true
			i = patchscan.Closing(value, i+1)
		case next == "(":
			if !aligning[t.Text] {
				return place{unknown: true}
			}
		case next == "->" || next == "." || next == "[":
			if i == 0 || value[i-1].Text != "&" || next == "." {
				return place{unknown: true} // what is in memory
			}
			// &p->member and &p[i] are in the memory of p, unless more members follow.
			if end := i + 3; next == "->" && end < len(value) && (value[end].Text == "->" || value[end].Text == "[") {
				return place{unknown: true}
			}
			if next == "[" {
				if i = patchscan.Closing(value, i+1); i+1 < len(value) && (value[i+1].Text == "->" || value[i+1].Text == ".") {
					return place{unknown: true}
				}
			} else {
				i += 2
			}
			out.add(fl.variable(t.Text, at, l))
		case t.Text == strings.ToUpper(t.Text): // a constant
		default:
			p := fl.variable(t.Text, at, l)
			if p.unknown && len(p.sites) == 0 {
				vague = true
				continue
			}
			out.add(p)
		}
	}
	if len(out.sites) > 0 && !out.unknown {
		return place{sites: out.sites} // what is added to an allocation's address is an offset
	}
	out.unknown = out.unknown || vague
	return out
}

// variable is the place of the address in a variable: of all that the function
// assigns to it.
func (fl *flow) variable(name string, at int, l *lookup) place {
	out := place{sites: map[patchscan.Token]bool{}}
	if l.asked[name] {
		return out
	}
	if l.left--; l.left < 0 {
		return place{unknown: true}
	}
	l.asked[name] = true
	defer delete(l.asked, name)
	always := false // it has one of the values that are seen
	if fl.Whole {
		for _, p := range fl.params() {
			if p == name {
				always, out.outside = true, true
			}
		}
	}
	for i := range fl.assigns {
		if a := &fl.assigns[i]; a.Name == name && !a.Deref {
			always = always || a.Op == "=" && fl.Always(a.At, at)
			p := fl.address(a.Value, at, l)
			if a.Op != "=" && len(p.sites) == 0 {
				continue // an offset
			}
			out.add(p)
		}
	}
	out.unknown = out.unknown || !always || fl.setElsewhere(name)
	return out
}

// setElsewhere reports whether the function may set a variable in other ways than
// by an assignment: through its address, or by a macro.
func (fl *flow) setElsewhere(name string) bool {
	for i := max(fl.Body, 1); i+1 < len(fl.Tokens); i++ {
		if fl.Tokens[i].Text != name || fl.Tokens[i-1].Text != "&" || binary(fl.Tokens, i-1) && fl.Tokens[i-2].Text != ")" {
			continue
		}
		switch fl.Tokens[i+1].Text {
		case "->", ".", "[":
		default:
			return true
		}
	}
	for _, c := range fl.calls {
		if c.Name == "swap" || strings.Contains(c.Name, "for_each") {
			for _, arg := range c.Args {
				if mentions(arg, map[string]bool{name: true}) {
					return true
				}
			}
		}
	}
	return false
}
