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
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/entry"
	"github.com/ftlint/ftlint/internal/parallel"
	"github.com/ftlint/ftlint/trampoline"
	"github.com/ftlint/ftlint/world"
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

// Types is the layout of some of the kernel's structures, *callsite.Types.
var Types = &analysis.Analyzer{
	Name:     "types",
	Doc:      "read the layout of some structures from BTF or, to execute all, from DWARF",
	Requires: []*analysis.Analyzer{Image, Options},
	Run: func(pass *analysis.Pass) (any, error) {
		return callsite.ReadTypes(image(pass), pass.ResultOf[Options].(Settings).Exhaustive), nil
	},
	ResultType: reflect.TypeFor[*callsite.Types](),
}

// errNoneAsBuilt is why no callsite is executed.
var errNoneAsBuilt = &world.Lack{What: "no callsite has the words that ftrace expects"}

// SiteResults is what came of executing the site functions.
type SiteResults struct {
	None     error          // they could not be executed at all: a *world.Lack
	Executed int            // callsites
	Placed   string         // of a module: where it was placed meanwhile
	Saved    int            // the register that ftrace_init_nop has callsites save LR in; -1 if not known
	Failed   []callsite.Run // whose life differs from the model, by address
	Stuck    []callsite.Run // that reached no verdict, by address
	Borders  []callsite.Border
	Corners  []callsite.Run // of one callsite, and of some that a module could have
	Untried  error          // what of the corners could not be executed: a *world.Lack, or nil

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
	if r.None != nil {
		return ": " + r.None.Error()
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
		t, none := sitesOf(pass)
		if t == nil {
			res.None = none
			return res, nil
		}
		if im.Module() != nil {
			return moduleRuns(pass, t), nil
		}
		sites := runnable(im, t)
		if len(sites) == 0 {
			res.None = errNoneAsBuilt
			return res, nil
		}
		first, err := callsite.NewExecutor(t.Table)
		if err != nil {
			res.None = err
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
		res.Corners, res.Untried = first.Corners(sites[0].Entry, pass.ResultOf[Types].(*callsite.Types))
		return res, nil
	},
	ResultType: reflect.TypeFor[*SiteResults](),
}

// runnable are the callsites that can be executed: those in text, as built,
// aligned, that reach their entry code. The others have rules of their own.
func runnable(im *elfscan.Image, t *SiteTable) []callsite.Site {
	reach := a64.ReachOf(a64.Call)
	caller, _ := im.Addr("ftrace_caller")
	regsCaller, ok := im.Addr("ftrace_regs_caller")
	if !ok {
		regsCaller = caller
	}
	out := make([]callsite.Site, 0, len(t.Callsites))
	for _, s := range t.Callsites {
		if s.Text && s.OK && s.Saved < 0 && (t.Shape.Literal == 0 || s.Entry%8 == 0) &&
			reach.Contains(a64.Offset(s.Call, caller)) && reach.Contains(a64.Offset(s.Call, regsCaller)) {
			out = append(out, s)
		}
	}
	return out
}

// oneOfEach is one callsite of each kind, a kind being what can make ftrace's
// functions treat one callsite otherwise than another: its shape, its
// alignment, whether it crosses a page, and how far its entry code is.
func oneOfEach(im *elfscan.Image, sites []callsite.Site) []callsite.Site {
	caller, _ := im.Addr("ftrace_caller")
	var seen [16 * 16]bool // a kind of bits: distance, alignment, and the rest
	var out []callsite.Site
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
func (r *SiteResults) run(first *callsite.Executor, sites []callsite.Site, stopped func() error) {
	const worth = 1024 // callsites that are worth a world of their own
	workers := min(runtime.GOMAXPROCS(0), 1+len(sites)/worth)
	var mu sync.Mutex
	parallel.Do(workers, workers, func(i int) {
		f := first
		if i > 0 {
			f = first.Fork()
		}
		for _, s := range sites[i*len(sites)/workers : (i+1)*len(sites)/workers] {
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
	byEntry := func(a, b callsite.Run) int { return cmp.Compare(a.Site.Entry, b.Site.Entry) }
	slices.SortFunc(r.Failed, byEntry)
	slices.SortFunc(r.Stuck, byEntry)
	r.Executed = len(sites)
}

// EntryRuns executes a callsite through the entry code, []entry.Run:
// none if the image has no callsite to start from.
var EntryRuns = &analysis.Analyzer{
	Name:     "entryruns",
	Doc:      "execute a callsite through every path of the entry code",
	Requires: []*analysis.Analyzer{Image, Sites, Entry, Types},
	Run: func(pass *analysis.Pass) (any, error) {
		var runs []entry.Run
		sites, guarded := startSites(pass)
		for _, site := range sites {
			runs = append(runs, entry.Paths(table(pass), site, guarded, pass.ResultOf[Types].(*callsite.Types))...)
		}
		return runs, nil
	},
	ResultType: reflect.TypeFor[[]entry.Run](),
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
	calls := pass.ResultOf[Entry].(*entry.Code).Calls
	var seen [2][16 / a64.Size]bool
	for _, s := range runnable(image(pass), t) {
		if t.Shape.SavesLR && !s.AtFunc || len(sites) > 0 && t.Shape.Literal == 0 {
			continue
		}
		kind := &seen[0][s.Call%16/a64.Size]
		if s.BTI {
			kind = &seen[1][s.Call%16/a64.Size]
		}
		// One that the entry code itself calls would not come back: FT406.
		if *kind || slices.ContainsFunc(calls, func(c entry.Call) bool { return c.Target == s.Func }) {
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
	entry.Run
	Of *trampoline.Run
}

// TrampRuns executes a callsite through the trampolines that were built with
// all in reach, []TrampPath.
var TrampRuns = &analysis.Analyzer{
	Name:     "tramprun",
	Doc:      "execute a callsite through the trampolines that the builder made",
	Requires: []*analysis.Analyzer{Image, Sites, Entry, Built},
	Run: func(pass *analysis.Pass) (any, error) {
		var out []TrampPath
		t := pass.ResultOf[Built].(*trampoline.Results)
		for i := range t.Runs {
			r := &t.Runs[i]
			if r.Situation != trampoline.Near || r.Graph || r.Err != nil || r.Area(r.Trampoline) == nil {
				continue
			}
			if sites, guarded := startSites(pass); len(sites) > 0 {
				out = append(out, TrampPath{entry.Trampoline(table(pass), sites[0], guarded, r.Built()), r})
			}
		}
		return out, nil
	},
	ResultType: reflect.TypeFor[[]TrampPath](),
}
