package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDocs runs every example of the documents: a block
//
//	```console
//	$ ftlint ARGS...
//	what it prints
//	```
//
// of README.md or docs/*.md. Standard output comes first, then standard
// error. What -o names is written to a folder of the test. A block behind
// "<!-- kernel: SUITE VERSION -->" runs on that suite's kernel as ./vmlinux,
// where scripts/fetch-kernels has put it; if that is another version by now,
// its figures may be others. With -update the documents get what ftlint prints:
// read the difference.
func TestDocs(t *testing.T) {
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range append(files, "../../README.md") {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		doc := string(b)
		for _, ex := range examples(doc) {
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

// The result in SARIF that docs/formats.md shows is what ftlint writes, with
// line ends and blanks put in.
func TestDocsSARIF(t *testing.T) {
	doc, err := os.ReadFile("../../docs/formats.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)`ftlint (-f sarif [^`]+)`:\n\n(```json\n.*?```\n)").FindSubmatch(doc)
	if m == nil {
		t.Fatal("docs/formats.md shows no SARIF")
	}
	t.Chdir("../..")
	var stdout, stderr bytes.Buffer
	run(append([]string{"-q"}, strings.Fields(string(m[1]))...), &stdout, &stderr)
	var log struct {
		Runs []struct{ Results []json.RawMessage }
	}
	if err := json.Unmarshal(stdout.Bytes(), &log); err != nil {
		t.Fatal(err)
	}
	got := bytes.NewBufferString("```json\n")
	if err := json.Indent(got, log.Runs[0].Results[0], "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteString("\n```\n")
	switch {
	case bytes.Equal(got.Bytes(), m[2]):
	case *update:
		if err := os.WriteFile("docs/formats.md", bytes.Replace(doc, m[2], got.Bytes(), 1), 0o666); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("the document says otherwise (-document +ftlint):\n%s", cmp.Diff(string(m[2]), got.String()))
	}
}

var update = flag.Bool("update", false, "write what ftlint prints into the documents")

// block is the example as the document has it.
func (ex example) block(output string) string {
	return "$ " + ex.command + "\n" + output + "```"
}

type example struct{ command, want, suite, version string }

var (
	block  = regexp.MustCompile("(?ms)(?:^<!-- kernel: (\\S+) (\\S+) -->\n)?^```console\n\\$ ([^\n]+)\n(.*?)^```$")
	figure = regexp.MustCompile(`0x[0-9a-f]+|[0-9]+([.][0-9]+)*`)
	took   = regexp.MustCompile(`(?m)^  \d+\.\d{3} s$`)
)

func examples(doc string) (out []example) {
	for _, m := range block.FindAllStringSubmatch(doc, -1) {
		out = append(out, example{command: m[3], want: m[4], suite: m[1], version: m[2]})
	}
	return out
}

// run runs the example; equal tells whether it prints what the document says.
func (ex example) run(t *testing.T) (got string, equal bool) {
	args, ok := strings.CutPrefix(ex.command, "go run ./cmd/ftlint ")
	if !ok {
		args, ok = strings.CutPrefix(ex.command, "ftlint")
	}
	if !ok {
		t.Fatalf("%q does not run ftlint", ex.command)
	}
	dir, same := "../..", func(s string) string { return took.ReplaceAllString(s, "  0.000 s") }
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
	t.Chdir(dir)
	var stdout, stderr bytes.Buffer
	words := strings.Fields(args)
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
	return got, same(got) == same(ex.want)
}

// kernels is where scripts/fetch-kernels puts kernels.
func kernels() string {
	if dir := os.Getenv("FTLINT_KERNELS"); dir != "" {
		return dir
	}
	cache, _ := os.UserCacheDir()
	return filepath.Join(cache, "ftlint", "kernels")
}
