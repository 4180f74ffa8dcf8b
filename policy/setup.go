// Package policy decides which rules run and which of their findings count. It
// reads the configuration, with its suppressions and ignored paths, and the
// baseline.
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

// A Setup is the content of a configuration file, overridden by flags of the
// command line: which rules run, how severe they are, and which findings do not
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

// A Value is a text of a Setup, and its origin: ".ftlint.yaml:4" or
// "--disable".
type Value struct{ Text, From string }

// A SeverityOf gives rules another severity: error, warning, note or off.
type SeverityOf struct {
	Rule     Value
	Severity string
}

// off is the severity of rules that do not run.
const off = "off"

// fieldsOf returns the parts of a suppression with their keys.
func fieldsOf(s *finding.Suppression) []field {
	return []field{{"rule", &s.Rule}, {"object", &s.Object}, {"symbol", &s.Symbol}, {"path", &s.Path}, {"text", &s.Text}, {"line", &s.Line}, {"reason", &s.Reason}}
}

type field struct {
	key  string
	text *string
}

// IgnoreFlag is the flag whose regular expressions suppress findings: the origin of
// these suppressions.
const IgnoreFlag = "--ignore"

// Ignoring returns the suppression that --ignore makes of a regular expression.
func Ignoring(expr string) (sup finding.Suppression, err error) {
	if expr == "" {
		return sup, fmt.Errorf("%s: an empty expression would fit all findings", IgnoreFlag)
	}
	if err := knownExpression(expr); err != nil {
		return sup, fmt.Errorf("%s %w", IgnoreFlag, err)
	}
	return finding.Suppression{Rule: anyRule, Line: expr, Reason: IgnoreFlag + " " + expr, From: IgnoreFlag}, nil
}

// anyRule is the beginning of the ID of each rule.
const anyRule = "FT"

// Override applies flags of the command line. The rules of only replace the
// file's choice of rules; the rules of skip are disabled too. An empty argument
// changes nothing.
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

// Rules returns the rules of all that run under the setup.
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

// Select returns the rules of list that a spec of only names (all rules if only
// is empty) and that no spec of skip names. A spec is an ID, a name, or the
// beginning of an ID ("FT4").
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
	selected, err := named(only)
	if err != nil {
		return nil, err
	}
	skipped, err := named(skip)
	if err != nil {
		return nil, err
	}
	var out []rules.Rule
	for _, r := range list {
		if (len(only) == 0 || selected[r.ID]) && !skipped[r.ID] {
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		return nil, errNoRule
	}
	return out, nil
}

// err returns err with the path of the file in front, if there is a file.
func (s *Setup) err(err error) error {
	if s.Path == "" {
		return err
	}
	return fmt.Errorf("%s: %w", s.Path, err)
}

// Severities returns the severities that replace those of the catalogue, by ID.
func (s *Setup) Severities() map[string]rules.Severity {
	out := map[string]rules.Severity{}
	for _, r := range rules.All() {
		if sev, err := rules.ParseSeverity(s.severityOf(r)); err == nil {
			out[r.ID] = sev
		}
	}
	return out
}

// severityOf returns the severity that the setup gives the rule: the one for its
// ID or name, else the one for the longest beginning of its ID; "" for none.
func (s *Setup) severityOf(r rules.Rule) string {
	best, said := 0, ""
	for _, o := range s.Severity {
		if n := fits(o.Rule.Text, r); n > best {
			best, said = n, o.Severity
		}
	}
	return said
}

// fits returns how exactly spec names the rule: 0 if spec does not name it, the
// length of a beginning of its ID, or more than that for its ID or name.
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

// Dir returns the folder that paths in the setup are relative to.
func (s *Setup) Dir() string { return filepath.Dir(cmp.Or(s.Path, ".")) }

// BaselinePath returns the path of the baseline; "" for none. A path in the
// configuration file is relative to the folder of that file.
func (s *Setup) BaselinePath() string {
	p := s.Baseline.Text
	if p == "" || s.Baseline.From == "--baseline" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(s.Dir(), filepath.FromSlash(p))
}

// YAML returns the setup as a configuration file. A comment beside each value
// names its origin.
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
	// plainScalar matches texts that need no quotes in any version of YAML.
	plainScalar = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_./*()-]*( [A-Za-z0-9_./*()-]+)*$`)
	yamlWord    = regexp.MustCompile(`(?i)^(null|true|false|yes|no|on|off|y|n)$`)
)

// scalar returns a text as a scalar of YAML.
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
