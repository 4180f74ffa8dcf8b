package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ftlint/ftlint/internal/child"
)

// TestPatchScript runs testdata/patch/*.txtar, as TestScript does: patches,
// mails and sources. $CONTRIB is contrib, $CORPUS is patchscan/testdata.
// [git] is true where git runs hooks by name, [send-email] where it can send
// mail.
func TestPatchScript(t *testing.T) {
	dir := func(rel string) string {
		path, err := filepath.Abs(rel)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	corpus, contrib, samples := dir("../../patchscan/testdata"), dir("../../contrib"), dir("../../testdata/vmlinux-samples")
	testscript.Run(t, testscript.Params{
		Dir: "testdata/patch",
		Setup: func(env *testscript.Env) error {
			env.Setenv("CORPUS", corpus)
			env.Setenv("CONTRIB", contrib)
			env.Setenv("SAMPLES", samples)
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("GIT_CONFIG_NOSYSTEM", "1")
			for _, who := range []string{"AUTHOR", "COMMITTER"} {
				env.Setenv("GIT_"+who+"_NAME", "A Developer")
				env.Setenv("GIT_"+who+"_EMAIL", "dev@example.org")
				env.Setenv("GIT_"+who+"_DATE", "2025-05-05T12:00:00Z")
			}
			return nil
		},
		Condition: func(cond string) (bool, error) {
			script := map[string]string{
				"git":        "git hook run --ignore-missing none",
				"send-email": "git send-email --dump-aliases </dev/null && perl -MMail::Address -e 1",
			}[cond]
			out, err := child.Command(t, "sh", "-c", script).CombinedOutput()
			if err != nil && os.Getenv("CI") == "true" {
				return false, fmt.Errorf("%s: %v\n%s", script, err, out)
			}
			if err != nil {
				t.Logf("SKIPPED: what needs %s: %s: %v", cond, script, err)
			}
			return err == nil, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"lines": countLines,
			"json":  checkJSON,
		},
	})
}
