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
//go:embed html/page.tmpl html/page.css html/page.js
var htmlFiles embed.FS

var htmlTemplates = template.Must(template.New("page").Funcs(template.FuncMap{"code": codeHTML}).ParseFS(htmlFiles, "html/page.tmpl"))

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
	Title     string
	Version   string
	Counts    []severityCount
	Rules     []*ruleView // that have findings or are undecided
	Passed    int         // outcomes, over all inputs
	NotApp    int
	Undec     int
	Uncounted int      // findings that do not count
	Shown     int      // findings
	Errors    []string // about no single input
	Inputs    []*inputView
	Modules   *modulesView

	tree   sourceTree
	byRule map[string]*ruleView
}

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
	First    string // fragment of the first finding
	Page     template.HTML
	Undec    []string // inputs where it is undecided, and why
}

// An inputView is one input.
type inputView struct {
	Number   int
	Path     string
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
	Page             bool // it has a page here
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
	v.writeFindings(page)
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
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		plain = ' ' <= s[i] && s[i] <= '~'
	}
	if plain { // nearly all texts are
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
func cleanSource(line string) string {
	const most = 300 // bytes that are shown
	line = strings.TrimRight(line, " \t\r")
	if len(line) > most {
		line = line[:most] + " ..."
	}
	parts := strings.Split(line, "\t")
	for i := range parts {
		parts[i] = clean(parts[i])
	}
	return strings.Join(parts, "\t")
}

func newPageView(run *Run) *pageView {
	v := &pageView{Version: clean(run.Version), tree: sourceTree{root: run.SrcTree}, byRule: map[string]*ruleView{}}
	for _, err := range run.Errors {
		v.Errors = append(v.Errors, clean(err.Error()))
	}
	n := map[string]int{}
	modules := 0
	for _, res := range run.Results {
		if res.IsModule {
			modules++
		}
		for _, f := range res.Findings {
			v.rule(f.Rule).Shown++
		}
		for _, r := range res.Rules {
			n[r.Rule.Severity.String()] += r.Findings
			status, why := Status(r)
			switch status {
			case "passed":
				v.Passed++
			case "not applicable":
				v.NotApp++
			case "inconclusive":
				v.Undec++
			}
			if r.Findings > 0 {
				v.rule(r.Rule).Findings += r.Findings
			}
			if r.Status == finding.Inconclusive {
				rv := v.rule(r.Rule)
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
		v.Shown += len(res.Findings)
		v.Uncounted += len(res.Uncounted)
	}
	for _, s := range severities {
		v.Counts = append(v.Counts, severityCount{s, n[s]})
	}
	slices.SortFunc(v.Rules, func(a, b *ruleView) int { return cmp.Compare(a.ID, b.ID) })
	for _, r := range v.Rules {
		r.Page = rulePage(r.Rule)
	}
	for _, res := range run.Results {
		in := &inputView{Number: len(v.Inputs) + 1, Path: clean(res.Path), res: res, at: map[uint64]string{}}
		v.Inputs = append(v.Inputs, in)
		v.fill(in, modules > 1)
	}
	if modules > 1 {
		v.gatherModules(run.Results)
	}
	v.Title = "ftlint"
	switch len(v.Inputs) {
	case 0:
	case 1:
		v.Title += ": " + v.Inputs[0].Path
	default:
		v.Title += fmt.Sprintf(": %s and %d more", v.Inputs[0].Path, len(v.Inputs)-1)
	}
	return v
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
		if v.Modules == nil || !in.res.IsModule {
			out = append(out, in)
		}
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
	for _, line := range slices.Concat(facts(res), uncounted([]*finding.Result{res}, false), configLine(res)) {
		in.Facts = append(in.Facts, clean(line))
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
			ref := ruleRef{ID: clean(r.Rule.ID), Name: clean(r.Rule.Name), Anchor: anchor(r.Rule.ID), Page: v.byRule[r.Rule.ID] != nil, N: r.Findings}
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
		if r.Shown > 0 {
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
