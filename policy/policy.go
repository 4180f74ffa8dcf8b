package policy

import (
	"cmp"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/rules"
)

// A Policy says which findings do not count. Those findings are not shown, do not
// make a run fail, and have counters of their own.
type Policy struct {
	Dir      string  // the folder that patterns of paths are relative to
	Ignore   []Value // patterns of paths
	Suppress []finding.Suppression
	Baseline *Baseline // nil: none
	// Record makes all findings known that are not suppressed, because they will
	// be written to a baseline.
	Record bool
}

// Ignored is the reason of a suppression that ignored paths make.
const Ignored = "paths ignored"

// New returns the policy of a setup; nil if all findings count.
func New(s *Setup, b *Baseline, record bool) *Policy {
	if len(s.Ignore)+len(s.Suppress) == 0 && b == nil && !record {
		return nil
	}
	return &Policy{Dir: s.Dir(), Ignore: slices.Clone(s.Ignore), Suppress: slices.Clone(s.Suppress), Baseline: b, Record: record}
}

// A Sieve decides which findings about one input count. A nil Sieve lets all
// findings pass.
type Sieve struct {
	policy *Policy
	lines  []*regexp.Regexp         // of the policy's suppressions; nil: fits all lines
	input  string                   // its path
	seen   map[finding.Identity]int // findings, suppressed or not
	asked  map[finding.Identity]int // findings that are not suppressed
}

// Sieve returns a sieve for the findings about the input at a path.
func (p *Policy) Sieve(input string) *Sieve {
	if p == nil {
		return nil
	}
	s := &Sieve{policy: p, input: input, seen: map[finding.Identity]int{}, asked: map[finding.Identity]int{}, lines: make([]*regexp.Regexp, len(p.Suppress))}
	for i := range p.Suppress {
		if expr := p.Suppress[i].Line; expr != "" {
			s.lines[i] = regexp.MustCompile(expr) // the setup has checked it
		}
	}
	return s
}

// AsksPlaces reports whether the verdict on findings of the rule depends on their
// source paths or lines.
func (s *Sieve) AsksPlaces(rule rules.Rule) bool {
	return s != nil && (len(s.policy.Ignore) > 0 || slices.ContainsFunc(s.policy.Suppress, func(sup finding.Suppression) bool {
		return sup.Path+sup.Line != "" && fits(sup.Rule, rule) > 0
	}))
}

// Pass reports whether the finding counts, and marks a finding that does not.
// Suppressions go before the baseline: a suppressed finding needs no entry.
func (s *Sieve) Pass(f *finding.Finding) bool {
	if s == nil {
		return true
	}
	s.seen[f.Identity]++
	older := f.Identity // as an entry without a headline has it
	older.Headline = ""
	if older != f.Identity {
		s.seen[older]++
	}
	for i := range s.policy.Ignore {
		if s.at(f, s.policy.Ignore[i].Text) {
			f.SuppressedBy = &finding.Suppression{Rule: f.Rule.ID, Reason: Ignored, From: s.policy.Ignore[i].From}
			return false
		}
	}
	for i := range s.policy.Suppress {
		if sup := &s.policy.Suppress[i]; s.suppresses(sup, s.lines[i], f) {
			f.SuppressedBy = sup
			return false
		}
	}
	if s.policy.Record || s.known(f.Identity) || older != f.Identity && s.known(older) {
		f.Known = true
		return false
	}
	return true
}

// known counts a finding of the identity, and reports whether the baseline has so
// many.
func (s *Sieve) known(id finding.Identity) bool {
	s.asked[id]++
	return s.policy.Baseline != nil && s.asked[id] <= s.policy.Baseline.count(id)
}

func (s *Sieve) suppresses(sup *finding.Suppression, line *regexp.Regexp, f *finding.Finding) bool {
	return fits(sup.Rule, f.Rule) > 0 &&
		matches(sup.Object, f.Identity.Object) &&
		matches(sup.Symbol, f.Identity.Symbol) &&
		(sup.Path == "" || s.at(f, sup.Path)) &&
		contains(sup.Text, f.Insn, f.Source, f.Identity.Text) &&
		(line == nil || line.MatchString(f.TextLine()))
}

// at reports whether the finding, or its input, is at the pattern of paths.
func (s *Sieve) at(f *finding.Finding, pattern string) bool {
	p := s.policy
	return p.matchPath(pattern, f.Path) || p.matchPath(pattern, f.Identity.Object) ||
		p.matchPath(pattern, f.Patched.Path) || p.matchInput(pattern, s.input)
}

// IgnoresInput reports whether the policy ignores the path of an input.
func (p *Policy) IgnoresInput(path string) bool {
	return p != nil && slices.ContainsFunc(p.Ignore, func(v Value) bool { return p.matchInput(v.Text, path) })
}

// matchInput reports whether the path of an input, as named or as seen from Dir,
// fits the pattern.
func (p *Policy) matchInput(pattern, path string) bool {
	if p.matchPath(pattern, path) {
		return true
	}
	abs, err := filepath.Abs(path)
	return err == nil && p.matchPath(pattern, abs)
}

// matchPath reports whether a path fits the pattern. A path that is absolute and
// below Dir is also matched relative to Dir. A pattern that fits a folder fits
// all files in the folder. A pattern without a slash fits a file or folder of
// that name anywhere.
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

// matches reports whether the text fits the pattern; "" fits all texts.
func matches(pattern, text string) bool {
	ok, _ := doublestar.Match(pattern, text)
	return pattern == "" || ok
}

// contains reports whether one of the texts contains want. Runs of white space
// count as one blank.
func contains(want string, texts ...string) bool {
	want = finding.OneBlank(want)
	return want == "" || slices.ContainsFunc(texts, func(text string) bool {
		return strings.Contains(finding.OneBlank(text), want)
	})
}

// count returns the number of known findings of an identity.
func (b *Baseline) count(id finding.Identity) int {
	i, ok := slices.BinarySearchFunc(b.entries[about{id.Rule, id.Object}], finding.Entry{Identity: id}, compareEntries)
	if !ok {
		return 0
	}
	return b.entries[about{id.Rule, id.Object}][i].Count
}

// fixed returns the entries about the rule in the object that count more findings
// than the input has, with the difference as their count.
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

// Settle adds the findings that do not count to res and to the counters of run,
// and with them the entries of the baseline that are fixed. The object is "" if
// it was not judged in full: no entry is fixed then.
func (s *Sieve) Settle(res *finding.Result, run *finding.RuleRun, uncounted []finding.Finding, object string) {
	for i := range uncounted {
		if uncounted[i].Known {
			run.Known++
		} else {
			run.Suppressed++
		}
	}
	res.Uncounted = append(res.Uncounted, uncounted...)
	if object != "" {
		fixed := s.fixed(run, object)
		for _, e := range fixed {
			run.Fixed += e.Count
		}
		res.Fixed = append(res.Fixed, fixed...)
	}
}

// Unused returns the suppressions that fit no finding, although their rules came
// to a verdict on their object. A suppression without an object is taken to be
// about a kernel image.
func (p *Policy) Unused(results []*finding.Result) (unused []finding.Suppression) {
	if p == nil {
		return nil
	}
	used := map[*finding.Suppression]bool{}
	for _, res := range results {
		for i := range res.Uncounted {
			used[res.Uncounted[i].SuppressedBy] = true
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

// judged reports whether a rule of the suppression came to a verdict on its
// object in the result.
func judged(sup *finding.Suppression, res *finding.Result) bool {
	if res.Image == nil || res.Partial || !matches(cmp.Or(sup.Object, "vmlinux"), res.Image.Object) {
		return false
	}
	return slices.ContainsFunc(res.Rules, func(r finding.RuleRun) bool {
		return fits(sup.Rule, r.Rule) > 0 && r.Status == finding.Judged
	})
}
