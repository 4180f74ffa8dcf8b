package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/rules"
)

// Kernels writes a table of the kernels among the results, a kernel a row; nothing
// if none could be read, as the errors have said so.
func Kernels(w io.Writer, results []*finding.Result) {
	rows := [][]string{{"kernel", "release", "era", "callsites", "errors", "warnings", "notes", "inconclusive"}}
	for _, res := range results {
		if res.IsModule || res.Patch != nil {
			continue
		}
		if res.Image == nil {
			rows = append(rows, []string{printable(res.Path), "not judged"})
			continue
		}
		var t tally
		t.add(res)
		rows = append(rows, []string{printable(res.Path), cmp.Or(OneLine(res.Image.Release), "?"), res.Image.Era, plural.Number(res.Image.Callsites),
			plural.Number(t.bySeverity[rules.Error]), plural.Number(t.bySeverity[rules.Warning]), plural.Number(t.bySeverity[rules.Note]), plural.Number(len(t.inconclusive))})
	}
	if slices.ContainsFunc(results, func(res *finding.Result) bool { return res.Image != nil }) {
		writeTable(w, rows)
	}
}

// numbers is the column from which on a table has numbers, which are aligned to
// the right.
const numbers = 3

// writeTable writes rows in columns that are as wide as they must be.
func writeTable(w io.Writer, rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-len([]rune(cell)))
			switch {
			case i >= numbers:
				cell = pad + cell
			default:
				cell += pad
			}
			b.WriteString("  " + cell)
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
}

// A shared finding is one that several inputs have.
type shared struct {
	*finding.Finding
	in []*finding.Result // each once
}

// sharedFindings returns the findings of all results, each once, errors first:
// findings of several kernels are the same if all but their numbers is. The first
// stands for the others. Findings of one input are never the same.
func sharedFindings(results []*finding.Result) []shared {
	type key struct {
		finding.Identity
		text string
		nth  int // of its input
	}
	var list []shared
	at := map[key]int{}
	for _, res := range results {
		seen := map[key]int{} // in this input
		for i := range res.Findings {
			f := &res.Findings[i]
			k := key{Identity: f.Identity}
			if len(results) > 1 {
				k.text = finding.WithoutNumbers(f.Text())
			}
			before := seen[k]
			seen[k]++
			k.nth = before
			n, old := at[k]
			if !old {
				n = len(list)
				at[k] = n
				list = append(list, shared{Finding: f})
			}
			list[n].in = append(list[n].in, res)
		}
	}
	slices.SortStableFunc(list, func(a, b shared) int {
		return cmp.Or(cmp.Compare(b.Rule.Severity, a.Rule.Severity), strings.Compare(a.Rule.ID, b.Rule.ID))
	})
	return list
}

// inWords says which inputs have the finding.
func (s shared) inWords() string {
	const few = 8
	if len(s.in) == 1 {
		return "in " + printable(s.in[0].Path)
	}
	var names []string
	for _, res := range s.in[:min(few, len(s.in))] {
		names = append(names, printable(res.Path))
	}
	if more := len(s.in) - few; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("in %s: %s", plural.Of(len(s.in), "input"), strings.Join(names, ", "))
}
