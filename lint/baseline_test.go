package lint_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/patchscan"
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

// lintQuietly lints a sample with what does not count.
func lintQuietly(t testing.TB, path string, q *policy.Policy) *finding.Result {
	t.Helper()
	res := lint.File(t.Context(), path, lint.Config{Policy: q, MaxPerRule: 20})
	for _, err := range res.Errors {
		t.Fatal(err)
	}
	return res
}

func ruleRun(t testing.TB, res *finding.Result, id string) finding.RuleRun {
	t.Helper()
	i := slices.IndexFunc(res.Rules, func(r finding.RuleRun) bool { return r.Rule.ID == id })
	if i < 0 {
		t.Fatalf("%s did not run on %s", id, res.Path)
	}
	return res.Rules[i]
}

// A baseline of one build makes another one quiet, though all addresses, and
// the offset in a function, differ; and says what is new and what is gone.
func TestBaselineSurvivesRebuild(t *testing.T) {
	const build, rebuild = samples + "malformed-two.elf", samples + "malformed-two-moved.elf"
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
	text := written(t, policy.NewBaseline([]*finding.Result{plain}))
	const want = header +
		`{"rule":"FT401","object":"vmlinux","symbol":"late","text":"nop","count":1}` + "\n" +
		`{"rule":"FT401","object":"vmlinux","symbol":"vfs_fsync","text":"nop","count":1}` + "\n"
	if diff := cmp.Diff(want, text); diff != "" {
		t.Fatalf("-want +got:\n%s", diff)
	}
	known := parsed(t, text)
	for _, path := range []string{build, rebuild} {
		res := lintQuietly(t, path, &policy.Policy{Baseline: known})
		if r := ruleRun(t, res, "FT401"); len(res.Findings) != 0 || r.Findings != 0 || r.Known != 2 || r.Fixed != 0 || len(res.Uncounted) != 2 {
			t.Errorf("%s: %d findings, %+v", path, len(res.Findings), r)
		}
		for _, f := range res.Uncounted {
			if !f.Known || f.SuppressedBy != nil || f.Line != 0 {
				t.Errorf("%s: known %v, at line %d: DWARF need not be read for it", path, f.Known, f.Line)
			}
		}
		if again := written(t, policy.NewBaseline([]*finding.Result{res})); again != text {
			t.Errorf("%s: written again:\n%s", path, again)
		}
	}
	// One of them is new, and one in the baseline is gone.
	other := parsed(t, strings.Replace(text, "vfs_fsync", "vfs_gone", 1))
	res := lintQuietly(t, rebuild, &policy.Policy{Baseline: other})
	r := ruleRun(t, res, "FT401")
	if r.Findings != 1 || r.Known != 1 || r.Fixed != 1 || len(res.Findings) != 1 || res.Findings[0].Identity.Symbol != "vfs_fsync" || res.Findings[0].Line == 0 {
		t.Errorf("%+v, findings %+v", r, res.Findings)
	}
	if diff := cmp.Diff([]finding.Entry{{Identity: finding.Identity{Rule: "FT401", Object: "vmlinux", Symbol: "vfs_gone", Text: "nop"}, Count: 1}}, res.Fixed); diff != "" {
		t.Errorf("fixed (-want +got):\n%s", diff)
	}
	// An entry about another object, or a rule that has no verdict, is not
	// said to be fixed.
	others := parsed(t, header+`{"rule":"FT401","object":"foo","symbol":"a","text":"nop","count":1}`+"\n"+`{"rule":"FT402","object":"vmlinux","symbol":"a","text":"nop","count":1}`)
	if res := lintQuietly(t, build, &policy.Policy{Baseline: others}); len(res.Fixed) != 0 {
		t.Errorf("fixed: %+v", res.Fixed)
	}
}

// Two builds of one kernel in a run share a baseline, and do not use it up.
func TestBaselineOfTwoBuilds(t *testing.T) {
	a, b := lintQuietly(t, samples+"malformed-two.elf", nil), lintQuietly(t, samples+"malformed-two-moved.elf", nil)
	if one, two := written(t, policy.NewBaseline([]*finding.Result{a})), written(t, policy.NewBaseline([]*finding.Result{a, b})); one != two {
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
	lintMany := func(q *policy.Policy, max int) *finding.Result {
		return lint.File(t.Context(), samples+"regs-good.elf", lint.Config{Checks: []*analysis.Analyzer{check}, Policy: q, MaxPerRule: max})
	}
	all := lintMany(&policy.Policy{Record: true}, 5)
	if r := ruleRun(t, all, "many"); r.Known != 50 || r.Findings != 0 {
		t.Fatalf("recorded: %+v", r)
	}
	base := policy.NewBaseline([]*finding.Result{all})
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
	res := lintMany(&policy.Policy{Baseline: parsed(t, fewer.String())}, 3)
	if r := ruleRun(t, res, "many"); r.Findings != dropped || r.Known != 50-dropped || len(res.Findings) != min(3, dropped) {
		t.Errorf("%+v and %d findings; want %d new, 3 of them shown, %d known", r, len(res.Findings), dropped, 50-dropped)
	}
}

// Suppressions fit by rule, object, symbol, text and path, and each of these
// can keep one from fitting.
func TestSuppressions(t *testing.T) {
	const sample = samples + "malformed-two.elf"
	for _, test := range []struct {
		sup        finding.Suppression
		ignore     string
		suppressed int
	}{
		{sup: finding.Suppression{Rule: "FT401"}, suppressed: 2},
		{sup: finding.Suppression{Rule: "site-malformed"}, suppressed: 2},
		{sup: finding.Suppression{Rule: "FT4"}, suppressed: 2},
		{sup: finding.Suppression{Rule: "FT407"}},
		{sup: finding.Suppression{Rule: "FT401", Object: "vmlinux", Symbol: "late", Text: "nop", Path: "mal*.S"}, suppressed: 1},
		{sup: finding.Suppression{Rule: "FT401", Symbol: "l*e"}, suppressed: 1},
		{sup: finding.Suppression{Rule: "FT401", Symbol: "lat"}},
		{sup: finding.Suppression{Rule: "FT401", Object: "vmlinux?"}},
		{sup: finding.Suppression{Rule: "FT401", Text: "ret"}},
		{sup: finding.Suppression{Rule: "FT401", Path: "*.c"}},
		{sup: finding.Suppression{Rule: "FT401", Path: "malformed-two.S"}, suppressed: 2},
		{sup: finding.Suppression{Rule: "FT401", Path: "vmlinux-samples"}, suppressed: 2}, // of the input
		{ignore: "malformed-two.S", suppressed: 2},
		{ignore: "**/vmlinux-samples/*.elf", suppressed: 2},
		{ignore: "drivers/"},
	} {
		q := &policy.Policy{Dir: "."}
		if test.sup.Rule != "" {
			q.Suppress = []finding.Suppression{test.sup}
		}
		if test.ignore != "" {
			q.Ignore = []policy.Value{{Text: test.ignore}}
		}
		res := lintQuietly(t, sample, q)
		if r := ruleRun(t, res, "FT401"); r.Suppressed != test.suppressed || r.Findings != 2-test.suppressed || r.Known != 0 || len(res.Findings) != r.Findings {
			t.Errorf("%+v %s: %+v, want %d suppressed", test.sup, test.ignore, r, test.suppressed)
		}
		unused := q.Unused([]*finding.Result{res})
		ran := test.sup.Object == "" || test.sup.Object == "vmlinux"
		if want := test.sup.Rule != "" && test.suppressed == 0 && ran; (len(unused) == 1) != want {
			t.Errorf("%+v: unused %v", test.sup, unused)
		}
	}
	// What is suppressed is not in a baseline, and is not said to be fixed if
	// it is there.
	q := &policy.Policy{Suppress: []finding.Suppression{{Rule: "FT401", Symbol: "late"}}, Record: true}
	text := written(t, policy.NewBaseline([]*finding.Result{lintQuietly(t, sample, q)}))
	if strings.Contains(text, "late") || !strings.Contains(text, "vfs_fsync") {
		t.Errorf("the baseline is\n%s", text)
	}
	q = &policy.Policy{Suppress: q.Suppress, Baseline: parsed(t, text+`{"rule":"FT401","object":"vmlinux","symbol":"late","text":"nop","count":1}`)}
	if r := ruleRun(t, lintQuietly(t, sample, q), "FT401"); r.Suppressed != 1 || r.Known != 1 || r.Fixed != 0 || r.Findings != 0 {
		t.Errorf("suppressed and in the baseline: %+v", r)
	}
}

// Of each kind of callsite one module's are executed, unless it has findings there: a
// finding that is suppressed is one, and what is behind it is seen, once.
func TestSuppressedModuleHidesNoOther(t *testing.T) {
	dir := copies(t, "plt-wrong", 3)
	in := lint.Find([]string{dir, filepath.Join(moduleSamples, "kernel-plt-wrong.elf")})
	for _, workers := range []int{1, 4} {
		q := &policy.Policy{Dir: dir, Suppress: []finding.Suppression{{Rule: "FT409", Object: "plt_wrong", Symbol: "read_device", Path: "0000.ko", Reason: "x"}}}
		var new, quiet []string
		_, err := lint.Run(t.Context(), in, lint.Config{Policy: q, Workers: workers}, func(res *finding.Result) {
			for _, f := range res.Findings {
				if f.Rule.ID == "FT409" && res.IsModule {
					new = append(new, filepath.Base(res.Path))
				}
			}
			for range res.Uncounted {
				quiet = append(quiet, filepath.Base(res.Path))
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		new, quiet = slices.Compact(new), slices.Compact(quiet)
		if !slices.Equal(new, []string{"0001.ko"}) || !slices.Equal(quiet, []string{"0000.ko"}) {
			t.Errorf("%d workers: findings in %v, suppressed in %v", workers, new, quiet)
		}
	}
}

// The names of modules are the objects of their findings: two with the same
// defect have an entry each, and every copy of one goes by its entry.
func TestBaselineOfModules(t *testing.T) {
	in := lint.Find([]string{moduleSamples + "/site-not-at-entry.ko", copies(t, "site-not-at-entry", 2), moduleSamples + "/site-in-noinstr.ko", moduleSamples + "/site-duplicated.ko", moduleSamples + "/kernel-regs.elf"})
	run := func(q *policy.Policy, workers int) (results []*finding.Result, findings int) {
		t.Helper()
		_, err := lint.Run(t.Context(), in, lint.Config{Policy: q, Workers: workers}, func(res *finding.Result) {
			results = append(results, res)
			for _, r := range res.Rules {
				findings += r.Findings
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return results, findings
	}
	results, n := run(nil, 1)
	if n < 4 {
		t.Fatalf("%d findings, want 4 or more", n)
	}
	text := written(t, policy.NewBaseline(results))
	for _, object := range []string{`"object":"site_not_at_entry"`, `"object":"site_in_noinstr"`} {
		if !strings.Contains(text, object) {
			t.Errorf("no %s in\n%s", object, text)
		}
	}
	if strings.Contains(text, " [") {
		t.Errorf("a symbol has the module's name:\n%s", text)
	}
	for _, workers := range []int{1, 3} {
		if again, n := run(&policy.Policy{Baseline: parsed(t, text)}, workers); n != 0 || written(t, policy.NewBaseline(again)) != text {
			t.Errorf("%d workers: %d findings, and the baseline is now\n%s", workers, n, written(t, policy.NewBaseline(again)))
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
		run := func(q *policy.Policy) (res *finding.Result) {
			t.Helper()
			if _, err := lint.Run(t.Context(), lint.Find([]string{path}), lint.Config{Policy: q}, func(r *finding.Result) { res = r }); err != nil {
				t.Fatal(err)
			}
			return res
		}
		text := written(t, policy.NewBaseline([]*finding.Result{run(&policy.Policy{Record: true})}))
		if r := ruleRun(t, run(&policy.Policy{Baseline: parsed(t, text)}), "FT407"); r.Known == 0 || r.Findings != 0 || r.Fixed != 0 {
			t.Errorf("%s: %+v with\n%s", what, r, text)
		}
	}
}

// A patch's findings are known by the patched path and the line's text, also
// where the patch has other lines around them.
func TestBaselineOfPatches(t *testing.T) {
	lintPatch := func(text string, q *policy.Policy) *finding.Result {
		t.Helper()
		in, err := patchscan.Parse("0001.patch", text)
		if err != nil {
			t.Fatal(err)
		}
		return lint.Patch(t.Context(), in, lint.Config{Policy: q})
	}
	b, err := os.ReadFile("../patchchecks/testdata/example.patch")
	if err != nil {
		t.Fatal(err)
	}
	first := lintPatch(string(b), nil)
	if len(first.Findings) == 0 {
		t.Fatal("no findings")
	}
	base := policy.NewBaseline([]*finding.Result{first})
	res := lintPatch("Subject: moved\n\nmore text\n\n"+string(b), &policy.Policy{Baseline: parsed(t, written(t, base))})
	if len(res.Findings) != 0 || len(res.Uncounted) != len(first.Findings) || len(res.Fixed) != 0 {
		t.Errorf("%d findings, %d known of %d", len(res.Findings), len(res.Uncounted), len(first.Findings))
	}
	res = lintPatch(string(b), &policy.Policy{Suppress: []finding.Suppression{{Rule: "FT503", Path: "arch/arm64/**", Text: "code[0]  = 0xe8", Reason: "x"}}})
	if r := ruleRun(t, res, "FT503"); r.Suppressed != 1 || len(res.Findings) != len(first.Findings)-1 {
		t.Errorf("suppressed by the line's text: %+v", r)
	}
}

// What is quiet in a patch is not said of the image instead.
func TestQuietPatchWithImage(t *testing.T) {
	const image = "../testdata/vmlinux-samples/rfc-trampoline-debian.elf"
	only := ""
	run := func(q *policy.Policy) (patch, res *finding.Result) {
		return lintBuilt(t, entryPatch(t, only), image, lint.Config{Policy: q})
	}
	patch, res := run(nil)
	n := len(patch.Findings)
	if n == 0 || len(res.Findings) != 0 {
		t.Fatalf("%d and %d findings", n, len(res.Findings))
	}
	text := written(t, policy.NewBaseline([]*finding.Result{patch, res}))
	for name, q := range map[string]*policy.Policy{
		"baseline":   {Baseline: parsed(t, text)},
		"suppressed": {Suppress: []finding.Suppression{{Rule: "FT104", Text: "SYM", Reason: "x"}, {Rule: "FT112", Text: "SYM", Reason: "x"}}},
		"by path":    {Suppress: []finding.Suppression{{Rule: "FT1", Path: "**", Reason: "x"}}},
	} {
		patch, res := run(q)
		if len(patch.Findings) != 0 || len(patch.Uncounted) != n || len(res.Findings) != 0 {
			t.Errorf("%s: the patch has %d findings and %d that do not count, the image %d", name, len(patch.Findings), len(patch.Uncounted), len(res.Findings))
		}
		for _, r := range res.Rules {
			if r.Findings != 0 {
				t.Errorf("%s: %s has %d findings in the image", name, r.Rule.ID, r.Findings)
			}
		}
	}
	// Recorded with the image and read again: nothing is left.
	patch, res = run(&policy.Policy{Record: true})
	again := parsed(t, written(t, policy.NewBaseline([]*finding.Result{patch, res})))
	if patch, res = run(&policy.Policy{Baseline: again}); len(patch.Findings)+len(res.Findings) != 0 || len(res.Fixed) != 0 {
		t.Errorf("recorded: %d and %d findings, %d fixed", len(patch.Findings), len(res.Findings), len(res.Fixed))
	}
	// What the image alone shows, where the patch is, is recorded, and nothing
	// else of the image.
	only = "ftrace_stub"
	patch, res = run(&policy.Policy{Record: true})
	known := 0
	for _, r := range res.Rules {
		known += r.Known
	}
	if len(patch.Uncounted) != 0 || len(res.Uncounted) != 2 || known != 2 {
		t.Errorf("recorded of the patch %d, of the image %d and %d by rule; want 0, 2 and 2", len(patch.Uncounted), len(res.Uncounted), known)
	}
}

// The findings about a real kernel, Debian's 6.1, are known in its baseline; without the
// entries they are new.
func TestBaselineOfRealKernel(t *testing.T) {
	path := filepath.Join(needKernel(t, "bookworm", true), "vmlinux")
	text := written(t, policy.NewBaseline([]*finding.Result{lintQuietly(t, path, &policy.Policy{Record: true})}))
	if want := header + `{"rule":"FT209","object":"vmlinux","symbol":"ftrace_make_call","text":"paciasp","headline":"ftrace_make_call cannot enable callsites in init text that is far away","count":1}` + "\n" +
		`{"rule":"FT407","object":"vmlinux","symbol":"do_one_initcall","text":"nop","count":1}` + "\n" +
		`{"rule":"FT707","object":"vmlinux","symbol":"bpf_int_jit_compile","text":"bl bpf_jit_binary_alloc","headline":"bpf_int_jit_compile does not align the literal of a program's PLT","count":1}` + "\n" +
		`{"rule":"FT708","object":"vmlinux","symbol":"bpf_arch_text_poke","text":"bl set_memory_rw","headline":"bpf_arch_text_poke makes a page of a BPF program writable and executable for a moment","count":1}` + "\n" +
		`{"rule":"FT714","object":"vmlinux","text":"BPF trampolines cannot be attached to kernel functions, only to BPF programs","count":1}` + "\n"; text != want {
		t.Fatalf("the baseline is\n%swant\n%s", text, want)
	}
	const all = 5
	for known, baseline := range map[int]string{0: header, all: text} {
		res := lintQuietly(t, path, &policy.Policy{Baseline: parsed(t, baseline)})
		if len(res.Findings) != all-known || len(res.Uncounted) != known || len(res.Fixed) != 0 {
			t.Errorf("%d findings, %d fixed, %d known with\n%s", len(res.Findings), len(res.Fixed), len(res.Uncounted), baseline)
		}
	}
}
