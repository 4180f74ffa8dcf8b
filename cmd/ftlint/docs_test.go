package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ftlint/ftlint/internal/child"
)

// TestDocs runs every example of the documents: a block
//
//	```console
//	$ ftlint ARGS...
//	what it prints
//	```
//
// of README.md, CONTRIBUTING.md or docs/*.md. Standard output comes first, then standard
// error. What -o names is written to a folder of the test. A block behind
// "<!-- kernel: SUITE VERSION -->" runs on that suite's kernel as ./vmlinux,
// where scripts/fetch-kernels has put it; if that is another version by now,
// its figures may be others. With -update the documents get what ftlint prints:
// read the difference.
// Such a block may also run the kernel's checkpatch.pl, on example.patch.
//
// A line "..." stands for any number of lines. Behind "<!-- in: FOLDER -->" the
// command is one of the go tool, in that folder.
func TestDocs(t *testing.T) {
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range append(files, "../../README.md", "../../CONTRIBUTING.md") {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		doc := string(b)
		all := examples(doc)
		if fences := strings.Count(doc, "```console"); fences != len(all) {
			t.Errorf("%s: %d of %d console blocks are examples that can be run", file, len(all), fences)
		}
		for _, ex := range all {
			n++
			t.Run(filepath.Base(file)+"/"+ex.command, func(t *testing.T) {
				got, equal := ex.run(t)
				switch {
				case equal:
				case *update:
					doc = strings.Replace(doc, ex.block(ex.want), ex.block(got), 1)
				default:
					t.Errorf("the document says otherwise (-document +ftlint):\n%s", cmp.Diff(ex.want, got))
				}
			})
		}
		if *update {
			if err := os.WriteFile(file, []byte(doc), 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n == 0 {
		t.Error("the documents have no example")
	}
}

var update = flag.Bool("update", false, "write what ftlint prints into the documents")

// block is the example as the document has it.
func (ex example) block(output string) string {
	return "$ " + ex.command + "\n" + output + "```"
}

type example struct{ command, want, suite, version, in string }

var (
	block  = regexp.MustCompile("(?ms)(?:^<!-- kernel: (\\S+) (\\S+) -->\n|^<!-- in: (\\S+) -->\n)?^```console\n\\$ ([^\n]+)\n(.*?)^```$")
	figure = regexp.MustCompile(`0x[0-9a-f]+|[0-9]+([.][0-9]+)*`)
	tested = regexp.MustCompile(`(?m)\t(?:\(cached\)|\d+\.\d+s)$`) // go test
	wrote  = regexp.MustCompile(`(?m)^ftlint \S+, schema`)
	took   = regexp.MustCompile(`(?m)^  \d+\.\d{3} s$`)
)

func examples(doc string) (out []example) {
	for _, m := range block.FindAllStringSubmatch(doc, -1) {
		out = append(out, example{suite: m[1], version: m[2], in: m[3], command: m[4], want: m[5]})
	}
	return out
}

// words splits arguments at blanks as a shell does; single quotes keep them.
func words(args string) (list []string) {
	for _, word := range quoted.FindAllString(args, -1) {
		list = append(list, strings.ReplaceAll(word, "'", ""))
	}
	return list
}

var quoted = regexp.MustCompile(`(?:'[^']*'|[^\s'])+`)

// run runs the example; equal tells whether it prints what the document says.
func (ex example) run(t *testing.T) (got string, equal bool) {
	if ex.in != "" {
		return ex.runGo(t)
	}
	const checkpatch = "checkpatch.pl "
	args, ok := strings.CutPrefix(ex.command, "go run ./cmd/ftlint ")
	if !ok {
		args, ok = strings.CutPrefix(ex.command, "ftlint")
	}
	if !ok && ex.suite != "" {
		args, ok = strings.CutPrefix(ex.command, checkpatch)
	}
	if !ok {
		t.Fatalf("%q does not run ftlint", ex.command)
	}
	dir, same := "../..", func(s string) string {
		return wrote.ReplaceAllString(took.ReplaceAllString(s, "  0.000 s"), "ftlint VERSION, schema")
	}
	if ex.suite != "" {
		dir = filepath.Join(kernels(), ex.suite, "current")
		version, err := os.Readlink(dir)
		if err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skipf("SKIPPED: no kernel of %s: run scripts/fetch-kernels", ex.suite)
		}
		if version != ex.version {
			same = func(s string) string { return figure.ReplaceAllString(s, "N") }
		}
	}
	run := run
	switch {
	case strings.HasPrefix(ex.command, checkpatch):
		run = program(t, "perl", filepath.Join(dir, "src/scripts/checkpatch.pl"))
		// A file that git knows is no patch to it.
		patch, err := os.ReadFile("../../patchchecks/testdata/example.patch")
		if err != nil {
			t.Fatal(err)
		}
		dir = t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "example.patch"), patch, 0o666); err != nil {
			t.Fatal(err)
		}
	case ex.suite != "": // as it is built for users: the race detector is slow on a kernel
		run = program(t, ftlint(t))
	}
	t.Chdir(dir)
	var stdout, stderr bytes.Buffer
	words := words(args)
	for i := range words {
		if format, file, ok := strings.Cut(words[i], "="); ok && i > 0 && words[i-1] == "-o" {
			words[i] = format + "=" + filepath.Join(t.TempDir(), file)
		}
	}
	status := run(words, &stdout, &stderr)
	if status != 0 && strings.HasPrefix(ex.command, "go run ") {
		fmt.Fprintf(&stderr, "exit status %d\n", status)
	}
	got = stdout.String() + stderr.String()
	return got, matches(same(got), same(ex.want))
}

// program is run, but of another program: its name and first arguments.
func program(t *testing.T, words ...string) func(args []string, stdout, stderr io.Writer) int {
	return func(args []string, stdout, stderr io.Writer) int {
		cmd := child.Command(t, words[0], append(words[1:len(words):len(words)], args...)...)
		cmd.Stdout, cmd.Stderr = stdout, stderr
		if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode()
	}
}

// runGo is run for a command of the go tool.
func (ex example) runGo(t *testing.T) (got string, equal bool) {
	words := strings.Fields(ex.command)
	if words[0] != "go" {
		t.Fatalf("%q is no command of the go tool", ex.command)
	}
	dir := filepath.Join("../..", ex.in)
	if *update { // its go.mod follows that of this tree
		tidy := child.Command(t, "go", "mod", "tidy")
		tidy.Dir = dir
		if out, err := tidy.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	cmd := child.Command(t, "go", words[1:]...)
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	if strings.Contains(stderr.String(), "go.sum") || strings.Contains(stderr.String(), "go.mod") {
		t.Errorf("%s/go.mod does not fit this tree's any more: run go mod tidy there", ex.in)
	}
	same := func(s string) string {
		return tested.ReplaceAllString(took.ReplaceAllString(s, "  0.000 s"), "\t(cached)")
	}
	got = stdout.String() + stderr.String()
	return got, matches(same(got), same(ex.want))
}

// matches tells whether got is want, in which a line "..." stands for any
// number of lines.
func matches(got, want string) bool {
	var parts []string
	for _, part := range regexp.MustCompile(`(?m)^\.\.\.\n`).Split(want, -1) {
		parts = append(parts, regexp.QuoteMeta(part))
	}
	return regexp.MustCompile(`^` + strings.Join(parts, `(?s:(?:.*\n)?)`) + `$`).MatchString(got)
}

// kernels is where scripts/fetch-kernels puts kernels.
func kernels() string {
	if dir := os.Getenv("FTLINT_KERNELS"); dir != "" {
		return dir
	}
	cache, _ := os.UserCacheDir()
	return filepath.Join(cache, "ftlint", "kernels")
}
