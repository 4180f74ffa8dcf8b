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
	"github.com/ftlint/ftlint/world"
)

// A Loader is the kernel that modules are loaded into, with what is worked out
// once for all of them. Its methods may be called from any number of
// goroutines. The zero value stands for a kernel that is not known.
type Loader struct {
	Kernel *elfscan.Image // nil if it is not known
	None   error          // why it is not known: "no vmlinux was given"

	view  func() (callsite.LoaderView, error)
	first func() (*callsite.ModuleExecutor, error) // never executed: others are made from it. Or why there are none
	funcs chan *callsite.ModuleExecutor            // that are not in use
}

// NewLoader is the Loader of a kernel.
func NewLoader(kernel *elfscan.Image) *Loader {
	l := &Loader{
		Kernel: kernel,
		view:   sync.OnceValues(func() (callsite.LoaderView, error) { return callsite.ViewOfLoader(kernel) }),
		funcs:  make(chan *callsite.ModuleExecutor, 64),
	}
	l.first = sync.OnceValues(func() (*callsite.ModuleExecutor, error) {
		view, _ := l.View() // of a loader that cannot be executed nothing is known
		table, _ := callsite.Of(kernel)
		first, err := callsite.NewModuleExecutor(table, view)
		if err != nil {
			return nil, err
		}
		l.funcs <- first.Fork()
		return first, nil
	})
	return l
}

// View is what the kernel's loader, executed, makes of the sections it knows.
func (l *Loader) View() (callsite.LoaderView, error) {
	if l.Kernel == nil {
		return callsite.LoaderView{}, l.None
	}
	return l.view()
}

// Prepare works out what all modules need, if that was not done before. While
// it is, nothing about modules can be said: it is well done beforehand.
func (l *Loader) Prepare() {
	if l.Kernel == nil {
		return
	}
	defer elfscan.Guard()()
	defer func() { _ = recover() }() // withFuncs gets the panic again
	l.first()
}

// withFuncs calls f with the kernel's site functions, ready to be executed on
// callsites of modules. The error, a *world.Lack, says why there are none.
func (l *Loader) withFuncs(f func(*callsite.ModuleExecutor)) error {
	if l.Kernel == nil {
		return l.None
	}
	first, err := l.first()
	if err != nil {
		return err
	}
	var m *callsite.ModuleExecutor
	select {
	case m = <-l.funcs:
	default:
		m = first.Fork()
	}
	f(m)
	select {
	case l.funcs <- m:
	default:
	}
	return nil
}

// InKernel is the kernel that the module is loaded into, *Loader. The driver
// supplies it; on its own the analyzer knows of none.
var InKernel = &analysis.Analyzer{
	Name: "inkernel",
	Doc:  "the kernel that a module is loaded into",
	Run: func(*analysis.Pass) (any, error) {
		return &Loader{None: &world.Lack{What: "no vmlinux was given"}}, nil
	},
	ResultType: reflect.TypeFor[*Loader](),
}

func loader(pass *analysis.Pass) *Loader { return pass.ResultOf[InKernel].(*Loader) }

// flags is section flags as readelf shows them.
func flags(f elf.SectionFlag) string {
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

// kernelOf is the image whose entry code and functions the callsites belong
// to: the image itself or, of a module, its kernel. none says why that is not
// known.
func kernelOf(pass *analysis.Pass) (kernel *elfscan.Image, none error) {
	im := image(pass)
	if im.Module() == nil {
		return im, nil
	}
	l := loader(pass)
	return l.Kernel, l.None
}

// reportRun reports that fn, executed on callsite s, does what it must not: at
// fn or, if the kernel is another image, at the callsite.
func reportRun(pass *analysis.Pass, kernel *elfscan.Image, fn uint64, s callsite.Site, format string, args ...any) {
	im := image(pass)
	if kernel != im {
		reportWith(pass, s.Entry, relatedTo(kernel, fn, "the function"), format, args...)
		return
	}
	reportWith(pass, fn, relatedTo(im, s.Entry, "the callsite"), format, args...)
}

// A ModuleKind is what can make a kernel's functions treat one callsite of a
// module otherwise than another.
type ModuleKind struct {
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
	kind := ModuleKind{Shape: t.Shape}
	_, kind.PLT = m.Section(arch.ARM64.Modules.PLT)
	_, kind.InitPLT = m.Section(arch.ARM64.Modules.InitPLT)
	var sites []callsite.Site
	for _, s := range t.Callsites {
		if !s.Text || !s.OK || s.Saved >= 0 || t.Shape.Literal != 0 && s.Entry%8 != 0 {
			continue
		}
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
	res.None = loader(pass).withFuncs(func(f *callsite.ModuleExecutor) {
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
	never := f.CanBeFar(im)
	r.Placed = "near and far"
	if never != nil {
		r.Placed = fmt.Sprintf("near (not far: %v)", never)
	}
	for _, s := range sites {
		for _, far := range []bool{false, true} {
			if far && never != nil {
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
