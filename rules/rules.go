// Package rules is the catalogue: every rule's ID, name, severity and page,
// and the tables that rules share (the labels of each era, the x86-isms).
//
// It is data. The checks are elsewhere; they name their rule by its ID and
// take everything they say about it from here.
package rules

import (
	"embed"
	"fmt"
	"slices"
	"strings"
)

// Severity says how bad a finding is. Severities are ordered: Note < Warning
// < Error.
type Severity uint8

const (
	Note    Severity = iota // worth knowing; nothing breaks
	Warning                 // breaks under conditions that the finding states, or costs
	Error                   // breaks the machine, or ftrace on it
)

var severityNames = [...]string{"note", "warning", "error"}

func (s Severity) String() string {
	if int(s) < len(severityNames) {
		return severityNames[s]
	}
	return fmt.Sprintf("severity(%d)", uint8(s))
}

// ParseSeverity is the inverse of Severity.String; it ignores case.
func ParseSeverity(s string) (Severity, error) {
	if i := slices.Index(severityNames[:], strings.ToLower(s)); i >= 0 {
		return Severity(i), nil
	}
	return 0, fmt.Errorf("severity %q: want %s", s, strings.Join(severityNames[:], ", "))
}

// Rule is one idea, with an ID that never changes. Where the same defect can
// be seen in an image and in a patch, both are reported under the same rule.
type Rule struct {
	ID       string // "FT103"
	Name     string // "copy-misses-ret"
	Severity Severity
	Title    string // one line: what is wrong
	SeenBy   string // what a check looks at: "symbols", "model, execution", "symbols; patch", ...
}

// All returns the whole catalogue in ID order. The caller owns the slice.
func All() []Rule { return slices.Clone(catalogue) }

// Lookup finds a rule by its ID or its name; case is ignored.
func Lookup(s string) (Rule, bool) {
	i := slices.IndexFunc(catalogue, func(r Rule) bool {
		return strings.EqualFold(r.ID, s) || strings.EqualFold(r.Name, s)
	})
	if i < 0 {
		return Rule{}, false
	}
	return catalogue[i], true
}

// Select returns the rules that spec names, in ID order: one by its ID or its
// name, or all whose ID begins with spec ("FT4", "FT10"). Case is ignored.
func Select(spec string) ([]Rule, error) {
	spec = strings.TrimSpace(spec)
	if r, ok := Lookup(spec); ok {
		return []Rule{r}, nil
	}
	id := strings.ToUpper(spec)
	if strings.HasPrefix(id, "FT") {
		var found []Rule
		for _, r := range catalogue {
			if strings.HasPrefix(r.ID, id) {
				found = append(found, r)
			}
		}
		if len(found) > 0 {
			return found, nil
		}
	}
	if n := near(spec); len(n) > 0 {
		return nil, fmt.Errorf("no rule is called %q; near it: %s", spec, strings.Join(n, ", "))
	}
	return nil, fmt.Errorf("no rule is called %q: want an ID (FT103), a name (copy-misses-ret) or the beginning of an ID (FT1)", spec)
}

// near gives what spec may have been meant to be, nearest first, at most
// four: for a number the rules of its hundred that differ least, for a word
// the names that are a few letters away or contain it.
func near(spec string) []string {
	type candidate struct {
		text string
		dist int
	}
	var cs []candidate
	spec = strings.ToLower(spec)
	if spec == "" {
		return nil
	}
	for _, r := range catalogue {
		id := strings.ToLower(r.ID)
		if d := EditDistance(spec, id); d <= 1 && strings.HasPrefix(spec, id[:3]) {
			cs = append(cs, candidate{r.ID + " " + r.Name, d})
			continue
		}
		d := EditDistance(spec, r.Name)
		if len(spec) >= 3 && strings.Contains(r.Name, spec) {
			d = 1
		}
		if d <= 1+len(spec)/4 {
			cs = append(cs, candidate{r.ID + " " + r.Name, d})
		}
	}
	slices.SortStableFunc(cs, func(a, b candidate) int { return a.dist - b.dist })
	var out []string
	for _, c := range cs[:min(len(cs), 4)] {
		out = append(out, c.text)
	}
	return out
}

// EditDistance is the Levenshtein distance of a and b, in bytes.
func EditDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diag, row[j+1] = row[j+1], min(diag+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

//go:embed pages/*.md
var pages embed.FS

// Page returns the rule's page, markdown; false if it has none.
func (r Rule) Page() (string, bool) {
	b, err := pages.ReadFile("pages/" + r.ID + ".md")
	return string(b), err == nil
}

// URL is where the rule's page can be read.
func (r Rule) URL() string {
	return "https://github.com/ftlint/ftlint/blob/main/rules/pages/" + r.ID + ".md"
}
