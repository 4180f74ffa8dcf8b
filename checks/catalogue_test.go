package checks_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/patchchecks"
	"github.com/ftlint/ftlint/rules"
)

// TestCatalogue names what a rule lacks: an analyzer for an input that the rule's
// value names, the analyzer's place in All, or the analyzer's input in the rule's
// value.
func TestCatalogue(t *testing.T) {
	for _, pkg := range []struct {
		name, dir, suffix string
		all               []*analysis.Analyzer
		on                rules.Inputs
		inputs            string
	}{
		{"checks", ".", "", checks.All, rules.Kernels | rules.Modules, "Kernels or Modules"},
		{"patchchecks", "../patchchecks", patchchecks.Suffix, patchchecks.All, rules.Patches, "Patches"},
	} {
		declared := analyzers(t, pkg.dir)
		listed := map[string]bool{}
		for _, a := range pkg.all {
			id := strings.TrimSuffix(a.Name, pkg.suffix)
			listed[id] = true
			if declared[id] == "" {
				t.Errorf("%s.All has an analyzer of %s, and no file of %[1]s declares var %[2]s", pkg.name, id)
			}
		}
		for id, file := range declared {
			if !listed[id] {
				t.Errorf("%s/%s declares %s, and All in %[1]s/%[1]s.go lacks %[3]s: add it there", pkg.name, file, id)
			}
			if r, ok := rules.Lookup(id); ok && r.On&pkg.on == 0 {
				t.Errorf("%s/%s declares %s, and the On of %[3]s in rules/catalogue.go has no %[4]s", pkg.name, file, id, pkg.inputs)
			}
		}
		for _, r := range rules.All() {
			if r.On&pkg.on != 0 && declared[r.ID] == "" {
				t.Errorf("%s is on %s in rules/catalogue.go and has no analyzer: write %s/%s.go, and add %[1]s to All in %[3]s/%[3]s.go", r.ID, pkg.inputs, pkg.name, strings.ToLower(r.ID))
			}
		}
	}
}

// analyzers are the variables in a folder that have names of rules, each with the
// file that declares it.
func analyzers(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(file string) bool { return strings.HasSuffix(file, "_test.go") })
	declared := map[string]string{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			vars, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range vars.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok && ruleName.MatchString(v.Names[0].Name) {
					declared[v.Names[0].Name] = filepath.Base(file)
				}
			}
		}
	}
	return declared
}

var ruleName = regexp.MustCompile(`^FT\d+$`)
