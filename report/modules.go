package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/lint"
)

// A ruleCount counts the outcomes of a rule over many modules.
type ruleCount struct {
	run                                            finding.RuleRun // of some module
	findings, in, passed, notApplicable, undecided int             // all but findings: modules
	uncounted                                      int             // modules in which all that was found does not count
}

// countRules counts the outcomes of each rule over the modules among results.
func countRules(results []*finding.Result) []*ruleCount {
	var out []*ruleCount
	byID := map[string]*ruleCount{}
	for _, res := range results {
		if !res.IsModule {
			continue
		}
		for _, r := range res.Rules {
			c := byID[r.Rule.ID]
			if c == nil {
				c = &ruleCount{run: r}
				byID[r.Rule.ID] = c
				out = append(out, c)
			}
			c.findings += r.Findings
			switch status, _ := Status(r); status {
			case "findings":
				c.in++
			case "passed":
				c.passed++
			case "inconclusive":
				c.undecided++
			case "known", "suppressed":
				c.uncounted++
			default:
				c.notApplicable++
			}
		}
	}
	slices.SortFunc(out, func(a, b *ruleCount) int { return cmp.Compare(a.run.Rule.ID, b.run.Rule.ID) })
	return out
}

// More writes how many findings about modules Write left out.
func (t *Text) More(results []*finding.Result) error {
	w := bufio.NewWriter(t.W)
	for _, c := range countRules(results) {
		if n := c.findings - t.inModules.Taken(c.run.Rule.ID); n > 0 {
			fmt.Fprintf(w, "%s %s\n", t.paint(cyan, "note:"), more(n, c.run.Rule, "in modules are not shown"))
		}
	}
	return w.Flush()
}

// modulesSkipped says which cases of rules did not run on modules, one line a case.
func modulesSkipped(results []*finding.Result) (lines []string) {
	type key struct{ id, what string }
	in := map[key]int{} // modules
	var order []key
	for _, res := range results {
		if !res.IsModule {
			continue
		}
		for _, r := range res.Rules {
			for _, what := range texts(r.Skipped) {
				k := key{r.Rule.ID, what}
				if in[k]++; in[k] == 1 {
					order = append(order, k)
				}
			}
		}
	}
	slices.SortStableFunc(order, func(a, b key) int { return cmp.Compare(a.id, b.id) })
	for _, k := range order {
		lines = append(lines, fmt.Sprintf("%s: not executed in %s: %s", k.id, plural.Of(in[k], "module"), OneLine(k.what)))
	}
	return lines
}

// moduleFacts returns the summary's first line about a module.
func moduleFacts(im *finding.ImageFacts) string {
	m := im.Module
	s := "module"
	if m.Vermagic != "" {
		s += " of " + OneLine(m.Vermagic)
	}
	s += ", " + plural.Of(im.Callsites, "callsite")
	if im.Callsites > 0 {
		s += fmt.Sprintf(" (%s)", m.Shape)
	}
	return s
}

// uncountedColumn is the column that is written only if a module needs it.
const uncountedColumn = 2

// Modules writes a table of the outcomes of rules over many modules. If verbose,
// it also lists the modules that took longest.
func Modules(w io.Writer, results []*finding.Result, total *lint.Total, verbose bool) {
	callsites, without, findings, unread := 0, 0, 0, 0
	var modules []*finding.Result
	for _, res := range results {
		switch {
		case !res.IsModule:
			continue
		case res.Image == nil:
			unread++
			continue
		}
		modules = append(modules, res)
		callsites += res.Image.Callsites
		if res.Image.Callsites == 0 {
			without++
		}
	}
	counts := countRules(results)
	for _, c := range counts {
		findings += c.findings
	}
	fmt.Fprintf(w, "%s read, %s", plural.Of(len(modules), "module"), plural.Of(callsites, "callsite"))
	if without > 0 {
		fmt.Fprintf(w, " (%s without)", plural.Of(without, "module"))
	}
	fmt.Fprintf(w, ", %s", plural.Of(findings, "finding"))
	if unread > 0 {
		fmt.Fprintf(w, "; %s could not be read", plural.Number(unread))
	}
	fmt.Fprintln(w)
	anyUncounted := slices.ContainsFunc(counts, func(c *ruleCount) bool { return c.uncounted > 0 })
	row := func(name string, columns ...any) {
		fmt.Fprintf(w, "  %-34s", name)
		for i, c := range columns {
			if n, ok := c.(int); ok {
				c = plural.Number(n)
			}
			if i != uncountedColumn || anyUncounted {
				fmt.Fprintf(w, " %9v", c)
			}
		}
		fmt.Fprintln(w)
	}
	row("modules:", "findings", "with any", "quiet", "passed", "n/a", "undecided")
	for _, c := range counts {
		if c.findings+c.in+c.uncounted+c.passed+c.undecided == 0 && !verbose {
			continue
		}
		row(c.run.Rule.ID+" "+c.run.Rule.Name, c.findings, c.in, c.uncounted, c.passed, c.notApplicable, c.undecided)
	}
	writeLines(w, modulesSkipped(results))
	writeLines(w, modulesUncounted(results, verbose))
	if verbose {
		const few = 5
		slices.SortStableFunc(modules, func(a, b *finding.Result) int { return cmp.Compare(b.Elapsed, a.Elapsed) })
		for i, res := range modules[:min(few, len(modules))] {
			what := "slowest:"
			if i > 0 {
				what = ""
			}
			fmt.Fprintf(w, "  %-8s %8.3f s  %s\n", what, res.Elapsed.Seconds(), printable(res.Path))
		}
	}
	if verbose {
		fmt.Fprintf(w, "  %.3f s\n", total.Elapsed.Seconds())
	}
}
