package report_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/report"
	"github.com/ftlint/ftlint/rules"
)

var update = flag.Bool("update", false, "put a finding of the samples into each rule's page")

var exampleBlock = regexp.MustCompile("(?s)(<!-- example -->\n```text\n)(.*?)(```)")

// TestPageExamples makes sure that the example on each rule's page is what
// ftlint prints for one of the samples.
func TestPageExamples(t *testing.T) {
	printed := map[string][]string{} // by rule ID, each with its notes
	collect := func(res *finding.Result) {
		for _, f := range res.Findings {
			if r, _ := rules.Lookup(f.Rule.ID); f.Rule.Severity != r.Severity {
				continue // a note of a rule whose findings are graver
			}
			f.Path = strings.TrimPrefix(f.Path, filepath.Dir(res.Path)+"/")
			var b bytes.Buffer
			text := report.Text{W: &b}
			if err := text.Write(&finding.Result{Path: res.Path, Findings: []finding.Finding{f}}); err != nil {
				t.Fatal(err)
			}
			printed[f.Rule.ID] = append(printed[f.Rule.ID], b.String())
		}
	}
	for _, elf := range samples(t) {
		collect(lint.File(t.Context(), elf, lint.Config{}))
	}
	for ko, kernel := range moduleSamples(t) {
		in := lint.Find([]string{kernel, ko})
		if _, err := lint.Run(t.Context(), in, lint.Config{}, collect); err != nil {
			t.Fatal(err)
		}
		// Callsites of far modules are executed in samples of kernels with this alone.
		collect(lint.File(t.Context(), kernel, lint.Config{Settings: checks.Settings{Exhaustive: true}}))
	}
	for _, rule := range rules.All() {
		if rule.On == rules.Patches {
			continue // TestPatchPageExamples
		}
		page, ok := rule.Page()
		if !ok {
			t.Errorf("%s has no page", rule.ID)
			continue
		}
		m := exampleBlock.FindStringSubmatch(page)
		if m == nil {
			t.Errorf("the page of %s has no example", rule.ID)
			continue
		}
		if slices.Contains(printed[rule.ID], m[2]) {
			continue
		}
		if !*update || len(printed[rule.ID]) == 0 {
			t.Errorf("the example on the page of %s is not what ftlint prints for any sample (go test ./report -update):\n%s", rule.ID, m[2])
			continue
		}
		file := filepath.Join("../rules/pages", rule.ID+".md")
		page = strings.Replace(page, m[0], m[1]+printed[rule.ID][0]+m[3], 1)
		if err := os.WriteFile(file, []byte(page), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// samples are the sample images, by path.
func samples(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, dir := range []string{"../testdata/vmlinux-samples", "../testdata/vmlinux-samples/builders"} {
		elfs, err := filepath.Glob(filepath.Join(dir, "*.elf"))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, elfs...)
	}
	if len(all) == 0 {
		t.Fatal("no samples")
	}
	return all
}

// moduleSamples are the sample modules, each with the kernel that its source
// names.
func moduleSamples(t *testing.T) map[string]string {
	t.Helper()
	const dir = "../testdata/module-samples"
	sources, err := filepath.Glob(filepath.Join(dir, "*.S"))
	if err != nil || len(sources) == 0 {
		t.Fatalf("no sample modules: %v", err)
	}
	kernels := map[string]string{}
	for _, source := range sources {
		b, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		ko := strings.TrimSuffix(source, ".S") + ".ko"
		if m := regexp.MustCompile(`(?m)^// kernel: (\S+)$`).FindSubmatch(b); m != nil {
			if _, err := os.Stat(ko); err == nil {
				kernels[ko] = filepath.Join(dir, string(m[1])+".elf")
			}
		}
	}
	return kernels
}
