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

// NotJudged writes a line about the patches and source files that have no code of an
// architecture that is judged: no finding says nothing about them.
func NotJudged(w io.Writer, results []*finding.Result) {
	var paths []string
	for _, res := range results {
		if res.Patch != nil && res.Patch.Judged == 0 && !passedOver(res.Patch) && len(res.Findings) == 0 {
			paths = append(paths, printable(res.Path))
		}
	}
	const few = 3
	list := strings.Join(paths[:min(few, len(paths))], ", ")
	if n := len(paths) - few; n > 0 {
		list += " and " + plural.Of(n, "more input")
	}
	if len(paths) > 0 {
		fmt.Fprintf(w, "no code of %s, so not judged: %s\n", anyArch(), list)
	}
}

// passedOver reports whether the input has no patch, as a cover letter.
func passedOver(p *finding.PatchFacts) bool { return p.Patches == 0 && !p.Source }
