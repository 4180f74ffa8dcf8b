package policy_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/hostile"
	"github.com/ftlint/ftlint/policy"
	"github.com/ftlint/ftlint/rules"
)

const fullSetup = `# all keys
rules:
  enable: [FT1, site-not-at-entry]
  disable: FT104
severity:
  FT1: warning
  FT101: error
  copy-misses-ret: "off"
paths:
  ignore:
    - drivers/staging/
    - '*.tmp.ko'
fail-on: note
baseline: known/base.jsonl
suppress:
  - rule: FT407
    object: vmlinux
    symbol: "*_kvm_*"
    path: virt/**/*.c
    text: nop
    line: 'vfs_.*: (error|note)'
    reason: >
      weak functions
      that KVM overrides
  - {rule: FT1, reason: "not now"}
`

func TestParseSetup(t *testing.T) {
	got, err := policy.ParseSetup("d/.ftlint.yaml", []byte(fullSetup))
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string, line int) policy.Value {
		return policy.Value{Text: text, From: fmt.Sprintf("d/.ftlint.yaml:%d", line)}
	}
	want := &policy.Setup{
		Path:     "d/.ftlint.yaml",
		Enable:   []policy.Value{at("FT1", 3), at("site-not-at-entry", 3)},
		Disable:  []policy.Value{at("FT104", 4)},
		Severity: []policy.SeverityOf{{Rule: at("FT1", 6), Severity: "warning"}, {Rule: at("FT101", 7), Severity: "error"}, {Rule: at("copy-misses-ret", 8), Severity: "off"}},
		Ignore:   []policy.Value{at("drivers/staging/", 11), at("*.tmp.ko", 12)},
		FailOn:   at("note", 13),
		Baseline: at("known/base.jsonl", 14),
		Suppress: []finding.Suppression{
			{Rule: "FT407", Object: "vmlinux", Symbol: "*_kvm_*", Path: "virt/**/*.c", Text: "nop", Line: "vfs_.*: (error|note)", Reason: "weak functions that KVM overrides\n", From: "d/.ftlint.yaml:16"},
			{Rule: "FT1", Reason: "not now", From: "d/.ftlint.yaml:25"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if p := got.BaselinePath(); p != filepath.FromSlash("d/known/base.jsonl") {
		t.Errorf("the baseline is at %s", p)
	}
	for _, empty := range []string{"", "\n", "# nothing\n", "---\n# nothing\n"} {
		if s, err := policy.ParseSetup("f", []byte(empty)); err != nil || len(s.YAML()) != 0 {
			t.Errorf("%q: %v, %s", empty, err, s.YAML())
		}
	}
}

// What is wrong is said with its place, and with what was meant if that is
// near.
// The file that ftlint config init writes sets nothing, and with its comments taken
// away it is valid and has every key.
func TestStarter(t *testing.T) {
	s, err := policy.ParseSetup("starter", []byte(policy.Starter))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(s.YAML()); strings.TrimSpace(got) != "" {
		t.Errorf("the file as it is written sets %q", got)
	}
	var used []string
	for line := range strings.Lines(policy.Starter) {
		if text, ok := strings.CutPrefix(line, "#"); ok && !strings.HasPrefix(text, " ") || strings.HasPrefix(line, "#  ") {
			used = append(used, text)
		}
	}
	s, err = policy.ParseSetup("used", []byte(strings.Join(used, "")))
	if err != nil {
		t.Fatalf("%v, in\n%s", err, strings.Join(used, ""))
	}
	for _, key := range []string{"rules:", "severity:", "paths:", "fail-on:", "baseline:", "suppress:"} {
		if !strings.Contains(string(s.YAML()), key) {
			t.Errorf("the file has no %s", key)
		}
	}
}

func TestSetupErrors(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"rule:\n  disable: FT1\n", `f:1:1: unknown key "rule": is "rules" meant?`},
		{"fail-on: error\nfail_on: error\n", `f:2:1: unknown key "fail_on": is "fail-on" meant?`},
		{"colour: red\n", `f:1:1: unknown key "colour": want baseline, fail-on, paths, rules, severity, suppress`},
		{"suppress:\n  - rule: FT407\n    resaon: x\n", `f:3:5: unknown key "resaon": is "reason" meant?`},
		{"suppress:\n  - rule: FT407\n", `f:2:9: a suppression of FT407 without a reason`},
		{"suppress:\n  - rule: FT407\n    reason: ' '\n", `f:2:9: a suppression of FT407 without a reason`},
		{"suppress:\n  - reason: because\n", `f:2:11: a suppression without a rule`},
		{"suppress:\n  rule: FT407\n", `f:2:7: want a list`},
		{"suppress: [FT407]\n", `f:1:12: want keys with values`},
		{"suppress:\n  - {rule: FT407, symbol: 'a[', reason: x}\n", `f:2:27: "a[" is not a pattern: a bracket is open, or nothing follows a backslash`},
		{"rules: {disable: FT999}\n", `f:1:18: no rule is called "FT999": want an ID (FT103), a name (copy-misses-ret) or the beginning of an ID (FT1)`},
		{"rules:\n  disable: site-misalignd\n", `f:2:12: no rule is called "site-misalignd"; near it: FT402 site-misaligned`},
		{"rules: [FT1]\n", `f:1:8: want keys with values`},
		{"rules:\n", `f:1:1: rules has no value`},
		{"rules:\n  disable: [[FT1]]\n", `f:2:13: want a text`},
		{"severity: {FT1: fatal}\n", `f:1:17: "fatal": want error, warning, note or off`},
		{"severity:\n  FT407: error\n  site-not-at-entry: note\n", `f:3:3: site-not-at-entry has a severity already, as FT407 in f:2`},
		{"severity:\n  FT4: error\n  ft4: note\n", `f:3:3: ft4 has a severity already, as FT4 in f:2`},
		{"fail-on: off\n", `f:1:10: "off": want error, warning, note or never`},
		{"fail-on: ''\n", `f:1:10: want a text that is not empty`},
		{"paths: {ignore: 'x['}\n", `f:1:17: "x[" is not a pattern: a bracket is open, or nothing follows a backslash`},
		{"fail-on: error\nfail-on: note\n", `f:2:1: mapping key "fail-on" already defined at [1:1]`},
		{"fail-on: error\n---\nfail-on: note\n", `f:3:8: a second document: want one`},
		{"a: &x [1]\nb: *x\n", `f:1:4: anchors, aliases, tags and directives are not taken`},
		{"fail-on: !!str error\n", `f:1:10: anchors, aliases, tags and directives are not taken`},
		{"just text\n", `f:1:1: want keys with values`},
		{"fail-on: \"error\n", `f:1:10: could not find end character of double-quoted text`},
		{"fail-on: x\nbaseline: \xff\n", `f:2: not UTF-8`},
		{strings.Repeat("[", 9), `f:1:9: nested too deeply`},
		{strings.Repeat("- ", 9) + "x", `f:1:17: nested too deeply`},
	} {
		_, err := policy.ParseSetup("f", []byte(test.text))
		if err == nil || err.Error() != test.want {
			t.Errorf("%q:\n got %v\nwant %s", test.text, err, test.want)
		}
	}
}

// A file that is large, or deep, or no file, is refused soon.
func TestSetupBounds(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) string {
		path := filepath.Join(dir, "f.yaml")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, test := range []struct{ what, text, want string }{
		{"too large", strings.Repeat("#\n", 1<<19+1), "has more than 1024 KiB"},
		{"open brackets", strings.Repeat("[\n", 1<<18), "nested too deeply"},
		{"open braces", strings.Repeat("{a: ", 1<<18), "nested too deeply"},
		{"dashes", strings.Repeat("- ", 1<<18), "nested too deeply"},
		{"question marks", strings.Repeat("? ", 1<<18), "nested too deeply"},
		{"indented", func() string {
			var b strings.Builder
			for i := range 1400 {
				fmt.Fprintf(&b, "%*sa:\n", i, "")
			}
			return b.String()
		}(), "unknown key"},
		{"the billion laughs", "a: &a [x,x]\nb: &b [*a,*a]\n", "anchors, aliases"},
		{"a long key", strings.Repeat("k", 1<<19) + ": x\n", "a text of more than 1,000 bytes"},
	} {
		began := time.Now()
		_, err := policy.ReadSetup(write(test.text), false)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %.200v, want %s", test.what, err, test.want)
		}
		if err != nil && len(err.Error()) > 1000 {
			t.Errorf("%s: an error of %d bytes", test.what, len(err.Error()))
		}
		if d := time.Since(began); d > 5*time.Second {
			t.Errorf("%s: it took %v", test.what, d)
		}
	}
	if _, err := policy.ReadSetup(dir, false); err == nil || err.Error() != dir+": is not a regular file" {
		t.Errorf("a folder: %v", err)
	}
	if runtime.GOOS == "linux" {
		if _, err := policy.ReadSetup("/dev/zero", false); err == nil || err.Error() != "/dev/zero: is not a regular file" {
			t.Errorf("a device: %v", err)
		}
		if _, err := policy.ReadSetup("/dev/zero", true); err == nil || !strings.Contains(err.Error(), "has more than 1024 KiB") {
			t.Errorf("a device that was named: %v", err)
		}
	}
}

// The most exact word on a rule holds, wherever it stands.
func TestSetupSeverities(t *testing.T) {
	s, err := policy.ParseSetup("f", []byte("severity: {FT407: error, FT4: note, FT40: warning, site-outside-text: 'off', FT5: 'off', FT504: error}\n"))
	if err != nil {
		t.Fatal(err)
	}
	sev := s.Severities()
	for id, want := range map[string]rules.Severity{"FT407": rules.Error, "FT401": rules.Warning, "FT411": rules.Note, "FT504": rules.Error} {
		if got, ok := sev[id]; !ok || got != want {
			t.Errorf("%s is a %v, want %v", id, got, want)
		}
	}
	if _, ok := sev["FT101"]; ok {
		t.Error("FT101 was given a severity")
	}
	runs := func(s *policy.Setup) map[string]bool {
		t.Helper()
		list, err := s.Rules(rules.All())
		if err != nil {
			t.Fatal(err)
		}
		ids := map[string]bool{}
		for _, r := range list {
			ids[r.ID] = true
		}
		return ids
	}
	if r := runs(s); r["FT403"] || !r["FT401"] || !r["FT504"] || !r["FT101"] {
		t.Errorf("these run: %v", r)
	}
	// --rules wins over all that the file says about what runs.
	s.Override([]string{"FT403", "FT407"}, []string{"FT407"}, "", "")
	if r := runs(s); len(r) != 1 || !r["FT403"] {
		t.Errorf("these run: %v", r)
	}
	// --disable adds to it.
	s, _ = policy.ParseSetup("f", []byte("rules: {enable: FT4, disable: FT401}\n"))
	s.Override(nil, []string{"FT402"}, "", "")
	if r := runs(s); r["FT401"] || r["FT402"] || !r["FT403"] || r["FT101"] {
		t.Errorf("these run: %v", r)
	}
	s, _ = policy.ParseSetup("f", []byte("severity: {FT: 'off'}\n"))
	if _, err := s.Rules(rules.All()); err == nil || err.Error() != "f: no rule is left to run" {
		t.Errorf("no rule: %v", err)
	}
}

func TestFindSetup(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"a/.ftlint.yaml", "a/b/c/vmlinux", "a/b/x.ko", "a/mod/.ftlint.yaml", "a/mod/deep/y.ko", "z/vmlinux", "here/vmlinux"} {
		path := filepath.Join(root, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(filepath.Join(root, "here"))
	for _, test := range []struct {
		inputs     []string
		want, fail string
	}{
		{[]string{"vmlinux"}, "", ""},
		{[]string{"../a/b/c/vmlinux"}, "../a/.ftlint.yaml", ""},
		{[]string{"../a/b/c/vmlinux", "../a/b/x.ko", "../a/b"}, "../a/.ftlint.yaml", ""},
		{[]string{"../a"}, "../a/.ftlint.yaml", ""},
		{[]string{"../a/mod"}, "../a/mod/.ftlint.yaml", ""},                // the nearest
		{[]string{"../z/vmlinux", "../a/b/x.ko"}, "../a/.ftlint.yaml", ""}, // one goes by the other's
		{[]string{"../a/nothing/here"}, "../a/.ftlint.yaml", ""},
		{[]string{"-"}, "", ""},
		{[]string{"../a/b/x.ko", "../a/mod/deep/y.ko"}, "", "two configurations: ../a/b/x.ko goes by ../a/.ftlint.yaml, ../a/mod/deep/y.ko by ../a/mod/.ftlint.yaml: name one with --config FILE, or --config none"},
	} {
		got, err := policy.FindSetup(test.inputs)
		said := ""
		if err != nil {
			said = err.Error()
		}
		if got != filepath.FromSlash(test.want) || said != test.fail {
			t.Errorf("%q: %q, %q", test.inputs, got, said)
		}
	}
	t.Chdir(filepath.Join(root, "a/b/c"))
	if got, err := policy.FindSetup([]string{"-"}); got != "../../.ftlint.yaml" || err != nil {
		t.Errorf("standard input: %q, %v", got, err)
	}
	// The same file by two ways is one.
	if err := os.Symlink(filepath.Join(root, "a"), filepath.Join(root, "z", "link")); err == nil {
		if got, err := policy.FindSetup([]string{"vmlinux", filepath.Join(root, "z/link/b/x.ko")}); got != "../../.ftlint.yaml" || err != nil {
			t.Errorf("by a link: %q, %v", got, err)
		}
	}
}

// FuzzSetup reads anything as a configuration file, in memory by its size. An
// error is one line with the file's name and a line that it has; it is the same
// when read again; what is read and written is the same when read and written
// once more, and says which checks run, or why none does.
func FuzzSetup(f *testing.F) {
	f.Add([]byte(fullSetup))
	for _, seed := range []string{
		"", "rules: {enable: FT4, disable: [FT401]}", "severity:\n  FT4: 'off'\n", "fail-on: never\r\n", "? a\n: b\n", "a: &x [*x]\n",
		"suppress:\n- rule: FT4\n  reason: |\n    two\n    lines\n", "suppress:\n  - {rule: FT407, text: 0x10, symbol: \"\\u00e9\\n\\\"\", reason: ~x}\n",
		"baseline: 'it''s'\n", "paths:\n  ignore: ['**/x', \"a b\", '#']\n", "- - - -\n", "\"\\ud83d\\ude00\": 1", "%YAML 1.2\n---\nfail-on: note\n...\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 1<<16 {
			t.Skip("its size is bounded elsewhere")
		}
		var s, again *policy.Setup
		var err, err2 error
		// The parser of YAML takes most: some kilobytes for each token.
		hostile.Bounded(t, 4<<20, 16<<10, len(text), func() {
			s, err = policy.ParseSetup("dir/f.yaml", text)
			again, err2 = policy.ParseSetup("dir/f.yaml", text)
		})
		if fmt.Sprint(err) != fmt.Sprint(err2) || !cmp.Equal(s, again) {
			t.Fatalf("read twice: %v, %v\n%s", err, err2, cmp.Diff(s, again))
		}
		if err != nil {
			hostile.OneLine(t, err, "dir/f.yaml:")
			var line int
			if n, _ := fmt.Sscanf(err.Error(), "dir/f.yaml:%d:", &line); n != 1 || line < 1 || line > lineCount(text)+1 {
				t.Fatalf("%q has %d lines; the error is at line %d: %v", text, lineCount(text), line, err)
			}
			return
		}
		written := s.YAML()
		back, err := policy.ParseSetup("dir/f.yaml", written)
		if err != nil {
			t.Fatalf("written as\n%s: %v", written, err)
		}
		if diff := cmp.Diff(noFrom(*s), noFrom(*back)); diff != "" {
			t.Fatalf("written as\n%s(-read +written and read):\n%s", written, diff)
		}
		// Comments apart, which say where a value stands.
		if a, b := noFrom(*s), noFrom(*back); !bytes.Equal(a.YAML(), b.YAML()) {
			t.Fatalf("written as\n%sand then as\n%s", a.YAML(), b.YAML())
		}
		kept, err := s.Rules(rules.All())
		kept2, err2 := back.Rules(rules.All())
		if fmt.Sprint(err) != fmt.Sprint(err2) || !slices.Equal(kept, kept2) || (err == nil) == (len(kept) == 0) {
			t.Fatalf("%d rules run, %v; once more %d, %v", len(kept), err, len(kept2), err2)
		}
		if err != nil {
			hostile.OneLine(t, err, "dir/f.yaml: ")
		}
	})
}

// lineCount is how many lines there are by any reading: YAML may end one at a
// carriage return too.
func lineCount(text []byte) int {
	return 1 + strings.Count(string(text), "\n") + strings.Count(string(text), "\r")
}

// noFrom is the setup without where it stands.
func noFrom(s policy.Setup) policy.Setup {
	values := func(list []policy.Value) (out []policy.Value) {
		for _, v := range list {
			out = append(out, policy.Value{Text: v.Text})
		}
		return out
	}
	s.Enable, s.Disable, s.Ignore = values(s.Enable), values(s.Disable), values(s.Ignore)
	s.FailOn.From, s.Baseline.From = "", ""
	severity := s.Severity
	s.Severity = nil
	for _, o := range severity {
		s.Severity = append(s.Severity, policy.SeverityOf{Rule: policy.Value{Text: o.Rule.Text}, Severity: o.Severity})
	}
	suppress := s.Suppress
	s.Suppress = nil
	for _, sup := range suppress {
		sup.From = ""
		s.Suppress = append(s.Suppress, sup)
	}
	return s
}

func TestSelect(t *testing.T) {
	ids := func(list []rules.Rule) (out []string) {
		for _, r := range list {
			out = append(out, r.ID)
		}
		return out
	}
	all := slices.DeleteFunc(rules.All(), func(r rules.Rule) bool { return !slices.Contains([]string{"FT101", "FT102", "FT401", "FT402"}, r.ID) })
	for _, test := range []struct {
		only, skip []string
		want       string
	}{
		{nil, nil, "FT101 FT102 FT401 FT402"},
		{[]string{"FT4"}, nil, "FT401 FT402"},
		{[]string{"label-missing", "ft402"}, nil, "FT101 FT402"},
		{nil, []string{"FT1", "site-misaligned"}, "FT401"},
		{[]string{"FT1"}, []string{"FT101"}, "FT102"},
	} {
		list, err := policy.Select(all, test.only, test.skip)
		if got := strings.Join(ids(list), " "); err != nil || got != test.want {
			t.Errorf("only %v but not %v: %s (%v), want %s", test.only, test.skip, got, err, test.want)
		}
	}
	for _, test := range [][2][]string{{{"FT4"}, {"FT4"}}, {{"FT9"}, nil}, {nil, {"no-such-rule"}}} {
		if list, err := policy.Select(all, test[0], test[1]); err == nil {
			t.Errorf("only %v but not %v: %v", test[0], test[1], ids(list))
		}
	}
}
