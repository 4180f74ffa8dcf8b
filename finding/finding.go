// Package finding is what a run finds and says, as plain data: findings and
// where they are, what became of each rule, what an input was. Checks and the
// driver make it, reports write it.
package finding

import (
	"cmp"
	"strings"
	"time"

	"github.com/ftlint/ftlint/rules"
)

// A Place is where a finding, or something it speaks of, is.
type Place struct {
	Path string
	Line int // 0: the file as a whole
	Col  int
	Addr uint64 // link-time address in the image; 0: none
}

// A Finding is one defect.
type Finding struct {
	Place
	Rule    rules.Rule
	Message string
	Related []Related
	Source  string // the line itself, if the input has it: a patch's line
	Symbol  string // of an address: symbol+offset, "" if none is near
	Insn    string // of an address: the instruction there, "" if it is not code

	Identity Identity // what stays of it over builds

	Patched   Place // of a finding in a patch: the same in the patched file
	Confirmed bool  // found in the patch and in the image built from it

	// Of a finding that does not count:
	Known        bool         // it is in the baseline
	SuppressedBy *Suppression // nil for none
}

// Related is another place that a finding speaks of.
type Related struct {
	Place
	Message string
}

// A Suppression names findings that do not count. What is "" fits all.
type Suppression struct {
	Rule   string // an ID, a name, or the beginning of an ID
	Object string // pattern of "vmlinux", or of a module's name
	Symbol string // pattern
	Path   string // pattern of the source's path, or of the input's
	Text   string // what the instruction, or the line of the source, contains
	Reason string
	From   string // where it stands
}

// Compare orders findings by their place, then by rule and message.
func Compare(a, b Finding) int {
	return cmp.Or(
		strings.Compare(a.Path, b.Path),
		cmp.Compare(a.Line, b.Line),
		cmp.Compare(a.Col, b.Col),
		cmp.Compare(a.Addr, b.Addr),
		strings.Compare(a.Rule.ID, b.Rule.ID),
		strings.Compare(a.Message, b.Message),
	)
}

// A Status is how the run of a rule ended, findings aside.
type Status uint8

const (
	Judged        Status = iota // the rule came to a verdict
	NotApplicable               // the rule says nothing about this input
	Inconclusive                // no verdict was reached
)

// An Outcome is what a check returns beside its findings.
type Outcome struct {
	Status   Status
	Examined string // what was looked at, with numbers: "44216 callsites"
	Why      error  // there is no verdict; nil if there is one
	// Harmless says that what was found breaks nothing in this image: it is a note,
	// unless the user has chosen a severity.
	Harmless bool
}

// Outcome is o: the driver takes outcomes from results that have this method.
func (o Outcome) Outcome() Outcome { return o }

// A RuleRun is what became of one rule.
type RuleRun struct {
	Rule     rules.Rule
	Findings int // found that count, of which Result.Findings may hold fewer

	Suppressed, Known int // findings that do not count
	Fixed             int // findings of the baseline that there are no more
	Outcome
}

// An Entry is so many findings of one identity that a baseline knows.
type Entry struct {
	Identity
	Count int
}

// A Result is what became of one input.
type Result struct {
	Path     string
	Image    *ImageFacts // nil if the input could not be opened, or is not an image
	Patch    *PatchFacts // nil if the input could not be read, or is not a patch
	Findings []Finding   // ordered by place
	Quiet    []Finding   // those that do not count, all of them; most have no line
	Fixed    []Entry     // of the baseline, of which there are fewer
	Rules    []RuleRun   // ordered by ID
	Errors   []error     // what kept the input from being judged in full
	Elapsed  time.Duration

	ConfigFile string // that the input was judged by; "" for none
	IsModule   bool   // the input is a module, or should be one
	Partial    bool   // findings are looked for in some places alone

	// Pictures are the results of the analyzers that draw, or an error in place
	// of a result.
	Pictures []any
}

// A Limit lets so many findings of each rule through.
type Limit struct {
	Most int // 0: all
	kept map[string]int
}

// Take reports whether one more finding of the rule is within the limit.
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

// Full reports whether no more findings of the rule are within the limit.
func (l *Limit) Full(id string) bool { return l.Most > 0 && l.kept[id] >= l.Most }

// Taken is how many findings of the rule were let through.
func (l *Limit) Taken(id string) int { return l.kept[id] }
