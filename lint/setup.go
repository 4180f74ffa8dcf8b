package lint

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/rules"
)

// A Setup is what a configuration file says, with what the command line says
// over it: which rules run, how severe they are, and which findings do not
// count.
type Setup struct {
	Path string // of the file; "" for none

	Enable, Disable []Value // rules, as Select takes them; no Enable: all
	Severity        []SeverityOf
	Ignore          []Value // patterns of paths
	FailOn          Value   // lowest severity that fails, or "never"; Text "": not said
	Baseline        Value   // a file, relative to the folder of Path; Text "": none
	Suppress        []Suppression
}

// A Value is a text of a Setup and where it comes from: ".ftlint.yaml:4",
// "--disable".
type Value struct{ Text, From string }

// SeverityOf gives rules another severity: error, warning, note, or off.
type SeverityOf struct {
	Rule     Value
	Severity string
}

// A Suppression names findings that do not count. What is "" fits all.
type Suppression struct {
	Rule   string // as Select takes it
	Object string // pattern of "vmlinux", or of a module's name
	Symbol string // pattern
	Path   string // pattern of the source's path, or of the input's
	Text   string // what the instruction, or the line of the source, contains
	Reason string
	From   string // where it stands
}

// off is the severity of rules that do not run.
const off = "off"

// fields are the parts of a suppression by their keys.
func (s *Suppression) fields() []field {
	return []field{{"rule", &s.Rule}, {"object", &s.Object}, {"symbol", &s.Symbol}, {"path", &s.Path}, {"text", &s.Text}, {"reason", &s.Reason}}
}

type field struct {
	key  string
	text *string
}

// Override has flags of the command line win over the file: only takes the
// place of all that the file says about which rules run, skip adds to it. What
// is empty is not said.
func (s *Setup) Override(only, skip []string, failOn, baseline string) {
	values := func(list []string, flag string) (out []Value) {
		for _, text := range list {
			out = append(out, Value{text, flag})
		}
		return out
	}
	if len(only) > 0 {
		s.Enable, s.Disable = values(only, "--rules"), nil
		s.Severity = slices.DeleteFunc(s.Severity, func(o SeverityOf) bool { return o.Severity == off })
	}
	s.Disable = append(s.Disable, values(skip, "--disable")...)
	if failOn != "" {
		s.FailOn = Value{failOn, "--fail-on"}
	}
	if baseline != "" {
		s.Baseline = Value{baseline, "--baseline"}
	}
}

// Checks are those of list that the setup has run.
func (s *Setup) Checks(list []*analysis.Analyzer) ([]*analysis.Analyzer, error) {
	texts := func(values []Value) (out []string) {
		for _, v := range values {
			out = append(out, v.Text)
		}
		return out
	}
	kept, err := Select(list, texts(s.Enable), texts(s.Disable))
	if err != nil {
		return nil, s.err(err)
	}
	kept = slices.DeleteFunc(kept, func(a *analysis.Analyzer) bool { return s.severityOf(ruleOf(a)) == off })
	if len(kept) == 0 {
		return nil, s.err(fmt.Errorf("no rule is left to run"))
	}
	return kept, nil
}

// err is err with the file in front, if there is one.
func (s *Setup) err(err error) error {
	if s.Path == "" {
		return err
	}
	return fmt.Errorf("%s: %w", s.Path, err)
}

// Severities are those that rules have in place of their own, by ID.
func (s *Setup) Severities() map[string]rules.Severity {
	out := map[string]rules.Severity{}
	for _, r := range rules.All() {
		if sev, err := rules.ParseSeverity(s.severityOf(r)); err == nil {
			out[r.ID] = sev
		}
	}
	return out
}

// severityOf is what is said of the rule by its ID or name, else by the longest
// beginning of its ID; "" if nothing is.
func (s *Setup) severityOf(r rules.Rule) string {
	best, said := 0, ""
	for _, o := range s.Severity {
		if n := fits(o.Rule.Text, r); n > best {
			best, said = n, o.Severity
		}
	}
	return said
}

// fits tells how exactly spec names the rule: 0 not at all, most by its ID or
// name.
func fits(spec string, r rules.Rule) int {
	spec = strings.TrimSpace(spec)
	switch {
	case strings.EqualFold(spec, r.ID), strings.EqualFold(spec, r.Name):
		return len(r.ID) + 1
	case len(spec) >= len("FT") && strings.HasPrefix(r.ID, strings.ToUpper(spec)):
		return len(spec)
	}
	return 0
}

// Dir is what paths in the setup are relative to.
func (s *Setup) Dir() string { return filepath.Dir(cmp.Or(s.Path, ".")) }

// BaselinePath is the file of the baseline; "" for none. One that the
// configuration file names is relative to that file.
func (s *Setup) BaselinePath() string {
	p := s.Baseline.Text
	if p == "" || s.Baseline.From == "--baseline" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(s.Dir(), filepath.FromSlash(p))
}

// YAML is the setup as a configuration file has it, each value with where it
// comes from as a comment.
func (s *Setup) YAML() []byte {
	var b bytes.Buffer
	line := func(indent, text, from string) {
		if from != "" {
			from = " # " + strings.ToValidUTF8(oneLine.ReplaceAllString(from, "?"), "?")
		}
		fmt.Fprintf(&b, "%s%s%s\n", indent, text, from)
	}
	list := func(indent, key string, values []Value) {
		if len(values) == 0 {
			return
		}
		line(indent, key+":", "")
		for _, v := range values {
			line(indent+"  ", "- "+scalar(v.Text), v.From)
		}
	}
	if len(s.Enable)+len(s.Disable) > 0 {
		line("", "rules:", "")
		list("  ", "enable", s.Enable)
		list("  ", "disable", s.Disable)
	}
	if len(s.Severity) > 0 {
		line("", "severity:", "")
		for _, o := range s.Severity {
			line("  ", scalar(o.Rule.Text)+": "+o.Severity, o.Rule.From)
		}
	}
	if len(s.Ignore) > 0 {
		line("", "paths:", "")
		list("  ", "ignore", s.Ignore)
	}
	if s.FailOn.Text != "" {
		line("", "fail-on: "+scalar(s.FailOn.Text), s.FailOn.From)
	}
	if s.Baseline.Text != "" {
		line("", "baseline: "+scalar(s.Baseline.Text), s.Baseline.From)
	}
	if len(s.Suppress) > 0 {
		line("", "suppress:", "")
		for _, sup := range s.Suppress {
			before, from := "- ", sup.From
			for _, f := range sup.fields() {
				if *f.text != "" {
					line("  ", before+f.key+": "+scalar(*f.text), from)
					before, from = "  ", ""
				}
			}
		}
	}
	return b.Bytes()
}

var (
	oneLine = regexp.MustCompile(`[\x00-\x1f\x7f-\x{9f}\x{2028}\x{2029}]`)
	// plainScalar is what needs no quotes in YAML, whoever reads it.
	plainScalar = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_./*()-]*( [A-Za-z0-9_./*()-]+)*$`)
	yamlWord    = regexp.MustCompile(`(?i)^(null|true|false|yes|no|on|off|y|n)$`)
)

// scalar is a text as YAML has it.
func scalar(s string) string {
	if plainScalar.MatchString(s) && !yamlWord.MatchString(s) {
		return s
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b) // a string of JSON is one of YAML
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // of a string it cannot fail
	return strings.TrimSpace(b.String())
}
