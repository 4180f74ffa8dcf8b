package report

import (
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/bpf"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/picture"
	"github.com/ftlint/ftlint/trampoline"
)

// A cell is one instruction of a trampoline in its picture.
type cell struct {
	class   string // style
	name    string // "" for none
	built   string // the instruction; "" if the trampoline lacks it
	model   string // the model's instruction; "" if there is none
	differs bool
	rest    bool     // it stands for many words
	rules   []string // about the differences

	region, regionClass string // of the template that the cell comes from; "" for none
	tick                string // the offset of the region's beginning, where that is written; "" for none
}

// cellClass returns the style of a cell.
func cellClass(c *trampoline.Cell) string {
	switch {
	case c.Literal:
		return "literal"
	case c.Role == trampoline.CallSlot || c.Role == trampoline.GraphSlot:
		return "slot"
	case c.Role == trampoline.OpLoad || c.Role == trampoline.OpPage:
		return "op"
	case c.Role == trampoline.Return:
		return "ret"
	case c.Origin == 0:
		return "pad"
	case c.Common:
		return "common"
	}
	return "entry"
}

// cellLabel returns the name of a cell in the picture; "" for none.
func cellLabel(c *trampoline.Cell) string {
	switch {
	case c.Literal:
		return "ops literal"
	case c.Label != "":
		return c.Label
	case c.Role == trampoline.OpLoad:
		return "op load"
	case c.Role == trampoline.Return:
		return "return"
	}
	return ""
}

// regionOf returns the region of the template that a cell belongs to.
func regionOf(t *picture.Trampoline, c *trampoline.Cell) (name, class string) {
	switch {
	case c.Literal:
		return "", "literal"
	case c.Origin == 0:
		return "", "pad"
	case c.Common:
		return "ftrace_common", "common"
	}
	return clean(t.Variant), "entry"
}

// besideModel are the cells of a trampoline beside the model.
func besideModel(t *picture.Trampoline) (cells []cell) {
	before := ""
	for i := range t.Cells {
		c := &t.Cells[i]
		out := cell{class: cellClass(c), name: clean(cellLabel(c)), model: clean(c.Model), differs: c.Differs, rest: c.Rest}
		if c.At != 0 {
			out.built = fmt.Sprintf("+%#x: %s", c.At-t.Addr, clean(c.Text))
		}
		for _, d := range c.Diffs {
			out.rules = append(out.rules, clean(t.Diffs[d].Rule))
		}
		out.region, out.regionClass = regionOf(t, c)
		if out.region != before && out.region == "ftrace_common" && c.At != 0 && i > 0 {
			out.tick = fmt.Sprintf("+%#x", c.At-t.Addr)
		}
		before = out.region
		cells = append(cells, out)
	}
	return cells
}

// stretches are the styles of the cells of a BPF trampoline.
var stretches = []stretchView{
	{"entry", "saves registers"}, {"op", "enter and exit of the trampoline"}, {"common", "a program, with its enter and exit function"},
	{"literal", "the traced function"}, {"ret", "restores and returns"}, {"slot", "goes out of the trampoline"}, {"pad", "not executed"},
}

// inStretches are the cells of a BPF trampoline. The first cell of a stretch has its
// name, if there are few.
func inStretches(g *picture.Generated) (cells []cell) {
	const many = 16
	names := 0
	for i := range g.Cells {
		c := &g.Cells[i]
		out := cell{class: [...]string{bpf.Unused: "pad", bpf.Saving: "entry", bpf.Holding: "op", bpf.Running: "common", bpf.Calling: "literal", bpf.Ending: "ret"}[c.Purpose]}
		if c.Leaves && c.Purpose != bpf.Ending {
			out.class = "slot"
		}
		out.built = clean(fmt.Sprintf("+%#x: %s", g.Lines[i].Addr-g.Lines[0].Addr, g.Lines[i].Text))
		if c.Name != "" {
			out.built += " (" + c.Name + ")"
		}
		if i == 0 || g.Cells[i-1].Name != c.Name {
			if out.name = c.Name; out.name != "" {
				names++
			}
		}
		for _, d := range c.Diffs {
			out.differs = true
			if rule := clean(g.Diffs[d].Rule); !slices.Contains(out.rules, rule) {
				out.rules = append(out.rules, rule)
			}
		}
		cells = append(cells, out)
	}
	for i := range cells {
		if names > many {
			cells[i].name = ""
		}
	}
	return cells
}

// Ordinates of the strip, in pixels.
const (
	calloutHeight = 14
	regionHeight  = 16
	stripHeight   = 26
	stripGap      = 5
)

// A callout names a cell of the strip.
type callout struct {
	cell        int
	text, class string
}

// callouts returns the names of cells: left are the cells whose text begins at
// their line, right those whose text ends there. differing is the number of cells
// that differ from the model.
func callouts(cells []cell) (left, right []callout, differing int) {
	n := float64(len(cells))
	for i := range cells {
		c := &cells[i]
		s, class := c.name, "callout"
		if c.differs {
			differing++
			s, class = strings.Join(append(strings.Fields("\u2260 "+s), c.rules...), " "), "callout bad"
			if differing > 8 { // the rows below name them all
				s = ""
			}
		}
		if s == "" {
			continue
		}
		// Left of its line if there is room: on a narrow screen a character
		// has some 2 % of the width, and the gutter some 14 %.
		if (float64(i)+0.5)/n+0.14 < float64(len([]rune(s)))*0.022 {
			left = append(left, callout{i, s, class})
		} else {
			right = append(right, callout{i, s, class})
		}
	}
	return left, right, differing
}

// strip draws a trampoline of that size in bytes, beside the model if there is one, and
// the captions left of it.
func strip(cells []cell, size uint64) (drawn, gutter template.HTML) {
	left, right, differing := callouts(cells)
	n := float64(len(cells))
	center := func(i int) float64 { return (float64(i) + 0.5) / n }
	beside := false
	for i := range cells {
		beside = beside || cells[i].regionClass != ""
	}
	var d drawing
	built := float64(len(left)+len(right))*calloutHeight + 4
	model := built + stripHeight + stripGap
	d.height = built + stripHeight + 19
	if beside {
		d.height = model + stripHeight + 3 + regionHeight + 16
	}
	// Texts nearer to an edge stand higher, so that no line crosses a text.
	for k, c := range right {
		y := float64(len(right)-k) * calloutHeight
		d.line(center(c.cell), y-calloutHeight/2, center(c.cell), built, c.class)
		d.text(center(c.cell), y-3, "end", c.class, c.text)
	}
	for k, c := range left {
		y := float64(len(right)+k+1) * calloutHeight
		d.line(center(c.cell), y-calloutHeight/2, center(c.cell), built, c.class)
		d.text(center(c.cell), y-3, "start", c.class, c.text)
	}
	g := drawing{}
	caption := func(y float64, text string) {
		fmt.Fprintf(&g.b, `<text x="0" y="%g" class="tick">%s</text>`, y+17, text)
	}
	caption(built, "built")
	words := fmt.Sprintf("%s of the trampoline; %d differ. The table below has the same in words.", plural.Of(len(cells), "cell"), differing)
	if beside {
		words = strings.Replace(words, "trampoline;", "trampoline beside the model;", 1)
		caption(model, "model")
		d.regions(cells, model+stripHeight+3)
	}
	g.height = d.height
	d.cells(cells, built, model)
	d.offsets(cells, size)
	return d.svg(words), g.svg("")
}

// regions draws the regions of the template at an ordinate: cells of one in a
// row.
func (d *drawing) regions(cells []cell, y float64) {
	n := float64(len(cells))
	for i := 0; i < len(cells); {
		c := &cells[i]
		j := i + 1
		for j < len(cells) && cells[j].region == c.region && cells[j].regionClass != "literal" {
			j++
		}
		d.rect(float64(i)/n, y, float64(j-i)/n, regionHeight, "region "+c.regionClass, c.region)
		if j-i > 6 {
			d.text(float64(i)/n, y+12, "start", "region-name", c.region)
		}
		i = j
	}
}

// cells draws what was built and what the model has, each at an ordinate.
func (d *drawing) cells(cells []cell, built, model float64) {
	n := float64(len(cells))
	for i := range cells {
		c := &cells[i]
		x, w := float64(i)/n, 1/n
		center := (float64(i) + 0.5) / n
		class := "cell " + c.class
		if c.differs {
			class += " bad"
		}
		if c.built != "" {
			d.rect(x, built, w, stripHeight, class, c.built)
		} else {
			d.rect(x, built, w, stripHeight, "cell gap bad", "not in the trampoline: "+c.model)
			d.text(center, built+18, "middle", "mark", "\u2205")
		}
		if c.rest {
			d.text(center, built+17, "middle", "tick", "\u22ef")
		}
		if c.model != "" {
			d.rect(x, model, w, stripHeight, "cell "+c.class, "the model: "+c.model)
		}
		if c.differs && c.built != "" {
			d.text(center, built+18, "middle", "mark", "\u2260")
		}
	}
}

// offsets writes offsets at the beginnings of regions and at the end.
func (d *drawing) offsets(cells []cell, size uint64) {
	tick := func(i int, text, anchor string) {
		d.text(float64(i)/float64(len(cells)), d.height-4, anchor, "tick", text)
	}
	tick(0, "+0x0", "start")
	for i := range cells {
		if cells[i].tick != "" {
			tick(i, cells[i].tick, "middle")
		}
	}
	tick(len(cells), fmt.Sprintf("+%#x", size), "end")
}
