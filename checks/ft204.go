package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/internal/plural"
)

// FT204 finds modules without room for their PLT entries to the entry code.
var FT204 = check("FT204", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	m := im.Module()
	t, none := sitesOf(pass)
	if t == nil {
		return notApplicable("%v", none)
	}
	kernel := moduleKernel(pass)
	if kernel.Kernel == nil {
		return notApplicable("%v", kernel.None)
	}
	far, _, none := farRegion(kernel.Kernel)
	if none != nil {
		return notApplicable("%v", none)
	}
	view, err := kernel.View()
	switch {
	case err != nil:
		return inconclusive("%v", err)
	case !view.Rewrites[arch.ARM64.Modules.PLT]:
		return notApplicable("the kernel's module_frob_arch_sections, executed, does not know %s", arch.ARM64.Modules.PLT)
	}
	if _, ok := m.Section(arch.ARM64.Modules.PLT); !ok {
		then := "a callsite out of reach cannot be enabled, and ftrace switches itself off"
		if view.Needs[arch.ARM64.Modules.PLT] {
			then = "the kernel's loader, executed, refuses a module without that section"
		}
		reportImage(pass, say("the module has %s and no section %s", plural.Of(len(t.Callsites), "callsite"), arch.ARM64.Modules.PLT).
			Because("the kernel can place the module anywhere in %#x..%#x (%s), BL reaches 128 MiB", far.Start, far.End, far.Name).
			Because("%s", then).
			Do("Link it with the kernel's scripts/module.lds"))
	}
	return examined("%s", plural.Of(len(m.Sections), "section"))
}, Sites, InKernel)
