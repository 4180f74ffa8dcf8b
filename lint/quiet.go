package lint

import (
	"cmp"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/ftlint/ftlint/rules"
)

// Quiet says which findings do not count: they are neither shown nor make a run
// fail, and are counted apart.
type Quiet struct {
	Dir      string  // that patterns of paths are relative to
	Ignore   []Value // patterns of paths
	Suppress []Suppression
	Baseline *Baseline // nil: none
	// Record has all findings that are not suppressed be known: they are to be
	// written to a baseline.
	Record bool
}

// Ignored is why a finding at an ignored path does not count.
const Ignored = "paths ignored"

// NewQuiet is what a setup says about findings; nil if that is nothing.
func NewQuiet(s *Setup, b *Baseline, record bool) *Quiet {
	if len(s.Ignore)+len(s.Suppress) == 0 && b == nil && !record {
		return nil
	}
	return &Quiet{Dir: s.Dir(), Ignore: slices.Clone(s.Ignore), Suppress: slices.Clone(s.Suppress), Baseline: b, Record: record}
}

// A sieve tells which of the findings about one input count.
type sieve struct {
	quiet *Quiet
	input string           // its path
	seen  map[Identity]int // findings, suppressed or not
	asked map[Identity]int // of them, those that are not suppressed
}

func (q *Quiet) sieve(input string) *sieve {
	if q == nil {
		return nil
	}
	return &sieve{q, input, map[Identity]int{}, map[Identity]int{}}
}

// asksPaths tells whether the verdict on findings of the rule depends on where
// in the source they are.
func (s *sieve) asksPaths(rule rules.Rule) bool {
	return s != nil && (len(s.quiet.Ignore) > 0 || slices.ContainsFunc(s.quiet.Suppress, func(sup Suppression) bool {
		return sup.Path != "" && fits(sup.Rule, rule) > 0
	}))
}

// pass tells whether the finding counts, and marks it if not. A suppression goes
// before the baseline: what is known for a reason needs no entry.
func (s *sieve) pass(f *Finding) bool {
	if s == nil {
		return true
	}
	s.seen[f.Identity]++
	for i := range s.quiet.Ignore {
		if s.at(f, s.quiet.Ignore[i].Text) {
			f.SuppressedBy = &Suppression{Rule: f.Rule.ID, Reason: Ignored, From: s.quiet.Ignore[i].From}
			return false
		}
	}
	for i := range s.quiet.Suppress {
		if sup := &s.quiet.Suppress[i]; s.suppresses(sup, f) {
			f.SuppressedBy = sup
			return false
		}
	}
	s.asked[f.Identity]++
	if s.quiet.Record || s.quiet.Baseline != nil && s.asked[f.Identity] <= s.quiet.Baseline.count(f.Identity) {
		f.Known = true
		return false
	}
	return true
}

func (s *sieve) suppresses(sup *Suppression, f *Finding) bool {
	return fits(sup.Rule, f.Rule) > 0 &&
		matches(sup.Object, f.Identity.Object) &&
		matches(sup.Symbol, f.Identity.Symbol) &&
		(sup.Path == "" || s.at(f, sup.Path)) &&
		contains(sup.Text, f.Insn, f.Source, f.Identity.Text)
}

// at tells whether the finding, or its input, is at the pattern of paths.
func (s *sieve) at(f *Finding, pattern string) bool {
	return s.quiet.matchPath(pattern, f.Path) || s.quiet.matchPath(pattern, f.Identity.Object) || s.quiet.matchPath(pattern, f.Patched.Path) || s.quiet.matchInput(pattern, s.input)
}

// IgnoresInput tells whether the path of an input is one of those ignored.
func (q *Quiet) IgnoresInput(path string) bool {
	return q != nil && slices.ContainsFunc(q.Ignore, func(v Value) bool { return q.matchInput(v.Text, path) })
}

// matchInput matches the path as it was named, or as seen from Dir.
func (q *Quiet) matchInput(pattern, path string) bool {
	if q.matchPath(pattern, path) {
		return true
	}
	abs, err := filepath.Abs(path)
	return err == nil && q.matchPath(pattern, abs)
}

// matchPath matches a path: as it is and, if it is absolute and below Dir, as
// seen from there. A pattern that fits a folder fits what is in it; one without
// a slash fits a file or folder of that name wherever it is.
func (q *Quiet) matchPath(pattern, p string) bool {
	if p == "" {
		return false
	}
	if filepath.IsAbs(p) {
		if dir, err := filepath.Abs(q.Dir); err == nil {
			if rel, err := filepath.Rel(dir, p); err == nil && filepath.IsLocal(rel) && q.matchPath(pattern, rel) {
				return true
			}
		}
	}
	p = path.Clean(filepath.ToSlash(p))
	pattern = path.Clean(pattern)
	for ; p != "." && p != "/"; p = path.Dir(p) {
		name := p
		if !strings.Contains(pattern, "/") {
			name = path.Base(p)
		}
		if matches(pattern, name) {
			return true
		}
	}
	return false
}

// matches matches a text with a pattern; "" fits all.
func matches(pattern, text string) bool {
	ok, _ := doublestar.Match(pattern, text)
	return pattern == "" || ok
}

// contains tells whether one of the texts contains what is wanted, white space
// aside.
func contains(want string, texts ...string) bool {
	want = spaces.ReplaceAllString(want, " ")
	return want == "" || slices.ContainsFunc(texts, func(text string) bool {
		return strings.Contains(spaces.ReplaceAllString(text, " "), want)
	})
}

// count is how many findings of an identity are known.
func (b *Baseline) count(id Identity) int {
	i, ok := slices.BinarySearchFunc(b.entries[about{id.Rule, id.Object}], Entry{Identity: id}, compareEntries)
	if !ok {
		return 0
	}
	return b.entries[about{id.Rule, id.Object}][i].Count
}

// fixed are the entries about the rule in the object of which the input has no
// finding any more, or fewer.
func (s *sieve) fixed(run *RuleRun, object string) (out []Entry) {
	if s == nil || s.quiet.Baseline == nil || run.Inconclusive != "" || run.NotApplicable != "" {
		return nil // no verdict
	}
	for _, e := range s.quiet.Baseline.entries[about{run.Rule.ID, object}] {
		if n := e.Count - s.seen[e.Identity]; n > 0 {
			out = append(out, Entry{e.Identity, n})
		}
	}
	return out
}

// settle counts what the rule found that does not count, and what it does not
// find any more in the object; "" for one that was not judged in full.
func (res *Result) settle(s *sieve, run *RuleRun, quiet []Finding, object string) {
	for i := range quiet {
		if quiet[i].Known {
			run.Known++
		} else {
			run.Suppressed++
		}
	}
	res.Quiet = append(res.Quiet, quiet...)
	if object != "" {
		fixed := s.fixed(run, object)
		for _, e := range fixed {
			run.Fixed += e.Count
		}
		res.Fixed = append(res.Fixed, fixed...)
	}
}

// Unused are the suppressions that fit no finding of the results, though their
// rules came to a verdict on what they are about: of those that name no object,
// on a kernel image.
func (q *Quiet) Unused(results []*Result) (unused []Suppression) {
	if q == nil {
		return nil
	}
	used := map[*Suppression]bool{}
	for _, res := range results {
		for i := range res.Quiet {
			used[res.Quiet[i].SuppressedBy] = true
		}
	}
	for i := range q.Suppress {
		sup := &q.Suppress[i]
		if !used[sup] && slices.ContainsFunc(results, sup.judged) {
			unused = append(unused, *sup)
		}
	}
	return unused
}

// judged tells whether what the suppression is about was judged in the result.
func (sup *Suppression) judged(res *Result) bool {
	if res.Image == nil || res.partial {
		return false
	}
	object := "vmlinux"
	if res.Image.Module != nil {
		object = Identity{Object: res.Image.Module.Name}.valid().Object
	}
	if !matches(cmp.Or(sup.Object, "vmlinux"), object) {
		return false
	}
	return slices.ContainsFunc(res.Rules, func(r RuleRun) bool {
		return fits(sup.Rule, r.Rule) > 0 && r.Inconclusive == "" && r.NotApplicable == ""
	})
}
