package patchscan

import (
	"maps"
	"slices"
	"strings"

	"github.com/pmezard/go-difflib/difflib"
)

// A Composed is what is shown of files when a series has been applied, patch by
// patch: what one patch adds is there for the next, and what a later patch removes
// is gone.
type Composed struct {
	Files []*File // in the order in which patches touch them first; deleted files are not here

	undone map[int32]bool // rows of the lines that a patch adds, and the series does not
}

// Adds reports whether the series adds the line, which a patch adds: no later patch
// removes it, and it does not stand where an earlier patch removed the same.
func (c *Composed) Adds(l *Line) bool { return !c.undone[l.row] }

// Composed reports whether the file is made of what several patches show.
func (f *File) Composed() bool { return f.composed }

// Compose applies the patches of a series to what they show, or to the files of the
// kernel's tree that the input has. A file that one patch touches, and that no tree
// has, is that patch's File. In the other files each line has the number that it has
// behind the patch that it comes from.
func (in *Input) Compose(patches []*Patch) *Composed {
	c := &Composed{undone: map[int32]bool{}}
	touched := map[string][]*File{}
	var order []string
	for _, p := range patches {
		for _, f := range p.Files {
			if touched[f.Path] == nil {
				order = append(order, f.Path)
			}
			touched[f.Path] = append(touched[f.Path], f)
		}
	}
	for _, path := range order {
		files := touched[path]
		base := in.base[path]
		if len(files) == 1 && base == nil {
			c.Files = append(c.Files, files[0])
			continue
		}
		on := Composed{undone: map[int32]bool{}}
		f, fits := on.compose(files, before(files, base))
		if base != nil && !fits { // the tree has another version of the file
			on.undone = map[int32]bool{}
			f, _ = on.compose(files, nil)
		}
		maps.Copy(c.undone, on.undone)
		if f != nil {
			c.Files = append(c.Files, f)
		}
	}
	return c
}

// An island is a run of lines of a file that patches show. Those that are removed
// stay, as '-', unless a patch of the series has added them.
type island struct {
	at      int // number of the first line in the file, as it is so far
	lines   []Line
	left    int    // number of lines that are not removed
	section string // of the hunk that shows the first line
	header  int    // line of the input with that hunk's header
}

// end is the number of the first line behind the island.
func (s *island) end() int { return s.at + s.left }

// behind is the index in lines behind line n-1 of the file.
func (s *island) behind(n int) int {
	i := 0
	for n -= s.at; n > 0; i++ {
		if s.lines[i].Op != '-' {
			n--
		}
	}
	return i
}

// A spot is a line of the file as it is before a hunk.
type spot struct {
	line   *Line  // nil if it is not known
	before []Line // that were removed in front of it
}

// spots are the lines from a number up to another, as far as the islands have them.
func spots(islands []island, from, to int) []spot {
	out := make([]spot, to-from)
	for k := range islands {
		s := &islands[k]
		n, begin := s.at, 0
		for i := range s.lines {
			if s.lines[i].Op == '-' {
				continue
			}
			if n >= from && n < to {
				out[n-from] = spot{&s.lines[i], s.lines[begin:i]}
			}
			n++
			begin = i + 1
		}
	}
	return out
}

// before is the tree's file as it is before the changes. If the tree has the changes,
// they are taken back.
func before(files []*File, base *File) []island {
	if base == nil || files[0].New {
		return nil
	}
	whole := []island{{at: 1, lines: base.Hunks[0].Lines, left: len(base.Hunks[0].Lines), header: 1}}
	unused := Composed{undone: map[int32]bool{}}
	if _, fits := unused.compose(files, whole); fits {
		return whole
	}
	old := whole
	for _, f := range slices.Backward(files) {
		for _, h := range slices.Backward(f.Hunks) {
			fits := true
			if old, fits = unused.apply(old, h.reversed()); !fits {
				return whole // compose says that it does not fit
			}
		}
	}
	for k := range old {
		s := &old[k]
		s.lines = slices.DeleteFunc(s.lines, func(l Line) bool { return l.Op == '-' })
		for i := range s.lines {
			s.lines[i].Op = ' '
		}
	}
	return old
}

// reversed is the hunk that takes the hunk back.
func (h *Hunk) reversed() *Hunk {
	r := &Hunk{Line: h.Line, Section: h.Section, Old: h.Old}
	for _, l := range slices.Backward(h.Lines) {
		if l.Num > 0 {
			r.Old = l.Num // the first, at last
		}
	}
	for _, l := range h.Lines {
		switch l.Op {
		case '+':
			l.Op = '-'
		case '-':
			l.Op = '+'
		}
		r.Lines = append(r.Lines, l)
	}
	return r
}

// compose applies the changes of one file to what is known of the file. It returns
// nil if the last of them deletes the file. fits reports whether each change met the
// lines that it expects, as far as lines are known.
func (c *Composed) compose(files []*File, islands []island) (out *File, fits bool) {
	fits = true
	for _, f := range files {
		if f.New {
			islands = c.clear(islands)
		}
		for _, h := range slices.Backward(f.Hunks) { // so that the numbers of the hunks before stay those before the patch
			var fit bool
			if islands, fit = c.apply(islands, h); !fit {
				fits = false
			}
		}
		if f.Deleted {
			islands = c.clear(islands)
		}
	}
	last := files[len(files)-1]
	if last.Deleted {
		return nil, fits
	}
	out = &File{Path: last.Path, Lang: last.Lang, Arch: last.Arch, New: files[0].New, Binary: last.Binary, composed: true}
	for _, s := range islands {
		c.restore(s.lines)
		lines := slices.DeleteFunc(s.lines, func(l Line) bool { return l.Op == '-' })
		if len(lines) > 0 {
			out.Hunks = append(out.Hunks, &Hunk{Line: s.header, Section: s.section, Lines: lines})
		}
	}
	return out, fits
}

// clear is what is known of a file that is not there: what it was.
func (c *Composed) clear(islands []island) []island {
	var was []Line
	for _, s := range islands {
		c.drop(s.lines)
		for _, l := range s.lines {
			if l.Op != '+' {
				l.Op = '-'
				was = append(was, l)
			}
		}
	}
	if len(was) == 0 {
		return nil
	}
	return []island{{at: 1, lines: was, section: islands[0].section, header: islands[0].header}}
}

// restore makes lines that are added what they were before the series, where it has
// removed the same lines.
func (c *Composed) restore(lines []Line) {
	const most = 1 << 18 // pairs of lines that are compared
	for begin := 0; begin < len(lines); begin++ {
		var old, new []string
		var added []*Line
		i := begin
		for ; i < len(lines) && lines[i].Op != ' '; i++ {
			if text := strings.TrimSpace(lines[i].Text); lines[i].Op == '-' { // archives change blanks
				old = append(old, text)
			} else {
				new, added = append(new, text), append(added, &lines[i])
			}
		}
		begin = i
		if len(old)*len(new) == 0 || len(old)*len(new) > most {
			continue
		}
		for _, block := range difflib.NewMatcherWithJunk(old, new, false, nil).GetMatchingBlocks() {
			for _, l := range added[block.B : block.B+block.Size] {
				l.Op = ' '
				c.undone[l.row] = true
			}
		}
	}
}

func (c *Composed) drop(lines []Line) {
	for i := range lines {
		if lines[i].Op == '+' {
			c.undone[lines[i].row] = true
		}
	}
}

// apply applies a hunk to islands in the order of the file. A hunk whose old lines
// are not those that are known there makes an island of its own: the patch is for
// another version of the file.
func (c *Composed) apply(islands []island, h *Hunk) (out []island, fits bool) {
	from := h.Old
	to := from // behind the last line that the hunk replaces
	for i := range h.Lines {
		if h.Lines[i].Op != '+' {
			to++
		}
	}
	first := 0
	for first < len(islands) && islands[first].end() < from {
		first++
	}
	last := first // behind the last island that the hunk meets or touches
	for last < len(islands) && islands[last].at <= to {
		last++
	}
	met := islands[first:last]
	known := spots(met, from, to)
	fits = true
	n := 0 // index into known
	for i := range h.Lines {
		if l := &h.Lines[i]; l.Op != '+' {
			if old := known[n].line; old != nil && strings.TrimSpace(old.Text) != strings.TrimSpace(l.Text) { // archives change blanks
				fits = false
			}
			n++
		}
	}
	made := island{at: from, section: h.Section, header: h.Line}
	if !fits {
		met, known = nil, make([]spot, to-from)
	}
	if len(met) > 0 && met[0].at < from {
		made = met[0]
		made.lines = slices.Clone(made.lines[:made.behind(from)])
	}
	n = 0
	for i := range h.Lines {
		l := h.Lines[i]
		var old spot
		if l.Op != '+' {
			old = known[n]
			n++
		}
		made.lines = append(made.lines, old.before...)
		switch {
		case l.Op == '-' && old.line != nil && old.line.Op == '+':
			c.drop([]Line{*old.line})
		case l.Op != '+' && old.line != nil:
			kept := *old.line
			if l.Op == '-' {
				kept.Op = '-'
			}
			made.lines = append(made.lines, kept)
		default:
			made.lines = append(made.lines, l)
		}
	}
	if len(met) > 0 {
		if tail := &met[len(met)-1]; tail.end() >= to {
			made.lines = append(made.lines, tail.lines[tail.behind(to):]...)
		}
	}
	made.left = 0
	for i := range made.lines {
		if made.lines[i].Op != '-' {
			made.left++
		}
	}
	shift := -(to - from)
	for i := range h.Lines {
		if h.Lines[i].Op != '-' {
			shift++
		}
	}
	out = slices.Clone(islands[:first])
	if !fits {
		out = append(out, islands[first:last]...)
	}
	if len(made.lines) > 0 {
		out = append(out, made)
	}
	for _, s := range islands[last:] {
		s.at += shift
		out = append(out, s)
	}
	return out, fits
}
