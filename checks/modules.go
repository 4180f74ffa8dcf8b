package checks

import (
	"debug/elf"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/builder"
	"github.com/ftlint/ftlint/elfscan"
)

// ForModules are the checks of All that have something to say about modules.
// The others are about the kernel image, and are run on that alone.
var ForModules = []*analysis.Analyzer{
	FT204, FT205,
	FT304,
	FT401, FT402, FT403, FT404, FT405, FT406, FT407, FT408, FT409, FT410, FT411,
}

// A Loader is the kernel that modules are loaded into, with what is worked out
// once for all of them. Its methods may be called from any number of
// goroutines. The zero value stands for a kernel that is not known.
type Loader struct {
	Kernel *elfscan.Image // nil if it is not known
	Why    string         // why it is not known: "no vmlinux was given"

	view  func() (builder.LoaderView, error)
	funcs chan *builder.ModuleFuncs // that are not in use
	once  sync.Once
	first *builder.ModuleFuncs // never executed: others are made from it
	why   string               // there are none: why
}

// NewLoader is the Loader of a kernel.
func NewLoader(kernel *elfscan.Image) *Loader {
	return &Loader{
		Kernel: kernel,
		view:   sync.OnceValues(func() (builder.LoaderView, error) { return builder.ViewOfLoader(kernel) }),
		funcs:  make(chan *builder.ModuleFuncs, 64),
	}
}

// View is what the kernel's loader, executed, makes of the sections it knows.
func (l *Loader) View() (builder.LoaderView, error) {
	if l.Kernel == nil {
		return builder.LoaderView{}, fmt.Errorf("%s", l.Why)
	}
	return l.view()
}

// Prepare works out what all modules need, if that was not done before. While
// it is, nothing about modules can be said: it is well done beforehand.
func (l *Loader) Prepare() {
	defer elfscan.Guard()()
	l.once.Do(func() {
		if l.Kernel == nil {
			return
		}
		defer func() {
			if v := recover(); v != nil {
				l.first, l.why = nil, fmt.Sprintf("internal error: %v", v)
			}
		}()
		view, _ := l.View() // of a loader that cannot be executed nothing is known
		if l.first, l.why = builder.NewModuleFuncs(l.Kernel, view); l.first != nil {
			l.funcs <- l.first.Fork()
		}
	})
}

// withFuncs calls f with the kernel's site functions, ready to be executed on
// callsites of modules, or says why there are none.
func (l *Loader) withFuncs(f func(*builder.ModuleFuncs)) (why string) {
	if l.Kernel == nil {
		return l.Why
	}
	l.Prepare()
	if l.first == nil {
		return l.why
	}
	var m *builder.ModuleFuncs
	select {
	case m = <-l.funcs:
	default:
		m = l.first.Fork()
	}
	f(m)
	select {
	case l.funcs <- m:
	default:
	}
	return ""
}

// InKernel is the kernel that the module is loaded into, *Loader. The driver
// supplies it; on its own the analyzer knows of none.
var InKernel = &analysis.Analyzer{
	Name:       "inkernel",
	Doc:        "the kernel that a module is loaded into",
	Run:        func(*analysis.Pass) (any, error) { return &Loader{Why: "no vmlinux was given"}, nil },
	ResultType: reflect.TypeFor[*Loader](),
}

func loader(pass *analysis.Pass) *Loader { return pass.ResultOf[InKernel].(*Loader) }

// noModule is why a rule about modules says nothing about a linked image.
const noModule = "not a module"

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
// to: the image itself or, of a module, its kernel. why says why that is not
// known.
func kernelOf(pass *analysis.Pass) (kernel *elfscan.Image, why string) {
	im := image(pass)
	if im.Module() == nil {
		return im, ""
	}
	l := loader(pass)
	return l.Kernel, l.Why
}

// reportRun reports that fn, executed on callsite s, does what it must not: at
// fn or, if the kernel is another image, at the callsite.
func reportRun(pass *analysis.Pass, kernel *elfscan.Image, fn uint64, s elfscan.Site, format string, args ...any) {
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
	Shape        elfscan.Shape
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
	_, kind.PLT = m.Section(elfscan.FtracePLT)
	_, kind.InitPLT = m.Section(elfscan.InitFtracePLT)
	var sites []elfscan.Site
	for _, s := range t.Callsites {
		if !s.Text || !s.OK || s.Saved >= 0 || t.Shape == elfscan.ShapeCallops && s.Entry%8 != 0 {
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
		res.Why = "no callsite has the words that ftrace expects"
		return res
	}
	res.Why = loader(pass).withFuncs(func(f *builder.ModuleFuncs) {
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
func (r *SiteResults) runModule(f *builder.ModuleFuncs, im *elfscan.Image, sites []elfscan.Site) {
	why := f.CanBeFar(im)
	if r.Placed = "near and far"; why != "" {
		r.Placed = "near (not far: " + why + ")"
	}
	for _, s := range sites {
		for _, far := range []bool{false, true} {
			if far && why != "" {
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
