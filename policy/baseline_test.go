package policy_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/hostile"
	"github.com/ftlint/ftlint/policy"
)

const header = `{"format":"ftlint baseline","version":1}` + "\n"

func written(t testing.TB, b *policy.Baseline) string {
	t.Helper()
	var buf bytes.Buffer
	if err := b.Write(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

func parsed(t testing.TB, text string) *policy.Baseline {
	t.Helper()
	b, err := policy.ParseBaseline("base", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBaselineFile(t *testing.T) {
	const sorted = header +
		`{"rule":"FT409","object":"foo","symbol":"a","text":"bl #","count":2}` + "\n" +
		`{"rule":"FT303","object":"vmlinux","text":"_etext is at <#>","count":1}` + "\n" +
		`{"rule":"FT407","object":"vmlinux","symbol":"a","text":"nop","count":3}` + "\n" +
		`{"rule":"FT407","object":"vmlinux","symbol":"b","text":"nop","count":1}` + "\n"
	if got := written(t, parsed(t, sorted)); got != sorted {
		t.Errorf("written:\n%s", got)
	}
	// As a merge may leave it: in another order, with lines that are there
	// twice, or with two counts, or no longer by line feeds alone.
	lines := strings.SplitAfter(sorted, "\n")
	merged := lines[0] + "\r\n" + lines[4] + lines[3] + lines[1] + strings.Replace(lines[3], ":3", ":2", 1) + lines[2] + lines[0] + lines[1]
	if got := written(t, parsed(t, strings.ReplaceAll(merged, "}\n", "}\r\n"))); got != sorted {
		t.Errorf("merged:\n%s", got)
	}
	for _, test := range []struct{ text, want string }{
		{"", `base:1: not a baseline: the file is empty`},
		{"\n\nroot:x:0:0\n", `base:3: not a baseline: the file does not begin with {"format":"ftlint baseline","version":1}`},
		{`{"format":"other","version":1}`, `base:1: not a baseline: the file does not begin with {"format":"ftlint baseline","version":1}`},
		{`{"format":"ftlint baseline","version":2}`, `base:1: a baseline of version 2; this ftlint reads version 1`},
		{header + "\n<<<<<<< HEAD\n", `base:3: a merge left this conflict: write the baseline again, or keep the lines of both sides`},
		{header + "secret\n", `base:2: not a line of a baseline: want {"rule":...,"object":...,"symbol":...,"text":...,"headline":...,"count":...}`},
		{header + `{"rule":"FT407","object":"vmlinux","count":1} x`, `base:2: not a line of a baseline: want {"rule":...,"object":...,"symbol":...,"text":...,"headline":...,"count":...}`},
		{header + `{"rule":"FT407","object":"vmlinux","colour":1,"count":1}`, `base:2: not a line of a baseline: want {"rule":...,"object":...,"symbol":...,"text":...,"headline":...,"count":...}`},
		{header + `{"rule":"FT407","count":1}`, `base:2: a line without a rule or an object`},
		{header + `{"rule":"FT407","object":"vmlinux"}`, `base:2: the count is 0: want 1 or more`},
		{header + `{"rule":"FT407","object":"vmlinux","count":-1}`, `base:2: the count is -1: want 1 or more`},
	} {
		if _, err := policy.ParseBaseline("base", []byte(test.text)); err == nil || err.Error() != test.want {
			t.Errorf("%q:\n got %v\nwant %s", test.text, err, test.want)
		}
	}
	dir := t.TempDir()
	if _, err := policy.ReadBaseline(dir, false); err == nil || err.Error() != "baseline "+dir+": is not a regular file" {
		t.Errorf("a folder: %v", err)
	}
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, bytes.Repeat([]byte("\n"), 16<<20+1), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := policy.ReadBaseline(large, false); err == nil || !strings.Contains(err.Error(), "has more than 16384 KiB") {
		t.Errorf("a large file: %v", err)
	}
}

// One rule can find two defects at one instruction: an entry knows one of them, by
// its headline. An entry of an older baseline, without a headline, knows any.
func TestSieveKnows(t *testing.T) {
	const at = `{"rule":"FT409","object":"vmlinux","symbol":"ftrace_make_call","text":"nop",`
	for _, c := range []struct {
		entry string
		known []string // of the headlines a, b, a
	}{
		{at + `"headline":"a","count":1}`, []string{"a"}},
		{at + `"headline":"a","count":2}`, []string{"a", "a"}},
		{at + `"headline":"b","count":2}`, []string{"b"}},
		{at + `"count":1}`, []string{"a"}},
		{at + `"count":2}`, []string{"a", "b"}},
		{at + `"headline":"b","count":1}` + "\n" + at + `"count":3}`, []string{"a", "b", "a"}},
		{at + `"headline":"c","count":1}`, nil},
	} {
		sieve := (&policy.Policy{Baseline: parsed(t, header+c.entry+"\n")}).Sieve("vmlinux")
		var known []string
		for _, headline := range []string{"a", "b", "a"} {
			f := finding.Finding{Identity: finding.Identity{Rule: "FT409", Object: "vmlinux", Symbol: "ftrace_make_call", Text: "nop", Headline: headline}}
			if !sieve.Pass(&f) {
				known = append(known, headline)
			}
		}
		if diff := cmp.Diff(c.known, known); diff != "" {
			t.Errorf("%s: %s", c.entry, diff)
		}
	}
}

func TestPatterns(t *testing.T) {
	dir, err := filepath.Abs("/src/linux")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		pattern, path string
		want          bool
	}{
		{"drivers/staging", "drivers/staging/x/y.ko", true},
		{"drivers/staging/", "drivers/staging/y.ko", true},
		{"drivers/staging", "drivers/staging2/y.ko", false},
		{"drivers/staging", "a/drivers/staging/y.ko", false},
		{"**/staging", "a/drivers/staging/y.ko", true},
		{"staging", "a/drivers/staging/y.ko", true},
		{"*.ko", "a/b/c.ko", true},
		{"*.ko", "a/b/c.ko.xz", false},
		{"a/*.ko", "a/b/c.ko", false},
		{"a/**/*.ko", "a/b/c.ko", true},
		{"./a", "a/b.c", true},
		{"a/b", "./a//b/c.c", true},
		{"drivers", dir + "/drivers/x.ko", true},
		{"/src/linux/drivers", dir + "/drivers/x.ko", true},
		{"drivers/x.ko", "/elsewhere/drivers/x.ko", false},
		{"{a,b}/c.c", "b/c.c", true},
		{"a", "", false},
		{"*", "x", true},
		{"/", "/x", false},
	} {
		q := &policy.Policy{Dir: dir, Ignore: []policy.Value{{Text: test.pattern}}}
		if got := q.IgnoresInput(test.path); got != test.want {
			t.Errorf("%q with %q: %v", test.path, test.pattern, got)
		}
	}
	if (*policy.Policy)(nil).IgnoresInput("x") {
		t.Error("without a configuration an input is ignored")
	}
}

// FuzzBaseline reads anything as a baseline, in memory by its size. An error is
// one line with the file's name and a line that it has; it is the same when read
// again; and what is read and written is the same when read and written once
// more.
func FuzzBaseline(f *testing.F) {
	for _, seed := range []string{
		"", header, header + `{"rule":"FT407","object":"vmlinux","symbol":"a","text":"nop","count":1}` + "\n" + `{"rule":"FT101","object":"m","text":"\u2028<é\u0000","count":1073741824}`,
		header + "\r\n\n{\"RULE\":\"FT407\",\"rule\":\"x\",\"object\":\"\xff\",\"count\":2}\n", `{"format":"ftlint baseline","version":1e0}`, header + "<<<<<<<\n=======\n>>>>>>>", header + `{"rule":"a","object":"b","count":1}` + "\n" + `{"rule":"a","object":"b","count":3}`,
		header + `{"rule":"a","object":"b","count":1.5}`, header + `{"rule":"a","object":"b","count":99999999999999999999}`, header + `[[[[`, "\ufeff" + header,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var b, again *policy.Baseline
		var err, err2 error
		hostile.Bounded(t, 4<<20, 4<<10, len(text), func() {
			b, err = policy.ParseBaseline("dir/base", text)
			again, err2 = policy.ParseBaseline("dir/base", text)
		})
		if fmt.Sprint(err) != fmt.Sprint(err2) {
			t.Fatalf("read twice: %v, %v", err, err2)
		}
		if err != nil {
			hostile.OneLine(t, err, "dir/base:")
			var line int
			if n, _ := fmt.Sscanf(err.Error(), "dir/base:%d:", &line); n != 1 || line < 1 || line > 1+bytes.Count(text, []byte("\n")) {
				t.Fatalf("%q: the error is at line %d: %v", text, line, err)
			}
			if len(err.Error()) > 200 {
				t.Fatalf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		entries := b.Entries()
		if !slices.Equal(entries, again.Entries()) {
			t.Fatalf("read twice: %v, %v", entries, again.Entries())
		}
		if len(entries) > bytes.Count(text, []byte("\n")) {
			t.Fatalf("%d entries of %q", len(entries), text)
		}
		out := written(t, b)
		back, err := policy.ParseBaseline("dir/base", []byte(out))
		if err != nil {
			t.Fatalf("written as\n%s: %v", out, err)
		}
		if diff := cmp.Diff(entries, back.Entries()); diff != "" {
			t.Fatalf("written as\n%s(-read +written and read):\n%s", out, diff)
		}
		if again := written(t, back); again != out {
			t.Fatalf("written as\n%sand then as\n%s", out, again)
		}
	})
}
