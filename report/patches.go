package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
)

// Patches writes the summary of several patches and source files in a few lines: the
// facts added up, and what did not run.
func Patches(w io.Writer, results []*finding.Result) {
	read := slices.DeleteFunc(slices.Clone(results), func(res *finding.Result) bool { return res.Patch == nil })
	if len(read) == 0 {
		return
	}
	var sum finding.PatchFacts
	sources, without, passed := 0, 0, 0
	for _, res := range read {
		p := res.Patch
		sum.Patches, sum.Files, sum.Judged, sum.Added = sum.Patches+p.Patches, sum.Files+p.Files, sum.Judged+p.Judged, sum.Added+p.Added
		sum.Archs = append(sum.Archs, p.Archs...)
		if p.Source {
			sources++
		}
		switch {
		case passedOver(p):
			passed++
		case p.Judged == 0:
			without++
		}
	}
	var parts []string
	if sources > 0 {
		parts = append(parts, plural.Of(sources, "source file"))
		sum.Files -= sources
	}
	if sum.Patches > 0 {
		parts = append(parts, plural.Of(sum.Patches, "patch")+" of "+plural.Of(sum.Files, "file"))
	}
	fmt.Fprintf(w, "%s: %s; %s of %s, %s judged\n", plural.Of(len(read), "input"), strings.Join(parts, ", "),
		plural.Of(sum.Judged, "file"), archsOf(&sum), plural.Of(sum.Added, "line"))
	if without > 0 {
		fmt.Fprintf(w, "  %s without code of %s\n", plural.Of(without, "input"), anyArch())
	}
	if passed > 0 {
		fmt.Fprintf(w, "  %s without a patch, passed over\n", plural.Of(passed, "input"))
	}
	for _, res := range read {
		if slices.ContainsFunc(res.Rules, func(r finding.RuleRun) bool { status, _ := Status(r); return status == "inconclusive" }) {
			fmt.Fprintf(w, "  %s:\n", printable(res.Path))
			group(w, res.Rules, "inconclusive")
		}
	}
	writeLines(w, uncounted(read, false))
	writeLines(w, configLine(read[0]))
}

// archsOf names the architectures whose files are judged: all there are, if none of the
// patches' files is.
func archsOf(p *finding.PatchFacts) string {
	if len(p.Archs) == 0 {
		return anyArch()
	}
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(p.Archs))), " and ")
}

// anyArch names the architectures whose code is judged.
func anyArch() string {
	var names []string
	for _, a := range arch.All {
		names = append(names, a.Name)
	}
	return strings.Join(names, " or ")
}

// NotJudged writes a line for each reason why inputs were not judged, with the inputs:
// patches and source files without code of an architecture that is judged, patches that
// add no line to such code, and kernels to which no rule applies. That nothing is found
// in them says nothing.
func NotJudged(w io.Writer, results []*finding.Result) {
	foreign, removing, empty := "no code of "+anyArch(), "no line is added", "no rule applies"
	paths := map[string][]string{}
	for _, res := range results {
		reason := ""
		switch p := res.Patch; {
		case len(res.Findings)+len(res.Errors) > 0 || p != nil && passedOver(p):
		case p != nil && p.Judged == 0:
			reason = foreign
		case p != nil && p.Added == 0:
			reason = removing
		case p == nil && res.Image != nil && !res.IsModule && !slices.ContainsFunc(res.Rules, applies):
			reason = empty
		}
		if reason != "" {
			paths[reason] = append(paths[reason], printable(res.Path))
		}
	}
	const few = 3
	for _, reason := range []string{foreign, removing, empty} {
		list := paths[reason]
		if len(list) == 0 {
			continue
		}
		names := strings.Join(list[:min(few, len(list))], ", ")
		if n := len(list) - few; n > 0 {
			names += " and " + plural.Of(n, "more input")
		}
		fmt.Fprintf(w, "%s, so not judged: %s\n", reason, names)
	}
}

// applies reports whether a rule applied to its input.
func applies(r finding.RuleRun) bool {
	status, _ := Status(r)
	return status != "not applicable"
}

// passedOver reports whether the input has no patch, as a cover letter.
func passedOver(p *finding.PatchFacts) bool { return p.Patches == 0 && !p.Source }
