package lint

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
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
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/rules"
)

// A judged is a result on its way to be emitted.
type judged struct {
	n      int // of the input
	res    *finding.Result
	kinds  []string // of a module's callsites: see sampled
	kernel *kernel  // that a module was judged with
}

// images lints images and modules, several at once; modules as modules of the
// images. images ends within grace after ctx is done, and leaves behind
// goroutines that take longer.
func (d *driver) images(ctx context.Context, in Inputs, total *Total, emit func(*finding.Result)) {
	began := time.Now()
	m := d.moduleSet(in)
	results := make(chan judged, len(in.Images)+len(in.Modules)) // sending never blocks
	var opened sync.WaitGroup                                    // done when all kernels are open
	ready := make(chan struct{})                                 // closed when they are prepared for modules
	var nextImage, nextModule atomic.Int64
	opened.Add(len(m.kernels))
	images := func() {
		for {
			i := int(nextImage.Add(1)) - 1
			if i >= len(in.Images) {
				return
			}
			var res *finding.Result
			if len(in.Modules) == 0 {
				res = d.imageFile(ctx, in.Images[i], elfscan.Open)
			} else {
				res = m.kernelImage(ctx, m.kernels[i], sync.OnceFunc(opened.Done))
			}
			results <- judged{n: i, res: res}
		}
	}
	prepare := func() {
		defer close(ready)
		opened.Wait()
		for _, k := range m.kernels {
			k.loader.Prepare()
		}
	}
	modules := func() {
		<-ready
		var buf elfscan.Buffer
		for {
			i := int(nextModule.Add(1)) - 1
			if i >= len(in.Modules) || ctx.Err() != nil {
				return
			}
			d.slots <- struct{}{}
			j := m.module(ctx, in.Modules[i], &buf, !d.Settings.Exhaustive)
			<-d.slots
			j.n = len(in.Images) + i
			results <- j
		}
	}
	work := []func(){prepare}
	for range min(d.workers(), len(in.Images)) {
		work = append(work, images)
	}
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
	if !abandoned {
		for _, k := range m.kernels {
			k.close()
		}
	}
	all := n == len(in.Images)+len(in.Modules)
	if all {
		total.Errors = append(total.Errors, m.errors()...)
	}
	if !all || m.cut {
		what := ""
		if total.Modules > 0 {
			what = fmt.Sprintf(": judged %s of %s", plural.Number(total.Judged), plural.Of(total.Modules, "module"))
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
				if k := waiting[n].kernel; k != nil {
					k.once(res)
				}
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

// A kernel is an image of the run that modules are loaded into.
type kernel struct {
	path     string
	image    *elfscan.Image // open until the modules are judged; nil if it could not be read
	loader   *checks.ModuleKernel
	release  string      // "6.12.9-arm64"
	vermagic string      // that it expects of modules
	shape    *arch.Shape // of its callsites

	executed map[string]bool    // kinds of which a callsite was executed without a finding
	reported map[culprit]string // its defects that modules show, with the path of the first module
}

// A culprit is a function of a kernel that does what a rule forbids, and the headline
// that says what, without numbers.
type culprit struct{ rule, function, headline string }

// once drops the findings about functions of the kernel that an earlier module shows:
// a defect of the kernel is one finding, also if it shows in a thousand modules. What
// the kernel shows without a module is another case, and another finding. Findings
// that do not count stay, and hide no other. A rule that is left without findings does
// not apply.
func (k *kernel) once(res *finding.Result) {
	dropped := map[string]string{} // by rule: why
	res.Findings = slices.DeleteFunc(res.Findings, func(f finding.Finding) bool {
		if f.Culprit == "" {
			return false
		}
		c := culprit{f.Rule.ID, f.Culprit, finding.WithoutNumbers(f.Headline)}
		first, seen := k.reported[c]
		if !seen {
			k.reported[c] = res.Path
		}
		if !seen || first == res.Path {
			return false
		}
		dropped[f.Rule.ID] = fmt.Sprintf("the kernel's %s does wrong, as is said of %s", f.Culprit, first)
		res.Rules[slices.IndexFunc(res.Rules, func(r finding.RuleRun) bool { return r.Rule.ID == f.Rule.ID })].Findings--
		return true
	})
	for i := range res.Rules {
		if r := &res.Rules[i]; dropped[r.Rule.ID] != "" && r.Findings+r.Known+r.Suppressed == 0 && r.Status == finding.Judged {
			r.Outcome = finding.Outcome{Status: finding.NotApplicable, Why: errors.New(dropped[r.Rule.ID])}
		}
	}
}

func (k *kernel) close() {
	if k.image != nil {
		k.image.Close()
	}
}

// A moduleSet is the modules of a run, which are linted with the run's kernels.
type moduleSet struct {
	*driver
	inputs    []string
	debugFile string    // of the module, if there is but one
	kernels   []*kernel // in the order of the images; none if there are no modules
	checks    []*analysis.Analyzer
	apart     []finding.RuleRun // outcomes of the rules that are not about modules
	cut       bool              // the end of the run kept an input from being judged in full
	buf       elfscan.Buffer    // for execute

	others, otherArch, otherEra []*finding.Result // modules of another kernel: their vermagic, architecture or callsites differ
}

// moduleSet returns the modules of a run, with the checks that are about modules.
// The other checks get an outcome if there is only one module.
func (d *driver) moduleSet(in Inputs) *moduleSet {
	m := &moduleSet{driver: d, inputs: in.Modules}
	if len(in.Modules) == 0 {
		return m
	}
	if len(in.Images) == 0 && len(in.Modules) == 1 {
		m.debugFile = d.DebugFile
	}
	for _, path := range in.Images {
		k := &kernel{path: path, loader: &checks.ModuleKernel{None: errKernelUnread}, executed: map[string]bool{}, reported: map[culprit]string{}}
		m.kernels = append(m.kernels, k)
	}
	for _, a := range imageAnalyzers(d.Checks) {
		if rule := d.rule(a); rule.On&rules.Modules != 0 {
			m.checks = append(m.checks, a)
		} else if len(in.Modules) == 1 {
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

// kernelImage lints a kernel image and leaves it open for modules. It calls opened
// once modules may use the kernel, or once it is known that they cannot.
func (m *moduleSet) kernelImage(ctx context.Context, k *kernel, opened func()) (res *finding.Result) {
	began := time.Now()
	res = &finding.Result{Path: k.path}
	defer func() { res.Elapsed = time.Since(began) }()
	defer catch(&res)
	defer opened()
	im, err := elfscan.Open(k.path, m.DebugFile)
	if err != nil {
		res.Errors = append(res.Errors, plain(err))
		return res
	}
	defer func() {
		if k.image == nil {
			im.Close()
		}
	}()
	m.use(k, im)
	opened()
	m.judge(ctx, res, im)
	return res
}

// use makes im the image of k.
func (m *moduleSet) use(k *kernel, im *elfscan.Image) {
	m.add(im)
	table, _ := callsite.Of(im)
	k.release, _, _ = im.Banner()
	k.vermagic, k.shape = im.Vermagic(), table.Shape
	k.image, k.loader = im, checks.NewModuleKernel(im)
}

// execute lints a module again, and executes its callsites, if one of them is of
// a kind that was not executed without a finding before. It returns the new
// result, or the old one. Modules come here in the order of the inputs, so that
// the number of workers does not decide which modules are executed.
func (m *moduleSet) execute(ctx context.Context, j judged) *finding.Result {
	if m.Settings.Exhaustive || !slices.ContainsFunc(j.kinds, func(kind string) bool { return !j.kernel.executed[kind] }) {
		return j.res
	}
	j = m.module(ctx, j.res.Path, &m.buf, false)
	for _, kind := range j.kinds {
		j.kernel.executed[kind] = true
	}
	return j.res
}

// likely is the kernel that the module at path probably belongs to: the only one,
// the one whose release a folder of the path is named by (lib/modules/RELEASE), or
// the one that is nearest.
func (m *moduleSet) likely(path string) *kernel {
	if len(m.kernels) == 1 {
		return m.kernels[0]
	}
	folders := strings.Split(filepath.ToSlash(path), "/")
	best, _ := nearest(path, m.kernels, func(k *kernel) int {
		if k.release != "" && slices.Contains(folders, k.release) {
			return 1
		}
		return 0
	})
	return best
}

// kernelOf is the kernel that a module belongs to: the nearest one with the
// module's vermagic. It is nil if no kernel has that vermagic. The only kernel of a
// run is taken whatever its vermagic is.
func (m *moduleSet) kernelOf(im *elfscan.Image) *kernel {
	if len(m.kernels) == 1 {
		return m.kernels[0]
	}
	best, fit := nearest(im.Path, m.kernels, func(k *kernel) int {
		switch {
		case k.image == nil || !im.Module().Info.MadeFor(k.vermagic):
			return 0
		case k.vermagic == "" || k.mismatch(im) != nil: // it does not say
			return 1
		}
		return 2
	})
	if fit == 0 {
		return nil
	}
	return best
}

// nearest is the kernel that fits best, and how well. Of several it is the one
// whose path has most in common with path. It is nil if there are no kernels.
func nearest(path string, kernels []*kernel, fits func(*kernel) int) (best *kernel, fit int) {
	common := func(k *kernel) (n int) {
		a, b := strings.Split(filepath.ToSlash(path), "/"), strings.Split(filepath.ToSlash(k.path), "/")
		for n < min(len(a), len(b)) && a[n] == b[n] {
			n++
		}
		return n
	}
	for _, k := range kernels {
		f := fits(k)
		if best == nil || f > fit || f == fit && common(k) > common(best) {
			best, fit = k, f
		}
	}
	return best, fit
}

// module lints one module. If byModel, callsites are only compared with the
// model, not executed. The kinds of the result are the kinds of callsites that
// were judged by the model or, if they were executed, that had no finding.
func (m *moduleSet) module(ctx context.Context, path string, buf *elfscan.Buffer, byModel bool) (j judged) {
	began := time.Now()
	res := &finding.Result{Path: path, IsModule: true}
	j.res = res
	defer func() {
		if v := recover(); v != nil {
			j.res, j.kinds = &finding.Result{Path: path, IsModule: true, Errors: []error{withPath(path, panicked("driver", v))}}, nil
		}
		j.res.Elapsed = time.Since(began)
	}()
	defer elfscan.Guard()()
	im, k, err := m.openModule(path, buf)
	if err != nil {
		res.Errors = append(res.Errors, plain(err))
		return j
	}
	defer im.Close()
	j.kernel = k
	loader := &checks.ModuleKernel{None: errNoKernel}
	var mismatch error
	switch {
	case k != nil:
		loader = k.loader
		mismatch = k.mismatch(im)
	case len(m.kernels) > 0:
		mismatch = &otherKernel{im.Module().Info.Vermagic}
	}
	if mismatch != nil {
		im.WithoutKernel()
		loader = &checks.ModuleKernel{None: mismatch}
	}
	im.AddTo(m.fset)
	callsite.Attach(im)
	settings := m.settings(ctx)
	settings.ByModel = byModel
	seed := map[*analysis.Analyzer]any{checks.Image: im, checks.Options: settings, checks.InKernel: loader}
	r := newRunner(ctx, m.fset, seed, nil) // modules run at once, not their analyzers
	r.run(m.checks)
	for _, act := range r.order {
		if s, ok := act.result.(sampled); ok && act.err == nil && k != nil && (byModel || s.Sound()) {
			j.kinds = append(j.kinds, s.Kinds()...)
		}
	}
	m.conclude(res, r, m.checks, im)
	res.Rules = append(res.Rules, m.apart...)
	sortRules(res.Rules)
	info := im.Module().Info
	res.Image.Module = &finding.ModuleFacts{Name: info.Name, Vermagic: info.Vermagic, Shape: shapeOf(im), Mismatch: mismatch}
	if k != nil && mismatch == nil {
		res.Image.Module.Kernel = k.path
	}
	return j
}

// openModule opens the module at path, with the kernel that it belongs to; nil for
// none. Which one that is, the module itself says.
func (m *moduleSet) openModule(path string, buf *elfscan.Buffer) (im *elfscan.Image, k *kernel, err error) {
	open := func() (*elfscan.Image, error) {
		options := elfscan.ModuleOptions{Buffer: buf, DebugFile: m.debugFile, DebugDirs: m.DebugDirs}
		if k != nil {
			options.Kernel = k.loader.Kernel
		}
		return elfscan.OpenModule(path, options)
	}
	k = m.likely(path)
	im, err = open()
	if err != nil || len(m.kernels) < 2 {
		return im, k, err
	}
	if right := m.kernelOf(im); right != k {
		im.Close()
		k = right
		im, err = open()
	}
	return im, k, err
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

// An otherArch says that a module is one for another architecture than the kernel.
type otherArch struct{ module, kernel *arch.Arch }

func (e *otherArch) Error() string {
	return fmt.Sprintf("it is a module for %s, and the kernel is one for %s", e.module.Name, e.kernel.Name)
}

// mismatch returns why the module does not belong to the kernel; nil if it does,
// or if the kernel could not be read.
func (k *kernel) mismatch(im *elfscan.Image) error {
	if k.image == nil {
		return nil
	}
	if a, b := im.Arch(), k.image.Arch(); a != b {
		return &otherArch{a, b}
	}
	info := im.Module().Info
	if !info.MadeFor(k.vermagic) {
		return &otherKernel{info.Vermagic}
	}
	if table, _ := callsite.Of(im); table.Shape != nil && table.Shape != k.shape {
		return fmt.Errorf("its callsites (%v) are not those of that kernel (%v)", table.Shape, k.shape)
	}
	return nil
}

// strange remembers a module that does not belong to the kernel.
func (m *moduleSet) strange(res *finding.Result) {
	if res.Image == nil || res.Image.Module.Mismatch == nil {
		return
	}
	switch res.Image.Module.Mismatch.(type) {
	case *otherKernel:
		m.others = append(m.others, res)
	case *otherArch:
		m.otherArch = append(m.otherArch, res)
	default:
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
			more = fmt.Sprintf(" (and so on %d more of %s)", n, plural.Of(len(m.inputs), "module"))
		}
		belongs, without := fmt.Sprintf("belongs to none of the %s", plural.Of(len(m.kernels), "kernel")), "a kernel"
		if len(m.kernels) == 1 {
			belongs, without = "does not belong to "+m.kernels[0].path, "that kernel"
		}
		errs = append(errs, fmt.Errorf("%s: %s: %w%s%s. It was judged without %s", list[0].Path, belongs, list[0].Image.Module.Mismatch, kernel, more, without))
	}
	vermagic := ""
	if len(m.kernels) == 1 {
		vermagic = fmt.Sprintf("; the kernel has %q", m.kernels[0].vermagic)
	}
	say(m.others, vermagic)
	say(m.otherArch, "")
	say(m.otherEra, "")
	return errs
}
