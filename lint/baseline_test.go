package lint_test

import (
	"bytes"
	"fmt"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/hostile"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/patchscan"
)

const header = `{"format":"ftlint baseline","version":1}` + "\n"

func written(t testing.TB, b *lint.Baseline) string {
	t.Helper()
	var buf bytes.Buffer
	if err := b.Write(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

func parsed(t testing.TB, text string) *lint.Baseline {
	t.Helper()
	b, err := lint.ParseBaseline("base", []byte(text))
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
		{"", `base:1: this is no baseline: it is empty`},
		{"\n\nroot:x:0:0\n", `base:3: this is no baseline: it does not begin with {"format":"ftlint baseline","version":1}`},
		{`{"format":"other","version":1}`, `base:1: this is no baseline: it does not begin with {"format":"ftlint baseline","version":1}`},
		{`{"format":"ftlint baseline","version":2}`, `base:1: a baseline of version 2; this ftlint reads version 1`},
		{header + "\n<<<<<<< HEAD\n", `base:3: a merge left this conflict: write the baseline again, or keep the lines of both sides`},
		{header + "secret\n", `base:2: not a line of a baseline: want {"rule":...,"object":...,"symbol":...,"text":...,"count":...}`},
		{header + `{"rule":"FT407","object":"vmlinux","count":1} x`, `base:2: not a line of a baseline: want {"rule":...,"object":...,"symbol":...,"text":...,"count":...}`},
		{header + `{"rule":"FT407","object":"vmlinux","colour":1,"count":1}`, `base:2: not a line of a baseline: want {"rule":...,"object":...,"symbol":...,"text":...,"count":...}`},
		{header + `{"rule":"FT407","count":1}`, `base:2: a line without a rule or an object`},
		{header + `{"rule":"FT407","object":"vmlinux"}`, `base:2: the count is 0: want 1 or more`},
		{header + `{"rule":"FT407","object":"vmlinux","count":-1}`, `base:2: the count is -1: want 1 or more`},
	} {
		if _, err := lint.ParseBaseline("base", []byte(test.text)); err == nil || err.Error() != test.want {
			t.Errorf("%q:\n got %v\nwant %s", test.text, err, test.want)
		}
	}
	dir := t.TempDir()
	if _, err := lint.ReadBaseline(dir, false); err == nil || err.Error() != "baseline "+dir+": is not a regular file" {
		t.Errorf("a folder: %v", err)
	}
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, bytes.Repeat([]byte("\n"), 16<<20+1), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := lint.ReadBaseline(large, false); err == nil || !strings.Contains(err.Error(), "has more than 16384 KiB") {
		t.Errorf("a large file: %v", err)
	}
}

// lintQuietly lints a sample with what does not count.
func lintQuietly(t testing.TB, path string, q *lint.Quiet) *lint.Result {
	t.Helper()
	res := lint.File(path, token.NewFileSet(), lint.Config{Quiet: q, MaxPerRule: 20})
	for _, err := range res.Errors {
		t.Fatal(err)
	}
	return res
}

func ruleRun(t testing.TB, res *lint.Result, id string) lint.RuleRun {
	t.Helper()
	i := slices.IndexFunc(res.Rules, func(r lint.RuleRun) bool { return r.Rule.ID == id })
	if i < 0 {
		t.Fatalf("%s did not run on %s", id, res.Path)
	}
	return res.Rules[i]
}

// A baseline of one build makes another one quiet, though all addresses, and
// the offset in a function, differ; and says what is new and what is gone.
func TestBaselineSurvivesRebuild(t *testing.T) {
	const build, rebuild = samples + "site-not-at-entry.elf", samples + "site-not-at-entry-moved.elf"
	plain := lintQuietly(t, build, nil)
	moved := lintQuietly(t, rebuild, nil)
	if len(plain.Findings) != 2 || len(moved.Findings) != 2 {
		t.Fatalf("%d and %d findings, want 2 and 2", len(plain.Findings), len(moved.Findings))
	}
	for i := range plain.Findings {
		if a, b := plain.Findings[i], moved.Findings[i]; a.Addr == b.Addr || a.Identity != b.Identity {
			t.Errorf("%+v at %#x, rebuilt %+v at %#x", a.Identity, a.Addr, b.Identity, b.Addr)
		}
	}
	text := written(t, lint.NewBaseline([]*lint.Result{plain}))
	const want = header +
		`{"rule":"FT407","object":"vmlinux","symbol":"late","text":"nop","count":1}` + "\n" +
		`{"rule":"FT407","object":"vmlinux","symbol":"vfs_fsync","text":"nop","count":1}` + "\n"
	if diff := cmp.Diff(want, text); diff != "" {
		t.Fatalf("-want +got:\n%s", diff)
	}
	known := parsed(t, text)
	for _, path := range []string{build, rebuild} {
		res := lintQuietly(t, path, &lint.Quiet{Baseline: known})
		if r := ruleRun(t, res, "FT407"); len(res.Findings) != 0 || r.Findings != 0 || r.Known != 2 || r.Fixed != 0 || len(res.Quiet) != 2 {
			t.Errorf("%s: %d findings, %+v", path, len(res.Findings), r)
		}
		for _, f := range res.Quiet {
			if !f.Known || f.SuppressedBy != nil || f.Line != 0 {
				t.Errorf("%s: known %v, at line %d: DWARF need not be read for it", path, f.Known, f.Line)
			}
		}
		if again := written(t, lint.NewBaseline([]*lint.Result{res})); again != text {
			t.Errorf("%s: written again:\n%s", path, again)
		}
	}
	// One of them is new, and one in the baseline is gone.
	other := parsed(t, strings.Replace(text, "vfs_fsync", "vfs_gone", 1))
	res := lintQuietly(t, rebuild, &lint.Quiet{Baseline: other})
	r := ruleRun(t, res, "FT407")
	if r.Findings != 1 || r.Known != 1 || r.Fixed != 1 || len(res.Findings) != 1 || res.Findings[0].Identity.Symbol != "vfs_fsync" || res.Findings[0].Line == 0 {
		t.Errorf("%+v, findings %+v", r, res.Findings)
	}
	if diff := cmp.Diff([]lint.Entry{{Identity: lint.Identity{Rule: "FT407", Object: "vmlinux", Symbol: "vfs_gone", Text: "nop"}, Count: 1}}, res.Fixed); diff != "" {
		t.Errorf("fixed (-want +got):\n%s", diff)
	}
	// An entry about another object, or a rule that has no verdict, is not
	// said to be fixed.
	others := parsed(t, header+`{"rule":"FT407","object":"foo","symbol":"a","text":"nop","count":1}`+"\n"+`{"rule":"FT402","object":"vmlinux","symbol":"a","text":"nop","count":1}`)
	if res := lintQuietly(t, build, &lint.Quiet{Baseline: others}); len(res.Fixed) != 0 {
		t.Errorf("fixed: %+v", res.Fixed)
	}
}

// Two builds of one kernel in a run share a baseline, and do not use it up.
func TestBaselineOfTwoBuilds(t *testing.T) {
	a, b := lintQuietly(t, samples+"site-not-at-entry.elf", nil), lintQuietly(t, samples+"site-not-at-entry-moved.elf", nil)
	if one, two := written(t, lint.NewBaseline([]*lint.Result{a})), written(t, lint.NewBaseline([]*lint.Result{a, b})); one != two {
		t.Errorf("of one:\n%sof two:\n%s", one, two)
	}
}

// many is a check that finds something at 50 instructions in a row.
func many(t testing.TB) *analysis.Analyzer {
	im, err := elfscan.Open(samples+"regs-good.elf", "")
	if err != nil {
		t.Fatal(err)
	}
	defer im.Close()
	text, _ := im.Addr("_stext")
	return own("many", func(pass *analysis.Pass) (any, error) {
		im := pass.ResultOf[checks.Image].(*elfscan.Image)
		for i := range uint64(50) {
			pass.Report(analysis.Diagnostic{Pos: im.Pos(text + (i*7%50)*4), Message: "here"})
		}
		return passes(pass)
	})
}

// Of findings that share an identity so many are known as the baseline says;
// and what is known takes no room from what is shown.
func TestBaselineCounts(t *testing.T) {
	check := many(t)
	lintMany := func(q *lint.Quiet, max int) *lint.Result {
		return lint.File(samples+"regs-good.elf", token.NewFileSet(), lint.Config{Checks: []*analysis.Analyzer{check}, Quiet: q, MaxPerRule: max})
	}
	all := lintMany(&lint.Quiet{Record: true}, 5)
	if r := ruleRun(t, all, "many"); r.Known != 50 || r.Findings != 0 {
		t.Fatalf("recorded: %+v", r)
	}
	base := lint.NewBaseline([]*lint.Result{all})
	if n := len(base.Entries()); n == 50 || n < 2 {
		t.Fatalf("%d entries: want some that stand for several findings, and more than one", n)
	}
	// One less of each is known.
	var fewer strings.Builder
	fewer.WriteString(header)
	dropped := len(base.Entries())
	for _, e := range base.Entries() {
		if e.Count > 1 {
			fmt.Fprintf(&fewer, "{\"rule\":%q,\"object\":%q,\"symbol\":%q,\"text\":%q,\"count\":%d}\n", e.Rule, e.Object, e.Symbol, e.Text, e.Count-1)
		}
	}
	res := lintMany(&lint.Quiet{Baseline: parsed(t, fewer.String())}, 3)
	if r := ruleRun(t, res, "many"); r.Findings != dropped || r.Known != 50-dropped || len(res.Findings) != min(3, dropped) {
		t.Errorf("%+v and %d findings; want %d new, 3 of them shown, %d known", r, len(res.Findings), dropped, 50-dropped)
	}
}

// Suppressions fit by rule, object, symbol, text and path, and each of these
// can keep one from fitting.
func TestSuppressions(t *testing.T) {
	const sample = samples + "site-not-at-entry.elf"
	for _, test := range []struct {
		sup        lint.Suppression
		ignore     string
		suppressed int
	}{
		{sup: lint.Suppression{Rule: "FT407"}, suppressed: 2},
		{sup: lint.Suppression{Rule: "site-not-at-entry"}, suppressed: 2},
		{sup: lint.Suppression{Rule: "FT4"}, suppressed: 2},
		{sup: lint.Suppression{Rule: "FT401"}},
		{sup: lint.Suppression{Rule: "FT407", Object: "vmlinux", Symbol: "late", Text: "nop", Path: "site-*.S"}, suppressed: 1},
		{sup: lint.Suppression{Rule: "FT407", Symbol: "l*e"}, suppressed: 1},
		{sup: lint.Suppression{Rule: "FT407", Symbol: "lat"}},
		{sup: lint.Suppression{Rule: "FT407", Object: "vmlinux?"}},
		{sup: lint.Suppression{Rule: "FT407", Text: "ret"}},
		{sup: lint.Suppression{Rule: "FT407", Path: "*.c"}},
		{sup: lint.Suppression{Rule: "FT407", Path: "site-not-at-entry.S"}, suppressed: 2},
		{sup: lint.Suppression{Rule: "FT407", Path: "vmlinux-samples"}, suppressed: 2}, // of the input
		{ignore: "site-not-at-entry.S", suppressed: 2},
		{ignore: "**/vmlinux-samples/*.elf", suppressed: 2},
		{ignore: "drivers/"},
	} {
		q := &lint.Quiet{Dir: "."}
		if test.sup.Rule != "" {
			q.Suppress = []lint.Suppression{test.sup}
		}
		if test.ignore != "" {
			q.Ignore = []lint.Value{{Text: test.ignore}}
		}
		res := lintQuietly(t, sample, q)
		if r := ruleRun(t, res, "FT407"); r.Suppressed != test.suppressed || r.Findings != 2-test.suppressed || r.Known != 0 || len(res.Findings) != r.Findings {
			t.Errorf("%+v %s: %+v, want %d suppressed", test.sup, test.ignore, r, test.suppressed)
		}
		unused := q.Unused([]*lint.Result{res})
		ran := test.sup.Object == "" || test.sup.Object == "vmlinux"
		if want := test.sup.Rule != "" && test.suppressed == 0 && ran; (len(unused) == 1) != want {
			t.Errorf("%+v: unused %v", test.sup, unused)
		}
	}
	// What is suppressed is not in a baseline, and is not said to be fixed if
	// it is there.
	q := &lint.Quiet{Suppress: []lint.Suppression{{Rule: "FT407", Symbol: "late"}}, Record: true}
	text := written(t, lint.NewBaseline([]*lint.Result{lintQuietly(t, sample, q)}))
	if strings.Contains(text, "late") || !strings.Contains(text, "vfs_fsync") {
		t.Errorf("the baseline is\n%s", text)
	}
	q = &lint.Quiet{Suppress: q.Suppress, Baseline: parsed(t, text+`{"rule":"FT407","object":"vmlinux","symbol":"late","text":"nop","count":1}`)}
	if r := ruleRun(t, lintQuietly(t, sample, q), "FT407"); r.Suppressed != 1 || r.Known != 1 || r.Fixed != 0 || r.Findings != 0 {
		t.Errorf("suppressed and in the baseline: %+v", r)
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
		q := &lint.Quiet{Dir: dir, Ignore: []lint.Value{{Text: test.pattern}}}
		if got := q.IgnoresInput(test.path); got != test.want {
			t.Errorf("%q with %q: %v", test.path, test.pattern, got)
		}
	}
	if (*lint.Quiet)(nil).IgnoresInput("x") {
		t.Error("without a configuration an input is ignored")
	}
}

// Of each kind of callsite one module's are executed, unless it has findings
// there: a finding that is suppressed is one, and what is behind it is seen.
func TestSuppressedModuleHidesNoOther(t *testing.T) {
	dir := copies(t, "plt-wrong", 3)
	in := lint.Find([]string{dir, filepath.Join(moduleSamples, "kernel-plt-wrong.elf")})
	for _, workers := range []int{1, 4} {
		q := &lint.Quiet{Dir: dir, Suppress: []lint.Suppression{{Rule: "FT409", Object: "plt_wrong", Symbol: "read_device", Path: "0000.ko", Reason: "x"}}}
		var new, quiet []string
		_, err := lint.Files(t.Context(), in, token.NewFileSet(), lint.Config{Quiet: q, Workers: workers}, func(res *lint.Result) {
			for _, f := range res.Findings {
				if f.Rule.ID == "FT409" {
					new = append(new, filepath.Base(res.Path))
				}
			}
			for range res.Quiet {
				quiet = append(quiet, filepath.Base(res.Path))
			}
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		new, quiet = slices.Compact(new), slices.Compact(quiet)
		if !slices.Equal(new, []string{"0001.ko", "0002.ko"}) || !slices.Equal(quiet, []string{"0000.ko"}) {
			t.Errorf("%d workers: findings in %v, suppressed in %v", workers, new, quiet)
		}
	}
}

// The names of modules are the objects of their findings: two with the same
// defect have an entry each, and every copy of one goes by its entry.
func TestBaselineOfModules(t *testing.T) {
	in := lint.Find([]string{moduleSamples + "/site-not-at-entry.ko", copies(t, "site-not-at-entry", 2), moduleSamples + "/site-in-noinstr.ko", moduleSamples + "/site-duplicated.ko", moduleSamples + "/kernel-regs.elf"})
	run := func(q *lint.Quiet, workers int) (results []*lint.Result, findings int) {
		t.Helper()
		_, err := lint.Files(t.Context(), in, token.NewFileSet(), lint.Config{Quiet: q, Workers: workers}, func(res *lint.Result) {
			results = append(results, res)
			for _, r := range res.Rules {
				findings += r.Findings
			}
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return results, findings
	}
	results, n := run(nil, 1)
	if n < 4 {
		t.Fatalf("%d findings, want 4 or more", n)
	}
	text := written(t, lint.NewBaseline(results))
	for _, object := range []string{`"object":"site_not_at_entry"`, `"object":"site_in_noinstr"`} {
		if !strings.Contains(text, object) {
			t.Errorf("no %s in\n%s", object, text)
		}
	}
	if strings.Contains(text, " [") {
		t.Errorf("a symbol has the module's name:\n%s", text)
	}
	for _, workers := range []int{1, 3} {
		if again, n := run(&lint.Quiet{Baseline: parsed(t, text)}, workers); n != 0 || written(t, lint.NewBaseline(again)) != text {
			t.Errorf("%d workers: %d findings, and the baseline is now\n%s", workers, n, written(t, lint.NewBaseline(again)))
		}
	}
}

// Names may be missing, or no UTF-8, in a file that is damaged or meant to harm:
// its findings are known all the same.
func TestBaselineOfStrangeNames(t *testing.T) {
	b, err := os.ReadFile(moduleSamples + "/site-not-at-entry.ko")
	if err != nil {
		t.Fatal(err)
	}
	for what, strange := range map[string][]byte{
		"no name":   bytes.Replace(b, []byte("\x00name="), []byte("\x00nome="), 1),
		"no UTF-8":  bytes.ReplaceAll(b, []byte("site_not_at_entry"), []byte("site_\xff\xfe_at_entry\x00")[:17]),
		"a newline": bytes.ReplaceAll(b, []byte("site_not_at_entry"), []byte("site\n<\">_at_entr\\")),
	} {
		if bytes.Equal(b, strange) || len(b) != len(strange) {
			t.Fatalf("%s: nothing was changed, or too much", what)
		}
		path := filepath.Join(t.TempDir(), "m.ko")
		if err := os.WriteFile(path, strange, 0o644); err != nil {
			t.Fatal(err)
		}
		run := func(q *lint.Quiet) (res *lint.Result) {
			t.Helper()
			if _, err := lint.Files(t.Context(), lint.Find([]string{path}), token.NewFileSet(), lint.Config{Quiet: q}, func(r *lint.Result) { res = r }, nil); err != nil {
				t.Fatal(err)
			}
			return res
		}
		text := written(t, lint.NewBaseline([]*lint.Result{run(&lint.Quiet{Record: true})}))
		if r := ruleRun(t, run(&lint.Quiet{Baseline: parsed(t, text)}), "FT407"); r.Known == 0 || r.Findings != 0 || r.Fixed != 0 {
			t.Errorf("%s: %+v with\n%s", what, r, text)
		}
	}
}

// A patch's findings are known by the patched path and the line's text, also
// where the patch has other lines around them.
func TestBaselineOfPatches(t *testing.T) {
	lintPatch := func(text string, q *lint.Quiet) *lint.Result {
		t.Helper()
		in, err := patchscan.Parse("0001.patch", text)
		if err != nil {
			t.Fatal(err)
		}
		return lint.Patch(in, token.NewFileSet(), lint.Config{Quiet: q})
	}
	b, err := os.ReadFile("../patchchecks/testdata/example.patch")
	if err != nil {
		t.Fatal(err)
	}
	first := lintPatch(string(b), nil)
	if len(first.Findings) == 0 {
		t.Fatal("no findings")
	}
	base := lint.NewBaseline([]*lint.Result{first})
	res := lintPatch("Subject: moved\n\nmore text\n\n"+string(b), &lint.Quiet{Baseline: parsed(t, written(t, base))})
	if len(res.Findings) != 0 || len(res.Quiet) != len(first.Findings) || len(res.Fixed) != 0 {
		t.Errorf("%d findings, %d known of %d", len(res.Findings), len(res.Quiet), len(first.Findings))
	}
	res = lintPatch(string(b), &lint.Quiet{Suppress: []lint.Suppression{{Rule: "FT503", Path: "arch/arm64/**", Text: "code[0]  = 0xe8", Reason: "x"}}})
	if r := ruleRun(t, res, "FT503"); r.Suppressed != 1 || len(res.Findings) != len(first.Findings)-1 {
		t.Errorf("suppressed by the line's text: %+v", r)
	}
}

// What is quiet in a patch is not said of the image instead.
func TestQuietPatchWithImage(t *testing.T) {
	const image = "../testdata/vmlinux-samples/rfc-trampoline-debian.elf"
	only := ""
	run := func(q *lint.Quiet) (patch, res *lint.Result) {
		fset := token.NewFileSet()
		in, err := patchscan.Parse("0001.patch", entryPatch(t, only))
		if err != nil {
			t.Fatal(err)
		}
		patch = lint.Patch(in, fset, lint.Config{Quiet: q})
		return patch, lint.WithImage(image, []*lint.Result{patch}, fset, lint.Config{Quiet: q})
	}
	patch, res := run(nil)
	n := len(patch.Findings)
	if n == 0 || len(res.Findings) != 0 {
		t.Fatalf("%d and %d findings", n, len(res.Findings))
	}
	text := written(t, lint.NewBaseline([]*lint.Result{patch, res}))
	for name, q := range map[string]*lint.Quiet{
		"baseline":   {Baseline: parsed(t, text)},
		"suppressed": {Suppress: []lint.Suppression{{Rule: "FT104", Text: "SYM", Reason: "x"}, {Rule: "FT112", Text: "SYM", Reason: "x"}}},
		"by path":    {Suppress: []lint.Suppression{{Rule: "FT1", Path: "**", Reason: "x"}}},
	} {
		patch, res := run(q)
		if len(patch.Findings) != 0 || len(patch.Quiet) != n || len(res.Findings) != 0 {
			t.Errorf("%s: the patch has %d findings and %d quiet ones, the image %d", name, len(patch.Findings), len(patch.Quiet), len(res.Findings))
		}
		for _, r := range res.Rules {
			if r.Findings != 0 {
				t.Errorf("%s: %s has %d findings in the image", name, r.Rule.ID, r.Findings)
			}
		}
	}
	// Recorded with the image and read again: nothing is left.
	patch, res = run(&lint.Quiet{Record: true})
	again := parsed(t, written(t, lint.NewBaseline([]*lint.Result{patch, res})))
	if patch, res = run(&lint.Quiet{Baseline: again}); len(patch.Findings)+len(res.Findings) != 0 || len(res.Fixed) != 0 {
		t.Errorf("recorded: %d and %d findings, %d fixed", len(patch.Findings), len(res.Findings), len(res.Fixed))
	}
	// What the image alone shows, where the patch is, is recorded, and nothing
	// else of the image.
	only = "ftrace_stub"
	patch, res = run(&lint.Quiet{Record: true})
	known := 0
	for _, r := range res.Rules {
		known += r.Known
	}
	if len(patch.Quiet) != 0 || len(res.Quiet) != 2 || known != 2 {
		t.Errorf("recorded of the patch %d, of the image %d and %d by rule; want 0, 2 and 2", len(patch.Quiet), len(res.Quiet), known)
	}
}

// The 292 warnings of a real kernel, Debian's 6.1, are known in its baseline;
// with one entry less, what that stood for is new.
func TestBaselineOfRealKernel(t *testing.T) {
	path := filepath.Join(needKernel(t, "bookworm", true), "vmlinux")
	text := written(t, lint.NewBaseline([]*lint.Result{lintQuietly(t, path, &lint.Quiet{Record: true})}))
	lines := strings.SplitAfter(text, "\n")
	if len(lines) < 20 {
		t.Fatalf("few findings are left of what bookworm's kernel had:\n%s", text)
	}
	if res := lintQuietly(t, path, &lint.Quiet{Baseline: parsed(t, text)}); len(res.Findings) != 0 || len(res.Fixed) != 0 || len(res.Quiet) < 200 {
		t.Errorf("%d findings, %d fixed, %d known", len(res.Findings), len(res.Fixed), len(res.Quiet))
	}
	short := strings.Join(slices.Delete(lines, 5, 6), "")
	if res := lintQuietly(t, path, &lint.Quiet{Baseline: parsed(t, short)}); len(res.Findings) == 0 || len(res.Fixed) != 0 {
		t.Errorf("%d findings, %d fixed; those of one entry were expected", len(res.Findings), len(res.Fixed))
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
		var b, again *lint.Baseline
		var err, err2 error
		hostile.Bounded(t, 4<<20, 4<<10, len(text), func() {
			b, err = lint.ParseBaseline("dir/base", text)
			again, err2 = lint.ParseBaseline("dir/base", text)
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
		back, err := lint.ParseBaseline("dir/base", []byte(out))
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
