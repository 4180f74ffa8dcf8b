package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/lint"
)

// quiet writes what was found that does not count: by reason what is
// suppressed, by rule what the baseline knows, and what of it there is no more;
// each entry of that if verbose.
func quiet(w io.Writer, results []*lint.Result, verbose bool) {
	type key struct{ rule, reason string }
	suppressed, known, fixed := map[key]int{}, map[string]int{}, map[string]int{}
	var order []key
	var ids []string // of rules with entries in the baseline
	var entries []lint.Entry
	for _, res := range results {
		for _, f := range res.Quiet {
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
		byReason[k.reason] = append(byReason[k.reason], fmt.Sprintf("%s %d", k.rule, suppressed[k]))
	}
	for _, k := range order {
		if list := byReason[k.reason]; list != nil {
			fmt.Fprintf(w, "  suppressed: %s (%s)\n", strings.Join(list, ", "), OneLine(strings.TrimSpace(k.reason)))
			delete(byReason, k.reason)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		fmt.Fprintf(w, "  baseline: %s", id)
		sep := " "
		if known[id] > 0 {
			fmt.Fprintf(w, " %d known", known[id])
			sep = ", "
		}
		if fixed[id] > 0 {
			fmt.Fprintf(w, "%s%d fixed (stale: --write-baseline drops what is fixed)", sep, fixed[id])
		}
		fmt.Fprintln(w)
	}
	if verbose {
		for _, e := range entries {
			fmt.Fprintf(w, "  fixed: %s %s", e.Rule, OneLine(e.Object))
			if e.Symbol != "" {
				fmt.Fprintf(w, " %s", OneLine(e.Symbol))
			}
			fmt.Fprintf(w, ": %s", OneLine(e.Text))
			if e.Count > 1 {
				fmt.Fprintf(w, " (%d)", e.Count)
			}
			fmt.Fprintln(w)
		}
	}
}

// configLine writes which configuration file the results go by, if any.
func configLine(w io.Writer, res *lint.Result) {
	if res.ConfigFile != "" {
		fmt.Fprintf(w, "  config: %s\n", printable(res.ConfigFile))
	}
}

// modulesQuiet writes both for all modules among the results together.
func modulesQuiet(w io.Writer, results []*lint.Result, verbose bool) {
	modules := slices.DeleteFunc(slices.Clone(results), func(res *lint.Result) bool { return !res.IsModule || res.Image == nil })
	quiet(w, modules, verbose)
	if len(modules) > 0 {
		configLine(w, modules[0])
	}
}
