package report

import (
	"encoding/json"
	"io"
)

// writeJSONL writes a line of JSON about the run, a line for each finding, and after
// the findings of an input a line about the input. "type" says what a line is about.
func writeJSONL(w io.Writer, run *Run) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(struct {
		Type    string `json:"type"`
		Schema  int    `json:"schema"`
		Version string `json:"ftlint"`
	}{"run", SchemaVersion, run.Version}); err != nil {
		return err
	}
	ids := fingerprints{}
	for _, res := range run.Results {
		for i := range res.Findings {
			if err := enc.Encode(struct {
				Type  string `json:"type"`
				Input string `json:"input"`
				jsonFinding
			}{"finding", res.Path, findingOf(&res.Findings[i], ids)}); err != nil {
				return err
			}
		}
		if err := enc.Encode(struct {
			Type string `json:"type"`
			jsonInput
			Findings int `json:"findings"` // in place of the list
		}{"input", inputOf(res), len(res.Findings)}); err != nil {
			return err
		}
	}
	for _, err := range run.Errors {
		if err := enc.Encode(map[string]string{"type": "error", "message": err.Error()}); err != nil {
			return err
		}
	}
	return nil
}
