package checks

import (
	"cmp"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/builder"
	"github.com/ftlint/ftlint/elfscan"
)

// Settings are what a user can choose of how checks run.
type Settings struct {
	Exhaustive bool // execute every callsite, not one of each kind
	ByModel    bool // execute no callsite of modules: only tell their kinds

	// Stopped, if not nil, tells why a run ends early: nil if it does not.
	Stopped func() error
}

func (s Settings) stopped() error {
	if s.Stopped == nil {
		return nil
	}
	return s.Stopped()
}

// Options is the Settings. The driver supplies them; on its own the analyzer
// gives the defaults.
var Options = &analysis.Analyzer{
	Name:       "options",
	Doc:        "what the user chose",
	Run:        func(*analysis.Pass) (any, error) { return Settings{}, nil },
	ResultType: reflect.TypeFor[Settings](),
}

// Types is the layout of some of the kernel's structures, *builder.Types.
var Types = &analysis.Analyzer{
	Name:     "types",
	Doc:      "read the layout of some structures from BTF or, to execute all, from DWARF",
	Requires: []*analysis.Analyzer{Image, Options},
	Run: func(pass *analysis.Pass) (any, error) {
		return builder.ReadTypes(image(pass), pass.ResultOf[Options].(Settings).Exhaustive), nil
	},
	ResultType: reflect.TypeFor[*builder.Types](),
}

// SiteResults is what came of executing the site functions.
type SiteResults struct {
	Why      string            // they could not be executed at all: why
	Executed int               // callsites
	Placed   string            // of a module: where it was placed meanwhile
	Saved    int               // the register that ftrace_init_nop has callsites save LR in; -1 if not known
	Failed   []builder.SiteRun // whose life differs from the model, by address
	Stuck    []builder.SiteRun // that reached no verdict, by address
	Borders  []builder.Border
	Corners  []builder.SiteRun // of one callsite, and of some that a module could have
	Untried  string            // what of the corners could not be executed; "" for nothing

	kinds []ModuleKind // of a module: the kinds of its callsites that can be executed
}

// Kinds are the kinds of a module's callsites that can be executed. Of callsites
// of one kind in many modules it is enough to execute one.
func (r *SiteResults) Kinds() (names []string) {
	for _, k := range r.kinds {
		names = append(names, fmt.Sprintf("%+v", k))
	}
	return names
}

// Sound reports whether execution found nothing wrong, and always came to a
// verdict.
func (r *SiteResults) Sound() bool { return len(r.Failed)+len(r.Stuck) == 0 }

func (r *SiteResults) whySuffix() string {
	if r.Why != "" {
		return ": " + r.Why
	}
	return ""
}

// SiteRuns executes ftrace's functions on callsites, *SiteResults: on one of
// each kind, or on all.
var SiteRuns = &analysis.Analyzer{
	Name:     "siteruns",
	Doc:      "execute ftrace_call_adjust, ftrace_init_nop, ftrace_make_call, ftrace_modify_call and ftrace_make_nop on callsites",
	Requires: []*analysis.Analyzer{Image, Sites, Options, InKernel, Types},
	Run: func(pass *analysis.Pass) (any, error) {
		im := image(pass)
		res := &SiteResults{Saved: -1}
		t, why := sitesOf(pass)
		if t == nil {
			res.Why = why
			return res, nil
		}
		if im.Module() != nil {
			return moduleRuns(pass, t), nil
		}
		sites := runnable(im, t)
		if len(sites) == 0 {
			res.Why = "no callsite has the words that ftrace expects"
			return res, nil
		}
		first, why := builder.NewSiteFuncs(im)
		if first == nil {
			res.Why = why
			return res, nil
		}
		if reg, ok := first.SavedRegister(sites[0].Entry); ok {
			res.Saved = reg
		}
		settings := pass.ResultOf[Options].(Settings)
		if !settings.Exhaustive {
			sites = oneOfEach(im, sites)
		}
		res.run(first, sites, settings.stopped)
		if err := settings.stopped(); err != nil {
			return res, err
		}
		res.Borders = first.Borders(sites[0].Entry)
		res.Corners, res.Untried = first.Corners(sites[0].Entry, pass.ResultOf[Types].(*builder.Types))
		return res, nil
	},
	ResultType: reflect.TypeFor[*SiteResults](),
}

// runnable are the callsites that can be executed: those in text, as built,
// aligned, that reach their entry code. The others have rules of their own.
func runnable(im *elfscan.Image, t *SiteTable) []elfscan.Site {
	reach := a64.ReachOf(a64.Call)
	caller, _ := im.Addr("ftrace_caller")
	regsCaller, ok := im.Addr("ftrace_regs_caller")
	if !ok {
		regsCaller = caller
	}
	out := make([]elfscan.Site, 0, len(t.Callsites))
	for _, s := range t.Callsites {
		if s.Text && s.OK && s.Saved < 0 && (t.Shape != elfscan.ShapeCallops || s.Entry%8 == 0) &&
			reach.Contains(a64.Offset(s.Call, caller)) && reach.Contains(a64.Offset(s.Call, regsCaller)) {
			out = append(out, s)
		}
	}
	return out
}

// oneOfEach is one callsite of each kind, a kind being what can make ftrace's
// functions treat one callsite otherwise than another: its shape, its
// alignment, whether it crosses a page, and how far its entry code is.
func oneOfEach(im *elfscan.Image, sites []elfscan.Site) []elfscan.Site {
	caller, _ := im.Addr("ftrace_caller")
	var seen [16 * 16]bool // a kind of bits: distance, alignment, and the rest
	var out []elfscan.Site
	for _, s := range sites {
		off := int64(caller - s.Call)
		kind := 0
		for d := abs(off); d > 1<<20; d >>= 2 {
			kind++ // up to 4, as all reach their entry code
		}
		kind = kind<<2 | int(s.Entry%16/a64.Size)
		for _, is := range []bool{s.BTI, off > 0, s.Entry&^0xfff != s.Call&^0xfff} {
			kind <<= 1
			if is {
				kind |= 1
			}
		}
		if !seen[kind] {
			seen[kind] = true
			out = append(out, s)
		}
	}
	return out
}

// run executes the callsites, the many split among the processors, until
// stopped gives an error.
func (r *SiteResults) run(first *builder.SiteFuncs, sites []elfscan.Site, stopped func() error) {
	const worth = 1024 // callsites that are worth a world of their own
	workers := min(runtime.GOMAXPROCS(0), 1+len(sites)/worth)
	var wg sync.WaitGroup
	var mu sync.Mutex
	for i := range workers {
		part := sites[i*len(sites)/workers : (i+1)*len(sites)/workers]
		wg.Go(func() {
			defer elfscan.Guard()()
			f := first
			if i > 0 {
				f = first.Fork()
			}
			for _, s := range part {
				if stopped() != nil {
					return
				}
				run := f.Run(s.Entry)
				if run.Err == nil && run.Failed() == nil {
					continue
				}
				mu.Lock()
				if run.Err != nil {
					r.Stuck = append(r.Stuck, run)
				} else {
					r.Failed = append(r.Failed, run)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	byEntry := func(a, b builder.SiteRun) int { return cmp.Compare(a.Site.Entry, b.Site.Entry) }
	slices.SortFunc(r.Failed, byEntry)
	slices.SortFunc(r.Stuck, byEntry)
	r.Executed = len(sites)
}

// EntryRuns executes a callsite through the entry code, []builder.PathRun:
// none if the image has no callsite to start from.
var EntryRuns = &analysis.Analyzer{
	Name:     "entryruns",
	Doc:      "execute a callsite through every path of the entry code",
	Requires: []*analysis.Analyzer{Image, Sites, Entry, Types},
	Run: func(pass *analysis.Pass) (any, error) {
		var runs []builder.PathRun
		sites, guarded := startSites(pass)
		for _, site := range sites {
			runs = append(runs, builder.EntryPaths(image(pass), site, guarded, pass.ResultOf[Types].(*builder.Types))...)
		}
		return runs, nil
	},
	ResultType: reflect.TypeFor[[]builder.PathRun](),
}

// startSites are callsites (their entries in the table) that can be executed
// through the entry code or a trampoline, in a pass that has Sites and Entry:
// one or, in era callops, one of each alignment, with a landing pad and
// without, as the entry code finds the literal by that. guarded tells whether
// the image is built with landing pads.
func startSites(pass *analysis.Pass) (sites []uint64, guarded bool) {
	t, _ := sitesOf(pass)
	if t == nil {
		return nil, false
	}
	calls := pass.ResultOf[Entry].(*builder.EntryCode).Calls
	var seen [2][16 / a64.Size]bool
	for _, s := range runnable(image(pass), t) {
		if t.Shape != elfscan.ShapeMcount && !s.AtFunc || len(sites) > 0 && t.Shape != elfscan.ShapeCallops {
			continue
		}
		kind := &seen[0][s.Call%16/a64.Size]
		if s.BTI {
			kind = &seen[1][s.Call%16/a64.Size]
		}
		// One that the entry code itself calls would not come back: FT406.
		if *kind || slices.ContainsFunc(calls, func(c builder.Call) bool { return c.Target == s.Func }) {
			continue
		}
		*kind = true
		sites = append(sites, s.Entry)
	}
	return sites, t.BTI > 0
}

// A TrampPath is a callsite executed through a trampoline that the image's
// builder made.
type TrampPath struct {
	builder.PathRun
	Run *builder.TrampRun
}

// TrampRuns executes a callsite through the trampolines that were built with
// all in reach, []TrampPath.
var TrampRuns = &analysis.Analyzer{
	Name:     "tramprun",
	Doc:      "execute a callsite through the trampolines that the builder made",
	Requires: []*analysis.Analyzer{Image, Sites, Entry, Built},
	Run: func(pass *analysis.Pass) (any, error) {
		var out []TrampPath
		t := pass.ResultOf[Built].(*builder.Trampolines)
		for i := range t.Runs {
			r := &t.Runs[i]
			if r.Situation != builder.Near || r.Graph || r.Err != nil || r.Area(r.Trampoline) == nil {
				continue
			}
			if sites, guarded := startSites(pass); len(sites) > 0 {
				out = append(out, TrampPath{builder.TrampolinePath(image(pass), sites[0], guarded, r.Built()), r})
			}
		}
		return out, nil
	},
	ResultType: reflect.TypeFor[[]TrampPath](),
}
