// Package contrib has no code: its tests run what this folder ships.
package contrib

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/ftlint/ftlint/internal/child"
)

var program string // ftlint

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "contrib")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "ftlint")
	if out, err := exec.Command("go", "build", "-o", program, "../cmd/ftlint").CombinedOutput(); err != nil {
		panic(string(out))
	}
	os.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// needs skips, or in CI fails, where a program, or a file by its path, is
// missing.
func needs(t *testing.T, tool, pkg string) {
	t.Helper()
	_, err := exec.LookPath(tool)
	if filepath.IsAbs(tool) {
		_, err = os.Stat(tool)
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no %s (Debian: %s)", tool, pkg)
		}
		t.Skipf("SKIPPED: no %s (Debian: %s)", tool, pkg)
	}
}

func abs(t *testing.T, path string) string {
	t.Helper()
	p, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func put(t *testing.T, dst, src string) {
	t.Helper()
	b, err := os.ReadFile(src)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(dst), 0o755)
	}
	if err == nil {
		err = os.WriteFile(dst, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// call runs a command in a folder: its standard output, all that it prints, and
// its exit status.
func call(t *testing.T, dir, name string, args ...string) (stdout, all string, status int) {
	t.Helper()
	cmd := child.Command(t, name, args...)
	cmd.Dir = dir
	var out, both bytes.Buffer
	var mu sync.Mutex // the two are written to at once
	cmd.Stdout, cmd.Stderr = tee{&mu, []*bytes.Buffer{&out, &both}}, tee{&mu, []*bytes.Buffer{&both}}
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatalf("%s: %v", name, err)
	}
	return out.String(), both.String(), cmd.ProcessState.ExitCode()
}

type tee struct {
	mu  *sync.Mutex
	all []*bytes.Buffer
}

func (w tee) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range w.all {
		b.Write(p)
	}
	return len(p), nil
}

const (
	good    = "../testdata/module-samples/kernel-callops.elf"
	bad     = "../testdata/vmlinux-samples/etext-loose.elf"
	module  = "../testdata/module-samples/good-callops.ko"
	samples = "../testdata/vmlinux-samples"
	spoiled = "good, with one callsite that is none"
)

// build fills a folder as a kernel build does: vmlinux and, but for the bad one, a
// module, and modules.order with its suffix of the module's object.
func build(t *testing.T, dir, vmlinux, suffix string) {
	t.Helper()
	if vmlinux != spoiled {
		put(t, filepath.Join(dir, "vmlinux"), vmlinux)
	}
	switch vmlinux {
	case bad:
		return
	case spoiled:
		put(t, filepath.Join(dir, "vmlinux"), good)
		b, err := os.ReadFile(filepath.Join(dir, "vmlinux"))
		if err != nil {
			t.Fatal(err)
		}
		nops := bytes.Repeat([]byte{0x1f, 0x20, 0x03, 0xd5}, 4) // a literal and a callsite
		at := bytes.Index(b, nops)
		if at < 0 {
			t.Fatal("no callsite found")
		}
		b[at+8] ^= 0x20 // not a NOP any more
		if err := os.WriteFile(filepath.Join(dir, "vmlinux"), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put(t, filepath.Join(dir, "drivers/net/good.ko"), module)
	if err := os.WriteFile(filepath.Join(dir, "modules.order"), []byte("drivers/net/good."+suffix+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// make ftlint lints vmlinux and the modules of modules.order, in the tree and in
// a build folder, by -f and by include, and fails when ftlint does.
func TestMake(t *testing.T) {
	needs(t, "make", "make")
	mk := abs(t, "kernel/ftlint.mk")
	for _, suffix := range []string{"o", "ko"} { // since 6.3, before
		dir := t.TempDir()
		build(t, dir, good, suffix)
		if _, all, status := call(t, dir, "make", "-f", mk, "ftlint", "FTLINT_FLAGS=-v"); status != 0 || !strings.Contains(all, "./drivers/net/good.ko: module") || !strings.Contains(all, "./vmlinux: era callops") {
			t.Errorf("-f: status %d\n%s", status, all)
		}
	}
	dir := t.TempDir()
	build(t, filepath.Join(dir, "out"), bad, "o")
	if err := os.WriteFile(filepath.Join(dir, "GNUmakefile"), []byte("include Makefile\ninclude "+mk+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "Makefile"), []byte("all:\n\t@echo the tree\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, all, status := call(t, dir, "make", "O=out", "ftlint"); status != 2 || !strings.Contains(out, "out/vmlinux: error: ") || !strings.Contains(all, "GNUmakefile") && !strings.Contains(all, "Error 1") {
		t.Errorf("include: status %d\n%s", status, all)
	}
	if out, _, status := call(t, dir, "make"); status != 0 || out != "the tree\n" {
		t.Errorf("the tree's own target: status %d, %q", status, out)
	}
	if _, all, status := call(t, dir, "make", "ftlint"); status != 2 || !strings.Contains(all, "ftlint.mk: no vmlinux in .: build the kernel first\n") {
		t.Errorf("nothing built: status %d\n%s", status, all)
	}
	if _, all, status := call(t, dir, "make", "-f", mk, "ftlint-git"); status != 2 || !strings.Contains(all, "RANGE is not set") {
		t.Errorf("no range: status %d\n%s", status, all)
	}
}

// repository makes a git tree with one commit of the sample patch.
func repository(t *testing.T) (dir, base string) {
	t.Helper()
	needs(t, "git", "git")
	dir = t.TempDir()
	git := func(args ...string) string {
		out, all, status := call(t, dir, "git", append([]string{"-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"}, args...)...)
		if status != 0 {
			t.Fatalf("git %v: %s", args, all)
		}
		return strings.TrimSpace(out)
	}
	git("init", "-q")
	git("commit", "-q", "--allow-empty", "-m", "base")
	base = git("rev-parse", "HEAD")
	code := "/* the trampoline ends in retq */\n"
	if err := os.MkdirAll(filepath.Join(dir, "arch/arm64/kernel"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "arch/arm64/kernel/tramp.c"), []byte(code), 0o644); err != nil {
		t.Fatal(err)
	}
	git("add", ".")
	git("commit", "-q", "-m", "arm64: ftrace: a trampoline")
	return dir, base
}

func load(t *testing.T, path string, v any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = yaml.Unmarshal(b, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// The steps of the GitHub workflow that run ftlint, run as GitHub runs them
// (bash -e): findings fail the step, and the reports are there for those that
// upload them.
func TestGitHubWorkflow(t *testing.T) {
	var workflow struct {
		Jobs map[string]struct {
			Steps []struct {
				Name, Run, Uses string
				With            map[string]any
			}
		}
	}
	load(t, "ci/github.yml", &workflow)
	dir, base := repository(t)
	build(t, dir, spoiled, "o")
	t.Setenv("BASE", base)
	ran := 0
	wanted := map[string]string{}
	for _, step := range workflow.Jobs["ftlint"].Steps {
		if strings.HasPrefix(step.Run, "ftlint ") {
			ran++
			out, all, status := call(t, dir, "bash", "-e", "-c", step.Run)
			if strings.Contains(step.Run, "--git") {
				if status != 0 || !strings.Contains(out, "::warning file=arch/arm64/kernel/tramp.c,line=1,col=27,title=FT501 x86-mnemonic::") {
					t.Errorf("%s: status %d\n%s", step.Run, status, all)
				}
			} else if status != 1 || !strings.Contains(out, ",title=FT401 site-malformed::") {
				t.Errorf("%s: status %d\n%s", step.Run, status, all)
			}
		}
		for _, key := range []string{"sarif_file", "path"} {
			if files, ok := step.With[key].(string); ok {
				for _, f := range strings.Fields(files) {
					wanted[f] = step.Name
				}
			}
		}
	}
	if ran != 2 || len(wanted) != 3 {
		t.Fatalf("%d steps run ftlint, files %v are uploaded", ran, wanted)
	}
	for f, step := range wanted {
		if info, err := os.Stat(filepath.Join(dir, f)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", step, err)
		}
	}
}

// The action's step that runs ftlint, run as GitHub runs it.
func TestAction(t *testing.T) {
	var action struct {
		Runs struct{ Steps []struct{ Name, Run string } }
	}
	load(t, "../action.yml", &action)
	dir, base := repository(t)
	build(t, dir, spoiled, "o")
	steps := action.Runs.Steps
	run := steps[len(steps)-1].Run
	t.Setenv("ARGS", "vmlinux .")
	t.Setenv("SARIF", "my findings.sarif")
	if out, all, status := call(t, dir, "bash", "-e", "-o", "pipefail", "-c", run); status != 1 || !strings.Contains(out, ",title=FT401 site-malformed::") {
		t.Errorf("status %d\n%s", status, all)
	}
	if info, err := os.Stat(filepath.Join(dir, "my findings.sarif")); err != nil || info.Size() == 0 {
		t.Error(err)
	}
	t.Setenv("ARGS", "--git "+base+"..HEAD")
	t.Setenv("SARIF", "")
	if out, all, status := call(t, dir, "bash", "-e", "-o", "pipefail", "-c", run); status != 0 || !strings.Contains(out, "title=FT501 x86-mnemonic::") {
		t.Errorf("status %d\n%s", status, all)
	}
}

// The hook for pre-commit takes the files that it is about, and fails on a finding.
func TestPreCommitHook(t *testing.T) {
	var hooks []struct{ ID, Entry, Language, Files string }
	load(t, "../.pre-commit-hooks.yaml", &hooks)
	if len(hooks) != 1 || hooks[0].ID != "ftlint" || hooks[0].Language != "golang" {
		t.Fatalf("%+v", hooks)
	}
	files := regexp.MustCompile(hooks[0].Files)
	for path, want := range map[string]bool{"arch/arm64/kernel/tramp.c": true, "arch/arm64/kernel/entry-ftrace.S": true, "kernel/trace/ftrace.c": true, "arch/x86/kernel/ftrace.c": false, "Documentation/trace/ftrace.rst": false} {
		if files.MatchString(path) != want {
			t.Errorf("%s: %v", path, !want)
		}
	}
	dir, _ := repository(t)
	words := append(strings.Fields(hooks[0].Entry), "arch/arm64/kernel/tramp.c")
	if out, all, status := call(t, dir, words[0], words[1:]...); status != 1 || !strings.Contains(out, "FT501") {
		t.Errorf("status %d\n%s", status, all)
	}
}

// In a clone that lacks the older commits, ftlint says what to do.
func TestShallowClone(t *testing.T) {
	dir, base := repository(t)
	clone := filepath.Join(t.TempDir(), "clone")
	if _, all, status := call(t, dir, "git", "clone", "-q", "--depth", "1", "file://"+dir, clone); status != 0 {
		t.Fatal(all)
	}
	if _, all, status := call(t, clone, program, "--git", base+"..HEAD"); status != 2 || strings.Count(all, "\n") != 1 || !strings.Contains(all, "this clone is shallow and lacks older commits: run git fetch --unshallow") {
		t.Errorf("status %d\n%s", status, all)
	}
}

// The same for GitLab's jobs.
func TestGitLabJobs(t *testing.T) {
	type job struct {
		Script    []string
		Artifacts struct {
			Paths   []string
			Reports map[string]string
		}
	}
	var jobs map[string]job
	load(t, "ci/gitlab-ci.yml", &jobs)
	dir, base := repository(t)
	build(t, dir, spoiled, "o")
	t.Setenv("CI_MERGE_REQUEST_DIFF_BASE_SHA", base)
	if _, all, status := call(t, dir, "bash", "-e", "-c", strings.Join(jobs["ftlint"].Script, "\n")); status != 1 || !strings.Contains(all, "[FT401 site-malformed]\n") {
		t.Errorf("ftlint: status %d\n%s", status, all)
	}
	a := jobs["ftlint"].Artifacts
	for _, f := range append(slices.Clone(a.Paths), a.Reports["codequality"], a.Reports["junit"]) {
		if info, err := os.Stat(filepath.Join(dir, f)); err != nil || info.Size() == 0 {
			t.Errorf("artifact %q: %v", f, err)
		}
	}
	if out, all, status := call(t, dir, "bash", "-e", "-c", strings.Join(jobs["ftlint-commits"].Script, "\n")); status != 0 || !strings.Contains(out, "tramp.c:1:27: warning: `retq`") {
		t.Errorf("ftlint-commits: status %d\n%s", status, all)
	}
}

// GitHub's problem matcher, in JavaScript's regular expressions, finds in the
// text what the JSON report says.
func TestProblemMatcher(t *testing.T) {
	needs(t, "node", "nodejs")
	const script = `
const matchers = JSON.parse(require("fs").readFileSync(process.argv[1])).problemMatcher;
const found = [];
for (const line of require("fs").readFileSync(0, "utf8").split("\n")) {
  for (const m of matchers) {
    const p = m.pattern[0], r = new RegExp(p.regexp).exec(line);
    if (r) found.push([r[p.file], +r[p.line], +r[p.column], p.severity ? r[p.severity] : m.severity, r[p.message], r[p.code]].join("|"));
  }
}
console.log(found.join("\n"));`
	inputs := []string{"-q", "--no-group", "--max-per-rule", "0", samples + "/rfc-trampoline.elf", samples + "/builders/rfc-builder.elf", "../patchchecks/testdata/example.patch", bad}
	text, _, _ := call(t, ".", program, inputs...)
	cmd := child.Command(t, "node", "-e", script, "ci/ftlint-matcher.json")
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	doc, _, _ := call(t, ".", program, append([]string{"-f", "json"}, inputs...)...)
	var report struct {
		Inputs []struct {
			Findings []struct {
				Path, Severity, Message, Rule string
				Line, Column                  int
			}
		}
	}
	if err := json.Unmarshal([]byte(doc), &report); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, in := range report.Inputs {
		for _, f := range in.Findings {
			if f.Line > 0 {
				b, _ := json.Marshal([]int{f.Line, f.Column})
				at := strings.ReplaceAll(strings.Trim(string(b), "[]"), ",", "|")
				want = append(want, strings.Join([]string{f.Path, at, strings.Replace(f.Severity, "note", "notice", 1), f.Message, f.Rule}, "|"))
			}
		}
	}
	if got := strings.TrimSpace(string(out)); got != strings.Join(want, "\n") || len(want) < 20 {
		t.Errorf("%s\nwant %d\n%s", got, len(want), strings.Join(want, "\n"))
	}
}

// A KernelCI job passes, fails and is incomplete as ftlint does, on packed
// artifacts too.
func TestKernelCI(t *testing.T) {
	needs(t, "xz", "xz-utils")
	job := abs(t, "ci/kernelci-ftlint")
	dir := t.TempDir()
	build(t, filepath.Join(dir, "good"), good, "o")
	pack := "cd good && mkdir -p lib/modules && mv drivers lib/modules/ && tar -cJf modules.tar.xz lib && rm -r lib && xz vmlinux"
	if _, all, status := call(t, dir, "bash", "-e", "-c", pack); status != 0 {
		t.Fatal(all)
	}
	out, all, status := call(t, dir, job, "good", "results")
	if status != 0 || !strings.HasPrefix(out, "KTAP version 1\n1..2\n") || !strings.Contains(out, "\nok 1 vmlinux.xz\n") || !strings.Contains(out, "\nok 2 modules/lib/modules/drivers/net/good.ko\n") {
		t.Errorf("good: status %d\n%s", status, all)
	}
	for _, f := range []string{"ftlint.json", "ftlint-junit.xml"} {
		if info, err := os.Stat(filepath.Join(dir, "results", f)); err != nil || info.Size() == 0 {
			t.Error(f, err)
		}
	}
	put(t, filepath.Join(dir, "bad/vmlinux"), bad)
	if out, all, status := call(t, dir, job, "bad", "results"); status != 1 || !strings.Contains(out, "\nnot ok 1 vmlinux\n") {
		t.Errorf("bad: status %d\n%s", status, all)
	}
	if _, all, status := call(t, dir, job, "nothing"); status != 2 || all != "kernelci-ftlint: no vmlinux in nothing\n" {
		t.Errorf("nothing: status %d\n%s", status, all)
	}
}

// The container file builds an image that holds ftlint, runs it as nobody, and
// nothing else.
func TestContainer(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("SKIPPED: -short: buildah takes long")
	}
	needs(t, "buildah", "buildah")
	dir := t.TempDir()
	cmd := child.Command(t, "go", "build", "-o", filepath.Join(dir, "context/ftlint"), "../cmd/ftlint")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	put(t, filepath.Join(dir, "context/LICENSE"), "../LICENSE")
	put(t, filepath.Join(dir, "context/THIRD-PARTY.txt"), "../LICENSE")
	buildah := func(args ...string) string {
		t.Helper()
		all := append([]string{"--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run"), "--storage-driver", "vfs"}, args...)
		out, both, status := call(t, ".", "buildah", all...)
		if status != 0 {
			t.Fatalf("buildah %v: status %d\n%s", args, status, both)
		}
		return strings.TrimSpace(out)
	}
	buildah("build", "--isolation", "chroot", "-q", "-t", "ftlint", "-f", abs(t, "Containerfile"), filepath.Join(dir, "context"))
	config := buildah("inspect", "--type", "image", "ftlint")
	for _, want := range []string{`"User": "65534:65534"`, `"/ftlint"`, `"WorkingDir": "/src"`} {
		if !strings.Contains(config, want) {
			t.Errorf("the image has no %s", want)
		}
	}
	container := buildah("from", "ftlint")
	root := buildah("mount", container)
	defer buildah("umount", container)
	put(t, filepath.Join(root, "src/vmlinux"), bad)
	out, all, status := call(t, ".", "chroot", "--userspec=65534:65534", root, "/ftlint", "-q", "/src/vmlinux")
	if status != 1 || !strings.HasPrefix(out, "/src/vmlinux: error: ") {
		t.Errorf("in the container: status %d\n%s", status, all)
	}
}

// bashCompletion is what cobra's script for bash builds on.
const bashCompletion = "/usr/share/bash-completion/bash_completion"

// complete has a shell complete a command line, with the script that ftlint
// prints for it.
func complete(t *testing.T, shell, line string) string {
	t.Helper()
	script, _, _ := call(t, ".", program, "completion", shell)
	var run string
	switch shell {
	case "bash":
		run = ". " + bashCompletion + "\n" + script + `
COMP_LINE=` + "'" + line + "'" + `; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9
read -ra COMP_WORDS <<<"$COMP_LINE"; [[ $COMP_LINE != *' ' ]] || COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
__start_ftlint; printf '%s\n' "${COMPREPLY[@]}"`
	case "fish":
		run = script + "\ncomplete -C '" + line + "'"
	}
	out, all, status := call(t, ".", shell, "-c", run)
	if status != 0 {
		t.Fatalf("%s: status %d\n%s", shell, status, all)
	}
	return out
}

// The shells themselves complete rules, formats and flags.
func TestCompletion(t *testing.T) {
	needs(t, "fish", "fish")
	needs(t, "zsh", "zsh")
	needs(t, bashCompletion, "bash-completion")
	for _, shell := range []string{"bash", "fish"} {
		for line, want := range map[string]string{
			"ftlint explain copy-mis": "copy-misses-ret",
			"ftlint --rules copy-p":   "copy-past-ret",
			"ftlint -f sar":           "sarif",
			"ftlint --fail-on no":     "note",
			"ftlint --exh":            "--exhaustive",
		} {
			if got := complete(t, shell, line); !slices.ContainsFunc(strings.Fields(got), func(w string) bool { return w == want }) {
				t.Errorf("%s: %q completes to %q, want %s", shell, line, got, want)
			}
		}
	}
	// Of a list the last; cobra's script for bash knows no words with a comma.
	if got := complete(t, "fish", "ftlint --rules FT103,copy-p"); !strings.HasPrefix(got, "FT103,copy-past-ret") {
		t.Errorf("fish: a list completes to %q", got)
	}
	script, _, _ := call(t, ".", program, "completion", "zsh")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "_ftlint"), []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	out, all, status := call(t, dir, "zsh", "-f", "-c", "fpath=($PWD $fpath); autoload -U compinit && compinit -u -D && echo $_comps[ftlint] && zsh -n _ftlint")
	if status != 0 || strings.TrimSpace(out) != "_ftlint" {
		t.Errorf("zsh: status %d, %s", status, all)
	}
}

// make install puts the program, its man page and its completions where man and
// the shells find them, and make uninstall leaves nothing of them.
func TestInstall(t *testing.T) {
	needs(t, "make", "make")
	dir := t.TempDir()
	makes := func(target string) (all string, status int) {
		_, all, status = call(t, "..", "make", target, "BUILD="+dir+"/build", "PREFIX=/usr", "DESTDIR="+dir+"/a root")
		return all, status
	}
	if all, status := makes("install"); status == 0 || !strings.Contains(all, "nothing is built: run make first") {
		t.Errorf("before make: status %d\n%s", status, all)
	}
	for _, target := range []string{"all", "install"} {
		if all, status := makes(target); status != 0 {
			t.Fatal(all)
		}
	}
	if _, all, status := call(t, "..", "scripts/test-installed", dir+"/a root/usr"); status != 0 {
		t.Error(all)
	}
	if all, status := makes("uninstall"); status != 0 {
		t.Error(all)
	}
	if out, _, _ := call(t, dir, "find", "a root", "-type", "f"); out != "" {
		t.Errorf("after make uninstall there are\n%s", out)
	}
}

// The man page has every command and every flag, and formatters have nothing to
// say about it.
func TestManPage(t *testing.T) {
	needs(t, "mandoc", "mandoc")
	needs(t, "man", "man-db")
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	out, _, _ := call(t, ".", program, "man")
	if want := `.TH FTLINT 1 "2023-11-14" "ftlint `; !strings.HasPrefix(out, want) {
		t.Errorf("the page does not begin with %q", want)
	}
	file := filepath.Join(t.TempDir(), "ftlint.1")
	if err := os.WriteFile(file, []byte(out), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, all, status := call(t, ".", "mandoc", "-T", "lint", "-W", "warning", file); status != 0 {
		t.Errorf("mandoc: %s", all)
	}
	t.Setenv("MANWIDTH", "80")
	if page, all, status := call(t, ".", "man", "--warnings", "-E", "ascii", "-l", file); status != 0 || page != all {
		t.Errorf("man: status %d, %s", status, all)
	}
	page, _, _ := call(t, ".", "mandoc", "-T", "ascii", file)
	page = regexp.MustCompile(`.\x08`).ReplaceAllString(page, "")
	help, _, _ := call(t, ".", program, "--help")
	flags := regexp.MustCompile(`(?m)^ +(?:-(\w), )?--([a-z-]+)`).FindAllStringSubmatch(help, -1)
	if len(flags) < 20 {
		t.Fatalf("%d flags in the help", len(flags))
	}
	for _, m := range flags {
		want := "--" + m[2]
		if m[1] != "" {
			want = "-" + m[1] + ", " + want
		}
		if !regexp.MustCompile(`(?m)^ +` + want + `\b`).MatchString(page) {
			t.Errorf("the man page has no %s", want)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^  ([a-z]+) +[A-Z]`).FindAllStringSubmatch(help, -1) {
		if m[1] != "help" && !regexp.MustCompile(`(?m)^ +ftlint `+m[1]+`\b`).MatchString(page) {
			t.Errorf("the man page has no command %s", m[1])
		}
	}
	_, list, _ := strings.Cut(help, "standard output: ")
	list, _, _ = strings.Cut(list, " (default")
	for _, f := range strings.Split(list, ", ") {
		if !regexp.MustCompile(`\b` + f + `\b`).MatchString(page) {
			t.Errorf("the man page has no format %s", f)
		}
	}
}
