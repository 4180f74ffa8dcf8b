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
	"github.com/ftlint/ftlint/rules"
)

// What the driver takes from the result of an analyzer, if the result has it.
type (
	outcome    interface{ Outcome() finding.Outcome }
	imageFacts interface{ AddFacts(*finding.ImageFacts) }
	patchFacts interface{ AddFacts(*finding.PatchFacts) }
	// A sampled result is about a module that has things of some kinds, of
	// which it is enough to execute one each over all modules.
	sampled interface {
		Kinds() []string
		Sound() bool // nothing was wrong with those that were executed
	}
)

// Found is the findings about the image, []finding.Finding. The driver supplies
// it to the analyzers that draw, which run last; on its own the analyzer gives
// none.
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
	slots   chan struct{}              // bounds what runs at once; nil: all runs in this goroutine
	actions map[*analysis.Analyzer]*action
	order   []*action // each behind what it requires
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

// add adds an analyzer and what it requires, if they are not there yet.
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

// run runs the analyzers of list, and those that they require, but for those
// that ran before.
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

// Rule is the rule that an analyzer reports. One that is not of the catalogue
// is a rule of its own, a warning: its ID is the analyzer's name, and the first
// line of the analyzer's Doc is "name: title", or the title alone.
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

// Rules are the rules that the analyzers report, each once.
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

// Reporting are the analyzers of list that report one of the rules.
func Reporting(list []*analysis.Analyzer, kept []rules.Rule) (out []*analysis.Analyzer) {
	for _, a := range list {
		id := Rule(a).ID
		if slices.ContainsFunc(kept, func(r rules.Rule) bool { return r.ID == id }) {
			out = append(out, a)
		}
	}
	return out
}

// rule is the rule that an analyzer reports, with the severity that it has.
func (d *driver) rule(a *analysis.Analyzer) rules.Rule {
	r := Rule(a)
	if s, ok := d.Severity[r.ID]; ok {
		r.Severity = s
	}
	return r
}

// patchAnalyzers are the analyzers of list that judge patches; all of them if
// list is nil.
func patchAnalyzers(list []*analysis.Analyzer) []*analysis.Analyzer {
	if list == nil {
		return patchchecks.All
	}
	return slices.DeleteFunc(slices.Clone(list), func(a *analysis.Analyzer) bool { return !judgesPatches(a) })
}

// imageAnalyzers are those that judge images.
func imageAnalyzers(list []*analysis.Analyzer) []*analysis.Analyzer {
	if list == nil {
		return checks.All
	}
	return slices.DeleteFunc(slices.Clone(list), judgesPatches)
}

// judgesPatches reports whether an analyzer looks at patches: whether it
// requires, over any number of others, the patch.
func judgesPatches(a *analysis.Analyzer) bool {
	return a == patchchecks.Patch || slices.ContainsFunc(a.Requires, judgesPatches)
}
