package report

import (
	"cmp"
	"fmt"
	"math"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/rules"
)

// A verdictView is what the page says first: what came of the run.
type verdictView struct {
	Class, Mark string // of the gravest that there is to say
	Say         string // "3 errors, 1 warning"
	Of          string // "in vmlinux (6.12.9, era callops, build ID 1a2b3c4d5e6f), built by gcc"
	Distinct    string // how many different findings there are, if several inputs share some
	Alerts      []alert
	MoreAlerts  int    // that are not shown here
	Undecided   []link // rules
	Passed      []link // rules; none unless nothing was found
	Top         []topView
	MoreTop     string // says how many cards follow those of Top; "" for none
	Uncounted   string
}

// An alert says why an input, or the run, could not be judged in full.
type alert struct{ Name, Href, Text string }

// A link leads to a place in the page; Href "" to none.
type link struct{ Text, Title, Href string }

// A topView is a card in one line.
type topView struct {
	Severity, Headline, Href, Where string
}

const (
	maxAlerts = 8
	maxTop    = 8
)

// verdict sums the run up.
func (v *pageView) verdict(run *Run) *verdictView {
	var t tally
	for _, in := range v.Inputs {
		t.add(in.res)
	}
	vv := &verdictView{Undecided: v.ruleLinks(t.inconclusive)}
	if t.judged() > 0 {
		vv.Of = "in " + t.subject(true)
	}
	if list := t.images; len(list) == 1 && list[0].Image.Compiler != "" {
		vv.Of += ", built by " + clean(list[0].Image.Compiler)
	}
	vv.say(&t, len(run.Errors) > 0)
	for _, err := range run.Errors {
		vv.Alerts = append(vv.Alerts, alert{Text: clean(err.Error())})
	}
	for _, in := range v.Inputs {
		for _, text := range in.Errors {
			vv.Alerts = append(vv.Alerts, alert{in.Name, v.sectionOf(in), strings.TrimPrefix(text, in.Path+": ")})
		}
	}
	if n := len(vv.Alerts); n > maxAlerts {
		vv.Alerts, vv.MoreAlerts = vv.Alerts[:maxAlerts], n-maxAlerts
	}
	if t.found() == "" {
		vv.Passed = v.ruleLinks(t.passed)
	}
	if t.known+t.suppressed > 0 {
		vv.Uncounted = plural.Number(t.known+t.suppressed) + " known or suppressed, not shown"
	}
	v.top(vv)
	return vv
}

// say fills in the words and how grave they are. lost says that something of the
// run could not be judged.
func (vv *verdictView) say(t *tally, lost bool) {
	found, unread, undecided := t.found(), "", ""
	rest := plural.Of(len(t.passed), "rule") + " passed"
	if t.callsites > 0 {
		rest += ", " + plural.Of(t.callsites, "callsite")
	}
	switch {
	case t.unread > 0 && t.partly():
		unread = plural.Of(t.unread, "input") + " could not be judged in full"
	case t.unread > 0:
		unread = plural.Of(t.unread, "input") + " could not be read"
	case lost:
		unread = "not all could be judged"
	}
	if n := len(t.inconclusive); n > 0 {
		undecided = plural.Of(n, "rule") + " inconclusive"
	}
	all := joined("; ", cmp.Or(found, "nothing found, "+rest), unread, undecided)
	switch {
	case t.judged() == 0:
		vv.Class, vv.Mark, vv.Say = "error", "\u2715", joined("; ", "nothing was judged", unread)
	case t.bySeverity[rules.Error] > 0:
		vv.Class, vv.Mark, vv.Say = "error", "\u2715", all
	case unread != "":
		vv.Class, vv.Mark, vv.Say = "error", "\u2715", joined("; ", unread, cmp.Or(found, "nothing found in the rest, "+rest), undecided)
	case t.bySeverity[rules.Warning] > 0:
		vv.Class, vv.Mark, vv.Say = "warning", "!", all
	case undecided != "":
		vv.Class, vv.Mark, vv.Say = "warning", "?", all
	case found != "":
		vv.Class, vv.Mark, vv.Say = "note", "i", all
	case len(t.passed) == 0 && t.known+t.suppressed == 0:
		vv.Class, vv.Mark, vv.Say = "note", "\u2013", "nothing to judge, no rule applies"
	case t.addsNothing():
		vv.Class, vv.Mark, vv.Say = "note", "\u2013", "no line added to judge: "+rest
	default:
		vv.Class, vv.Mark, vv.Say = "good", "\u2713", "clean: "+rest
	}
	vv.Say = strings.ToUpper(vv.Say[:1]) + vv.Say[1:]
}

// partly reports whether an input was judged in part.
func (t *tally) partly() bool {
	return slices.ContainsFunc(slices.Concat(t.images, t.modules, t.patches), func(res *finding.Result) bool {
		return len(res.Errors) > 0
	})
}

// top lists the first cards, unless the only one follows anyway.
func (v *pageView) top(vv *verdictView) {
	findings := 0
	for _, c := range v.cards {
		findings += len(c.spots)
	}
	if v.Shown > findings {
		vv.Distinct = plural.Of(findings, "different finding")
	}
	const few = 3 // cards, which need no list
	if len(v.cards) < few {
		return
	}
	for _, c := range v.cards[:min(maxTop, len(v.cards))] {
		f := c.spots[0].Finding
		where := whereabouts(f.Place)
		if n := len(c.spots) - 1; n > 0 {
			where += " and " + plural.Number(n) + " more"
		}
		if len(v.Inputs) > 1 {
			where += ", in " + v.inWords(c.in)
		}
		vv.Top = append(vv.Top, topView{f.Rule.Severity.String(), clean(f.Headline), c.spots[0].id, clean(where)})
	}
	if n := len(v.cards) - len(vv.Top); n > 0 {
		vv.MoreTop = "and " + plural.Number(n) + " more below"
	}
}

// ruleLinks returns links to rules, by ID.
func (v *pageView) ruleLinks(ids []string) (out []link) {
	ids = slices.Sorted(slices.Values(ids))
	for _, id := range ids {
		rv := v.byRule[id]
		out = append(out, link{rv.ID, rv.Name + ": " + rv.Title, "rule-" + rv.Anchor})
	}
	return out
}

// inWords names inputs: one by its name, several by their number.
func (v *pageView) inWords(in []*inputView) string {
	if len(in) == 1 {
		return in[0].Name
	}
	what := "input"
	switch {
	case !slices.ContainsFunc(in, func(in *inputView) bool { return !in.isKernel() }):
		what = "kernel"
	case !slices.ContainsFunc(in, func(in *inputView) bool { return !in.res.IsModule }):
		what = "module"
	}
	all := ""
	if len(in) == len(v.Inputs) {
		all = "all "
	}
	return all + plural.Of(len(in), what)
}

// isKernel reports whether the input is a kernel, or is nothing that could be read.
func (in *inputView) isKernel() bool { return !in.res.IsModule && in.res.Patch == nil }

// unread reports whether there is nothing to say of an input but its errors.
func (in *inputView) unread() bool { return in.res.Image == nil && in.res.Patch == nil }

// sectionOf returns the fragment of the part of the page about an input; "" if it
// has none.
func (v *pageView) sectionOf(in *inputView) string {
	switch {
	case v.Modules != nil && in.res.IsModule:
		return "modules"
	case in.unread():
		return ""
	}
	return fmt.Sprintf("input-%d", in.Number)
}

// A kernelsView is the table of kernels.
type kernelsView struct {
	Rows  []kernelView
	Paths string // what all paths have around the names of the rows; "" for nothing
}

// A kernelView is a kernel in one line.
type kernelView struct {
	Kernel                               link
	Release, Built, Era, Callsites       string
	BuildID                              string
	Errors, Warnings, Notes, Undecided   link // numbers
	Unread                               bool
	grave                                [3]int // for the order of rows
	AnyErrors, AnyWarnings, AnyUndecided bool
}

// kernels makes the table of kernels, the worst first; nil if there is none.
func (v *pageView) kernels() *kernelsView {
	kv := &kernelsView{}
	for _, in := range v.Inputs {
		res := in.res
		if !in.isKernel() {
			continue
		}
		row := kernelView{Kernel: link{in.Name, in.Path, v.sectionOf(in)}}
		if res.Image == nil {
			row.Unread = true
			row.grave[0] = math.MaxInt
			kv.Rows = append(kv.Rows, row)
			continue
		}
		var t tally
		t.add(res)
		row.Built = buildDate(res.Image.Version)
		row.BuildID = cmp.Or(shortID(clean(res.Image.BuildID)), "?")
		row.Release, row.Era, row.Callsites = cmp.Or(clean(res.Image.Release), "?"), res.Image.Era, plural.Number(res.Image.Callsites)
		cell := func(s rules.Severity) link {
			l := link{Text: plural.Number(t.bySeverity[s])}
			if i := slices.IndexFunc(v.cards, func(c *card) bool { return c.rv.Rule.Severity == s && slices.Contains(c.in, in) }); i >= 0 {
				l.Href = v.cards[i].spotIn(in).id
			}
			return l
		}
		row.Errors, row.Warnings, row.Notes = cell(rules.Error), cell(rules.Warning), cell(rules.Note)
		row.Undecided = link{Text: plural.Number(len(t.inconclusive))}
		if len(t.inconclusive) > 0 {
			row.Undecided.Href = fmt.Sprintf("outcomes-%d", in.Number)
		}
		row.grave = [3]int{t.bySeverity[rules.Error], t.bySeverity[rules.Warning], len(t.inconclusive)}
		row.AnyErrors, row.AnyWarnings, row.AnyUndecided = t.bySeverity[rules.Error] > 0, t.bySeverity[rules.Warning] > 0, len(t.inconclusive) > 0
		kv.Rows = append(kv.Rows, row)
	}
	if !slices.ContainsFunc(kv.Rows, func(row kernelView) bool { return !row.Unread }) {
		return nil
	}
	slices.SortStableFunc(kv.Rows, func(a, b kernelView) int { return slices.Compare(b.grave[:], a.grave[:]) })
	if len(kv.Rows) > 1 {
		var paths []string
		for _, row := range kv.Rows {
			paths = append(paths, row.Kernel.Title)
		}
		if _, before, after := shortNames(paths); before != "" || after != "" {
			kv.Paths = before + "\u2026" + after
		}
	}
	return kv
}

// isoDate is a date as Debian writes it into a kernel's version.
var isoDate = regexp.MustCompile(`\b\d{4}-\d\d-\d\d\b`)

// buildDate returns the date in the version of a kernel's build, as 2025-01-02; "?"
// if there is none.
func buildDate(version string) string {
	if date := isoDate.FindString(version); date != "" {
		return date
	}
	const unixDate = 6 // words, at the end
	words := strings.Fields(version)
	if len(words) >= unixDate {
		if t, err := time.Parse("Mon Jan 2 15:04:05 MST 2006", strings.Join(words[len(words)-unixDate:], " ")); err == nil {
			return t.Format(time.DateOnly)
		}
	}
	return "?"
}

// nameInputs gives each input a short name.
func (v *pageView) nameInputs() {
	var kernels []string
	for _, in := range v.Inputs {
		in.Name = in.Path
		if in.isKernel() {
			kernels = append(kernels, in.Path)
		}
		if m := in.res.Image; in.res.IsModule && m != nil && m.Module != nil && m.Module.Name != "" {
			in.Name = clean(m.Module.Name)
		}
	}
	names, _, _ := shortNames(kernels)
	if len(kernels) == 1 {
		names[0] = path.Base(names[0])
	}
	for _, in := range v.Inputs {
		if in.isKernel() {
			in.Name, names = names[0], names[1:]
		}
	}
}

// shortNames returns paths without the folders that all of them begin with, and
// without the names that all of them end with: these are before and after. One
// path alone stays as it is.
func shortNames(paths []string) (names []string, before, after string) {
	if len(paths) < 2 {
		return paths, "", ""
	}
	var split [][]string
	shortest := -1
	for _, path := range paths {
		parts := strings.Split(path, "/")
		split = append(split, parts)
		if shortest < 0 || len(parts) < shortest {
			shortest = len(parts)
		}
	}
	same := func(at func(parts []string) string) bool {
		return !slices.ContainsFunc(split, func(parts []string) bool { return at(parts) != at(split[0]) })
	}
	head, tail := 0, 0
	for head < shortest-1 && same(func(parts []string) string { return parts[head] }) {
		head++
	}
	for head+tail < shortest-1 && same(func(parts []string) string { return parts[len(parts)-1-tail] }) {
		tail++
	}
	first := split[0]
	if head == 1 && first[0] == "" { // the root alone
		head = 0
	}
	if head > 0 {
		before = strings.Join(first[:head], "/") + "/"
	}
	if tail > 0 {
		after = "/" + strings.Join(first[len(first)-tail:], "/")
	}
	for _, parts := range split {
		names = append(names, strings.Join(parts[head:len(parts)-tail], "/"))
	}
	return names, before, after
}
