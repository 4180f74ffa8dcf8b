package report

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/rules"
)

// The parts of the Static Analysis Results Interchange Format (OASIS, version
// 2.1.0) that a log uses. The types are our own because those of go-sarif also
// write fields that are not set: a log would be three times as large, and a
// location's id would be -1, where GitHub wants 0 or more.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}

	// The properties of a sarifRun have the version of what those of its parts mean.
	sarifRun struct {
		Tool struct {
			Driver sarifDriver `json:"driver"`
		} `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		Artifacts   []sarifArtifact   `json:"artifacts"`
		Results     []sarifResult     `json:"results"`
		ColumnKind  string            `json:"columnKind"`
		Properties  map[string]int    `json:"properties"`
	}

	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version,omitempty"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}

	sarifRule struct {
		ID               string            `json:"id"`
		Name             string            `json:"name"`
		ShortDescription sarifText         `json:"shortDescription"`
		FullDescription  sarifText         `json:"fullDescription"`
		Help             sarifText         `json:"help"`
		HelpURI          string            `json:"helpUri,omitempty"`
		Default          sarifDefault      `json:"defaultConfiguration"`
		Properties       map[string]string `json:"properties"`
	}

	sarifText struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}

	sarifDefault struct {
		Level string `json:"level"`
	}

	sarifInvocation struct {
		Successful    bool                `json:"executionSuccessful"`
		ExitCode      int                 `json:"exitCode"`
		Notifications []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}

	sarifNotification struct {
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Rule      *sarifRuleRef   `json:"associatedRule,omitempty"`
		Locations []sarifLocation `json:"locations,omitempty"`
	}

	sarifRuleRef struct {
		ID    string `json:"id"`
		Index int    `json:"index"`
	}

	sarifArtifact struct {
		Location   sarifFile  `json:"location"`
		Roles      []string   `json:"roles"`
		Properties *jsonImage `json:"properties,omitempty"` // of a kernel image or a module
	}

	sarifResult struct {
		RuleID       string            `json:"ruleId"`
		RuleIndex    int               `json:"ruleIndex"`
		Level        string            `json:"level"`
		Message      sarifText         `json:"message"`
		Locations    []sarifLocation   `json:"locations"`
		Related      []sarifLocation   `json:"relatedLocations,omitempty"`
		Fingerprints sarifFingerprints `json:"partialFingerprints"`
		Properties   *sarifAddress     `json:"properties,omitempty"`
	}

	// sarifFingerprints has the fingerprint that GitHub uses.
	sarifFingerprints struct {
		Primary string `json:"primaryLocationLineHash"`
	}

	// sarifAddress is the address of a finding in the image. Kernel addresses are
	// larger than SARIF's physicalLocation.address.absoluteAddress may be.
	sarifAddress struct {
		Address string `json:"address"`
		Insn    string `json:"instruction,omitempty"`
	}

	sarifLocation struct {
		ID       *int           `json:"id,omitempty"`
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
		Message  *sarifText     `json:"message,omitempty"`
	}

	sarifLogical struct {
		Name string `json:"fullyQualifiedName"`
		Kind string `json:"kind"`
	}

	sarifPhysical struct {
		File   sarifFile    `json:"artifactLocation"`
		Region *sarifRegion `json:"region,omitempty"`
	}

	sarifFile struct {
		URI  string `json:"uri"`
		Base string `json:"uriBaseId,omitempty"`
	}

	sarifRegion struct {
		Line    int        `json:"startLine"`
		Col     int        `json:"startColumn,omitempty"`
		EndCol  int        `json:"endColumn,omitempty"`
		Snippet *sarifText `json:"snippet,omitempty"`
	}
)

// writeSARIF writes a SARIF log: one run, with all rules of the catalogue. The
// log has no automationDetails, because they would override the category of an
// upload to GitHub.
func writeSARIF(w io.Writer, run *Run) error {
	r := sarifRun{
		Artifacts: []sarifArtifact{}, Results: []sarifResult{},
		Invocations: []sarifInvocation{{Successful: true, ExitCode: run.exitCode()}},
		ColumnKind:  "utf16CodeUnits",
		Properties:  map[string]int{"schema": SchemaVersion},
	}
	list, index := sarifRules(run)
	r.Tool.Driver = sarifDriver{"ftlint", run.Version, "https://github.com/ftlint/ftlint", list}
	invocation := &r.Invocations[0]
	notify := func(level, path string, line int, text string) *sarifNotification {
		n := sarifNotification{Level: level, Message: sarifText{Text: OneLine(text)}}
		if path != "" {
			n.Locations = []sarifLocation{sarifPlace(finding.Place{Path: path, Line: line}, "")}
		}
		if level == "error" {
			invocation.Successful = false
		}
		invocation.Notifications = append(invocation.Notifications, n)
		return &invocation.Notifications[len(invocation.Notifications)-1]
	}
	ids := fingerprints{}
	for _, res := range run.Results {
		r.Artifacts = append(r.Artifacts, sarifArtifact{sarifURI(res.Path), []string{"analysisTarget"}, imageOf(res)})
		for i := range res.Findings {
			r.Results = append(r.Results, sarifFinding(res, &res.Findings[i], index, ids))
		}
		for _, err := range res.Errors {
			notify("error", res.Path, 0, err.Error())
		}
		for i := range res.Rules {
			rule := &res.Rules[i]
			ref := &sarifRuleRef{rule.Rule.ID, index[rule.Rule.ID]}
			if rule.Status == finding.Inconclusive {
				notify("warning", res.Path, 0, fmt.Sprintf("%s %s is inconclusive: %s", rule.Rule.ID, rule.Rule.Name, rule.Why)).Rule = ref
			}
			if part := notExecuted(*rule); part != "" {
				notify("note", res.Path, 0, fmt.Sprintf("%s %s: %s", rule.Rule.ID, rule.Rule.Name, part)).Rule = ref
			}
		}
		for _, n := range unread(res) {
			notify("note", res.Path, n.Line, n.Text)
		}
		for _, line := range leftOut(res) {
			notify("note", res.Path, 0, line)
		}
	}
	for _, err := range run.Errors {
		notify("error", "", 0, err.Error())
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{r}})
}

// sarifRules describes the rules of the catalogue and of users' checks. index has
// their positions in the list, by ID.
func sarifRules(run *Run) (list []sarifRule, index map[string]int) {
	index = map[string]int{}
	add := func(rule rules.Rule) {
		if _, ok := index[rule.ID]; ok {
			return
		}
		index[rule.ID] = len(list)
		title := sarifText{Text: rule.Title}
		d := sarifRule{
			ID: rule.ID, Name: rule.Name, ShortDescription: title, FullDescription: title, Help: title,
			Default:    sarifDefault{rule.Severity.String()},
			Properties: map[string]string{"problem.severity": sarifProblem[rule.Severity]},
		}
		if page, ok := rule.Page(); ok {
			d.Help = sarifText{page, page}
			d.HelpURI = rule.URL()
		}
		list = append(list, d)
	}
	for _, rule := range rules.All() {
		add(rule)
	}
	for _, res := range run.Results {
		for _, r := range res.Rules {
			add(r.Rule)
		}
	}
	return list, index
}

// sarifProblem is the severity by which GitHub orders alerts.
var sarifProblem = map[rules.Severity]string{rules.Error: "error", rules.Warning: "warning", rules.Note: "recommendation"}

func sarifFinding(in *finding.Result, f *finding.Finding, index map[string]int, ids fingerprints) sarifResult {
	id := ids.next(f)
	if !strings.Contains(id, ":") {
		id += ":1" // as GitHub writes its own
	}
	at := sarifPlace(f.Place, f.Source)
	if at.Physical.Region == nil {
		at.Physical.Region = &sarifRegion{Line: 1} // GitHub shows no result without a line
	}
	if f.Symbol != "" {
		at.Logical = []sarifLogical{{OneLine(f.Symbol), "function"}}
	}
	res := sarifResult{
		RuleID: f.Rule.ID, RuleIndex: index[f.Rule.ID], Level: f.Rule.Severity.String(),
		Message:      sarifText{Text: strings.Join(slices.Concat([]string{OneLine(f.Headline)}, proof(f), input(in, f)), "\n")},
		Locations:    []sarifLocation{at},
		Fingerprints: sarifFingerprints{id},
	}
	if f.Addr != 0 {
		res.Properties = &sarifAddress{fmt.Sprintf("%#x", f.Addr), OneLine(f.Insn)}
	}
	for i, r := range f.Related {
		at := sarifPlace(r.Place, "")
		at.ID, at.Message = &i, &sarifText{Text: OneLine(r.Message)}
		res.Related = append(res.Related, at)
	}
	return res
}

// sarifPlace returns a place. source is the text of its line; "" if not known.
func sarifPlace(p finding.Place, source string) sarifLocation {
	at := sarifLocation{Physical: sarifPhysical{File: sarifURI(p.Path)}}
	if p.Line > 0 {
		region := &sarifRegion{Line: p.Line, Col: p.Col, EndCol: p.EndCol}
		if source != "" {
			region.Snippet = &sarifText{Text: string([]rune(source))} // valid UTF-8
			if before := p.Col - 1; before >= 0 && before <= len(source) {
				region.Col = utf16Len(source[:before]) + 1
				region.EndCol = utf16Len(source) + 1
				if end := p.EndCol - 1; end > before && end <= len(source) {
					region.EndCol = utf16Len(source[:end]) + 1
				}
			}
		}
		at.Physical.Region = region
	}
	return at
}

// utf16Len returns the length of s in SARIF's columns, UTF-16 code units.
func utf16Len(s string) (n int) {
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// sarifURI returns the URI of a file. A relative path is relative to the source
// tree.
func sarifURI(path string) sarifFile {
	u := url.URL{Path: strings.ToValidUTF8(filepath.ToSlash(cleanPath(path)), "?")}
	if filepath.IsAbs(path) {
		u.Scheme = "file"
		return sarifFile{URI: u.String()}
	}
	return sarifFile{u.String(), "%SRCROOT%"}
}
