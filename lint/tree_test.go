package lint_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/patchscan"
)

// writeTree writes files of a kernel's tree.
func writeTree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func ids(res *finding.Result) string {
	var list []string
	for _, f := range res.Findings {
		list = append(list, f.Rule.ID)
	}
	slices.Sort(list)
	return strings.Join(slices.Compact(list), " ")
}

// What a patch only mentions is looked up in the tree: the rest of the function that
// it touches, the helpers that it calls, the callers of what it touches.
func TestTree(t *testing.T) {
	const file = "arch/arm64/kernel/tramp.c"
	fn := func(body string) string {
		return added("static void *make(struct module *mod, unsigned long to, int n)\n{\n\tu32 *p = module_alloc(n);\n" + body + "\n\treturn p;\n}")
	}
	helper := func(text string) map[string]string { return map[string]string{"arch/arm64/mm/helper.c": text} }
	branch := "\tu32 insn = aarch64_insn_gen_branch_imm((unsigned long)p, to, AARCH64_INSN_BRANCH_LINK);"
	patch := "\tu32 new = 1;\n\taarch64_insn_write(p + n, new);"
	alias := added("void poke(void *addr, const void *src, int n)\n{\n\tvoid *w = patch_map(addr, FIX_TEXT_POKE0);\n\n\tmemcpy(w, src, n);\n\tpatch_unmap(FIX_TEXT_POKE0);\n}")
	whole := "void *make(int n)\n{\n\tvoid *p = module_alloc(n);\n\n\tif (!p)\n\t\treturn NULL;\n\tpr_debug(\"made\\n\");\n\tuse(p);\n\tuse(p);\n\tuse(p);\n\treturn p;\n}\n"
	hunk := "@@ -8,3 +8,4 @@ void *make(int n)\n \tuse(p);\n \tuse(p);\n+\tset_memory_x((unsigned long)p, 1);\n \tuse(p);\n"
	applied := strings.Replace(whole, "\tuse(p);\n\treturn", "\tset_memory_x((unsigned long)p, 1);\n\tuse(p);\n\treturn", 1)
	for name, test := range map[string]struct {
		hunks   string
		tree    map[string]string
		rules   []string
		without string // findings without the tree
		with    string
	}{
		"a helper makes it read-only": {fn("\tprotect_code(p, n);\n\tset_memory_x((unsigned long)p, 1);"),
			helper("void protect_code(void *at, int n)\n{\n\tset_memory_ro((unsigned long)at, n);\n}\n"), []string{"FT301"}, "FT301", ""},
		"a helper makes it executable": {fn("\tfinish_code(p, n);"),
			helper("void finish_code(void *at, int n)\n{\n\tset_memory_x((unsigned long)at, n);\n}\n"), []string{"FT301"}, "", "FT301"},
		"a helper makes it read-only, then executable": {fn("\tfinish_code(p, n);"),
			helper("void finish_code(void *at, int n)\n{\n\tset_memory_ro((unsigned long)at, n);\n\tset_memory_x((unsigned long)at, n);\n}\n"), []string{"FT301"}, "", ""},
		"a helper of a helper": {fn("\tfinish_code(p, n);"),
			helper("static void now(void *code, int n)\n{\n\tset_memory_x((unsigned long)code, n);\n}\nvoid finish_code(void *at, int n)\n{\n\tnow(at, n);\n\tset_memory_valid(0, 0);\n}\n"), []string{"FT301"}, "", "FT301"},
		"of other memory": {fn("\tfinish_code(to, n);"),
			helper("void finish_code(void *at, int n)\n{\n\tset_memory_x((unsigned long)at, n);\n}\n"), []string{"FT301"}, "", ""},
		"a helper maintains the caches": {fn("\tmemcpy(p, tmpl, n);\n\tsync_code(p, n);\n\tset_memory_rox((unsigned long)p, 1);"),
			helper("void sync_code(void *at, int n)\n{\n\tcaches_clean_inval_pou((unsigned long)at, (unsigned long)at + n);\n}\n"), []string{"FT306"}, "FT306", ""},
		"a helper makes it executable with no maintenance": {fn("\tmemcpy(p, tmpl, n);\n\tfinish_code(p, n);"),
			helper("void finish_code(void *at, int n)\n{\n\tset_memory_rox((unsigned long)at, n);\n}\n"), []string{"FT306"}, "", "FT306"},
		"a caller maintains the caches": {alias,
			helper("void poke_and_sync(void *addr, const void *src, int n)\n{\n\tpoke(addr, src, n);\n\tflush_icache_range((unsigned long)addr, (unsigned long)addr + n);\n}\n"), []string{"FT306"}, "FT306", ""},
		"a helper reads what is there": {fn("\tif (check_code(p + n))\n\t\treturn NULL;\n" + patch),
			helper("int check_code(void *at)\n{\n\tu32 old;\n\n\treturn aarch64_insn_read(at, &old) || old != 1;\n}\n"), []string{"FT602"}, "FT602", ""},
		"a helper does something else": {fn("\tif (check_code(p + n))\n\t\treturn NULL;\n" + patch),
			helper("int check_code(void *at)\n{\n\treturn set_memory_valid((unsigned long)at, 1);\n}\n"), []string{"FT602"}, "FT602", "FT602"},
		"a helper tests the range": {fn("\tif (!can_reach(p, to))\n\t\treturn NULL;\n" + branch),
			helper("bool can_reach(void *at, unsigned long to)\n{\n\tlong off = to - (unsigned long)at;\n\n\treturn off >= -SZ_128M && off < SZ_128M && aarch64_insn_is_bl(0);\n}\n"), []string{"FT608"}, "FT608", ""},
		"a helper gives a PLT": {fn("\tto = near_addr(mod, to);\n" + branch),
			helper("unsigned long near_addr(struct module *mod, unsigned long to)\n{\n\tstruct plt_entry *e = mod->arch.ftrace_trampolines;\n\n\tif (!e)\n\t\treturn to;\n\treturn (unsigned long)get_plt_entry(mod, to);\n}\n"), []string{"FT608"}, "FT608", ""},
		"a helper names a PLT": {fn("\tto = near_addr(mod, to);\n" + branch),
			helper("unsigned long near_addr(struct module *mod, unsigned long to)\n{\n\tpr_debug(\"%d\", mod->plt_count);\n\treturn to;\n}\n"), []string{"FT608"}, "FT608", "FT608"},
		"the rest of the function":             {hunk, map[string]string{file: whole}, []string{"FT301"}, "", "FT301"},
		"the rest, in a tree with the patch":   {hunk, map[string]string{file: applied}, []string{"FT301"}, "", "FT301"},
		"a tree with another version":          {hunk, map[string]string{file: strings.ReplaceAll(whole, "use(p)", "used(p)")}, []string{"FT301"}, "", ""},
		"a name that the kernel has":           {added("/* build_tremp() is another */\nint build_tramp(int n)\n{\n\treturn n;\n}"), map[string]string{"kernel/x.c": "int build_tremp;\n"}, []string{"FT605"}, "FT605", ""},
		"a name that a comment has":            {added("/* build_tremp() is another */\nint build_tramp(int n)\n{\n\treturn n;\n}"), map[string]string{"kernel/x.c": "/* as build_tremp */\n"}, []string{"FT605"}, "FT605", "FT605"},
		"a short name that the kernel has not": {added("/* as pmd_offset */\nint pud_offset(int n)\n{\n\treturn n;\n}"), map[string]string{"kernel/x.c": "int x;\n"}, []string{"FT605"}, "", "FT605"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := writeTree(t, test.tree)
			for tree, want := range map[string]string{"": test.without, dir: test.with} {
				in, err := patchscan.Parse("x.patch", mails([]change{{file, test.hunks}})[0])
				if err != nil {
					t.Fatal(err)
				}
				_, results := lint.Series(t.Context(), []*patchscan.Input{in}, lint.Config{SrcTree: tree})
				res := results[0]
				for _, err := range res.Errors {
					t.Error(err)
				}
				res.Findings = slices.DeleteFunc(res.Findings, func(f finding.Finding) bool { return !slices.Contains(test.rules, f.Rule.ID) })
				if got := ids(res); got != want {
					t.Errorf("with the tree %q: %q, want %q", filepath.Base(tree), got, want)
				}
				for _, f := range res.Findings {
					if f.Path != file || f.Source == "" {
						t.Errorf("a finding at %s:%d", f.Path, f.Line)
					}
				}
			}
		})
	}
}

// --all-lines judges the context of patches, and not the tree.
func TestTreeAllLines(t *testing.T) {
	dir := writeTree(t, map[string]string{tramp: "/* retq */\nint a;\n/* retq */\nint b;\n"})
	in, err := patchscan.Parse("x.patch", mails([]change{{tramp, "@@ -3,2 +3,3 @@\n /* retq */\n int b;\n+int c;\n"}})[0])
	if err != nil {
		t.Fatal(err)
	}
	_, results := lint.Series(t.Context(), []*patchscan.Input{in}, lint.Config{SrcTree: dir, AllLines: true})
	for _, f := range results[0].Findings {
		if f.Line != 3 {
			t.Errorf("%s:%d: %s", f.Path, f.Line, f.Text())
		}
	}
}

// Of commits, the tree is the revision that they are on.
func TestTreeOfCommits(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("SKIPPED: no git")
	}
	fn := "void *make(int n)\n{\n\tvoid *p = module_alloc(n);\n\n\tprotect_code(p, n);\n\tuse(p);\n\tuse(p);\n\tuse(p);\n\treturn p;\n}\n"
	dir := writeTree(t, map[string]string{
		tramp:                   fn,
		"arch/arm64/mm/ropes.c": "void protect_code(void *at, int n)\n{\n\tset_memory_rw((unsigned long)at, n);\n}\n",
	})
	git := func(args ...string) {
		cmd := exec.Command("git", append([]string{"-c", "user.name=A", "-c", "user.email=a@example.org"}, args...)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v: %s", args, err, out)
		}
	}
	commit := func(path, text string) {
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(path)), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		git("add", "-A")
		git("commit", "-q", "-m", "x")
	}
	git("init", "-q")
	commit(tramp, fn)
	commit(tramp, strings.Replace(fn, "\tuse(p);\n\treturn", "\tset_memory_x((unsigned long)p, 1);\n\tuse(p);\n\treturn", 1))
	t.Chdir(dir)
	for rng, want := range map[string]string{"HEAD": "FT301", "HEAD~1..HEAD": "FT301"} {
		var got []string
		_, err := lint.Run(t.Context(), lint.Inputs{Ranges: []string{rng}}, lint.Config{}, func(res *finding.Result) {
			for _, err := range res.Errors {
				t.Error(err)
			}
			for _, f := range res.Findings {
				got = append(got, f.Rule.ID)
			}
		})
		if s := strings.Join(got, " "); s != want || err != nil {
			t.Errorf("%s: %q, want %q, %v", rng, s, want, err)
		}
	}
}

// What a patch to x86's code calls is looked up in the tree's files of x86, and not in
// those of arm64.
func TestTreeOfX86(t *testing.T) {
	const patch = "From: a@example.org\nSubject: [PATCH] x\n\n---\n--- /dev/null\n+++ b/arch/x86/kernel/tramp.c\n@@ -0,0 +1,6 @@\n" +
		"+void *make(int n)\n+{\n+\tvoid *p = module_alloc(n);\n+\tfinish_code(p, n);\n+\treturn p;\n+}\n"
	const unsafe = "void finish_code(void *at, int n)\n{\n\tset_memory_x((unsigned long)at, n);\n}\n"
	const safe = "void finish_code(void *at, int n)\n{\n\tset_memory_rox((unsigned long)at, n);\n}\n"
	for name, test := range map[string]struct {
		x86, arm64, want string
	}{
		"unsafe on x86":   {unsafe, safe, "FT301"},
		"unsafe on arm64": {safe, unsafe, ""},
	} {
		t.Run(name, func(t *testing.T) {
			tree := writeTree(t, map[string]string{"arch/x86/mm/helper.c": test.x86, "arch/arm64/mm/helper.c": test.arm64})
			in, err := patchscan.Parse("x.patch", patch)
			if err != nil {
				t.Fatal(err)
			}
			if got := ids(lint.Patch(t.Context(), in, lint.Config{SrcTree: tree})); got != test.want {
				t.Errorf("found %q, want %q", got, test.want)
			}
		})
	}
}
