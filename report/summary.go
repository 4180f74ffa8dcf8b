package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/ftlint/ftlint/lint"
)

// Summary writes what was looked at and what became of each rule: a line for
// each outcome or, if verbose, for each rule.
func Summary(w io.Writer, res *lint.Result, verbose bool) {
	path := printable(res.Path)
	if res.Patch != nil {
		patchSummary(w, path, res.Patch)
		outcomes(w, res, verbose)
		return
	}
	if res.Image == nil {
		return // the error said it all
	}
	im := res.Image
	if im.Module != nil {
		moduleSummary(w, path, im)
		outcomes(w, res, verbose)
		return
	}
	fmt.Fprintf(w, "%s: era %s, %d callsites", path, im.Era, im.Callsites)
	if im.Callsites > 0 {
		fmt.Fprintf(w, " (%s", im.Form)
		if im.Blank > 0 {
			fmt.Fprintf(w, ", %d entries blank", im.Blank)
		}
		fmt.Fprint(w, ")")
	}
	for i, e := range im.Entries {
		fmt.Fprintf(w, "%s%s at %#x", [...]string{", entry code ", ", "}[min(i, 1)], e.Name, e.Addr)
	}
	fmt.Fprintln(w)
	for _, t := range im.Template {
		fmt.Fprintf(w, "  template: %s\n", OneLine(t))
	}
	if im.LineProblem != "" {
		fmt.Fprintf(w, "  findings lack source lines: %s\n", OneLine(im.LineProblem))
	}
	outcomes(w, res, verbose)
}

// outcomes writes what became of each rule, and how long it took.
func outcomes(w io.Writer, res *lint.Result, verbose bool) {
	if verbose {
		for _, r := range res.Rules {
			status, why := Status(r)
			fmt.Fprintf(w, "  %s %s: %s", r.Rule.ID, r.Rule.Name, status)
			if r.Findings > 0 {
				fmt.Fprintf(w, ": %d", r.Findings)
			}
			sep := " "
			if r.Findings == 0 && r.Known+r.Suppressed > 0 && r.Examined != "" {
				sep = "; "
			}
			if detail := strings.TrimSpace(r.Examined + sep + why); detail != "" {
				fmt.Fprintf(w, " (%s)", detail)
			}
			fmt.Fprintln(w)
		}
	} else {
		group(w, res.Rules, "findings")
		group(w, res.Rules, "passed")
		group(w, res.Rules, "not applicable")
		group(w, res.Rules, "inconclusive")
	}
	quiet(w, []*lint.Result{res}, verbose)
	configLine(w, res)
	fmt.Fprintf(w, "  %.3f s\n", res.Elapsed.Seconds())
}

// patchSummary writes what was read of patches or a source file.
func patchSummary(w io.Writer, path string, p *lint.PatchFacts) {
	if p.Source {
		fmt.Fprintf(w, "%s: a source file", path)
	} else {
		fmt.Fprintf(w, "%s: %s of %s", path, count(p.Patches, "patch", "patches"), count(p.Files, "file", "files"))
	}
	if p.Judged == 0 {
		fmt.Fprintln(w, ", none of arm64")
		return
	}
	if !p.Source {
		fmt.Fprintf(w, ", %d of arm64", p.Judged)
	}
	fmt.Fprintf(w, ", %s judged\n", count(p.Added, "line", "lines"))
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// group writes the rules of one status, those with one reason on one line.
func group(w io.Writer, list []lint.RuleRun, status string) {
	var order []string
	ids := map[string][]string{}
	for _, r := range list {
		s, why := Status(r)
		if s != status {
			continue
		}
		id := r.Rule.ID
		if status == "findings" {
			id = fmt.Sprintf("%s %s %d", id, r.Rule.Name, r.Findings)
		}
		if ids[why] == nil {
			order = append(order, why)
		}
		ids[why] = append(ids[why], id)
	}
	sep := map[bool]string{true: ", ", false: " "}[status == "findings"]
	for _, why := range order {
		fmt.Fprintf(w, "  %s: %s", status, strings.Join(ids[why], sep))
		if why != "" {
			fmt.Fprintf(w, ": %s", why)
		}
		fmt.Fprintln(w)
	}
}
