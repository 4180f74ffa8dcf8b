package report_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/report"
	"github.com/ftlint/ftlint/rules"
)

// TestPatchPageExamples is TestPageExamples for the rules that are seen in
// patches alone: their example is what ftlint prints for a sample patch.
func TestPatchPageExamples(t *testing.T) {
	const sample = "../patchchecks/testdata/example.patch"
	res := lint.File(t.Context(), sample, lint.Config{})
	for _, err := range res.Errors {
		t.Fatal(err)
	}
	printed := map[string]string{} // by rule ID
	for _, f := range res.Findings {
		var b bytes.Buffer
		text := report.Text{W: &b}
		if err := text.Write(&finding.Result{Path: sample, Findings: []finding.Finding{f}}); err != nil {
			t.Fatal(err)
		}
		if printed[f.Rule.ID] == "" {
			printed[f.Rule.ID] = strings.ReplaceAll(b.String(), sample, filepath.Base(sample))
		}
	}
	for _, rule := range rules.All() {
		if rule.On != rules.Patches {
			continue // its page has an image
		}
		page, _ := rule.Page()
		m := exampleBlock.FindStringSubmatch(page)
		if m == nil || printed[rule.ID] == "" {
			t.Errorf("%s: no example on its page, or no finding in %s", rule.ID, sample)
			continue
		}
		if m[2] == printed[rule.ID] {
			continue
		}
		if !*update {
			t.Errorf("the example on the page of %s is not what ftlint prints for %s (go test ./report -update):\n%swant\n%s", rule.ID, sample, m[2], printed[rule.ID])
			continue
		}
		page = strings.Replace(page, m[0], m[1]+printed[rule.ID]+m[3], 1)
		if err := os.WriteFile(filepath.Join("../rules/pages", rule.ID+".md"), []byte(page), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}
