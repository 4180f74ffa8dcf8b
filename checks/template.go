package checks

import (
	"reflect"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/builder"
)

// Template is the template of a dynamic trampoline, *builder.TemplateCode:
// nil if the image has no label of one.
var Template = &analysis.Analyzer{
	Name:     "template",
	Doc:      "find the regions that a builder of dynamic trampolines copies, by their labels",
	Requires: []*analysis.Analyzer{Image},
	Run: func(pass *analysis.Pass) (any, error) {
		return builder.FindTemplate(image(pass)), nil
	},
	ResultType: reflect.TypeFor[*builder.TemplateCode](),
}

const noTemplate = "no dynamic trampoline template (no ftrace_caller_end, ftrace_regs_caller_end, ftrace_common_end or function_trace_op_ptr)"
