package report

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/rules"
)

// markup is the type of constants that are HTML. A string from an input is not
// markup unless code converts it.
type markup string

// An htmlWriter writes markup as it is, and text with escapes.
type htmlWriter struct{ w *bufio.Writer }

func (p htmlWriter) raw(m markup) { p.w.WriteString(string(m)) }

func (p htmlWriter) text(s string) {
	if !strings.ContainsAny(s, "<>&\"'\x00") {
		p.w.WriteString(s)
		return
	}
	template.HTMLEscape(p.w, []byte(s))
}

// code writes text, with parts in backquotes as <code>.
func (p htmlWriter) code(s string) {
	for {
		before, rest, ok := strings.Cut(s, "`")
		inside, after, closed := strings.Cut(rest, "`")
		if !ok || !closed {
			p.text(s)
			return
		}
		p.text(before)
		p.raw("<code>")
		p.text(inside)
		p.raw("</code>")
		s = after
	}
}

// codeHTML returns what code writes.
func codeHTML(s string) template.HTML {
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	htmlWriter{w}.code(s)
	w.Flush()
	return template.HTML(b.String())
}

// A card is a finding on the page, with those that say the same of other places.
type card struct {
	rv    *ruleView
	spots []spot
	in    []*inputView // that have any of them
}

// A spot is one of a card's findings.
type spot struct {
	*finding.Finding
	id string       // fragment
	in []*inputView // that have it
}

// spotIn returns the first of the card's findings that an input has.
func (c *card) spotIn(in *inputView) *spot {
	i := slices.IndexFunc(c.spots, func(s spot) bool { return slices.Contains(s.in, in) })
	return &c.spots[i]
}

// makeCards makes the cards, those of errors first. Findings of one rule whose
// headlines differ in names and numbers alone share a card.
func (v *pageView) makeCards(run *Run, byResult map[*finding.Result]*inputView) {
	var list []shared
	if run.NoGroup {
		for _, res := range run.Results {
			for i := range res.Findings {
				list = append(list, shared{&res.Findings[i], []*finding.Result{res}})
			}
		}
		slices.SortStableFunc(list, func(a, b shared) int {
			return cmp.Or(cmp.Compare(b.Rule.Severity, a.Rule.Severity), strings.Compare(a.Rule.ID, b.Rule.ID))
		})
	} else {
		list = sharedFindings(run.Results)
	}
	type key struct {
		rule, says string
		severity   rules.Severity
	}
	at := map[key]*card{}
	ids := map[string]int{}
	for _, s := range list {
		rv := v.byRule[s.Rule.ID]
		k := key{s.Rule.ID, withoutNames(s.Headline), s.Rule.Severity}
		c := at[k]
		if c == nil {
			c = &card{rv: rv}
			at[k] = c
			v.cards = append(v.cards, c)
		}
		id := fragment(rv, s.Finding)
		if ids[id]++; ids[id] > 1 {
			id = fmt.Sprintf("%s-%d", id, ids[id])
		}
		rv.First = cmp.Or(rv.First, id)
		in := make([]*inputView, 0, len(s.in))
		for _, res := range s.in {
			in = append(in, byResult[res])
		}
		c.spots = append(c.spots, spot{s.Finding, id, in})
	}
	n := map[string]int{}
	for _, c := range v.cards {
		seen := map[*inputView]bool{}
		for _, s := range c.spots {
			for _, in := range s.in {
				if !seen[in] {
					seen[in] = true
					c.in = append(c.in, in)
				}
			}
		}
		n[c.spots[0].Rule.Severity.String()] += len(c.spots)
		c.rv.Spots += len(c.spots)
	}
	for _, s := range severities {
		v.Counts = append(v.Counts, severityCount{s, n[s]})
	}
}

// withoutNames returns a headline without what is in backquotes and without words
// that are names or numbers: those with a digit, an underscore or a parenthesis.
func withoutNames(headline string) string {
	var b strings.Builder
	for headline != "" {
		word, rest, _ := strings.Cut(headline, " ")
		if strings.HasPrefix(word, "`") {
			if _, after, closed := strings.Cut(headline[1:], "`"); closed {
				word, rest = "`", after
			}
		}
		if strings.ContainsAny(word, "`_()0123456789") {
			word = "\u2026"
		}
		b.WriteString(word)
		b.WriteByte(' ')
		headline = rest
	}
	return b.String()
}

// fragment returns the name of a finding in the page. Reports of other builds of
// the kernel have the same name.
func fragment(rv *ruleView, f *finding.Finding) string {
	return rv.Anchor + "-" + f.Identity.Fingerprint()[:16]
}

// contextLines is the number of lines that are shown before and after the source
// line of a card's first finding.
const contextLines = 2

// fewSpots is the number of a card's other findings that are shown unfolded.
const fewSpots = 4

// writeFindings writes the cards, and how many findings have no card.
func (v *pageView) writeFindings(p htmlWriter) error {
	for _, c := range v.cards {
		if err := v.writeCard(p, c); err != nil {
			return err
		}
	}
	shown := map[string]int{} // by rule, in modules
	var results []*finding.Result
	for _, in := range v.Inputs {
		results = append(results, in.res)
		if !in.res.IsModule {
			kept := byRule(in.res)
			for _, r := range in.res.Rules {
				v.writeMore(p, in, r.Findings-len(kept[r.Rule.ID]), r.Rule, notInReport)
			}
			continue
		}
		for i := range in.res.Findings {
			shown[in.res.Findings[i].Rule.ID]++
		}
	}
	for _, c := range countRules(results) {
		v.writeMore(p, nil, c.findings-shown[c.run.Rule.ID], c.run.Rule, "in modules "+notInReport)
	}
	return nil
}

const notInReport = "are not in this report"

// writeMore writes that n findings of a rule are not in the report, if n is
// positive. in is the input that has them; nil for several.
func (v *pageView) writeMore(p htmlWriter, in *inputView, n int, r rules.Rule, what string) {
	if n <= 0 {
		return
	}
	p.raw("<p class=\"more\">")
	if in != nil && len(v.Inputs) > 1 {
		p.text(in.Name + ": ")
	}
	p.text(clean(more(n, r, what) + "."))
	p.raw("</p>\n")
}

// writeCard writes a card: headline, places, source, evidence, fix, the picture
// that explains the finding, the other findings.
func (v *pageView) writeCard(p htmlWriter, c *card) error {
	first := &c.spots[0]
	f, in := first.Finding, first.in[0]
	severity := markup(f.Rule.Severity.String())
	p.raw("<article class=\"f ")
	p.raw(severity)
	p.raw(" r-")
	p.text(c.rv.Anchor)
	p.raw("\" id=\"")
	p.text(first.id)
	p.raw("\">\n<h3><span class=\"sev\">")
	p.raw(severity)
	p.raw("</span> ")
	p.code(clean(f.Headline))
	if n := len(c.spots); n > 1 {
		p.raw(" <span class=\"badge\">")
		p.text(plural.Of(n, "finding"))
		p.raw("</span>")
	}
	p.raw("</h3>\n<p class=\"of\"><a href=\"#rule-")
	p.text(c.rv.Anchor)
	p.raw("\">")
	p.text(c.rv.ID + " " + c.rv.Name)
	p.raw("</a> <a class=\"self\" href=\"#")
	p.text(first.id)
	p.raw("\" aria-label=\"link to this finding\">#</a></p>\n<p class=\"at\">")
	fig := in.figure(f.Rule)
	v.writePlace(p, first, fig)
	p.raw("</p>\n")
	v.writeInputs(p, first.in)
	v.writeSource(p, f)
	if len(f.Evidence) > 0 {
		p.raw("<ul class=\"evidence\" aria-label=\"Evidence\">")
		for _, fact := range f.Evidence {
			p.raw("<li>")
			p.code(clean(fact))
			p.raw("</li>")
		}
		p.raw("</ul>\n")
	}
	if f.Fix != "" {
		p.raw("<p class=\"fix\"><b>Fix</b> ")
		p.code(clean(f.Fix))
		p.raw("</p>\n")
	}
	writeRelated(p, first)
	if err := fig.write(p, first.id); err != nil {
		return err
	}
	v.writeSpots(p, c)
	p.raw("</article>\n")
	return nil
}

// writePlace writes where a finding is, with links to what shows it.
func (v *pageView) writePlace(p htmlWriter, s *spot, fig *figure) {
	p.raw("<b>")
	p.text(clean(whereabouts(s.Place)))
	p.raw("</b>")
	if own := ownLine(s.Finding); own != "" {
		p.text(", " + clean(own))
	}
	for _, code := range []string{s.Symbol, s.Insn} {
		if code != "" {
			p.raw(" <code>")
			p.text(clean(code))
			p.raw("</code>")
		}
	}
	writeListingLink(p, s.in[0], s.Addr)
	if fig != nil {
		p.raw(" <a href=\"#")
		p.text(fig.to)
		p.raw("\">")
		p.text(fig.what)
		p.raw("</a>")
	}
}

// writeListingLink writes a link to the line of a listing that shows an address,
// if one does.
func writeListingLink(p htmlWriter, in *inputView, addr uint64) {
	if at := in.at[addr]; at != "" && addr != 0 {
		p.raw(" <a href=\"#")
		p.text(at)
		p.raw("\">listing</a>")
	}
}

// writeInputs writes which inputs have a finding, if the page is about several.
func (v *pageView) writeInputs(p htmlWriter, in []*inputView) {
	const few = 12
	if len(v.Inputs) < 2 {
		return
	}
	p.raw("<p class=\"in\">in ")
	if len(in) > 1 {
		p.text(v.inWords(in))
		p.raw(": ")
	}
	for i, one := range in {
		if i > 0 {
			p.raw(", ")
		}
		if i == few && len(in) > few+1 {
			p.text("and " + plural.Number(len(in)-few) + " more")
			break
		}
		p.raw("<a href=\"#")
		p.text(v.sectionOf(one))
		p.raw("\">")
		p.text(one.Name)
		p.raw("</a>")
	}
	p.raw("</p>\n")
}

// writeRelated writes the other places that a finding names.
func writeRelated(p htmlWriter, s *spot) {
	related := slices.DeleteFunc(slices.Clone(s.Related), func(r finding.Related) bool { return r.Same }) // ownLine says it
	if len(related) == 0 {
		return
	}
	p.raw("<ul class=\"related\">")
	for _, r := range related {
		p.raw("<li><b>")
		p.text(clean(whereabouts(r.Place)))
		p.raw("</b> ")
		p.code(clean(r.Message))
		writeListingLink(p, s.in[0], r.Addr)
		p.raw("</li>")
	}
	p.raw("</ul>\n")
}

// writeSpots writes the findings of a card after its first.
func (v *pageView) writeSpots(p htmlWriter, c *card) {
	rest := c.spots[1:]
	if len(rest) == 0 {
		return
	}
	p.raw("<h4>The same at</h4>\n<ul class=\"spots\">\n")
	for i := range rest {
		if i == fewSpots && len(rest) > fewSpots+1 {
			p.raw("</ul>\n<details><summary>")
			p.text(plural.Number(len(rest)-fewSpots) + " more")
			p.raw("</summary><ul class=\"spots\">\n")
		}
		v.writeSpot(p, &c.spots[0], &rest[i])
	}
	p.raw("</ul>")
	if len(rest) > fewSpots+1 {
		p.raw("</details>")
	}
	p.raw("\n")
}

// writeSpot writes a finding in few lines: what it has that the first of its card
// does not have.
func (v *pageView) writeSpot(p htmlWriter, first, s *spot) {
	p.raw("<li id=\"")
	p.text(s.id)
	p.raw("\">")
	v.writePlace(p, s, nil)
	if s.Headline != first.Headline {
		p.raw(": ")
		p.code(clean(s.Headline))
	}
	if s.Fix != first.Fix && s.Fix != "" {
		p.raw(" <span class=\"fix\"><b>Fix</b> ")
		p.code(clean(s.Fix))
		p.raw("</span>")
	}
	v.writeInputs(p, s.in)
	if line, ok := v.sourceOf(s.Finding); ok {
		p.raw("<pre>")
		p.text(fmt.Sprintf("%6d  %s", s.Line, cleanSource(line)))
		p.raw("</pre>")
	}
	facts := slices.DeleteFunc(slices.Clone(s.Evidence), func(fact string) bool { return slices.Contains(first.Evidence, fact) })
	if len(facts) > 0 {
		p.raw("<ul class=\"evidence\" aria-label=\"Evidence\">")
		for _, fact := range facts {
			p.raw("<li>")
			p.code(clean(fact))
			p.raw("</li>")
		}
		p.raw("</ul>")
	}
	writeRelated(p, s)
	p.raw("</li>\n")
}

// whereabouts returns a place, without the path of the input if there is an
// address.
func whereabouts(p finding.Place) string {
	switch {
	case p.Line > 0:
		return position(p)
	case p.Addr != 0:
		return fmt.Sprintf("%#x", p.Addr)
	}
	return position(p)
}

// sourceOf returns the text of a finding's line. ok is false if it is not known.
func (v *pageView) sourceOf(f *finding.Finding) (line string, ok bool) {
	if f.Source != "" {
		return f.Source, true
	}
	return v.tree.line(f.Path, f.Line)
}

// writeSource writes the source line of a finding, with what is meant marked, and
// the lines around it.
func (v *pageView) writeSource(p htmlWriter, f *finding.Finding) {
	line, ok := v.sourceOf(f)
	if !ok {
		return
	}
	around := contextLines
	if f.Source != "" {
		around = 0
	}
	p.raw("<pre class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"source\">")
	for n := f.Line - around; n <= f.Line+around; n++ {
		s, ok := line, true
		if n != f.Line {
			s, ok = v.tree.line(f.Path, n)
		}
		if !ok {
			continue
		}
		if n == f.Line {
			p.text(fmt.Sprintf("%6d  ", n))
			writeMeant(p, f.Place, cutSource(line))
			continue
		}
		p.text(fmt.Sprintf("%6d  %s\n", n, cleanSource(s)))
	}
	p.raw("</pre>\n")
}

// writeMeant writes a line of source, with the part that a place means marked.
func writeMeant(p htmlWriter, at finding.Place, line string) {
	before, code := meant(line, at.Col, at.EndCol)
	after, ok := strings.CutPrefix(line, before+code)
	if !ok { // bytes that are not UTF-8 were left out
		before, code, after = "", line, ""
	}
	p.text(cleanTabs(before))
	p.raw("<mark>")
	p.text(cleanTabs(code))
	p.raw("</mark>")
	p.text(cleanTabs(after))
	p.raw("\n")
}
