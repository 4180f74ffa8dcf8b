package lint

import (
	"cmp"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/policy"
	"github.com/ftlint/ftlint/rules"
)

// A subject is an input that was judged. It makes findings of diagnostics about
// that input.
type subject interface {
	// compare orders diagnostics of one rule. If there are too many, the first are
	// kept.
	compare(a, b analysis.Diagnostic) int
	// finding makes the finding of a diagnostic, without the parts that take long.
	finding(rule rules.Rule, d analysis.Diagnostic) finding.Finding
	// locate fills in the source position of the finding.
	locate(f *finding.Finding, d analysis.Diagnostic)
	// relate fills in the other places that the finding names.
	relate(f *finding.Finding, d analysis.Diagnostic)
	// object returns the name of the subject in entries of a baseline; "" if the
	// input may be only a part of the object.
	object() string
}

// gather turns the actions of the analyzers in list into the result.
func (d *driver) gather(res *finding.Result, r *runner, list []*analysis.Analyzer, s subject) {
	res.ConfigFile = d.ConfigFile
	sieve := d.Policy.Sieve(res.Path)
	object := s.object()
	if res.Partial {
		object = ""
	}
	seen := map[string]bool{}
	for _, a := range list {
		act := r.actions[a]
		run := finding.RuleRun{Rule: d.rule(a)}
		if o, ok := act.result.(outcome); ok {
			run.Outcome = o.Outcome()
			switch _, chosen := d.Severity[run.Rule.ID]; {
			case chosen:
			case run.Harmless:
				run.Rule.Severity = min(run.Rule.Severity, rules.Note)
			case run.Grave:
				run.Rule.Severity = rules.Error
			}
		}
		if err := act.err; err != nil {
			run.Status, run.Why = finding.Inconclusive, err
			if !seen[err.Error()] {
				seen[err.Error()] = true
				res.Errors = append(res.Errors, withPath(res.Path, err))
			}
		}
		uncounted := d.sift(res, &run, act.diagnostics, s, sieve)
		sieve.Settle(res, &run, uncounted, object)
		res.Rules = append(res.Rules, run)
	}
	sortRules(res.Rules)
	slices.SortStableFunc(res.Findings, finding.Compare)
}

// sift makes findings of a rule's diagnostics. It adds the findings that count to
// res, up to the limit, counts them all in run, and returns the findings that do
// not count. Only findings in res get a source position, unless the position
// decides whether a finding counts.
func (d *driver) sift(res *finding.Result, run *finding.RuleRun, diagnostics []analysis.Diagnostic, s subject, sieve *policy.Sieve) (uncounted []finding.Finding) {
	slices.SortStableFunc(diagnostics, s.compare)
	limit := finding.Limit{Most: d.MaxPerRule}
	lines := d.allPlaces || sieve.AsksPlaces(run.Rule)
	for i, diag := range diagnostics {
		if sieve == nil && limit.Full(run.Rule.ID) {
			run.Findings += len(diagnostics) - i
			break
		}
		f := s.finding(run.Rule, diag)
		if lines {
			s.locate(&f, diag)
		}
		if !sieve.Pass(&f) {
			uncounted = append(uncounted, f)
			continue
		}
		run.Findings++
		if !limit.Take(run.Rule.ID) {
			continue
		}
		if !lines {
			s.locate(&f, diag)
		}
		s.relate(&f, diag)
		res.Findings = append(res.Findings, f)
	}
	return uncounted
}

func sortRules(list []finding.RuleRun) {
	slices.SortFunc(list, func(a, b finding.RuleRun) int { return cmp.Compare(a.Rule.ID, b.Rule.ID) })
}

// trim drops the findings that are beyond the limit of their rule.
func trim(res *finding.Result, limit *finding.Limit) {
	kept, i := limit.Keep(res.Findings), -1
	res.Findings = slices.DeleteFunc(res.Findings, func(finding.Finding) bool {
		i++
		return !kept[i]
	})
}

// compareMessages orders diagnostics at one place by their texts.
func compareMessages(a, b analysis.Diagnostic) int {
	return strings.Compare(finding.ClaimOf(a).Text(), finding.ClaimOf(b).Text())
}
