package patchchecks_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/txtar"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/hostile"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/patchchecks"
	"github.com/ftlint/ftlint/patchscan"
	"github.com/ftlint/ftlint/report"
	"github.com/ftlint/ftlint/rules"
)

// A want is an expectation at the end of a line of a sample:
//
//	// want FT501 "regexp" FT502 "regexp"
//
// The comment is cut off before the line is linted.
type want struct {
	path string
	line int
	rule string
	re   *regexp.Regexp
	met  bool
}

var (
	wantComment = regexp.MustCompile(`\s*// want (FT\d+ ".*)$`)
	wantItem    = regexp.MustCompile(`(FT\d+) "((?:[^"\\]|\\.)*)"`)
)

// sample makes a patch of an archive: the archive's comment is the message, and
// its files are new files.
func sample(t *testing.T, file string) (patch string, wants []*want) {
	t.Helper()
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	line := func(path string, n int, prefix, text string) {
		if m := wantComment.FindStringSubmatch(text); m != nil {
			text = text[:len(text)-len(m[0])]
			for _, item := range wantItem.FindAllStringSubmatch(m[1], -1) {
				wants = append(wants, &want{path: path, line: n, rule: item[1], re: regexp.MustCompile(item[2])})
			}
		}
		b.WriteString(prefix + text + "\n")
	}
	b.WriteString("From: A Developer <dev@example.org>\nSubject: [PATCH] a sample\n\n")
	for i, text := range strings.Split(strings.TrimSuffix(string(ar.Comment), "\n"), "\n") {
		line(file, i+4, "", text)
	}
	b.WriteString("---\n")
	for _, f := range ar.Files {
		lines := strings.Split(strings.TrimSuffix(string(f.Data), "\n"), "\n")
		fmt.Fprintf(&b, "diff --git a/%s b/%[1]s\nnew file mode 100644\n--- /dev/null\n+++ b/%[1]s\n@@ -0,0 +1,%d @@\n", f.Name, len(lines))
		for i, text := range lines {
			line(f.Name, i+1, "+", text)
		}
	}
	return b.String() + "-- \n2.39\n", wants
}

func lintText(t *testing.T, name, text string, cfg lint.Config) *finding.Result {
	t.Helper()
	in, err := patchscan.Parse(name, text)
	if err != nil {
		t.Fatal(err)
	}
	res := lint.Patch(t.Context(), in, cfg)
	for _, err := range res.Errors {
		t.Error(err)
	}
	for _, n := range report.NoteLines(res) {
		t.Error(n)
	}
	return res
}

// The findings in each sample are compared with its expectations, both ways.
func TestSamples(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	triggered, passed := map[string]bool{}, map[string]bool{}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, wants := sample(t, file)
			res := lintText(t, file, text, lint.Config{})
			for _, f := range res.Findings {
				i := slices.IndexFunc(wants, func(w *want) bool {
					return !w.met && w.rule == f.Rule.ID && w.path == f.Path && w.line == f.Line && w.re.MatchString(f.Text())
				})
				if i < 0 {
					t.Errorf("not expected: %s:%d: %s [%s]", f.Path, f.Line, f.Text(), f.Rule.ID)
				} else {
					wants[i].met = true
				}
			}
			for _, w := range wants {
				if !w.met {
					t.Errorf("not found: %s:%d: %s %q", w.path, w.line, w.rule, w.re)
				}
			}
			for _, r := range res.Rules {
				switch {
				case r.Findings > 0:
					triggered[r.Rule.ID] = true
				case r.Status == finding.Judged:
					passed[r.Rule.ID] = true
				}
			}
		})
	}
	for _, r := range rules.All() {
		if r.On&rules.Patches == 0 {
			continue
		}
		if !triggered[r.ID] {
			t.Errorf("no sample triggers %s: write one in patchchecks/testdata, with // want %[1]s \"...\" at the line of the finding", r.ID)
		}
		if !passed[r.ID] {
			t.Errorf("no sample comes close to %s and passes: write one in patchchecks/testdata", r.ID)
		}
	}
}

// No headline of a finding in the samples is longer than MaxHeadline, whatever the
// names in them are, and half of the headlines have at most 80 characters.
func TestHeadlines(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	var lengths []int
	look := func(name, text string) (found int) {
		for _, f := range lintText(t, name, text, lint.Config{}).Findings {
			n := utf8.RuneCountInString(f.Headline)
			if n > finding.MaxHeadline || f.Fix == "" || report.OneLine(f.Headline) != f.Headline || strings.HasSuffix(f.Fix, ".") {
				t.Errorf("%s, %d characters: %s", f.Rule.ID, n, f.Text())
			}
			lengths = append(lengths, n)
			found++
		}
		return found
	}
	name := regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]{2,}`)
	for _, file := range files {
		text, _ := sample(t, file)
		found := look(file, text)
		if found == 0 {
			continue
		}
		usual := lengths
		// As many names as can be long with no finding lost are long.
		begin := strings.Index(text, "+++ ")
		words := name.FindAllString(text[begin:], -1)
		slices.Sort(words)
		for _, word := range slices.Compact(words) {
			long := strings.Repeat("x", 150)
			hostile := text[:begin] + regexp.MustCompile(`\b`+word+`\b`).ReplaceAllString(text[begin:], word+long)
			if look(file, hostile) >= found {
				text = hostile
			}
		}
		lengths = usual
	}
	slices.Sort(lengths)
	if n := lengths[len(lengths)/2]; n > 80 {
		t.Errorf("half of the headlines have more than %d characters", n)
	}
}

func TestValidate(t *testing.T) {
	if err := analysis.Validate(patchchecks.All); err != nil {
		t.Error(err)
	}
	if !slices.IsSortedFunc(patchchecks.All, func(a, b *analysis.Analyzer) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("patchchecks.All is not in the order of the IDs")
	}
}

// Added lines are judged, context lines with AllLines, removed lines never.
func TestContext(t *testing.T) {
	b, err := os.ReadFile("testdata/context.patch")
	if err != nil {
		t.Fatal(err)
	}
	for all, want := range map[bool]string{false: "11 FT501", true: "10 FT501, 11 FT501, 13 FT606"} {
		var got []string
		for _, f := range lintText(t, "context.patch", string(b), lint.Config{AllLines: all}).Findings {
			got = append(got, fmt.Sprintf("%d %s", f.Line, f.Rule.ID))
		}
		if s := strings.Join(got, ", "); s != want {
			t.Errorf("all lines %t: %s, want %s", all, s, want)
		}
	}
}

// A claim of speed without a figure gives a finding. A claim with a figure, and a
// message without a claim, give none.
func TestClaims(t *testing.T) {
	for message, want := range map[string]string{
		"But this is very\ninefficient.":                                   "very inefficient",
		"This makes tracing much faster.":                                  "faster",
		"It improves the performance of tracing.":                          "improves the performance",
		"This avoids the overhead of the list function.":                   "avoids the overhead",
		"It speeds up ftrace.":                                             "speeds up",
		"It is faster: 12 ns instead of 31 ns.":                            "",
		"It is 30% faster.":                                                "",
		"It is twice as fast: 1.9x.":                                       "",
		"It is faster by a third.":                                         "",
		"It is faster by about two thirds.":                                "",
		"It is faster, 2x.":                                                "",
		"It is faster, from 3.2 to 1.1.":                                   "",
		"It is faster: the time goes from 12.5 down to 3.":                 "",
		"It is faster: 3.2 -> 1.1.":                                        "",
		"It is faster by half.":                                            "",
		"It is twice as fast as before, much faster.":                      "",
		"Much faster: it halves the time of a call.":                       "",
		"It is faster by a factor of ten.":                                 "",
		"It is faster by an order of magnitude.":                           "",
		"It is faster, and called twice, by a third party.":                "faster",
		"It is faster; x2 holds the ops, and 3 to 5 callers use it.":       "faster",
		"Much faster:\n\n| before | 120 | 130 |\n| after | 20 | 30 |\n":    "",
		"No functional change, no performance impact.":                     "",
		"The fast path and the slow path are the same.":                    "",
		"This does not improve performance.":                               "",
		"It should be faster on some machines.":                            "",
		"Use the efficient form of the name.":                              "",
		"It is slower.\n---\nMeasured: 40 cycles more.":                    "",
		"For ARM64 and X86_64 in 2020 this was found to be too slow":       "too slow",
		"The callback is called 3 times, which is inefficient in 2 places": "inefficient",
	} {
		text := "From: a@example.org\nSubject: [PATCH] x\n\n" + message + "\n---\n" +
			"diff --git a/arch/arm64/kernel/ftrace.c b/arch/arm64/kernel/ftrace.c\n--- a/arch/arm64/kernel/ftrace.c\n+++ b/arch/arm64/kernel/ftrace.c\n@@ -1 +1,2 @@\n int a;\n+int b;\n"
		got := ""
		for _, f := range lintText(t, "x.patch", text, lint.Config{}).Findings {
			got += f.Text()
		}
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q: found %q, want %q", message, got, want)
		}
	}
}

// A figure in the cover letter counts for the whole series.
func TestCoverLetter(t *testing.T) {
	mail := func(subject, body string) string {
		return "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\nFrom: a@example.org\nSubject: " + subject + "\n\n" + body + "\n"
	}
	diff := "---\ndiff --git a/arch/arm64/kernel/ftrace.c b/arch/arm64/kernel/ftrace.c\n--- a/arch/arm64/kernel/ftrace.c\n+++ b/arch/arm64/kernel/ftrace.c\n@@ -1 +1,2 @@\n int a;\n+int b;\n"
	for cover, want := range map[string]int{"It takes 5 ns less.": 0, "It is nice.": 1} {
		res := lintText(t, "x.mbox", mail("[PATCH 0/1] x", cover)+mail("[PATCH 1/1] x", "It is faster.\n"+diff), lint.Config{})
		if len(res.Findings) != want {
			t.Errorf("cover letter %q: %d findings, want %d", cover, len(res.Findings), want)
		}
	}
}

// Each entry of each table is found in code of the architecture that it is looked for
// in, and in that of the other, whose word it is, it is not.
func TestEachIsm(t *testing.T) {
	for _, isms := range rules.AllIsms {
		for _, ism := range isms.Words {
			token := strings.TrimSpace(ism.Token)
			if begin, ok := strings.CutSuffix(token, "*"); ok {
				token = begin + "other"
			}
			ext, text := "c", "/* it is in "+token+" here */\n"
			switch {
			case strings.HasSuffix(ism.Token, " "):
				ext, text = "S", "\t"+token+"\tx\n"
			case ism.Rule == "FT504":
				text = "int f(void)\n{\n\treturn " + token + "(1);\n}\n"
			case ism.Rule == "FT503" && strings.HasPrefix(token, "0x"):
				text = "int f(void)\n{\n\tinsn = " + strings.ReplaceAll(token, " ", ", ") + ";\n}\n"
			case ism.Rule == "FT503":
				text = "int f(void)\n{\n\treturn " + token + ";\n}\n"
			}
			for _, in := range []string{isms.In, isms.Of} {
				n := 0
				for _, f := range lintText(t, "arch/"+in+"/kernel/x."+ext, text, lint.Config{}).Findings {
					if f.Rule.ID == ism.Rule {
						n++
					}
					if f.Fix == "" || in == isms.In && f.Rule.ID[:3] == "FT5" && (!strings.Contains(f.Headline, strings.Split(token, " ")[0]) || !strings.Contains(f.Headline, isms.Of)) {
						t.Errorf("%s in code of %s: %s", token, in, f.Text())
					}
				}
				if want := map[bool]int{true: 1}[in == isms.In]; n != want {
					t.Errorf("%s %s in code of %s: %d findings, want %d:\n%s", ism.Rule, token, in, n, want, text)
				}
			}
		}
	}
}

// What a patch of a series puts back as it was is not judged; what it puts back with
// changes is.
func TestRestored(t *testing.T) {
	mail := func(n int, hunk string) string {
		return fmt.Sprintf("From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\nFrom: a@example.org\nSubject: [PATCH %d/2] arm64: ftrace: x\n\nx\n---\n"+
			"--- a/arch/arm64/kernel/ftrace.c\n+++ b/arch/arm64/kernel/ftrace.c\n%s", n, hunk)
	}
	removed := mail(1, "@@ -1,5 +1,3 @@\n {\n-\tu32 insn = 0xd503201f;\n-\temit(tramp, __fentry__);\n \treturn 0;\n }\n")
	for back, want := range map[string]int{
		"+\tu32 insn = 0xd503201f;\n+\temit(tramp, __fentry__);\n":  0,
		"+\tu32 insn = 0xd503201f;\n+\temit(second, __fentry__);\n": 1,
	} {
		res := lintText(t, "x.mbox", removed+mail(2, "@@ -1,3 +1,5 @@\n {\n"+back+" \treturn 0;\n }\n"), lint.Config{})
		n := 0
		for _, f := range res.Findings {
			if strings.Contains(f.Text(), "__fentry__") {
				n++
			}
		}
		if n != want {
			t.Errorf("%s: %d findings, want %d: %v", back, n, want, res.Findings)
		}
	}
}

// A file whose path names no architecture is judged if its words are arm64's.
func TestUnknownArch(t *testing.T) {
	for _, test := range []struct {
		path, text string
		judged     bool
	}{
		{"x.c", "u32 insn = aarch64_insn_gen_nop();\n", true},
		{"x.S", "\tstp x29, x30, [sp]\n\tret\n", true},
		{"x.S", "\tmovq %rsp, %rdi\n\tretq\n", false},
		{"x.c", "int a;\n", false},
		{"kernel/trace/ftrace.c", "/* as ftrace_modify_code() does */\nint ftrace_nop;\n", false},
		{"arch/x86/kernel/x.c", "u32 insn = aarch64_insn_gen_nop();\n", true}, // as code of x86
		{"arch/x86/kernel/x.S", "\tret\n", true},
		{"arch/riscv/kernel/x.c", "u32 insn = aarch64_insn_gen_nop();\n", false},
		// Code of arm64 outside of arch/arm64 uses arm64's interface.
		{"drivers/hook/x.c", "u32 insn = aarch64_insn_gen_nop();\n", true},
		{"samples/x/x.c", "int n = AARCH64_INSN_SIZE;\n", true},
		{"drivers/hook/x.c", "#include <asm/insn.h>\n", true},
		{"drivers/hook/x.c", "#include <asm/patching.h>\n", true},
		{"drivers/hook/x.c", "#include <asm/insn.h>\nint n = insn_decode(&i, p, 4, 0);\n", false}, // x86's
		{"drivers/hook/x.c", "u32 *f(void)\n{\n\tu32 *p = module_alloc(4);\n\n\tp[0] = 0xd65f03c0;\n\treturn p;\n}\n", true},
		{"drivers/hook/x.c", "int f(void *p)\n{\n\tset_memory_x((unsigned long)p, 1);\n\treturn 0x94000000;\n}\n", true},
		{"drivers/hook/x.c", "int f(void *p)\n{\n\treturn set_memory_x((unsigned long)p, 1);\n}\n", false},
		{"drivers/net/x.c", "u32 magic = 0xd65f03c0;\n", false},
		{"hook/x.c", "#include <asm/insn.h>\n", true},
	} {
		res := lintText(t, test.path, test.text, lint.Config{})
		if got := res.Patch.Judged == 1; got != test.judged {
			t.Errorf("%s %q: judged %t, want %t", test.path, test.text, got, test.judged)
		}
	}
}

// On any patch the checks end without a panic, use memory in proportion to the
// patch, and report the same findings twice, at lines and columns that exist.
func FuzzChecks(f *testing.F) {
	// Short seeds: the engine minimises what it finds, at the speed of a run.
	for _, seed := range []string{
		"/* retq %rip */ u8 code[] = { 0x0f, 0x1f };\n",
		"void f(void) { u32 i = 0x58000002 | (o & BIT(19) - 1) << 5; p = module_alloc(n); memcpy(p, ftrace_common, n); memcpy(p, &i, 4); set_memory_x(p, 1); }\n",
		"int f(void) { return ftrace_modify_code(a + b, 0, aarch64_insn_gen_branch_imm(tramp, c, 1), false); }\n",
		"SYM_CODE_START(f)\n\tbl g\nf_end:\n\tret\nSYM_CODE_END(f)\n",
		"--- a/arch/arm64/x.c\n+++ b/arch/arm64/x.c\n@@ -1 +1,2 @@\n int a;\n+/* TODO: f_oo => f_o1 */\n",
		"--- a/arch/arm64/x.c\n+++ b/arch/arm64/x.c\n@@ -1,2 +1,3 @@\n int a;\n+/* as __fentry__\nand %rip */\n int b;\n",
	} {
		for _, x86 := range []bool{false, true} {
			f.Add(seed, false, x86)
			f.Add(seed, true, x86)
		}
	}
	f.Fuzz(func(t *testing.T, text string, asm, x86 bool) {
		name := "arch/arm64/kernel/x.c"
		if x86 {
			name = "arch/x86/kernel/x.c"
		}
		if asm {
			name = strings.TrimSuffix(name, "c") + "S"
		}
		show := func() string {
			in, err := patchscan.Parse(name, text)
			if err != nil {
				hostile.OneLine(t, err, name+": ")
				return err.Error()
			}
			res := lint.Patch(t.Context(), in, lint.Config{})
			for _, err := range res.Errors {
				t.Fatal(err)
			}
			for _, f := range res.Findings {
				if f.Line < 1 || f.Line > strings.Count(text, "\n")+1 && res.Patch.Source || f.Col < 1 || f.Col > len(f.Source)+1 || f.EndCol <= f.Col || f.EndCol > len(f.Source)+1 || f.Headline == "" || utf8.RuneCountInString(f.Headline) > finding.MaxHeadline {
					t.Fatalf("%+v", f)
				}
				// A line that a mail program wrapped is joined.
				if lower := strings.ToLower(text); !strings.Contains(text, f.Source) && !holdsInOrder(text, strings.ReplaceAll(f.Source, " ", "")) && !strings.Contains(lower, "charset") && !strings.Contains(lower, "transfer-encoding") {
					t.Fatalf("the input does not have %q: %+v", f.Source, f)
				}
				for _, r := range f.Related {
					if r.Path == "" || r.Line < 1 || r.Col < 1 {
						t.Fatalf("%+v", r)
					}
				}
			}
			return fmt.Sprint(res.Findings)
		}
		var first, second string
		hostile.Bounded(t, 64<<20, 20000, len(text), func() { first, second = show(), show() })
		if first != second {
			t.Fatal("two runs differ")
		}
	})
}

// holdsInOrder reports whether the text has the bytes of part, one behind the other,
// with others between them or not.
func holdsInOrder(text, part string) bool {
	for ; part != ""; part = part[1:] {
		i := strings.IndexByte(text, part[0])
		if i < 0 {
			return false
		}
		text = text[i+1:]
	}
	return true
}

// What a check looked at in the mails of a mailbox is added up.
func TestExamined(t *testing.T) {
	mail := func(subject string) string {
		return "From a@example.org Mon May  5 12:00:00 2025\nFrom: a@example.org\nSubject: [PATCH] " + subject + "\n\nWords.\n---\n" +
			"--- a/arch/arm64/kernel/ftrace.c\n+++ b/arch/arm64/kernel/ftrace.c\n@@ -1 +1,2 @@\n int a;\n+int " + subject + ";\n"
	}
	for text, want := range map[string]string{mail("one"): "1 message", mail("one") + mail("two") + mail("three"): "3 messages"} {
		for _, r := range lintText(t, "x.mbox", text, lint.Config{}).Rules {
			if r.Rule.ID == "FT607" && r.Examined != want {
				t.Errorf("examined %q, want %q", r.Examined, want)
			}
		}
	}
}

// A patch is about code if it names what sets permissions of memory. KVM's memory
// regions are something else.
func TestAboutCode(t *testing.T) {
	for line, want := range map[string]int{"set_memory_ro(p, 1);": 1, "set_memory_rw(p, 1);": 1, "kvm_set_memory_region(p, 1);": 0} {
		text := "From: a@example.org\nSubject: [PATCH] x\n\nx\n---\n--- a/arch/x86/kvm/x.c\n+++ b/arch/x86/kvm/x.c\n@@ -1 +1,3 @@\n int a;\n+/* TODO: more */\n+" + line + "\n"
		n := 0
		for _, f := range lintText(t, "x.patch", text, lint.Config{}).Findings {
			if f.Rule.ID == "FT606" {
				n++
			}
		}
		if n != want {
			t.Errorf("%s: %d open points are reported, want %d", line, n, want)
		}
	}
}
