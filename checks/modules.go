package checks

import (
	"debug/elf"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/world"
)

// A ModuleKernel is the kernel that modules are loaded into, with the results that are
// computed once for all modules. Its methods may be called from several
// goroutines. A ModuleKernel without a Kernel stands for a kernel that is not known.
type ModuleKernel struct {
	Kernel *elfscan.Image // nil if the kernel is not known
	None   error          // why the kernel is not known: "no vmlinux was given"

	types   func() *callsite.Types
	guarded func() bool // reports whether the kernel is built with BTI
	view    func() (callsite.LoaderView, error)
	first   func() (*callsite.ModuleExecutor, error) // it is only forked, or the error says why there is no executor
	idle    chan *callsite.ModuleExecutor            // executors that are not in use
	plts    chan *callsite.PLTMaker                  // the same
	insns   chan *callsite.InsnExecutor              // the same, for callsites that are one instruction
}

// NewModuleKernel is the ModuleKernel of a kernel.
func NewModuleKernel(kernel *elfscan.Image) *ModuleKernel {
	k := &ModuleKernel{
		Kernel: kernel,
		types:  sync.OnceValue(func() *callsite.Types { return callsite.ReadTypes(kernel, true) }),
		guarded: sync.OnceValue(func() bool {
			table, _ := callsite.Of(kernel)
			return table.Shape != nil && table.Entries != nil && slices.ContainsFunc(table.Sites(), func(s callsite.Site) bool { return s.BTI })
		}),
		plts:  make(chan *callsite.PLTMaker, 64),
		insns: make(chan *callsite.InsnExecutor, 64),
		view:  sync.OnceValues(func() (callsite.LoaderView, error) { return callsite.ViewOfLoader(kernel) }),
		idle:  make(chan *callsite.ModuleExecutor, 64),
	}
	k.first = sync.OnceValues(func() (*callsite.ModuleExecutor, error) {
		view, _ := k.View() // empty if the loader cannot be executed
		table, _ := callsite.Of(kernel)
		first, err := callsite.NewModuleExecutor(table, k.types(), view)
		if err != nil {
			return nil, err
		}
		k.idle <- first.Fork()
		return first, nil
	})
	return k
}

// View is the result of executing the kernel's loader on the sections that the
// loader knows.
func (k *ModuleKernel) View() (callsite.LoaderView, error) {
	if k.Kernel == nil {
		return callsite.LoaderView{}, k.None
	}
	return k.view()
}

// Prepare computes the results that all modules share, unless that was done
// before. The first module waits for these results, so a caller can have them
// computed while modules are being read.
func (k *ModuleKernel) Prepare() {
	if k.Kernel == nil {
		return
	}
	defer elfscan.Guard()()
	defer func() { _ = recover() }() // withExecutor gets the panic again
	k.first()
}

// withExecutor calls f with an executor of the kernel's functions on callsites of
// modules. The error, a *world.Lack, says why there is no executor.
func (k *ModuleKernel) withExecutor(f func(*callsite.ModuleExecutor)) error {
	if k.Kernel == nil {
		return k.None
	}
	first, err := k.first()
	if err != nil {
		return err
	}
	var m *callsite.ModuleExecutor
	select {
	case m = <-k.idle:
	default:
		m = first.Fork()
	}
	f(m)
	select {
	case k.idle <- m:
	default:
	}
	return nil
}

// withPLTMaker calls f with an executor of the kernel's functions that give a module
// its PLTs. The error, a *world.Lack, says why there is no executor.
func (k *ModuleKernel) withPLTMaker(f func(*callsite.PLTMaker)) error {
	if k.Kernel == nil {
		return k.None
	}
	return withIdle(k.plts, func() (*callsite.PLTMaker, error) { return callsite.NewPLTMaker(k.Kernel, k.types()) }, f)
}

// withInsnExecutor is withExecutor for callsites that are one instruction.
func (k *ModuleKernel) withInsnExecutor(f func(*callsite.InsnExecutor)) error {
	if k.Kernel == nil {
		return k.None
	}
	return withIdle(k.insns, func() (*callsite.InsnExecutor, error) {
		table, err := callsite.Of(k.Kernel)
		if err != nil {
			return nil, err
		}
		return callsite.NewInsnExecutor(table)
	}, f)
}

// withIdle calls f with an executor that is not in use, or with a new one.
func withIdle[T any](idle chan T, fresh func() (T, error), f func(T)) error {
	var x T
	select {
	case x = <-idle:
	default:
		var err error
		if x, err = fresh(); err != nil {
			return err
		}
	}
	f(x)
	select {
	case idle <- x:
	default:
	}
	return nil
}

// InKernel is the kernel that the module is loaded into, *ModuleKernel. The driver
// supplies it. Without the driver the kernel is not known.
var InKernel = &analysis.Analyzer{
	Name: "inkernel",
	Doc:  "the kernel that a module is loaded into",
	Run: func(*analysis.Pass) (any, error) {
		return &ModuleKernel{None: &world.Lack{What: "no vmlinux was given"}}, nil
	},
	ResultType: reflect.TypeFor[*ModuleKernel](),
}

func moduleKernel(pass *analysis.Pass) *ModuleKernel { return pass.ResultOf[InKernel].(*ModuleKernel) }

// flagString is the flags of a section in readelf's letters.
func flagString(f elf.SectionFlag) string {
	var b strings.Builder
	for _, x := range []struct {
		flag elf.SectionFlag
		name byte
	}{{elf.SHF_WRITE, 'W'}, {elf.SHF_ALLOC, 'A'}, {elf.SHF_EXECINSTR, 'X'}} {
		if f&x.flag != 0 {
			b.WriteByte(x.name)
		}
	}
	return b.String()
}

// farRegion is the region in which a kernel can place modules out of BL reach, and
// the regions that it tries before; none says why there is no such region.
func farRegion(kernel *elfscan.Image) (far elfscan.ModuleRegion, before []elfscan.ModuleRegion, none error) {
	for i, r := range kernel.ModuleRegions() {
		if !r.Direct {
			return r, kernel.ModuleRegions()[:i], nil
		}
	}
	return far, nil, &world.Lack{What: "nothing in the kernel says that it places modules out of BL reach (module_plt_base, or module_alloc_base and module_emit_plt_entry)"}
}

// kernelOf is the image with the entry code and the functions of the callsites:
// the image itself or, of a module, its kernel. none says why the kernel of a
// module is not known.
func kernelOf(pass *analysis.Pass) (kernel *elfscan.Image, none error) {
	im := image(pass)
	if im.Module() == nil {
		return im, nil
	}
	k := moduleKernel(pass)
	return k.Kernel, k.None
}

// reportRun reports that the kernel's function of that name, executed on callsite s,
// does what it must not. The finding is at the function or, if the kernel is another
// image, at the callsite.
// more says how many other callsites show the same; "" for none.
func reportRun(pass *analysis.Pass, kernel *elfscan.Image, name string, s callsite.Site, c finding.Claim, more string) {
	if more != "" {
		c = c.Because("%s", more)
	}
	im := image(pass)
	fn, _ := kernel.Addr(name)
	at, places := fn, relatedTo(im, s.Entry, "the callsite")
	if kernel != im {
		at, places = s.Entry, relatedAs(kernel, fn, "the function", name)
	}
	d := c.Diagnostic(im.Pos(at), places...)
	d.Category = finding.OfKernel + name
	pass.Report(d)
}

// A moduleKind holds everything that can make a kernel's functions treat two
// callsites of modules differently.
type moduleKind struct {
	Shape        *arch.Shape
	BTI          bool
	Part         elfscan.Part
	PLT, InitPLT bool // the module has room for PLT entries for ftrace
}

// moduleRuns is SiteRuns for a module: one callsite of each kind, or all, with
// the module placed near the kernel and far from it.
func moduleRuns(pass *analysis.Pass, t *SiteTable) *SiteResults {
	im, m := image(pass), image(pass).Module()
	res := &SiteResults{Saved: -1}
	settings := pass.ResultOf[Options].(Settings)
	kind := moduleKind{Shape: t.Shape}
	has := func(section string) bool {
		_, ok := m.Section(section)
		return ok && section != ""
	}
	kind.PLT, kind.InitPLT = has(im.Arch().Modules.PLT), has(im.Arch().Modules.InitPLT)
	var sites []callsite.Site
	fit := 0
	for _, s := range t.Callsites {
		if !s.Text || !s.OK || s.Saved >= 0 || t.Shape.Literal != 0 && s.Entry%8 != 0 {
			continue
		}
		fit++
		kind.BTI, kind.Part = s.BTI, m.PartAt(s.Entry)
		seen := slices.Contains(res.kinds, kind)
		if !seen {
			res.kinds = append(res.kinds, kind)
		}
		if settings.Exhaustive || !seen {
			sites = append(sites, s)
		}
	}
	if len(sites) == 0 {
		res.None = errNoneAsBuilt
		return res
	}
	res.Unfit = unfit(len(t.Callsites) - fit)
	if t.Shape.Size != 0 {
		if !settings.ByModel {
			res.None = moduleKernel(pass).withInsnExecutor(func(x *callsite.InsnExecutor) {
				res.Placed = "at both ends of the region for modules"
				for _, s := range sites {
					res.Insns = append(res.Insns, x.RunInModule(s))
				}
			})
		}
		return res
	}
	res.None = moduleKernel(pass).withExecutor(func(f *callsite.ModuleExecutor) {
		if reg, ok := f.Saved(im, sites[0]); ok {
			res.Saved = reg
		}
		if !settings.ByModel {
			res.runModule(f, im, sites)
		}
	})
	return res
}

// runModule executes callsites of a module, near the kernel and far from it.
func (r *SiteResults) runModule(f *callsite.ModuleExecutor, im *elfscan.Image, sites []callsite.Site) {
	canBeFar, skipped := f.CanBeFar(im)
	r.Placed = "near and far"
	if !canBeFar {
		r.Placed = "near"
	}
	if skipped != nil {
		r.Skipped = append(r.Skipped, fmt.Errorf("callsites of the module far from the kernel (%w)", skipped))
	}
	for _, s := range sites {
		for _, far := range []bool{false, true} {
			if far && !canBeFar {
				continue
			}
			run := f.Run(im, s, far)
			run.Site = s
			switch {
			case run.Err != nil:
				r.Stuck = append(r.Stuck, run)
			case run.Failed() != nil:
				r.Failed = append(r.Failed, run)
			default:
				continue
			}
			break
		}
	}
	r.Executed = len(sites)
}
