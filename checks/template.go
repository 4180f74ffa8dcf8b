package checks

import (
	"reflect"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/trampoline"
)

// Template is the template of a dynamic trampoline, *TemplateRegions: nil if
// the image has no label of one.
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
	words []string // of each region
}

// AddFacts has a summary describe the regions.
func (t *TemplateRegions) AddFacts(facts *finding.ImageFacts) {
	if t != nil {
		facts.Template = t.words
	}
}

const noTemplate = "no dynamic trampoline template (no ftrace_caller_end, ftrace_regs_caller_end, ftrace_common_end or function_trace_op_ptr)"
