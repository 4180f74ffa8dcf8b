package patchchecks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
)

// setsReadOnly reports whether a function other than fl makes memory for code
// read-only.
func (j *judge) setsReadOnly(fl *flow) (found bool) {
	j.funcs(func(_ *Source, other *flow) {
		for _, c := range other.calls {
			if other != fl && (c.Name == "set_memory_ro" || c.Name == "set_memory_rox") && len(c.Args) > 0 && other.pointsInto(c.Args[0]) {
				found = true
			}
		}
	})
	return found
}

// FT301 finds memory for code that is made executable while it is writable.
var FT301 = check("FT301", func(j *judge) finding.Outcome {
	n := 0
	j.funcs(func(s *Source, fl *flow) {
		for _, x := range fl.calls {
			if x.Name != "set_memory_x" || len(x.Args) == 0 || !fl.pointsInto(x.Args[0]) {
				continue
			}
			n++
			why := "no set_memory_ro() comes before set_memory_x()"
			var related []analysis.RelatedInformation
			readOnly := len(fl.given) > 0 && j.setsReadOnly(fl) // another function that has the memory sets that
			for _, ro := range fl.calls {
				if (ro.Name != "set_memory_ro" && ro.Name != "set_memory_rox") || len(ro.Args) == 0 || !fl.pointsInto(ro.Args[0]) {
					continue
				}
				switch {
				case fl.Always(ro.At, x.At):
					readOnly = true
				case ro.At < x.At:
					why = "set_memory_ro() comes before set_memory_x() on some paths alone"
					related = append(related, note(s, fl.Tokens[ro.At], "read-only here, under a condition"))
				default:
					why = "set_memory_ro() comes after set_memory_x()"
					related = append(related, note(s, fl.Tokens[ro.At], "read-only here"))
				}
			}
			if !readOnly {
				j.report(s, fl.span(x), finding.Say("%s makes memory executable that is still writable", fl.name()).
					Because("the memory was allocated writable, and %s", why).
					Because("a stray write to these pages changes code, and an attacker's write is code").
					Because("patching needs no writable page: aarch64_insn_patch_text_nosync() writes to read-only text too").
					Do("Call set_memory_ro() before set_memory_x(), or set_memory_rox() in place of both"), related...)
			}
		}
	})
	if n == 0 {
		return notApplicable("nothing makes allocated memory executable (set_memory_x)")
	}
	return examined("%s of set_memory_x", plural.Of(n, "call"))
})
