package finding

import (
	"fmt"
	"go/token"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// A Claim is what a check says about one place, in the three parts that a person
// reads. In a Diagnostic of go/analysis the headline is the message, each fact of
// the evidence is related information without a position, and the fix is the
// message of a suggested fix.
type Claim struct {
	Headline string   // what is wrong, the name of the function first, at most MaxHeadline characters
	Evidence []string // the facts that prove it, one a line
	Fix      string   // what to do, as one imperative sentence; "" if there is nothing to say
}

// MaxHeadline is the most characters that a headline of the project's own checks
// has.
const MaxHeadline = 120

// Say makes a claim of its headline.
func Say(format string, args ...any) Claim { return Claim{Headline: fmt.Sprintf(format, args...)} }

// Because returns c with one more fact.
func (c Claim) Because(format string, args ...any) Claim {
	c.Evidence = append(c.Evidence[:len(c.Evidence):len(c.Evidence)], fmt.Sprintf(format, args...))
	return c
}

// Do returns c with its fix.
func (c Claim) Do(format string, args ...any) Claim {
	c.Fix = fmt.Sprintf(format, args...)
	return c
}

// OfKernel begins the category of a diagnostic about a function of the kernel, whose
// name follows. Such a defect shows in each module, and is one finding of the first.
const OfKernel = "kernel function "

// Text returns the parts of c, one a line.
func (c Claim) Text() string {
	lines := append([]string{c.Headline}, c.Evidence...)
	if c.Fix != "" {
		lines = append(lines, "fix: "+c.Fix)
	}
	return strings.Join(lines, "\n")
}

// Diagnostic makes a Diagnostic of c. related are other places to look at.
func (c Claim) Diagnostic(pos token.Pos, related ...analysis.RelatedInformation) analysis.Diagnostic {
	if r := []rune(c.Headline); len(r) > MaxHeadline { // a long name is in it
		c.Evidence = append([]string{c.Headline}, c.Evidence...)
		c.Headline = string(r[:MaxHeadline-3]) + "..."
	}
	d := analysis.Diagnostic{Pos: pos, Message: c.Headline}
	for _, fact := range c.Evidence {
		d.Related = append(d.Related, analysis.RelatedInformation{Message: fact})
	}
	d.Related = append(d.Related, related...)
	if c.Fix != "" {
		d.SuggestedFixes = []analysis.SuggestedFix{{Message: c.Fix}}
	}
	return d
}

// ClaimOf returns the claim that d was made of. Of several suggested fixes it
// takes the first.
func ClaimOf(d analysis.Diagnostic) Claim {
	c := Claim{Headline: d.Message}
	for _, r := range d.Related {
		if !r.Pos.IsValid() {
			c.Evidence = append(c.Evidence, r.Message)
		}
	}
	if len(d.SuggestedFixes) > 0 {
		c.Fix = d.SuggestedFixes[0].Message
	}
	return c
}

// Places returns the related places of d, without the evidence.
func Places(d analysis.Diagnostic) (places []analysis.RelatedInformation) {
	for _, r := range d.Related {
		if r.Pos.IsValid() {
			places = append(places, r)
		}
	}
	return places
}
