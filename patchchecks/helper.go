package patchchecks

import (
	"slices"

	"github.com/ftlint/ftlint/patchscan"
)

// link gives each function the functions of the series and of the tree, so that rules
// can follow a call into them, and has calls of functions of the tree stand for what
// these do with the permissions of a parameter.
func (series *Series) link() {
	byName := map[string][]*flow{}
	var own []*flow
	for _, s := range series.Files {
		for _, fl := range s.Flows {
			if fl.NameAt >= 0 {
				byName[fl.Name] = append(byName[fl.Name], fl)
			}
			own = append(own, fl)
			fl.helpers = byName
		}
	}
	for range 2 { // a helper of a helper
		for _, fl := range own {
			fl.followPermissions()
		}
	}
}

// fromTree reports whether the function is one of the tree that no patch changes.
func (fl *flow) fromTree() bool {
	return fl.NameAt >= 0 && fl.src.In.FromTree(&fl.src.Lines[fl.Tokens[fl.NameAt].Line]) && !slices.ContainsFunc(fl.Tokens, fl.src.Added)
}

// followPermissions adds to the calls those of set_memory_*() that a helper in the
// tree does on an argument, as calls at the same place.
func (fl *flow) followPermissions() {
	var more []patchscan.Call
	for _, c := range fl.calls {
		for _, helper := range fl.helpers[c.Name] {
			if helper == fl || !helper.fromTree() {
				continue
			}
			for i, p := range helper.params() {
				name := helper.permission(p)
				if name == "" || i >= len(c.Args) || slices.ContainsFunc(fl.calls, func(o patchscan.Call) bool { return o.At == c.At && o.Name == name }) {
					continue
				}
				more = append(more, patchscan.Call{Name: name, At: c.At, End: c.End, Args: [][]patchscan.Token{c.Args[i]}})
			}
		}
	}
	if len(more) > 0 {
		fl.calls = append(slices.Clip(fl.calls), more...)
		slices.SortStableFunc(fl.calls, func(a, b patchscan.Call) int { return a.At - b.At })
	}
}

// permission is what the function makes of the memory that a parameter points to, as
// the name of one call; "" if nothing.
func (fl *flow) permission(param string) string {
	if param == "" {
		return ""
	}
	last, readOnly := "", false
	for _, c := range fl.calls {
		switch c.Name {
		case "set_memory_ro", "set_memory_rw", "set_memory_rox", "set_memory_x", "set_memory_nx":
		default:
			continue
		}
		if len(c.Args) == 0 || !fl.origins(c.Args[0], c.At)[param] {
			continue
		}
		switch {
		case c.Name == "set_memory_x" && readOnly:
			last = "set_memory_rox"
		default:
			last = c.Name
		}
		readOnly = c.Name == "set_memory_ro" || c.Name == "set_memory_rox" || readOnly && c.Name != "set_memory_rw"
	}
	return last
}

// helper reports whether a function that is called with one of the names is one that
// does something.
func (fl *flow) helper(c patchscan.Call, names map[string]bool, does func(*flow) bool) bool {
	if fl.asking { // functions that call each other
		return false
	}
	fl.asking = true
	defer func() { fl.asking = false }()
	return slices.ContainsFunc(c.Args, func(arg []patchscan.Token) bool { return mentions(arg, names) }) &&
		slices.ContainsFunc(fl.helpers[c.Name], func(g *flow) bool { return g != fl && does(g) })
}

// decides reports whether the call at a token is a condition: if (!f(x)).
func (fl *flow) decides(at int) bool {
	for i := at - 1; i >= fl.Body; i-- {
		switch fl.Tokens[i].Text {
		case "(", "!", "likely", "unlikely":
		case "if", "while", "&&", "||", "WARN_ON", "WARN_ON_ONCE":
			return true
		default:
			return false
		}
	}
	return false
}

// readsParameter reports whether the function reads or compares the instruction at
// an address that it is given.
func (fl *flow) readsParameter() bool {
	for _, p := range fl.params() {
		if p != "" && fl.reads([]patchscan.Token{{Kind: patchscan.Ident, Text: p}}, len(fl.Tokens)) {
			return true
		}
	}
	return false
}

// testsParameter reports whether the function tests the range of what it is given.
func (fl *flow) testsParameter() bool {
	names := map[string]bool{}
	for _, p := range fl.params() {
		names[p] = p != ""
	}
	for name := range fl.derived(func(v []patchscan.Token) bool { return mentions(v, names) }) {
		names[name] = true
	}
	for i := max(fl.Body, 1); i < len(fl.Tokens); i++ {
		switch fl.Tokens[i].Text {
		case "<", ">", "<=", ">=":
			if fl.compares(i, names) {
				return true
			}
		}
	}
	return slices.ContainsFunc(fl.calls, func(c patchscan.Call) bool {
		return rangeTest.MatchString(c.Name) && slices.ContainsFunc(c.Args, func(arg []patchscan.Token) bool { return mentions(arg, names) })
	})
}

// givesPLT reports whether what the function returns, or stores through a pointer,
// comes from a PLT.
func (fl *flow) givesPLT() bool {
	from := func(value []patchscan.Token, at int) bool {
		for name := range fl.origins(value, at) {
			if isPLT(name) {
				return true
			}
		}
		return false
	}
	return slices.ContainsFunc(fl.returns, func(r patchscan.Return) bool { return from(r.Value, r.At) }) ||
		slices.ContainsFunc(fl.assigns, func(a patchscan.Assign) bool { return a.Deref && from(a.Value, a.At) })
}
