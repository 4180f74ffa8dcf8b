package report_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/report"
	"github.com/ftlint/ftlint/rules"
)

// partly is a result with rules whose cases did not all run.
func partly(path string, module bool) *finding.Result {
	rule := func(id string) rules.Rule { r, _ := rules.Lookup(id); return r }
	skipped := []error{errors.New("far modules (no BTF)"), errors.New("the <third> case\n(odd)")}
	res := &finding.Result{Path: path, IsModule: module, Image: &finding.ImageFacts{}, Rules: []finding.RuleRun{
		{Rule: rule("FT401"), Outcome: finding.Outcome{Examined: "3 callsites"}},
		{Rule: rule("FT403"), Outcome: finding.Outcome{Status: finding.Inconclusive, Why: errors.New("odd"), Skipped: skipped[:1]}},
		{Rule: rule("FT404"), Known: 1, Outcome: finding.Outcome{Examined: "3 callsites", Skipped: skipped[:1]}},
		{Rule: rule("FT408"), Outcome: finding.Outcome{Examined: "3 callsites", Skipped: skipped}},
		{Rule: rule("FT409"), Findings: 1, Outcome: finding.Outcome{Examined: "3 callsites", Skipped: skipped}},
	}, Findings: []finding.Finding{{Place: finding.Place{Path: path}, Rule: rule("FT409"), Claim: finding.Claim{Headline: "wrong"}}}}
	if module {
		res.Image.Module = &finding.ModuleFacts{}
	}
	return res
}

// A summary names the cases that did not run; rules of which all ran are only
// counted.
func TestSkippedInSummary(t *testing.T) {
	var b strings.Builder
	report.Summary(&b, partly("vmlinux", false), false)
	const both = `not executed: far modules (no BTF); the <third> case\n(odd)`
	if strings.Contains(b.String(), "FT401") {
		t.Errorf("the summary names a rule all of whose cases ran:\n%s", b.String())
	}
	for _, want := range []string{
		"  findings: FT409 site-lifecycle-mismatch 1; " + both + "\n",
		"  passed: FT408; " + both + "\n",
		"  inconclusive: FT403: odd; not executed: far modules (no BTF)\n",
		"  known: FT404: 1 in the baseline; not executed: far modules (no BTF)\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the summary lacks %q:\n%s", want, b.String())
		}
	}
	b.Reset()
	report.Summary(&b, partly("vmlinux", false), true)
	for _, want := range []string{
		"FT401 site-malformed: passed (3 callsites)\n",
		"FT408 site-adjust-mismatch: passed (3 callsites; " + both + ")\n",
		"FT403 site-outside-text: inconclusive (odd; not executed: far modules (no BTF))\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the verbose summary lacks %q:\n%s", want, b.String())
		}
	}
}

// Of many modules, a summary counts those in which a case did not run.
func TestSkippedInModules(t *testing.T) {
	var b strings.Builder
	report.Modules(&b, []*finding.Result{partly("a.ko", true), partly("vmlinux", false), partly("b.ko", true)}, &lint.Total{}, false)
	if want := "  FT408: not executed in 2 modules: far modules (no BTF)\n"; strings.Count(b.String(), want) != 1 {
		t.Errorf("the summary of modules lacks %q:\n%s", want, b.String())
	}
}

// Formats for other programs name the cases that did not run.
func TestSkippedInFormats(t *testing.T) {
	for name, want := range map[string][]string{
		"json":  {`"skipped": [`, `"far modules (no BTF)"`},
		"jsonl": {`"skipped":["far modules (no BTF)"]`},
		"sarif": {`{"level":"note","message":{"text":"FT408 site-adjust-mismatch: not executed: far modules (no BTF); the <third> case\\n(odd)"},"associatedRule":{"id":"FT408"`},
		"junit": {"<system-out>not executed: far modules (no BTF); the &lt;third&gt; case", "wrong [FT409 site-lifecycle-mismatch]&#xA;not executed: far modules"},
		"ktap":  {`    # FT408 site-adjust-mismatch: not executed: far modules (no BTF); the <third> case\n(odd)` + "\n    ok 4 FT408 site-adjust-mismatch\n"},
		"html":  {"3 callsites; not executed: far modules (no BTF); the &lt;third&gt; case", "FT408: not executed in 2 modules: far modules (no BTF)"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := report.LookupFormat(name)
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			run := &report.Run{Results: []*finding.Result{partly("vmlinux", false), partly("a.ko", true), partly("b.ko", true)}}
			if err := f.Write(&b, run); err != nil {
				t.Fatal(err)
			}
			if name == "json" && !json.Valid([]byte(b.String())) {
				t.Error("not valid JSON")
			}
			for _, w := range want {
				if !strings.Contains(b.String(), w) {
					t.Errorf("the report lacks %q:\n%s", w, b.String())
				}
			}
		})
	}
}
