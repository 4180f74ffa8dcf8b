package lint_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/patchscan"
)

// A change is one patch of a series: the hunks of one file.
type change struct{ path, hunks string }

// mails are the patches of a series as mails.
func mails(changes []change) (out []string) {
	for i, c := range changes {
		out = append(out, fmt.Sprintf("From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\nFrom: a@example.org\nSubject: [PATCH %d/%d] arm64: x\n\nWords.\n---\ndiff --git a/%s b/%[3]s\n--- a/%[3]s\n+++ b/%[3]s\n%[4]s-- \n2.39\n\n",
			i+1, len(changes), c.path, c.hunks))
	}
	return out
}

// added is a hunk that makes a file of lines.
func added(lines string) string {
	return fmt.Sprintf("@@ -0,0 +1,%d @@\n+%s\n", strings.Count(lines, "\n")+1, strings.ReplaceAll(lines, "\n", "\n+"))
}

const tramp = "arch/arm64/kernel/tramp.c"

// makeTramp makes code executable that is writable, and whose caches are not
// maintained.
const makeTramp = "void *make(int n)\n{\n\tvoid *p = module_alloc(n);\n\n\tmemcpy(p, tmpl, n);\n\tset_memory_x((unsigned long)p, 1);\n\treturn p;\n}"

// A series is judged as it leaves the code: what a later patch mends, by removing
// lines or by adding some, is no finding, and helpers of earlier patches are known.
// The patches may be in one mailbox or in files of their own.
func TestSeries(t *testing.T) {
	for name, test := range map[string]struct {
		changes []change
		want    string // the patch, the rule, the line of the patched file
	}{
		"not mended": {[]change{{tramp, added(makeTramp)}, {"arch/arm64/kernel/other.c", added("int a;")}},
			"1 FT301 6, 1 FT306 6"},
		"mended by lines that are added": {[]change{{tramp, added(makeTramp)},
			{tramp, "@@ -4,4 +4,6 @@ void *make(int n)\n \n \tmemcpy(p, tmpl, n);\n+\tflush_icache_range((unsigned long)p, (unsigned long)p + n);\n+\tset_memory_ro((unsigned long)p, 1);\n \tset_memory_x((unsigned long)p, 1);\n \treturn p;\n"}},
			""},
		"one of two is mended": {[]change{{tramp, added(makeTramp)},
			{tramp, "@@ -4,4 +4,5 @@ void *make(int n)\n \n \tmemcpy(p, tmpl, n);\n+\tset_memory_ro((unsigned long)p, 1);\n \tset_memory_x((unsigned long)p, 1);\n \treturn p;\n"}},
			"1 FT306 6"},
		"mended by lines that go": {[]change{{tramp, added(makeTramp)},
			{tramp, "@@ -4,5 +4,4 @@ void *make(int n)\n \n \tmemcpy(p, tmpl, n);\n-\tset_memory_x((unsigned long)p, 1);\n \treturn p;\n }\n"}},
			""},
		"mended, and broken again": {[]change{{tramp, added(makeTramp)},
			{tramp, "@@ -6,1 +6,1 @@ void *make(int n)\n-\tset_memory_x((unsigned long)p, 1);\n+\tset_memory_rox((unsigned long)p, 1);\n"},
			{tramp, "@@ -6,1 +6,2 @@ void *make(int n)\n-\tset_memory_rox((unsigned long)p, 1);\n+\tflush_icache_range((unsigned long)p, (unsigned long)p + n);\n+\tset_memory_x((unsigned long)p, 1);\n"}},
			"3 FT301 7"},
		"the file goes": {[]change{{tramp, added(makeTramp)},
			{tramp, "@@ -1,8 +0,0 @@\n-" + strings.ReplaceAll(makeTramp, "\n", "\n-") + "\n"}},
			""},
		"a comment goes": {[]change{{"arch/arm64/kernel/ftrace.c", added("/* TODO: more */\nint a;")}, {"arch/arm64/kernel/ftrace.c", "@@ -1,2 +1,1 @@\n-/* TODO: more */\n int a;\n"}},
			""},
		"a helper in another file": {[]change{{"arch/arm64/kernel/lib.c", added("void sync_code(void *p, int n)\n{\n\tflush_icache_range((unsigned long)p, (unsigned long)p + n);\n}")},
			{"arch/arm64/kernel/other.c", added("int a;")},
			{tramp, added(strings.Replace(makeTramp, "\tset_memory_x(", "\tsync_code(p, n);\n\tset_memory_ro((unsigned long)p, 1);\n\tset_memory_x(", 1))}},
			""},
		"an allocator in another file": {[]change{{"arch/arm64/kernel/lib.c", added("void *alloc_tramp(int n)\n{\n\treturn module_alloc(n);\n}")},
			{tramp, added(strings.Replace(makeTramp, "module_alloc", "alloc_tramp", 1))}},
			"2 FT301 6, 2 FT306 6"},
	} {
		t.Run(name, func(t *testing.T) {
			box := mails(test.changes)
			in, err := patchscan.Parse("x.mbox", strings.Join(box, ""))
			if err != nil {
				t.Fatal(err)
			}
			// Where each mail of the mailbox begins.
			var starts []int
			for i := range box {
				starts = append(starts, strings.Count(strings.Join(box[:i], ""), "\n")+1)
			}
			var got []string
			for _, f := range lint.Patch(t.Context(), in, lint.Config{}).Findings {
				n := 0
				for n < len(starts) && starts[n] <= f.Related[0].Line {
					n++
				}
				got = append(got, fmt.Sprintf("%d %s %d", n, f.Rule.ID, f.Line))
			}
			slices.Sort(got)
			if s := strings.Join(got, ", "); s != test.want {
				t.Errorf("a mailbox: %q, want %q", s, test.want)
			}
			// In files of their own, the findings are in the results of the files.
			dir := t.TempDir()
			var files []string
			for i, m := range box {
				files = append(files, filepath.Join(dir, fmt.Sprintf("%04d-x.patch", i+1)))
				if err := os.WriteFile(files[i], []byte(m), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			got = nil
			seen := 0
			_, err = lint.Run(t.Context(), lint.Inputs{Patches: files}, lint.Config{}, func(res *finding.Result) {
				if res.Path != files[seen] {
					t.Errorf("result %d is of %s", seen+1, res.Path)
				}
				seen++
				if res.Patch.Patches != 1 || res.Patch.Files != 1 {
					t.Errorf("%s: %+v", res.Path, res.Patch)
				}
				for _, f := range res.Findings {
					if f.Related[0].Path != res.Path {
						t.Errorf("%s: a finding of %s", res.Path, f.Related[0].Path)
					}
					text := strings.Split(box[seen-1], "\n")[f.Related[0].Line-1]
					if strings.TrimPrefix(text, "+") != f.Source {
						t.Errorf("line %d is %q, not %q", f.Related[0].Line, text, f.Source)
					}
					got = append(got, fmt.Sprintf("%d %s %d", seen, f.Rule.ID, f.Line))
				}
			})
			if err != nil || seen != len(files) {
				t.Errorf("%d results, %v", seen, err)
			}
			slices.Sort(got)
			if s := strings.Join(got, ", "); s != test.want {
				t.Errorf("files: %q, want %q", s, test.want)
			}
		})
	}
}

// Files that are no series are judged apart: the patches have no numbers, those of
// another series, or lie in another folder.
func TestNoSeries(t *testing.T) {
	dir := t.TempDir()
	helper := change{"arch/arm64/kernel/lib.c", added("void *alloc_tramp(int n)\n{\n\treturn module_alloc(n);\n}")}
	user := change{tramp, added(strings.Replace(makeTramp, "module_alloc", "alloc_tramp", 1))}
	box := mails([]change{helper, user})
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for name, files := range map[string][]string{
		"no numbers":     {write("a/1.patch", strings.ReplaceAll(box[0], "PATCH 1/2", "PATCH")), write("a/2.patch", strings.ReplaceAll(box[1], "PATCH 2/2", "PATCH"))},
		"versions":       {write("b/1.patch", box[0]), write("b/2.patch", strings.ReplaceAll(box[1], "PATCH 2/2", "PATCH v2 2/2"))},
		"other lengths":  {write("c/1.patch", box[0]), write("c/2.patch", strings.ReplaceAll(box[1], "PATCH 2/2", "PATCH 2/3"))},
		"another folder": {write("d/1.patch", box[0]), write("e/2.patch", box[1])},
		"wrong order":    {write("f/1.patch", strings.ReplaceAll(box[0], "1/2", "2/2")), write("f/2.patch", strings.ReplaceAll(box[1], "2/2", "1/2"))},
	} {
		var got []string
		_, err := lint.Run(t.Context(), lint.Inputs{Patches: files}, lint.Config{}, func(res *finding.Result) {
			for _, f := range res.Findings {
				got = append(got, f.Rule.ID)
			}
		})
		if diff := cmp.Diff([]string(nil), got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
}

// An empty file, as an empty commit gives one, does not end a series. Its result is
// between those of its neighbours.
func TestEmptyFileInSeries(t *testing.T) {
	dir := t.TempDir()
	box := mails([]change{{"arch/arm64/kernel/lib.c", added("void *alloc_tramp(int n)\n{\n\treturn module_alloc(n);\n}")},
		{tramp, added(strings.Replace(makeTramp, "module_alloc", "alloc_tramp", 1))}})
	var files []string
	for i, text := range []string{box[0], "", box[1]} {
		files = append(files, filepath.Join(dir, fmt.Sprintf("%d.patch", i)))
		if err := os.WriteFile(files[i], []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	_, err := lint.Run(t.Context(), lint.Inputs{Patches: files}, lint.Config{}, func(res *finding.Result) {
		one := filepath.Base(res.Path)
		for _, f := range res.Findings {
			one += " " + f.Rule.ID
		}
		got = append(got, one)
	})
	if diff := cmp.Diff([]string{"0.patch", "1.patch", "2.patch FT301 FT306"}, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}
