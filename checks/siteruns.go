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
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/parallel"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/trampoline"
	"github.com/ftlint/ftlint/world"
)

// Settings are what a user can choose about how checks run.
type Settings struct {
	Exhaustive bool // execute every callsite, not one of each kind
	ByModel    bool // find the kinds of a module's callsites, and execute none of them

	// WithModules says that modules of the image are judged in the same run.
	WithModules bool

	// Stopped, if not nil, returns why the run ends early, or nil while it
	// goes on.
	Stopped func() error
}

func (s Settings) stopped() error {
	if s.Stopped == nil {
		return nil
	}
	return s.Stopped()
}

// Options are the settings of the run, Settings. The driver supplies them.
// Without the driver the analyzer gives the defaults.
var Options = &analysis.Analyzer{
	Name:       "options",
	Doc:        "what the user chose",
	Run:        func(*analysis.Pass) (any, error) { return Settings{}, nil },
	ResultType: reflect.TypeFor[Settings](),
}

// Types are the layouts of some of the kernel's structures, *callsite.Types.
var Types = &analysis.Analyzer{
	Name:     "types",
	Doc:      "read the layouts of some structures from BTF, or from DWARF: if it must be searched, where the run is exhaustive or has modules",
	Requires: []*analysis.Analyzer{Image, Options},
	Run: func(pass *analysis.Pass) (any, error) {
		settings := pass.ResultOf[Options].(Settings)
		return callsite.ReadTypes(image(pass), settings.Exhaustive || settings.WithModules), nil
	},
	ResultType: reflect.TypeFor[*callsite.Types](),
}

// errNoneAsBuilt says why no callsite is executed.
var errNoneAsBuilt = &world.Lack{What: "no callsite has the words that ftrace expects"}

// SiteResults are the results of executing ftrace's functions on callsites.
type SiteResults struct {
	None     error             // why nothing could be executed: a *world.Lack, or nil
	Executed int               // number of callsites
	Placed   string            // of a module: the places that it was executed in
	Saved    int               // number of the register in which ftrace_init_nop has callsites save LR; -1 if not known
	Failed   []callsite.Run    // whose life differs from the model, by address
	Stuck    []callsite.Run    // that reached no verdict, by address
	Borders  []callsite.Border // with targets at the borders of BL's range
	Corners  []callsite.Run    // corner cases: of one callsite, and of some that a module could have
	Unfit    error             // of callsites that were not executed: the reason; nil if there is none
	Skipped  []error           // situations in which callsites were not executed, each with the reason

	InitFar     []callsite.InitRun // callsites in init text of a module that is far from everything
	InitUntried error              // why these could not be executed: a *world.Lack, or nil

	Insns []callsite.InsnRun // of callsites that are one instruction: their life, which is another

	kinds []moduleKind // of a module: the kinds of its callsites that can be executed
}

// Kinds are the kinds of a module's callsites that can be executed. If several
// modules have callsites of one kind, it is enough to execute one of these.
func (r *SiteResults) Kinds() (names []string) {
	for _, k := range r.kinds {
		names = append(names, fmt.Sprintf("%+v", k))
	}
	return names
}

// Sound reports whether every executed callsite behaved as the model says.
func (r *SiteResults) Sound() bool { return len(r.Failed)+len(r.Stuck) == 0 }

// whySuffix ends a message with the reason why nothing was executed.
func (r *SiteResults) whySuffix() string {
	if r.None != nil {
		return ": " + r.None.Error()
	}
	return ""
}

// SiteRuns executes ftrace's functions on one callsite of each kind, or on all,
// *SiteResults.
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
		res.Unfit = unfit(len(t.Callsites) - len(sites))
		if t.Shape.Size != 0 {
			res.None = res.insns(t.Table, oneOfEach(im, sites))
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
		corner := sites[0] // not one where what is executed comes by, for other words are put there
		if i := slices.IndexFunc(sites, func(s callsite.Site) bool { return !first.Traces(s) }); i >= 0 {
			corner = sites[i]
		}
		res.Borders = first.Borders(corner.Entry)
		types := pass.ResultOf[Types].(*callsite.Types)
		res.Corners, res.Skipped = first.Corners(corner.Entry, types)
		res.InitFar, res.InitUntried = first.InitFar(types)
		return res, nil
	},
	ResultType: reflect.TypeFor[*SiteResults](),
}

// insns executes the life of callsites that are one instruction. The error is a
// *world.Lack if nothing could be executed.
func (r *SiteResults) insns(t *callsite.Table, sites []callsite.Site) error {
	const most = 2 // their functions have no reason to treat one otherwise than another
	x, err := callsite.NewInsnExecutor(t)
	if err != nil {
		return err
	}
	for _, s := range sites[:min(most, len(sites))] {
		r.Insns = append(r.Insns, x.Run(s))
	}
	return &world.Lack{What: "callsites of one instruction are judged by FT409 alone"}
}

// runnable are the callsites that can be executed: in text, with the words that
// compilers emit, aligned, and in reach of the entry code. Other rules report
// the rest.
func runnable(im *elfscan.Image, t *SiteTable) []callsite.Site {
	reach := t.Arch.Call
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

// unfit is the reason why n callsites are not executed, nil if n is 0.
func unfit(n int) error {
	if n == 0 {
		return nil
	}
	return &world.Lack{What: plural.Of(n, "callsite") + " (not as built, misaligned or out of reach)"}
}

// oneOfEach picks one callsite of each kind. Callsites are of one kind if
// ftrace's functions have no reason to treat them differently: they have the
// same shape and alignment, both or neither cross a page, and their entry code
// is about as far away.
func oneOfEach(im *elfscan.Image, sites []callsite.Site) []callsite.Site {
	caller, _ := im.Addr("ftrace_caller")
	var seen [16 * 16]bool // by kind: bits of distance, of alignment, of the rest
	var out []callsite.Site
	for _, s := range sites {
		off := int64(caller - s.Call)
		kind := 0
		for d := abs(off); d > 1<<20; d >>= 2 {
			kind++ // up to 4: all callsites reach their entry code
		}
		kind = kind<<2 | int(s.Entry%16/a64.Size)
		for _, bit := range []bool{s.BTI, off > 0, s.Entry&^0xfff != s.Call&^0xfff} {
			kind <<= 1
			if bit {
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

// run executes the callsites until stopped returns an error. It splits many
// callsites among the processors.
func (r *SiteResults) run(first *callsite.Executor, sites []callsite.Site, stopped func() error) {
	const share = 1024 // number of callsites that pay for one more executor
	workers := min(runtime.GOMAXPROCS(0), 1+len(sites)/share)
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

// inCase names the corner case of a step, for messages.
func inCase(s *callsite.Step) string {
	if s.Case == "" {
		return ""
	}
	return " (" + s.Case + ")"
}

// judgeSites makes the outcome of a rule about some of ftrace's functions. It
// calls differs once for each function that differs from the model, with the first
// callsite on which the function does: an ordinary callsite or, if there is none,
// a corner case. more says on how many other callsites the function differs.
// skipped are the situations in which the functions were not executed.
func judgeSites(pass *analysis.Pass, funcs []string, skipped []error, differs func(run *callsite.Run, t *SiteTable, more string)) (any, error) {
	t, none := sitesOf(pass)
	if t == nil {
		return notApplicable("%v", none)
	}
	runs := pass.ResultOf[SiteRuns].(*SiteResults)
	if runs.None != nil {
		return notApplicable("%v", runs.None)
	}
	for _, fn := range funcs {
		inFunc := func(r callsite.Run) bool { step := r.Failed(); return step != nil && step.Func == fn }
		if i := slices.IndexFunc(runs.Failed, inFunc); i >= 0 {
			n := 0
			for _, r := range runs.Failed {
				if inFunc(r) {
					n++
				}
			}
			differs(&runs.Failed[i], t, andMore(n))
		} else if i := slices.IndexFunc(runs.Corners, inFunc); i >= 0 {
			differs(&runs.Corners[i], t, "")
		}
	}
	if runs.Unfit != nil {
		skipped = append([]error{runs.Unfit}, skipped...)
	}
	stuck := append(slices.Clone(runs.Stuck), runs.Corners...)
	i := slices.IndexFunc(stuck, func(s callsite.Run) bool { return s.KeptFrom(funcs) })
	switch {
	case i >= 0:
		why := fmt.Errorf("callsite %s: %w%s", t.name(image(pass), stuck[i].Site.Entry), stuck[i].Err, andMore(len(runs.Stuck)))
		return finding.Outcome{Status: finding.Inconclusive, Why: why, Skipped: skipped}, nil
	case runs.kinds == nil:
		return partly(skipped, "%s of %s executed, one in %d corner cases", plural.Number(runs.Executed), plural.Of(len(t.Addrs), "callsite"), len(runs.Corners))
	case runs.Placed == "":
		return partly(skipped, "%s by the model: in other modules one of each of their kinds is executed", plural.Of(len(t.Addrs), "callsite"))
	}
	return partly(skipped, "%s of %s executed, the module placed %s", plural.Number(runs.Executed), plural.Of(len(t.Addrs), "callsite"), runs.Placed)
}

// andMore says that the same holds for n-1 other callsites.
func andMore(n int) string {
	if n <= 1 {
		return ""
	}
	return "and so on " + plural.Of(n-1, "more callsite")
}

// EntryRuns executes a callsite through the entry code, and the return of a
// probed function, []entry.Run. The result is empty if the image has no callsite to start from.
var EntryRuns = &analysis.Analyzer{
	Name:     "entryruns",
	Doc:      "execute a callsite through every path of the entry code, and the return of a probed function",
	Requires: []*analysis.Analyzer{Image, Sites, Entry, Types},
	Run: func(pass *analysis.Pass) (any, error) {
		var runs []entry.Run
		sites, guarded := startSites(pass)
		for _, site := range sites {
			runs = append(runs, entry.Paths(table(pass), site, guarded, pass.ResultOf[Types].(*callsite.Types))...)
		}
		if len(sites) > 0 {
			runs = append(runs, entry.Returns(table(pass), guarded)...)
		}
		return runs, nil
	},
	ResultType: reflect.TypeFor[[]entry.Run](),
}

// startSites are callsites that can be executed through the entry code or a
// trampoline, as addresses in the table. The pass must have Sites and Entry. An
// era with a literal before the function has one callsite of each alignment, with
// and without a landing pad: the entry code finds the literal by these. Another
// era has one callsite. guarded reports whether the image is built with landing
// pads.
func startSites(pass *analysis.Pass) (sites []uint64, guarded bool) {
	t, _ := sitesOf(pass)
	if t == nil {
		return nil, false
	}
	calls := pass.ResultOf[Entry].(*entry.Code).Calls
	var seen [2][16 / a64.Size]bool
	for _, s := range runnable(image(pass), t) {
		if t.Shape.AtEntry() && !s.AtFunc || len(sites) > 0 && t.Shape.Literal == 0 {
			continue
		}
		kind := &seen[0][s.Call%16/a64.Size]
		if s.BTI {
			kind = &seen[1][s.Call%16/a64.Size]
		}
		// A function that the entry code itself calls would not return: FT406.
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
	Of *trampoline.Run // the run that made the trampoline
}

// TrampRuns executes a callsite through the trampolines that were built with
// memory and callback in reach, []TrampPath.
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
