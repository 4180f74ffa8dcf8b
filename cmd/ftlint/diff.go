package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ftlint/ftlint/diff"
	"github.com/ftlint/ftlint/report"
)

func diffCommand(terminal openTerminal) *cobra.Command {
	var format string
	var failOnLoss bool
	var most int
	cmd := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Say what changed from one kernel to another: what can be traced, ftrace's code, outcomes",
		Long: `Say what changed from one kernel image to another: functions that can be traced
no more or that can be traced now, capabilities, the instructions of the entry
code and of the architecture's functions, how far branches have to reach, and
outcomes of rules.

Names are compared, not addresses: two builds of one source do not differ. What
the compiler made of a function (foo.isra.0) counts as the function.

Exit status: 0, or 1 with --fail-on-loss if something can be traced no more; 2 if
an input or the call was bad.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return errors.New("diff: name two kernel images (ftlint diff OLD NEW)")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(report.DiffFormats, format) {
				return fmt.Errorf("-f %s: want %s", format, strings.Join(report.DiffFormats, ", "))
			}
			if most < 0 {
				return fmt.Errorf("--max %d: want a number of lines, or 0 for all", most)
			}
			stdout, err := terminal()
			if err != nil {
				return err
			}
			ctx, stop := stopping(0)
			defer stop()
			return diff.Files(ctx, [2]string{args[0], args[1]}, func(d *diff.Diff) error {
				c := report.Comparison{Diff: d, Paths: [2]string{args[0], args[1]}, Version: buildVersion(), Most: most}
				if err := c.Write(stdout, format); err != nil {
					return err
				}
				if failOnLoss && d.Lost() {
					return errFindings
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVarP(&format, "format", "f", "text", "format of the comparison: "+strings.Join(report.DiffFormats, ", "))
	cmd.Flags().BoolVar(&failOnLoss, "fail-on-loss", false, "exit status 1 if something can be traced no more")
	cmd.Flags().IntVar(&most, "max", 20, "lines of each list in text and markdown; 0 for all")
	return cmd
}
