package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"go/token"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/patchchecks"
	"github.com/ftlint/ftlint/patchscan"
	"github.com/ftlint/ftlint/report"
)

// patchFlags are the flags about patches.
type patchFlags struct {
	image    string
	git      []string
	at       string
	allLines bool
}

func (f *patchFlags) add(fl *pflag.FlagSet) {
	fl.StringVar(&f.image, "image", "", "an image built with the patches: confirm their findings in it, and report its own where they touch it")
	fl.StringArrayVar(&f.git, "git", nil, "lint the commits of this range of the git tree here (v1..v2)")
	fl.StringVar(&f.at, "at", "source", "where findings in patches are: source, at the line of the patched file, or patch, at the line of the patch")
	fl.BoolVar(&f.allLines, "all-lines", false, "judge the context lines of patches too; of source files all lines always are")
}

func (f *patchFlags) check(files []string) error {
	if f.image != "" && len(f.git) == 0 {
		if patches, _ := splitPatches(files); len(patches) == 0 {
			return fmt.Errorf("--image %s: no patch was named with it", f.image)
		}
	}
	if f.at != "source" && f.at != "patch" {
		return fmt.Errorf("--at %q: want source or patch", f.at)
	}
	return nil
}

// inputs are the files of a run, and what else it looks at.
func (f *patchFlags) inputs(files []string) []string {
	if f.image != "" {
		files = append(slices.Clone(files), f.image)
	}
	if len(f.git) > 0 {
		files = append(slices.Clone(files), ".")
	}
	return files
}

// allChecks are the checks of images and those of patches.
var allChecks = slices.Concat(checks.All, patchchecks.All)

// ruleIDs are the IDs of the rules that a list of checks reports.
func ruleIDs(list []*analysis.Analyzer) map[string]bool {
	ids := map[string]bool{}
	for _, a := range list {
		ids[strings.TrimSuffix(a.Name, patchchecks.Suffix)] = true
	}
	return ids
}

// splitPatches tells patches and source files from other files.
func splitPatches(files []string) (patches, others []string) {
	for _, file := range files {
		if lint.IsPatch(file) {
			patches = append(patches, file)
		} else {
			others = append(others, file)
		}
	}
	return patches, others
}

// lintPatches lints patches and source files, the commits of --git, and the
// image that was built with them. errs are about no single input.
func lintPatches(ctx context.Context, f lintFlags, cfg lint.Config, files []string, text *report.Text, stderr io.Writer) (results []*lint.Result, errs []error, bad bool, err error) {
	fset := token.NewFileSet()
	emit := func(res *lint.Result) error {
		for _, err := range res.Errors {
			bad = true
			fmt.Fprintf(stderr, "ftlint: %s\n", report.OneLine(err.Error()))
		}
		for _, line := range res.NoteLines() {
			fmt.Fprintln(stderr, report.OneLine(line))
		}
		if f.format == "text" {
			if err := text.Write(res); err != nil {
				return err
			}
		}
		if !f.quiet {
			report.Summary(stderr, res, f.verbose)
		}
		return nil
	}
	add := func(res *lint.Result) error {
		results = append(results, res)
		if f.patch.image != "" {
			return nil // the image has a say in it
		}
		return emit(res)
	}
	for res := range lint.PatchFiles(files, fset, cfg) {
		if err := add(res); err != nil {
			return results, errs, bad, err
		}
	}
	for _, rng := range f.patch.git {
		if ctx.Err() != nil {
			break
		}
		if err := add(lint.Soon("git "+rng, cfg, func() *lint.Result { return lintGit(ctx, rng, fset, cfg) })); err != nil {
			return results, errs, bad, err
		}
	}
	if len(results) < len(files)+len(f.patch.git) && ctx.Err() != nil {
		bad = true
		errs = append(errs, fmt.Errorf("%w: %d of %d inputs were judged", context.Cause(ctx), len(results), len(files)+len(f.patch.git)))
		fmt.Fprintf(stderr, "ftlint: %v\n", errs[0])
	}
	if f.patch.image != "" {
		results = append(results, lint.WithImage(f.patch.image, results, fset, cfg))
		for _, res := range results {
			if err := emit(res); err != nil {
				return results, errs, bad, err
			}
		}
	}
	return results, errs, bad, nil
}

// lintGit lints the commits of a range.
func lintGit(ctx context.Context, rng string, fset *token.FileSet, cfg lint.Config) *lint.Result {
	name := "git " + rng
	fail := func(err error) *lint.Result { return &lint.Result{Path: name, Errors: []error{err}} }
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
	if err != nil {
		return fail(err)
	}
	var in *patchscan.Input
	err = git(ctx, rng, func(stdout io.Reader) (err error) {
		r := bufio.NewReader(stdout)
		if _, err := r.Peek(1); err == io.EOF {
			return fmt.Errorf("%s: there is no commit in this range that is no merge", name)
		}
		in, err = patchscan.Read(name, r)
		return err
	}, "-c", "diff.mnemonicPrefix=false", "-c", "diff.noprefix=false", "-c", "format.attach=", "log", "-p", "--reverse", "--no-merges", "--no-color", "--no-ext-diff", "--no-textconv",
		"--src-prefix=a/", "--dst-prefix=b/", "--no-show-signature", "--format=mboxrd")
	if err != nil {
		return fail(err)
	}
	if merges > 0 {
		in.Notes = append(in.Notes, patchscan.Note{Text: fmt.Sprintf("%d merges are not read", merges)})
	}
	return lint.Patch(in, fset, cfg)
}

// git runs git here about a range and has read read what it prints. Objects that
// a partial clone lacks are not fetched: from where, and by which program, is up
// to the tree.
func git(ctx context.Context, rng string, read func(stdout io.Reader) error, args ...string) error {
	cmd := exec.CommandContext(ctx, "git", append(args, rng, "--")...)
	cmd.Env = append(os.Environ(), "GIT_NO_LAZY_FETCH=1", "GIT_ALLOW_PROTOCOL=none") // an older git knows the latter alone
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
	stdout.Close() // which ends git, if not all was read
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
