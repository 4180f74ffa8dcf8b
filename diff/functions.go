package diff

import (
	"maps"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/tracing"
)

// A Function is a name whose functions can be used otherwise than before. What the
// compiler made of a function (foo.isra.0, foo.constprop.0) has the function's name.
// Parts of functions (foo.cold, foo.part.0) are not functions here.
type Function struct {
	Name       string
	Old, New   []*tracing.Function // several if several files have a function of the name
	Lost, Came []Use
}

// Gone reports whether the new kernel has no function of the name: it was removed, or
// each call of it was inlined.
func (f *Function) Gone() bool { return len(f.New) == 0 }

// A Use is a use of N functions of a name that was lost, or that came.
type Use struct {
	tracing.Use
	N   int
	Why tracing.Answer // of one that cannot be used; the zero Answer if the kernel has no such function
}

// functions compares functions by name. Of a use that one of the kernels has no means
// for nothing is said: that is a capability.
func functions(old, new *tracing.Kernel) (list []Function) {
	var uses []tracing.Use
	for _, use := range tracing.Uses {
		if old.Can(use) && new.Can(use) {
			uses = append(uses, use)
		}
	}
	byName := map[string]*Function{}
	gather := func(k *tracing.Kernel, of func(*Function) *[]*tracing.Function) {
		for i := range k.Functions {
			f := &k.Functions[i]
			name, suffix, _ := strings.Cut(f.Name, ".")
			if name == "" || strings.Contains("."+suffix, ".cold") || strings.Contains("."+suffix, ".part.") {
				continue
			}
			named := byName[name]
			if named == nil {
				named = &Function{Name: name}
				byName[name] = named
			}
			*of(named) = append(*of(named), f)
		}
	}
	gather(old, func(f *Function) *[]*tracing.Function { return &f.Old })
	gather(new, func(f *Function) *[]*tracing.Function { return &f.New })
	for _, f := range byName {
		for _, use := range uses {
			o, sources1 := count(f.Old, use)
			n, sources2 := count(f.New, use)
			switch {
			case o > n && sources1 > sources2:
				f.Lost = append(f.Lost, Use{use, sources1 - sources2, refused(f.New, use)})
			case n > o && sources2 > sources1:
				f.Came = append(f.Came, Use{use, sources2 - sources1, refused(f.Old, use)})
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		if f := byName[name]; len(f.Lost)+len(f.Came) > 0 {
			list = append(list, *f)
		}
	}
	return list
}

// count is how many of the functions can be used. sources is how many functions of the
// source these are at least: a compiler may make several of one (foo, foo.constprop.0),
// and these have other suffixes.
func count(list []*tracing.Function, use tracing.Use) (n, sources int) {
	named := map[string]int{}
	for _, f := range list {
		if f.Answer(use).OK() {
			n++
			named[f.Name]++
			sources = max(sources, named[f.Name])
		}
	}
	return n, sources
}

// refused is the answer of the first function that cannot be used.
func refused(list []*tracing.Function, use tracing.Use) tracing.Answer {
	for _, f := range list {
		if a := f.Answer(use); !a.OK() {
			return a
		}
	}
	return tracing.Answer{}
}
