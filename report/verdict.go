package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/rules"
)

// Verdict says in one line what came of the run: "3 errors, 2 warnings in vmlinux
// (6.12.9, era callops, build ID 1a2b3c4d5e6f)", or "vmlinux: clean, 19 rules
// passed, 44,011 callsites".
func Verdict(results []*finding.Result, errs []error) string {
	var t tally
	for _, res := range results {
		t.add(res)
	}
	also := ""
	if len(t.inconclusive) > 0 {
		also += fmt.Sprintf("; %s inconclusive (%s)", plural.Of(len(t.inconclusive), "rule"), fewIDs(t.inconclusive))
	}
	switch {
	case t.unread > 0:
		also += fmt.Sprintf("; %s could not be judged in full", plural.Of(t.unread, "input"))
	case len(errs) > 0:
		also += "; not all could be judged in full"
	}
	if t.known > 0 {
		also += "; " + plural.Number(t.known) + " known"
	}
	if t.suppressed > 0 {
		also += "; " + plural.Number(t.suppressed) + " suppressed"
	}
	if found := t.found(); found != "" {
		return found + " in " + t.subject(true) + also
	}
	rest := plural.Of(len(t.passed), "rule") + " passed"
	if t.callsites > 0 {
		rest += ", " + plural.Of(t.callsites, "callsite")
	}
	switch {
	case t.judged() == 0:
		return t.subject(false) + ": not judged" + also
	case len(t.passed)+len(t.inconclusive) == 0 && t.known+t.suppressed == 0:
		return t.subject(false) + ": nothing to judge, no rule applies" + also
	case t.unread > 0 || len(errs) > 0 || len(t.inconclusive) > 0:
		return t.subject(false) + ": nothing found, " + rest + also
	case t.addsNothing():
		return t.subject(false) + ": no line added to judge, " + rest + also
	}
	return t.subject(false) + ": clean, " + rest + also
}

// fewIDs lists the first of many rules.
func fewIDs(ids []string) string {
	const few = 3
	if len(ids) <= few+1 {
		return strings.Join(ids, " ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(ids[:few], " "), len(ids)-few)
}

// A tally counts what came of inputs.
type tally struct {
	images, modules, patches []*finding.Result // that were judged
	unjudged                 []*finding.Result
	unread                   int
	bySeverity               [rules.Error + 1]int
	known, suppressed        int
	callsites                int
	passed, inconclusive     []string // rules, by ID
}

func (t *tally) add(res *finding.Result) {
	switch {
	case res.Image == nil && res.Patch == nil:
		t.unjudged = append(t.unjudged, res)
	case res.IsModule:
		t.modules = append(t.modules, res)
	case res.Patch != nil:
		t.patches = append(t.patches, res)
	default:
		t.images = append(t.images, res)
	}
	if len(res.Errors) > 0 {
		t.unread++
	}
	if res.Image != nil {
		t.callsites += res.Image.Callsites
	}
	for _, r := range res.Rules {
		t.bySeverity[r.Rule.Severity] += r.Findings
		t.known += r.Known
		t.suppressed += r.Suppressed
		list := &t.passed
		switch status, _ := Status(r); status {
		case "passed":
		case "inconclusive":
			list = &t.inconclusive
		default:
			continue
		}
		if !slices.Contains(*list, r.Rule.ID) {
			*list = append(*list, r.Rule.ID)
		}
	}
}

// judged is the number of inputs that could be read.
func (t *tally) judged() int { return len(t.images) + len(t.modules) + len(t.patches) }

// addsNothing reports whether all that was judged is patches of code that add
// no line to it.
func (t *tally) addsNothing() bool {
	files, lines := 0, 0
	for _, res := range t.patches {
		files, lines = files+res.Patch.Judged, lines+res.Patch.Added
	}
	return len(t.images)+len(t.modules) == 0 && files > 0 && lines == 0
}

// found says how many findings of each severity there are: "3 errors, 2 warnings";
// "" for none.
func (t *tally) found() string {
	var parts []string
	for s := rules.Error; ; s-- {
		if n := t.bySeverity[s]; n > 0 {
			parts = append(parts, plural.Of(n, s.String()))
		}
		if s == rules.Note {
			break
		}
	}
	return strings.Join(parts, ", ")
}

// subject names what was judged. If full, a single kernel is described.
func (t *tally) subject(full bool) string {
	one := func(list []*finding.Result, of string) string {
		if len(list) > 1 {
			return plural.Of(len(list), of)
		}
		s := printable(list[0].Path)
		if full && list[0].Image != nil {
			s += identity(list[0].Image)
		}
		return s
	}
	var parts []string
	if len(t.patches) > 0 {
		parts = append(parts, one(t.patches, "input"))
	}
	if len(t.images) > 0 {
		parts = append(parts, one(t.images, "kernel"))
	}
	if len(t.modules) > 0 {
		parts = append(parts, one(t.modules, "module"))
	}
	switch {
	case len(parts) > 0:
		return strings.Join(parts, " and ")
	case len(t.unjudged) > 0:
		return one(t.unjudged, "input")
	}
	return "nothing"
}

// identity says in parentheses which kernel an image is; "" if nothing is known.
func identity(im *finding.ImageFacts) string {
	var parts []string
	if im.Release != "" {
		parts = append(parts, OneLine(im.Release))
	}
	if im.Era != "" && im.Module == nil {
		parts = append(parts, "era "+im.Era)
	}
	if im.BuildID != "" {
		parts = append(parts, "build ID "+shortID(im.BuildID))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// shortID is a build ID as people quote it: 12 digits.
func shortID(id string) string { return id[:min(12, len(id))] }
