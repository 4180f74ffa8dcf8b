package main

import (
	"context"
	"fmt"
	"io"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/report"
)

// A session is one call of ftlint. It prints results as they come and keeps them
// for the reports.
type session struct {
	flags   lintFlags
	stderr  io.Writer
	text    report.Text
	results []*finding.Result
	errs    []error // about no single input
	bad     bool    // something could not be read, or was not judged in full
}

// say writes an error.
func (s *session) say(err error) {
	s.bad = true
	fmt.Fprintf(s.stderr, "ftlint: %s\n", report.OneLine(err.Error()))
}

// whole writes an error about no single input.
func (s *session) whole(err error) {
	s.errs = append(s.errs, err)
	s.say(err)
}

// lint lints the inputs and writes findings, errors and summaries as they come.
// When ctx ends the run, the results until then are written.
func (s *session) lint(ctx context.Context, in lint.Inputs, cfg lint.Config) error {
	if s.flags.verbose {
		fmt.Fprintf(s.stderr, "ftlint %s, schema %d\n", buildVersion(), report.SchemaVersion)
	}
	for _, err := range in.Errors {
		s.whole(err)
	}
	bar := newProgress(s.stderr, len(in.Modules))
	cfg.Progress = bar.set
	many := len(in.Modules) > 1
	kernels := len(in.Images) > 1
	patches := len(in.Patches)+len(in.Ranges) > 1 // one summary for all
	s.text.Many = kernels
	shared := kernels && !s.flags.noGroup // findings are written once for all kernels, at the end
	var failed error                      // of writing
	total, err := lint.Run(ctx, in, cfg, func(res *finding.Result) {
		s.results = append(s.results, res)
		if len(res.Errors)+len(res.Findings) > 0 {
			bar.clear()
		}
		for _, err := range res.Errors {
			s.say(err)
		}
		for _, line := range report.NoteLines(res) {
			fmt.Fprintln(s.stderr, report.OneLine(line))
		}
		if s.flags.format == "text" && failed == nil && !shared {
			failed = s.text.Write(res)
		}
		together := many && res.IsModule || kernels && !res.IsModule && res.Patch == nil || patches && res.Patch != nil
		if !s.flags.quiet && (!together || s.flags.verbose && !res.IsModule) {
			bar.clear()
			report.Summary(s.stderr, res, s.flags.verbose)
		}
	})
	bar.clear()
	if err == nil {
		err = failed
	}
	if err != nil {
		return err
	}
	if s.flags.quiet {
		report.NotJudged(s.stderr, s.results)
	} else if patches && !s.flags.verbose {
		report.Patches(s.stderr, s.results)
	}
	for _, err := range total.Errors {
		s.whole(err)
	}
	if s.flags.format == "text" {
		if shared {
			err = s.text.WriteShared(s.results)
		} else if many {
			err = s.text.More(s.results)
		}
		if err != nil {
			return err
		}
	}
	if many && !s.flags.quiet {
		report.Modules(s.stderr, s.results, total, s.flags.verbose)
	}
	if kernels && !s.flags.quiet {
		report.Kernels(s.stderr, s.results)
	}
	if total.Interrupted != nil {
		s.whole(total.Interrupted)
	}
	return nil
}
