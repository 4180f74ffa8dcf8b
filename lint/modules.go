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
	kinds []string // of a module's callsites: see sampled
}

// images lints images, one after the other, and modules, several at once, as
// modules of the kernel. The kernel is one of the images, or "" for none. images
// ends within grace after ctx is done, and leaves behind goroutines that take
// longer.
func (d *driver) images(ctx context.Context, in Inputs, kernel string, total *Total, emit func(*finding.Result)) {
	began := time.Now()
	m := d.moduleSet(in.Modules)
	if len(in.Images) == 0 && len(in.Modules) == 1 {
		m.debugFile = d.DebugFile
	}
	var image *elfscan.Image                                     // the kernel image, closed at the end
	results := make(chan judged, len(in.Images)+len(in.Modules)) // sending never blocks
	opened, ready := make(chan struct{}), make(chan struct{})    // closed when the kernel is open, and prepared for modules
	files := func() {
		open := sync.OnceFunc(func() { close(opened) })
		defer open()
		if kernel == "" {
			m.kernel = &checks.ModuleKernel{None: errNoKernel}
			open()
		}
		for i, path := range in.Images {
			if path != kernel {
				results <- judged{n: i, res: d.imageFile(ctx, path, false)}
				continue
			}
			began := time.Now()
			res := &finding.Result{Path: path}
			image = m.open(res)
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
		m.kernel.Prepare()
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
			res, kinds := m.module(ctx, in.Modules[i], &buf, !d.Settings.Exhaustive)
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
	n, abandoned := m.inOrder(ctx, results, len(in.Images), total, emit)
	if !abandoned && broken != nil {
		panic(broken)
	}
	if !abandoned && image != nil {
		image.Close()
	}
	all := n == len(in.Images)+len(in.Modules)
	if all {
		total.Errors = append(total.Errors, m.errors()...)
	}
	if !all || m.cut {
		what := ""
		if total.Modules > 0 {
			what = fmt.Sprintf(": %d of %d modules were judged", total.Judged, total.Modules)
		}
		total.Interrupted = fmt.Errorf("%w after %.1f s%s", context.Cause(ctx), time.Since(began).Seconds(), what)
	}
}

// inOrder emits the results in the order of the inputs: first images, then
// modules. It returns the number of results that it emitted. abandoned reports
// whether goroutines are still running.
func (m *moduleSet) inOrder(ctx context.Context, results <-chan judged, images int, total *Total, emit func(*finding.Result)) (n int, abandoned bool) {
	waiting := map[int]judged{}
	limit := finding.Limit{Most: m.MaxPerRule}
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
			if done++; m.Progress != nil {
				m.Progress(done)
			}
		}
		for ; waiting[n].res != nil; n++ {
			res := waiting[n].res
			if n >= images {
				res = m.execute(ctx, waiting[n])
				total.Judged++
				if res.Image == nil {
					total.Unread++
				}
				trim(res, &limit)
				m.strange(res)
			}
			delete(waiting, n)
			m.cut = m.cut || slices.ContainsFunc(res.Errors, func(err error) bool { return errors.Is(err, context.Cause(ctx)) })
			emit(res)
		}
	}
}

// A moduleSet is the modules of a run, which are linted with one kernel.
type moduleSet struct {
	*driver
	inputs    []string
	debugFile string // of the module, if there is but one
	kernel    *checks.ModuleKernel
	checks    []*analysis.Analyzer
	apart     []finding.RuleRun // outcomes of the rules that are not about modules
	cut       bool              // the end of the run kept an input from being judged in full

	vermagic string      // the vermagic that the kernel expects of modules
	shape    *arch.Shape // of the kernel's callsites

	executed map[string]bool // kinds of which a callsite was executed without a finding
	buf      elfscan.Buffer  // for execute

	others, otherEra []*finding.Result // modules of another kernel: their vermagic, or their callsites, differ
}

// moduleSet returns the modules of a run, with the checks that are about modules.
// The other checks get an outcome if there is only one module.
func (d *driver) moduleSet(modules []string) *moduleSet {
	m := &moduleSet{driver: d, inputs: modules, executed: map[string]bool{}}
	if len(modules) == 0 {
		return m
	}
	for _, a := range imageAnalyzers(d.Checks) {
		if rule := d.rule(a); rule.On&rules.Modules != 0 {
			m.checks = append(m.checks, a)
		} else if len(modules) == 1 {
			m.apart = append(m.apart, finding.RuleRun{Rule: rule, Outcome: finding.Outcome{Status: finding.NotApplicable, Why: errNotAboutModules}})
		}
	}
	return m
}

var (
	errNotAboutModules = errors.New("about the kernel image, not about modules")

	// Why modules are judged without their kernel.
	errNoKernel     = errors.New("no vmlinux was given")
	errKernelUnread = errors.New("the vmlinux that was given could not be read")
)

// open opens the kernel image at res.Path. It returns nil, and adds an error to
// res, if the image cannot be read.
func (m *moduleSet) open(res *finding.Result) (im *elfscan.Image) {
	m.kernel = &checks.ModuleKernel{None: errKernelUnread}
	opened, err := elfscan.Open(res.Path, m.DebugFile)
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
	m.use(opened)
	return opened
}

// use makes im the kernel that modules are judged with.
func (m *moduleSet) use(im *elfscan.Image) {
	m.add(im)
	table, _ := callsite.Of(im)
	m.vermagic, m.shape = im.Vermagic(), table.Shape
	m.kernel = checks.NewModuleKernel(im)
}

// execute lints a module again, and executes its callsites, if one of them is of
// a kind that was not executed without a finding before. It returns the new
// result, or the old one. Modules come here in the order of the inputs, so that
// the number of workers does not decide which modules are executed.
func (m *moduleSet) execute(ctx context.Context, j judged) *finding.Result {
	if m.Settings.Exhaustive || !slices.ContainsFunc(j.kinds, func(k string) bool { return !m.executed[k] }) {
		return j.res
	}
	res, kinds := m.module(ctx, j.res.Path, &m.buf, false)
	for _, k := range kinds {
		m.executed[k] = true
	}
	return res
}

// module lints one module. If byModel, callsites are only compared with the
// model, not executed. kinds are the kinds of callsites that were judged by the
// model or, if they were executed, that had no finding.
func (m *moduleSet) module(ctx context.Context, path string, buf *elfscan.Buffer, byModel bool) (res *finding.Result, kinds []string) {
	began := time.Now()
	res = &finding.Result{Path: path, IsModule: true}
	defer func() {
		if v := recover(); v != nil {
			res = &finding.Result{Path: path, IsModule: true, Errors: []error{withPath(path, panicked("driver", v))}}
		}
		res.Elapsed = time.Since(began)
	}()
	defer elfscan.Guard()()
	im, err := elfscan.OpenModule(path, elfscan.ModuleOptions{Kernel: m.kernel.Kernel, Buffer: buf, DebugFile: m.debugFile, DebugDirs: m.DebugDirs})
	if err != nil {
		res.Errors = append(res.Errors, plain(err))
		return res, nil
	}
	defer im.Close()
	kernel := m.kernel
	mismatch := m.mismatch(im)
	if mismatch != nil {
		im.WithoutKernel()
		kernel = &checks.ModuleKernel{None: mismatch}
	}
	im.AddTo(m.fset)
	callsite.Attach(im)
	settings := m.settings(ctx)
	settings.ByModel = byModel
	seed := map[*analysis.Analyzer]any{checks.Image: im, checks.Options: settings, checks.InKernel: kernel}
	r := newRunner(ctx, m.fset, seed, nil) // modules run at once, not their analyzers
	r.run(m.checks)
	for _, act := range r.order {
		if s, ok := act.result.(sampled); ok && act.err == nil && (byModel || s.Sound()) {
			kinds = append(kinds, s.Kinds()...)
		}
	}
	m.conclude(res, r, m.checks, im)
	res.Rules = append(res.Rules, m.apart...)
	sortRules(res.Rules)
	info := im.Module().Info
	res.Image.Module = &finding.ModuleFacts{Name: info.Name, Vermagic: info.Vermagic, Shape: shapeOf(im), Mismatch: mismatch}
	return res, kinds
}

// shapeOf returns the shape of the module's callsites, in words.
func shapeOf(im *elfscan.Image) (shape string) {
	defer func() {
		if v := recover(); v != nil { // the file is gone
			shape = (*arch.Shape)(nil).String()
		}
	}()
	table, _ := callsite.Of(im)
	return table.Shape.String()
}

// An otherKernel says that a module's vermagic is not that of the kernel.
type otherKernel struct{ vermagic string }

func (e *otherKernel) Error() string {
	return fmt.Sprintf("it is made for another kernel (vermagic %q)", e.vermagic)
}

// mismatch returns why the module does not belong to the kernel; nil if it does,
// or if there is no kernel.
func (m *moduleSet) mismatch(im *elfscan.Image) error {
	if m.kernel.Kernel == nil {
		return nil
	}
	info := im.Module().Info
	if !info.MadeFor(m.vermagic) {
		return &otherKernel{info.Vermagic}
	}
	if table, _ := callsite.Of(im); table.Shape != nil && table.Shape != m.shape {
		return fmt.Errorf("its callsites (%v) are not those of that kernel (%v)", table.Shape, m.shape)
	}
	return nil
}

// strange remembers a module that does not belong to the kernel.
func (m *moduleSet) strange(res *finding.Result) {
	if res.Image == nil || res.Image.Module.Mismatch == nil {
		return
	}
	if e := (*otherKernel)(nil); errors.As(res.Image.Module.Mismatch, &e) {
		m.others = append(m.others, res)
	} else {
		m.otherEra = append(m.otherEra, res)
	}
}

// errors returns one error about all modules of another vermagic, and one about
// all modules with other callsites.
func (m *moduleSet) errors() (errs []error) {
	say := func(list []*finding.Result, kernel string) {
		if len(list) == 0 {
			return
		}
		more := ""
		if n := len(list) - 1; n > 0 {
			more = fmt.Sprintf(" (and so on %d more of %d modules)", n, len(m.inputs))
		}
		errs = append(errs, fmt.Errorf("%s: does not belong to %s: %w%s%s. It was judged without that kernel",
			list[0].Path, m.kernel.Kernel.Path, list[0].Image.Module.Mismatch, kernel, more))
	}
	say(m.others, fmt.Sprintf("; the kernel has %q", m.vermagic))
	say(m.otherEra, "")
	return errs
}
