package lint

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/builder"
	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/rules"
)

// A Layout is what pictures of an image need: plain data, with the source line
// of each address.
type Layout struct {
	Listings    []Listing    // entry code, and a callsite in each state of its life
	Excerpts    []Listing    // the code around what findings speak of, and of the builder
	Map         *AddressMap  // nil for a module
	Trampolines []Trampoline // built with memory in reach
	Situations  []Situation  // all that the builder was executed in
	// NoBuilder says why there is no trampoline, if there is none.
	NoBuilder string
	// NoModel says why there is no model to compare with, if there is none.
	NoModel string
	// Problems say what could not be laid out, and why.
	Problems []string
}

// A Listing is code laid out, with source lines.
type Listing struct {
	Title string
	Lines []ListingLine
}

// A ListingLine is one instruction, and the source line that it is from.
type ListingLine struct {
	builder.ListingLine
	Source Source
}

// A Source is a source line; its Path is "" if it is not known.
type Source struct {
	Path string
	Line int
}

// A Trampoline is one that the image's builder built, beside the model.
type Trampoline struct {
	Variant          string // the entry code that it is made of
	Graph            bool   // fgraph is on
	Addr, Size, Code uint64 // Code is the size of its code, return included
	Perms            string // of its page at the end: "r-x"
	Cells            []TrampolineCell
	Moments          []TrampolineMoment
	Diffs            []TrampolineDiff
	Whole            []int  // differences that are about no cell
	Err              string // why there is none, if there is none
}

// A TrampolineCell is a cell with the source line of the template, and the
// moment that last wrote it: its index, or -1.
type TrampolineCell struct {
	builder.Cell
	Source Source
	Writer int
}

// A TrampolineMoment is a moment with the line of the builder.
type TrampolineMoment struct {
	builder.Moment
	At     string // where the builder's instruction is, in words
	Insn   string // that is stored or patched in; "" for more or less than one
	Old    string // that a patch replaces
	Source Source
}

// A TrampolineDiff is a difference from the model, and the rule that is about
// such.
type TrampolineDiff struct {
	Rule, Text string
}

// A Situation is one that the builder was executed in, and what came of it.
type Situation struct {
	builder.Situation
	Variant    string
	Graph      bool
	Memory     uint64 // where memory was allocated first; 0: none was
	Callback   uint64
	Trampoline uint64 // 0: none
	Size       uint64
	Called     bool   // the trampoline, executed, came to its callback
	Executed   bool   // it was executed
	Slot       string // the instruction in the slot of ftrace_call
	Left       int    // areas that are left allocated with no trampoline
	Err        string // why there is no verdict
}

// An AddressMap says where things are, and how far.
type AddressMap struct {
	Regions []MapRegion // by address
	Entry   NamedAddr   // the entry code that callsites call; Addr 0: there is none
	// A BL at WindowLo..WindowHi, both included, reaches the entry code.
	WindowLo, WindowHi uint64
	Callsites          int // with a call: those in text
	InReach            int
	Min, Max           int64 // distances from a callsite's BL to the entry code, in bytes
	Bins               []Bin
}

// A MapRegion is a range of addresses.
type MapRegion struct {
	Kind       RegionKind
	Name, Note string
	Start, End uint64
}

// A RegionKind is what a region holds.
type RegionKind string

const (
	RegionImage   RegionKind = "image"   // all of it
	RegionSection RegionKind = "section" // one of the larger sections
	RegionModules RegionKind = "modules" // where the kernel puts modules
	RegionMemory  RegionKind = "memory"  // where a trampoline was placed
)

// A Bin counts callsites whose BL has a distance of Lo..Hi-1 bytes.
type Bin struct {
	Lo, Hi int64
	N      int
}

// Limits of a layout: what is beyond them is left out.
const (
	maxExcerpts = 400 // stretches of code
	around      = 5   // instructions before and behind what a finding speaks of
	maxMapped   = 12  // sections
)

// layOut makes the layout of an image whose findings are known.
func layOut(im *elfscan.Image, r *runner, found []Finding) (l *Layout) {
	defer elfscan.Guard()()
	l = &Layout{}
	defer func() {
		if v := recover(); v != nil {
			l.Problems = append(l.Problems, panicked("layout", v).Error())
		}
	}()
	if im.Module() == nil {
		var t *builder.Trampolines
		if act, ok := r.actions[checks.Built]; ok && act.err == nil {
			t, _ = act.result.(*builder.Trampolines)
		}
		if t == nil {
			t = builder.BuildTrampolines(im)
		}
		l.entry(im)
		l.trampolines(im, t, found)
		l.addressMap(im, t)
	}
	l.excerpts(im, found)
	return l
}

func source(im *elfscan.Image, addr uint64) Source {
	if addr == 0 {
		return Source{}
	}
	line, ok := im.Line(addr)
	if !ok {
		return Source{}
	}
	return Source{line.File, line.Line}
}

func (l *Layout) problem(err error) { l.Problems = append(l.Problems, err.Error()) }

// entry lays out the entry code and the life of a callsite.
func (l *Layout) entry(im *elfscan.Image) {
	list, err := codeListings(im)
	if err != nil {
		l.problem(err)
	}
	for _, from := range list {
		to := Listing{Title: from.Title}
		for _, line := range from.Lines {
			to.Lines = append(to.Lines, ListingLine{line, source(im, line.Addr)})
		}
		l.Listings = append(l.Listings, to)
	}
}

// ruleOfDiff is the ID of the rule about a kind of difference from the model.
// Of several rules it is the last, unless only another has findings: FT116
// leaves to FT113 what matters to the callsite.
func ruleOfDiff(kind builder.DiffKind, found []Finding) string {
	about := rules.About(kind)
	for _, r := range slices.Backward(about) {
		if slices.ContainsFunc(found, func(f Finding) bool { return f.Rule.ID == r.ID }) {
			return r.ID
		}
	}
	return about[len(about)-1].ID
}

// trampolines lays out what the builder built.
func (l *Layout) trampolines(im *elfscan.Image, t *builder.Trampolines, found []Finding) {
	l.NoBuilder = t.Why
	if t.Err != nil {
		l.NoBuilder = fmt.Sprintf("the builder (%s) could not be executed: %v", im.At(t.Builder), t.Err)
	}
	if t.ModelErr != nil {
		l.NoModel = t.ModelErr.Error()
	}
	for i := range t.Runs {
		r := &t.Runs[i]
		l.situation(im, r)
		if r.Situation != builder.Near {
			continue
		}
		tr := Trampoline{Variant: r.Variant(), Graph: r.Graph, Addr: r.Trampoline, Size: r.Size, Code: r.Code}
		switch {
		case r.Err != nil:
			tr.Err = r.Err.Error()
		case r.Trampoline == 0:
			tr.Err = "the builder made none"
		}
		var cells []builder.Cell
		cells, tr.Whole = t.Cells(im, r)
		if a := r.Area(r.Trampoline); a != nil {
			tr.Perms = a.PermAt(r.Trampoline).String()
		}
		for _, d := range r.Diffs {
			tr.Diffs = append(tr.Diffs, TrampolineDiff{ruleOfDiff(d.Kind, found), d.What})
		}
		for _, m := range r.Moments(cells) {
			to := TrampolineMoment{Moment: m, At: im.Name(m.PC), Source: source(im, m.PC)}
			text := func(w uint64) string {
				return a64.Text(uint32(w), m.Addr, func(a uint64) string {
					switch {
					case a == r.Func:
						return "the callback"
					case a-r.Trampoline < r.Size:
						return fmt.Sprintf("trampoline+%#x", a-r.Trampoline)
					}
					return im.Name(a)
				})
			}
			switch {
			case m.Kind == builder.Patch:
				to.Insn, to.Old = text(m.Value), text(m.Old)
			case m.Kind == builder.Store && m.Count == 1 && m.Size == a64.Size:
				to.Insn = text(m.Value)
			}
			tr.Moments = append(tr.Moments, to)
		}
		for k, c := range cells {
			cell := TrampolineCell{c, source(im, c.Origin), -1}
			for n, m := range tr.Moments {
				switch m.Kind {
				case builder.Store, builder.Copy, builder.Patch, builder.PatchLiteral:
					if m.Hits[k] {
						cell.Writer = n
					}
				}
			}
			tr.Cells = append(tr.Cells, cell)
		}
		l.Trampolines = append(l.Trampolines, tr)
	}
}

func (l *Layout) situation(im *elfscan.Image, r *builder.TrampRun) {
	s := Situation{Situation: r.Situation, Variant: r.Variant(), Graph: r.Graph, Callback: r.Func, Trampoline: r.Trampoline, Size: r.Size, Called: r.Called}
	for i := range r.Areas {
		a := &r.Areas[i]
		if s.Memory == 0 {
			s.Memory = a.Addr
		}
		if !a.Freed && r.Trampoline == 0 {
			s.Left++
		}
	}
	s.Executed = r.Executed
	if w, ok := r.Word(r.CallAt); ok && r.CallAt != 0 {
		s.Slot = a64.Text(w, r.CallAt, func(a uint64) string {
			if a == r.Func {
				return "the callback"
			}
			return im.Name(a)
		})
	}
	if r.Err != nil {
		s.Err = r.Err.Error()
	}
	l.Situations = append(l.Situations, s)
}

// addressMap says where the image, its callsites and its modules are.
func (l *Layout) addressMap(im *elfscan.Image, t *builder.Trampolines) {
	m := &AddressMap{}
	add := func(kind RegionKind, name, note string, start, end uint64) {
		if start < end {
			m.Regions = append(m.Regions, MapRegion{kind, name, note, start, end})
		}
	}
	sections := im.Sections()
	if len(sections) == 0 {
		return
	}
	start, ok1 := im.Addr("_text")
	end, ok2 := im.Addr("_end")
	if !ok1 || !ok2 || end <= start {
		start, end = sections[0].Addr, sections[len(sections)-1].End()
	}
	add(RegionImage, "the image", "", start, end)
	large := slices.Clone(sections)
	slices.SortStableFunc(large, func(a, b elfscan.Range) int { return cmp.Compare(b.Size, a.Size) })
	for _, s := range large[:min(maxMapped, len(large))] {
		note := ""
		if s.Executable() {
			note = "code"
		}
		add(RegionSection, s.Name, note, s.Addr, s.End())
	}
	for _, r := range im.ModuleRegions() {
		note := "in BL range of the image only in part"
		if r.Direct {
			note = "in BL range of all of the image"
		}
		add(RegionModules, r.Name, note, r.Start, r.End)
	}
	seen := map[uint64]bool{}
	for i := range t.Runs {
		r := &t.Runs[i]
		switch r.Situation {
		case builder.Near, builder.FarAbove, builder.FarBelow:
		default:
			continue
		}
		for k := range r.Areas {
			if a := &r.Areas[k]; !seen[a.Addr] {
				seen[a.Addr] = true
				add(RegionMemory, r.Situation.String(), arrival(r), a.Addr, a.Addr+a.Size)
			}
		}
	}
	slices.SortStableFunc(m.Regions, func(a, b MapRegion) int { return cmp.Compare(a.Start, b.Start) })
	l.Map = m
	for _, name := range []string{"ftrace_caller", "ftrace_regs_caller", "_mcount"} {
		if a, ok := im.Addr(name); ok {
			m.Entry = NamedAddr{name, a}
			break
		}
	}
	sites, err := im.Sites()
	if err != nil {
		l.problem(err)
	}
	if m.Entry.Addr == 0 {
		return
	}
	reach := a64.ReachOf(a64.Call)
	m.WindowLo, m.WindowHi = m.Entry.Addr-uint64(reach.Max), m.Entry.Addr+uint64(-reach.Min)
	if sites == nil || err != nil {
		return
	}
	var distances []int64
	for _, s := range im.SitesAs(sites.Addrs, im.Era().Shape()) {
		if !s.Text {
			continue // FT403
		}
		d := a64.Offset(s.Call, m.Entry.Addr)
		distances = append(distances, d)
		if reach.Contains(d) {
			m.InReach++
		}
	}
	m.Callsites = len(distances)
	if m.Callsites > 0 {
		m.Min, m.Max = slices.Min(distances), slices.Max(distances)
		m.Bins = binned(distances)
	}
}

// arrival says what became of a trampoline where it was placed.
func arrival(r *builder.TrampRun) string {
	switch {
	case r.Err != nil:
		return "no verdict"
	case r.Trampoline == 0:
		return "the builder refuses it"
	case r.Called:
		return "the callback is reached"
	}
	return "the callback is not reached"
}

// binned counts distances in at most some forty bins. Their width is a power
// of two, so that the ends of BL's range are edges of bins.
func binned(distances []int64) []Bin {
	const most = 40
	lo, hi := slices.Min(distances), slices.Max(distances)
	width := int64(1 << 10)
	floor := func(d int64) int64 { return d &^ (width - 1) } // of a negative one, too
	for (floor(hi)-floor(lo))/width+1 > most {
		width *= 2
	}
	first := floor(lo)
	bins := make([]Bin, (floor(hi)-first)/width+1)
	for i := range bins {
		bins[i].Lo = first + int64(i)*width
		bins[i].Hi = bins[i].Lo + width
	}
	for _, d := range distances {
		bins[(floor(d)-first)/width].N++
	}
	return bins
}

// excerpts lays out the code around what findings speak of and around what the
// builder did, where no listing has it.
func (l *Layout) excerpts(im *elfscan.Image, found []Finding) {
	var addrs []uint64
	add := func(a uint64) {
		if _, ok := im.Word(a); a != 0 && ok && a%a64.Size == 0 && im.IsText(a) {
			addrs = append(addrs, a)
		}
	}
	for _, t := range l.Trampolines {
		for _, m := range t.Moments {
			add(m.PC)
		}
	}
	for _, f := range found {
		add(f.Addr)
		for _, r := range f.Related {
			add(r.Addr)
		}
	}
	slices.Sort(addrs)
	addrs = slices.Compact(addrs)
	listed := map[uint64]bool{}
	for _, list := range l.Listings {
		for _, line := range list.Lines {
			listed[line.Addr] = true
		}
	}
	var end uint64 // behind the last excerpt
	for _, a := range addrs {
		if listed[a] {
			continue
		}
		from, to := a-around*a64.Size, a+(around+1)*a64.Size
		if a < around*a64.Size || from < end {
			from = end
		}
		if len(l.Excerpts) == 0 || from != end {
			if len(l.Excerpts) == maxExcerpts {
				l.Problems = append(l.Problems, fmt.Sprintf("findings speak of more than %d stretches of code: those behind %#x are not laid out", maxExcerpts, end))
				return
			}
			l.Excerpts = append(l.Excerpts, Listing{Title: "around " + im.At(a)})
		}
		list := &l.Excerpts[len(l.Excerpts)-1]
		for at := from; at < to; at += a64.Size {
			w, ok := im.Word(at)
			if !ok || !im.IsText(at) {
				continue
			}
			line := ListingLine{Source: source(im, at)}
			line.Addr, line.Word, line.Text = at, uint64(w), a64.Text(w, at, im.Name)
			if s, ok := im.SymbolAt(at); ok && s.Addr == at {
				line.Labels = []string{im.Name(at)}
			}
			list.Lines = append(list.Lines, line)
		}
		end = to
	}
}
