package lint

import (
	"context"
	"go/token"
	"os"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/parallel"
	"github.com/ftlint/ftlint/patchchecks"
	"github.com/ftlint/ftlint/patchscan"
	"github.com/ftlint/ftlint/rules"
)

// The driver asks the result of an analyzer for these, if the result has them.
type (
	outcome    interface{ Outcome() finding.Outcome }
	imageFacts interface{ AddFacts(*finding.ImageFacts) }
	patchFacts interface {
		AddFacts(facts *finding.PatchFacts, of []*patchscan.Patch)
	}
	// A sampled result is about a module whose callsites are of some kinds. It is
	// enough to execute one callsite of each kind over all modules.
	sampled interface {
		Kinds() []string
		Sound() bool // reports whether all callsites that were executed passed
	}
)

// Found gives the findings about the image, []finding.Finding. The driver
// supplies them to the analyzers that draw, which run last. Without the driver
// Found gives no findings.
var Found = &analysis.Analyzer{
	Name:       "found",
	Doc:        "the findings of all checks",
	Run:        func(*analysis.Pass) (any, error) { return []finding.Finding(nil), nil },
	ResultType: reflect.TypeFor[[]finding.Finding](),
}

// A runner runs analyzers over one input.
type runner struct {
	ctx     context.Context
	fset    *token.FileSet
	seed    map[*analysis.Analyzer]any // results that the driver supplies
	slots   chan struct{}              // bounds what runs at once; nil: run all in this goroutine
	actions map[*analysis.Analyzer]*action
	order   []*action // each after the actions that it requires
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

func newRunner(ctx context.Context, fset *token.FileSet, seed map[*analysis.Analyzer]any, slots chan struct{}) *runner {
	return &runner{ctx: ctx, fset: fset, seed: seed, slots: slots, actions: map[*analysis.Analyzer]*action{}}
}

// add adds an analyzer and the analyzers that it requires, if they are missing.
func (r *runner) add(a *analysis.Analyzer) *action {
	if act, ok := r.actions[a]; ok {
		return act
	}
	act := &action{analyzer: a, done: make(chan struct{})}
	r.actions[a] = act
	if _, seeded := r.seed[a]; !seeded {
		for _, d := range a.Requires {
			act.deps = append(act.deps, r.add(d))
		}
	}
	r.order = append(r.order, act)
	return act
}

// run runs the analyzers of list, and those that they require, except those that
// ran before.
func (r *runner) run(list []*analysis.Analyzer) {
	before := len(r.order)
	for _, a := range list {
		r.add(a)
	}
	fresh := r.order[before:]
	if r.slots == nil {
		for _, act := range fresh {
			r.exec(act)
		}
		return
	}
	parallel.Do(len(fresh), len(fresh), func(i int) {
		act := fresh[i]
		defer close(act.done)
		for _, d := range act.deps {
			<-d.done
		}
		r.slots <- struct{}{}
		defer func() { <-r.slots }()
		r.exec(act)
	})
}

// only is the runner with the diagnostics at some positions alone.
func (r *runner) only(at func(token.Pos) bool) *runner {
	part := *r
	part.actions = map[*analysis.Analyzer]*action{}
	for a, act := range r.actions {
		some := *act
		some.diagnostics = slices.DeleteFunc(slices.Clone(act.diagnostics), func(d analysis.Diagnostic) bool { return !at(d.Pos) })
		part.actions[a] = &some
	}
	return &part
}

func (r *runner) exec(act *action) {
	a := act.analyzer
	if v, ok := r.seed[a]; ok {
		act.result = v
		return
	}
	if act.err = stopped(r.ctx); act.err != nil {
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

// Rule returns the rule that an analyzer reports. If the catalogue does not have
// it, the rule is a warning whose ID is the name of the analyzer; the first line
// of the analyzer's Doc is "name: title", or only the title.
func Rule(a *analysis.Analyzer) rules.Rule {
	id := a.Name
	if judgesPatches(a) {
		id = strings.TrimSuffix(id, patchchecks.Suffix)
	}
	if r, ok := rules.Lookup(id); ok {
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

// Rules returns the rules that the analyzers report, each once.
func Rules(list []*analysis.Analyzer) (out []rules.Rule) {
	seen := map[string]bool{}
	for _, a := range list {
		if r := Rule(a); !seen[r.ID] {
			seen[r.ID] = true
			out = append(out, r)
		}
	}
	return out
}

// Reporting returns the analyzers of list that report one of the rules in kept.
func Reporting(list []*analysis.Analyzer, kept []rules.Rule) (out []*analysis.Analyzer) {
	for _, a := range list {
		id := Rule(a).ID
		if slices.ContainsFunc(kept, func(r rules.Rule) bool { return r.ID == id }) {
			out = append(out, a)
		}
	}
	return out
}

// rule returns the rule that an analyzer reports, with its severity in this run.
func (d *driver) rule(a *analysis.Analyzer) rules.Rule {
	r := Rule(a)
	if s, ok := d.Severity[r.ID]; ok {
		r.Severity = s
	}
	return r
}

// patchAnalyzers returns the analyzers of list that judge patches;
// patchchecks.All if list is nil.
func patchAnalyzers(list []*analysis.Analyzer) []*analysis.Analyzer {
	if list == nil {
		return patchchecks.All
	}
	return slices.DeleteFunc(slices.Clone(list), func(a *analysis.Analyzer) bool { return !judgesPatches(a) })
}

// imageAnalyzers returns the analyzers of list that judge images; checks.All if
// list is nil.
func imageAnalyzers(list []*analysis.Analyzer) []*analysis.Analyzer {
	if list == nil {
		return checks.All
	}
	return slices.DeleteFunc(slices.Clone(list), judgesPatches)
}

// judgesPatches reports whether an analyzer judges patches: whether it requires
// patchchecks.Patch, directly or through other analyzers.
func judgesPatches(a *analysis.Analyzer) bool {
	return a == patchchecks.Patch || slices.ContainsFunc(a.Requires, judgesPatches)
}
