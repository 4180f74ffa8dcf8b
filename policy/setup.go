// Package policy is which findings count, and of which rules: the configuration,
// suppressions and ignored paths, and the baseline.
package policy

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/ftlint/ftlint/finding"
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
	Suppress        []finding.Suppression
}

// A Value is a text of a Setup and where it comes from: ".ftlint.yaml:4",
// "--disable".
type Value struct{ Text, From string }

// SeverityOf gives rules another severity: error, warning, note, or off.
type SeverityOf struct {
	Rule     Value
	Severity string
}

// off is the severity of rules that do not run.
const off = "off"

// fieldsOf are the parts of a suppression by their keys.
func fieldsOf(s *finding.Suppression) []field {
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

// Rules are those of all that the setup has run.
func (s *Setup) Rules(all []rules.Rule) ([]rules.Rule, error) {
	texts := func(values []Value) (out []string) {
		for _, v := range values {
			out = append(out, v.Text)
		}
		return out
	}
	kept, err := Select(all, texts(s.Enable), texts(s.Disable))
	if err != nil {
		return nil, s.err(err)
	}
	kept = slices.DeleteFunc(kept, func(r rules.Rule) bool { return s.severityOf(r) == off })
	if len(kept) == 0 {
		return nil, s.err(errNoRule)
	}
	return kept, nil
}

var errNoRule = errors.New("no rule is left to run")

// Select keeps the rules that the specs of only name (all if it is empty) and
// those of skip do not. A spec is an ID, a name, or the beginning of an ID
// ("FT4").
func Select(list []rules.Rule, only, skip []string) ([]rules.Rule, error) {
	named := func(specs []string) (map[string]bool, error) {
		ids := map[string]bool{}
		for _, spec := range specs {
			found, err := rules.Select(spec)
			if err != nil {
				return nil, err
			}
			for _, r := range found {
				ids[r.ID] = true
			}
		}
		return ids, nil
	}
	on, err := named(only)
	if err != nil {
		return nil, err
	}
	off, err := named(skip)
	if err != nil {
		return nil, err
	}
	var out []rules.Rule
	for _, r := range list {
		if (len(only) == 0 || on[r.ID]) && !off[r.ID] {
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		return nil, errNoRule
	}
	return out, nil
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
			for _, f := range fieldsOf(&sup) {
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
