// Package rules is the catalogue: one value a rule, which holds everything
// about the rule, and the tables of one architecture's words in another's code that
// rules share.
//
// The package is data. The checks are in packages checks and patchchecks: a check
// names its rule by the ID. Checks, driver and reports take every fact about a
// single rule from the catalogue.
package rules

import (
	"cmp"
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/trampoline"
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

// Inputs is a set of the kinds of input that a rule is about. The rule is not
// applicable to other inputs.
type Inputs uint8

const (
	Kernels Inputs = 1 << iota // kernel images
	Modules                    // modules
	Patches                    // patches and source files
)

var inputNames = [...]string{"kernels", "modules", "patches"}

// Names are the kinds of input in the set.
func (in Inputs) Names() []string {
	var names []string
	for i, name := range inputNames {
		if in&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// Evidence is a set of the things that a rule looks at in an image. Pages name them
// in the order of the constants.
type Evidence uint8

const (
	Callsites Evidence = 1 << iota // the callsite table and the words at callsites
	Symbols
	Sections
	Model     // the trampoline that a correct builder makes of the template
	Execution // the image's own code, executed
)

// Differences is a set of kinds of difference from the model.
type Differences uint16

func differences(kinds ...trampoline.DiffKind) (d Differences) {
	for _, kind := range kinds {
		d |= 1 << kind
	}
	return d
}

// Has reports whether the kind is in the set.
func (d Differences) Has(kind trampoline.DiffKind) bool { return d&(1<<kind) != 0 }

// A Picture is a drawing of an image in a report. A rule names the one that shows
// its findings.
type Picture uint8

const (
	NoPicture   Picture = iota
	BesideModel         // a trampoline beside the model
	Building            // how a trampoline was built, step by step
	Situations          // the result of the builder in each situation
	AddressMap          // where image, callsites and modules are
	Generated           // a BPF trampoline, with what each part is for
)

// Rule is one idea, with an ID that never changes. Where the same defect can
// be seen in an image and in a patch, both are reported under the same rule.
type Rule struct {
	ID       string // "FT103"
	Name     string // "copy-misses-ret"
	Severity Severity
	Title    string // one line that says what is wrong

	On    Inputs   // the inputs that the rule is about
	Sees  Evidence // the things that the rule looks at in an image; empty if On is Patches alone
	NotOn Absence  // the architecture to which the rule does not apply, if there is one

	PatchesNotOn Absence // the same, of patches to its code alone

	Picture     Picture     // shows a finding in an image
	Differences Differences // the kinds of difference from the model that the rule is about

	// Twin is the ID of the rule that reports in a patch the defect which this rule
	// reports in the image built from the patch. It is "" if this rule reports the
	// defect in both, or if no rule reports the defect in patches.
	Twin string
}

// ExecutesModules reports whether the rule judges a module by executing the
// kernel's functions on the module's callsites.
func (r Rule) ExecutesModules() bool { return r.On&Modules != 0 && r.Sees&Execution != 0 }

// InPatches is the ID of the rule that reports in a patch the defect which r
// reports in the image built from the patch: Twin, or r's own.
func (r Rule) InPatches() string { return cmp.Or(r.Twin, r.ID) }

// About returns the rules that are about a kind of difference from the model,
// in ID order.
func About(kind trampoline.DiffKind) []Rule {
	var found []Rule
	for _, r := range catalogue {
		if r.Differences.Has(kind) {
			found = append(found, r)
		}
	}
	return found
}

// All returns the whole catalogue in ID order. The caller owns the slice.
func All() []Rule { return slices.Clone(catalogue) }

// An Absence says that a rule does not apply to an architecture, and why: by its
// index, from 1, in absences. Rules are copied with each result.
type Absence uint8

var absences []struct{ arch, why string }

// absent is the Absence of an architecture, by its name (arch.Arch.Name).
func absent(arch, why string) Absence {
	absences = append(absences, struct{ arch, why string }{arch, why})
	return Absence(len(absences))
}

// Why is the reason why the rule does not apply to the architecture of that name;
// "" if it applies.
func (a Absence) Why(name string) string {
	if a == 0 || absences[a-1].arch != name {
		return ""
	}
	return absences[a-1].why
}

// WhyNotInPatches is the reason why the rule does not judge patches of the code of
// the architecture of that name; "" if it does.
func (r Rule) WhyNotInPatches(name string) string {
	return cmp.Or(r.PatchesNotOn.Why(name), r.NotOn.Why(name))
}

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

// Select returns the rules that spec names, in ID order: one rule by its ID or its
// name, or all rules whose ID begins with spec ("FT4", "FT10"). Case is ignored.
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

// near lists at most four rules that spec may mean, nearest first: the rules of the
// same hundred whose ID differs in one character, and the rules whose name is a few
// letters away or contains spec.
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

// Page returns the rule's page, in Markdown. ok is false if the rule has no page.
func (r Rule) Page() (page string, ok bool) {
	b, err := pages.ReadFile("pages/" + r.ID + ".md")
	return string(b), err == nil
}

// URL is the address of the rule's page.
func (r Rule) URL() string {
	return "https://github.com/ftlint/ftlint/blob/main/rules/pages/" + r.ID + ".md"
}
