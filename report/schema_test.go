package report_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xeipuuv/gojsonschema"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/policy"
	"github.com/ftlint/ftlint/report"
)

// ownSchema is docs/ftlint.schema.json. If strict, a field that the schema does not
// name is an error: users' reports may have those of newer versions.
func ownSchema(t *testing.T, strict bool) *gojsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile("../docs/ftlint.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	var close func(any)
	close = func(v any) {
		m, _ := v.(map[string]any)
		for _, below := range m {
			close(below)
		}
		if _, ok := m["required"].([]any); ok && strict {
			m["additionalProperties"] = false
		}
	}
	close(doc)
	schema, err := gojsonschema.NewSchema(gojsonschema.NewGoLoader(doc))
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// Reports in JSON are valid by the schema in docs, which names all their fields.
func TestJSONSchema(t *testing.T) {
	schema := ownSchema(t, true)
	runs := reports(t)
	delete(runs, "hostile") // its values come from no check
	all := &report.Run{Version: "1", Errors: []error{os.ErrNotExist}}
	collect := func(res *finding.Result) { all.Results = append(all.Results, res) }
	for _, elf := range samples(t) {
		collect(lint.File(t.Context(), elf, lint.Config{}))
	}
	for ko, kernel := range moduleSamples(t) {
		if _, err := lint.Run(t.Context(), lint.Find([]string{kernel, ko}), lint.Config{}, collect); err != nil {
			t.Fatal(err)
		}
	}
	runs["samples"] = all
	// What a baseline knows, and what it knows no more.
	known := policy.NewBaseline(all.Results[:len(all.Results)/2])
	quiet := &report.Run{Version: "1"}
	for _, elf := range samples(t) {
		quiet.Results = append(quiet.Results, lint.File(t.Context(), elf, lint.Config{Policy: &policy.Policy{Baseline: known}}))
	}
	runs["baseline"] = quiet
	for name, run := range runs {
		text := write(t, "json", run)
		res, err := schema.Validate(gojsonschema.NewStringLoader(text))
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range res.Errors() {
			if i == 5 {
				break
			}
			t.Errorf("%s: %v", name, e)
		}
		if name == "baseline" && (!strings.Contains(text, `"quiet"`) || !strings.Contains(text, `"fixed"`)) {
			t.Errorf("no finding is known, or none is fixed")
		}
	}
}

// The schema refuses what reports must not have.
func TestJSONSchemaRefuses(t *testing.T) {
	schema := ownSchema(t, false)
	text := write(t, "json", &report.Run{Version: "1", Results: []*finding.Result{lint.File(t.Context(), filepath.Join("../testdata/vmlinux-samples/builders/rfc-builder.elf"), lint.Config{})}})
	for _, c := range []struct {
		old, new string
		valid    bool
	}{
		{"", "", true},
		{`"schema": 1`, `"schema": 1, "later": true`, true},
		{`"schema": 1`, `"schema": 2`, false},
		{`"severity": "error"`, `"severity": "fatal"`, false},
		{`"address": "0x`, `"address": "`, false},
		{`"status": "passed"`, `"status": "ok"`, false},
		{`"callsites": 2`, `"callsites": "2"`, false},
		{`"fingerprint"`, `"print"`, false},
	} {
		changed := strings.Replace(text, c.old, c.new, 1)
		if c.old != "" && changed == text {
			t.Errorf("the report has no %s", c.old)
		}
		res, err := schema.Validate(gojsonschema.NewStringLoader(changed))
		if err != nil || res.Valid() != c.valid {
			t.Errorf("%s for %s: valid %v, %v", c.new, c.old, !c.valid, err)
		}
	}
}
