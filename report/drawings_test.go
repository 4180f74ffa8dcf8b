package report

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/picture"
	"github.com/ftlint/ftlint/trampoline"
	"github.com/ftlint/ftlint/world"
)

// The edges of BL's range, and zero, stand where the bins begin that begin there,
// whether the bins fill the width or there are few of them.
func TestHistogramEdges(t *testing.T) {
	bin := regexp.MustCompile(`<rect x="([^"]*)"[^>]*class="(bin[^"]*)"`)
	edge := regexp.MustCompile(`<line x1="([^"]*)"[^>]*class="edge"`)
	const width = 64 << 20
	for _, c := range []struct {
		name        string
		first, last int64 // bins, from first*width on
		edges       []int // the bins that begin at an edge
		bad         []int // the bins out of reach
	}{
		{"few bins within reach", -2, 2, []int{2}, nil},
		{"few bins, all above zero", 1, 3, []int{1}, []int{1}},
		{"many bins", -5, 5, []int{3, 5, 7}, []int{0, 1, 2, 7, 8, 9}},
	} {
		m := &picture.SiteDistances{Call: picture.Call{Insn: "BL", Size: arch.ARM64.CallSize, Reach: arch.ARM64.Call}}
		for i := c.first; i < c.last; i++ {
			m.Bins = append(m.Bins, picture.Bin{Lo: i * width, Hi: (i + 1) * width, N: 1})
		}
		svg := string(histogram(m))
		var begins []string
		var bad []int
		for i, b := range bin.FindAllStringSubmatch(svg, -1) {
			begins = append(begins, b[1])
			if b[2] == "bin bad" {
				bad = append(bad, i)
			}
		}
		if len(begins) != len(m.Bins) || !slices.Equal(bad, c.bad) {
			t.Errorf("%s: bins at %v, out of reach %v: want %v", c.name, begins, bad, c.bad)
			continue
		}
		var got, want []string
		for _, e := range edge.FindAllStringSubmatch(svg, -1) {
			got = append(got, e[1])
		}
		for _, i := range c.edges {
			want = append(want, begins[i])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: edges at %v, the bins begin at %v", c.name, got, want)
		}
	}
}

// The bar of a moment has the states of the cells, and shows those that it
// touches; a change of permissions touches none.
func TestBar(t *testing.T) {
	rect := regexp.MustCompile(`<rect x="([^"]*)"[^>]*width="([^"]*)"[^>]*class="([^"]*)"`)
	state := []trampoline.CellState{trampoline.Unwritten, trampoline.Stale, trampoline.Stale, trampoline.Maintained}
	for kind, want := range map[world.EventKind][]string{
		world.Store:   {"0% 25% state unwritten", "25% 25% state stale", "50% 25% state stale hit", "75% 25% state maintained"},
		world.Protect: {"0% 25% state unwritten", "25% 50% state stale", "75% 25% state maintained"},
	} {
		m := &trampoline.Moment{Event: world.Event{Kind: kind}, State: state, Hits: []bool{false, false, true, false}}
		var got []string
		for _, r := range rect.FindAllStringSubmatch(string(bar(m)), -1) {
			got = append(got, fmt.Sprint(r[1], " ", r[2], " ", r[3]))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v: %q, want %q", kind, got, want)
		}
	}
}

// Cells that end stale are counted, but for the literal: it is no instruction.
func TestStaleCells(t *testing.T) {
	state := []trampoline.CellState{trampoline.Unwritten, trampoline.Stale, trampoline.Maintained, trampoline.Maintained, trampoline.Stale}
	tr := &picture.Trampoline{
		Cells:   []trampoline.Cell{{}, {}, {}, {}, {Literal: true}},
		Moments: []trampoline.Moment{{Event: world.Event{Addr: 1}, State: state}}, // not about its memory
	}
	var tv trampolineView
	if number := (&pageView{}).moments(&inputView{}, tr, &tv); tv.Stale != 1 || len(number) > 0 {
		t.Errorf("%d cells are stale, 1 is; moments %v are shown", tv.Stale, number)
	}
}

// The address map of an x86-64 kernel has the reach of a CALL, 2 GiB, and its words.
func TestMapX64(t *testing.T) {
	const at = 0xffff_ffff_8100_0000
	call := picture.Call{Insn: arch.X86.CallInsn, Size: arch.X86.CallSize, Reach: arch.X86.Call}
	mv := addressMap(&picture.AddressMap{Call: call, Entry: finding.NamedAddr{Name: "ftrace_caller", Addr: at}, WindowLo: at - 2<<30, WindowHi: 1<<64 - 6,
		Regions: []picture.Region{{Kind: picture.RegionImage, Name: "the image", Start: at, End: at + 64<<20}}}, 1)
	mv.addDistances(&picture.SiteDistances{Call: call, Callsites: 1, InReach: 1, Max: 1 << 29, Bins: []picture.Bin{{Lo: 0, Hi: 1 << 30, N: 1}}}, "ftrace_caller")
	if mv.Lanes[0].Name != "CALL window" || mv.Lanes[0].Note != "a CALL in it reaches ftrace_caller" || mv.Lines != "-2 GiB, 0 and +2 GiB" || mv.Bins[0].Out {
		t.Errorf("%+v, lines at %s, %+v", mv.Lanes[0], mv.Lines, mv.Bins)
	}
	if want := "distances from +0.0 KiB to +512 MiB; CALL reaches -2 GiB..+2 GiB"; mv.Facts[1] != want {
		t.Errorf("%q, want %q", mv.Facts[1], want)
	}
	for _, tick := range []string{">-4 GiB<", ">-2 GiB<", ">0<", ">+2 GiB<", ">+4 GiB<"} {
		if !strings.Contains(strings.ReplaceAll(string(mv.Ruler), "&#43;", "+"), tick) {
			t.Errorf("no tick %s in %s", tick, mv.Ruler)
		}
	}
}
