package patchchecks

import (
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/patchscan"
)

// FT112 finds a template that is live entry code, patched in place.
var FT112 = codeCheck("FT112", func(j *judge) tally {
	builders := 0
	j.funcs(func(s *Source, fl *flow) {
		// Names that point at live code: the labels of the entry code, and
		// variables to which their addresses are assigned.
		live := fl.derived(func(v []patchscan.Token) bool { return mentions(v, entryCode) })
		for name := range entryCode {
			live[name] = true
		}
		var copies, patches []store
		copied := false
		for _, st := range fl.stores() {
			copied = copied || !st.word
			switch {
			case mentions(st.source, live) && !st.word:
				copies = append(copies, st)
			case st.word && len(copies) > 0 && !strings.Contains(text(st.source), "long"): // a pointer is data
				patches = append(patches, st)
			}
		}
		if copied {
			builders++
		}
		if len(copies) == 0 {
			return
		}
		at := copies[len(copies)-1].index
		what := "copies live entry code"
		var related []analysis.RelatedInformation
		for _, c := range copies {
			related = append(related, note(s, c.at, "live code is copied here"))
		}
		if n := len(patches); n > 0 {
			at = patches[n-1].index
			what = "copies live entry code and rewrites the copy, word by word"
			for _, p := range patches[:n-1] {
				related = append(related, note(s, p.at, "the copy is patched here too"))
			}
		}
		j.report(s, fl.statement(at), finding.Say("%s %s", fl.name(), what).
			Because("a copy has whatever ftrace had patched in at that moment").
			Because("a template that is only copied need not be executable").
			Do("Make a template of its own in .rodata that needs no rewriting"), related...)
	})
	labels := 0
	for _, s := range j.Files {
		var marks []patchscan.Token // the end labels that the patch adds
		var live []string           // the functions that these labels are in, each once
		last := ""
		for _, r := range regions(s) {
			if !entryCode[r.fn] {
				continue
			}
			labels++
			if at := s.span(tokens(s.Stmts[r.end])); s.Added(at) {
				marks, last = append(marks, at), r.label
				if !slices.Contains(live, r.fn) {
					live = append(live, r.fn)
				}
			}
		}
		if len(marks) == 0 || builders > 0 {
			continue
		}
		var related []analysis.RelatedInformation
		for _, at := range marks[:len(marks)-1] {
			related = append(related, note(s, at, "another end of what is to be copied"))
		}
		j.report(s, marks[len(marks)-1], finding.Say("%s marks live entry code as something to copy", brief(last)).
			Because("ftrace executes and patches the marked code: %s", strings.Join(live, ", ")).
			Because("a copy has whatever ftrace had patched in at that moment").
			Do("Put a template that is only copied into .rodata, where it is not executable"), related...)
	}
	if builders+labels == 0 {
		return notApplicable("nothing copies code into memory that was allocated for it, and no end label marks ftrace's entry code")
	}
	return examined("%s, %s", some(builders, "builder"), some(labels, "end label"))
})
