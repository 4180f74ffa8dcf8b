package main

import (
	"context"
	"fmt"
	"go/token"
	"io"

	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/report"
)

// lintInputs lints what the command line named and writes findings, errors and
// summaries as they come. bad tells that something could not be read, or that
// ctx ended it: what was done until then is said. errs are about no single
// input.
func lintInputs(ctx context.Context, f lintFlags, cfg lint.Config, in lint.Inputs, text *report.Text, stderr io.Writer) (results []*lint.Result, errs []error, bad bool, err error) {
	say := func(err error) {
		bad = true
		fmt.Fprintf(stderr, "ftlint: %s\n", report.OneLine(err.Error()))
	}
	whole := func(err error) { // about no single input
		errs = append(errs, err)
		say(err)
	}
	for _, err := range in.Errors {
		whole(err)
	}
	bar := newProgress(stderr, len(in.Modules))
	many := len(in.Modules) > 1
	if !many && f.debugFile != "" && len(in.Files) == 0 {
		cfg.ModuleDebugFile = f.debugFile
	}
	var failed error // of writing
	total, err := lint.Files(ctx, in, token.NewFileSet(), cfg, func(res *lint.Result) {
		results = append(results, res)
		if len(res.Errors)+len(res.Findings) > 0 {
			bar.clear()
		}
		for _, err := range res.Errors {
			say(err)
		}
		if f.format == "text" && failed == nil {
			failed = text.Write(res)
		}
		if !f.quiet && !(many && res.IsModule) {
			bar.clear()
			report.Summary(stderr, res, f.verbose)
		}
	}, bar.set)
	bar.clear()
	if err == nil {
		err = failed
	}
	if err != nil {
		return results, errs, bad, err
	}
	for _, err := range total.Errors {
		whole(err)
	}
	if many && f.format == "text" {
		if err := text.More(results); err != nil {
			return results, errs, bad, err
		}
	}
	if many && !f.quiet {
		report.Modules(stderr, results, total, f.verbose)
	}
	if total.Interrupted {
		what := ""
		if total.Modules > 0 {
			what = fmt.Sprintf(": %d of %d modules were judged", total.Judged, total.Modules)
		}
		whole(fmt.Errorf("%w after %.1f s%s", context.Cause(ctx), total.Elapsed.Seconds(), what))
	}
	return results, errs, bad, nil
}
