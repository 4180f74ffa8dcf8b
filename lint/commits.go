package lint

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/patchscan"
)

// commits lints a range of commits of the git tree in the current folder.
func (d *driver) commits(ctx context.Context, rng string) (res *finding.Result) {
	name := "git " + rng
	fail := func(err error) *finding.Result { return &finding.Result{Path: name, Errors: []error{err}} }
	if strings.HasPrefix(rng, "-") {
		return fail(fmt.Errorf("--git %s: want a range of commits, v1..v2", rng))
	}
	if !strings.Contains(rng, "..") {
		rng += "^!" // one commit
	}
	merges := 0
	err := git(ctx, rng, func(stdout io.Reader) error {
		_, err := fmt.Fscan(stdout, &merges)
		return err
	}, "rev-list", "--count", "--merges")
	if isShallow(ctx) {
		if err == nil {
			err = rootless(ctx, rng)
		}
		if err != nil {
			err = fmt.Errorf("%w: this clone is shallow and lacks older commits: "+
				"run git fetch --unshallow, or have CI fetch them all (fetch-depth: 0, GIT_DEPTH: 0)", err)
		}
	}
	if err != nil {
		return fail(err)
	}
	var in *patchscan.Input
	err = git(ctx, rng, func(stdout io.Reader) (err error) {
		r := bufio.NewReader(stdout)
		if _, err := r.Peek(1); err == io.EOF {
			return fmt.Errorf("%s: this range has no commits, or only merges", name)
		}
		in, err = patchscan.Read(name, r)
		return err
	}, "-c", "diff.mnemonicPrefix=false", "-c", "diff.noprefix=false", "-c", "format.attach=",
		"log", "-p", "--reverse", "--no-merges", "--no-color", "--no-ext-diff", "--no-textconv",
		"--src-prefix=a/", "--dst-prefix=b/", "--no-show-signature", "--format=mboxrd")
	if _, ok := patchscan.PassedOver(err); ok {
		return &finding.Result{Path: name, Patch: &finding.PatchFacts{Notes: []finding.Note{{Text: "the commits change no file"}}}}
	}
	if err != nil {
		return fail(err)
	}
	if merges > 0 {
		in.Notes = append(in.Notes, patchscan.Note{Text: fmt.Sprintf("not read: %s", plural.Of(merges, "merge"))})
	}
	began := time.Now()
	first, _, ranged := strings.Cut(rng, "..")
	if !ranged {
		first = strings.TrimSuffix(rng, "^!") + "^"
	}
	at := *d
	at.tree = gitTree(ctx, cmp.Or(first, "HEAD"))
	res = at.patch(ctx, in)
	res.Elapsed = time.Since(began)
	return res
}

// isShallow reports whether the clone lacks older commits, as those that CI makes.
func isShallow(ctx context.Context) bool {
	out, err := exec.CommandContext(ctx, "git", "rev-parse", "--is-shallow-repository").Output()
	return err == nil && strings.TrimSpace(string(out)) == "true"
}

// rootless returns an error if a commit of the range has no parent here. git shows
// such a commit as if it made all files.
func rootless(ctx context.Context, rng string) error {
	return git(ctx, rng, func(stdout io.Reader) error {
		id := ""
		if _, err := fmt.Fscan(stdout, &id); err != nil {
			return nil // each commit has a parent here
		}
		return fmt.Errorf("git %s: the parent of %.12s is not here", rng, id)
	}, "rev-list", "--max-parents=0", "--max-count=1")
}

// git runs git in the current folder on a range, and gives its output to read.
// Objects that a partial clone lacks are not fetched: the configuration of the
// tree would choose the server, and the program that fetches.
func git(ctx context.Context, rng string, read func(stdout io.Reader) error, args ...string) error {
	cmd := exec.CommandContext(ctx, "git", append(args, rng, "--")...)
	cmd.Env = append(os.Environ(), "GIT_NO_LAZY_FETCH=1", "GIT_ALLOW_PROTOCOL=none") // an older git knows only the latter
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	unread := read(stdout)
	stdout.Close() // ends git if read stopped early
	err = cmd.Wait()
	said, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n")
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("git %s: not judged in full: %w", rng, context.Cause(ctx))
	case unread != nil && cmd.ProcessState.ExitCode() <= 0:
		return unread
	case err != nil && said != "":
		return fmt.Errorf("git %s: %s", rng, said)
	case err != nil:
		return fmt.Errorf("git %s: %w", rng, err)
	}
	return nil
}
