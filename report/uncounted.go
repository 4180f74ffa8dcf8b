package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
)

// uncounted describes the findings that do not count, one line a reason of a
// suppression and one line a rule of the baseline. If verbose, each entry of the
// baseline that is fixed has a line too.
func uncounted(results []*finding.Result, verbose bool) (lines []string) {
	type key struct{ rule, reason string }
	suppressed, known, fixed := map[key]int{}, map[string]int{}, map[string]int{}
	var order []key
	var ids []string // of rules with entries in the baseline
	var entries []finding.Entry
	for _, res := range results {
		for _, f := range res.Uncounted {
			if by := f.SuppressedBy; by != nil {
				k := key{f.Rule.ID, by.Reason}
				if suppressed[k]++; suppressed[k] == 1 {
					order = append(order, k)
				}
			}
		}
		for _, r := range res.Rules {
			if r.Known+r.Fixed > 0 && !slices.Contains(ids, r.Rule.ID) {
				ids = append(ids, r.Rule.ID)
			}
			known[r.Rule.ID] += r.Known
			fixed[r.Rule.ID] += r.Fixed
		}
		entries = append(entries, res.Fixed...)
	}
	slices.SortStableFunc(order, func(a, b key) int { return strings.Compare(a.rule, b.rule) })
	byReason := map[string][]string{}
	for _, k := range order {
		byReason[k.reason] = append(byReason[k.reason], k.rule+" "+plural.Number(suppressed[k]))
	}
	for _, k := range order {
		if list := byReason[k.reason]; list != nil {
			lines = append(lines, fmt.Sprintf("suppressed: %s (%s)", strings.Join(list, ", "), OneLine(strings.TrimSpace(k.reason))))
			delete(byReason, k.reason)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		line := "baseline: " + id
		sep := " "
		if known[id] > 0 {
			line += " " + plural.Number(known[id]) + " known"
			sep = ", "
		}
		if fixed[id] > 0 {
			line += sep + plural.Number(fixed[id]) + " fixed (stale: --write-baseline drops what is fixed)"
		}
		lines = append(lines, line)
	}
	if !verbose {
		return lines
	}
	for _, e := range entries {
		line := fmt.Sprintf("fixed: %s %s", e.Rule, OneLine(e.Object))
		if e.Symbol != "" {
			line += " " + OneLine(e.Symbol)
		}
		line += ": " + OneLine(cmp.Or(e.Headline, e.Text))
		if e.Count > 1 {
			line += fmt.Sprintf(" (%s)", plural.Number(e.Count))
		}
		lines = append(lines, line)
	}
	return lines
}

// configLine says which configuration file the results go by: no line if there
// is none.
func configLine(res *finding.Result) []string {
	if res.ConfigFile == "" {
		return nil
	}
	return []string{"config: " + printable(res.ConfigFile)}
}

// modulesUncounted returns the lines of uncounted and configLine for all modules
// among the results together.
func modulesUncounted(results []*finding.Result, verbose bool) []string {
	modules := slices.DeleteFunc(slices.Clone(results), func(res *finding.Result) bool { return !res.IsModule || res.Image == nil })
	lines := uncounted(modules, verbose)
	if len(modules) > 0 {
		lines = append(lines, configLine(modules[0])...)
	}
	return lines
}
