package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/finding"
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
		also += fmt.Sprintf("; %s inconclusive (%s)", count(len(t.inconclusive), "rule", "rules"), fewIDs(t.inconclusive))
	}
	switch {
	case t.unread > 0:
		also += fmt.Sprintf("; %s not be judged in full", count(t.unread, "input could", "inputs could"))
	case len(errs) > 0:
		also += "; not all could be judged in full"
	}
	if t.known > 0 {
		also += fmt.Sprintf("; %d known", t.known)
	}
	if t.suppressed > 0 {
		also += fmt.Sprintf("; %d suppressed", t.suppressed)
	}
	if found := t.found(); found != "" {
		return found + " in " + t.subject(true) + also
	}
	rest := count(len(t.passed), "rule", "rules") + " passed"
	if t.callsites > 0 {
		rest += ", " + counted(t.callsites, "callsite", "callsites")
	}
	switch {
	case t.judged == 0:
		return t.subject(false) + ": not judged" + also
	case len(t.passed)+len(t.inconclusive) == 0 && t.known+t.suppressed == 0:
		return t.subject(false) + ": nothing to judge, no rule applies" + also
	case t.unread > 0 || len(errs) > 0 || len(t.inconclusive) > 0:
		return t.subject(false) + ": nothing found, " + rest + also
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
	images, modules, patches []*finding.Result
	judged, unread           int
	bySeverity               [rules.Error + 1]int
	known, suppressed        int
	callsites                int
	passed, inconclusive     []string // rules, by ID
}

func (t *tally) add(res *finding.Result) {
	switch {
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
	if res.Image != nil || res.Patch != nil {
		t.judged++
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

// found says how many findings of each severity there are: "3 errors, 2 warnings";
// "" for none.
func (t *tally) found() string {
	var parts []string
	for s := rules.Error; ; s-- {
		if n := t.bySeverity[s]; n > 0 {
			parts = append(parts, counted(n, s.String(), s.String()+"s"))
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
			return counted(len(list), "", of)
		}
		s := printable(list[0].Path)
		if full && list[0].Image != nil {
			s += identity(list[0].Image)
		}
		return s
	}
	var parts []string
	if len(t.patches) > 0 {
		parts = append(parts, one(t.patches, "inputs"))
	}
	if len(t.images) > 0 {
		parts = append(parts, one(t.images, "kernels"))
	}
	if len(t.modules) > 0 {
		parts = append(parts, one(t.modules, "modules"))
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, " and ")
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

// counted is count with commas in the number: "44,011 callsites".
func counted(n int, one, many string) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	what := many
	if n == 1 && one != "" {
		what = one
	}
	return digits + " " + what
}
