// Package lint is the driver: it takes an input, runs the analyzers over it,
// each shared one once, and gathers what they found, what ran, what did not
// apply and what was inconclusive.
package lint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"go/token"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/builder"
	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/rules"
)

// A Config says how to run. Its zero value runs all checks and keeps all
// findings.
type Config struct {
	Checks     []*analysis.Analyzer // nil: checks.All for images, patchchecks.All for patches
	MaxPerRule int                  // findings kept of each rule; 0: all
	DebugFile  string               // a separate debug file of the image
	Workers    int                  // analyzers, or modules, that run at once; 0: one a processor
	Settings   checks.Settings

	ModuleDebugFile string   // a separate debug file of the module, if there is one module
	DebugDirs       []string // folders with debug files of modules, laid out like /usr/lib/debug

	slots chan struct{} // bounds what runs at once, if several inputs share it

	// Context ends a run early, if it is not nil: when it is done no further
	// check begins. Rules that did not come to an end are inconclusive, and the
	// cause is among Result.Errors.
	Context context.Context

	Severity   map[string]rules.Severity // of rules, by ID, in place of their own
	Quiet      *Quiet                    // which findings do not count; nil: all do
	ConfigFile string                    // where these come from, for summaries; "" for no file

	allPlaces bool // look up source lines of findings that do not count, too

	AllLines bool // judge the context lines of patches too
	AtPatch  bool // findings in patches are at the patch's line, not the patched file's

	Layout bool // gather what pictures need: ImageFacts.Layout
}

// A Place is where a finding, or something it speaks of, is.
type Place struct {
	Path string
	Line int // 0: the file as a whole
	Col  int
	Addr uint64 // link-time address in the image; 0: none
}

// A Finding is one defect.
type Finding struct {
	Place
	Rule    rules.Rule
	Message string
	Related []Related
	Source  string // the line itself, if the input has it: a patch's line
	Symbol  string // of an address: symbol+offset, "" if none is near
	Insn    string // of an address: the instruction there, "" if it is not code

	Identity Identity // what stays of it over builds

	Patched   Place // of a finding in a patch: the same in the patched file
	Confirmed bool  // found in the patch and in the image built from it

	// Of a finding that does not count:
	Known        bool         // it is in the baseline
	SuppressedBy *Suppression // nil for none
}

// Related is another place that a finding speaks of.
type Related struct {
	Place
	Message string
}

// A RuleRun is what became of one rule.
type RuleRun struct {
	Rule     rules.Rule
	Findings int // found that count, of which Result.Findings may hold fewer

	Suppressed, Known int // findings that do not count
	Fixed             int // findings of the baseline that there are no more
	checks.Outcome
}

// A Result is what became of one input.
type Result struct {
	Path     string
	Image    *ImageFacts // nil if it could not be opened, or is none
	Patch    *PatchFacts // nil if it could not be read, or is none
	Findings []Finding   // ordered by place
	Quiet    []Finding   // those that do not count, all of them; most have no line
	Fixed    []Entry     // of the baseline, of which there are fewer
	Rules    []RuleRun   // ordered by ID
	Errors   []error     // what kept the input from being judged in full
	Elapsed  time.Duration

	ConfigFile string // that it was judged by; "" for none

	partial  bool                // findings are looked at in some places alone
	spans    []span              // of a patch: what it touches
	kinds    []checks.ModuleKind // of a module: the kinds of its callsites
	IsModule bool                // it is a module, or should be one
}

// ImageFacts is what a summary says of an image.
type ImageFacts struct {
	Era       elfscan.Era
	Callsites int
	Blank     int    // entries of the callsite table that are zero
	Form      string // how the table's values are stored
	Entries   []NamedAddr
	Template  []string // what a builder would copy, in words
	// LineProblem says why findings lack source lines: "" if they do not.
	LineProblem string
	Module      *ModuleFacts // nil for a kernel image
	Layout      *Layout      // nil unless it was asked for
}

// ModuleFacts is what a summary says of a module.
type ModuleFacts struct {
	Name, Vermagic string        // by its .modinfo
	Shape          elfscan.Shape // of its callsites
	// Mismatch says why it was judged without the kernel that was given: "" if
	// it was judged with it, or none was given.
	Mismatch string

	otherVermagic bool
}

// A NamedAddr is a symbol and its address.
type NamedAddr struct {
	Name string
	Addr uint64
}

// File lints the file at path: an image, patches, or a source file. Positions
// are kept in fset, which may be shared by several calls at once.
func File(path string, fset *token.FileSet, cfg Config) *Result {
	if IsPatch(path) {
		return patchFile(path, fset, cfg)
	}
	began := time.Now()
	res := &Result{Path: path}
	defer func() { res.Elapsed = time.Since(began) }()
	im, err := elfscan.Open(path, cfg.DebugFile)
	if err != nil {
		res.Errors = append(res.Errors, plain(err))
		return res
	}
	defer im.Close()
	res.judge(im, fset, cfg)
	return res
}

// Image lints an image that is open. It is not closed.
func Image(im *elfscan.Image, fset *token.FileSet, cfg Config) *Result {
	began := time.Now()
	res := &Result{Path: im.Path}
	res.judge(im, fset, cfg)
	res.Elapsed = time.Since(began)
	return res
}

// judge runs the checks over the image.
func (res *Result) judge(im *elfscan.Image, fset *token.FileSet, cfg Config) {
	defer elfscan.Guard()()
	defer res.catch()
	if !im.Added() {
		im.AddTo(fset)
		im.Index()
	}
	list := imageAnalyzers(cfg.Checks)
	r := newRunner(fset, cfg, map[*analysis.Analyzer]any{checks.Image: im, checks.Options: cfg.settings()})
	r.run(list)
	res.gather(im, r, list, cfg)
}

// plain drops the name of the system call from an os error: "vmlinux:
// permission denied".
func plain(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return fmt.Errorf("%s: %w", pe.Path, pe.Err)
	}
	return err
}

// A runner runs analyzers over one input.
type runner struct {
	fset    *token.FileSet
	seed    map[*analysis.Analyzer]any // results that the driver supplies
	slots   chan struct{}              // bounds what runs at once
	stopped func() error               // why no further check is to begin; nil if one is
	actions map[*analysis.Analyzer]*action
}

func newRunner(fset *token.FileSet, cfg Config, seed map[*analysis.Analyzer]any) *runner {
	slots := cfg.slots
	if slots == nil {
		slots = make(chan struct{}, cfg.workers())
	}
	return &runner{fset: fset, seed: seed, slots: slots, stopped: cfg.stopped, actions: map[*analysis.Analyzer]*action{}}
}

// workers is how many checks or modules run at once.
func (cfg Config) workers() int {
	if cfg.Workers > 0 {
		return cfg.Workers
	}
	return runtime.GOMAXPROCS(0)
}

// stopped is why the run ends early, nil if it does not.
func (cfg Config) stopped() error {
	if cfg.Context == nil || cfg.Context.Err() == nil {
		return nil
	}
	return fmt.Errorf("not judged in full: %w", context.Cause(cfg.Context))
}

// settings are those of the checks.
func (cfg Config) settings() checks.Settings {
	s := cfg.Settings
	s.Stopped = cfg.stopped
	return s
}

// An action is one analyzer on one input.
type action struct {
	analyzer    *analysis.Analyzer
	deps        []*action
	done        chan struct{}
	result      any
	err         error
	diagnostics []analysis.Diagnostic
}

func (r *runner) run(list []*analysis.Analyzer) {
	var add func(*analysis.Analyzer) *action
	add = func(a *analysis.Analyzer) *action {
		act, ok := r.actions[a]
		if !ok {
			act = &action{analyzer: a, done: make(chan struct{})}
			r.actions[a] = act
			for _, d := range a.Requires {
				act.deps = append(act.deps, add(d))
			}
		}
		return act
	}
	for _, a := range list {
		add(a)
	}
	var wg sync.WaitGroup
	for _, act := range r.actions {
		wg.Go(func() {
			defer close(act.done)
			for _, d := range act.deps {
				<-d.done
			}
			r.slots <- struct{}{}
			defer func() { <-r.slots }()
			r.exec(act)
		})
	}
	wg.Wait()
}

func (r *runner) exec(act *action) {
	a := act.analyzer
	if v, ok := r.seed[a]; ok {
		act.result = v
		return
	}
	if act.err = r.stopped(); act.err != nil {
		return
	}
	inputs := map[*analysis.Analyzer]any{}
	for _, d := range act.deps {
		if d.err != nil {
			act.err = d.err
			return
		}
		inputs[d.analyzer] = d.result
	}
	defer elfscan.Guard()()
	defer func() {
		if v := recover(); v != nil {
			act.err = panicked(a.Name, v)
		}
	}()
	act.result, act.err = a.Run(&analysis.Pass{
		Analyzer: a,
		Fset:     r.fset,
		ResultOf: inputs,
		Report:   func(d analysis.Diagnostic) { act.diagnostics = append(act.diagnostics, d) },
		ReadFile: os.ReadFile,
	})
}

// panicked is what a panic of a check, or of what it asked, means.
func panicked(name string, v any) error {
	if _, fault := v.(interface{ Addr() uintptr }); fault {
		return errors.New("the file changed while it was read")
	}
	return fmt.Errorf("%s: internal error: %v", name, v)
}

// catch, deferred, makes a panic outside of the checks an error of the input.
func (res *Result) catch() {
	if v := recover(); v != nil {
		res.Errors = append(res.Errors, withPath(res.Path, panicked("driver", v)))
	}
}

// gather turns the actions into the result.
func (res *Result) gather(im *elfscan.Image, r *runner, list []*analysis.Analyzer, cfg Config) {
	res.ConfigFile = cfg.ConfigFile
	sieve := cfg.Quiet.sieve(res.Path)
	seen := map[string]bool{}
	for _, a := range list {
		act := r.actions[a]
		run := RuleRun{Rule: cfg.rule(a)}
		if o, ok := act.result.(checks.Outcome); ok {
			run.Outcome = o
		}
		if act.err != nil {
			run.Inconclusive = act.err.Error()
			if !seen[act.err.Error()] {
				seen[act.err.Error()] = true
				res.Errors = append(res.Errors, withPath(im.Path, act.err))
			}
		}
		counting, quiet := findings(im, run.Rule, act.diagnostics, sieve, cfg)
		run.Findings = len(act.diagnostics) - len(quiet)
		object := object(im)
		if res.partial {
			object = ""
		}
		res.settle(sieve, &run, quiet, object)
		res.Rules = append(res.Rules, run)
		res.Findings = append(res.Findings, counting...)
	}
	slices.SortFunc(res.Rules, func(a, b RuleRun) int { return cmp.Compare(a.Rule.ID, b.Rule.ID) })
	slices.SortStableFunc(res.Findings, compareFindings)
	res.Image = facts(im)
	if t, ok := r.actions[checks.Template]; ok && t.err == nil {
		if tc, _ := t.result.(*builder.TemplateCode); tc != nil {
			for _, region := range tc.Regions {
				res.Image.Template = append(res.Image.Template, region.Describe(im))
			}
		}
	}
	if cfg.Layout && cfg.stopped() == nil { // after facts: its source lines are no finding's
		res.Image.Layout = layOut(im, r, res.Findings)
	}
}

// withPath is err with the path in front, unless it names the place itself.
func withPath(path string, err error) error {
	if e := (*elfscan.Error)(nil); errors.As(err, &e) {
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}

// findings makes findings of a rule's diagnostics: of those that count, the
// first by address. Source lines are looked up for those alone, unless where a
// finding is decides whether it counts.
func findings(im *elfscan.Image, rule rules.Rule, diagnostics []analysis.Diagnostic, s *sieve, cfg Config) (counting, quiet []Finding) {
	limit := cfg.MaxPerRule
	addr := func(d analysis.Diagnostic) uint64 { a, _ := im.PosAddr(d.Pos); return a }
	slices.SortStableFunc(diagnostics, func(a, b analysis.Diagnostic) int {
		return cmp.Or(cmp.Compare(addr(a), addr(b)), strings.Compare(a.Message, b.Message))
	})
	if s == nil && limit > 0 && len(diagnostics) > limit {
		diagnostics = diagnostics[:limit]
	}
	place := func(pos token.Pos) Place {
		p := im.Position(pos)
		a, _ := im.PosAddr(pos)
		return Place{p.Filename, p.Line, p.Column, a}
	}
	lines := cfg.allPlaces || s.asksPaths(rule)
	for _, d := range diagnostics {
		f := Finding{Place: Place{Path: im.Path, Addr: addr(d)}, Rule: rule, Message: d.Message}
		f.Symbol, f.Insn = codeAt(im, f.Addr)
		f.Identity = identity(im, &f)
		if lines {
			f.Place = place(d.Pos)
		}
		if !s.pass(&f) {
			quiet = append(quiet, f)
			continue
		}
		if limit > 0 && len(counting) == limit {
			continue
		}
		f.Place = place(d.Pos)
		for _, rel := range d.Related {
			f.Related = append(f.Related, Related{place(rel.Pos), rel.Message})
		}
		counting = append(counting, f)
	}
	return counting, quiet
}

func compareFindings(a, b Finding) int {
	return cmp.Or(
		strings.Compare(a.Path, b.Path),
		cmp.Compare(a.Line, b.Line),
		cmp.Compare(a.Col, b.Col),
		cmp.Compare(a.Addr, b.Addr),
		strings.Compare(a.Rule.ID, b.Rule.ID),
		strings.Compare(a.Message, b.Message),
	)
}

// ruleOf is the rule that an analyzer reports. One that is not of the
// catalogue is a rule of its own, a warning: its ID is the analyzer's name, and
// the first line of the analyzer's Doc is "name: title", or the title alone.
func ruleOf(a *analysis.Analyzer) rules.Rule {
	if r, ok := rules.Lookup(ruleName(a)); ok {
		return r
	}
	title, _, _ := strings.Cut(a.Doc, "\n")
	r := rules.Rule{ID: a.Name, Name: a.Name, Severity: rules.Warning, Title: title, On: rules.Kernels | rules.Modules}
	if judgesPatches(a) {
		r.On = rules.Patches
	}
	if name, rest, ok := strings.Cut(title, ": "); ok && !strings.ContainsAny(name, " \t") {
		r.Name, r.Title = name, rest
	}
	return r
}

// rule is the rule that an analyzer reports, with the severity that it has.
func (cfg Config) rule(a *analysis.Analyzer) rules.Rule {
	r := ruleOf(a)
	if s, ok := cfg.Severity[r.ID]; ok {
		r.Severity = s
	}
	return r
}

func facts(im *elfscan.Image) (f *ImageFacts) {
	defer elfscan.Guard()()
	defer func() {
		if v := recover(); v != nil { // the file is gone: the checks have said so
			f = &ImageFacts{}
		}
	}()
	f = &ImageFacts{Era: im.Era()}
	if sites, err := im.Sites(); err == nil && sites != nil {
		f.Callsites, f.Blank, f.Form = len(sites.Addrs), sites.Blank, sites.Form()
	}
	if im.Module() != nil {
		f.Module = &ModuleFacts{}
		if err := im.LineProblem(); err != nil {
			f.LineProblem = err.Error()
		}
		return f
	}
	for _, name := range []string{"_mcount", "ftrace_regs_caller", "ftrace_caller", "ftrace_common"} {
		if a, ok := im.Addr(name); ok {
			f.Entries = append(f.Entries, NamedAddr{name, a})
		}
	}
	if err := im.LineProblem(); err != nil {
		f.LineProblem = err.Error()
	}
	return f
}

// Select keeps the checks whose rules the specs of only name (all if it is
// empty) and those of skip do not. A spec is an ID, a name, or the beginning
// of an ID ("FT4").
func Select(list []*analysis.Analyzer, only, skip []string) ([]*analysis.Analyzer, error) {
	match := func(specs []string) (map[string]bool, error) {
		ids := map[string]bool{}
		for _, spec := range specs {
			found, err := rules.Select(spec)
			if err != nil {
				return nil, err
			}
			for _, r := range found {
				ids[r.ID] = true
			}
		}
		return ids, nil
	}
	on, err := match(only)
	if err != nil {
		return nil, err
	}
	off, err := match(skip)
	if err != nil {
		return nil, err
	}
	var out []*analysis.Analyzer
	for _, a := range list {
		if id := ruleName(a); (len(only) == 0 || on[id]) && !off[id] {
			out = append(out, a)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no rule is left to run")
	}
	return out, nil
}
