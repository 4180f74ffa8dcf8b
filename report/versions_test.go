package report_test

import (
	"encoding/json"
	"encoding/xml"
	"maps"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/report"
)

// Reports say which kernel was judged, what built it, and which ftlint wrote them.
func TestVersions(t *testing.T) {
	run := &report.Run{Version: "v1.2.3", Results: []*finding.Result{
		{Path: "vmlinux", Image: &finding.ImageFacts{Release: "6.12.9-arm64", Compiler: "gcc-14 (Debian) 14.2.0", Version: "#1 SMP Thu Jan  2 15:04:05 UTC 2025", BuildID: "1a2b3c4d5e6f7a8b", Era: "callops"}},
		{Path: "a.ko", IsModule: true, Image: &finding.ImageFacts{Release: "6.12.9-arm64", BuildID: "77", Era: "callops", Module: &finding.ModuleFacts{Name: "a", Vermagic: "6.12.9-arm64 SMP"}}},
		{Path: "a.patch", Patch: &finding.PatchFacts{}},
		{Path: "torn"},
	}}
	kernel := map[string]string{"release": "6.12.9-arm64", "compiler": "gcc-14 (Debian) 14.2.0", "build": "#1 SMP Thu Jan  2 15:04:05 UTC 2025", "build_id": "1a2b3c4d5e6f7a8b", "era": "callops"}
	module := map[string]string{"release": "6.12.9-arm64", "build_id": "77", "era": "callops", "module": "a", "vermagic": "6.12.9-arm64 SMP"}
	want := []map[string]string{kernel, module, {}, {}}

	var sarif struct {
		Runs []struct {
			Tool       struct{ Driver struct{ Version string } }
			Properties struct{ Schema int }
			Artifacts  []struct{ Properties map[string]string }
		}
	}
	if err := json.Unmarshal([]byte(write(t, "sarif", run)), &sarif); err != nil {
		t.Fatal(err)
	}
	r := sarif.Runs[0]
	if r.Tool.Driver.Version != "v1.2.3" || r.Properties.Schema != report.SchemaVersion {
		t.Errorf("sarif: version %q, schema %d", r.Tool.Driver.Version, r.Properties.Schema)
	}
	for i := range want {
		if got := r.Artifacts[i].Properties; !maps.Equal(got, want[i]) {
			t.Errorf("sarif: %s has %v, want %v", run.Results[i].Path, got, want[i])
		}
	}

	var junit struct {
		Suites []struct {
			Properties []struct {
				Name  string `xml:"name,attr"`
				Value string `xml:"value,attr"`
			} `xml:"properties>property"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal([]byte(write(t, "junit", run)), &junit); err != nil {
		t.Fatal(err)
	}
	for i := range want {
		got := map[string]string{}
		for _, p := range junit.Suites[i].Properties {
			got[p.Name] = p.Value
		}
		with := maps.Clone(want[i])
		with["ftlint"], with["schema"] = "v1.2.3", "1"
		if !maps.Equal(got, with) {
			t.Errorf("junit: %s has %v, want %v", run.Results[i].Path, got, with)
		}
	}

	var doc struct {
		Schema  int
		Version string `json:"ftlint"`
		Inputs  []map[string]any
	}
	if err := json.Unmarshal([]byte(write(t, "json", run)), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Schema != report.SchemaVersion || doc.Version != "v1.2.3" {
		t.Errorf("json: version %q, schema %d", doc.Version, doc.Schema)
	}
	for i := range want {
		for name, value := range want[i] {
			if doc.Inputs[i][name] != value {
				t.Errorf("json: %s has %s %v, want %s", run.Results[i].Path, name, doc.Inputs[i][name], value)
			}
		}
	}

	html := page(t, &report.Run{Version: run.Version, Results: run.Results[:1]})
	for _, part := range []string{
		"in vmlinux (6.12.9-arm64, era callops, build ID 1a2b3c4d5e6f), built by gcc-14 (Debian) 14.2.0</p>",
		"<td class=\"left\">2025-01-02</td>", "ftlint v1.2.3, schema 1</p>", "<li>version #1 SMP Thu Jan  2 15:04:05 UTC 2025</li>",
	} {
		if !strings.Contains(html, part) {
			t.Errorf("html lacks %s", part)
		}
	}
}
