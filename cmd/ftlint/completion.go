package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/ftlint/ftlint/report"
	"github.com/ftlint/ftlint/rules"
)

// addCompletions adds the values of flags and commands to shell completion.
func addCompletions(root *cobra.Command) {
	values := func(list ...cobra.Completion) cobra.CompletionFunc {
		return cobra.FixedCompletions(list, cobra.ShellCompDirectiveNoFileComp)
	}
	var formats, outputs []cobra.Completion
	for _, f := range report.Formats {
		formats = append(formats, cobra.CompletionWithDesc(f.Name, f.Doc))
		outputs = append(outputs, cobra.CompletionWithDesc(f.Name+"=", f.Doc))
	}
	complete := map[string]cobra.CompletionFunc{
		"format":  values(formats...),
		"fail-on": values("error", "warning", "note", "never"),
		"color":   values("auto", "always", "never"),
		"at":      values("source", "patch"),
		"ignore":  values(),

		"format-template": values(),
		"rules":           completeRules,
		"disable":         completeRules,
		"output": func(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if strings.Contains(typed, "=") {
				return nil, cobra.ShellCompDirectiveDefault
			}
			return outputs, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		},
	}
	for flag, f := range complete {
		if err := root.RegisterFlagCompletionFunc(flag, f); err != nil {
			panic(err) // no such flag
		}
	}
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "explain":
			cmd.ValidArgsFunction = completeRules
		case "functions", "diff", "rules", "show":
			formats := map[string][]string{"functions": report.FunctionFormats, "diff": report.DiffFormats, "rules": listFormats, "show": listFormats}
			if err := cmd.RegisterFlagCompletionFunc("format", values(formats[cmd.Name()]...)); err != nil {
				panic(err) // no such flag
			}
		case "config":
			for _, flag := range []string{"rules", "disable", "fail-on"} {
				if err := cmd.RegisterFlagCompletionFunc(flag, complete[flag]); err != nil {
					panic(err) // no such flag
				}
			}
		}
	}
	root.ValidArgsFunction = func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveDefault // files
	}
}

// completeRules completes a list of rules: IDs, or names if a part was typed.
func completeRules(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	before := typed[:strings.LastIndex(typed, ",")+1]
	word := strings.ToLower(typed[len(before):])
	var out []cobra.Completion
	for _, r := range rules.All() {
		for _, s := range []string{r.ID, r.Name} {
			if strings.HasPrefix(strings.ToLower(s), word) && (word != "" || s == r.ID) {
				out = append(out, cobra.CompletionWithDesc(before+s, r.Title))
			}
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}
