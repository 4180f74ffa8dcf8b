package report

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/rules"
)

// writeSARIF writes the Static Analysis Results Interchange Format (OASIS,
// version 2.1.0): one run, with all rules of the catalogue.
func writeSARIF(w io.Writer, run *Run) error {
	doc := sarif.NewReport()
	r := sarif.NewRunWithInformationURI("ftlint", "https://github.com/ftlint/ftlint")
	if run.Version != "" {
		r.Tool.Driver.WithVersion(run.Version)
	}
	r.ColumnKind = ptr("utf16CodeUnits")
	doc.AddRun(r)
	index := sarifRules(r.Tool.Driver, run)
	ids := fingerprints{}
	invocation := sarif.NewInvocation().WithExecutionSuccessful(true)
	problem := func(level, path string, rule *rules.Rule, text string) {
		n := sarif.NewNotification().WithLevel(level).WithMessage(sarif.NewTextMessage(OneLine(text)))
		if path != "" {
			n.AddLocation(sarif.NewLocation().WithPhysicalLocation(sarif.NewPhysicalLocation().WithArtifactLocation(sarifArtifact(path))))
		}
		if rule != nil {
			n.WithAssociatedRule(sarif.NewReportingDescriptorReference().WithID(rule.ID).WithIndex(index[rule.ID]))
		}
		invocation.AddToolExecutionNotification(n)
		if level == "error" {
			invocation.WithExecutionSuccessful(false)
		}
	}
	for _, res := range run.Results {
		for i := range res.Findings {
			r.AddResult(sarifResult(&res.Findings[i], index, ids))
		}
		for _, err := range res.Errors {
			problem("error", res.Path, nil, err.Error())
		}
		for i := range res.Rules {
			if rule := &res.Rules[i]; rule.Inconclusive != "" {
				problem("warning", res.Path, &rule.Rule, fmt.Sprintf("%s %s is inconclusive: %s", rule.Rule.ID, rule.Rule.Name, rule.Inconclusive))
			}
		}
		for _, more := range left(res) {
			problem("note", res.Path, nil, more)
		}
	}
	for _, err := range run.Errors {
		problem("error", "", nil, err.Error())
	}
	r.AddInvocation(invocation)
	return json.NewEncoder(w).Encode(doc)
}

// sarifRules describes the rules, and gives their places in the list: those of
// the catalogue, and those that users' checks add.
func sarifRules(driver *sarif.ToolComponent, run *Run) map[string]int {
	index := map[string]int{}
	add := func(rule rules.Rule) {
		if _, ok := index[rule.ID]; ok {
			return
		}
		index[rule.ID] = len(index)
		d := sarif.NewRule(rule.ID).WithName(rule.Name).
			WithShortDescription(sarif.NewMultiformatMessageString().WithText(rule.Title)).
			WithFullDescription(sarif.NewMultiformatMessageString().WithText(rule.Title)).
			WithDefaultConfiguration(sarif.NewReportingConfiguration().WithLevel(rule.Severity.String()))
		help := sarif.NewMultiformatMessageString().WithText(rule.Title)
		if page, ok := rule.Page(); ok {
			help.WithText(page).WithMarkdown(page)
			d.WithHelpURI(rule.URL())
		}
		d.WithHelp(help)
		driver.AddRule(d)
	}
	for _, rule := range rules.All() {
		add(rule)
	}
	for _, res := range run.Results {
		for _, r := range res.Rules {
			add(r.Rule)
		}
	}
	return index
}

func sarifResult(f *lint.Finding, index map[string]int, ids fingerprints) *sarif.Result {
	id := ids.next(f)
	if !strings.Contains(id, ":") {
		id += ":1" // as GitHub writes its own
	}
	res := sarif.NewRuleResult(f.Rule.ID).
		WithRuleIndex(index[f.Rule.ID]).
		WithLevel(f.Rule.Severity.String()).
		WithMessage(sarif.NewTextMessage(OneLine(message(*f)))).
		WithPartialFingerprints(map[string]string{"primaryLocationLineHash": id})
	at := sarifLocation(f.Place, f.Source)
	if f.Symbol != "" {
		at.AddLogicalLocation(sarif.NewLogicalLocation().WithFullyQualifiedName(f.Symbol).WithKind("function"))
	}
	res.AddLocation(at)
	if f.Addr != 0 {
		// An address of a kernel is larger than SARIF's absoluteAddress may be.
		props := sarif.NewPropertyBag()
		props.Add("address", fmt.Sprintf("%#x", f.Addr))
		if f.Insn != "" {
			props.Add("instruction", f.Insn)
		}
		res.WithProperties(props)
	}
	for i, r := range f.Related {
		res.AddRelatedLocation(sarifLocation(r.Place, "").WithID(i).WithMessage(sarif.NewTextMessage(OneLine(r.Message))))
	}
	return res
}

func sarifLocation(p lint.Place, source string) *sarif.Location {
	physical := sarif.NewPhysicalLocation().WithArtifactLocation(sarifArtifact(p.Path))
	if p.Line > 0 {
		region := sarif.NewRegion().WithStartLine(p.Line).WithStartColumn(max(p.Col, 1))
		if source != "" {
			region.WithSnippet(sarif.NewArtifactContent().WithText(strings.ToValidUTF8(source, "?")))
		}
		physical.WithRegion(region)
	}
	return sarif.NewLocation().WithPhysicalLocation(physical)
}

// sarifArtifact is a file: what is relative is so to the source tree.
func sarifArtifact(path string) *sarif.ArtifactLocation {
	u := url.URL{Path: strings.ToValidUTF8(filepath.ToSlash(path), "?")}
	at := sarif.NewArtifactLocation()
	if filepath.IsAbs(path) {
		u.Scheme = "file"
	} else {
		at.WithURIBaseID("%SRCROOT%")
	}
	return at.WithURI(u.String())
}

func ptr[T any](v T) *T { return &v }
