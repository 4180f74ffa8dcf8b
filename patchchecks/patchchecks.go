// Package patchchecks holds the analyzers of the rules on patches and source
// files: one file per rule, except that isms.go has the four rules about x86, and
// message.go the two about messages. Package checks judges images by the same
// catalogue.
//
// An analyzer judges the lines that a patch adds, and sees the context around
// them. It judges files of arm64 and of x86. A rule judges all the architectures to
// which it applies.
//
// An analyzer's name is the rule's ID and Suffix: FT104patch reports FT104.
package patchchecks

import (
	"cmp"
	"errors"
	"fmt"
	"go/token"
	"reflect"
	"strings"
	"unicode"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/patchscan"
	"github.com/ftlint/ftlint/rules"
)

// All is every check of patches, in the order of the rules' IDs.
var All = []*analysis.Analyzer{
	FT104, FT106, FT112,
	FT301, FT305, FT306,
	FT501, FT502, FT503, FT504,
	FT601, FT602, FT603, FT604, FT605, FT606, FT607, FT608,
	FT704, FT707, FT710,
}

// Suffix ends the name of each analyzer, behind its rule's ID.
const Suffix = "patch"

// check makes the analyzer of a rule of the catalogue.
func check(id string, run func(*judge) tally) *analysis.Analyzer {
	rule, ok := rules.Lookup(id)
	if !ok {
		panic(id + " has an analyzer in package patchchecks and no entry in rules/catalogue.go")
	}
	doc := rule.Name + ", in patches and source files: " + rule.Title
	if page, ok := rule.Page(); ok {
		doc += "\n\n" + page
	}
	return &analysis.Analyzer{
		Name:     rule.ID + Suffix,
		Doc:      doc,
		URL:      rule.URL(),
		Requires: []*analysis.Analyzer{Sources},
		Run: func(pass *analysis.Pass) (any, error) {
			set := pass.ResultOf[Sources].(*SourceSet)
			j := &judge{pass: pass, In: set.In, said: map[string]bool{}}
			var total tally
			for _, j.Series = range set.Series {
				if why := rule.WhyNotInPatches(j.Arch.Name); why != "" {
					total.add(notApplicable(why))
				} else {
					total.add(run(j))
				}
			}
			return total.outcome(), nil
		},
		ResultType: reflect.TypeFor[finding.Outcome](),
	}
}

// codeCheck is check for a rule that judges code alone, which applies where code is
// added.
func codeCheck(id string, run func(*judge) tally) *analysis.Analyzer {
	return check(id, func(j *judge) tally {
		if len(j.Files) > 0 && !j.adds {
			return notApplicable(nothingAdded)
		}
		return run(j)
	})
}

// A judge is the pass of one check, with the series that the check judges.
type judge struct {
	pass *analysis.Pass
	In   *patchscan.Input
	*Series
	said map[string]bool // claims that were reported, as line and text
}

// report reports a claim about a token of a file, if the token is on a line that is
// judged.
func (j *judge) report(s *Source, t patchscan.Token, c finding.Claim, related ...analysis.RelatedInformation) {
	if s.Added(t) {
		j.reportSpan(s.pos(t), s.end(t), c, related...)
	}
}

// reportSpan reports a claim about the text between two positions of a line. One
// line gets the same claim once.
func (j *judge) reportSpan(pos, end token.Pos, c finding.Claim, related ...analysis.RelatedInformation) {
	line := fmt.Sprintf("%d %s", j.pass.Fset.File(pos).Line(pos), c.Text())
	if !j.said[line] {
		j.said[line] = true
		d := c.Diagnostic(pos, related...)
		d.End = end
		j.pass.Report(d)
	}
}

// note is a place to look at beside a finding.
func note(s *Source, t patchscan.Token, format string, args ...any) analysis.RelatedInformation {
	return analysis.RelatedInformation{Pos: s.pos(t), End: s.end(t), Message: fmt.Sprintf(format, args...)}
}

// A tally is what a check looked at in one series, or why it has nothing to say.
type tally struct {
	form   string  // of what it looked at, with a %s for each number
	counts []count // the numbers
	why    string  // it has nothing to say
}

// A count is a number of things that one word names.
type count struct {
	n   int
	one string
}

func some(n int, one string) count { return count{n, one} }

func examined(form string, counts ...count) tally { return tally{form: form, counts: counts} }

func notApplicable(why string) tally { return tally{why: why} }

// add adds what the check looked at in one more series.
func (t *tally) add(more tally) {
	switch {
	case t.form == "":
		if more.form != "" || t.why == "" {
			*t = more
		}
	case t.form == more.form:
		for i := range more.counts {
			t.counts[i].n += more.counts[i].n
		}
	}
}

func (t *tally) outcome() finding.Outcome {
	if t.form == "" {
		return finding.Outcome{Status: finding.NotApplicable, Why: errors.New(cmp.Or(t.why, noCode))}
	}
	var numbers []any
	for _, c := range t.counts {
		numbers = append(numbers, plural.Of(c.n, c.one))
	}
	return finding.Outcome{Examined: fmt.Sprintf(t.form, numbers...)}
}

// These say why a rule about code is not applicable.
const (
	noCode       = "no C or assembly of arm64 or x86"
	nothingAdded = "no line is added to code of arm64 or x86"
)

// text is tokens in the form of messages: as they stand, with one blank for any
// number of blanks and line ends.
func text(tokens []patchscan.Token) string {
	var b strings.Builder
	for i, t := range tokens {
		if i > 0 && (t.Line != tokens[i-1].Line || int(t.Col) > int(tokens[i-1].Col)+len(tokens[i-1].Text)) {
			b.WriteByte(' ')
		}
		b.WriteString(t.Text)
	}
	return short(b.String())
}

// short makes one line of at most 80 characters, for evidence that quotes s.
func short(s string) string { return shorten(s, 80) }

// brief makes one line of at most 40 characters, for a headline that quotes s. A
// headline has room for two quotes.
func brief(s string) string { return shorten(s, 40) }

// shorten makes one line of at most the given number of characters.
func shorten(s string, most int) string {
	s = strings.ToValidUTF8(s, "?")
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	if r := []rune(s); len(r) > most {
		return string(r[:most-3]) + "..."
	}
	return s
}
