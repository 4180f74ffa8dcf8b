package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
)

// Summary writes the facts about an input and the outcomes of rules: a line for
// each outcome or, if verbose, for each rule.
func Summary(w io.Writer, res *finding.Result, verbose bool) {
	lines := facts(res)
	if len(lines) == 0 {
		return // the input's error was printed
	}
	fmt.Fprintf(w, "%s: %s\n", printable(res.Path), lines[0])
	writeLines(w, lines[1:])
	outcomes(w, res, verbose)
}

// Conclusion writes the end of the summary: headlines of the worst findings, if
// a screen does not show the findings and what is below them, and the verdict as the
// last line. It writes nothing if no input was judged: the errors have said so.
func Conclusion(w io.Writer, results []*finding.Result, errs []error) {
	judged := slices.DeleteFunc(slices.Clone(results), func(res *finding.Result) bool { return res.Image == nil && res.Patch == nil })
	if len(judged) == 0 {
		return
	}
	list := sharedFindings(results)
	const few = 8
	if n := min(few, len(list)); rowsOf(list) > screenRows-rowsBelow(judged) {
		for _, s := range list[:n] {
			at := printable(s.Path)
			if s.Line > 0 {
				at += fmt.Sprintf(":%d", s.Line)
			}
			// The place comes last: editors take what begins with one for a finding.
			fmt.Fprintf(w, "  %v: %s (%s)\n", s.Rule.Severity, headline(s.Finding), at)
		}
		if more := len(list) - n; more > 0 {
			fmt.Fprintf(w, "  and %s above\n", plural.Of(more, "more finding"))
		}
	}
	fmt.Fprintln(w, Verdict(results, errs))
}

// A screen is a terminal's, of the size that many have: the last of its rows is the
// prompt.
const (
	screenRows    = 40 - 1
	screenColumns = 100
)

// rowsOf is how many rows of a screen findings take, about.
func rowsOf(list []shared) int {
	rows := 0
	for _, s := range list {
		rows += 3 + len(s.Related) // the headline, and the source line with its carets
		for _, line := range proof(s.Finding) {
			rows += 1 + len(line)/screenColumns
		}
	}
	return rows
}

// rowsBelow is how many rows of a screen the summary takes that is below the
// findings, about.
func rowsBelow(results []*finding.Result) int {
	const one, each, tables = 10, 1, 24 // of one input; of each of many, and the tables' other rows
	if len(results) == 1 {
		return one
	}
	return tables + each*len(results)
}

// writeLines writes lines of a summary, indented.
func writeLines(w io.Writer, lines []string) {
	for _, line := range lines {
		fmt.Fprintf(w, "  %s\n", line)
	}
}

// facts returns the facts about an input, one a line; none if the input could not
// be read.
func facts(res *finding.Result) []string {
	switch {
	case res.Patch != nil:
		return []string{patchFacts(res.Patch)}
	case res.Image == nil:
		return nil
	}
	im := res.Image
	lines := []string{kernelFacts(im)}
	if im.Module != nil {
		lines[0] = moduleFacts(im)
	} else if build := buildFacts(im); build != "" {
		lines = append(lines, build)
	}
	for _, t := range im.Template {
		lines = append(lines, "template: "+OneLine(t))
	}
	if can := canLine(im.Capabilities); can != "" {
		lines = append(lines, can)
	}
	if im.LineProblem != "" {
		lines = append(lines, "findings lack source lines: "+OneLine(im.LineProblem))
	}
	return lines
}

// buildFacts says what built the kernel; "" if nothing is known.
func buildFacts(im *finding.ImageFacts) string {
	var parts []string
	if im.Release != "" {
		parts = append(parts, "Linux "+OneLine(im.Release))
	}
	if im.Compiler != "" {
		parts = append(parts, "built by "+OneLine(im.Compiler))
	}
	if im.BuildID != "" {
		parts = append(parts, "build ID "+im.BuildID)
	}
	return strings.Join(parts, ", ")
}

// kernelFacts returns the summary's first line about a kernel image.
func kernelFacts(im *finding.ImageFacts) string {
	s := fmt.Sprintf("era %s, %s", im.Era, plural.Of(im.Callsites, "callsite"))
	if im.Callsites > 0 {
		s += " (" + im.Form
		if im.Blank > 0 {
			s += fmt.Sprintf(", %s blank", plural.Of(im.Blank, "entry"))
		}
		s += ")"
	}
	for i, e := range im.Entries {
		s += fmt.Sprintf("%s%s at %#x", [...]string{", entry code ", ", "}[min(i, 1)], e.Name, e.Addr)
	}
	return s
}

// outcomes writes the outcome of each rule, and how long the input took.
func outcomes(w io.Writer, res *finding.Result, verbose bool) {
	if verbose {
		for _, r := range res.Rules {
			status, why := Status(r)
			fmt.Fprintf(w, "  %s %s: %s", r.Rule.ID, r.Rule.Name, status)
			if r.Findings > 0 {
				fmt.Fprintf(w, ": %s", plural.Number(r.Findings))
			}
			sep := " "
			if r.Findings == 0 && r.Known+r.Suppressed > 0 && r.Examined != "" {
				sep = "; "
			}
			if detail := joined("; ", strings.TrimSpace(r.Examined+sep+why), notExecuted(r)); detail != "" {
				fmt.Fprintf(w, " (%s)", detail)
			}
			fmt.Fprintln(w)
		}
	} else {
		group(w, res.Rules, "inconclusive")
		doNotApply(w, res.Rules)
		partly := slices.DeleteFunc(slices.Clone(res.Rules), func(r finding.RuleRun) bool { return len(r.Skipped) == 0 })
		for _, status := range []string{"findings", "passed", "known"} {
			group(w, partly, status)
		}
		group(w, partly, "suppressed")
	}
	writeLines(w, uncounted([]*finding.Result{res}, verbose))
	writeLines(w, configLine(res))
	if verbose {
		fmt.Fprintf(w, "  %.3f s\n", res.Elapsed.Seconds())
	}
}

// doNotApply writes one line about the rules that do not apply: how many, and why,
// with a number for each reason.
func doNotApply(w io.Writer, list []finding.RuleRun) {
	total := 0
	rules := map[string]int{} // by reason
	var order []string
	for _, r := range list {
		status, why := Status(r)
		if status != "not applicable" {
			continue
		}
		total++
		for _, cut := range []string{": ", " ("} {
			if !strings.Contains(why, "--exhaustive") { // which says what to do
				why, _, _ = strings.Cut(why, cut)
			}
		}
		if rules[why]++; rules[why] == 1 {
			order = append(order, why)
		}
	}
	if total == 0 {
		return
	}
	slices.SortStableFunc(order, func(a, b string) int { return rules[b] - rules[a] })
	const few = 4
	var parts []string
	rest := 0
	for i, why := range order {
		if i >= few && len(order) > few+1 {
			rest += rules[why]
			continue
		}
		parts = append(parts, fmt.Sprintf("%s (%d)", OneLine(why), rules[why]))
	}
	if rest > 0 {
		parts = append(parts, fmt.Sprintf("other reasons (%d)", rest))
	}
	do := "do"
	if total == 1 {
		do = "does"
	}
	fmt.Fprintf(w, "  %s %s not apply: %s\n", plural.Of(total, "rule"), do, strings.Join(parts, ", "))
}

// patchFacts returns the summary's line about patches or a source file.
func patchFacts(p *finding.PatchFacts) string {
	s := "a source file"
	switch {
	case p.Source:
	case passedOver(p):
		return "no patch, passed over"
	default:
		s = fmt.Sprintf("%s of %s", plural.Of(p.Patches, "patch"), plural.Of(p.Files, "file"))
	}
	if p.Judged == 0 {
		return s + ", none of " + archsOf(p)
	}
	if !p.Source {
		s += fmt.Sprintf(", %d of %s", p.Judged, archsOf(p))
	}
	return s + fmt.Sprintf(", %s judged", plural.Of(p.Added, "line"))
}

// notExecuted says which cases of a rule did not run: "not executed: callsites of
// far modules (no BTF: give a module)". It is "" if all ran.
func notExecuted(r finding.RuleRun) string {
	if len(r.Skipped) == 0 {
		return ""
	}
	return "not executed: " + OneLine(strings.Join(texts(r.Skipped), "; "))
}

// joined joins the parts that are not "".
func joined(sep string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), sep)
}

// group writes the rules of one status: one line for each reason, and for each
// list of cases that did not run.
func group(w io.Writer, list []finding.RuleRun, status string) {
	var order []string // ends of lines
	ids := map[string][]string{}
	for _, r := range list {
		s, why := Status(r)
		if s != status {
			continue
		}
		id := r.Rule.ID
		if status == "findings" {
			id = fmt.Sprintf("%s %s %s", id, r.Rule.Name, plural.Number(r.Findings))
		}
		end := ""
		if why != "" {
			end = ": " + why
		}
		if part := notExecuted(r); part != "" {
			end += "; " + part
		}
		if ids[end] == nil {
			order = append(order, end)
		}
		ids[end] = append(ids[end], id)
	}
	sep := map[bool]string{true: ", ", false: " "}[status == "findings"]
	for _, end := range order {
		fmt.Fprintf(w, "  %s: %s%s\n", status, strings.Join(ids[end], sep), end)
	}
}
