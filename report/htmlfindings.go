package report

import (
	"bufio"
	"bytes"
	"fmt"
	"html/template"
	"strings"

	"github.com/ftlint/ftlint/finding"
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

// contextLines is the number of lines that are shown before and after a finding's
// source line if there are at most fewFindings.
const (
	contextLines = 2
	fewFindings  = 500
)

// writeFindings writes the findings, by input.
func (v *pageView) writeFindings(p htmlWriter) {
	seen := map[string]int{}
	for _, in := range v.Inputs {
		if len(in.res.Findings) == 0 {
			continue
		}
		if len(v.Inputs) > 1 {
			p.raw("<h3>")
			p.text(in.Path)
			p.raw("</h3>\n")
		}
		for i := range in.res.Findings {
			f := &in.res.Findings[i]
			id := v.fragment(f)
			if seen[id]++; seen[id] > 1 {
				id = fmt.Sprintf("%s-%d", id, seen[id])
			}
			v.writeFinding(p, in, f, id)
		}
		kept := byRule(in.res)
		for _, r := range in.res.Rules {
			if !in.res.IsModule {
				moreHTML(p, r.Findings-len(kept[r.Rule.ID]), r.Rule, notInReport)
			}
		}
	}
	shown := map[string]int{} // by rule, in modules
	var results []*finding.Result
	for _, in := range v.Inputs {
		results = append(results, in.res)
		for i := range in.res.Findings {
			if in.res.IsModule {
				shown[in.res.Findings[i].Rule.ID]++
			}
		}
	}
	for _, c := range countRules(results) {
		moreHTML(p, c.findings-shown[c.run.Rule.ID], c.run.Rule, "in modules "+notInReport)
	}
}

const notInReport = "are not in this report"

// moreHTML writes that n findings of a rule are not in the report, if n is
// positive.
func moreHTML(p htmlWriter, n int, r rules.Rule, what string) {
	if n > 0 {
		p.raw("<p class=\"more\">")
		p.text(clean(more(n, r, what) + "."))
		p.raw("</p>\n")
	}
}

// fragment returns the name of a finding in the page. Reports of other builds of
// the kernel have the same name.
func (v *pageView) fragment(f *finding.Finding) string {
	return v.byRule[f.Rule.ID].Anchor + "-" + f.Identity.Fingerprint()[:16]
}

func (v *pageView) writeFinding(p htmlWriter, in *inputView, f *finding.Finding, id string) {
	rv := v.byRule[f.Rule.ID]
	if rv.First == "" {
		rv.First = id
	}
	severity := markup(f.Rule.Severity.String())
	p.raw("<article class=\"f ")
	p.raw(severity)
	p.raw(" r-")
	p.text(rv.Anchor)
	p.raw("\" id=\"")
	p.text(id)
	p.raw("\"><h4><span class=\"sev\">")
	p.raw(severity)
	p.raw("</span> <a href=\"#rule-")
	p.text(rv.Anchor)
	p.raw("\">")
	p.text(rv.ID)
	p.raw(" ")
	p.text(rv.Name)
	p.raw("</a> <a class=\"self\" href=\"#")
	p.text(id)
	p.raw("\" title=\"a link to this finding\">#</a></h4>\n<p class=\"at\"><b>")
	p.text(clean(whereabouts(f.Place)))
	p.raw("</b>")
	if f.Symbol != "" {
		p.raw(" <code>")
		p.text(clean(f.Symbol))
		p.raw("</code>")
	}
	if f.Insn != "" {
		p.raw(" <code>")
		p.text(clean(f.Insn))
		p.raw("</code>")
	}
	if at := in.at[f.Addr]; at != "" && f.Addr != 0 {
		p.raw(" <a href=\"#")
		p.text(at)
		p.raw("\">listing</a>")
	}
	if to, what := in.picture(f.Rule); to != "" {
		p.raw(" <a href=\"#")
		p.text(to)
		p.raw("\">")
		p.text(what)
		p.raw("</a>")
	}
	p.raw("</p>\n<p>")
	p.code(clean(f.Headline))
	p.raw("</p>\n")
	v.writeProof(p, f)
	v.writeSource(p, f)
	if len(f.Related) > 0 {
		p.raw("<ul>")
		for _, r := range f.Related {
			p.raw("<li><b>")
			p.text(clean(whereabouts(r.Place)))
			p.raw("</b> ")
			p.code(clean(r.Message))
			if at := in.at[r.Addr]; at != "" && r.Addr != 0 {
				p.raw(" <a href=\"#")
				p.text(at)
				p.raw("\">listing</a>")
			}
			p.raw("</li>")
		}
		p.raw("</ul>\n")
	}
	p.raw("</article>\n")
}

// writeProof writes the evidence of a finding and its fix.
func (v *pageView) writeProof(p htmlWriter, f *finding.Finding) {
	if len(f.Evidence) > 0 {
		p.raw("<ul class=\"evidence\">")
		for _, fact := range f.Evidence {
			p.raw("<li>")
			p.code(clean(fact))
			p.raw("</li>")
		}
		p.raw("</ul>\n")
	}
	if f.Fix != "" {
		p.raw("<p class=\"fix\"><b>Fix:</b> ")
		p.code(clean(f.Fix))
		p.raw("</p>\n")
	}
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

// writeSource writes the source line of a finding and the lines around it.
func (v *pageView) writeSource(p htmlWriter, f *finding.Finding) {
	line, around := f.Source, 0
	if line == "" {
		var ok bool
		if line, ok = v.tree.line(f.Path, f.Line); !ok {
			return
		}
		if v.Shown <= fewFindings {
			around = contextLines
		}
	}
	p.raw("<pre>")
	for n := f.Line - around; n <= f.Line+around; n++ {
		s, ok := line, true
		if n != f.Line {
			s, ok = v.tree.line(f.Path, n)
		}
		if !ok {
			continue
		}
		if n == f.Line {
			p.raw("<mark>")
		}
		p.text(fmt.Sprintf("%6d  ", n))
		p.text(cleanSource(s))
		if n == f.Line {
			p.raw("</mark>")
		}
		p.raw("\n")
	}
	p.raw("</pre>\n")
}
