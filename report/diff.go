package report

import (
	"cmp"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/ftlint/ftlint/diff"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/tracing"
)

// A Comparison is what ftlint diff has found.
type Comparison struct {
	*diff.Diff
	Paths   [2]string // of the old kernel and the new one
	Version string    // of ftlint
	Most    int       // lines of a list, and rows of a function, that text and markdown show; 0 for all
}

// DiffFormats are the formats of ftlint diff.
var DiffFormats = []string{"text", "json", "html", "markdown"}

// Write writes the comparison in one of DiffFormats.
func (c *Comparison) Write(to Terminal, format string) error {
	var err error
	unwritten := to.buffered(func(t Terminal) {
		switch format {
		case "json":
			err = encode(t, c.document())
		case "html":
			err = c.html(t)
		case "markdown":
			c.markdown(t)
		default:
			c.text(t)
		}
	})
	return cmp.Or(unwritten, err)
}

// A diffSection is a part of the comparison.
type diffSection struct {
	Title string
	Bad   bool // something can be traced no more
	Lines []string
	Code  []diff.Code // side by side, in place of lines
}

// Count is the number of things that the section has.
func (s diffSection) Count() int { return len(s.Lines) + len(s.Code) }

// Long reports whether the page folds the section's list.
func (s diffSection) Long() bool { return len(s.Lines) > 50 }

// Verdict is the comparison in one line.
func (c *Comparison) Verdict() string {
	if c.Same() {
		return "no difference: the same can be traced, by the same code"
	}
	capabilities, functions, came, unknown := 0, 0, 0, 0
	for _, p := range c.Capabilities {
		if p.Old.Has {
			capabilities++
		}
	}
	for _, f := range c.Functions {
		switch {
		case len(f.Lost) > 0:
			functions++
		case len(f.Came) > 0:
			came++
		default:
			unknown++
		}
	}
	var parts []string
	add := func(n int, one, many string) {
		if n > 0 {
			parts = append(parts, counted(n, one, many))
		}
	}
	add(capabilities, "capability lost", "capabilities lost")
	add(functions, "function can be traced less", "functions can be traced less")
	add(came, "function can be traced more", "functions can be traced more")
	add(unknown, "function not known in one of the kernels", "functions not known in one of the kernels")
	add(len(c.Capabilities)-capabilities, "capability more", "capabilities more")
	add(len(c.Code), "piece of ftrace's code changed", "pieces of ftrace's code changed")
	add(len(c.Margins), "margin changed", "margins changed")
	add(len(c.Rules), "rule has another outcome", "rules have other outcomes")
	if c.Era != nil {
		parts = append(parts, "another era")
	}
	return strings.Join(parts, ", ")
}

// counted is the number with the words for one or for many.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return plural.Number(n) + " " + many
}

// sides say what the two kernels are.
func (c *Comparison) sides() [2]string {
	one := func(path string, im *finding.ImageFacts) string {
		return fmt.Sprintf("%s%s, %s", printable(path), identity(im), plural.Of(im.Callsites, "callsite"))
	}
	return [2]string{one(c.Paths[0], c.Old), one(c.Paths[1], c.New)}
}

func (c *Comparison) sections() (list []diffSection) {
	add := func(title string, bad bool, lines []string) {
		if len(lines) > 0 {
			list = append(list, diffSection{Title: title, Bad: bad, Lines: lines})
		}
	}
	if c.Era != nil {
		add("Era", false, []string{fmt.Sprintf("era %s became era %s", c.Era.Old, c.Era.New)})
	}
	var lost, came []string
	for _, p := range c.Capabilities {
		if p.Old.Has {
			line := fmt.Sprintf("%s: %s", p.New.Name, OneLine(p.New.Why))
			if p.New.Change != "" {
				line += "; it needs " + p.New.Change
			}
			lost = append(lost, line)
		} else {
			came = append(came, fmt.Sprintf("%s: %s", p.New.Name, OneLine(p.New.Why)))
		}
	}
	add("Capabilities that are lost", true, lost)
	add("Capabilities that came", false, came)
	var less, gone, more, added []string
	for i := range c.Functions {
		f := &c.Functions[i]
		switch {
		case f.Gone():
			gone = append(gone, printable(f.Name))
		case len(f.Old) == 0:
			added = append(added, printable(f.Name))
		default:
			if len(f.Lost) > 0 {
				line := printable(f.Name) + ": no more " + usesOf(f.Lost, "")
				if n := len(f.Old) - len(f.New); n > 0 {
					line += fmt.Sprintf(", as %d of %s gone", n, counted(len(f.Old), "function of the name is", "functions of the name are"))
				}
				less = append(less, line)
			}
			if len(f.Came) > 0 {
				more = append(more, printable(f.Name)+": now "+usesOf(f.Came, "before: "))
			}
		}
	}
	add("Functions that can be traced less", true, less)
	add("Functions that are gone: removed, or inlined everywhere", true, gone)
	add("Functions that can be traced more", false, more)
	add("Functions that are new", false, added)
	add("Not known in one of the kernels", false, c.unknown())
	if len(c.Code) > 0 {
		list = append(list, diffSection{Title: "Code of ftrace that changed", Code: c.Code})
	}
	var margins []string
	for _, m := range c.Margins {
		line := fmt.Sprintf("%s: %d, was %d", m.Name, m.New, m.Old)
		if m.Limit > 0 {
			line += fmt.Sprintf(", of %d", m.Limit)
		}
		margins = append(margins, line)
	}
	add("Margins", false, margins)
	var outcomes []string
	for _, r := range c.Rules {
		was, _ := Status(r.Old)
		is, _ := Status(r.New)
		line := fmt.Sprintf("%s %s: %s, was %s", r.ID, r.Name, is, was)
		for _, h := range r.Came {
			line += "; new: " + OneLine(h)
		}
		for _, h := range r.Gone {
			line += "; gone: " + OneLine(h)
		}
		outcomes = append(outcomes, line)
	}
	add("Rules", false, outcomes)
	return list
}

// unknown says what is not known in one of the kernels, one line for each use and reason.
func (c *Comparison) unknown() (lines []string) {
	type gap struct {
		use    tracing.Use
		answer tracing.Answer
		new    bool
	}
	count, first := map[gap]int{}, map[gap]string{}
	var order []gap
	for _, f := range c.Functions {
		for _, u := range f.Unknown {
			g := gap{u.Use, u.Why, u.New}
			if count[g]++; count[g] == 1 {
				order = append(order, g)
				first[g] = f.Name
			}
		}
	}
	for _, g := range order {
		side := map[bool]string{false: "old", true: "new"}[g.new]
		lines = append(lines, fmt.Sprintf("%v of %s in the %s kernel, %s() the first: %s", g.use, plural.Of(count[g], "function"), side, printable(first[g]), OneLine(g.answer.Text())))
	}
	return lines
}

// usesOf are uses in words, with the reasons of those that are impossible now, or were
// before.
func usesOf(list []diff.Use, when string) string {
	var out []string
	for i, u := range list {
		s := u.Use.String()
		if u.N > 1 {
			s += fmt.Sprintf(" (%d functions)", u.N)
		}
		if last := i == len(list)-1 || list[i+1].Why != u.Why; last && u.Why != (tracing.Answer{}) {
			s += " (" + when + OneLine(u.Why.Text()) + ")"
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

// few are the first lines of a list, and how many more there are.
func (c *Comparison) few(list []string) (some []string, more int) {
	if c.Most == 0 || len(list) <= c.Most {
		return list, 0
	}
	return list[:c.Most], len(list) - c.Most
}

func (c *Comparison) text(t Terminal) {
	s := c.sides()
	t.wrap("--- ", "    ", s[0])
	t.wrap("+++ ", "    ", s[1])
	for _, part := range c.sections() {
		title := bold
		if part.Bad {
			title = red
		}
		fmt.Fprintf(t, "\n%s (%d)\n", t.paint(title, part.Title), part.Count())
		lines, more := c.few(part.Lines)
		for _, line := range lines {
			t.wrap("  ", "    ", line)
		}
		if more > 0 {
			fmt.Fprintf(t, "  and %d more\n", more)
		}
		for _, code := range part.Code {
			fmt.Fprintf(t, "  %s\n", t.paint(bold, printable(code.Name)))
			for _, line := range c.sideBySide(code) {
				fmt.Fprintf(t, "    %s\n", line)
			}
		}
	}
	if !c.Same() {
		fmt.Fprintln(t)
	}
	t.wrap("", "", c.Verdict())
}

// near is how many rows are shown before and behind one that differs.
const near = 2

// shown reports for each row whether it differs, or is near one that does.
func shown(rows []diff.Row) []bool {
	out := make([]bool, len(rows))
	for i, r := range rows {
		for k := max(0, i-near); r.Differs && k < min(len(rows), i+near+1); k++ {
			out[k] = true
		}
	}
	return out
}

// sideBySide are the changed instructions in two columns. Between them stands "|" for
// a change, "<" and ">" for what only one kernel has.
func (c *Comparison) sideBySide(code diff.Code) (lines []string) {
	if len(code.Rows) == 0 {
		return []string{onlyIn(code)}
	}
	const widest = 48
	width := 0
	for _, r := range code.Rows {
		if r.Old != nil {
			width = min(widest, max(width, len(OneLine(r.Old.Text))))
		}
	}
	left := 0
	skipped := false
	for i, show := range shown(code.Rows) {
		r := code.Rows[i]
		switch {
		case !show:
			skipped = true
			continue
		case c.Most > 0 && len(lines) >= 2*c.Most:
			left++
			continue
		}
		if skipped && len(lines) > 0 {
			lines = append(lines, "...")
		}
		skipped = false
		mark, o, n := " ", "", ""
		switch {
		case r.Old == nil:
			mark = ">"
		case r.New == nil:
			mark = "<"
		case r.Differs:
			mark = "|"
		}
		if r.Old != nil {
			o = OneLine(r.Old.Text)
		}
		if r.New != nil {
			n = OneLine(r.New.Text)
		}
		lines = append(lines, strings.TrimRight(fmt.Sprintf("%-*s %s %s", width, o, mark, n), " "))
	}
	if left > 0 {
		lines = append(lines, fmt.Sprintf("and %d more rows", left))
	}
	return lines
}

func onlyIn(code diff.Code) string {
	if code.Has[0] {
		return "only the old kernel has it"
	}
	return "only the new kernel has it"
}

// longestComment is the size at which markdown shows no more code, in bytes. GitHub takes
// comments of 65,536 characters.
const longestComment = 48 << 10

// markdown writes the comparison as a comment on a merge request: what matters first,
// long lists folded.
func (c *Comparison) markdown(out io.Writer) {
	w := &strings.Builder{}
	defer func() { _, _ = io.WriteString(out, w.String()) }() // Flush returns the error
	s := c.sides()
	mark := ":white_check_mark:"
	if c.Lost() {
		mark = ":warning:"
	}
	fmt.Fprintf(w, "### %s ftlint diff: %s\n\n", mark, mdText(c.Verdict()))
	fmt.Fprintf(w, "| | |\n| --- | --- |\n| old | %s |\n| new | %s |\n", mdText(s[0]), mdText(s[1]))
	for _, part := range c.sections() {
		fmt.Fprintf(w, "\n<details%s><summary>%s (%d)</summary>\n\n", map[bool]string{true: " open"}[part.Bad], part.Title, part.Count())
		lines, more := c.few(part.Lines)
		for _, line := range lines {
			fmt.Fprintf(w, "- %s\n", mdText(line))
		}
		if more > 0 {
			fmt.Fprintf(w, "- and %d more\n", more)
		}
		for i, code := range part.Code {
			if w.Len() > longestComment {
				fmt.Fprintf(w, "- and %d more\n", len(part.Code)-i)
				break
			}
			fmt.Fprintf(w, "`%s`\n\n```\n%s\n```\n\n", printable(code.Name), strings.ReplaceAll(strings.Join(c.sideBySide(code), "\n"), "```", "'''"))
		}
		fmt.Fprintf(w, "\n</details>\n")
	}
}

// mdText is text in which nothing is markup.
func mdText(s string) string {
	return strings.NewReplacer("\\", "\\\\", "`", "\\`", "*", "\\*", "_", "\\_", "<", "&lt;", "[", "\\[", "@", "@\u200b", "#", "\\#", "|", "\\|").Replace(s)
}

// diffPage is the HTML page.
type diffPage struct {
	Title, Version, Verdict string
	Lost                    bool
	Sides                   [2]string
	Sections                []diffSection
	CSS                     template.CSS
	Policy                  string
}

func (c *Comparison) html(w io.Writer) error {
	css := htmlFile("page.css") + htmlFile("diff.css")
	sides := c.sides()
	p := diffPage{Title: "ftlint diff", Version: c.Version, Verdict: c.Verdict(), Lost: c.Lost(), Sections: c.sections(), CSS: template.CSS(css)}
	for i := range sides {
		p.Sides[i] = clean(sides[i])
	}
	p.Policy = "default-src 'none'; img-src data:; style-src '" + hashOf(css) + "'; base-uri 'none'; form-action 'none'"
	return htmlTemplates.ExecuteTemplate(w, "diff", p)
}
