package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/patchscan"
	"github.com/ftlint/ftlint/report"
)

func reviewCommand(terminal openTerminal, stderr io.Writer) *cobra.Command {
	var setup setupFlags
	cmd := &cobra.Command{
		Use:   "review FILE...",
		Short: "Write the findings in patches as a reply that quotes the lines, ready to edit",
		Long: `Write the findings in patches as a reply that quotes the lines, ready to edit.

FILE is a patch, a mail or a mailbox (- is standard input). Each patch with
findings gets one mail; several mails are a mailbox. Nothing is sent. Exit
status: 0, or 2 if an input was bad.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, files []string) error {
			stdout, err := terminal()
			if err != nil {
				return err
			}
			s, err := setup.setup(files)
			if err != nil {
				return err
			}
			var cfg lint.Config
			if err := setup.apply(s, &cfg); err != nil {
				return err
			}
			return review(files, cfg, stdout, stderr)
		},
	}
	setup.add(cmd.Flags())
	return cmd
}

// review writes the replies to the patches in files.
func review(files []string, cfg lint.Config, stdout report.Terminal, stderr io.Writer) error {
	bad := false
	say := func(err error) {
		bad = true
		fmt.Fprintf(stderr, "ftlint: %s\n", report.OneLine(err.Error()))
	}
	var mails []string
	var series []*patchscan.Input
	flush := func() {
		if len(series) == 0 {
			return
		}
		in, results := lint.Series(context.Background(), series, cfg)
		for _, res := range results {
			for _, err := range res.Errors {
				say(err)
			}
			for _, line := range report.NoteLines(res) {
				fmt.Fprintln(stderr, report.OneLine(line))
			}
		}
		mails = append(mails, report.Replies(in, results, stdout.Color)...)
		series = nil
	}
	// A cover letter is no patch; its figures count for the patches behind it.
	var letters []*patchscan.Patch
	var noPatch error // of the last of them
	patches := false
	for _, file := range files {
		in, err := patchscan.Open(file)
		if none, ok := patchscan.PassedOver(err); ok {
			letters, noPatch = append(letters, none...), err
			continue
		}
		if err == nil && in.Source != nil {
			err = fmt.Errorf("%s: a source file, not a patch: there is nothing to reply to", file)
		}
		if err != nil {
			say(err)
			continue
		}
		patches = true
		in.Letters = letters
		if n := len(series); n > 0 && !in.Follows(series[n-1]) {
			flush()
		}
		series = append(series, in)
	}
	flush()
	if !patches && noPatch != nil {
		say(noPatch)
	}
	if err := report.WriteMails(stdout, mails); err != nil {
		return err
	}
	switch {
	case bad:
		return errSaid
	case len(mails) == 0:
		fmt.Fprintln(stderr, "nothing was found, so there is nothing to say")
	}
	return nil
}
