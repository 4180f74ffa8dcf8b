package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/internal/plural"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/policy"
	"github.com/ftlint/ftlint/report"
	"github.com/ftlint/ftlint/rules"
)

// setupFlags are the flags about the configuration and the baseline, and the flags
// that override the configuration.
type setupFlags struct {
	config, baseline, writeBaseline string
	only, disable, ignore           []string
	failOn                          string
}

func (f *setupFlags) add(fl *pflag.FlagSet) {
	fl.StringSliceVar(&f.only, "rules", nil, "run only these rules: IDs, names, or beginnings of IDs (FT4)")
	fl.StringSliceVar(&f.disable, "disable", nil, "do not run these rules")
	fl.StringArrayVar(&f.ignore, "ignore", nil,
		"findings whose line in text (path:line:col: severity: headline [ID name]) this regular expression matches do not count (repeatable)")
	fl.StringVar(&f.failOn, "fail-on", "", "lowest severity that makes the exit status 1: error, warning, note or never (default error)")
	fl.StringVar(&f.config, "config", "", "configuration file, or none (default: the "+policy.SetupName+" nearest to the input, upwards)")
	fl.StringVar(&f.baseline, "baseline", "", "findings that are known, as --write-baseline wrote them, or none: only others count")
}

// addWriting adds --write-baseline, which ftlint config does not take.
func (f *setupFlags) addWriting(fl *pflag.FlagSet) {
	fl.StringVar(&f.writeBaseline, "write-baseline", "", "write what is found to a baseline file; none of it counts")
}

// none is the value of --config and --baseline for no file.
const none = "none"

// setup returns the setup for the inputs: their configuration, overridden by the
// flags.
func (f *setupFlags) setup(inputs []string) (*policy.Setup, error) {
	// Errors in flags come first, so that they do not name the file.
	if _, err := policy.Select(lint.Rules(allChecks), f.only, f.disable); err != nil {
		return nil, err
	}
	if f.failOn != "" {
		if _, err := parseFailOn(f.failOn); err != nil {
			return nil, err
		}
	}
	var ignored []finding.Suppression
	for _, expr := range f.ignore {
		sup, err := policy.Ignoring(expr)
		if err != nil {
			return nil, err
		}
		ignored = append(ignored, sup)
	}
	if f.writeBaseline != "" && f.baseline != "" && f.baseline != none {
		return nil, fmt.Errorf("--write-baseline %s and --baseline %s: name one", f.writeBaseline, f.baseline)
	}
	s, path := &policy.Setup{}, f.config
	var err error
	if path == "" {
		if path, err = policy.FindSetup(inputs); err != nil {
			return nil, err
		}
	}
	if path != "" && path != none {
		if s, err = policy.ReadSetup(path, f.config != ""); err != nil {
			return nil, err
		}
	}
	s.Override(f.only, f.disable, f.failOn, f.baseline)
	s.Suppress = append(s.Suppress, ignored...)
	if s.Baseline.Text == none && s.Baseline.From == "--baseline" || f.writeBaseline != "" {
		s.Baseline = policy.Value{}
	}
	return s, nil
}

// apply fills in the configuration of a run from the setup.
func (f *setupFlags) apply(s *policy.Setup, cfg *lint.Config) (err error) {
	kept, err := s.Rules(lint.Rules(allChecks))
	if err != nil {
		return err
	}
	cfg.Checks = lint.Reporting(allChecks, kept)
	var known *policy.Baseline
	if path := s.BaselinePath(); path != "" {
		if known, err = policy.ReadBaseline(path, s.Baseline.From == "--baseline"); err != nil {
			return err
		}
	}
	cfg.ConfigFile, cfg.Severity = s.Path, s.Severities()
	cfg.Policy = policy.New(s, known, f.writeBaseline != "")
	return nil
}

// failOnOf returns the lowest severity that fails the run, as a word.
func failOnOf(s *policy.Setup) string {
	if s.FailOn.Text != "" {
		return s.FailOn.Text
	}
	return "error"
}

// conclude writes the baseline if --write-baseline names one, and notes unused
// suppressions. complete says that all inputs were judged in full.
func (f *setupFlags) conclude(p *policy.Policy, results []*finding.Result, complete, quiet bool, stderr io.Writer) error {
	if f.writeBaseline != "" {
		if !complete {
			return fmt.Errorf("--write-baseline %s: not written, because not all was judged", f.writeBaseline)
		}
		b := policy.NewBaseline(results)
		if err := writeWhole(f.writeBaseline, b.Write); err != nil {
			return fmt.Errorf("--write-baseline %s: %w", f.writeBaseline, pathless(err))
		}
		if !quiet {
			n := 0
			for _, e := range b.Entries() {
				n += e.Count
			}
			fmt.Fprintf(stderr, "ftlint: %s: %s written, %d different ones\n", report.OneLine(f.writeBaseline), plural.Of(n, "finding"), len(b.Entries()))
		}
	}
	if quiet {
		return nil
	}
	for _, sup := range p.Unused(results) {
		if sup.From == policy.IgnoreFlag {
			fmt.Fprintf(stderr, "ftlint: note: %s fits no finding\n", report.OneLine(sup.Reason))
			continue
		}
		about := sup.Rule
		if sup.Object == "" {
			about += " in vmlinux"
		}
		fmt.Fprintf(stderr, "%s: note: this suppression of %s fits no finding\n", report.OneLine(sup.From), report.OneLine(about))
	}
	return nil
}

// pathless drops the path from an os error. writeWhole writes a temporary file,
// whose path would mean nothing to the user.
func pathless(err error) error {
	if pe, ok := err.(*os.PathError); ok {
		return pe.Err
	}
	return err
}

// dropIgnored drops modules that the configuration ignores. Modules that were
// named, rather than found in a folder, stay.
func dropIgnored(in *lint.Inputs, p *policy.Policy, named []string, quiet bool, stderr io.Writer) error {
	before := len(in.Modules)
	in.Modules = slices.DeleteFunc(in.Modules, func(path string) bool { return !slices.Contains(named, path) && p.IgnoresInput(path) })
	n := before - len(in.Modules)
	switch {
	case n > 0 && len(in.Modules)+len(in.Images)+len(in.Patches) == 0:
		return fmt.Errorf("the configuration (paths) ignores %s: there is nothing else to judge", plural.Of(n, "module"))
	case n > 0 && !quiet:
		fmt.Fprintf(stderr, "ftlint: note: the configuration (paths) ignores %s of %s\n", plural.Number(n), plural.Of(before, "module"))
	}
	return nil
}

func configCommand(terminal openTerminal) *cobra.Command {
	var f setupFlags
	cmd := &cobra.Command{
		Use:   "config [FILE|FOLDER...]",
		Short: "Print the configuration that is in force for these files, and where it comes from",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := misspelled(cmd, args); err != nil {
				return err
			}
			stdout, err := terminal()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				args = []string{"."}
			}
			s, err := f.setup(args)
			if err != nil {
				return err
			}
			kept, err := s.Rules(lint.Rules(allChecks))
			if err != nil {
				return err
			}
			var b strings.Builder
			if s.Path == "" {
				fmt.Fprintln(&b, "# no configuration file")
			} else {
				fmt.Fprintf(&b, "# configuration file: %s\n", report.OneLine(s.Path))
			}
			if path := s.BaselinePath(); path != "" {
				known, err := policy.ReadBaseline(path, s.Baseline.From == "--baseline")
				if err != nil {
					return err
				}
				fmt.Fprintf(&b, "# baseline: %s, %s\n", report.OneLine(path), plural.Of(len(known.Entries()), "different finding"))
			}
			all := lint.Rules(allChecks)
			fmt.Fprintf(&b, "# %s of %s run", plural.Number(len(kept)), plural.Of(len(all), "rule"))
			var not []string
			for _, r := range all {
				if !slices.ContainsFunc(kept, func(k rules.Rule) bool { return k.ID == r.ID }) {
					not = append(not, r.ID)
				}
			}
			slices.Sort(not)
			if len(not) > 0 {
				fmt.Fprintf(&b, "; these do not: %s", strings.Join(not, " "))
			}
			fmt.Fprintln(&b)
			if s.FailOn.Text == "" {
				s.FailOn = policy.Value{Text: failOnOf(s), From: "default"}
			}
			b.Write(s.YAML())
			return stdout.YAML(b.String())
		},
	}
	cmd.SuggestionsMinimumDistance = 2 // letters
	f.add(cmd.Flags())
	cmd.AddCommand(configInitCommand(terminal))
	return cmd
}

func configInitCommand(terminal openTerminal) *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Write a commented configuration file to the current folder",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			stdout, err := terminal()
			if err != nil {
				return err
			}
			file, err := os.OpenFile(policy.SetupName, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
			if errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("config init: there is a %s here already", policy.SetupName)
			}
			if err != nil {
				return fmt.Errorf("config init: %w", err)
			}
			_, err = io.WriteString(file, policy.Starter)
			if err = cmp.Or(err, file.Close()); err != nil {
				return fmt.Errorf("config init: %w", err)
			}
			_, err = fmt.Fprintf(stdout, "%s written: all its settings are comments\n", policy.SetupName)
			return err
		},
	}
}
