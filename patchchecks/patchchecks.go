// Package patchchecks holds the analyzers that judge patches and source files.
// They report under the same rules as those of package checks, which judge
// images: one file per rule, or per family of rules.
//
// Only lines that a patch adds are judged; its context is known. Files of
// other architectures are not judged, nor are files of none: arm64's rules
// are for arm64's code.
//
// An analyzer is called after its rule: FT104patch reports FT104.
package patchchecks

import (
	"fmt"
	"go/token"
	"reflect"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/patchscan"
	"github.com/ftlint/ftlint/rules"
)

// All is every check of patches, in the order of the rules' IDs.
var All = []*analysis.Analyzer{
	FT104, FT106, FT112,
	FT301, FT306,
	FT501, FT502, FT503, FT504,
	FT601, FT602, FT603, FT604, FT605, FT606, FT607, FT608,
}

// Suffix ends the name of each analyzer, behind its rule's ID.
const Suffix = "patch"

// check makes the analyzer of a rule of the catalogue.
func check(id string, run func(*judge) finding.Outcome) *analysis.Analyzer {
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
			j := &judge{pass, pass.ResultOf[Sources].(*SourceSet), map[string]bool{}}
			return run(j), nil
		},
		ResultType: reflect.TypeFor[finding.Outcome](),
	}
}

// A judge is what a check works with.
type judge struct {
	pass *analysis.Pass
	*SourceSet
	said map[string]bool
}

// report reports a finding at a token of a file, if it is on a line that is
// judged; otherwise it says nothing and returns false. The same words are
// said once at one line.
func (j *judge) report(s *Source, t patchscan.Token, related []analysis.RelatedInformation, format string, args ...any) bool {
	if !s.Added(t) {
		return false
	}
	j.reportPos(s.pos(t), related, format, args...)
	return true
}

func (j *judge) reportPos(pos token.Pos, related []analysis.RelatedInformation, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	key := fmt.Sprintf("%d %s", j.pass.Fset.File(pos).Line(pos), message)
	if !j.said[key] {
		j.said[key] = true
		j.pass.Report(analysis.Diagnostic{Pos: pos, Message: message, Related: related})
	}
}

// note is a place to look at beside a finding.
func note(s *Source, t patchscan.Token, format string, args ...any) analysis.RelatedInformation {
	return analysis.RelatedInformation{Pos: s.pos(t), Message: fmt.Sprintf(format, args...)}
}

func examined(format string, args ...any) finding.Outcome {
	return finding.Outcome{Examined: fmt.Sprintf(format, args...)}
}

func notApplicable(format string, args ...any) finding.Outcome {
	return finding.Outcome{Status: finding.NotApplicable, Why: fmt.Errorf(format, args...)}
}

// noCode says why a rule about code has nothing to look at.
const noCode = "no C or assembly of arm64"

// text is how tokens are shown: as they stand, blanks made one.
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

// short bounds what a message quotes, and keeps it on one line.
func short(s string) string {
	s = strings.ToValidUTF8(s, "?")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if r := []rune(s); len(r) > 80 {
		return string(r[:77]) + "..."
	}
	return s
}
