package policy

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/rules"
)

// SetupName is the name of a configuration file.
const SetupName = ".ftlint.yaml"

// Starter is a configuration file to begin with: all its settings are comments.
//
//go:embed starter.yaml
var Starter string

// maxSetup bounds the size of a configuration file, in bytes.
const maxSetup = 1 << 20

// maxText bounds the length of a text in a configuration file, in bytes.
const maxText = 1000

// maxMessage bounds the text of an error about a configuration file, in bytes.
const maxMessage = 300

// FindSetup returns the path of the configuration file that is nearest to the
// inputs; "" if there is none. It looks in the folder of each input and upwards
// to the root. An input that is a folder is searched itself; "-" (standard input)
// is in the current folder. Inputs with different configuration files are an
// error. An input without one goes by the file of the others.
func FindSetup(inputs []string) (string, error) {
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	found, of := "", ""
	var info os.FileInfo
	seen := map[string]bool{}
	for _, input := range inputs {
		dir := here
		if input != "-" {
			if dir, err = filepath.Abs(input); err != nil {
				return "", err
			}
			if i, err := os.Stat(dir); err != nil || !i.IsDir() {
				dir = filepath.Dir(dir)
			}
		}
		for ; !seen[dir]; dir = filepath.Dir(dir) {
			seen[dir] = true
			path := filepath.Join(dir, SetupName)
			i, err := os.Stat(path) // a file without permission counts as missing
			if err != nil {
				continue
			}
			switch {
			case found == "":
				found, of, info = path, input, i
			case !os.SameFile(info, i):
				return "", fmt.Errorf("two configurations: %s goes by %s, %s by %s: name one with --config FILE, or --config none",
					of, shortPath(here, found), input, shortPath(here, path))
			}
			break
		}
	}
	return shortPath(here, found), nil
}

// shortPath returns an absolute path relative to dir, if that is shorter.
func shortPath(dir, path string) string {
	if rel, err := filepath.Rel(dir, path); err == nil && path != "" && len(rel) < len(path) {
		return rel
	}
	return path
}

// ReadSetup reads the configuration file at path. The file must be regular
// unless named says that the command line names it.
func ReadSetup(path string, named bool) (*Setup, error) {
	b, err := readBounded(path, maxSetup, named)
	if err != nil {
		return nil, err
	}
	return ParseSetup(path, b)
}

// readBounded reads a file of at most limit bytes. A file that is not regular is
// an error unless wanted, because opening it may block or have side effects.
func readBounded(path string, limit int64, wanted bool) ([]byte, error) {
	fail := func(err error) ([]byte, error) { // drops the name of the system call
		return nil, fmt.Errorf("%s: %w", path, errors.Unwrap(err))
	}
	if info, err := os.Stat(path); err != nil {
		return fail(err)
	} else if !wanted && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	switch {
	case err != nil:
		return fail(err)
	case int64(len(b)) > limit:
		return nil, fmt.Errorf("%s: has more than %d KiB", path, limit>>10)
	}
	return b, nil
}

// ParseSetup parses the text of a configuration file. Errors name path and line.
func ParseSetup(path string, text []byte) (*Setup, error) {
	r := &setupReader{path: path}
	s := &Setup{Path: path}
	if err := r.read(s, text); err != nil {
		return nil, err
	}
	return s, nil
}

// A setupReader parses one configuration file.
type setupReader struct{ path string }

func (r *setupReader) errorf(at *token.Token, format string, args ...any) error {
	line, col := 1, 1
	if at != nil && at.Position != nil {
		line, col = max(at.Position.Line, 1), max(at.Position.Column, 1)
	}
	err := fmt.Errorf(format, args...)
	if text := err.Error(); len(text) > maxMessage { // it quotes the file
		err = errors.New(strings.ToValidUTF8(text[:maxMessage], "") + "...")
	}
	return fmt.Errorf("%s:%d:%d: %w", r.path, line, col, err)
}

func (r *setupReader) from(at *token.Token) string {
	return fmt.Sprintf("%s:%d", r.path, max(at.Position.Line, 1))
}

func (r *setupReader) read(s *Setup, text []byte) error {
	if !utf8.Valid(text) {
		n := 1
		for line := range strings.Lines(string(text)) {
			if !utf8.ValidString(line) {
				return fmt.Errorf("%s:%d: not UTF-8", r.path, n)
			}
			n++
		}
	}
	if err := r.bounded(lexer.Tokenize(string(text))); err != nil {
		return err
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return r.syntax(err)
	}
	var docs []ast.Node
	for _, d := range file.Docs {
		if d.Body != nil && d.Body.Type() != ast.CommentType && d.Body.Type() != ast.CommentGroupType {
			docs = append(docs, d.Body)
		}
	}
	switch {
	case len(docs) == 0:
		return nil
	case len(docs) > 1:
		return r.errorf(docs[1].GetToken(), "a second document: want one")
	}
	return r.mapping(docs[0], map[string]func(*token.Token, ast.Node) error{
		"rules": func(_ *token.Token, n ast.Node) error {
			return r.mapping(n, map[string]func(*token.Token, ast.Node) error{
				"enable":  func(_ *token.Token, n ast.Node) error { return r.list(n, &s.Enable, knownRule) },
				"disable": func(_ *token.Token, n ast.Node) error { return r.list(n, &s.Disable, knownRule) },
			})
		},
		"severity": func(_ *token.Token, n ast.Node) error { return r.severities(n, s) },
		"paths": func(_ *token.Token, n ast.Node) error {
			return r.mapping(n, map[string]func(*token.Token, ast.Node) error{
				"ignore": func(_ *token.Token, n ast.Node) error { return r.list(n, &s.Ignore, knownPattern) },
			})
		},
		"fail-on": func(_ *token.Token, n ast.Node) error {
			return r.value(n, &s.FailOn, func(text string) error { return oneOf(text, "error", "warning", "note", "never") })
		},
		"baseline": func(_ *token.Token, n ast.Node) error {
			return r.value(n, &s.Baseline, func(string) error { return nil })
		},
		"suppress": func(_ *token.Token, n ast.Node) error {
			seq, ok := n.(*ast.SequenceNode)
			if !ok {
				return r.errorf(n.GetToken(), "want a list")
			}
			for _, n := range seq.Values {
				if err := r.suppression(n, s); err != nil {
					return err
				}
			}
			return nil
		},
	})
}

// bounded refuses deep nesting, and aliases: a few lines of aliases can stand for
// gigabytes.
func (r *setupReader) bounded(tokens token.Tokens) error {
	const deep = 8
	flow, inLine, line := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			line, inLine = t.Position.Line, 0
		}
		switch t.Type {
		case token.AnchorType, token.AliasType, token.MergeKeyType, token.TagType, token.DirectiveType:
			return r.errorf(t, "anchors, aliases, tags and directives are not taken")
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		case token.SequenceEntryType, token.MappingKeyType:
			inLine++
		}
		if flow > deep || inLine > deep {
			return r.errorf(t, "nested too deeply")
		}
	}
	return nil
}

// syntax returns an error of the parser on one line, with the path of the file.
func (r *setupReader) syntax(err error) error {
	var ye yaml.Error
	if !errors.As(err, &ye) {
		first, _, _ := strings.Cut(err.Error(), "\n")
		return fmt.Errorf("%s:1: %s", r.path, first)
	}
	return r.errorf(ye.GetToken(), "%s", strings.Join(strings.Fields(ye.GetMessage()), " "))
}

// pairs returns the keys and values of a mapping.
func (r *setupReader) pairs(n ast.Node) ([]*ast.MappingValueNode, error) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, nil
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, nil
	}
	return nil, r.errorf(n.GetToken(), "want keys with values")
}

// mapping reads a mapping. Each key must be in keys, whose function reads the value.
func (r *setupReader) mapping(n ast.Node, keys map[string]func(*token.Token, ast.Node) error) error {
	pairs, err := r.pairs(n)
	if err != nil {
		return err
	}
	for _, p := range pairs {
		var key string
		if err := r.text(p.Key, &key); err != nil {
			return err
		}
		read, ok := keys[key]
		if !ok {
			return r.errorf(p.Key.GetToken(), "unknown key %q: %s", key, wanted(key, keys))
		}
		if p.Value == nil || p.Value.Type() == ast.NullType {
			return r.errorf(p.Key.GetToken(), "%s has no value", key)
		}
		if err := read(p.Key.GetToken(), p.Value); err != nil {
			return err
		}
	}
	return nil
}

// wanted names the key that was probably meant, else all keys.
func wanted[T any](key string, keys map[string]T) string {
	var names []string
	for name := range keys {
		names = append(names, name)
	}
	slices.Sort(names)
	nearest, dist := "", 1+len(key)/3
	for _, name := range names {
		if d := rules.EditDistance(key, name); d <= dist {
			nearest, dist = name, d-1
		}
	}
	if nearest != "" {
		return fmt.Sprintf("is %q meant?", nearest)
	}
	return "want " + strings.Join(names, ", ")
}

// text reads a scalar.
func (r *setupReader) text(n ast.Node, text *string) error {
	switch n := n.(type) {
	case *ast.StringNode:
		*text = n.Value
	case *ast.LiteralNode:
		*text = n.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		*text = n.GetToken().Value
	default:
		if n == nil {
			return r.errorf(nil, "want a text")
		}
		return r.errorf(n.GetToken(), "want a text")
	}
	switch {
	case *text == "":
		return r.errorf(n.GetToken(), "want a text that is not empty")
	case len(*text) > maxText:
		return r.errorf(n.GetToken(), "a text of more than %s", plural.Of(maxText, "byte"))
	}
	return nil
}

// value reads a scalar that check accepts.
func (r *setupReader) value(n ast.Node, v *Value, check func(string) error) error {
	if err := r.text(n, &v.Text); err != nil {
		return err
	}
	if err := check(v.Text); err != nil {
		return r.errorf(n.GetToken(), "%w", err)
	}
	v.From = r.from(n.GetToken())
	return nil
}

// list reads a list of scalars, or a single scalar.
func (r *setupReader) list(n ast.Node, list *[]Value, check func(string) error) error {
	nodes := []ast.Node{n}
	if seq, ok := n.(*ast.SequenceNode); ok {
		nodes = seq.Values
	}
	for _, n := range nodes {
		var v Value
		if err := r.value(n, &v, check); err != nil {
			return err
		}
		*list = append(*list, v)
	}
	return nil
}

func (r *setupReader) severities(n ast.Node, s *Setup) error {
	pairs, err := r.pairs(n)
	if err != nil {
		return err
	}
	for _, p := range pairs {
		var o SeverityOf
		if err := r.value(p.Key, &o.Rule, knownRule); err != nil {
			return err
		}
		var v Value
		if err := r.value(p.Value, &v, func(text string) error { return oneOf(text, "error", "warning", "note", off) }); err != nil {
			return err
		}
		o.Severity = v.Text
		for _, before := range s.Severity {
			if sameRule(before.Rule.Text, o.Rule.Text) {
				return r.errorf(p.Key.GetToken(), "%s has a severity already, as %s in %s", o.Rule.Text, before.Rule.Text, before.Rule.From)
			}
		}
		s.Severity = append(s.Severity, o)
	}
	return nil
}

// sameRule reports whether two specs name the same rules.
func sameRule(a, b string) bool {
	x, err1 := rules.Select(a)
	y, err2 := rules.Select(b)
	return err1 == nil && err2 == nil && slices.Equal(x, y) && fits(a, x[0]) == fits(b, x[0])
}

func (r *setupReader) suppression(n ast.Node, s *Setup) error {
	var sup finding.Suppression
	keys := map[string]func(*token.Token, ast.Node) error{}
	checks := map[string]func(string) error{"rule": knownRule, "object": knownPattern, "symbol": knownPattern, "path": knownPattern, "line": knownExpression}
	for _, f := range fieldsOf(&sup) {
		keys[f.key] = func(_ *token.Token, n ast.Node) error {
			if err := r.text(n, f.text); err != nil {
				return err
			}
			if check := checks[f.key]; check != nil {
				if err := check(*f.text); err != nil {
					return r.errorf(n.GetToken(), "%w", err)
				}
			}
			return nil
		}
	}
	if err := r.mapping(n, keys); err != nil {
		return err
	}
	switch {
	case sup.Rule == "":
		return r.errorf(n.GetToken(), "a suppression without a rule")
	case strings.TrimSpace(sup.Reason) == "":
		return r.errorf(n.GetToken(), "a suppression of %s without a reason", sup.Rule)
	}
	sup.From = r.from(n.GetToken())
	s.Suppress = append(s.Suppress, sup)
	return nil
}

// knownRule returns an error if the text names no rule.
func knownRule(text string) error {
	_, err := rules.Select(text)
	return err
}

func knownPattern(text string) error {
	if !doublestar.ValidatePattern(text) {
		return fmt.Errorf("%q is not a pattern: a bracket is open, or nothing follows a backslash", text)
	}
	return nil
}

// knownExpression returns an error if the text is not a regular expression.
func knownExpression(text string) error {
	_, err := regexp.Compile(text)
	if bad := (*syntax.Error)(nil); errors.As(err, &bad) {
		return fmt.Errorf("%q is not a regular expression: %s: %s", text, bad.Code, bad.Expr)
	}
	return err
}

func oneOf(text string, words ...string) error {
	if slices.Contains(words, text) {
		return nil
	}
	return fmt.Errorf("%q: want %s or %s", text, strings.Join(words[:len(words)-1], ", "), words[len(words)-1])
}
