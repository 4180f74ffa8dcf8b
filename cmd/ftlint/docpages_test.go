package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/internal/child"
)

// pages are README.md, CONTRIBUTING.md, CHANGELOG.md, docs/*.md and the rules' pages, by path in the tree.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, glob := range []string{"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/*.md", "rules/pages/*.md"} {
		files, err := filepath.Glob("../../" + glob)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no pages (%v)", glob, err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all[strings.TrimPrefix(filepath.ToSlash(file), "../../")] = string(b)
		}
	}
	return all
}

var (
	fenced  = regexp.MustCompile("(?ms)^```.*?^```$")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)|<img [^>]*src="([^"]+)"|<source [^>]*srcset="([^"]+)"`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
)

// TestDocLinks follows the links between pages, and into the tree.
func TestDocLinks(t *testing.T) {
	all := pages(t)
	n := 0
	for file, doc := range all {
		for _, m := range link.FindAllStringSubmatch(fenced.ReplaceAllString(doc, ""), -1) {
			to := m[1] + m[2] + m[3]
			if strings.Contains(to, "://") {
				continue
			}
			n++
			to, anchor, _ := strings.Cut(to, "#")
			target := path.Join(path.Dir(file), to)
			if to == "" {
				target = file
			}
			if _, err := os.Stat("../../" + target); err != nil {
				t.Errorf("%s: link to %s, which there is not", file, target)
				continue
			}
			if anchor != "" && !strings.Contains(anchors(all[target]), "#"+anchor+"\n") {
				t.Errorf("%s: link to %s#%s, which there is not", file, target, anchor)
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d links", n)
	}
	for file := range all {
		if dir, name := path.Split(file); dir == "docs/" && name != "README.md" && !strings.Contains(all["docs/README.md"], "("+name+")") {
			t.Errorf("docs/README.md does not lead to %s", name)
		}
	}
}

// anchors are those of a page's headings, as GitHub makes them, a line each.
func anchors(doc string) string {
	var b strings.Builder
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(doc, ""), -1) {
		b.WriteString("#")
		for _, r := range strings.ToLower(m[1]) {
			switch {
			case r == ' ':
				b.WriteByte('-')
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				b.WriteRune(r)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

var (
	included = regexp.MustCompile("(?ms)^<!-- file: (\\S+) -->\n```[a-z]*\n(.*?)^```$")
	excerpt  = regexp.MustCompile("(?ms)^<!-- part: (\\S+) -->\n```[a-z]*\n(.*?)^```$")
)

// TestDocFiles makes sure that a block behind "<!-- file: PATH -->" is that
// file of the tree, and one behind "<!-- part: PATH -->" some lines of it.
func TestDocFiles(t *testing.T) {
	n := 0
	for file, doc := range pages(t) {
		was := doc
		for _, m := range excerpt.FindAllStringSubmatch(doc, -1) {
			if b, err := os.ReadFile("../../" + m[1]); err != nil {
				t.Error(err)
			} else if !strings.Contains("\n"+string(b), "\n"+m[2]) {
				t.Errorf("%s: %s has no lines like\n%s", file, m[1], m[2])
			}
		}
		for _, m := range included.FindAllStringSubmatch(doc, -1) {
			n++
			b, err := os.ReadFile("../../" + m[1])
			if err != nil {
				t.Error(err)
				continue
			}
			if *update {
				doc = strings.Replace(doc, m[0], strings.TrimSuffix(m[0], m[2]+"```")+string(b)+"```", 1)
			} else if diff := cmp.Diff(string(b), m[2]); diff != "" {
				t.Errorf("%s: the block is not %s (-file +block; go test ./cmd/ftlint -update):\n%s", file, m[1], diff)
			}
		}
		if doc != was {
			if err := os.WriteFile("../../"+file, []byte(doc), 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n == 0 {
		t.Error("no page shows a file")
	}
}

var shell = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// TestDocFlags parses the command lines of ftlint that the pages show without
// their output: the commands and flags must exist.
func TestDocFlags(t *testing.T) {
	n := 0
	for file, doc := range pages(t) {
		for _, block := range shell.FindAllStringSubmatch(doc, -1) {
			for line := range strings.Lines(block[1]) {
				args, ok := ftlintArgs(line)
				if !ok {
					continue
				}
				n++
				root := command(io.Discard, io.Discard)
				for _, c := range append(root.Commands(), root) {
					if c.RunE != nil { // parse, and do nothing
						c.RunE = func(*cobra.Command, []string) error { return nil }
					}
				}
				root.SetArgs(args)
				root.SetOut(io.Discard)
				root.SetErr(io.Discard)
				if err := root.Execute(); err != nil {
					t.Errorf("%s: %s: %v", file, strings.TrimSpace(line), err)
				}
			}
		}
	}
	if n < 5 {
		t.Errorf("only %d command lines", n)
	}
}

// ftlintArgs are the arguments of ftlint in a line of shell, up to a pipe, a
// redirection, a comment or another command.
func ftlintArgs(line string) (args []string, ok bool) {
	line, _, _ = strings.Cut(line, " #")
	for _, part := range regexp.MustCompile(`\||&&|;`).Split(line, -1) {
		words := strings.Fields(part)
		if len(words) == 0 || path.Base(words[0]) != "ftlint" {
			continue
		}
		for _, w := range words[1:] {
			if strings.HasPrefix(w, ">") || strings.HasPrefix(w, "2>") {
				break
			}
			args = append(args, strings.Trim(w, `'"`))
		}
		return args, true
	}
	return nil, false
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		got, want string
		ok        bool
	}{
		{"a\nb\n", "a\nb\n", true},
		{"a\nb\n", "a\n", false},
		{"a\nb\nc\n", "a\n...\nc\n", true},
		{"a\nc\n", "a\n...\nc\n", true},
		{"a\nb\nc\n", "...\nc\n", true},
		{"a\nb\nc\n", "a\n...\n", true},
		{"a\nb\nc\n", "...\nb\n", false},
		{"a\nb\nxc\n", "a\n...\nc\n", false},
		{"a.b\n", "axb\n", false},
		{"axb\n", "a.b\n", false},
	} {
		if matches(c.got, c.want) != c.ok {
			t.Errorf("matches(%q, %q) = %v", c.got, c.want, !c.ok)
		}
	}
}

// TestDocRooms makes sure that CONTRIBUTING.md's table has each package, below
// those that the package imports.
func TestDocRooms(t *testing.T) {
	const list = `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`
	out, err := child.Command(t, "go", "list", "-f", list, "../../...").Output()
	if err != nil {
		t.Fatal(err)
	}
	const tree = "github.com/ftlint/ftlint/"
	at := map[string]int{}
	for i, m := range regexp.MustCompile(`(?m)^\| \[(\S+)\]\((\S+)\) \|`).FindAllStringSubmatch(pages(t)["CONTRIBUTING.md"], -1) {
		if m[1] != m[2] {
			t.Errorf("CONTRIBUTING.md: %s leads to %s", m[1], m[2])
		}
		at[m[1]] = i + 1
	}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		room, inTree := strings.CutPrefix(words[0], tree)
		top, _, _ := strings.Cut(room, "/")
		if !inTree || slices.Contains([]string{"contrib", "internal", "live", "scripts"}, top) {
			continue
		}
		if at[room] == 0 {
			t.Errorf("CONTRIBUTING.md: the table of packages lacks %s", room)
			continue
		}
		for _, path := range words[1:] {
			if imported, ok := strings.CutPrefix(path, tree); ok && at[imported] > at[room] {
				t.Errorf("CONTRIBUTING.md: %s imports %s, which is below it in the table", room, imported)
			}
		}
	}
}

// TestReadmeCommands runs the commands that the README shows without what they
// print: in blocks, and in the first column of tables.
func TestReadmeCommands(t *testing.T) {
	dir := t.TempDir()
	for to, from := range map[string]string{
		"vmlinux":                 "testdata/module-samples/kernel-callops.elf",
		"old/vmlinux":             "testdata/module-samples/kernel-callops.elf",
		"modules/good.ko":         "testdata/module-samples/good-callops.ko",
		"0001-arm64-ftrace.patch": "patchchecks/testdata/example.patch",
	} {
		b, err := os.ReadFile("../../" + from)
		if err != nil {
			t.Fatal(err)
		}
		to = filepath.Join(dir, to)
		if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	readme := pages(t)["README.md"]
	t.Chdir(dir)
	shown := strings.Join(regexp.MustCompile("(?ms)^```sh$.*?^```$|^\\| `[^`\n]*` \\|").FindAllString(readme, -1), "\n")
	commands := regexp.MustCompile("(?m)^(?:\\| `)?ftlint ([^`#\n]+)").FindAllStringSubmatch(shown, -1)
	if len(commands) < 7 {
		t.Errorf("only %d commands", len(commands))
	}
	for _, m := range commands {
		args := strings.Fields(strings.ReplaceAll(m[1], "/lib/modules/VERSION/", "modules/"))
		var stdout, stderr strings.Builder
		if status := run(args, &stdout, &stderr); status != exitClean {
			t.Errorf("ftlint %s: exit status %d\n%s%s", m[1], status, stdout.String(), stderr.String())
		}
	}
}

// TestDocBench makes sure that the README's table of figures is one that
// scripts/bench prints, but for the figures.
func TestDocBench(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short: scripts/bench takes a minute")
	}
	if _, err := os.Stat(filepath.Join(kernels(), "trixie/current/modules")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("SKIPPED: no modules of trixie: run FTLINT_MODULES=1 scripts/fetch-kernels")
	}
	cmd := child.Command(t, "../../scripts/bench")
	cmd.Env = append(os.Environ(), "FTLINT_RUNS=1", "FTLINT_BENCH_PATCHES=3")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("scripts/bench: %v\n%s", err, stderr.String())
	}
	form := func(s string) string { return figure.ReplaceAllString(s, "N") }
	first, _, _ := strings.Cut(string(out), "\n")
	readme := form(pages(t)["README.md"])
	at := strings.Index(readme, form(first))
	if at < 0 {
		t.Fatalf("README.md has no %q", form(first))
	}
	got := readme[at:]
	if diff := cmp.Diff(form(string(out)), got[:min(len(got), len(form(string(out))))]); diff != "" {
		t.Errorf("README.md has another table (-scripts/bench +README.md):\n%s", diff)
	}
}

// TestDocAnalyzers makes sure that docs/writing-a-check.md names the shared
// analyzers, and what each of them gives.
func TestDocAnalyzers(t *testing.T) {
	page := pages(t)["docs/writing-a-check.md"]
	for name, a := range map[string]*analysis.Analyzer{
		"Image": checks.Image, "Sites": checks.Sites, "Entry": checks.Entry, "Template": checks.Template, "Types": checks.Types,
		"SiteRuns": checks.SiteRuns, "EntryRuns": checks.EntryRuns, "Built": checks.Built, "TrampRuns": checks.TrampRuns,
		"InKernel": checks.InKernel,
	} {
		if row := fmt.Sprintf("| `checks.%s` | `%s` |", name, a.ResultType); !strings.Contains(page, row) {
			t.Errorf("docs/writing-a-check.md has no %q", row)
		}
	}
}

// TestDocPicture makes sure that the instructions in docs/how-it-works.svg are
// those of the sample: the first of an address the model's, the second what
// was executed.
func TestDocPicture(t *testing.T) {
	b, err := os.ReadFile("../../docs/how-it-works.svg")
	if err != nil {
		t.Fatal(err)
	}
	var svg struct {
		Text []struct {
			Class string `xml:"class,attr"`
			Line  string `xml:",chardata"`
		} `xml:"text"`
	}
	if err := xml.Unmarshal(b, &svg); err != nil {
		t.Fatal(err)
	}
	model, fact := map[string]string{}, map[string]string{} // instruction by offset
	var stdout, stderr strings.Builder
	if status := run([]string{"show", "../../testdata/vmlinux-samples/builders/builder-slot-from-end.elf"}, &stdout, &stderr); status != 0 {
		t.Fatal(stderr.String())
	}
	_, listing, _ := strings.Cut(stdout.String(), "\ntrampoline of ftrace_caller at ")
	listing, _, _ = strings.Cut(listing, "\n\n")
	for _, m := range regexp.MustCompile(`(?m)^  ffff80007fc000(\w\w):  \w{8}  (.*?) *(?:! (.*?))?  //`).FindAllStringSubmatch(listing, -1) {
		offset := "+0x" + m[1]
		fact[offset], model[offset] = m[2], m[3]
		if m[3] == "" {
			model[offset] = m[2]
		}
	}
	n, seen := 0, map[string]bool{}
	for _, text := range svg.Text {
		if !strings.Contains(text.Class, "code") {
			continue
		}
		n++
		offset, insn, _ := strings.Cut(text.Line, "  ")
		want := model
		if seen[offset] {
			want = fact
		}
		seen[offset] = true
		if insn != want[offset] {
			t.Errorf("the picture has %q at %s, the sample %q", insn, offset, want[offset])
		}
	}
	if n != 10 {
		t.Errorf("%d instructions in the picture", n)
	}
}
