package report

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"math/bits"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/picture"
	"github.com/ftlint/ftlint/rules"
	"github.com/ftlint/ftlint/trampoline"
	"github.com/ftlint/ftlint/world"
)

// An imageView has the pictures of an image.
type imageView struct {
	Number      int // of the input
	Problems    []string
	NoBuilder   string
	NoModel     string
	Trampolines []trampolineView
	Generated   []generatedView
	Situations  []situationView
	Map         *mapView

	SituationsIn string        // fragment of the finding that they are shown with, which marks the bad ones; "" for none
	Listings     []listingView // entry code and the life of a callsite
	Code         []listingView // around the addresses that findings name
}

type trampolineView struct {
	ID, Title, Err string
	Open           bool
	Marks          int // cells that differ
	Perms, Bad     string
	Strip          template.HTML
	Gutter         template.HTML
	Moments        []momentView
	More           int // moments that are left out
	Rows           []cellView
	Whole          []diffView
	Stale          int // cells that stay without cache maintenance

	// Fragments of the findings that the trampoline beside the model, and how it
	// was built, are shown with; "" for none.
	BesideIn, BuildingIn string
}

// A generatedView is a BPF trampoline.
type generatedView struct {
	ID, Title, While string
	In               string // fragment of the finding that it is shown with; "" for none
	Marks            int    // cells that differ
	Strip, Gutter    template.HTML
	Legend           []stretchView
	Diffs            []diffView
	Code             listingView
}

// A stretchView is a style of cells, and what it stands for.
type stretchView struct{ Class, Name string }

// maxMoments bounds the steps of building a trampoline that are shown. A builder
// usually has a few dozen.
const maxMoments = 200

// BadSituations is the number of situations that go wrong.
func (im *imageView) BadSituations() (n int) {
	for _, s := range im.Situations {
		if s.Bad {
			n++
		}
	}
	return n
}

type diffView struct {
	Rule, Anchor, Text string
	Page               bool // the rule is on the page
}

type momentView struct {
	N                  int
	Text, Where, Perms string
	Writable           bool // and executable
	Same               bool // the permissions, as before
	Failed             bool
	Bar                template.HTML
	Source             string
	Href               string // of the builder's instruction in a listing
}

type cellView struct {
	ID, Offset, Word, Text, Model, From, Where, Source, Class string
	Differs                                                   bool
	Writer                                                    int // number of a moment; 0: none
	Diffs                                                     []diffView
}

type situationView struct {
	Situation, For, Memory, Outcome string
	Bad                             bool
}

type mapView struct {
	ID        string
	In        string // fragment of the finding that it is shown with; "" for none
	Lanes     []laneView
	Ruler     template.HTML
	Sections  template.HTML
	Image     string
	Entry     string
	Lines     string // the distances at which lines are
	Histogram template.HTML
	Facts     []string
	Bins      []binView
	OutOf     int
}

type laneView struct {
	Name, Range, Note, Class string
	Bar                      template.HTML
}

type binView struct {
	Lo, Hi string
	N      int
	Out    bool
}

type listingView struct {
	Title string
	Model bool // it has a column for it
	Rows  []lineView
}

// A lineView is a row of a listing: a source line, a label, or an instruction.
type lineView struct {
	Source, Where string
	Label         string
	ID            string
	Addr, Word    string
	Text, Model   string
	Note          string
	Differs       bool
	Finding       bool // a finding is about it
}

// draw makes the view of an image's pictures.
func (v *pageView) draw(in *inputView) {
	d := picture.Of(in.res)
	in.lines = d.Lines
	im := &imageView{Number: in.Number}
	in.Image = im
	if d.Built.NoBuilder != nil {
		im.NoBuilder = clean(d.Built.NoBuilder.Error())
	}
	if d.Built.NoModel != nil {
		im.NoModel = clean(d.Built.NoModel.Error())
	}
	for _, p := range d.Problems {
		im.Problems = append(im.Problems, clean(p.Error()))
	}
	about := map[uint64]bool{} // addresses that findings name
	for _, f := range in.res.Findings {
		about[f.Addr] = true
		for _, r := range f.Related {
			about[r.Addr] = true
		}
	}
	for i := range d.BPF {
		im.Generated = append(im.Generated, v.generated(in, &d.BPF[i], i+1, about))
	}
	for _, list := range slices.Concat([]picture.Listing(d.Entry), d.Life.Listings) {
		im.Listings = append(im.Listings, v.listing(in, &list, about))
	}
	for i := range d.Excerpts.Listings {
		list := &d.Excerpts.Listings[i]
		// Findings about modules may have been left out since.
		if !in.res.IsModule || slices.ContainsFunc(list.Lines, func(line picture.Line) bool { return about[line.Addr] }) {
			im.Code = append(im.Code, v.listing(in, list, about))
		}
	}
	list := d.Built.Trampolines
	open := slices.IndexFunc(list, func(t picture.Trampoline) bool { return len(t.Diffs) > 0 })
	for i := range list {
		tv := v.trampoline(in, &list[i], i+1)
		tv.Open = i == max(open, 0)
		im.Trampolines = append(im.Trampolines, tv)
	}
	im.Situations = situations(d.Built.Situations)
	if d.Map != nil {
		im.Map = addressMap(d.Map, in.Number)
		if d.Distances != nil {
			im.Map.addDistances(d.Distances, d.Map.Entry.Name)
		}
	}
}

// A figure is a picture that explains findings of a rule.
type figure struct {
	to, what string  // fragment and name
	template string  // that writes it
	data     any     // of the template
	in       *string // fragment of the finding that it is shown with; "" for none yet
}

// write writes the figure below a finding, if it is not shown with another.
func (fig *figure) write(p htmlWriter, id string) error {
	if fig == nil || *fig.in != "" {
		return nil
	}
	*fig.in = id
	p.raw("<div class=\"figure\">\n")
	defer p.raw("</div>\n")
	return htmlTemplates.ExecuteTemplate(p.w, fig.template, fig.data)
}

// figure returns the picture for findings of a rule. It is nil if the rule has none.
func (in *inputView) figure(rule rules.Rule) *figure {
	im := in.Image
	if im == nil {
		return nil
	}
	switch rule.Picture {
	case rules.BesideModel:
		for i := range im.Trampolines {
			t := &im.Trampolines[i]
			fig := &figure{t.ID + "-beside", "beside the model", "beside", t, &t.BesideIn}
			for _, row := range t.Rows {
				if slices.ContainsFunc(row.Diffs, func(d diffView) bool { return d.Rule == rule.ID }) {
					fig.to = row.ID
					return fig
				}
			}
			if slices.ContainsFunc(t.Whole, func(d diffView) bool { return d.Rule == rule.ID }) {
				return fig
			}
		}
	case rules.Building:
		for i := range im.Trampolines {
			if t := &im.Trampolines[i]; len(t.Moments) > 0 {
				return &figure{t.ID + "-time", "how it was built", "building", t, &t.BuildingIn}
			}
		}
	case rules.Generated:
		for i := range im.Generated {
			g := &im.Generated[i]
			if slices.ContainsFunc(g.Diffs, func(d diffView) bool { return d.Rule == rule.ID }) {
				return &figure{g.ID, "the trampoline", "generated", g, &g.In}
			}
		}
	case rules.Situations:
		if len(im.Situations) > 0 {
			return &figure{fmt.Sprintf("situations-%d", im.Number), "how the builder fared", "situations", im, &im.SituationsIn}
		}
	case rules.AddressMap:
		if im.Map != nil {
			return &figure{im.Map.ID, "address map", "map", im.Map, &im.Map.In}
		}
	}
	return nil
}

// where returns a source line as path:line; "" for none.
func where(s picture.Source) string {
	if s.Path == "" {
		return ""
	}
	return clean(fmt.Sprintf("%s:%d", s.Path, s.Line))
}

func (v *pageView) listing(in *inputView, l *picture.Listing, about map[uint64]bool) listingView {
	out := listingView{Title: clean(l.Title)}
	var last picture.Source
	for i := range l.Lines {
		line := &l.Lines[i]
		if source := in.lines[line.Addr]; source != last && source.Path != "" {
			text, _ := v.tree.line(source.Path, source.Line)
			out.Rows = append(out.Rows, lineView{Source: cleanSource(text), Where: where(source)})
			last = source
		}
		for _, label := range line.Labels {
			out.Rows = append(out.Rows, lineView{Label: clean(label)})
		}
		row := lineView{Addr: fmt.Sprintf("%x", line.Addr), Word: line.Hex(), Text: clean(line.Text), Model: clean(line.Model),
			Note: clean(line.Note), Differs: line.Differs, Finding: about[line.Addr]}
		if in.at[line.Addr] == "" {
			row.ID = fmt.Sprintf("c%d-%x", in.Number, line.Addr)
			in.at[line.Addr] = row.ID
		}
		out.Model = out.Model || line.Model != ""
		out.Rows = append(out.Rows, row)
	}
	return out
}

// A drawing is an SVG whose abscissas are in percent of its width, which is
// that of the page, and whose ordinates are in pixels. So nothing is distorted
// and text has its size on any screen.
type drawing struct {
	b      strings.Builder
	height float64
}

func percent(x float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.3f", x*100), "0"), ".") + "%"
}

func esc(s string) string { return template.HTMLEscapeString(s) }

// rect draws a box; x and w are fractions of the width.
func (d *drawing) rect(x, y, w, h float64, class, title string) {
	fmt.Fprintf(&d.b, `<rect x="%s" y="%g" width="%s" height="%g" class="%s"`, percent(x), y, percent(w), h, esc(class))
	if title == "" {
		d.b.WriteString("/>")
		return
	}
	fmt.Fprintf(&d.b, "><title>%s</title></rect>", esc(title))
}

func (d *drawing) line(x1, y1, x2, y2 float64, class string) {
	fmt.Fprintf(&d.b, `<line x1="%s" y1="%g" x2="%s" y2="%g" class="%s"/>`, percent(x1), y1, percent(x2), y2, esc(class))
}

// text writes s beside x, or around it; anchor is start, middle or end.
func (d *drawing) text(x, y float64, anchor, class, s string) {
	dx := map[string]string{"start": "4", "middle": "0", "end": "-4"}[anchor]
	fmt.Fprintf(&d.b, `<text x="%s" dx="%s" y="%g" text-anchor="%s" class="%s">%s</text>`, percent(x), dx, y, anchor, esc(class), esc(s))
}

// svg returns the drawing. label says what it shows; "" if the text beside it says
// that.
func (d *drawing) svg(label string) template.HTML {
	who := `aria-hidden="true"`
	if label != "" {
		who = fmt.Sprintf(`role="img" aria-label="%s"`, esc(label))
	}
	return template.HTML(fmt.Sprintf(`<svg width="100%%" height="%g" %s>%s</svg>`, d.height, who, d.b.String()))
}

// bar draws the states of the cells after a moment, those that it touches
// stronger.
func bar(m *trampoline.Moment) template.HTML {
	d := drawing{height: 12}
	n := float64(len(m.State))
	class := func(i int) string {
		c := [...]string{"state unwritten", "state stale", "state maintained"}[m.State[i]]
		if m.Hits[i] && m.Kind != world.Protect {
			c += " hit"
		}
		return c
	}
	for i := 0; i < len(m.State); {
		j := i + 1
		for j < len(m.State) && class(j) == class(i) {
			j++
		}
		d.rect(float64(i)/n, 1, float64(j-i)/n, 10, class(i), "")
		i = j
	}
	return d.svg("")
}

func (v *pageView) diff(d *picture.Diff) diffView {
	return diffView{clean(d.Rule), anchor(d.Rule), clean(d.Text), v.byRule[d.Rule] != nil}
}

func (v *pageView) trampoline(in *inputView, t *picture.Trampoline, n int) trampolineView {
	graph := "off"
	if t.Graph {
		graph = "on"
	}
	tv := trampolineView{ID: fmt.Sprintf("t%d-%d", in.Number, n), Perms: t.Perms, Title: fmt.Sprintf("%s, fgraph %s", clean(t.Variant), graph)}
	if t.Err != nil {
		tv.Err = clean(t.Err.Error())
	}
	if t.Addr != 0 {
		tv.Title += fmt.Sprintf(": %#x bytes at %#x", t.Size, t.Addr)
	}
	if strings.Contains(t.Perms, "w") && strings.Contains(t.Perms, "x") {
		tv.Bad = "writable and executable"
	}
	for _, i := range t.Whole {
		tv.Whole = append(tv.Whole, v.diff(&t.Diffs[i]))
	}
	if len(t.Cells) > 0 {
		tv.Strip, tv.Gutter = strip(besideModel(t), t.Size)
	}
	number := v.moments(in, t, &tv)
	v.cells(in, t, &tv, number)
	return tv
}

// moments fills in how the trampoline was built, and gives the number on the
// page of each moment that is shown, by its index.
func (v *pageView) moments(in *inputView, t *picture.Trampoline, tv *trampolineView) map[int]int {
	number := map[int]int{}
	for i := range t.Moments {
		m := &t.Moments[i]
		if !m.Mine && m.Kind != world.Trap && !m.Err && m.Addr != 0 {
			continue
		}
		if number[i] = len(tv.Moments) + 1 + tv.More; number[i] > maxMoments {
			tv.More++
			continue
		}
		source := in.lines[m.PC]
		mv := momentView{N: number[i], Text: clean(t.Happened(m)), Where: where(source), Failed: m.Err && m.Kind != world.Free, Href: in.at[m.PC]}
		if mv.Where == "" {
			mv.Where = clean(m.At)
		}
		if text, ok := v.tree.line(source.Path, source.Line); ok {
			mv.Source = strings.TrimSpace(cleanSource(text))
		}
		if m.Alive {
			mv.Perms = m.Perm.String()
			mv.Same = len(tv.Moments) > 0 && tv.Moments[len(tv.Moments)-1].Perms == mv.Perms
			mv.Writable = strings.HasSuffix(mv.Perms, "wx")
		}
		if len(m.State) > 0 {
			mv.Bar = bar(m)
		}
		tv.Moments = append(tv.Moments, mv)
	}
	if k := len(t.Moments); k > 0 {
		for i, s := range t.Moments[k-1].State {
			if s == trampoline.Stale && !t.Cells[i].Literal {
				tv.Stale++
			}
		}
	}
	return number
}

// cells fills in the trampoline instruction by instruction.
func (v *pageView) cells(in *inputView, t *picture.Trampoline, tv *trampolineView, number map[int]int) {
	lacks := 0
	for i := range t.Cells {
		c := &t.Cells[i]
		source := in.lines[c.Origin]
		cv := cellView{Text: clean(c.Text), Model: clean(c.Model), From: clean(c.From), Where: where(source), Class: cellClass(c), Differs: c.Differs}
		if c.At == 0 {
			lacks++
			cv.ID = fmt.Sprintf("%s-lacks%d", tv.ID, lacks)
			cv.Text = "(nothing)"
		} else {
			cv.ID = fmt.Sprintf("%s-%x", tv.ID, c.At-t.Addr)
			cv.Offset = fmt.Sprintf("+%#x", c.At-t.Addr)
			if !c.Rest {
				if cv.Word = fmt.Sprintf("%0*x", 2*c.Size, c.Word); c.Code != nil {
					cv.Word = fmt.Sprintf("% x", c.Code)
				}
			}
		}
		if c.Literal {
			cv.From = "the ops literal"
		} else if s := c.Role.String(); s != "" {
			cv.From += ", " + s
		}
		if c.Writer >= 0 {
			cv.Writer = number[c.Writer]
		}
		if text, ok := v.tree.line(source.Path, source.Line); ok {
			cv.Source = strings.TrimSpace(cleanSource(text))
		}
		for _, d := range c.Diffs {
			cv.Diffs = append(cv.Diffs, v.diff(&t.Diffs[d]))
		}
		if c.Differs {
			tv.Marks++
		}
		tv.Rows = append(tv.Rows, cv)
	}
}

// generated makes the view of a BPF trampoline.
func (v *pageView) generated(in *inputView, g *picture.Generated, n int, about map[uint64]bool) generatedView {
	gv := generatedView{ID: fmt.Sprintf("g%d-%d", in.Number, n), Title: clean(g.Title), While: clean(g.While)}
	cells := inStretches(g)
	for _, s := range stretches {
		if slices.ContainsFunc(cells, func(c cell) bool { return c.class == s.Class }) {
			gv.Legend = append(gv.Legend, s)
		}
	}
	gv.Strip, gv.Gutter = strip(cells, uint64(len(cells))*a64.Size)
	for i := range g.Diffs {
		gv.Diffs = append(gv.Diffs, v.diff(&g.Diffs[i]))
	}
	for _, c := range g.Cells {
		if len(c.Diffs) > 0 {
			gv.Marks++
		}
	}
	gv.Code = v.listing(in, &g.Listing, about)
	gv.Code.Title = "Instruction by instruction"
	return gv
}

// situations returns the outcomes of the builder's runs. Runs that differ only in
// the variant of the trampoline share a row.
func situations(list []picture.Situation) (out []situationView) {
	type state struct { // the variant of the trampoline
		variant string
		graph   bool
	}
	rows := map[situationView]int{}
	var states [][]state // of each row
	for i := range list {
		s := &list[i]
		row := situationView{Situation: s.Situation.String(), Memory: "none"}
		if s.Memory != 0 {
			row.Memory = fmt.Sprintf("%#x", s.Memory)
		}
		words, bad := s.Outcome()
		row.Outcome, row.Bad = clean(words), bad
		n, ok := rows[row]
		if !ok {
			n = len(out)
			rows[row] = n
			out, states = append(out, row), append(states, nil)
		}
		if st := (state{s.Variant, s.Graph}); !slices.Contains(states[n], st) {
			states[n] = append(states[n], st)
		}
	}
	for n := range out {
		var parts []string
		for _, st := range states[n] {
			switch {
			case !slices.Contains(states[n], state{st.variant, !st.graph}):
				parts = append(parts, fmt.Sprintf("%s (fgraph %s)", st.variant, map[bool]string{true: "on", false: "off"}[st.graph]))
			case !st.graph:
				parts = append(parts, st.variant)
			}
		}
		out[n].For = strings.Join(parts, ", ")
	}
	return out
}

// mib returns a distance in bytes as MiB or KiB.
func mib(n int64) string {
	if n > -1<<20 && n < 1<<20 {
		return fmt.Sprintf("%+.1f KiB", float64(n)/(1<<10))
	}
	s := fmt.Sprintf("%+.1f", float64(n)/(1<<20))
	return strings.TrimSuffix(s, ".0") + " MiB"
}

// reachOf is how far a call reaches, in bytes: to a multiple of the size of an instruction.
func reachOf(c picture.Call) int64 { return 1 << bits.Len64(uint64(max(-c.Reach.Min, 1)-1)) }

// edgesOf are the distances at which a map and a histogram have lines, and their names.
func edgesOf(reach int64) (at [3]int64, names [3]string) {
	return [3]int64{-reach, 0, reach}, [3]string{round(-reach), "0", round(reach)}
}

// round returns a distance in bytes that is a whole number of MiB or GiB.
func round(n int64) string {
	if n%(1<<30) == 0 {
		return fmt.Sprintf("%+d GiB", n>>30)
	}
	return fmt.Sprintf("%+d MiB", n>>20)
}

// addressMap draws where things are.
func addressMap(m *picture.AddressMap, number int) *mapView {
	mv := &mapView{ID: fmt.Sprintf("map-%d", number)}
	var image picture.Region
	for _, r := range m.Regions {
		if r.Kind == picture.RegionImage {
			image = r
		}
	}
	origin := image.Start
	if m.Entry.Addr != 0 {
		origin = m.Entry.Addr
		mv.Entry = fmt.Sprintf("%s (%#x)", clean(m.Entry.Name), m.Entry.Addr)
	}
	// The picture shows somewhat more than the reach of two calls in each direction: the
	// window of calls, and memory placed beyond it. It goes by offsets, because an image
	// may have any addresses.
	reach := reachOf(m.Call)
	half := reach / 8 * 17
	x := func(addr uint64) float64 {
		off := float64(int64(addr - origin))
		return math.Max(0, math.Min(1, (off+float64(half))/float64(2*half)))
	}
	edges, names := edgesOf(reach)
	mv.Lines = fmt.Sprintf("%s, %s and %s", names[0], names[1], names[2])
	lane := func(name, note, class string, start, end uint64) {
		lv := laneView{Name: clean(name), Note: clean(note), Class: class, Range: fmt.Sprintf("%#x\u2013%#x, %s", start, end, picture.Bytes(end-start))}
		d := drawing{height: 14}
		for _, off := range edges {
			at := x(origin + uint64(off))
			d.line(at, 0, at, 14, "grid")
		}
		a, b := x(start), x(end)
		if w := b - a; w > 0 || a > 0 && a < 1 {
			d.rect(math.Min(a, 1-0.004), 2, math.Max(w, 0.004), 10, "lane "+class, "")
		}
		switch {
		case int64(start-origin) < -half:
			d.text(0, 11, "start", "beyond", "\u25c0")
			lv.Note += fmt.Sprintf("; it begins %s away, beyond the picture", mib(int64(start-origin)))
		case int64(end-origin) > half:
			d.text(1, 11, "end", "beyond", "\u25b6")
			lv.Note += fmt.Sprintf("; it ends %s away, beyond the picture", mib(int64(end-origin)))
		}
		lv.Note = strings.TrimPrefix(lv.Note, "; ")
		lv.Bar = d.svg("")
		mv.Lanes = append(mv.Lanes, lv)
	}
	if m.Entry.Addr != 0 {
		lane(m.Call.Insn+" window", "a "+m.Call.Insn+" in it reaches "+m.Entry.Name, "window", m.WindowLo, m.WindowHi+m.Call.Size)
	}
	for _, r := range m.Regions {
		name, class := r.Name, string(r.Kind)
		if r.Kind == picture.RegionMemory {
			name = "trampoline, with " + r.Name
		}
		if r.Kind == picture.RegionSection {
			continue
		}
		lane(name, r.Note, class, r.Start, r.End)
	}
	d := drawing{height: 16}
	for n := int64(-2); n <= 2; n++ {
		at := x(origin + uint64(n*reach))
		label := round(n * reach)
		if n == 0 {
			label = "0"
		}
		d.line(at, 0, at, 4, "axis")
		anchor := map[int64]string{-2: "start", 2: "end"}[n]
		d.text(at, 14, cmp.Or(anchor, "middle"), "tick", label)
	}
	mv.Ruler = d.svg("")
	mv.Image = picture.Bytes(image.End - image.Start)
	mv.Sections = sections(m, image)
	return mv
}

// addDistances adds the distances of callsites from the entry code of that name.
func (mv *mapView) addDistances(m *picture.SiteDistances, entry string) {
	if m.Callsites == 0 {
		return
	}
	mv.OutOf = m.Callsites - m.InReach
	reach := reachOf(m.Call)
	mv.Facts = append(mv.Facts,
		fmt.Sprintf("%s, %s of them in reach of %s", plural.Of(m.Callsites, "callsite"), plural.Number(m.InReach), entry),
		fmt.Sprintf("distances from %s to %s; %s reaches %s..%s", mib(m.Min), mib(m.Max), m.Call.Insn, round(-reach), round(reach)))
	mv.Histogram = histogram(m)
	for _, b := range m.Bins {
		mv.Bins = append(mv.Bins, binView{mib(b.Lo), mib(b.Hi), b.N, outOfReach(b, reach)})
	}
}

// sections draws the larger sections of the image and its entry code.
func sections(m *picture.AddressMap, image picture.Region) template.HTML {
	d := drawing{height: 50}
	span := float64(image.End - image.Start)
	x := func(addr uint64) float64 {
		return math.Max(0, math.Min(1, float64(int64(addr-image.Start))/span))
	}
	var words []string
	d.rect(0, 16, 1, 18, "section", "")
	for _, r := range m.Regions {
		if r.Kind != picture.RegionSection {
			continue
		}
		class := "section"
		if r.Note != "" {
			class += " code"
		}
		a, b := x(r.Start), x(r.End)
		name := clean(r.Name)
		d.rect(a, 16, b-a, 18, class, fmt.Sprintf("%s: %#x\u2013%#x, %s", name, r.Start, r.End, picture.Bytes(r.End-r.Start)))
		// On a narrow screen a character has some 2 % of the width.
		if float64(len([]rune(name))+1)*0.02 < b-a {
			d.text(a, 29, "start", "name", name)
		}
		words = append(words, fmt.Sprintf("%s %s", name, picture.Bytes(r.End-r.Start)))
	}
	if at := x(m.Entry.Addr); m.Entry.Addr >= image.Start && m.Entry.Addr < image.End {
		d.line(at, 8, at, 38, "callout bad")
		anchor := "start"
		if at > 0.5 {
			anchor = "end"
		}
		d.text(at, 11, anchor, "callout bad", clean(m.Entry.Name))
	}
	d.text(0, 47, "start", "tick", fmt.Sprintf("%#x", image.Start))
	d.text(1, 47, "end", "tick", fmt.Sprintf("%#x", image.End))
	return d.svg("the sections of the image: " + strings.Join(words, ", "))
}

// outOfReach reports whether a bin is beyond the reach of a call. A bin is never
// partly in reach, because the widths of bins are powers of two.
func outOfReach(b picture.Bin, reach int64) bool { return b.Hi <= -reach || b.Lo >= reach }

func histogram(m *picture.SiteDistances) template.HTML {
	const top, high = 14.0, 96.0
	d := drawing{height: top + high + 18}
	most, n := 1, float64(max(8, len(m.Bins)))
	for _, b := range m.Bins {
		most = max(most, b.N)
	}
	for i, b := range m.Bins {
		if b.N == 0 {
			continue
		}
		h := math.Max(1.5, math.Round(float64(b.N)/float64(most)*high*10)/10)
		class := "bin"
		if outOfReach(b, reachOf(m.Call)) {
			class += " bad"
		}
		d.rect(float64(i)/n, top+high-h, 0.92/n, h, class, fmt.Sprintf("%s to %s: %d", mib(b.Lo), mib(b.Hi), b.N))
	}
	d.line(0, top+high, 1, top+high, "axis")
	lo, hi := m.Bins[0].Lo, m.Bins[len(m.Bins)-1].Hi
	span := float64(hi-lo) * n / float64(len(m.Bins)) // bytes that the width stands for
	edges, names := edgesOf(reachOf(m.Call))
	for k, edge := range edges {
		if lo < edge && edge < hi {
			at := float64(edge-lo) / span
			d.line(at, top-2, at, top+high, "edge")
			d.text(at, top-4, "middle", "tick", names[k])
		}
	}
	d.text(0, d.height-4, "start", "tick", mib(lo))
	d.text(float64(len(m.Bins))/n, d.height-4, "end", "tick", mib(hi))
	d.text(0, 10, "start", "tick", plural.Number(most)+" in the highest")
	return d.svg(fmt.Sprintf("histogram of the distances of %s, from %s to %s; the table below has the numbers", plural.Of(m.Callsites, "callsite"), mib(m.Min), mib(m.Max)))
}
