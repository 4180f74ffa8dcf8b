// Example-check is ftlint with a rule of one's own: the driver and the checks
// are a library.
package main

import (
	"fmt"
	"go/token"
	"os"
	"slices"

	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/report"
	"github.com/ftlint/ftlint/rules"
)

func main() { os.Exit(lintFiles(os.Args[1:])) }

// lintFiles is the exit status: 0 nothing was found, 1 something was, 2 a file
// could not be read.
func lintFiles(paths []string) (status int) {
	cfg := lint.Config{Checks: append(slices.Clone(checks.All), LockedTraced)}
	fset := token.NewFileSet()
	run := report.Run{MaxPerRule: 20}
	for _, path := range paths {
		res := lint.File(path, fset, cfg)
		run.Results = append(run.Results, res)
		report.Summary(os.Stderr, res, false)
		for _, err := range res.Errors {
			fmt.Fprintln(os.Stderr, "example-check:", err)
			status = 2
		}
	}
	text, err := report.LookupFormat("text") // or "sarif", "junit", ...
	if err == nil {
		err = text.Write(os.Stdout, &run)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "example-check:", err)
		return 2
	}
	if worst, found := report.Worst(run.Results); status == 0 && found && worst >= rules.Warning {
		return 1
	}
	return status
}
