package lint

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/parallel"
	"github.com/ftlint/ftlint/rules"
)

// A judged is a result on its way to be emitted.
type judged struct {
	n     int // of the input
	res   *finding.Result
	kinds []string // of a module: see sampled
}

// images lints images, one after the other, and modules, many at once, as
// modules of the kernel, which is one of the images or "". When ctx is done it
// ends soon; it leaves behind only what takes longer than grace to see it.
func (d *driver) images(ctx context.Context, in Inputs, kernel string, total *Total, emit func(*finding.Result)) {
	began := time.Now()
	t := d.tree(in.Modules)
	if len(in.Images) == 0 && len(in.Modules) == 1 {
		t.debugFile = d.DebugFile
	}
	var image *elfscan.Image                                     // the kernel's, to be closed in the end
	results := make(chan judged, len(in.Images)+len(in.Modules)) // nobody waits to send
	opened, ready := make(chan struct{}), make(chan struct{})    // the kernel: open, and prepared for modules
	files := func() {
		open := sync.OnceFunc(func() { close(opened) })
		defer open()
		if kernel == "" {
			t.loader = &checks.Loader{None: errNoKernel}
			open()
		}
		for i, path := range in.Images {
			if path != kernel {
				results <- judged{n: i, res: d.imageFile(ctx, path, false)}
				continue
			}
			began := time.Now()
			res := &finding.Result{Path: path}
			image = t.open(res)
			open()
			if image != nil {
				d.judge(ctx, res, image)
			}
			res.Elapsed = time.Since(began)
			results <- judged{n: i, res: res}
		}
	}
	prepare := func() {
		defer close(ready)
		<-opened
		t.loader.Prepare()
	}
	var next atomic.Int64
	modules := func() {
		<-ready
		var buf elfscan.Buffer
		for {
			i := int(next.Add(1)) - 1
			if i >= len(in.Modules) || ctx.Err() != nil {
				return
			}
			d.slots <- struct{}{}
			res, kinds := t.module(ctx, in.Modules[i], &buf, !d.Settings.Exhaustive)
			<-d.slots
			results <- judged{len(in.Images) + i, res, kinds}
		}
	}
	work := []func(){files, prepare}
	for range min(d.workers(), len(in.Modules)) {
		work = append(work, modules)
	}
	var broken any // what work panicked with
	go func() {
		defer close(results)
		defer func() { broken = recover() }()
		parallel.Do(len(work), len(work), func(i int) { work[i]() })
	}()
	n, abandoned := t.inOrder(ctx, results, len(in.Images), total, emit)
	if !abandoned && broken != nil {
		panic(broken)
	}
	if !abandoned && image != nil {
		image.Close()
	}
	all := n == len(in.Images)+len(in.Modules)
	if all {
		total.Errors = append(total.Errors, t.errors()...)
	}
	if !all || t.cut {
		what := ""
		if total.Modules > 0 {
			what = fmt.Sprintf(": %d of %d modules were judged", total.Judged, total.Modules)
		}
		total.Interrupted = fmt.Errorf("%w after %.1f s%s", context.Cause(ctx), time.Since(began).Seconds(), what)
	}
}

// inOrder emits the results in the order of the inputs, of which the first are
// images. It gives how many were emitted; abandoned says that something is
// still under way.
func (t *tree) inOrder(ctx context.Context, results <-chan judged, images int, total *Total, emit func(*finding.Result)) (n int, abandoned bool) {
	waiting := map[int]judged{}
	limit := finding.Limit{Most: t.MaxPerRule}
	done := 0
	cut, late := ctx.Done(), (<-chan time.Time)(nil)
	for {
		var r judged
		var open bool
		select {
		case <-cut:
			cut, late = nil, time.After(grace)
			continue
		case <-late:
			return n, true
		case r, open = <-results:
		}
		if !open {
			return n, false
		}
		waiting[r.n] = r
		if r.n >= images {
			if done++; t.Progress != nil {
				t.Progress(done)
			}
		}
		for ; waiting[n].res != nil; n++ {
			res := waiting[n].res
			if n >= images {
				res = t.execute(ctx, waiting[n])
				total.Judged++
				if res.Image == nil {
					total.Unread++
				}
				trim(res, &limit)
				t.strange(res)
			}
			delete(waiting, n)
			t.cut = t.cut || slices.ContainsFunc(res.Errors, func(err error) bool { return errors.Is(err, context.Cause(ctx)) })
			emit(res)
		}
	}
}

// A tree is modules that are linted with one kernel.
type tree struct {
	*driver
	inputs    []string
	debugFile string // of the module, if there is but one
	loader    *checks.Loader
	checks    []*analysis.Analyzer
	apart     []finding.RuleRun // of the rules that are not about modules
	cut       bool              // an input was not judged in full, because the run was to end

	vermagic string      // that the kernel expects
	shape    *arch.Shape // of the kernel's callsites

	executed map[string]bool // kinds that were, without a finding
	buf      elfscan.Buffer  // for execute

	others, otherEra []*finding.Result // modules of another kernel, by vermagic or by their callsites
}

// tree tells the checks that are about modules from the others.
func (d *driver) tree(modules []string) *tree {
	t := &tree{driver: d, inputs: modules, executed: map[string]bool{}}
	if len(modules) == 0 {
		return t
	}
	for _, a := range imageAnalyzers(d.Checks) {
		if rule := d.rule(a); rule.On&rules.Modules != 0 {
			t.checks = append(t.checks, a)
		} else if len(modules) == 1 {
			t.apart = append(t.apart, finding.RuleRun{Rule: rule, Outcome: finding.Outcome{Status: finding.NotApplicable, Why: errNotAboutModules}})
		}
	}
	return t
}

var (
	errNotAboutModules = errors.New("about the kernel image, not about modules")

	// Why modules are judged without their kernel.
	errNoKernel     = errors.New("no vmlinux was given")
	errKernelUnread = errors.New("the vmlinux that was given could not be read")
)

// open opens the kernel image that res is about; nil if it cannot be read.
func (t *tree) open(res *finding.Result) (im *elfscan.Image) {
	t.loader = &checks.Loader{None: errKernelUnread}
	opened, err := elfscan.Open(res.Path, t.DebugFile)
	if err != nil {
		res.Errors = append(res.Errors, plain(err))
		return nil
	}
	defer func() {
		if im == nil {
			opened.Close()
		}
	}()
	defer catch(&res)
	t.use(opened)
	return opened
}

// use has modules judged as modules of the kernel image.
func (t *tree) use(im *elfscan.Image) {
	t.add(im)
	table, _ := callsite.Of(im)
	t.vermagic, t.shape = im.Vermagic(), table.Shape
	t.loader = checks.NewLoader(im)
}

// execute executes callsites of a module if it has some of a kind that no
// module before it has had executed without a finding: its result is then
// another. Modules come here in the order of the inputs, so that which are
// executed does not depend on how many are judged at once.
func (t *tree) execute(ctx context.Context, j judged) *finding.Result {
	if t.Settings.Exhaustive || !slices.ContainsFunc(j.kinds, func(k string) bool { return !t.executed[k] }) {
		return j.res
	}
	res, kinds := t.module(ctx, j.res.Path, &t.buf, false)
	for _, k := range kinds {
		t.executed[k] = true
	}
	return res
}

// module lints one module, without executing callsites if byModel. kinds are
// those of its callsites that were judged by the model or, if they were
// executed, that were found to be sound.
func (t *tree) module(ctx context.Context, path string, buf *elfscan.Buffer, byModel bool) (res *finding.Result, kinds []string) {
	began := time.Now()
	res = &finding.Result{Path: path, IsModule: true}
	defer func() {
		if v := recover(); v != nil {
			res = &finding.Result{Path: path, IsModule: true, Errors: []error{withPath(path, panicked("driver", v))}}
		}
		res.Elapsed = time.Since(began)
	}()
	defer elfscan.Guard()()
	im, err := elfscan.OpenModule(path, elfscan.ModuleOptions{Kernel: t.loader.Kernel, Buffer: buf, DebugFile: t.debugFile, DebugDirs: t.DebugDirs})
	if err != nil {
		res.Errors = append(res.Errors, plain(err))
		return res, nil
	}
	defer im.Close()
	loader := t.loader
	mismatch := t.mismatch(im)
	if mismatch != nil {
		im.WithoutKernel()
		loader = &checks.Loader{None: mismatch}
	}
	im.AddTo(t.fset)
	callsite.Attach(im)
	settings := t.settings(ctx)
	settings.ByModel = byModel
	r := newRunner(ctx, t.fset, map[*analysis.Analyzer]any{checks.Image: im, checks.Options: settings, checks.InKernel: loader}, nil) // what runs at once is several modules
	r.run(t.checks)
	for _, act := range r.order {
		if s, ok := act.result.(sampled); ok && act.err == nil && (byModel || s.Sound()) {
			kinds = append(kinds, s.Kinds()...)
		}
	}
	t.conclude(res, r, t.checks, im)
	res.Rules = append(res.Rules, t.apart...)
	sortRules(res.Rules)
	info := im.Module().Info
	res.Image.Module = &finding.ModuleFacts{Name: info.Name, Vermagic: info.Vermagic, Shape: shapeOf(im), Mismatch: mismatch}
	return res, kinds
}

// shapeOf is the shape of the module's callsites, in words.
func shapeOf(im *elfscan.Image) (shape string) {
	defer func() {
		if v := recover(); v != nil { // the file is gone
			shape = (*arch.Shape)(nil).String()
		}
	}()
	table, _ := callsite.Of(im)
	return table.Shape.String()
}

// An otherKernel is why a module is not one of the kernel: its vermagic.
type otherKernel struct{ vermagic string }

func (e *otherKernel) Error() string {
	return fmt.Sprintf("it is made for another kernel (vermagic %q)", e.vermagic)
}

// mismatch is why the module does not belong to the kernel; nil if it does, or
// if there is none.
func (t *tree) mismatch(im *elfscan.Image) error {
	if t.loader.Kernel == nil {
		return nil
	}
	info := im.Module().Info
	if !info.MadeFor(t.vermagic) {
		return &otherKernel{info.Vermagic}
	}
	if table, _ := callsite.Of(im); table.Shape != nil && table.Shape != t.shape {
		return fmt.Errorf("its callsites (%v) are not those of that kernel (%v)", table.Shape, t.shape)
	}
	return nil
}

// strange notes a module that does not belong to the kernel.
func (t *tree) strange(res *finding.Result) {
	if res.Image == nil || res.Image.Module.Mismatch == nil {
		return
	}
	if e := (*otherKernel)(nil); errors.As(res.Image.Module.Mismatch, &e) {
		t.others = append(t.others, res)
	} else {
		t.otherEra = append(t.otherEra, res)
	}
}

// errors says once what is wrong with modules as a whole.
func (t *tree) errors() (errs []error) {
	say := func(list []*finding.Result, kernel string) {
		if len(list) == 0 {
			return
		}
		more := ""
		if n := len(list) - 1; n > 0 {
			more = fmt.Sprintf(" (and so on %d more of %d modules)", n, len(t.inputs))
		}
		errs = append(errs, fmt.Errorf("%s: does not belong to %s: %w%s%s. It was judged without that kernel",
			list[0].Path, t.loader.Kernel.Path, list[0].Image.Module.Mismatch, kernel, more))
	}
	say(t.others, fmt.Sprintf("; the kernel has %q", t.vermagic))
	say(t.otherEra, "")
	return errs
}
