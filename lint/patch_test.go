package lint_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/images"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/patchscan"
	"github.com/ftlint/ftlint/report"
)

// The reviewed RFC, beside the checkout: it is not ours to hand on.
const rfc = "../../shared/rfc-arm64-trampolines.txt"

// The reviewer's comments, the lines of the mail that each answers, and the
// rules that say the same.
var review = []struct {
	says        string
	first, last int
	rules       []string
}{
	{"just how bad is this, how much does it improve matters", 8, 11, []string{"FT607"}},
	{"it can happen both ways", 49, 54, []string{"FT608"}},
	{"surely you want the RET, too", 97, 101, []string{"FT104"}},
	{"arm64 has no retq", 170, 171, []string{"FT501"}},
	{"s/opt/ops/", 175, 177, []string{"FT605"}},
	{"do not open-code LDR", 189, 191, []string{"FT601"}},
	{"have a separate template that is not patched", 270, 282, []string{"FT112"}},
	{"make it RO first, do not break W^X", 290, 299, []string{"FT301"}},
	{"share the code with the non-graph versions", 344, 376, []string{"FT604"}},
}

// All that is found in the RFC: line of the mail, rule, place in the patched
// file. What the reviewer does not say is true all the same.
var rfcFindings = []string{
	"299 FT301 arch/arm64/kernel/ftrace.c:206",
	"299 FT306 arch/arm64/kernel/ftrace.c:206",
	"79 FT104 arch/arm64/kernel/entry-ftrace.S:80",
	"85 FT104 arch/arm64/kernel/entry-ftrace.S:86",
	"100 FT104 arch/arm64/kernel/entry-ftrace.S:127",
	"171 FT501 arch/arm64/kernel/ftrace.c:94",
	"190 FT601 arch/arm64/kernel/ftrace.c:107",
	"248 FT602 arch/arm64/kernel/ftrace.c:161", // three instructions of the copy, unseen
	"341 FT602 arch/arm64/kernel/ftrace.c:239",
	"373 FT602 arch/arm64/kernel/ftrace.c:271",
	"281 FT603 arch/arm64/kernel/ftrace.c:194",
	"176 FT605 arch/arm64/kernel/ftrace.c:96",
	"51 FT608", // from callsites to the trampoline
	"339 FT608 arch/arm64/kernel/ftrace.c:237", // from the trampoline to the callback
	"282 FT112 arch/arm64/kernel/ftrace.c:195",
	"346 FT604 arch/arm64/kernel/ftrace.c:244",
	"358 FT604 arch/arm64/kernel/ftrace.c:256", // the two functions that call those
	"45 FT606", // the patch's own TODO, and its "known issues"
	"11 FT607",
}

// The review is the yardstick: a finding for each comment, at the line that
// the reviewer answered, and none that a maintainer would call noise.
func TestReview(t *testing.T) {
	if _, err := os.Stat(rfc); err != nil {
		fmt.Fprintf(os.Stderr, "\n*** TestReview DOES NOT RUN: %v ***\n\n", err)
		t.Skipf("SKIPPED: the reviewed RFC is not there: %v", err)
	}
	res := lint.File(t.Context(), rfc, lint.Config{AtPatch: true})
	for _, err := range res.Errors {
		t.Fatal(err)
	}
	at := func(f finding.Finding) string {
		s := fmt.Sprintf("%d %s", f.Line, f.Rule.ID)
		if f.Patched.Path != rfc {
			s += fmt.Sprintf(" %s:%d", f.Patched.Path, f.Patched.Line)
		}
		return s
	}
	var got []string
	for _, f := range res.Findings {
		if f.Path != rfc {
			t.Errorf("%s:%d is not in the mail", f.Path, f.Line)
		}
		got = append(got, at(f))
	}
	if diff := cmp.Diff(rfcFindings, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	for _, comment := range review {
		for _, rule := range comment.rules {
			if !slices.ContainsFunc(res.Findings, func(f finding.Finding) bool {
				return f.Rule.ID == rule && f.Line >= comment.first && f.Line <= comment.last
			}) {
				t.Errorf("%q: no %s in lines %d to %d", comment.says, rule, comment.first, comment.last)
			}
		}
	}
	// What was trimmed and mangled is said.
	want := []string{
		rfc + ":125: note: the hunk is cut short: its header has 6 lines before and 314 after the change, here are 3 and 226",
		rfc + ":77: note: white space is not as it was sent: the blank in front is lost from 28 context lines, this is the first",
	}
	if diff := cmp.Diff(want, report.NoteLines(res)); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	// The same findings at the patched files, with the mail's lines beside.
	source := lint.File(t.Context(), rfc, lint.Config{})
	var there []string
	for _, f := range source.Findings {
		line := f.Line
		if f.Path != rfc {
			line = f.Related[0].Line
		}
		there = append(there, fmt.Sprintf("%d %s", line, f.Rule.ID))
	}
	slices.Sort(there)
	var here []string
	for _, s := range rfcFindings {
		here = append(here, strings.Join(strings.Fields(s)[:2], " "))
	}
	slices.Sort(here)
	if diff := cmp.Diff(here, there); diff != "" {
		t.Errorf("at the source (-want +got):\n%s", diff)
	}
}

// What is found in the kernel's own arm64 code, and is true: pairs of
// functions that differ in names alone. That nobody minds them is why FT604
// is a note.
var trueInMainline = map[string]string{
	"machine_kexec.c:arch_kexec_unprotect_crashkres":        "set_memory_valid(..., 1) for set_memory_valid(..., 0)",
	"ptrace.c:pac_generic_keys_get":                         "another register set, the same copy",
	"ptrace.c:pac_generic_keys_set":                         "another register set, the same copy",
	"fpsimd.c:sme_set_current_vl":                           "SME for SVE",
	"simulate-insn.c:check_tbnz":                            "!= for ==",
	"simulate-insn.c:simulate_tbz_tbnz":                     "another check of another displacement",
	"sdei.c:init_sdei_scs":                                  "shadow stacks for stacks",
	"proton-pack.c:spectre_bhb_get_cpu_fw_mitigation_state": "WORKAROUND_3 for WORKAROUND_1",
	"insn.c:aarch64_insn_gen_dsb":                           "DSB for DMB",
	"smp.c:ipi_teardown":                                    "disables for enables, in 7.2",
	"ptrace.c:compat_tls_set":                               "compat_ulong_t for unsigned long, in 5.10",
}

var twin = regexp.MustCompile(`^(\w+)\(\) is nearly the same as \w+\(\)`)

// Good code has no findings but those in the list: arm64's own ftrace has
// none, nor has what else of arm64 makes and patches code. x86's has one, which is
// true: up to 6.1 trampolines that are built while the kernel boots stay writable.
// Files of no architecture are not judged.
func TestKernelSources(t *testing.T) {
	for _, suite := range suites {
		t.Run(suite.name, func(t *testing.T) {
			dir := needKernel(t, suite.name, suite.inCI)
			src := filepath.Join(dir, "src")
			var files []string
			err := filepath.WalkDir(src, func(path string, d os.DirEntry, err error) error {
				if err == nil && !d.IsDir() && patchscan.LangOf(path) != patchscan.LangOther {
					files = append(files, path)
				}
				return err
			})
			if err != nil {
				missing(t, suite.inCI, "no source of this kernel (run scripts/fetch-kernels %s): %v", suite.name, err)
			}
			judged := map[string]int{}
			for _, file := range files {
				res := lint.File(t.Context(), file, lint.Config{AllLines: true})
				for _, err := range res.Errors {
					t.Error(err)
				}
				rel, err := filepath.Rel(src, file)
				if err != nil {
					t.Fatal(err)
				}
				arch := patchscan.ArchOf(filepath.ToSlash(rel))
				judged[arch] += res.Patch.Judged
				for _, f := range res.Findings {
					if m := twin.FindStringSubmatch(f.Text()); m != nil && trueInMainline[filepath.Base(file)+":"+m[1]] != "" && !strings.Contains(rel, "ftrace") {
						continue
					}
					if f.Rule.ID == "FT301" && rel == "arch/x86/kernel/ftrace.c" && (suite.name == "bullseye" || suite.name == "bookworm") {
						continue
					}
					if images.True[suite.name][f.Rule.ID] > 0 && filepath.Base(file) == "bpf_jit_comp.c" {
						continue // what is found in the image, too
					}
					t.Errorf("%s:%d: %s [%s]", rel, f.Line, f.Text(), f.Rule.ID)
				}
			}
			if judged["arm64"] < 2 || suite.inCI && judged["x86"] == 0 || judged[""] > 0 {
				t.Errorf("files judged, by architecture: %v", judged)
			}
			if suite.inCI && (judged["arm64"] < 100 || !slices.Contains(files, filepath.Join(src, "arch/x86/kernel/ftrace_64.S"))) {
				t.Errorf("%d files of arm64 were judged; x86's may be missing: the sources were fetched by an older scripts/fetch-kernels", judged["arm64"])
			}
		})
	}
}

// entryPatch is a patch that makes arch/arm64/kernel/entry-ftrace.S what the
// sample was built from, line for line, written as the kernel writes it.
// Without all, it adds the line that only names and leaves the rest context.
func entryPatch(t *testing.T, only string) string {
	t.Helper()
	b, err := os.ReadFile("../testdata/vmlinux-samples/rfc-trampoline.S")
	if err != nil {
		t.Fatal(err)
	}
	macro := regexp.MustCompile(`^\t(entry|label|endentry)\s+(\w+)`)
	form := map[string]string{"entry": "SYM_CODE_START($2)", "label": "SYM_INNER_LABEL($2, SYM_L_GLOBAL)", "endentry": "SYM_CODE_END($2)"}
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	var body strings.Builder
	added := 0
	for _, l := range lines {
		l, _, _ = strings.Cut(l, "// want")
		if m := macro.FindStringSubmatch(l); m != nil {
			l = macro.ReplaceAllString(l, form[m[1]])
		}
		op := "+"
		if only != "" && !strings.Contains(l, only) {
			op = " "
		} else {
			added++
		}
		fmt.Fprintf(&body, "%s%s\n", op, l)
	}
	const path = "arch/arm64/kernel/entry-ftrace.S"
	return fmt.Sprintf("diff --git a/%s b/%[1]s\n--- a/%[1]s\n+++ b/%[1]s\n@@ -1,%d +1,%d @@\n%s", path, len(lines)-added, len(lines), body.String())
}

// lintBuilt lints a patch and an image that was built with it.
func lintBuilt(t *testing.T, text, image string, cfg lint.Config) (patch, built *finding.Result) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "0001.patch")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	var results []*finding.Result
	if _, err := lint.Run(t.Context(), lint.Inputs{Patches: []string{path}, Built: image}, cfg, func(res *finding.Result) { results = append(results, res) }); err != nil {
		t.Fatal(err)
	}
	if len(results) != 2 {
		t.Fatalf("%d results, want that of the patch and that of the image", len(results))
	}
	return results[0], results[1]
}

// A patch and an image built with it: what both show is confirmed and said
// once, what the image alone shows is said where the patch is, and the rest of
// the image is left alone.
func TestPatchWithImage(t *testing.T) {
	const image = "../testdata/vmlinux-samples/rfc-trampoline-debian.elf"
	for _, test := range []struct {
		name, only string
		patch      []string // findings of the patch
		image      []string // findings of the image that are reported beside them
	}{
		{name: "all of the file",
			patch: []string{"26 FT104 confirmed", "32 FT104 confirmed", "48 FT104 confirmed", "48 FT112 confirmed"}},
		{name: "one line", only: "ftrace_common_end",
			patch: []string{"48 FT104 confirmed", "48 FT112 confirmed"}},
		{name: "a function, but not its defect", only: "ftrace_stub",
			image: []string{"49 FT104", "37 FT112"}},
		{name: "something else", only: "vfs_read"},
	} {
		t.Run(test.name, func(t *testing.T) {
			patch, res := lintBuilt(t, entryPatch(t, test.only), image, lint.Config{})
			for _, err := range res.Errors {
				t.Error(err)
			}
			show := func(findings []finding.Finding) (out []string) {
				for _, f := range findings {
					s := fmt.Sprintf("%d %s", f.Line, f.Rule.ID)
					if f.Confirmed {
						s += " confirmed"
						if last := f.Related[len(f.Related)-1]; last.Addr == 0 || !strings.Contains(last.Message, image+" confirms it: ") {
							t.Errorf("%+v does not show what the image has", last)
						}
					}
					out = append(out, s)
				}
				return out
			}
			if diff := cmp.Diff(test.patch, show(patch.Findings)); diff != "" {
				t.Errorf("of the patch (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.image, show(res.Findings)); diff != "" {
				t.Errorf("of the image (-want +got):\n%s", diff)
			}
			for _, r := range res.Rules {
				if n := strings.Count(strings.Join(test.image, " "), r.Rule.ID); r.Findings != n {
					t.Errorf("%s: %d findings, want %d", r.Rule.ID, r.Findings, n)
				}
			}
		})
	}
}

// A comment may name what the image has and no patch shows.
func TestImageHasName(t *testing.T) {
	const image = "../testdata/vmlinux-samples/rfc-trampoline-debian.elf"
	for name, want := range map[string]int{
		"aarch64_insn_gen_branch_imm": 0, // a symbol of the image
		"aarch64_insn_gen_brench_imm": 1,
	} {
		text := strings.Join([]string{"--- /dev/null", "+++ b/arch/arm64/kernel/x.c", "@@ -0,0 +1,4 @@",
			"+static u32 aarch64_insn_gen_brunch_imm(void) // not " + name, "+{", "+	return 0;", "+}", ""}, "\n")
		patch, _ := lintBuilt(t, text, image, lint.Config{})
		n := 0
		for _, f := range patch.Findings {
			if f.Rule.ID == "FT605" {
				n++
			}
		}
		if n != want {
			t.Errorf("%s: FT605 has %d findings, want %d: %v", name, n, want, patch.Findings)
		}
	}
}

// A defect that is one rule's in patches and another's in images is confirmed,
// too: the patch's finding is on the line of the image's.
func TestTwinsWithImage(t *testing.T) {
	for _, test := range []struct {
		image, path string
		line        int    // of the finding
		text        string // of the patch, whose first line is the finding's
		want        string // the rule of the patch
		confirms    []string
	}{
		{"rfc-builder.elf", "rfc-builder.c", 100, `static u32 call(struct ftrace_ops *ops, u64 to) { return aarch64_insn_gen_branch_imm(ops->trampoline, to, AARCH64_INSN_BRANCH_LINK); }
static void build(struct ftrace_ops *ops) { ops->trampoline = (u64)module_alloc(8); memcpy((void *)ops->trampoline, ftrace_common, 8); }
`, "FT608", []string{"FT203"}},
		{"builder-literal-masked.elf", "builder-literal-masked.c", 16, `static u32 load(u64 offset) { u32 insn = aarch64_insn_gen_nop(); insn |= (offset & 0x7ffff) << 5; return insn; }
`, "FT603", []string{"FT603", "FT110"}},
	} {
		t.Run(test.want, func(t *testing.T) {
			body := strings.Repeat("\n", test.line-1) + test.text
			n := strings.Count(body, "\n")
			diff := fmt.Sprintf("diff --git a/%s b/%[1]s\nnew file mode 100644\n--- /dev/null\n+++ b/%[1]s\n@@ -0,0 +1,%d @@\n", test.path, n)
			for line := range strings.Lines(body) {
				diff += "+" + line
			}
			path := filepath.Join(t.TempDir(), "0001.patch")
			if err := os.WriteFile(path, []byte(diff), 0o600); err != nil {
				t.Fatal(err)
			}
			var results []*finding.Result
			in := lint.Inputs{Patches: []string{path}, Built: "../testdata/vmlinux-samples/builders/" + test.image}
			if _, err := lint.Run(t.Context(), in, lint.Config{}, func(r *finding.Result) { results = append(results, r) }); err != nil || len(results) != 2 {
				t.Fatalf("%d results, %v", len(results), err)
			}
			patch, image := results[0], results[1]
			i := slices.IndexFunc(patch.Findings, func(f finding.Finding) bool { return f.Rule.ID == test.want && f.Line == test.line })
			if i < 0 || !patch.Findings[i].Confirmed {
				t.Fatalf("%s at line %d of the patch is not confirmed: %+v", test.want, test.line, patch.Findings)
			}
			for _, f := range image.Findings {
				if slices.Contains(test.confirms, f.Rule.ID) && f.Line == test.line {
					t.Errorf("%s is said twice: %+v", f.Rule.ID, f)
				}
			}
		})
	}
}
