package picture

import (
	"cmp"
	"math"
	"reflect"
	"slices"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/trampoline"
)

// An AddressMap says where the image, its modules and trampolines are. Addresses
// are link-time virtual addresses.
type AddressMap struct {
	Regions []Region          // by address
	Entry   finding.NamedAddr // the entry code that callsites call; Addr 0: none
	// A call at WindowLo..WindowHi, both included, reaches the entry code.
	WindowLo, WindowHi uint64
	Call               Call
}

// A Call is the branch by which code is called: its name, its size in bytes, and how
// far it reaches.
type Call struct {
	Insn  string
	Size  uint64
	Reach a64.Reach
}

// callOf is the call of an architecture.
func callOf(a *arch.Arch) Call { return Call{a.CallInsn, a.CallSize, a.Call} }

// A Region is a range of addresses.
type Region struct {
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

// maxMapped is how many sections a map shows.
const maxMapped = 12

// Map gives an *AddressMap: where the image, its modules and trampolines are. It
// is nil for a module.
var Map = &analysis.Analyzer{
	Name:     "map",
	Doc:      "say where the image, its modules and trampolines are",
	Requires: []*analysis.Analyzer{checks.Image, checks.Built},
	Run: func(pass *analysis.Pass) (any, error) {
		im, t := image(pass), pass.ResultOf[checks.Built].(*trampoline.Results)
		if im.Module() != nil || len(im.Sections()) == 0 {
			return (*AddressMap)(nil), nil
		}
		m := &AddressMap{Regions: append(imageRegions(im), builtRegions(t)...), Entry: calledEntry(im), Call: callOf(im.Arch())}
		slices.SortStableFunc(m.Regions, func(a, b Region) int { return cmp.Compare(a.Start, b.Start) })
		if m.Entry.Addr != 0 {
			m.WindowLo, m.WindowHi = m.Entry.Addr-uint64(m.Call.Reach.Max), m.Entry.Addr+uint64(-m.Call.Reach.Min)
			if m.WindowHi < m.Entry.Addr { // x86-64 has its kernel below the last address
				m.WindowHi = math.MaxUint64 - m.Call.Size
			}
		}
		return m, nil
	},
	ResultType: reflect.TypeFor[*AddressMap](),
}

// calledEntry returns the entry code that callsites call; Addr 0 for none.
func calledEntry(im *elfscan.Image) finding.NamedAddr {
	for _, name := range []string{"ftrace_caller", "ftrace_regs_caller", "_mcount"} {
		if a, ok := im.Addr(name); ok {
			return finding.NamedAddr{Name: name, Addr: a}
		}
	}
	return finding.NamedAddr{}
}

// imageRegions returns the regions of the image, its larger sections, and modules.
func imageRegions(im *elfscan.Image) []Region {
	var out []Region
	add := func(kind RegionKind, name, note string, start, end uint64) {
		if start < end {
			out = append(out, Region{kind, name, note, start, end})
		}
	}
	sections := im.Sections()
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
		note := "in " + im.Arch().CallInsn + " range of the image only in part"
		if r.Direct {
			note = "in " + im.Arch().CallInsn + " range of all of the image"
		}
		add(RegionModules, r.Name, note, r.Start, r.End)
	}
	return out
}

// builtRegions returns the regions in which trampolines were placed.
func builtRegions(t *trampoline.Results) []Region {
	var out []Region
	seen := map[uint64]bool{}
	for i := range t.Runs {
		r := &t.Runs[i]
		switch r.Situation {
		case trampoline.Near, trampoline.FarAbove, trampoline.FarBelow:
		default:
			continue
		}
		for k := range r.Areas {
			if a := &r.Areas[k]; !seen[a.Addr] {
				seen[a.Addr] = true
				if a.Addr < a.Addr+a.Size {
					out = append(out, Region{RegionMemory, r.Situation.String(), arrival(r), a.Addr, a.Addr + a.Size})
				}
			}
		}
	}
	return out
}

// arrival says whether the trampoline of a run reaches its callback.
func arrival(r *trampoline.Run) string {
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

// SiteDistances says how far callsites are from their entry code.
type SiteDistances struct {
	Callsites int   // callsites in text
	InReach   int   // of these, callsites whose branch reaches the entry code
	Min, Max  int64 // from a callsite's branch to the entry code, in bytes
	Bins      []Bin
	Call      Call
}

// A Bin counts callsites whose branch has a distance of Lo..Hi-1 bytes.
type Bin struct {
	Lo, Hi int64
	N      int
}

// Distances gives a *SiteDistances: how far callsites are from their entry code.
// It is nil for a module, and for an image without callsites or entry code.
var Distances = &analysis.Analyzer{
	Name:     "distances",
	Doc:      "say how far callsites are from their entry code",
	Requires: []*analysis.Analyzer{checks.Image, checks.Sites},
	Run: func(pass *analysis.Pass) (any, error) {
		im, t := image(pass), pass.ResultOf[checks.Sites].(*checks.SiteTable)
		entry := calledEntry(im)
		if im.Module() != nil || t.Entries == nil || entry.Addr == 0 {
			return (*SiteDistances)(nil), nil
		}
		out, reach := &SiteDistances{Call: callOf(t.Arch)}, t.Arch.Call
		var distances []int64
		for i := range t.Callsites {
			s := &t.Callsites[i]
			if !s.Text {
				continue // FT403
			}
			d := a64.Offset(s.Call, entry.Addr)
			distances = append(distances, d)
			if reach.Contains(d) {
				out.InReach++
			}
		}
		out.Callsites = len(distances)
		if out.Callsites > 0 {
			out.Min, out.Max = slices.Min(distances), slices.Max(distances)
			out.Bins = binned(distances, out.Min, out.Max)
		}
		return out, nil
	},
	ResultType: reflect.TypeFor[*SiteDistances](),
}

// binned counts distances between lo and hi (bytes) in at most forty bins. The
// width of bins is a power of two, so that the ends of a call's range are edges
// of bins, or next to them.
func binned(distances []int64, lo, hi int64) []Bin {
	const most = 40
	width := int64(1 << 10)
	floor := func(d int64) int64 { return d &^ (width - 1) } // negative distances too
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
