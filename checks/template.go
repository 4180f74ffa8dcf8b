package checks

import (
	"reflect"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/trampoline"
)

// Template is the template of dynamic trampolines, *TemplateRegions: nil if the
// image has no label of a template.
var Template = &analysis.Analyzer{
	Name:     "template",
	Doc:      "find the regions that a builder of dynamic trampolines copies, by their labels",
	Requires: []*analysis.Analyzer{Image},
	Run: func(pass *analysis.Pass) (any, error) {
		code := trampoline.FindTemplate(table(pass))
		if code == nil {
			return (*TemplateRegions)(nil), nil
		}
		t := &TemplateRegions{Template: code}
		for _, r := range code.Regions {
			t.words = append(t.words, r.Describe(image(pass)))
		}
		return t, nil
	},
	ResultType: reflect.TypeFor[*TemplateRegions](),
}

// TemplateRegions are the regions that a builder would copy.
type TemplateRegions struct {
	*trampoline.Template
	words []string // a description of each region
}

// AddFacts adds the descriptions of the regions to the facts of a summary.
func (t *TemplateRegions) AddFacts(facts *finding.ImageFacts) {
	if t != nil {
		facts.Template = t.words
	}
}

// noTemplate says why a rule about the template is not applicable.
const noTemplate = "no dynamic trampoline template (no ftrace_caller_end, ftrace_regs_caller_end, ftrace_common_end or function_trace_op_ptr)"
