package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"text/template"
)

// A Template is a text/template that is run for each finding. Its fields are those of
// a finding in JSON, by their names there, and the path of the input.
type Template struct{ parsed *template.Template }

// ParseTemplate parses a template. It runs it for two findings of no input, one whose
// fields are empty and one whose fields are not, so that a field that does not exist
// is found before any input is read.
func ParseTemplate(text string) (*Template, error) {
	if text == "" {
		return nil, errors.New("an empty template writes nothing")
	}
	parsed, err := template.New("").Option("missingkey=error").Funcs(template.FuncMap{"join": strings.Join, "json": compactJSON}).Parse(text)
	if err != nil {
		return nil, templateError(err)
	}
	t := &Template{parsed}
	place := jsonPlace{"a.S", 1, 1, 2, "0x1000"}
	full := jsonFinding{place, "error", "FT103", "copy-misses-ret", "b", []string{"c"}, "d", "e", "f", []jsonRelated{{place, "g"}}, true, "h"}
	for _, jf := range []jsonFinding{{}, full} {
		if err := t.one(io.Discard, "vmlinux", jf); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// write runs the template for each finding, and ends what it writes with a line end.
func (t *Template) write(w io.Writer, run *Run) error {
	b := bufio.NewWriter(w)
	ids := fingerprints{}
	for _, res := range run.Results {
		for i := range res.Findings {
			if err := t.one(b, res.Path, findingOf(&res.Findings[i], ids)); err != nil {
				return fmt.Errorf("the template: %w", err)
			}
		}
	}
	return b.Flush()
}

// one runs the template for one finding. Texts are on one line, as in text.
func (t *Template) one(w io.Writer, input string, jf jsonFinding) error {
	var b bytes.Buffer
	m := fieldsByName(reflect.ValueOf(jf))
	m["input"] = OneLine(input)
	if err := t.parsed.Execute(&b, m); err != nil {
		return templateError(err, slices.Sorted(maps.Keys(m))...)
	}
	if !bytes.HasSuffix(b.Bytes(), []byte("\n")) {
		b.WriteByte('\n')
	}
	_, err := b.WriteTo(w)
	return err
}

// fieldsByName returns the fields of a struct by their names in JSON, empty ones too.
func fieldsByName(v reflect.Value) map[string]any {
	m := map[string]any{}
	for i := range v.NumField() {
		field, value := v.Type().Field(i), v.Field(i)
		if field.Anonymous { // it is not exported
			maps.Copy(m, fieldsByName(value))
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch x := value.Interface().(type) {
		case string:
			m[name] = OneLine(x)
		case []string:
			m[name] = oneLines(slices.Clone(x))
		case []jsonRelated:
			list := []map[string]any{}
			for _, r := range x {
				list = append(list, fieldsByName(reflect.ValueOf(r)))
			}
			m[name] = list
		default:
			m[name] = x
		}
	}
	return m
}

// compactJSON returns v as JSON on one line.
func compactJSON(v any) (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

var (
	noField = regexp.MustCompile(`map has no entry for key "([^"]*)"`)
	inGo    = regexp.MustCompile(`^template: :(\d+)(:\d+)?: (executing "" )?`)
)

// templateError returns an error of package template without what means nothing to a
// user. fields are the names of a finding's fields.
func templateError(err error, fields ...string) error {
	text := err.Error()
	if m := noField.FindStringSubmatch(text); m != nil {
		return fmt.Errorf("no field %q: want %s", m[1], strings.Join(fields, ", "))
	}
	return errors.New(inGo.ReplaceAllString(text, "line $1: "))
}
