package checks

import (
	"debug/elf"
	"fmt"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/internal/plural"
)

// FT304 finds sections of modules that are writable and executable.
var FT304 = check("FT304", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	m := im.Module()
	// If the kernel is not known, or its loader cannot be executed, the loader is
	// taken to rewrite every section that a loader may rewrite.
	view, err := moduleKernel(pass).View()
	var unsure []string // names of sections
	const wx = elf.SHF_WRITE | elf.SHF_EXECINSTR
	for i, s := range m.Sections {
		if s.Flags&wx != wx {
			continue
		}
		switch {
		case !s.Rewritten:
			reportImage(pass, say("section %s is writable and executable", s.Name).
				Because("section %d, of %#x bytes, has flags %s", i, s.Size, flagString(s.Flags)).
				Because("the loader refuses the module (ENOEXEC), or without STRICT_MODULE_RWX maps it so").
				Do("Take \"w\" or \"x\" out of its .section directive"))
		case err == nil && !view.Rewrites[s.Name]:
			reportImage(pass, say("section %s stays writable and executable in this kernel", s.Name).
				Because("section %d has flags %s, and the kernel's module_frob_arch_sections(), executed, does not rewrite them", i, flagString(s.Flags)).
				Because("the loader refuses the module (ENOEXEC)").
				Do("Build the module against this kernel's headers"))
		case err != nil:
			unsure = append(unsure, s.Name)
		}
	}
	var skipped []error
	if unsure != nil {
		skipped = []error{fmt.Errorf("the kernel's loader on %s (%w)", strings.Join(unsure, ", "), err)}
	}
	return partly(skipped, "%s", plural.Of(len(m.Sections), "section"))
}, InKernel)
