package main

import (
	"fmt"
	"slices"

	"github.com/spf13/pflag"

	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/patchchecks"
)

// patchFlags are the flags about patches.
type patchFlags struct {
	image    string
	git      []string
	at       string
	allLines bool
}

func (f *patchFlags) add(fl *pflag.FlagSet) {
	fl.StringVar(&f.image, "image", "", "an image built with the patches: mark the findings that it confirms, and report its own findings in code that the patches touch")
	fl.StringArrayVar(&f.git, "git", nil, "lint the commits of this range of the git tree here (v1..v2), or this one commit (HEAD)")
	fl.StringVar(&f.at, "at", "source", "where findings in patches are: source, at the line of the patched file, or patch, at the line of the patch")
	fl.BoolVar(&f.allLines, "all-lines", false, "judge the context lines of patches too; all lines of a source file are always judged")
}

func (f *patchFlags) check(files []string) error {
	if f.image != "" && len(f.git) == 0 && !slices.ContainsFunc(files, lint.IsPatch) {
		return fmt.Errorf("--image %s: no patch was named with it", f.image)
	}
	if f.at != "source" && f.at != "patch" {
		return fmt.Errorf("--at %q: want source or patch", f.at)
	}
	return nil
}

// inputs returns the files of a run, with the image and the git tree that it
// reads.
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
