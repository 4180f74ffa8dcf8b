// Example-check is ftlint with a rule of one's own: the driver and the checks
// are a library.
package main

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/report"
	"github.com/ftlint/ftlint/rules"
)

func main() { os.Exit(lintFiles(os.Args[1:])) }

// lintFiles is the exit status: 0 nothing was found, 1 something was, 2 a file
// could not be read.
func lintFiles(paths []string) (status int) {
	bad := func(err error) {
		fmt.Fprintln(os.Stderr, "example-check:", err)
		status = 2
	}
	cfg := lint.Config{Checks: append(slices.Clone(checks.All), LockedTraced)}
	run := report.Run{MaxPerRule: 20}
	total, err := lint.Run(context.Background(), lint.Find(paths), cfg, func(res *finding.Result) {
		run.Results = append(run.Results, res)
		report.Summary(os.Stderr, res, false)
		for _, err := range res.Errors {
			bad(err)
		}
	})
	if err != nil {
		bad(err)
		return status
	}
	for _, err := range total.Errors {
		bad(err)
	}
	text, err := report.LookupFormat("text") // or "sarif", "junit", ...
	if err == nil {
		err = text.Write(os.Stdout, &run)
	}
	if err != nil {
		bad(err)
	}
	if worst, found := report.Worst(run.Results); status == 0 && found && worst >= rules.Warning {
		return 1
	}
	return status
}
