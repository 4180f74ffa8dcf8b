package contrib

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/internal/child"
)

// An entry is what an editor lists.
type entry struct {
	file      string
	line, col int
	severity  string
	message   string
	rule      string // "" for a place beside a finding
}

// output is what ftlint prints in a terminal, standard error among it, and what
// its JSON report says of the same run.
func output(t *testing.T) (text string, findings []entry) {
	t.Helper()
	inputs := []string{"--no-group", "--max-per-rule", "0", "--srctree", samples, samples + "/rfc-trampoline.elf", samples + "/builders/rfc-builder.elf",
		"../patchchecks/testdata/example.patch", bad, "nowhere"}
	cmd := child.Command(t, program, inputs...)
	out, _ := cmd.CombinedOutput() // one pipe, as a terminal is
	if status := cmd.ProcessState.ExitCode(); status != 2 {
		t.Fatalf("status %d\n%s", status, out)
	}
	text = string(out)
	doc, _, _ := call(t, ".", program, append([]string{"-q", "-f", "json"}, inputs...)...)
	type place struct {
		Path, Message string
		Line, Column  int
	}
	var report struct {
		Inputs []struct {
			Findings []struct {
				place
				Severity, Rule, Name string
				Related              []place
			}
		}
	}
	if err := json.Unmarshal([]byte(doc), &report); err != nil {
		t.Fatal(err)
	}
	for _, in := range report.Inputs {
		for _, f := range in.Findings {
			findings = append(findings, entry{f.Path, f.Line, f.Column, f.Severity, fmt.Sprintf("%s [%s %s]", f.Message, f.Rule, f.Name), f.Rule})
			for _, r := range f.Related {
				if r.Message == "this line of the patch" { // text has this place among the evidence
					continue
				}
				findings = append(findings, entry{r.Path, r.Line, r.Column, "note", r.Message, ""})
			}
		}
	}
	if len(findings) < 25 {
		t.Fatalf("only %d findings and notes", len(findings))
	}
	return text, findings
}

// list is the entries as lines of the form, those that keep holds for.
func list(all []entry, keep func(entry) bool, form func(entry) string) string {
	var lines []string
	for _, e := range all {
		if keep(e) {
			lines = append(lines, form(e))
		}
	}
	return strings.Join(lines, "\n")
}

func placed(e entry) bool { return e.line > 0 }

// same compares what an editor lists with what it should, line by line.
func same(t *testing.T, got, want string) {
	t.Helper()
	g, w := strings.Split(strings.TrimSpace(got), "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		switch {
		case i >= len(g):
			t.Fatalf("%d entries, want %d; missing\n%s", len(g), len(w), w[i])
		case i >= len(w):
			t.Fatalf("%d entries, want %d; too many\n%s", len(g), len(w), g[i])
		case g[i] != w[i]:
			t.Fatalf("entry %d:\n%s\nwant\n%s", i, g[i], w[i])
		}
	}
}

// node runs a script with the text on its standard input.
func node(t *testing.T, script, text string, args ...string) string {
	t.Helper()
	needs(t, "node", "nodejs")
	cmd := child.Command(t, "node", append([]string{"-e", script}, args...)...)
	cmd.Stdin = strings.NewReader(text)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// VS Code's own $gcc matcher (the C/C++ extension's, microsoft/vscode-cpptools,
// Extension/package.json) lists errors and warnings; it knows no notes.
func TestVSCodeGcc(t *testing.T) {
	text, findings := output(t)
	got := node(t, `
const gcc = new RegExp("^(.*?):(\\d+):(\\d*):?\\s+(?:fatal\\s+)?(warning|error):\\s+(.*)$");
for (const line of require("fs").readFileSync(0, "utf8").split("\n")) {
  const r = gcc.exec(line);
  if (r) console.log([r[1], r[2], r[3], r[4], r[5]].join("|"));
}`, text)
	same(t, got, list(findings, func(e entry) bool { return placed(e) && e.severity != "note" }, func(e entry) string {
		return fmt.Sprintf("%s|%d|%d|%s|%s", e.file, e.line, e.col, e.severity, e.message)
	}))
}

// Our matchers, of the extension and of the task, list all findings with the rule
// as their code, those about a file as a whole too, and the places beside findings.
func TestVSCodeMatcher(t *testing.T) {
	text, findings := output(t)
	want := list(findings, func(e entry) bool { return placed(e) || e.rule != "" }, func(e entry) string {
		message, _, _ := strings.Cut(e.message, " ["+e.rule+" ")
		severity := e.severity
		if e.rule == "" {
			message, severity = e.message, "info"
		}
		return fmt.Sprintf("%s|%d|%d|%s|%s|%s", e.file, e.line, e.col, severity, message, e.rule)
	})
	for file, path := range map[string]string{"vscode/package.json": "doc.contributes.problemMatchers", "vscode/tasks.json": "doc.tasks[0].problemMatcher"} {
		got := node(t, `
const fs = require("fs"), doc = JSON.parse(fs.readFileSync(process.argv[1], "utf8"));
for (const line of fs.readFileSync(0, "utf8").split("\n")) {
  for (const m of `+path+`) {
    const p = m.pattern[0], r = new RegExp(p.regexp).exec(line);
    if (r) console.log([r[p.file], p.line ? r[p.line] : 0, p.column ? r[p.column] : 0, p.severity ? r[p.severity] : m.severity, r[p.message], p.code ? r[p.code] : ""].join("|"));
  }
}`, text, file)
		same(t, got, want)
	}
}

// vim runs Vim without a terminal and gives its quickfix list: file, line,
// column, type, text.
func vim(t *testing.T, commands ...string) string {
	t.Helper()
	needs(t, "vim", "vim")
	out := filepath.Join(t.TempDir(), "list")
	args := []string{"-u", "NONE", "-i", "NONE", "-N", "-es"}
	for _, c := range append(commands,
		`call writefile(map(filter(getqflist(), 'v:val.valid'), {_, e -> printf('%s|%d|%d|%s|%s', bufname(e.bufnr), e.lnum, e.col, tolower(e.type), trim(e.text))}), '`+out+`')`,
		"qall!") {
		args = append(args, "-c", c)
	}
	cmd := child.Command(t, "vim", args...)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("vim: %v\n%s", err, said)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Vim's default errorformat takes all that has a line: findings and the places
// beside them. What else there is, it takes for text.
func TestVimDefault(t *testing.T) {
	text, findings := output(t)
	file := filepath.Join(t.TempDir(), "output")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	got := vim(t, "cgetfile "+file)
	same(t, got, list(findings, placed, func(e entry) string {
		return fmt.Sprintf("%s|%d|%d||%s: %s", e.file, e.line, e.col, e.severity, e.message)
	}))
}

// Vim's compiler plugin has :make run ftlint, and lists findings with their
// types, those without a line too.
func TestVimCompiler(t *testing.T) {
	text, findings := output(t)
	file := filepath.Join(t.TempDir(), "output")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	runtime := "set runtimepath+=" + abs(t, "vim")
	got := vim(t, runtime, "compiler ftlint", "cgetfile "+file)
	same(t, got, list(findings, func(entry) bool { return true }, func(e entry) string {
		return fmt.Sprintf("%s|%d|%d|%s|%s", e.file, e.line, e.col, e.severity[:1], e.message)
	}))
	got = vim(t, runtime, "compiler ftlint", "silent make! "+bad)
	if !strings.HasPrefix(got, bad+"|0|0|e|_etext is not on a page boundary ") || strings.Count(got, "\n") != 1 {
		t.Errorf(":make lists\n%s", got)
	}
}

// Emacs' compilation mode, as it comes, takes all that has a line, with its
// severity.
func TestEmacs(t *testing.T) {
	needs(t, "emacs", "emacs-nox")
	text, findings := output(t)
	file := filepath.Join(t.TempDir(), "output")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, all, status := call(t, ".", "emacs", "--batch", "-Q", "-l", "testdata/compilation.el", file)
	if status != 0 {
		t.Fatal(all)
	}
	var lines []string
	last := ""
	for l := range strings.Lines(out) {
		i := strings.LastIndexByte(l, '|')
		if l != last { // a line of output has several stretches
			lines = append(lines, l[:i])
		}
		last = l
	}
	same(t, strings.Join(lines, "\n"), list(findings, placed, func(e entry) string {
		return fmt.Sprintf("%s|%d|%d|%s", e.file, e.line, e.col, e.severity)
	}))
}

var update = flag.Bool("update", false, "write what the editors make of findings into docs/editors.md")

// The transcripts in docs/editors.md are what the editors make of the findings
// there.
func TestEditorsPage(t *testing.T) {
	needs(t, "emacs", "emacs-nox")
	text, _, _ := call(t, samples, program, "-q", "--rules", "FT104", "rfc-trampoline.elf")
	dir := t.TempDir()
	file := filepath.Join(dir, "output")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	vim(t, "set runtimepath+="+abs(t, "vim"), "compiler ftlint", "cgetfile "+file, "redir! > "+dir+"/clist", "silent clist", "redir END")
	clist, err := os.ReadFile(filepath.Join(dir, "clist"))
	if err != nil {
		t.Fatal(err)
	}
	got["vim"] = strings.TrimSpace(string(clist)) + "\n"
	emacs, all, status := call(t, ".", "emacs", "--batch", "-Q", "-l", "testdata/compilation.el", file)
	if status != 0 {
		t.Fatal(all)
	}
	seen := ""
	for l := range strings.Lines(emacs) {
		if l != seen {
			f := strings.Split(l, "|")
			got["emacs"] += fmt.Sprintf("%s, line %s, column %s: %s\n", f[0], f[1], f[2], f[3])
		}
		seen = l
	}
	got["vscode"] = node(t, `
const fs = require("fs"), p = JSON.parse(fs.readFileSync("vscode/package.json", "utf8")).contributes.problemMatchers[0].pattern[0];
for (const line of fs.readFileSync(0, "utf8").split("\n")) {
  const r = new RegExp(p.regexp).exec(line);
  if (r) console.log(r[p.file] + " [" + r[p.line] + ", " + r[p.column] + "] " + r[p.severity] + " ftlint(" + r[p.code] + ")\n  " + r[p.message]);
}`, text)
	b, err := os.ReadFile("../docs/editors.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	for editor, list := range got {
		head := "<!-- " + editor + " -->\n```text\n"
		_, rest, ok := strings.Cut(page, head)
		old, _, ok2 := strings.Cut(rest, "```")
		if !ok || !ok2 || list == "" {
			t.Fatalf("%s: no transcript on the page, or none to compare", editor)
		}
		switch {
		case old == list:
		case *update:
			page = strings.Replace(page, head+old, head+list, 1)
		default:
			t.Errorf("%s says (go test ./contrib -update)\n%s\nthe page says\n%s", editor, list, old)
		}
	}
	if *update {
		if err := os.WriteFile("../docs/editors.md", []byte(page), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}
