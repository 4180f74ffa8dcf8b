package checks

import (
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/entry"
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
			reportImage(pass, "%s is at %#x, in no section of the image: move it to %s", l.Name, s.Addr, l.Role)
		case !section.Executable() && !template:
			reportImage(pass, "%s is at %#x in %s, which is not executable: it labels code (%s)", l.Name, s.Addr, section.Name, l.Role)
		case s.Addr%a64.Size != 0:
			report(pass, s.Addr, "%s is at %#x, %d bytes into an instruction: align it to %d", l.Name, s.Addr, s.Addr%a64.Size, a64.Size)
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
			report(pass, end, "%s (%#x) stands before %s (%#x): the region that a builder copies would be %d bytes", l.End, end, l.Start, start, a64.Offset(start, end))
		case !ok:
			in := "no section"
			if s, mapped := im.SectionAt(end); mapped {
				in = s.Name
			}
			report(pass, end, "%s (%#x, in %s) stands %#x bytes behind %s (%#x): that is not entry code", l.End, end, in, end-start, l.Start, start)
		case r.Last == 0:
			report(pass, end, "%s (%#x) is not at the end of %s: neither the instruction before it, %s, nor the one it stands on, %s, leaves the code", l.End, end, l.Start, text(im, end-a64.Size), text(im, end))
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
			report(pass, at, "%s (%#x, on %s) is not in the entry code: no path from ftrace_caller leads over it", name, at, text(im, at))
		} else if inCommon && !common.Contains(at) {
			report(pass, at, "%s (%#x) is outside ftrace_common..ftrace_common_end (%#x..%#x): the copy has no such slot", name, at, common.Start, common.End)
		}
	}
	// Era mcount has a NOP at ftrace_call. Every era has a NOP at ftrace_graph_call.
	if at, ok := placed["ftrace_call"]; ok {
		if w, _ := im.Word(at); w != a64.NOP && a64.Classify(w) != a64.Call {
			report(pass, at, "ftrace_call (%#x) is on %s: the slot of the callback is a BL or a NOP", at, text(im, at))
		}
	}
	if at, ok := placed["ftrace_graph_call"]; ok {
		if w, _ := im.Word(at); w != a64.NOP && a64.Classify(w) != a64.Branch {
			report(pass, at, "ftrace_graph_call (%#x) is on %s: the slot of fgraph is a NOP or a B", at, text(im, at))
		}
	}
	return examined("%d labels of era %s", n, era)
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
