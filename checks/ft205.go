package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/plural"
)

// FT205 finds modules with callsites in init text and no PLT there.
var FT205 = check("FT205", func(pass *analysis.Pass) (any, error) {
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
	view, err := kernel.View()
	switch {
	case err != nil:
		return inconclusive("%v", err)
	case !view.Knows[arch.ARM64.Modules.InitPLT]:
		return notApplicable("the kernel's module_frob_arch_sections, executed, does not know %s: FT209 judges the kernel", arch.ARM64.Modules.InitPLT)
	}
	var in []callsite.Site // in init text
	for _, s := range t.Callsites {
		if m.PartAt(s.Entry) == elfscan.InitText {
			in = append(in, s)
		}
	}
	if _, ok := m.Section(arch.ARM64.Modules.InitPLT); !ok && len(in) > 0 {
		c := say("the module has %s in init text and no section %s", plural.Of(len(in), "callsite"), arch.ARM64.Modules.InitPLT).
			Because("the first is %s", t.name(im, in[0].Entry)).
			Because("this kernel looks for that section: where init text is more than 128 MiB from text, the PLT entry for ftrace is out of reach")
		if view.Needs[arch.ARM64.Modules.InitPLT] {
			c = c.Because("the kernel's loader, executed, refuses a module without that section")
		}
		report(pass, in[0].Entry, c.Do("Build the module against this kernel's headers"))
	}
	return examined("%s in init text", plural.Of(len(in), "callsite"))
}, Sites, InKernel)
