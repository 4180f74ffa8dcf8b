// Package checks holds the analyzers of the rules on images: one file per rule.
// Each is an *analysis.Analyzer. It takes its name and its documentation from
// the catalogue in package rules, and its inputs (Image, Sites, Entry, Built
// and other analyzers) through pass.ResultOf.
//
// A check reports only what it proved. It returns a finding.Outcome that says
// what it examined, or why it could not run: a rule that did not run is never
// counted as passed.
package checks

import (
	"fmt"
	"go/token"
	"reflect"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/rules"
)

// All is every check, in the order of the rules' IDs.
var All = []*analysis.Analyzer{
	FT101, FT102, FT103, FT104, FT105, FT106, FT107, FT108, FT109, FT110, FT111, FT112, FT113, FT114, FT115, FT116, FT117, FT118, FT119,
	FT201, FT202, FT203, FT204, FT205, FT206, FT207, FT208, FT209,
	FT301, FT302, FT303, FT304, FT305, FT306, FT307, FT308,
	FT401, FT402, FT403, FT404, FT405, FT406, FT407, FT408, FT409, FT410, FT411, FT412, FT413,
	FT504,
	FT601, FT602, FT603,
	FT701, FT702, FT703, FT704, FT705, FT706, FT707, FT708, FT709, FT710, FT711, FT712, FT713, FT714, FT715, FT716,
}

// examined is the outcome of a rule that reached a verdict. The text says what
// was looked at.
func examined(format string, args ...any) (any, error) { return partly(nil, format, args...) }

// partly is the outcome of a rule that reached a verdict on the cases that ran.
// skipped are the others, each with the reason.
func partly(skipped []error, format string, args ...any) (any, error) {
	return finding.Outcome{Examined: fmt.Sprintf(format, args...), Skipped: skipped}, nil
}

// notApplicable is the outcome of a rule that has nothing to look at.
func notApplicable(format string, args ...any) (any, error) {
	return finding.Outcome{Status: finding.NotApplicable, Why: fmt.Errorf(format, args...)}, nil
}

// inconclusive is the outcome of a rule that reached no verdict.
func inconclusive(format string, args ...any) (any, error) {
	return finding.Outcome{Status: finding.Inconclusive, Why: fmt.Errorf(format, args...)}, nil
}

// check makes the analyzer of a rule of the catalogue.
func check(id string, run func(*analysis.Pass) (any, error), requires ...*analysis.Analyzer) *analysis.Analyzer {
	rule, ok := rules.Lookup(id)
	if !ok {
		panic(id + " has an analyzer in package checks and no entry in rules/catalogue.go")
	}
	if rule.On&rules.Kernels == 0 {
		run = ofModules(run)
	}
	run = where(rule, run)
	doc := rule.Name + ": " + rule.Title
	if page, ok := rule.Page(); ok {
		doc += "\n\n" + page
	}
	return &analysis.Analyzer{
		Name:       rule.ID,
		Doc:        doc,
		URL:        rule.URL(),
		Run:        run,
		Requires:   append([]*analysis.Analyzer{Image}, requires...),
		ResultType: reflect.TypeFor[finding.Outcome](),
	}
}

// where restricts run to the architectures that the rule is about.
func where(rule rules.Rule, run func(*analysis.Pass) (any, error)) func(*analysis.Pass) (any, error) {
	return func(pass *analysis.Pass) (any, error) {
		if why := rule.NotOn.Why(image(pass).Arch().Name); why != "" {
			return notApplicable("%s", why)
		}
		return run(pass)
	}
}

// ofModules restricts run to modules: to a linked image the rule is not
// applicable.
func ofModules(run func(*analysis.Pass) (any, error)) func(*analysis.Pass) (any, error) {
	return func(pass *analysis.Pass) (any, error) {
		if image(pass).Module() == nil {
			return notApplicable("not a module")
		}
		return run(pass)
	}
}

// image is the image that the pass looks at.
func image(pass *analysis.Pass) *elfscan.Image {
	return pass.ResultOf[Image].(*elfscan.Image)
}

// say makes a claim of its headline.
var say = finding.Say

// report reports a claim about the image's code or data at addr, with other places
// to look at.
func report(pass *analysis.Pass, addr uint64, c finding.Claim, related ...analysis.RelatedInformation) {
	pass.Report(c.Diagnostic(image(pass).Pos(addr), related...))
}

// reportImage reports a claim about the image as a whole.
func reportImage(pass *analysis.Pass, c finding.Claim) {
	pass.Report(c.Diagnostic(image(pass).FilePos()))
}

// related is a place to look at beside a finding.
func related(im *elfscan.Image, addr uint64, format string, args ...any) analysis.RelatedInformation {
	return analysis.RelatedInformation{Pos: im.Pos(addr), End: token.NoPos, Message: fmt.Sprintf(format, args...)}
}

// relatedTo is one related place: what it is, and its name. A callsite has the name
// that findings give it.
func relatedTo(im *elfscan.Image, addr uint64, what string) []analysis.RelatedInformation {
	name := im.At(addr)
	if t, _ := callsite.Of(im); t.Contains(addr) {
		name = siteName(t, addr)
	}
	return []analysis.RelatedInformation{related(im, addr, "%s: %s", what, name)}
}

// relatedAs is relatedTo for a symbol that was looked up by its name: another can
// stand at the same address.
func relatedAs(im *elfscan.Image, addr uint64, what, name string) []analysis.RelatedInformation {
	return []analysis.RelatedInformation{related(im, addr, "%s: %s (%#x)", what, name, addr)}
}

// firstOf returns the first n of list, and a line that says how many more there are.
func firstOf(list []string, n int) []string {
	if len(list) <= n {
		return list
	}
	return append(list[:n:n], plural.Of(len(list)-n, "more difference"))
}

// itDoes says what a function does: "it returns 0". What is said of something else
// ("the frame record ...") stays as it is.
func itDoes(what string) string {
	verb, _, _ := strings.Cut(what, " ")
	if strings.HasSuffix(verb, "s") && verb != "its" && verb != "this" {
		return "it " + what
	}
	return what
}

// misdeed is the claim that a function does what it must not. If the first of diffs is
// short and names no address, it is the headline and not among the rest; else generic
// is the headline.
func misdeed(fn, generic string, diffs []string) (c finding.Claim, rest []string) {
	const short = 90 // characters
	if len(diffs) > 0 && itDoes(diffs[0]) != diffs[0] && len(fn)+len(diffs[0]) < short && !strings.Contains(diffs[0], "0xffff") {
		return say("%s %s", fn, diffs[0]), diffs[1:]
	}
	return say("%s %s", fn, generic), diffs
}

// some joins the first n of list and says how many more there are.
func some(list []string, n int) string {
	if len(list) <= n {
		return strings.Join(list, "; ")
	}
	return strings.Join(list[:n], "; ") + "; and " + plural.Of(len(list)-n, "more difference")
}

func abs(n int64) int64 { return max(n, -n) }
