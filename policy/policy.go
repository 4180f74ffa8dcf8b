package policy

import (
	"cmp"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/rules"
)

// A Policy says which findings do not count: they are neither shown nor make a
// run fail, and are counted apart.
type Policy struct {
	Dir      string  // that patterns of paths are relative to
	Ignore   []Value // patterns of paths
	Suppress []finding.Suppression
	Baseline *Baseline // nil: none
	// Record has all findings that are not suppressed be known: they are to be
	// written to a baseline.
	Record bool
}

// Ignored is why a finding at an ignored path does not count.
const Ignored = "paths ignored"

// New is the policy of a setup; nil if all findings count.
func New(s *Setup, b *Baseline, record bool) *Policy {
	if len(s.Ignore)+len(s.Suppress) == 0 && b == nil && !record {
		return nil
	}
	return &Policy{Dir: s.Dir(), Ignore: slices.Clone(s.Ignore), Suppress: slices.Clone(s.Suppress), Baseline: b, Record: record}
}

// A Sieve finds out which of the findings about one input count. A nil Sieve
// lets all of them pass.
type Sieve struct {
	policy *Policy
	input  string                   // its path
	seen   map[finding.Identity]int // findings, suppressed or not
	asked  map[finding.Identity]int // of them, those that are not suppressed
}

// Sieve is the policy's verdict on findings about the input at a path.
func (p *Policy) Sieve(input string) *Sieve {
	if p == nil {
		return nil
	}
	return &Sieve{p, input, map[finding.Identity]int{}, map[finding.Identity]int{}}
}

// AsksPaths reports whether the verdict on findings of the rule depends on where
// in the source they are.
func (s *Sieve) AsksPaths(rule rules.Rule) bool {
	return s != nil && (len(s.policy.Ignore) > 0 || slices.ContainsFunc(s.policy.Suppress, func(sup finding.Suppression) bool {
		return sup.Path != "" && fits(sup.Rule, rule) > 0
	}))
}

// Pass reports whether the finding counts, and marks it if not. A suppression goes
// before the baseline: what is known for a reason needs no entry.
func (s *Sieve) Pass(f *finding.Finding) bool {
	if s == nil {
		return true
	}
	s.seen[f.Identity]++
	for i := range s.policy.Ignore {
		if s.at(f, s.policy.Ignore[i].Text) {
			f.SuppressedBy = &finding.Suppression{Rule: f.Rule.ID, Reason: Ignored, From: s.policy.Ignore[i].From}
			return false
		}
	}
	for i := range s.policy.Suppress {
		if sup := &s.policy.Suppress[i]; s.suppresses(sup, f) {
			f.SuppressedBy = sup
			return false
		}
	}
	s.asked[f.Identity]++
	if s.policy.Record || s.policy.Baseline != nil && s.asked[f.Identity] <= s.policy.Baseline.count(f.Identity) {
		f.Known = true
		return false
	}
	return true
}

func (s *Sieve) suppresses(sup *finding.Suppression, f *finding.Finding) bool {
	return fits(sup.Rule, f.Rule) > 0 &&
		matches(sup.Object, f.Identity.Object) &&
		matches(sup.Symbol, f.Identity.Symbol) &&
		(sup.Path == "" || s.at(f, sup.Path)) &&
		contains(sup.Text, f.Insn, f.Source, f.Identity.Text)
}

// at reports whether the finding, or its input, is at the pattern of paths.
func (s *Sieve) at(f *finding.Finding, pattern string) bool {
	return s.policy.matchPath(pattern, f.Path) || s.policy.matchPath(pattern, f.Identity.Object) || s.policy.matchPath(pattern, f.Patched.Path) || s.policy.matchInput(pattern, s.input)
}

// IgnoresInput reports whether the path of an input is one of those ignored.
func (p *Policy) IgnoresInput(path string) bool {
	return p != nil && slices.ContainsFunc(p.Ignore, func(v Value) bool { return p.matchInput(v.Text, path) })
}

// matchInput matches the path as it was named, or as seen from Dir.
func (p *Policy) matchInput(pattern, path string) bool {
	if p.matchPath(pattern, path) {
		return true
	}
	abs, err := filepath.Abs(path)
	return err == nil && p.matchPath(pattern, abs)
}

// matchPath matches a path: as it is and, if it is absolute and below Dir, as
// seen from there. A pattern that fits a folder fits what is in it; one without
// a slash fits a file or folder of that name wherever it is.
func (p *Policy) matchPath(pattern, name string) bool {
	if name == "" {
		return false
	}
	if filepath.IsAbs(name) {
		if dir, err := filepath.Abs(p.Dir); err == nil {
			if rel, err := filepath.Rel(dir, name); err == nil && filepath.IsLocal(rel) && p.matchPath(pattern, rel) {
				return true
			}
		}
	}
	name = path.Clean(filepath.ToSlash(name))
	pattern = path.Clean(pattern)
	for ; name != "." && name != "/"; name = path.Dir(name) {
		part := name
		if !strings.Contains(pattern, "/") {
			part = path.Base(name)
		}
		if matches(pattern, part) {
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

// contains reports whether one of the texts contains what is wanted, white space
// aside.
func contains(want string, texts ...string) bool {
	want = finding.OneBlank(want)
	return want == "" || slices.ContainsFunc(texts, func(text string) bool {
		return strings.Contains(finding.OneBlank(text), want)
	})
}

// count is how many findings of an identity are known.
func (b *Baseline) count(id finding.Identity) int {
	i, ok := slices.BinarySearchFunc(b.entries[about{id.Rule, id.Object}], finding.Entry{Identity: id}, compareEntries)
	if !ok {
		return 0
	}
	return b.entries[about{id.Rule, id.Object}][i].Count
}

// fixed are the entries about the rule in the object of which the input has no
// finding any more, or fewer.
func (s *Sieve) fixed(run *finding.RuleRun, object string) (out []finding.Entry) {
	if s == nil || s.policy.Baseline == nil || run.Status != finding.Judged {
		return nil // no verdict
	}
	for _, e := range s.policy.Baseline.entries[about{run.Rule.ID, object}] {
		if n := e.Count - s.seen[e.Identity]; n > 0 {
			out = append(out, finding.Entry{Identity: e.Identity, Count: n})
		}
	}
	return out
}

// Settle counts in run and res what the rule found that does not count, and
// what it does not find any more in the object; "" for an object that was not
// judged in full.
func (s *Sieve) Settle(res *finding.Result, run *finding.RuleRun, quiet []finding.Finding, object string) {
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
func (p *Policy) Unused(results []*finding.Result) (unused []finding.Suppression) {
	if p == nil {
		return nil
	}
	used := map[*finding.Suppression]bool{}
	for _, res := range results {
		for i := range res.Quiet {
			used[res.Quiet[i].SuppressedBy] = true
		}
	}
	for i := range p.Suppress {
		sup := &p.Suppress[i]
		if !used[sup] && slices.ContainsFunc(results, func(res *finding.Result) bool { return judged(sup, res) }) {
			unused = append(unused, *sup)
		}
	}
	return unused
}

// judged reports whether the subject of the suppression was judged in the
// result.
func judged(sup *finding.Suppression, res *finding.Result) bool {
	if res.Image == nil || res.Partial || !matches(cmp.Or(sup.Object, "vmlinux"), res.Image.Object) {
		return false
	}
	return slices.ContainsFunc(res.Rules, func(r finding.RuleRun) bool {
		return fits(sup.Rule, r.Rule) > 0 && r.Status == finding.Judged
	})
}
