package tracing

import (
	"path"
	"slices"
	"strings"
)

// A Listed function is one of the kernel image, or of a module.
type Listed struct {
	Module string // its name; "" for the kernel image
	*Function
}

// Select are the functions whose names are among the names, in the order of the list;
// all if there are no names. A name may be a pattern (vfs_*), with * and ? and [ab] as
// in a shell. A plain name also selects what the compiler has made of the function:
// foo.isra.0. missing are the names that select nothing.
func Select(all []Listed, names []string) (some []Listed, missing []string) {
	if len(names) == 0 {
		return all, nil
	}
	plain := map[string]bool{}
	var patterns []string
	for _, name := range names {
		if strings.ContainsAny(name, "*?[") {
			patterns = append(patterns, name)
		} else {
			plain[name] = true
		}
	}
	seen := map[string]bool{}
	for _, f := range all {
		base, _, _ := strings.Cut(f.Name, ".")
		take := plain[f.Name] || plain[base]
		seen[f.Name], seen[base] = true, true
		for _, p := range patterns {
			if ok, _ := path.Match(p, f.Name); ok {
				take, seen[p] = true, true
			}
		}
		if take {
			some = append(some, f)
		}
	}
	return some, slices.DeleteFunc(slices.Clone(names), func(name string) bool { return seen[name] })
}
