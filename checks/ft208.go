package checks

import (
	"debug/elf"
	"fmt"
	"reflect"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/world"
)

// RoomResults are the results of executing the part of the loader that gives
// modules PLT entries for their branches.
type RoomResults struct {
	None    error // why nothing could be executed: a *world.Lack, or nil
	Runs    []callsite.RoomRun
	Untried error // why module_emit_plt_entry() was not executed: a *world.Lack, or nil
	ByModel bool  // the module is of a kind of which another is executed

	kind string // of a module
}

// Kinds is the kind of a module: which of its text has branches. If several modules
// are of one kind, it is enough to execute one of these.
func (r *RoomResults) Kinds() []string {
	if r.kind == "" {
		return nil
	}
	return []string{r.kind}
}

// Sound reports whether the loader did what it must.
func (r *RoomResults) Sound() bool {
	for _, run := range r.Runs {
		if run.Func != "" || run.Err != nil {
			return false
		}
	}
	return true
}

// Rooms executes module_frob_arch_sections() and module_emit_plt_entry(): of a
// kernel on made-up modules, of a module's kernel on the module, *RoomResults.
var Rooms = &analysis.Analyzer{
	Name:     "rooms",
	Doc:      "execute what makes room for the PLT entries of a module, and what writes them",
	Requires: []*analysis.Analyzer{Image, Options, InKernel, Types},
	Run: func(pass *analysis.Pass) (any, error) {
		im, settings := image(pass), pass.ResultOf[Options].(Settings)
		res := &RoomResults{}
		if im.Module() != nil {
			res.ofModule(im, moduleKernel(pass), settings.ByModel)
			return res, nil
		}
		types := pass.ResultOf[Types].(*callsite.Types)
		if !types.HasModule {
			res.Untried = &world.Lack{What: "module_emit_plt_entry (no BTF describes struct module; --exhaustive reads DWARF, too)"}
		}
		p, err := callsite.NewPLTMaker(im, types)
		if err != nil {
			res.None = err
			return res, nil
		}
		res.Runs = p.MadeUp(settings.Exhaustive)
		return res, nil
	},
	ResultType: reflect.TypeFor[*RoomResults](),
}

// ofModule executes the loader on a module.
func (r *RoomResults) ofModule(im *elfscan.Image, kernel *ModuleKernel, byModel bool) {
	part := [2]bool{}
	for i, s := range im.Module().Sections {
		if s.Flags&elf.SHF_EXECINSTR != 0 && im.HasRelocations(i) {
			if s.Part.Init() {
				part[1] = true
			} else {
				part[0] = true
			}
		}
	}
	r.ByModel = byModel
	r.None = kernel.withPLTMaker(func(p *callsite.PLTMaker) {
		r.kind = fmt.Sprintf("PLTs for text %v, init text %v", part[0], part[1])
		if byModel {
			return
		}
		r.Runs = append(r.Runs, p.Run(im.File(), "the module", false))
		if p.MayHaveErratum() {
			r.Runs = append(r.Runs, p.Run(im.File(), "the module", true))
		}
	})
}

// FT208 finds PLTs that are too small for a module's branches.
var FT208 = check("FT208", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	res := pass.ResultOf[Rooms].(*RoomResults)
	if res.None != nil {
		return notApplicable("%v", res.None)
	}
	kernel, _ := kernelOf(pass)
	// Without KASLR, kernels up to 6.4 count no branches.
	if _, _, never := farRegion(kernel); never != nil {
		return notApplicable("%v", never)
	}
	if im.Module() != nil && !ft208Sections(pass) {
		return examined("%s", plural.Of(len(im.Module().Sections), "section"))
	}
	for _, run := range res.Runs {
		if run.Func == "" {
			continue
		}
		fn, _ := kernel.Addr(run.Func)
		c := say("%s does not give modules the PLT entries that they need", run.Func)
		for _, d := range firstOf(run.Diffs, 3) {
			c = c.Because("executed on %s, %s", run.Case, itDoes(d))
		}
		c = c.Because("a module whose branches are out of reach of their targets is not loaded, or runs into them").
			Do("Let module_frob_arch_sections() count what module_emit_plt_entry() and module_emit_veneer_for_adrp() make")
		d := c.Diagnostic(im.Pos(fn))
		if kernel != im {
			d = c.Diagnostic(im.FilePos(), relatedTo(kernel, fn, "the function")...)
		}
		d.Category = finding.OfKernel + run.Func
		pass.Report(d)
		break // the other runs show the same
	}
	for _, run := range res.Runs {
		if run.Err != nil {
			return inconclusive("%s: %w", run.Case, run.Err)
		}
	}
	switch {
	case res.ByModel:
		return examined("%s by the model: in other modules one of each kind is executed", plural.Of(len(im.Module().Sections), "section"))
	case im.Module() != nil:
		needs := res.Runs[0].Entries
		return examined("%d and %s for branches of text and of init text, written and executed", needs[0], plural.Of(needs[1], "PLT entry"))
	case res.Untried != nil:
		return partly([]error{res.Untried}, "made-up modules")
	}
	return examined("%s of made-up modules", plural.Of(len(res.Runs), "case"))
}, Rooms, InKernel)

// ft208Sections reports what keeps a module from getting PLT entries, whatever the
// loader does: a section that it lacks, or branches where the loader looks for none.
// It returns false if it reports something.
func ft208Sections(pass *analysis.Pass) bool {
	im := image(pass)
	m := im.Module()
	view, err := moduleKernel(pass).View()
	for _, name := range []string{".plt", ".init.plt"} {
		if _, ok := m.Section(name); !ok && err == nil && view.Needs[name] {
			reportImage(pass, say("the module has no section %s", name).
				Because("the kernel's loader, executed, refuses a module without it").
				Do("Link the module with the kernel's scripts/module.lds"))
			return false
		}
	}
	for i, s := range m.Sections {
		if s.Part == elfscan.NoPart || s.Flags&elf.SHF_EXECINSTR != 0 {
			continue
		}
		first, n := uint64(0), 0
		im.EachBranch(i, func(at, _ uint64, _ string) {
			if n++; n == 1 {
				first = at
			}
		})
		if n > 0 {
			report(pass, first, say("section %s has branches and is not executable", s.Name).
				Because("it has flags %s and %s", flagString(s.Flags), plural.Of(n, "branch")).
				Because("the loader makes no room for PLT entries of such a section, and refuses the module where their targets are out of reach").
				Do("Put the code into a section with the flag X"))
			return false
		}
	}
	return true
}
