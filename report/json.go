package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/rules"
)

type jsonPlace struct {
	Path    string `json:"path"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	End     int    `json:"end_column,omitempty"` // behind the text that is meant
	Address string `json:"address,omitempty"`
}

type jsonRelated struct {
	jsonPlace
	Message string `json:"message"`
}

type jsonFinding struct {
	jsonPlace
	Severity string        `json:"severity"`
	Rule     string        `json:"rule"`
	Name     string        `json:"name"`
	Message  string        `json:"message"` // the headline
	Evidence []string      `json:"evidence,omitempty"`
	Fix      string        `json:"fix,omitempty"`
	Symbol   string        `json:"symbol,omitempty"`      // symbol+offset of the address
	Insn     string        `json:"instruction,omitempty"` // at the address
	Related  []jsonRelated `json:"related,omitempty"`

	Confirmed   bool   `json:"confirmed,omitempty"` // by the patch and the image
	Fingerprint string `json:"fingerprint"`         // stays the same when lines and addresses move
}

type jsonRule struct {
	Rule       string `json:"rule"`
	Name       string `json:"name"`
	Severity   string `json:"severity"`
	Status     string `json:"status"` // passed, findings, known, suppressed, not applicable, inconclusive
	Findings   int    `json:"findings"`
	Known      int    `json:"known,omitempty"`      // by the baseline, not among findings
	Suppressed int    `json:"suppressed,omitempty"` // not among findings
	Fixed      int    `json:"fixed,omitempty"`      // of the baseline
	Examined   string `json:"examined,omitempty"`
	Why        string `json:"why,omitempty"`

	Skipped []string `json:"skipped,omitempty"` // cases that did not run, each with the reason
}

// A jsonImage says which kernel or module an image is.
type jsonImage struct {
	Module   string `json:"module,omitempty"`  // its name
	Release  string `json:"release,omitempty"` // of the kernel
	Compiler string `json:"compiler,omitempty"`
	Build    string `json:"build,omitempty"` // its version, with the date
	BuildID  string `json:"build_id,omitempty"`
	Vermagic string `json:"vermagic,omitempty"`
	Era      string `json:"era,omitempty"`
}

// imageOf says which image the input is; nil if it is not an image.
func imageOf(res *finding.Result) *jsonImage {
	im := res.Image
	if im == nil {
		return nil
	}
	j := &jsonImage{Release: im.Release, Compiler: im.Compiler, Build: im.Version, BuildID: im.BuildID, Era: im.Era}
	if im.Module != nil {
		j.Module, j.Vermagic = im.Module.Name, im.Module.Vermagic
	}
	return j
}

type jsonInput struct {
	Path    string       `json:"path"`
	Config  string       `json:"config,omitempty"` // the configuration file
	Errors  []string     `json:"errors,omitempty"`
	Patches *jsonPatches `json:"patches,omitempty"`
	jsonImage
	Callsites   int      `json:"callsites"`
	Blank       int      `json:"blank_entries"`
	LineProblem string   `json:"line_problem,omitempty"`
	Template    []string `json:"template,omitempty"`

	Capabilities []jsonCapability `json:"capabilities,omitempty"`

	Findings  []jsonFinding   `json:"findings"`
	Uncounted []jsonUncounted `json:"quiet,omitempty"` // findings that do not count
	Fixed     []jsonEntry     `json:"fixed,omitempty"` // of the baseline
	Rules     []jsonRule      `json:"rules"`
}

// jsonUncounted is a finding that does not count, and why: its status is "known" or
// "suppressed".
type jsonUncounted struct {
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
	By     string `json:"by,omitempty"` // where the suppression is written
	jsonFinding
}

type jsonEntry struct {
	Rule   string `json:"rule"`
	Object string `json:"object"`
	Symbol string `json:"symbol,omitempty"`
	Text   string `json:"text,omitempty"`

	Headline string `json:"headline,omitempty"`
	Count    int    `json:"count"`
}

// jsonPatches are the facts about patches, or about a source file.
type jsonPatches struct {
	Source  bool       `json:"source_file,omitempty"`
	Patches int        `json:"patches"`
	Files   int        `json:"files"`
	Judged  int        `json:"judged_files"`
	Archs   []string   `json:"judged_archs,omitempty"` // whose code these files are
	Lines   int        `json:"judged_lines"`
	Notes   []jsonNote `json:"notes,omitempty"`
}

type jsonNote struct {
	Line    int    `json:"line,omitempty"`
	Message string `json:"message"`
}

// SchemaVersion is the version of the JSON that reports write. It grows when a field
// goes away or means something else.
const SchemaVersion = 1

// writeJSON writes the run as one JSON document: {"inputs": [...]}.
func writeJSON(w io.Writer, run *Run) error {
	inputs := []jsonInput{}
	ids := fingerprints{}
	for _, res := range run.Results {
		in := inputOf(res)
		for i := range res.Findings {
			in.Findings = append(in.Findings, findingOf(&res.Findings[i], ids))
		}
		inputs = append(inputs, in)
	}
	doc := struct {
		Schema  int         `json:"schema"`
		Version string      `json:"ftlint"`
		Errors  []string    `json:"errors,omitempty"` // about no single input
		Inputs  []jsonInput `json:"inputs"`
	}{SchemaVersion, run.Version, texts(run.Errors), inputs}
	return encode(w, doc)
}

// RulesJSON writes the catalogue as one JSON document.
func RulesJSON(w io.Writer) error {
	type rule struct {
		Rule     string   `json:"rule"`
		Name     string   `json:"name"`
		Severity string   `json:"severity"`
		Title    string   `json:"title"`
		On       []string `json:"on"` // kinds of input: kernels, modules, patches
		URL      string   `json:"url"`
	}
	var list []rule
	for _, r := range rules.All() {
		list = append(list, rule{r.ID, r.Name, r.Severity.String(), r.Title, r.On.Names(), r.URL()})
	}
	return encode(w, map[string]any{"rules": list})
}

// encode writes a JSON document, indented.
func encode(w io.Writer, doc any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(doc)
}

// inputOf returns an input without its findings.
func inputOf(res *finding.Result) jsonInput {
	in := jsonInput{Path: res.Path, Config: res.ConfigFile, Errors: texts(res.Errors), Findings: []jsonFinding{}, Rules: []jsonRule{}}
	if p := res.Patch; p != nil {
		in.Patches = &jsonPatches{p.Source, p.Patches, p.Files, p.Judged, slices.Sorted(slices.Values(p.Archs)), p.Added, nil}
		for _, n := range p.Notes {
			in.Patches.Notes = append(in.Patches.Notes, jsonNote{n.Line, n.Text})
		}
	}
	if im := res.Image; im != nil {
		in.jsonImage = *imageOf(res)
		in.Callsites, in.Blank = im.Callsites, im.Blank
		in.LineProblem, in.Template = im.LineProblem, im.Template
		in.Capabilities = capabilitiesOf(im.Capabilities)
	}
	for i := range res.Uncounted {
		f := &res.Uncounted[i]
		q := jsonUncounted{Status: "known", jsonFinding: findingOf(f, fingerprints{})}
		if by := f.SuppressedBy; by != nil {
			q.Status, q.Reason, q.By = "suppressed", by.Reason, by.From
		}
		in.Uncounted = append(in.Uncounted, q)
	}
	for _, e := range res.Fixed {
		in.Fixed = append(in.Fixed, jsonEntry{e.Rule, e.Object, e.Symbol, e.Text, e.Headline, e.Count})
	}
	for _, r := range res.Rules {
		status, why := Status(r)
		in.Rules = append(in.Rules, jsonRule{r.Rule.ID, r.Rule.Name, r.Rule.Severity.String(), status, r.Findings, r.Known, r.Suppressed, r.Fixed, r.Examined, why, texts(r.Skipped)})
	}
	return in
}

func findingOf(f *finding.Finding, ids fingerprints) jsonFinding {
	jf := jsonFinding{
		jsonPlace: place(f.Place), Severity: f.Rule.Severity.String(), Rule: f.Rule.ID, Name: f.Rule.Name, Message: f.Headline, Evidence: f.Evidence, Fix: f.Fix,
		Symbol: f.Symbol, Insn: f.Insn, Confirmed: f.Confirmed, Fingerprint: ids.next(f),
	}
	for _, r := range f.Related {
		jf.Related = append(jf.Related, jsonRelated{place(r.Place), r.Message})
	}
	return jf
}

func texts[E error](errs []E) (out []string) {
	for _, err := range errs {
		out = append(out, err.Error())
	}
	return out
}

func place(p finding.Place) jsonPlace {
	j := jsonPlace{Path: p.Path, Line: p.Line, Column: p.Col, End: p.EndCol}
	if p.Addr != 0 {
		j.Address = fmt.Sprintf("%#x", p.Addr)
	}
	return j
}

// Status returns the outcome of a rule in a word, and the reason if there is no
// verdict or if findings do not count.
func Status(r finding.RuleRun) (status, why string) {
	if r.Why != nil {
		why = r.Why.Error()
	}
	switch {
	case r.Findings > 0:
		return "findings", why
	case r.Status == finding.Inconclusive:
		return "inconclusive", why
	case r.Status == finding.NotApplicable:
		return "not applicable", why
	case r.Known > 0:
		return "known", countUncounted(r)
	case r.Suppressed > 0:
		return "suppressed", countUncounted(r)
	}
	return "passed", ""
}

// countUncounted says how many findings of a rule do not count.
func countUncounted(r finding.RuleRun) string {
	var parts []string
	if r.Known > 0 {
		parts = append(parts, plural.Number(r.Known)+" in the baseline")
	}
	if r.Suppressed > 0 {
		parts = append(parts, plural.Number(r.Suppressed)+" suppressed")
	}
	return strings.Join(parts, ", ")
}

// Worst returns the highest severity among the findings of results that count. ok
// is false if no finding counts.
func Worst(results []*finding.Result) (s rules.Severity, ok bool) {
	for _, res := range results {
		for _, r := range res.Rules {
			if r.Findings > 0 {
				s, ok = max(s, r.Rule.Severity), true
			}
		}
	}
	return s, ok
}
