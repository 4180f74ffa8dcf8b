package report_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/report"
	"github.com/ftlint/ftlint/rules"
)

// kernelWith is a kernel with findings of a rule, one for each headline.
func kernelWith(path, id string, headlines ...string) *finding.Result {
	rule, ok := rules.Lookup(id)
	if !ok {
		panic(id)
	}
	res := &finding.Result{Path: path, Image: &finding.ImageFacts{Era: "callops", Callsites: 1234}, Rules: []finding.RuleRun{{Rule: rule, Findings: len(headlines)}}}
	for i, h := range headlines {
		res.Findings = append(res.Findings, finding.Finding{
			Rule: rule, Place: finding.Place{Path: path, Addr: 0x1000 + uint64(4*i)},
			Claim:    finding.Claim{Headline: h, Evidence: []string{"this holds for each", fmt.Sprintf("this for number %d", i)}, Fix: "Mend it"},
			Identity: finding.Identity{Rule: id, Object: "vmlinux", Symbol: fmt.Sprintf("f%d", i)},
		})
	}
	return res
}

var (
	heading  = regexp.MustCompile(`<h1><span[^>]*>.*?</span> (.*)</h1>`)
	bannerIs = regexp.MustCompile(`<header class="verdict (\w+)">`)
	cardsOf  = regexp.MustCompile(`(?s)<article class="f (\w+) r-(\w+)".*?</article>`)
)

// The page begins with a verdict, and nothing that is wrong with a run is missing from
// it.
func TestBanner(t *testing.T) {
	rule := func(id string) rules.Rule { r, _ := rules.Lookup(id); return r }
	torn := &finding.Result{Path: "torn", Errors: []error{errors.New("torn: the section headers are cut off")}}
	partly := kernelWith("partly", "FT407")
	partly.Errors = []error{errors.New("partly: the time is over")}
	undecided := kernelWith("undecided", "FT407")
	undecided.Rules[0].Outcome = finding.Outcome{Status: finding.Inconclusive, Why: errors.New("it has no symbols")}
	idle := &finding.Result{Path: "idle", Image: &finding.ImageFacts{}, Rules: []finding.RuleRun{{Rule: rule("FT401"), Outcome: finding.Outcome{Status: finding.NotApplicable, Why: errors.New("no callsites")}}}}
	for _, test := range []struct {
		name, class, says string
		run               report.Run
		also              string
	}{
		{"clean", "good", "Clean: 1 rule passed, 1,234 callsites", report.Run{Results: []*finding.Result{kernelWith("vmlinux", "FT407")}}, `Passed: <a href="#rule-FT407" title="site-not-at-entry: `},
		{"an error", "error", "1 error", report.Run{Results: []*finding.Result{kernelWith("vmlinux", "FT401", "a")}}, ""},
		{"warnings", "warning", "2 warnings", report.Run{Results: []*finding.Result{kernelWith("vmlinux", "FT407", "a", "b")}}, ""},
		{"unread beside clean", "error", "1 input could not be read; nothing found in the rest, 1 rule passed, 1,234 callsites", report.Run{Results: []*finding.Result{kernelWith("vmlinux", "FT407"), torn}}, `<li>torn: the section headers are cut off</li>`},
		{"unread beside a warning", "error", "1 input could not be read; 1 warning", report.Run{Results: []*finding.Result{torn, kernelWith("vmlinux", "FT407", "a")}}, `<td colspan="9">could not be read</td>`},
		{"unread beside an error", "error", "1 error; 1 input could not be read", report.Run{Results: []*finding.Result{torn, kernelWith("vmlinux", "FT401", "a")}}, `<li>torn: the section headers`},
		{"unread alone", "error", "Nothing was judged; 1 input could not be read", report.Run{Results: []*finding.Result{torn}}, `<li>torn: the section headers`},
		{"judged in part", "error", "1 input could not be judged in full; nothing found in the rest, 1 rule passed, 1,234 callsites", report.Run{Results: []*finding.Result{partly}}, `partly</a>: the time is over`},
		{"an error of the run", "error", "Not all could be judged; nothing found in the rest, 1 rule passed, 1,234 callsites", report.Run{Results: []*finding.Result{kernelWith("vmlinux", "FT407")}, Errors: []error{errors.New("no such folder")}}, `<li>no such folder</li>`},
		{"inconclusive", "warning", "Nothing found, 0 rules passed, 1,234 callsites; 1 rule inconclusive", report.Run{Results: []*finding.Result{undecided}}, `Inconclusive: <a href="#rule-FT407"`},
		{"nothing applies", "note", "Nothing to judge, no rule applies", report.Run{Results: []*finding.Result{idle}}, ""},
		{"no input", "error", "Nothing was judged", report.Run{}, ""},
	} {
		html := page(t, &test.run)
		says, class := heading.FindStringSubmatch(html), bannerIs.FindStringSubmatch(html)
		if says == nil || class == nil || says[1] != test.says || class[1] != test.class {
			t.Errorf("%s: the banner is %q, want %s, %q", test.name, slices.Concat(class, says), test.class, test.says)
		}
		if !strings.Contains(html, test.also) {
			t.Errorf("%s: the page lacks %s", test.name, test.also)
		}
		if strings.Index(html, "<header") > strings.Index(html, "<main") {
			t.Errorf("%s: the banner is not first", test.name)
		}
	}
}

// Findings of a rule that differ in names and numbers share a card, those of several
// kernels are shown once, and errors are first.
func TestCards(t *testing.T) {
	warnings := []string{"callsite f0 (0x1000) is off", "callsite f1 (0x1004) is off", "`nop` at f2+0x4 is off", "callsite f3 (0x100c) is gone"}
	one, two := kernelWith("k/6.1/vmlinux", "FT407", warnings...), kernelWith("k/6.12/vmlinux", "FT407", warnings[:3]...)
	bad := kernelWith("k/7.0/vmlinux", "FT401", "the table is torn")
	run := &report.Run{Results: []*finding.Result{one, two, bad}}
	html := page(t, run)
	var got []string
	for _, m := range cardsOf.FindAllStringSubmatch(html, -1) {
		got = append(got, fmt.Sprintf("%s %s %d", m[1], m[2], 1+strings.Count(m[0], `<li id="FT407-`)))
	}
	if want := []string{"error FT401 1", "warning FT407 2", "warning FT407 1", "warning FT407 1"}; !slices.Equal(got, want) {
		t.Errorf("cards %q, want %q", got, want)
	}
	for _, want := range []string{
		`<h1><span class="mark" aria-hidden="true">` + "\u2715" + `</span> 1 error, 7 warnings</h1>`,
		`in 3 kernels; 5 different findings`,
		`<p class="in">in 2 kernels: <a href="#input-1">6.1</a>, <a href="#input-2">6.12</a></p>`,
		`Their paths are <code>k/` + "\u2026" + `/vmlinux</code>.`,
	} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if again := strings.Count(html, "this holds for each"); again != 4 {
		t.Errorf("a fact of a card's first finding is shown %d times, want once a card", again)
	}
	var rows []string
	for _, m := range regexp.MustCompile(`<th scope="row" title="([^"]+)"><a href="#input-\d">`).FindAllStringSubmatch(html, -1) {
		rows = append(rows, m[1])
	}
	if want := []string{bad.Path, one.Path, two.Path}; !slices.Equal(rows, want) {
		t.Errorf("kernels %q, want the worst first: %q", rows, want)
	}
	run.NoGroup = true
	if n := strings.Count(page(t, run), ` id="FT407-`); n != 7 {
		t.Errorf("with --no-group, %d findings of FT407 are shown, want 7", n)
	}
}

// The words of the page agree with its numbers. Code is marked as such, but in what a
// terminal shows.
func TestWords(t *testing.T) {
	text := regexp.MustCompile(`(?s)<style>.*?</style>|<script>.*?</script>|<pre\b.*?</pre>|<[^>]*>`)
	one := regexp.MustCompile(`(?:^|[^\d,.])1 (?:\w+ )?(errors|warnings|notes|rules|kernels|modules|inputs|callsites|findings|patches|files|lines|situations|instructions|steps)\b`)
	for name, html := range pages(t) {
		if name == "hostile" || name == "harmful" {
			continue // their names have any characters
		}
		for line := range strings.Lines(text.ReplaceAllString(html, "\n")) {
			if strings.Contains(line, "`") || one.MatchString(line) {
				t.Errorf("%s: %q", name, line)
			}
		}
	}
}
