package patchscan

import (
	"maps"
	"slices"
	"strings"
)

// A Composed is what is shown of files when a series has been applied, patch by
// patch: what one patch adds is there for the next, and what a later patch removes
// is gone.
type Composed struct {
	Files []*File // in the order in which patches touch them first; deleted files are not here

	gone map[int32]bool // rows of the lines that a patch adds and a later one removes
}

// Gone reports whether a later patch removes the line, which a patch adds.
func (c *Composed) Gone(l *Line) bool { return c.gone[l.row] }

// Composed reports whether the file is made of what several patches show.
func (f *File) Composed() bool { return f.composed }

// Compose applies the patches of a series to what they show, or to the files of the
// kernel's tree that the input has. A file that one patch touches, and that no tree
// has, is that patch's File. In the other files each line has the number that it has
// behind the patch that it comes from.
func (in *Input) Compose(patches []*Patch) *Composed {
	c := &Composed{gone: map[int32]bool{}}
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
		on := Composed{gone: map[int32]bool{}}
		f, fits := on.compose(files, before(files, base))
		if base != nil && !fits { // the tree has another version of the file
			on.gone = map[int32]bool{}
			f, _ = on.compose(files, nil)
		}
		maps.Copy(c.gone, on.gone)
		if f != nil {
			c.Files = append(c.Files, f)
		}
	}
	return c
}

// An island is a run of lines of a file that patches show.
type island struct {
	at      int // number of the first line in the file, as it is so far
	lines   []Line
	section string // of the hunk that shows the first line
	header  int    // line of the input with that hunk's header
}

func (s *island) end() int { return s.at + len(s.lines) }

// before is the tree's file as it is before the changes. If the tree has the changes,
// they are taken back.
func before(files []*File, base *File) []island {
	if base == nil || files[0].New {
		return nil
	}
	whole := []island{{at: 1, lines: base.Hunks[0].Lines, header: 1}}
	unused := Composed{gone: map[int32]bool{}}
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
	for _, s := range old {
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
		if f.New || f.Deleted {
			for _, s := range islands {
				c.drop(s.lines)
			}
			islands = nil
		}
		if f.Deleted {
			continue
		}
		for _, h := range slices.Backward(f.Hunks) { // so that the numbers of the hunks before stay those before the patch
			var fit bool
			if islands, fit = c.apply(islands, h); !fit {
				fits = false
			}
		}
	}
	last := files[len(files)-1]
	if last.Deleted {
		return nil, fits
	}
	out = &File{Path: last.Path, Lang: last.Lang, Arch: last.Arch, New: files[0].New, Binary: last.Binary, composed: true}
	for _, s := range islands {
		out.Hunks = append(out.Hunks, &Hunk{Line: s.header, Section: s.section, Lines: s.lines})
	}
	return out, fits
}

func (c *Composed) drop(lines []Line) {
	for i := range lines {
		if lines[i].Op == '+' {
			c.gone[lines[i].row] = true
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
	known := func(n int) *Line {
		for k := range met {
			if s := &met[k]; n >= s.at && n < s.end() {
				return &s.lines[n-s.at]
			}
		}
		return nil
	}
	fits = true
	n := from
	for i := range h.Lines {
		if l := &h.Lines[i]; l.Op != '+' {
			if old := known(n); old != nil && strings.TrimSpace(old.Text) != strings.TrimSpace(l.Text) { // archives change blanks
				fits = false
			}
			n++
		}
	}
	made := island{at: from, section: h.Section, header: h.Line}
	if !fits {
		met = nil
	}
	if len(met) > 0 && met[0].at < from {
		made = met[0]
		made.lines = slices.Clone(made.lines[:from-made.at])
	}
	n = from
	for i := range h.Lines {
		l := h.Lines[i]
		var old *Line
		if l.Op != '+' {
			if fits {
				old = known(n)
			}
			n++
		}
		switch {
		case l.Op == '-' && old != nil:
			c.drop([]Line{*old})
		case l.Op == '-':
		case old != nil:
			made.lines = append(made.lines, *old)
		default:
			made.lines = append(made.lines, l)
		}
	}
	if len(met) > 0 {
		if tail := met[len(met)-1]; tail.end() > to {
			made.lines = append(made.lines, tail.lines[to-tail.at:]...)
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
