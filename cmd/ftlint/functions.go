package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/report"
	"github.com/ftlint/ftlint/tracing"
)

func functionsCommand(terminal openTerminal, stderr io.Writer) *cobra.Command {
	var format, debugFile string
	cmd := &cobra.Command{
		Use:   "functions [FILE|FOLDER...] [NAME|PATTERN...]",
		Short: "Say what can be traced: the kernel's capabilities, and each function's",
		Long: `Say what can be traced: the kernel's capabilities, and each function's.

FILE is a vmlinux (default: ./vmlinux) or a module of it; a FOLDER is searched
for modules. NAME is the name of a function, PATTERN may have *, ? and [ab].
What is the name of a file or a folder is one; behind -- there are names only.
Without names all functions are counted, by what can use them and by why not.

The answers come from the image, and from its own functions, which are
executed: for ftrace, BPF's fentry and fexit, kprobes and livepatch. Exit
status: 2 if a name is not that of a function, or if an input was bad.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(report.FunctionFormats, format) {
				return fmt.Errorf("-f %s: want %s", format, strings.Join(report.FunctionFormats, ", "))
			}
			stdout, err := terminal()
			if err != nil {
				return err
			}
			files, names := filesAndNames(args, cmd.ArgsLenAtDash())
			if len(files) == 0 {
				files = []string{"vmlinux"}
				if _, err := os.Stat(files[0]); err != nil {
					return fmt.Errorf("functions: %w", errNoFile)
				}
			}
			bad := false
			say := func(format string, args ...any) {
				bad = true
				fmt.Fprintf(stderr, "ftlint: %s\n", report.OneLine(fmt.Sprintf(format, args...)))
			}
			in := lint.Find(files)
			errs, err := lint.Traceable(in, debugFile, func(k *tracing.Kernel, facts *finding.ImageFacts, all []tracing.Listed) error {
				some, missing := tracing.Select(all, names)
				for _, name := range missing {
					say("%s", report.Missing(k, all, name))
				}
				if len(names) > 0 && len(some) == 0 {
					return nil
				}
				r := report.Functions{Path: in.Images[0], Version: buildVersion(), Image: facts, Kernel: k, List: some, All: len(names) == 0}
				return r.Write(stdout, format)
			})
			for _, err := range errs {
				say("%v", err)
			}
			if err == nil && bad {
				err = errSaid
			}
			return err
		},
	}
	cmd.Flags().StringVarP(&format, "format", "f", "text", "format of the answers: "+strings.Join(report.FunctionFormats, ", "))
	cmd.Flags().StringVar(&debugFile, "debug-file", "", "separate debug file of the image")
	return cmd
}

// filesAndNames sorts arguments into files and folders, and names of functions. An
// argument names a file if there is one of that name, or if it has a slash or the name
// of a module. dash is the number of arguments before --. It is -1 if there is no --.
func filesAndNames(args []string, dash int) (files, names []string) {
	for i, arg := range args {
		_, err := os.Stat(arg)
		if (dash < 0 || i < dash) && (err == nil || strings.ContainsRune(arg, '/') || strings.Contains(arg, ".ko")) {
			files = append(files, arg)
		} else {
			names = append(names, arg)
		}
	}
	return files, names
}
