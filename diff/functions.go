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
	Unknown    []Use // one of the kernels does not say, and the other does
}

// Gone reports whether the new kernel has no function of the name: it was removed, or
// each call of it was inlined.
func (f *Function) Gone() bool { return len(f.New) == 0 }

// A Use is a use of N functions of a name that was lost, that came, or of which one of
// the kernels does not say whether it is possible.
type Use struct {
	tracing.Use
	N   int
	Why tracing.Answer // of one that cannot be used; the zero Answer if the kernel has no such function
	New bool           // of Unknown: it is the new kernel that does not say
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
			// What is not known may be possible: nothing is lost or has come that way.
			o, sources1 := count(f.Old, use, tracing.Answer.OK)
			n, sources2 := count(f.New, use, tracing.Answer.OK)
			most1, mostSources1 := count(f.Old, use, possible)
			most2, mostSources2 := count(f.New, use, possible)
			switch {
			case o > most2 && sources1 > mostSources2:
				f.Lost = append(f.Lost, Use{Use: use, N: sources1 - mostSources2, Why: refused(f.New, use, tracing.Answer.OK)})
			case n > most1 && sources2 > mostSources1:
				f.Came = append(f.Came, Use{Use: use, N: sources2 - mostSources1, Why: refused(f.Old, use, tracing.Answer.OK)})
			case len(f.Old) == 0 || len(f.New) == 0 || most1-o == most2-n:
			case most2 > n:
				f.Unknown = append(f.Unknown, Use{Use: use, N: mostSources2 - sources2, Why: refused(f.New, use, known), New: true})
			default:
				f.Unknown = append(f.Unknown, Use{Use: use, N: mostSources1 - sources1, Why: refused(f.Old, use, known)})
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		if f := byName[name]; len(f.Lost)+len(f.Came)+len(f.Unknown) > 0 {
			list = append(list, *f)
		}
	}
	return list
}

// known reports whether the kernel says whether a use is possible.
func known(a tracing.Answer) bool { return a.Why != tracing.Unknown }

// possible reports whether a use is possible, as far as the kernel says.
func possible(a tracing.Answer) bool { return a.OK() || !known(a) }

// count is how many of the functions have such an answer. sources is how many functions of the
// source these are at least: a compiler may make several of one (foo, foo.constprop.0),
// and these have other suffixes.
func count(list []*tracing.Function, use tracing.Use, such func(tracing.Answer) bool) (n, sources int) {
	named := map[string]int{}
	for _, f := range list {
		if such(f.Answer(use)) {
			n++
			named[f.Name]++
			sources = max(sources, named[f.Name])
		}
	}
	return n, sources
}

// refused is the answer of the first function that does not have such an answer.
func refused(list []*tracing.Function, use tracing.Use, such func(tracing.Answer) bool) tracing.Answer {
	for _, f := range list {
		if a := f.Answer(use); !such(a) {
			return a
		}
	}
	return tracing.Answer{}
}
