package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/entry"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/trampoline"
)

// FT102 finds labels in the wrong place: outside text, within an instruction,
// out of order, or away from the code that they label.
var FT102 = check("FT102", func(pass *analysis.Pass) (any, error) {
	im := image(pass)
	era := table(pass).Era
	if era == arch.None {
		return notApplicable("no ftrace in this image")
	}
	n := 0
	placed := map[string]uint64{} // labels whose own place is right, with their addresses
	for _, l := range era.Labels {
		s, ok := im.Lookup(l.Name)
		if !ok {
			continue
		}
		n++
		section, mapped := im.SectionAt(s.Addr)
		if !mapped { // an end label may stand at the very end of its section
			section, mapped = im.SectionAt(s.Addr - 1)
		}
		_, template := endOf(l.Name)
		switch {
		case !mapped:
			reportImage(pass, say("%s is in no section of the image", l.Name).Because("it is at %#x", s.Addr).Do("Move it to %s", l.Role))
		case !section.Executable() && !template:
			reportImage(pass, say("%s is in %s, which is not executable", l.Name, section.Name).Because("it is at %#x, and labels code (%s)", s.Addr, l.Role).Do("Move it to %s", l.Role))
		case s.Addr%a64.Size != 0:
			report(pass, s.Addr, say("%s stands %s into an instruction", l.Name, plural.Of(s.Addr%a64.Size, "byte")).Because("it is at %#x", s.Addr).Do("Align it to %d", a64.Size))
		default:
			placed[l.Name] = s.Addr
		}
	}

	// The end of a region lies behind the start, and execution leaves the region
	// there by a branch or a return.
	regions := map[string]trampoline.Region{}
	if t := pass.ResultOf[Template].(*TemplateRegions); t != nil {
		for _, r := range t.Regions {
			regions[r.Label] = r
		}
	}
	for _, l := range arch.ARM64.Regions {
		start, ok1 := placed[l.Start]
		end, ok2 := placed[l.End]
		if !ok1 || !ok2 {
			continue
		}
		r, ok := regions[l.Start]
		switch {
		case end <= start:
			report(pass, end, say("%s stands before %s", l.End, l.Start).Because("%s is at %#x, %s at %#x", l.End, end, l.Start, start).Because("the region that a builder copies would be %s", plural.Of(a64.Offset(start, end), "byte")).Do("Put %s behind the code", l.End))
		case !ok:
			in := "no section"
			if s, mapped := im.SectionAt(end); mapped {
				in = s.Name
			}
			report(pass, end, say("%s is not in the entry code of %s", l.End, l.Start).Because("it is at %#x, in %s, %#x bytes behind %s (%#x)", end, in, end-start, l.Start, start).Do("Put it behind the last instruction of %s", l.Start))
		case r.Last == 0:
			report(pass, end, say("%s is not at the end of %s", l.End, l.Start).Because("it is at %#x", end).Because("neither the instruction before it, %s, nor the one it stands on, %s, leaves the code", text(im, end-a64.Size), text(im, end)).Do("Put it behind the last instruction of %s", l.Start))
		}
	}

	// The words that ftrace patches, or a builder replaces, must lie on a path of
	// the entry code.
	code := pass.ResultOf[Entry].(*entry.Code)
	common, inCommon := regions["ftrace_common"]
	for _, name := range []string{"ftrace_call", "ftrace_graph_call", "function_trace_op_ptr"} {
		at, ok := placed[name]
		if !ok {
			continue
		}
		if _, reached := code.Words[at]; !reached {
			report(pass, at, say("%s is not in the entry code", name).Because("it is at %#x, on %s", at, text(im, at)).Because("no path from ftrace_caller leads over it").Do("Move it to the instruction that is patched"))
		} else if inCommon && !common.Contains(at) {
			report(pass, at, say("%s is outside ftrace_common..ftrace_common_end", name).Because("it is at %#x, the region is %#x..%#x", at, common.Start, common.End).Because("the copy has no such slot").Do("Move it into the region"))
		}
	}
	// Era mcount has a NOP at ftrace_call. Every era has a NOP at ftrace_graph_call.
	if at, ok := placed["ftrace_call"]; ok {
		if w, _ := im.Word(at); w != a64.NOP && a64.Classify(w) != a64.Call {
			report(pass, at, say("ftrace_call is on %s", text(im, at)).Because("it is at %#x; the slot of the callback is a BL or a NOP", at).Do("Move it to the slot of the callback"))
		}
	}
	if at, ok := placed["ftrace_graph_call"]; ok {
		if w, _ := im.Word(at); w != a64.NOP && a64.Classify(w) != a64.Branch {
			report(pass, at, say("ftrace_graph_call is on %s", text(im, at)).Because("it is at %#x; the slot of fgraph is a NOP or a B", at).Do("Move it to the slot of fgraph"))
		}
	}
	return examined("%s of era %s", plural.Of(n, "label"), era)
}, Template, Entry)

// endOf is the end label of the region that the label begins or ends. ok reports
// whether the label belongs to a template, which may lie outside text.
func endOf(label string) (end string, ok bool) {
	for _, l := range arch.ARM64.Regions {
		if l.Start == label || l.End == label {
			return l.End, true
		}
	}
	return "", label == "function_trace_op_ptr"
}
