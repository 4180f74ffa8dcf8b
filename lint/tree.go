package lint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/rules"
)

// Inputs are what a command line names, told apart by their contents: each
// once, by name, in whatever order they were named.
type Inputs struct {
	Files   []string // all but modules: kernel images, patches, and what opening says is neither
	Modules []string
	Errors  []error // folders that could not be read, or that hold no module
}

// moduleNames are the names that modules have in a folder.
var moduleNames = []string{".ko", ".ko.xz", ".ko.gz", ".ko.zst"}

func hasModuleName(path string) bool {
	return slices.ContainsFunc(moduleNames, func(ext string) bool { return strings.HasSuffix(path, ext) })
}

// Find tells what the named files are by their contents (packed files called
// .ko.xz and the like are modules), and walks folders for modules. It
// follows symbolic links that are named, and none in a folder.
func Find(args []string) Inputs {
	var in Inputs
	for _, arg := range args {
		info, err := os.Stat(arg)
		switch {
		case err == nil && info.IsDir():
			in.walk(arg)
		case hasModuleName(arg) && !elfscan.IsImage(arg), err == nil && elfscan.IsModule(arg): // or there is no such module
			in.Modules = append(in.Modules, arg)
		default:
			in.Files = append(in.Files, arg)
		}
	}
	in.Files, in.Modules = Once(in.Files), Once(in.Modules)
	return in
}

// Once sorts paths and drops those that are named twice.
func Once(paths []string) []string {
	slices.Sort(paths)
	return slices.Compact(paths)
}

func (in *Inputs) walk(dir string) {
	before, problems := len(in.Modules), len(in.Errors)
	root := dir
	if info, err := os.Lstat(dir); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		root += string(filepath.Separator) // WalkDir does not follow its root either
	}
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			in.Errors = append(in.Errors, plain(err))
			return nil // on with the rest
		}
		if d.Type().IsRegular() && hasModuleName(path) {
			in.Modules = append(in.Modules, path)
		}
		return nil
	})
	if len(in.Modules) == before && len(in.Errors) == problems {
		in.Errors = append(in.Errors, &elfscan.Error{Path: dir, What: "a folder without modules (" + strings.Join(moduleNames, ", ") + ")"})
	}
}

// grace is how long a run that is to end waits for what is under way.
const grace = 2 * time.Second

// A Total is what became of many inputs.
type Total struct {
	Modules     int // named, or found
	Judged      int // modules of which a result was emitted
	Unread      int // of those, that could not be read
	Interrupted bool
	// Errors are about the modules as a whole: those of another kernel.
	Errors  []error
	Elapsed time.Duration
}

// Files lints the inputs: files one after the other, and modules, many at
// once, as modules of the kernel image among the files. emit gets the results,
// in the order of the inputs; progress, which may be nil, is called now and
// then with how many modules are done. When ctx is done Files ends soon; it
// leaves behind only what takes longer than grace to see it.
func Files(ctx context.Context, in Inputs, fset *token.FileSet, cfg Config, emit func(*Result), progress func(done int)) (*Total, error) {
	total := &Total{Modules: len(in.Modules)}
	began := time.Now()
	defer func() { total.Elapsed = time.Since(began) }()
	kernel := ""
	for _, path := range in.Files {
		if len(in.Modules) > 0 && !IsPatch(path) {
			if kernel != "" {
				return total, fmt.Errorf("modules and two kernel images, %s and %s: name the one that the modules are loaded into", kernel, path)
			}
			kernel = path
		}
	}
	cfg.Context = ctx
	cfg.slots = make(chan struct{}, cfg.workers())
	t := &tree{cfg: cfg, fset: fset, inputs: in.Modules, executed: map[checks.ModuleKind]bool{}}
	t.choose()
	type numbered struct {
		n   int
		res *Result
	}
	var image *elfscan.Image                                      // the kernel's, to be closed in the end
	results := make(chan numbered, len(in.Files)+len(in.Modules)) // nobody waits to send
	ready := make(chan struct{})
	var workers sync.WaitGroup
	workers.Go(func() {
		defer elfscan.Guard()()
		if kernel == "" {
			t.loader = &checks.Loader{Why: "no vmlinux was given"}
			close(ready)
		}
		for i, path := range in.Files {
			if path != kernel {
				results <- numbered{i, File(path, fset, cfg)}
				continue
			}
			began := time.Now()
			res := &Result{Path: path}
			image = t.open(res)
			workers.Go(func() {
				defer close(ready)
				t.loader.Prepare()
			})
			if image != nil {
				res.judge(image, fset, cfg)
			}
			res.Elapsed = time.Since(began)
			results <- numbered{i, res}
		}
	})
	var next atomic.Int64
	for range min(cfg.workers(), len(in.Modules)) {
		workers.Go(func() {
			<-ready
			var buf elfscan.Buffer
			for {
				i := int(next.Add(1)) - 1
				if i >= len(in.Modules) || ctx.Err() != nil {
					return
				}
				cfg.slots <- struct{}{}
				res := t.module(in.Modules[i], &buf, !cfg.Settings.Exhaustive)
				<-cfg.slots
				results <- numbered{len(in.Files) + i, res}
			}
		})
	}
	go func() {
		workers.Wait()
		close(results)
	}()

	waiting := map[int]*Result{}
	kept := map[string]int{} // findings, by rule
	n, done := 0, 0
	abandoned := false // the image is still being looked at
	cut, late := ctx.Done(), (<-chan time.Time)(nil)
	for open := true; open; {
		var r numbered
		select {
		case <-cut:
			cut, late = nil, time.After(grace)
			continue
		case <-late:
			open, abandoned = false, true
		case r, open = <-results:
		}
		if !open {
			break
		}
		waiting[r.n] = r.res
		if r.n >= len(in.Files) {
			if done++; progress != nil {
				progress(done)
			}
		}
		for ; waiting[n] != nil; n++ {
			res := waiting[n]
			delete(waiting, n)
			if n >= len(in.Files) {
				res = t.execute(res)
				total.Judged++
				if res.Image == nil {
					total.Unread++
				}
				res.trim(kept, cfg.MaxPerRule)
				t.strange(res)
			}
			total.Interrupted = total.Interrupted || slices.ContainsFunc(res.Errors, func(err error) bool { return errors.Is(err, context.Cause(ctx)) })
			emit(res)
		}
	}
	if !abandoned && image != nil {
		image.Close()
	}
	if n < len(in.Files)+len(in.Modules) {
		total.Interrupted = true
		return total, nil
	}
	total.Errors = t.errors()
	return total, nil
}

// A tree is modules that are linted with one kernel.
type tree struct {
	cfg    Config
	fset   *token.FileSet
	inputs []string
	loader *checks.Loader
	checks []*analysis.Analyzer
	apart  []RuleRun // of the rules that are not about modules

	vermagic string      // that the kernel expects
	era      elfscan.Era // of the kernel

	executed map[checks.ModuleKind]bool // kinds of callsites that were, without a finding
	buf      elfscan.Buffer             // for execute

	others, otherEra []*Result // modules of another kernel, by vermagic or by their callsites
}

// open opens the kernel image that res is about; nil if it cannot be read.
func (t *tree) open(res *Result) *elfscan.Image {
	im, err := elfscan.Open(res.Path, t.cfg.DebugFile)
	if err != nil {
		res.Errors = append(res.Errors, plain(err))
		t.loader = &checks.Loader{Why: "the vmlinux that was given could not be read"}
		return nil
	}
	t.use(im)
	return im
}

// use has modules judged as modules of the kernel image.
func (t *tree) use(im *elfscan.Image) {
	if !im.Added() {
		im.AddTo(t.fset)
		im.Index()
	}
	t.loader = checks.NewLoader(im)
	t.vermagic, t.era = im.Vermagic(), im.Era()
}

// Module lints the module at path as one of the kernel, an image that is open
// and that is not itself judged. It is not closed.
func Module(path string, kernel *elfscan.Image, fset *token.FileSet, cfg Config) *Result {
	t := &tree{cfg: cfg, fset: fset, inputs: []string{path}}
	t.choose()
	t.use(kernel)
	return t.module(path, new(elfscan.Buffer), false)
}

// execute executes callsites of a module if it has some of a kind that no
// module before it has had executed without a finding: res is then another.
// Modules come here in the order of the inputs, so that which are executed does
// not depend on how many are judged at once.
func (t *tree) execute(res *Result) *Result {
	if t.cfg.Settings.Exhaustive || !slices.ContainsFunc(res.kinds, func(k checks.ModuleKind) bool { return !t.executed[k] }) {
		return res
	}
	res = t.module(res.Path, &t.buf, false)
	for _, r := range res.Rules {
		if r.Rule.ExecutesModules() && (r.Findings+r.Suppressed+r.Known > 0 || r.Inconclusive != "") {
			return res
		}
	}
	for _, k := range res.kinds {
		t.executed[k] = true
	}
	return res
}

// module lints one module, without executing callsites if byModel.
func (t *tree) module(path string, buf *elfscan.Buffer, byModel bool) (res *Result) {
	began := time.Now()
	res = &Result{Path: path, IsModule: true}
	defer func() {
		if v := recover(); v != nil {
			res = &Result{Path: path, IsModule: true, Errors: []error{fmt.Errorf("%s: internal error: %v", path, v)}}
		}
		res.Elapsed = time.Since(began)
	}()
	defer elfscan.Guard()()
	im, err := elfscan.OpenModule(path, elfscan.ModuleOptions{Kernel: t.loader.Kernel, Buffer: buf, DebugFile: t.cfg.moduleDebug(t.inputs), DebugDirs: t.cfg.DebugDirs})
	if err != nil {
		res.Errors = append(res.Errors, plain(err))
		return res
	}
	defer im.Close()
	m := im.Module()
	loader := t.loader
	facts := &ModuleFacts{Name: m.Info.Name, Vermagic: m.Info.Vermagic, Shape: elfscan.ShapeUnknown}
	if loader.Kernel != nil {
		switch shape := im.Era().Shape(); {
		case !m.Info.MadeFor(t.vermagic):
			facts.Mismatch = fmt.Sprintf("it is made for another kernel (vermagic %q)", m.Info.Vermagic)
			facts.otherVermagic = true
		case shape != elfscan.ShapeUnknown && shape != t.era.Shape():
			facts.Mismatch = fmt.Sprintf("its callsites (%v) are not those of that kernel (%v)", shape, t.era.Shape())
		}
		if facts.Mismatch != "" {
			im.WithoutKernel()
			loader = &checks.Loader{Why: facts.Mismatch}
		}
	}
	t.judge(res, im, loader, byModel)
	if res.Image != nil {
		facts.Shape = res.Image.Era.Shape()
		res.Image.Module = facts
	}
	return res
}

// moduleDebug is the debug file of a module: the one that was named, if it is
// clear what of.
func (cfg Config) moduleDebug(modules []string) string {
	if len(modules) == 1 {
		return cfg.ModuleDebugFile
	}
	return ""
}

// strange notes a module that does not belong to the kernel.
func (t *tree) strange(res *Result) {
	if res.Image == nil || res.Image.Module.Mismatch == "" {
		return
	}
	if res.Image.Module.otherVermagic {
		t.others = append(t.others, res)
	} else {
		t.otherEra = append(t.otherEra, res)
	}
}

// errors says once what is wrong with modules as a whole.
func (t *tree) errors() (errs []error) {
	say := func(list []*Result, kernel string) {
		if len(list) == 0 {
			return
		}
		more := ""
		if n := len(list) - 1; n > 0 {
			more = fmt.Sprintf(" (and so on %d more of %d modules)", n, len(t.inputs))
		}
		errs = append(errs, fmt.Errorf("%s: does not belong to %s: %s%s%s. It was judged without that kernel",
			list[0].Path, t.loader.Kernel.Path, list[0].Image.Module.Mismatch, kernel, more))
	}
	say(t.others, fmt.Sprintf("; the kernel has %q", t.vermagic))
	say(t.otherEra, "")
	return errs
}

// judge runs over a module the checks that are about modules. Of the others it
// notes that they did not apply, if there is but one module.
func (t *tree) judge(res *Result, im *elfscan.Image, loader *checks.Loader, byModel bool) {
	im.AddTo(t.fset)
	settings := t.cfg.settings()
	settings.ByModel = byModel
	r := newRunner(t.fset, t.cfg, map[*analysis.Analyzer]any{checks.Image: im, checks.Options: settings, checks.InKernel: loader})
	r.runHere(t.checks)
	if act := r.actions[checks.SiteRuns]; act != nil && act.err == nil {
		res.kinds = act.result.(*checks.SiteResults).Kinds
	}
	res.gather(im, r, t.checks, t.cfg)
	res.Rules = append(res.Rules, t.apart...)
	slices.SortFunc(res.Rules, func(a, b RuleRun) int { return cmp.Compare(a.Rule.ID, b.Rule.ID) })
}

// choose tells the checks that are about modules from the others.
func (t *tree) choose() {
	for _, a := range imageAnalyzers(t.cfg.Checks) {
		if rule := t.cfg.rule(a); rule.On&rules.Modules != 0 {
			t.checks = append(t.checks, a)
		} else if len(t.inputs) == 1 {
			t.apart = append(t.apart, RuleRun{Rule: rule, Outcome: checks.Outcome{NotApplicable: "about the kernel image, not about modules"}})
		}
	}
}

// runHere is run in this goroutine: modules are small, and many run at once.
func (r *runner) runHere(list []*analysis.Analyzer) {
	var do func(a *analysis.Analyzer) *action
	do = func(a *analysis.Analyzer) *action {
		if act, ok := r.actions[a]; ok {
			return act
		}
		act := &action{analyzer: a}
		r.actions[a] = act
		if _, seeded := r.seed[a]; !seeded {
			for _, d := range a.Requires {
				act.deps = append(act.deps, do(d))
			}
		}
		r.exec(act)
		return act
	}
	for _, a := range list {
		do(a)
	}
}

// trim drops findings of rules of which many have been kept.
func (res *Result) trim(kept map[string]int, limit int) {
	if limit <= 0 {
		return
	}
	res.Findings = slices.DeleteFunc(res.Findings, func(f Finding) bool {
		kept[f.Rule.ID]++
		return kept[f.Rule.ID] > limit
	})
}
