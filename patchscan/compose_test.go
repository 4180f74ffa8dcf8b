package patchscan

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// commits makes a git tree of the versions of a file, one commit a version, and
// returns what git log writes of the commits behind the first. A version that is ""
// deletes the file.
func commits(t *testing.T, versions ...string) string {
	t.Helper()
	dir := t.TempDir()
	git := func(args ...string) string {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
			"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.org")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %q: %v: %s", args, err, out)
		}
		return string(out)
	}
	git("init", "-q")
	file := filepath.Join(dir, "a.c")
	for i, v := range versions {
		if v == "" {
			git("rm", "-q", "a.c")
		} else if err := os.WriteFile(file, []byte(v), 0o666); err != nil {
			t.Fatal(err)
		}
		git("add", "-A")
		git("commit", "-q", "--allow-empty", "-m", fmt.Sprint("version ", i))
	}
	return git("log", "-p", "--reverse", "--format=mboxrd", "HEAD~"+fmt.Sprint(len(versions)-1)+"..")
}

// lines are lines with numbers, each on a line: the numbers from and to, without
// those in but, then those of add behind a number.
func lines(from, to int, change map[int]string) string {
	var b strings.Builder
	for n := from; n <= to; n++ {
		if s, ok := change[n]; ok {
			b.WriteString(s)
			continue
		}
		fmt.Fprintf(&b, "line %d\n", n)
	}
	return b.String()
}

// What a series of patches shows, put together, is what the last version has: every
// line that is shown stands in it, in its order, and the lines that the series has
// added are those that the first version does not have.
func TestCompose(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("SKIPPED: no git")
	}
	base := lines(1, 60, nil)
	for name, versions := range map[string][]string{
		"one":                    {base, lines(1, 60, map[int]string{10: "one\n"})},
		"changed again":          {base, lines(1, 60, map[int]string{10: "one\ntwo\n"}), lines(1, 60, map[int]string{10: "one\n2\n"})},
		"taken back":             {base, lines(1, 60, map[int]string{10: "one\n"}), lines(1, 60, map[int]string{10: ""})},
		"added to":               {base, lines(1, 60, map[int]string{10: "one\n"}), lines(1, 60, map[int]string{10: "zero\none\ntwo\n"})},
		"beside":                 {base, lines(1, 60, map[int]string{10: "one\n"}), lines(1, 60, map[int]string{10: "one\n", 14: "four\n"})},
		"touching":               {base, lines(1, 60, map[int]string{10: "one\n"}), lines(1, 60, map[int]string{10: "one\n", 17: "four\n"})},
		"far":                    {base, lines(1, 60, map[int]string{40: "forty\n"}), lines(1, 60, map[int]string{10: "a\nb\nc\n", 40: "forty\n"}), lines(1, 60, map[int]string{10: "a\nb\nc\n", 40: "40\n"})},
		"lines removed before":   {base, lines(1, 60, map[int]string{40: "forty\n"}), lines(1, 60, map[int]string{5: "", 6: "", 40: "forty\n"}), lines(1, 60, map[int]string{5: "", 6: "", 40: "40\n"})},
		"two islands made one":   {base, lines(1, 60, map[int]string{10: "one\n", 30: "three\n"}), lines(1, 60, map[int]string{10: "one\n", 30: "three\n", 20: "two\n", 16: "x\n", 24: "y\n"}), lines(1, 60, map[int]string{10: "", 11: "", 12: "", 13: "", 30: "three\n", 20: "two\n", 16: "x\n", 24: "y\n"})},
		"several hunks in each":  {base, lines(1, 60, map[int]string{3: "a\nb\n", 20: "c\n", 50: "d\n"}), lines(1, 60, map[int]string{3: "a\n", 20: "c\nc\nc\n", 50: ""}), lines(1, 60, map[int]string{3: "", 20: "c\nC\nc\n", 50: "e\n"})},
		"restored":               {base, lines(1, 60, map[int]string{10: "", 11: ""}), base},
		"restored in part":       {base, lines(1, 60, map[int]string{10: "", 11: "", 12: "", 13: ""}), lines(1, 60, map[int]string{9: "line 9\none\n", 10: "", 12: "line 12\ntwo\n"})},
		"restored at the ends":   {base, lines(1, 60, map[int]string{1: "", 60: "", 59: ""}), lines(1, 60, map[int]string{1: "one\nline 1\n", 60: "sixty\n"})},
		"changed, and back":      {base, lines(1, 60, map[int]string{10: "one\n", 40: "two\n"}), lines(1, 60, map[int]string{10: "one\n", 14: "four\n"}), base},
		"restored twice":         {base, lines(1, 60, map[int]string{10: ""}), base, lines(1, 60, map[int]string{9: "", 10: "", 11: ""}), lines(1, 60, map[int]string{11: ""})},
		"deleted, and back":      {base, "", lines(1, 60, map[int]string{10: "one\n"})},
		"a new file":             {"", "one\ntwo\nthree\n", "one\n2\nthree\nfour\n"},
		"a new file, then again": {"", "one\ntwo\n", "", "three\n", "three\nfour\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if versions[0] == "" {
				versions[0] = "x\n"
				versions = append([]string{"x\n", ""}, versions[1:]...)
			}
			in := parse(t, "git", commits(t, versions...))
			last := strings.Split(versions[len(versions)-1], "\n")
			c := in.Compose(in.Patches)
			var added []string
			at := 0
			for _, f := range c.Files {
				for _, h := range f.Hunks {
					for _, l := range h.Lines {
						if l.Op == '-' {
							continue
						}
						for at < len(last) && last[at] != l.Text {
							at++
						}
						if at == len(last) {
							t.Fatalf("%q is not in the last version, or not in its order", l.Text)
						}
						at++
						if l.Op == '+' {
							added = append(added, l.Text)
						}
						if l.Op == '+' && !c.Adds(&l) {
							t.Errorf("%q is not added", l.Text)
						}
					}
				}
			}
			// Of the lines that patches add, those that are left and those that are gone
			// are all.
			was := "\n" + versions[0]
			var want []string
			for _, l := range last {
				if l != "" && !strings.Contains(was, "\n"+l+"\n") {
					want = append(want, l)
				}
			}
			if diff := cmp.Diff(want, added); diff != "" {
				t.Error(diff)
			}
			gone, all := 0, 0
			for _, f := range in.Files() {
				for _, h := range f.Hunks {
					for i := range h.Lines {
						if l := &h.Lines[i]; l.Op == '+' {
							all++
							if !c.Adds(l) {
								gone++
							}
						}
					}
				}
			}
			if gone+len(added) != all {
				t.Errorf("%d lines are added, %d are left and %d are gone", all, len(added), gone)
			}
		})
	}
}

// A patch of another version of a file is shown beside what is known.
func TestComposeOther(t *testing.T) {
	patch := func(n int, hunk string) string {
		return fmt.Sprintf("From a@example.org Mon May  5 12:00:00 2025\nFrom: a@example.org\nSubject: [PATCH %d/2] x\n\n---\n--- a/a.c\n+++ b/a.c\n%s", n, hunk)
	}
	in := parse(t, "x.mbox", patch(1, "@@ -1,2 +1,3 @@\n a\n+b\n c\n")+patch(2, "@@ -1,2 +1,3 @@\n d\n-e\n+f\n+g\n"))
	c := in.Compose(in.Patches)
	if len(c.Files) != 1 || len(c.Files[0].Hunks) != 2 {
		t.Fatalf("%d files, %d hunks", len(c.Files), len(c.Files[0].Hunks))
	}
	var got []string
	for _, h := range c.Files[0].Hunks {
		for _, l := range h.Lines {
			got = append(got, string(l.Op)+l.Text)
		}
	}
	if diff := cmp.Diff([]string{" a", "+b", " c", " d", "+f", "+g"}, got); diff != "" {
		t.Error(diff)
	}
}

// A line that is removed in one place and added in another is added.
func TestComposeMoved(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("SKIPPED: no git")
	}
	base := lines(1, 60, nil)
	in := parse(t, "git", commits(t, base, lines(1, 60, map[int]string{10: ""}), lines(1, 60, map[int]string{10: "", 12: "line 12\nline 10\n"})))
	c := in.Compose(in.Patches)
	added := 0
	for _, h := range c.Files[0].Hunks {
		for i := range h.Lines {
			if l := &h.Lines[i]; l.Op == '+' && c.Adds(l) {
				added++
			}
		}
	}
	if added != 1 {
		t.Errorf("%d lines are added", added)
	}
}
