// Package finding is plain data about a run: findings and their places, the
// outcome of each rule, and facts about each input. Checks and the driver make
// this data; reports write it.
package finding

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ftlint/ftlint/rules"
)

// A Place is the place of a finding, or of something that a finding names.
type Place struct {
	Path string
	Line int // 0: the file as a whole
	Col  int // in bytes, from 1
	// EndCol is the column behind the text that is meant, on the same line; 0 if it
	// is not known.
	EndCol int
	Addr   uint64 // link-time address in the image; 0: none
}

// A Finding is one defect.
type Finding struct {
	Place
	Rule rules.Rule
	Claim
	Related []Related
	Source  string // the text of the line, if the input (a patch) contains it
	Symbol  string // symbol+offset of Addr; "" if no symbol is near
	Insn    string // the instruction at Addr; "" if Addr is not code

	Identity Identity // the same in every build

	// Culprit is the function of the kernel that does wrong, though the finding may be
	// in a module; "" if it is not known to be one.
	Culprit string

	Patched   Place // of a finding in a patch: the place in the patched file
	Confirmed bool  // found in the patch and in the image built from it

	// Why the finding does not count:
	Known        bool         // the baseline has it
	SuppressedBy *Suppression // nil: it is not suppressed
}

// TextLine returns the finding as the first line of it in text:
//
//	path:line:col: severity: headline [FT103 copy-misses-ret]
func (f *Finding) TextLine() string {
	at := f.Path
	if f.Line > 0 {
		at = fmt.Sprintf("%s:%d:%d", f.Path, f.Line, f.Col)
	}
	return fmt.Sprintf("%s: %v: %s [%s %s]", at, f.Rule.Severity, f.Headline, f.Rule.ID, f.Rule.Name)
}

// Related is another place that a finding names.
type Related struct {
	Place
	Message string
	Same    bool // it is the finding's own line: the patch's, or the patched file's
}

// A Suppression selects findings that do not count. A field that is "" fits all
// findings.
type Suppression struct {
	Rule   string // an ID, a name, or the beginning of an ID
	Object string // pattern of "vmlinux", or of a module's name
	Symbol string // pattern
	Path   string // pattern of the path of the source or of the input
	Text   string // a part of the instruction or of the source line
	Line   string // regular expression that matches in Finding.TextLine
	Reason string
	From   string // where the suppression is written: ".ftlint.yaml:4"
}

// Compare orders findings: errors first, then warnings, then notes; among these by
// rule, then by place and text.
func Compare(a, b Finding) int {
	return cmp.Or(
		cmp.Compare(b.Rule.Severity, a.Rule.Severity),
		strings.Compare(a.Rule.ID, b.Rule.ID),
		strings.Compare(a.Path, b.Path),
		cmp.Compare(a.Line, b.Line),
		cmp.Compare(a.Col, b.Col),
		cmp.Compare(a.Addr, b.Addr),
		strings.Compare(a.Text(), b.Text()),
	)
}

// A Status says how the run of a rule ended, whether or not it had findings.
type Status uint8

const (
	Judged        Status = iota // the rule came to a verdict
	NotApplicable               // the rule says nothing about this input
	Inconclusive                // the rule came to no verdict
)

// An Outcome is what a check returns beside its findings.
type Outcome struct {
	Status   Status
	Examined string // what the rule looked at, with numbers: "44216 callsites"
	Why      error  // why there is no verdict; nil if there is one
	// Skipped are the cases that did not run, each with the reason: "callsites of
	// far modules (no BTF: give a module)". The verdict is about the other cases.
	Skipped []error
	// Harmless says that the finding breaks nothing in this image: it is a note,
	// unless the user has chosen a severity.
	Harmless bool
	// Grave says that the finding breaks more than the rule's severity says: it is an
	// error, unless the user has chosen a severity.
	Grave bool
}

// Outcome returns o. The driver takes outcomes from results that have this method.
func (o Outcome) Outcome() Outcome { return o }

// A RuleRun is the outcome of one rule on one input.
type RuleRun struct {
	Rule     rules.Rule
	Findings int // findings that count; Result.Findings may hold fewer

	Suppressed, Known int // findings that do not count
	Fixed             int // findings of the baseline that are gone
	Outcome
}

// An Entry of a baseline is an identity and the number of findings that have it.
type Entry struct {
	Identity
	Count int
}

// A Result is the outcome of one input.
type Result struct {
	Path      string
	Image     *ImageFacts // nil if the input could not be opened, or is not an image
	Patch     *PatchFacts // nil if the input could not be read, or is not a patch
	Findings  []Finding   // as Compare orders them
	Uncounted []Finding   // all findings that do not count; most have no line
	Fixed     []Entry     // entries of the baseline, with the number of findings that are gone
	Rules     []RuleRun   // ordered by ID
	Errors    []error     // what kept the input from being judged in full
	Elapsed   time.Duration

	ConfigFile string // the configuration file in force; "" for none
	IsModule   bool   // the input is a module, or should be one
	Partial    bool   // only findings in some places are kept

	// Pictures are the results of the analyzers that draw, or an error in place
	// of a result.
	Pictures []any
}

// A Limit bounds the number of findings that are kept of each rule.
type Limit struct {
	Most int // 0: all
	kept map[string]int
}

// Take reports whether one more finding of the rule is within the limit, and
// counts it if so.
func (l *Limit) Take(id string) bool {
	if l.Full(id) {
		return false
	}
	if l.kept == nil {
		l.kept = map[string]int{}
	}
	l.kept[id]++
	return true
}

// Keep reports for each finding whether it is within the limit, and counts it if
// so. Of the findings of one rule those with the lowest addresses are kept.
func (l *Limit) Keep(list []Finding) []bool {
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(list[a].Addr, list[b].Addr), strings.Compare(list[a].Text(), list[b].Text()))
	})
	kept := make([]bool, len(list))
	for _, i := range order {
		kept[i] = l.Take(list[i].Rule.ID)
	}
	return kept
}

// Full reports whether the limit of the rule is reached.
func (l *Limit) Full(id string) bool { return l.Most > 0 && l.kept[id] >= l.Most }

// Taken returns the number of findings of the rule that Take has counted.
func (l *Limit) Taken(id string) int { return l.kept[id] }
