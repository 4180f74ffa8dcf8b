package report

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/picture"
	"github.com/ftlint/ftlint/rules"
)

// The page is one file, which contains its style and script. Its
// Content-Security-Policy allows no others, and nothing is loaded. The page can
// be read without the script, which adds the search for a word and the like.
// Findings are written without a template, because there may be many.
//
//go:embed html/page.tmpl html/page.css html/page.js html/diff.tmpl html/diff.css
var htmlFiles embed.FS

var htmlTemplates = template.Must(template.New("page").Funcs(template.FuncMap{"code": codeHTML, "plural": plural.Of[int], "number": plural.Number[int]}).ParseFS(htmlFiles, "html/page.tmpl", "html/diff.tmpl"))

// htmlFile returns one of the page's parts.
func htmlFile(name string) string {
	b, err := htmlFiles.ReadFile("html/" + name)
	if err != nil {
		panic(err) // it is embedded
	}
	return string(b)
}

// A pageView is the content of the page, as the words that it shows.
type pageView struct {
	Title, Version string
	Date           string // "2026-11-28 13:05 UTC"; "" if none is given
	Verdict        *verdictView
	Kernels        *kernelsView // nil if no input is a kernel
	Counts         []severityCount
	Rules          []*ruleView // that ran, by ID
	Uncounted      int         // findings that do not count
	Shown          int         // findings
	Inputs         []*inputView
	Modules        *modulesView

	cards  []*card // errors first
	tree   sourceTree
	byRule map[string]*ruleView
}

// Several reports whether the page shows inputs one by one that are folded.
func (v *pageView) Several() bool { return len(v.Single()) > 1 }

// Class is the outcome of the rule as a style, Became as words.
func (rv *ruleView) Class() string {
	switch {
	case rv.Findings > 0:
		return rv.Severity
	case len(rv.Undec) > 0:
		return "warning"
	case rv.Passed > 0:
		return "good"
	}
	return "na"
}

// Became says what became of the rule, over all inputs.
func (rv *ruleView) Became() string {
	var parts []string
	if n := rv.Findings; n > 0 {
		parts = append(parts, plural.Of(n, "finding"))
		if rv.Shown != n {
			parts = append(parts, plural.Number(rv.Shown)+" of them in this report")
		}
	}
	for _, of := range []struct {
		n    int
		what string
	}{{rv.Undecided, "inconclusive"}, {rv.Passed, "passed"}, {rv.Uncounted, "known or suppressed"}, {rv.NotApp, "not applicable"}} {
		switch {
		case of.n == 0:
		case rv.Inputs == 1:
			parts = append(parts, of.what)
		default:
			parts = append(parts, of.what+" in "+plural.Of(of.n, "input"))
		}
	}
	return strings.Join(parts, ", ")
}

// Schema is the version of what the report's fields mean.
func (v *pageView) Schema() int { return SchemaVersion }

// Cards is the number of cards.
func (v *pageView) Cards() int { return len(v.cards) }

// A severityCount is the number of findings of a severity, those that several
// inputs share counted once.
type severityCount struct {
	Name string
	N    int
}

// A ruleView is a rule with its page and its outcome.
type ruleView struct {
	rules.Rule
	Anchor   string
	Severity string
	Findings int // found, of which Shown are on the page
	Shown    int
	Spots    int    // different findings on the page
	First    string // fragment of the first finding
	Page     template.HTML
	Undec    []string // inputs where it is undecided, and why

	// The inputs that the rule ran on, and of these those of each outcome.
	Inputs, Undecided, Passed, Uncounted, NotApp int
}

// An inputView is one input.
type inputView struct {
	Number   int
	Path     string
	Name     string // short, and different for each input
	Open     bool   // the page shows the input unfolded
	Became   string // "2 warnings; 1 rule inconclusive"
	Facts    []string
	Errors   []string
	Notes    []string
	Can      []finding.Capability
	Outcomes []outcomeView
	Image    *imageView

	res   *finding.Result
	at    map[uint64]string   // fragment of the line that shows an address
	lines picture.SourceLines // of what is drawn
}

// An outcomeView is an outcome and its rules. Rules without findings that have the
// same reason share one.
type outcomeView struct {
	Status, Mark string
	Rules        []ruleRef
	Why          string
}

type ruleRef struct {
	ID, Name, Anchor string
	N                int
}

type modulesView struct {
	Count, Callsites, Without, Unread int
	Outcomes                          []*ruleCount
	Notes                             []string // cases that did not run, and what was found that does not count
	List                              []moduleView
	Code                              []listingView
}

// Summary is what was read, in words.
func (m *modulesView) Summary() string {
	s := plural.Of(m.Count, "module") + ", " + plural.Of(m.Callsites, "callsite")
	if m.Without > 0 {
		s += ", " + plural.Of(m.Without, "module") + " without any"
	}
	return s
}

type moduleView struct {
	Path, Name, Shape, Note string
	Callsites, Findings     int
}

var (
	severities  = []string{"error", "warning", "note"}
	statuses    = []string{"findings", "inconclusive", "known", "suppressed", "passed", "not applicable"}
	statusMarks = map[string]string{"findings": "\u2715", "inconclusive": "?", "known": "=", "suppressed": "=", "passed": "\u2713", "not applicable": "\u2013"}
)

// writeHTML writes the page.
func writeHTML(w io.Writer, run *Run) error {
	v := newPageView(run)
	b := bufio.NewWriterSize(w, 64<<10)
	css := htmlFile("page.css") + v.filterStyle()
	js := htmlFile("page.js")
	page := htmlWriter{b}
	page.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n" +
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n" +
		"<meta http-equiv=\"Content-Security-Policy\" content=\"")
	page.text("default-src 'none'; img-src data:; style-src '" + hashOf(css) +
		"'; script-src '" + hashOf(js) + "'; base-uri 'none'; form-action 'none'")
	page.raw("\">\n<meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n<title>")
	page.text(v.Title)
	page.raw("</title>\n<style>")
	b.WriteString(css) // ours, with IDs of rules
	page.raw("</style>\n</head>\n")
	if err := htmlTemplates.ExecuteTemplate(b, "top", v); err != nil {
		return err
	}
	if err := v.writeFindings(page); err != nil {
		return err
	}
	if err := htmlTemplates.ExecuteTemplate(b, "rest", v); err != nil {
		return err
	}
	page.raw("<script>")
	b.WriteString(js)
	page.raw("</script>\n</body>\n</html>\n")
	return b.Flush()
}

// hashOf returns the name of a style or a script in a Content-Security-Policy.
func hashOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// clean returns s with escapes for what a browser cannot show or would show as
// something else: control characters, noncharacters, and characters that change
// the direction of the text after them.
func clean(s string) string {
	if isASCII(s) {
		return s
	}
	bad := func(r rune) bool {
		return unicode.IsControl(r) || r == unicode.ReplacementChar || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Noncharacter_Code_Point)
	}
	if !strings.ContainsFunc(s, bad) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == unicode.ReplacementChar || !bad(r):
			b.WriteRune(r)
		default:
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		}
	}
	return b.String()
}

// cleanSource returns a line of source for the page: tabs stay, and a long line is
// cut.
func cleanSource(line string) string { return cleanTabs(cutSource(line)) }

// cutSource returns a line of source without the blanks at its end. A long line is
// cut.
func cutSource(line string) string {
	const most = 300 // bytes that are shown
	line = strings.TrimRight(line, " \t\r")
	if len(line) > most {
		line = line[:most] + " ..."
	}
	return line
}

// cleanTabs is clean, but tabs stay.
func cleanTabs(line string) string {
	parts := strings.Split(line, "\t")
	for i := range parts {
		parts[i] = clean(parts[i])
	}
	return strings.Join(parts, "\t")
}

func newPageView(run *Run) *pageView {
	v := &pageView{Version: clean(run.Version), tree: sourceTree{root: run.SrcTree}, byRule: map[string]*ruleView{}}
	if !run.Date.IsZero() {
		v.Date = run.Date.UTC().Format("2006-01-02 15:04 UTC")
	}
	modules := 0
	for _, res := range run.Results {
		if res.IsModule {
			modules++
		}
		for _, r := range res.Rules {
			v.count(res, r)
		}
		for i := range res.Findings {
			v.rule(res.Findings[i].Rule).Shown++
		}
		v.Shown += len(res.Findings)
		v.Uncounted += len(res.Uncounted)
	}
	slices.SortFunc(v.Rules, func(a, b *ruleView) int { return cmp.Compare(a.ID, b.ID) })
	for _, r := range v.Rules {
		r.Page = rulePage(r.Rule)
	}
	byResult := map[*finding.Result]*inputView{}
	for _, res := range run.Results {
		in := &inputView{Number: len(v.Inputs) + 1, Path: clean(res.Path), res: res, at: map[uint64]string{}}
		v.Inputs = append(v.Inputs, in)
		byResult[res] = in
		v.fill(in, modules > 1)
	}
	if modules > 1 {
		v.gatherModules(run.Results)
	}
	if list := v.Single(); len(list) == 1 {
		list[0].Open = true
	}
	v.nameInputs()
	v.makeCards(run, byResult)
	v.Kernels = v.kernels()
	v.Verdict = v.verdict(run)
	v.Title = "ftlint: " + v.Verdict.Say
	if len(v.Inputs) == 1 {
		v.Title += " in " + v.Inputs[0].Path
	}
	return v
}

// count adds the outcome of a rule on an input to the view of the rule.
func (v *pageView) count(res *finding.Result, r finding.RuleRun) {
	rv := v.rule(r.Rule)
	rv.Findings += r.Findings
	rv.Inputs++
	status, why := Status(r)
	switch status {
	case "inconclusive":
		rv.Undecided++
	case "passed":
		rv.Passed++
	case "known", "suppressed":
		rv.Uncounted++
	case "not applicable":
		rv.NotApp++
	}
	if r.Status == finding.Inconclusive {
		const most = 20
		switch len(rv.Undec) {
		case most:
			rv.Undec = append(rv.Undec, "and more")
		case most + 1:
		default:
			rv.Undec = append(rv.Undec, clean(res.Path)+": "+clean(why))
		}
	}
}

// rule returns the view of a rule, and makes it if there is none yet.
func (v *pageView) rule(r rules.Rule) *ruleView {
	rv := v.byRule[r.ID]
	if rv == nil {
		rv = &ruleView{Rule: r, Anchor: anchor(r.ID), Severity: r.Severity.String()}
		rv.ID, rv.Name, rv.Title = clean(r.ID), clean(r.Name), clean(r.Title)
		v.byRule[r.ID] = rv
		v.Rules = append(v.Rules, rv)
	}
	return rv
}

// Single returns the inputs that the page shows one by one.
func (v *pageView) Single() (out []*inputView) {
	for _, in := range v.Inputs {
		if v.Modules != nil && in.res.IsModule || in.unread() {
			continue
		}
		out = append(out, in)
	}
	return out
}

// fill fills in the view of one input. many says that the page has many modules.
func (v *pageView) fill(in *inputView, many bool) {
	res := in.res
	for _, err := range res.Errors {
		in.Errors = append(in.Errors, clean(err.Error()))
	}
	for _, line := range NoteLines(res) {
		in.Notes = append(in.Notes, clean(line))
	}
	if len(res.Pictures) > 0 {
		v.draw(in)
	}
	if many && res.IsModule {
		return
	}
	lines := facts(res)
	if im := res.Image; im != nil && im.Version != "" {
		lines = append(lines, "version "+im.Version)
	}
	for _, line := range slices.Concat(lines, uncounted([]*finding.Result{res}, false), configLine(res)) {
		in.Facts = append(in.Facts, clean(line))
	}
	var t tally
	t.add(res)
	in.Became = joined("; ", t.found(), map[bool]string{true: "not judged in full"}[len(res.Errors) > 0])
	if n := len(t.inconclusive); n > 0 {
		in.Became = joined("; ", in.Became, plural.Of(n, "rule")+" inconclusive")
	}
	if in.Became == "" {
		in.Became = "nothing found"
	}
	if res.Image != nil {
		in.Can = res.Image.Capabilities
	}
	for _, status := range statuses {
		at := map[string]int{}
		for _, r := range res.Rules {
			s, why := Status(r)
			if s != status {
				continue
			}
			ref := ruleRef{ID: clean(r.Rule.ID), Name: clean(r.Rule.Name), Anchor: anchor(r.Rule.ID), N: r.Findings}
			if status == "passed" || status == "findings" && why == "" {
				why = r.Examined
			}
			why = joined("; ", why, notExecuted(r))
			i, ok := at[why]
			if !ok || status == "findings" {
				i = len(in.Outcomes)
				at[why] = i
				in.Outcomes = append(in.Outcomes, outcomeView{Status: status, Mark: statusMarks[status], Why: clean(why)})
			}
			in.Outcomes[i].Rules = append(in.Outcomes[i].Rules, ref)
		}
	}
}

// gatherModules makes one view of many modules.
func (v *pageView) gatherModules(results []*finding.Result) {
	m := &modulesView{Outcomes: countRules(results)}
	v.Modules = m
	for _, line := range slices.Concat(modulesSkipped(results), modulesUncounted(results, false)) {
		m.Notes = append(m.Notes, clean(line))
	}
	for i, res := range results {
		if !res.IsModule {
			continue
		}
		mv := moduleView{Path: v.Inputs[i].Path}
		m.Count++
		if res.Image == nil {
			m.Unread++
			mv.Note = strings.Join(v.Inputs[i].Errors, "; ")
			m.List = append(m.List, mv)
			continue
		}
		mv.Callsites = res.Image.Callsites
		m.Callsites += mv.Callsites
		if mv.Callsites == 0 {
			m.Without++
		}
		if f := res.Image.Module; f != nil {
			mv.Name, mv.Shape = clean(f.Name), f.Shape
			if f.Mismatch != nil {
				mv.Note = clean(f.Mismatch.Error())
			}
		}
		for _, r := range res.Rules {
			mv.Findings += r.Findings
		}
		m.List = append(m.List, mv)
		if im := v.Inputs[i].Image; im != nil {
			for _, list := range im.Code {
				list.Title = v.Inputs[i].Path + ": " + list.Title
				m.Code = append(m.Code, list)
			}
		}
	}
}

// ID and Name return those of the rule.
func (c *ruleCount) ID() string   { return clean(c.run.Rule.ID) }
func (c *ruleCount) Name() string { return clean(c.run.Rule.Name) }

// Anchor returns the end of the fragment of the rule.
func (c *ruleCount) Anchor() string { return anchor(c.run.Rule.ID) }

// Cells returns the figures of a row of the table.
func (c *ruleCount) Cells() []int {
	return []int{c.findings, c.in, c.passed, c.notApplicable, c.undecided}
}

// filterStyle returns the styles behind the check boxes of the filters. Findings
// whose box is not ticked are hidden, unless a link leads to them.
func (v *pageView) filterStyle() string {
	var hidden []string
	for _, s := range severities {
		hidden = append(hidden, fmt.Sprintf("body:has(#show-%s:not(:checked)) .f.%s:not(:target)", s, s))
	}
	for _, r := range v.Rules {
		if r.Spots > 0 {
			hidden = append(hidden, fmt.Sprintf("body:has(#show-%s:not(:checked)) .f.r-%s:not(:target)", r.Anchor, r.Anchor))
		}
	}
	return strings.Join(hidden, ",\n") + "{display:none}\n"
}

// anchor returns a rule's ID in a form for styles and fragments. IDs of the
// catalogue stay as they are; the ID of a user's check may have any characters.
func anchor(id string) string {
	if id != "" && !strings.ContainsFunc(id, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_')
	}) {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return fmt.Sprintf("X%x", sum[:4])
}

var markdown = goldmark.New(goldmark.WithExtensions(extension.Table))

// rulePage returns the page of a rule without its heading.
func rulePage(r rules.Rule) template.HTML {
	page, ok := r.Page()
	if !ok {
		return ""
	}
	page = strings.ReplaceAll(page, "<!-- example -->\n", "")
	if first, rest, ok := strings.Cut(page, "\n"); ok && strings.HasPrefix(first, "# ") {
		page = rest
	}
	source := []byte(page)
	doc := markdown.Parser().Parse(text.NewReader(source))
	_ = ast.Walk(doc, func(n ast.Node, in bool) (ast.WalkStatus, error) {
		if h, ok := n.(*ast.Heading); ok && in {
			h.Level += 2
		}
		return ast.WalkContinue, nil
	})
	var b bytes.Buffer
	if err := markdown.Renderer().Render(&b, source, doc); err != nil {
		return ""
	}
	return template.HTML(b.String()) // of our own page; raw HTML is left out
}
