package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// writeKTAP writes the Kernel Test Anything Protocol, version 1
// (Documentation/dev-tools/ktap.rst): a test for each input, and in it one for
// each rule. A rule that did not apply, or came to no verdict, is skipped.
// Findings that do not make the run fail are diagnostic lines of a test that is
// ok.
func writeKTAP(w io.Writer, run *Run) error {
	b := bufio.NewWriter(w)
	total := len(run.Results)
	if len(run.Errors) > 0 {
		total++
	}
	fmt.Fprintf(b, "KTAP version 1\n1..%d\n", total)
	for i, res := range run.Results {
		name := ktapName(res.Path)
		for _, err := range res.Errors {
			fmt.Fprintf(b, "# %s\n", ktapLine(err.Error()))
		}
		for _, note := range NoteLines(res) {
			fmt.Fprintf(b, "# %s\n", ktapLine(note))
		}
		skipped := len(res.Rules) > 0 // all of them
		if len(res.Rules) > 0 {
			fmt.Fprintf(b, "    KTAP version 1\n    # Subtest: %s\n    1..%d\n", name, len(res.Rules))
		}
		found := byRule(res)
		for n, r := range res.Rules {
			for _, f := range found[r.Rule.ID] {
				for _, l := range strings.Split(line(res, f), "\n") {
					fmt.Fprintf(b, "    # %s\n", ktapLine(l))
				}
			}
			if n := r.Findings - len(found[r.Rule.ID]); n > 0 {
				fmt.Fprintf(b, "    # %s\n", more(n, r.Rule, notShown))
			}
			if part := notExecuted(r); part != "" {
				fmt.Fprintf(b, "    # %s %s: %s\n", r.Rule.ID, r.Rule.Name, part)
			}
			status, why := Status(r)
			verdict, directive := "ok", ""
			switch {
			case r.Findings > 0 && run.fails(r.Rule.Severity):
				verdict = "not ok"
			case r.Findings == 0 && status != "passed":
				directive = " # SKIP " + ktapLine(status+": "+why)
			}
			skipped = skipped && directive != ""
			fmt.Fprintf(b, "    %s %d %s %s%s\n", verdict, n+1, r.Rule.ID, r.Rule.Name, directive)
		}
		verdict, directive := "ok", ""
		switch {
		case run.failed(res):
			verdict = "not ok"
		case skipped:
			directive = " # SKIP no rule ran to a verdict"
		}
		fmt.Fprintf(b, "%s %d %s%s\n", verdict, i+1, name, directive)
	}
	if len(run.Errors) > 0 {
		for _, err := range run.Errors {
			fmt.Fprintf(b, "# %s\n", ktapLine(err.Error()))
		}
		fmt.Fprintf(b, "not ok %d ftlint\n", total)
	}
	return b.Flush()
}

// ktapName returns a path as the name of a test, without "#", which would begin a
// directive.
func ktapName(path string) string { return strings.ReplaceAll(ktapLine(path), "#", "_") }

// ktapLine returns text on one line.
func ktapLine(s string) string { return strings.TrimSpace(OneLine(s)) }
