// Ftlint checks ftrace's machine code in Linux kernel images for arm64 and x86-64.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/tools/go/analysis"

	"github.com/ftlint/ftlint/checks"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/finding"
	"github.com/ftlint/ftlint/lint"
	"github.com/ftlint/ftlint/picture"
	"github.com/ftlint/ftlint/report"
	"github.com/ftlint/ftlint/rules"
)

func main() {
	signal.Ignore(ignored...)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400) // a run is short, and most of its memory is mapped files
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// Exit statuses.
const (
	exitClean    = 0 // nothing at or above --fail-on
	exitFindings = 1 // findings
	exitBad      = 2 // the input or the call was bad
)

// errFindings makes run return exitFindings. errSaid makes run return exitBad
// without a message, because the error has been printed.
var (
	errFindings = errors.New("findings")
	errSaid     = errors.New("said")
)

// run is the whole program and returns its exit status. args do not have the
// program's name.
func run(args []string, stdout, stderr io.Writer) (status int) {
	stdout, stderr = untilClosed{stdout}, untilClosed{stderr}
	defer func() {
		if v := recover(); v != nil {
			fmt.Fprintf(stderr, "ftlint: internal error: %s\n", report.OneLine(fmt.Sprint(v)))
			status = exitBad
		}
	}()
	root := command(stdout, stderr)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	switch err := root.Execute(); {
	case err == nil:
		return exitClean
	case errors.Is(err, errFindings):
		return exitFindings
	case errors.Is(err, errSaid):
		return exitBad
	default:
		fmt.Fprintf(stderr, "ftlint: %s\n", report.OneLine(err.Error()))
		return exitBad
	}
}

// untilClosed drops output after its reader is gone (ftlint | head), so that the
// exit status does not depend on the reader.
type untilClosed struct{ io.Writer }

func (w untilClosed) Write(b []byte) (int, error) {
	n, err := w.Writer.Write(b)
	if errors.Is(err, syscall.EPIPE) {
		return len(b), nil
	}
	return n, err
}

// lintFlags are the flags of the command itself.
type lintFlags struct {
	format, template    string
	outputs             []string
	srctree, debugFile  string
	maxPerRule, workers int
	maxPerRuleSet       bool
	templateSet         bool
	quiet, verbose      bool
	noGroup             bool
	exhaustive          bool
	timeout             time.Duration
	debugDirs           []string
	patch               patchFlags
	setup               setupFlags
}

func command(stdout, stderr io.Writer) *cobra.Command {
	var f lintFlags
	var color string
	terminal := func() (report.Terminal, error) { return terminalOf(color, stdout) }
	root := &cobra.Command{
		Use:   "ftlint [flags] [FILE|FOLDER...]",
		Short: "Check ftrace's machine code in Linux kernel images for arm64 and x86-64, and patches to it",
		Long: `Check ftrace's machine code in Linux kernel images for arm64 and x86-64, and patches to it.

FILE is a vmlinux or a module, plain or packed with gzip, xz or zstd; without
one, ./vmlinux is checked. A FOLDER is searched for modules. Modules are
checked as modules of the vmlinux that is named with them. FILE may also be a
patch, a mail or a mailbox with patches (- is standard input), or a C or
assembly file: of patches, the lines that they add are checked. Findings go to
standard output, a summary of what was checked to standard error.

Exit status: 0 nothing at or above --fail-on, 1 findings, 2 the input or the
call was bad.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := misspelled(cmd, args); err != nil {
				return err
			}
			f.maxPerRuleSet = cmd.Flags().Changed("max-per-rule")
			if f.quiet && f.verbose {
				return errors.New("--quiet and --verbose: name one")
			}
			f.templateSet = cmd.Flags().Changed("format-template")
			if f.templateSet && cmd.Flags().Changed("format") {
				return errors.New("--format and --format-template: name one")
			}
			if cmd.Flags().Changed("jobs") && f.workers < 1 {
				return fmt.Errorf("--jobs %d: want 1 or more", f.workers)
			}
			out, err := terminal()
			if err != nil {
				return err
			}
			return lintFiles(f, args, out, stderr)
		},
	}
	root.SuggestionsMinimumDistance = 2 // letters
	root.SetFlagErrorFunc(flagError)
	root.Version = buildVersion()
	root.SetVersionTemplate("ftlint {{.Version}}\n")
	fl := root.Flags()
	fl.StringVarP(&f.format, "format", "f", "text", "format of the report on standard output: "+formatNames())
	fl.StringVar(&f.template, "format-template", "",
		"Go template that is run for each finding, in place of a format: '{{.path}}:{{.line}} {{.rule}}'; the fields are those of JSON")
	fl.StringArrayVarP(&f.outputs, "output", "o", nil, "also write a report to a file: FORMAT=FILE (repeatable)")
	f.setup.add(fl)
	f.setup.addWriting(fl)
	fl.IntVar(&f.maxPerRule, "max-per-rule", 20, "findings shown of each rule; 0 for all, which is the default of formats other than text")
	fl.StringVar(&f.srctree, "srctree", "",
		"kernel source tree, to show the lines of findings and to look up what patches mention (default: the current folder, if it is one)")
	fl.StringVar(&f.debugFile, "debug-file", "", "separate debug file of the image")
	fl.StringSliceVar(&f.debugDirs, "debug-dir", nil, "folders with debug files of modules, laid out like /usr/lib/debug")
	fl.IntVarP(&f.workers, "jobs", "j", 0, "checks, or modules, that run at once (default: one a processor)")
	fl.BoolVar(&f.exhaustive, "exhaustive", false, "execute every callsite, not one of each kind (x86-64: of modules)")
	fl.DurationVar(&f.timeout, "timeout", 0, "stop after this time (30s, 2m); rules that did not come to an end are inconclusive, and the exit status is 2")
	fl.BoolVar(&f.noGroup, "no-group", false, "with several kernels, show a finding that they share for each of them")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "print no summary")
	fl.BoolVarP(&f.verbose, "verbose", "v", false, "summarise each rule on a line of its own")
	f.patch.add(fl)
	root.PersistentFlags().StringVar(&color, "color", "auto", "colour the output: auto, always or never")
	root.AddCommand(rulesCommand(terminal), explainCommand(terminal), showCommand(terminal), functionsCommand(terminal, stderr), diffCommand(terminal),
		reviewCommand(terminal, stderr), configCommand(terminal), versionCommand(stdout), manCommand(stdout))
	addCompletions(root)
	return root
}

func lintFiles(f lintFlags, files []string, stdout report.Terminal, stderr io.Writer) error {
	if err := f.patch.check(files); err != nil {
		return err
	}
	format, err := f.formatOf()
	if err != nil {
		return err
	}
	f.format = format.Name
	outputs, err := parseOutputs(f.outputs)
	if err != nil {
		return err
	}
	if err := f.keep(outputs, files); err != nil {
		return err
	}
	date, err := reportDate()
	if err != nil {
		return err
	}
	if len(files) == 0 && len(f.patch.git) == 0 {
		files = []string{"vmlinux"}
		if _, err := os.Stat("vmlinux"); err != nil {
			return errNoFile
		}
	}
	setup, err := f.setup.setup(f.patch.inputs(files))
	if err != nil {
		return err
	}
	failOn, err := parseFailOn(failOnOf(setup))
	if err != nil {
		return err
	}
	if f.srctree == "" && isKernelTree(".") {
		f.srctree = "."
	}
	keep := f.maxPerRule
	if !f.maxPerRuleSet && (format.Name != "text" || slices.ContainsFunc(outputs, func(o output) bool { return o.format.Name != "text" })) {
		keep = 0 // programs want all
	}
	if err := f.checkValues(); err != nil {
		return err
	}
	cfg := lint.Config{MaxPerRule: keep, DebugFile: f.debugFile, Workers: f.workers,
		DebugDirs: f.debugDirs, Settings: checks.Settings{Exhaustive: f.exhaustive},
		AllLines: f.patch.allLines, SrcTree: f.srctree, AtPatch: f.patch.at == "patch"}
	if err := f.setup.apply(setup, &cfg); err != nil {
		return err
	}
	cfg.Pictures = format.Pictures
	for _, o := range outputs {
		if len(o.format.Pictures) > 0 {
			cfg.Pictures = o.format.Pictures
		}
	}
	in := lint.Find(files)
	in.Ranges, in.Built = f.patch.git, f.patch.image
	if err := f.keep(outputs, in.Modules); err != nil {
		return err
	}
	if err := dropIgnored(&in, cfg.Policy, files, f.quiet, stderr); err != nil {
		return err
	}
	ctx, stop := stopping(f.timeout)
	defer stop()
	s := &session{flags: f, stderr: stderr, text: report.Text{W: stdout, Color: stdout.Color, SrcTree: f.srctree, MaxPerRule: f.maxPerRule}}
	if err := s.lint(ctx, in, cfg); err != nil {
		return err
	}
	all := &report.Run{Results: s.results, Errors: s.errs, Version: buildVersion(), Date: date, SrcTree: f.srctree,
		FailOn: failOn, MaxPerRule: f.maxPerRule, NoGroup: f.noGroup}
	if f.format != "text" { // text was written as it came
		if err := format.Write(stdout, all); err != nil {
			return err
		}
	}
	for _, o := range outputs {
		if err := o.write(ctx, all); err != nil {
			return err
		}
	}
	if err := f.setup.conclude(cfg.Policy, s.results, !s.bad, f.quiet, stderr); err != nil {
		return err
	}
	if !f.quiet {
		report.Conclusion(stderr, s.results, s.errs)
	}
	if s.bad {
		return errSaid
	}
	if worst, found := report.Worst(s.results); found && failOn != nil && worst >= *failOn {
		return errFindings
	}
	return nil
}

// checkValues returns an error if a flag has a value that it cannot have.
func (f *lintFlags) checkValues() error {
	if f.maxPerRule < 0 {
		return fmt.Errorf("--max-per-rule %d: want a number of findings, or 0 for all", f.maxPerRule)
	}
	for _, dir := range f.debugDirs {
		if _, err := os.Stat(dir); err != nil {
			return fmt.Errorf("--debug-dir %s: %w", dir, pathless(err))
		}
	}
	if f.timeout < 0 {
		return fmt.Errorf("--timeout %v: want a time, or 0 for none", f.timeout)
	}
	return nil
}

// formatOf returns the format of the report on standard output.
func (f *lintFlags) formatOf() (report.Format, error) {
	if !f.templateSet {
		format, err := report.LookupFormat(f.format)
		if err != nil {
			err = fmt.Errorf("-f %s: %w", f.format, err)
		}
		return format, err
	}
	t, err := report.ParseTemplate(f.template)
	if err != nil {
		return report.Format{}, fmt.Errorf("--format-template: %w", err)
	}
	return report.FormatOf(t), nil
}

// errNoFile is the error of a call that names no file in a folder without a
// vmlinux.
var errNoFile = errors.New("no file was named, and there is no ./vmlinux here")

// misspelled returns an error if the first argument is no file, and is a letter or
// two away from the name of a command.
func misspelled(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if _, err := os.Lstat(args[0]); err == nil {
		return nil
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		meant := strings.Join(near, " or "+cmd.CommandPath()+" ")
		return fmt.Errorf("%s: no such file, and no such command: did you mean %s %s?", args[0], cmd.CommandPath(), meant)
	}
	return nil
}

// flagError says what a flag expects whose value cannot be read.
func flagError(cmd *cobra.Command, err error) error {
	if unknown := (*pflag.NotExistError)(nil); errors.As(err, &unknown) {
		if near := nearestFlag(cmd, unknown.GetSpecifiedName()); near != "" {
			return fmt.Errorf("unknown flag --%s: did you mean --%s?", unknown.GetSpecifiedName(), near)
		}
		return err
	}
	bad := (*pflag.InvalidValueError)(nil)
	if !errors.As(err, &bad) {
		return err
	}
	name, value := "--"+bad.GetFlag().Name, bad.GetValue()
	switch bad.GetFlag().Value.Type() {
	case "int":
		return fmt.Errorf("%s %s: want a number", name, value)
	case "bool":
		return fmt.Errorf("%s=%s: want true or false", name, value)
	case "duration":
		example := "30s or 5m"
		if _, err := time.ParseDuration(value + "s"); err == nil { // only the unit is missing
			example = fmt.Sprintf("%[1]ss (seconds) or %[1]sm (minutes)", value)
		}
		return fmt.Errorf("%s %s: want a time with its unit, as %s", name, value, example)
	}
	return err
}

// nearestFlag returns the flag of cmd whose name is a letter or two away from name; "" for
// none, or for a flag of one letter.
func nearestFlag(cmd *cobra.Command, name string) (nearest string) {
	most := min(2, len(name)/2)
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if d := rules.EditDistance(name, f.Name); d <= most && len(name) > 1 {
			nearest, most = f.Name, d-1
		}
	})
	return nearest
}

// parseFailOn returns the lowest severity that fails; nil for never.
func parseFailOn(s string) (*rules.Severity, error) {
	if s == "never" {
		return nil, nil
	}
	sev, err := rules.ParseSeverity(s)
	if err != nil {
		return nil, fmt.Errorf("--fail-on %q: want error, warning, note or never", s)
	}
	return &sev, nil
}

// isKernelTree reports whether dir is the top of a kernel source tree.
func isKernelTree(dir string) bool {
	for _, f := range []string{"Kbuild", "arch/arm64/kernel/entry-ftrace.S"} {
		if _, err := os.Stat(filepath.Join(dir, f)); err != nil {
			return false
		}
	}
	return true
}

// openTerminal describes standard output, once the flags are known.
type openTerminal func() (report.Terminal, error)

// listFormats are the formats of what a command lists.
var listFormats = []string{"text", "json"}

// A listFormat is the one of listFormats that is asked for.
type listFormat struct {
	name string
	json bool // --json, which is older
}

func (f *listFormat) add(fl *pflag.FlagSet) {
	fl.StringVarP(&f.name, "format", "f", "text", "format of the list: "+strings.Join(listFormats, ", "))
	fl.BoolVar(&f.json, "json", false, "the same as -f json")
}

// isJSON reports whether the list is wanted as JSON.
func (f *listFormat) isJSON() (bool, error) {
	if !slices.Contains(listFormats, f.name) {
		return false, fmt.Errorf("-f %s: want %s", f.name, strings.Join(listFormats, ", "))
	}
	return f.json || f.name == "json", nil
}

func rulesCommand(terminal openTerminal) *cobra.Command {
	var format listFormat
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "List the rules",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			asJSON, err := format.isJSON()
			if err != nil {
				return err
			}
			stdout, err := terminal()
			if err != nil {
				return err
			}
			if asJSON {
				return report.RulesJSON(stdout)
			}
			return stdout.Rules(rules.All())
		},
	}
	format.add(cmd.Flags())
	return cmd
}

func explainCommand(terminal openTerminal) *cobra.Command {
	var raw bool
	cmd := &cobra.Command{
		Use:   "explain RULE...",
		Short: "Print the pages of rules, by their IDs or names",
		Long: `Print the pages of rules, by their IDs or names.

On a terminal, or in colour, a page is laid out; a file or a pipe gets its Markdown.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("explain: name a rule, by its ID or name (ftlint explain FT303); ftlint rules lists them")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			stdout, err := terminal()
			if err != nil {
				return err
			}
			var found []rules.Rule
			for _, arg := range args {
				some, err := rules.Select(arg)
				if err != nil {
					return err
				}
				found = append(found, some...)
			}
			for i, r := range found {
				page, ok := r.Page()
				if !ok {
					page = fmt.Sprintf("# %s %s\n\nSeverity: %s. %s.\n", r.ID, r.Name, r.Severity, strings.ToUpper(r.Title[:1])+r.Title[1:])
				}
				if i > 0 {
					fmt.Fprintln(stdout)
				}
				page = strings.ReplaceAll(page, "<!-- example -->\n", "") // for tests
				if (stdout.Width > 0 || stdout.Color) && !raw {
					err = stdout.Page(page)
				} else {
					_, err = io.WriteString(stdout, page)
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&raw, "markdown", false, "print the Markdown on a terminal, too")
	return cmd
}

func showCommand(terminal openTerminal) *cobra.Command {
	var format listFormat
	var debugFile, proto string
	cmd := &cobra.Command{
		Use:   "show [FILE] [PROGRAMS]",
		Short: "Lay out the entry code, a callsite's life, and trampolines beside the model",
		Long: `Lay out the entry code, a callsite in each state of its life, and trampolines beside the model.

With --bpf it is the BPF trampoline that the kernel's generator makes for a function of that prototype and for PROGRAMS, with
what each part is for: ftlint show vmlinux --bpf 'int f(struct path, long)' fentry,fexit`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			asJSON, err := format.isJSON()
			if err != nil {
				return err
			}
			stdout, err := terminal()
			if err != nil {
				return err
			}
			path := "vmlinux"
			if len(args) > 0 {
				path = args[0]
			} else if _, err := os.Stat(path); err != nil {
				if _, err := os.Stat(proto); proto != "" && err == nil {
					return fmt.Errorf("show: --bpf wants the prototype or the name of a function; %q is a file", proto)
				}
				return fmt.Errorf("show: %w", errNoFile)
			}
			if len(args) > 1 && proto == "" {
				return fmt.Errorf("show: %q names programs of a BPF trampoline: which function they trace is said by --bpf", args[1])
			}
			if proto != "" {
				listings, err := bpfListings(path, debugFile, proto, args)
				if err != nil {
					return fmt.Errorf("show --bpf: %w", err)
				}
				if asJSON {
					return report.ShowJSON(stdout, listings)
				}
				return stdout.Show(listings)
			}
			var res *finding.Result
			cfg := lint.Config{Checks: []*analysis.Analyzer{}, Pictures: picture.Listings, DebugFile: debugFile}
			if _, err := lint.Run(context.Background(), lint.Inputs{Images: []string{path}}, cfg, func(r *finding.Result) { res = r }); err != nil {
				return err
			}
			listings, err := report.Listings(res)
			if err != nil {
				return err
			}
			if asJSON {
				return report.ShowJSON(stdout, listings)
			}
			return stdout.Show(listings)
		},
	}
	format.add(cmd.Flags())
	cmd.Flags().StringVar(&debugFile, "debug-file", "", "separate debug file of the image")
	cmd.Flags().StringVar(&proto, "bpf", "", "show the BPF trampoline for a function of this prototype in C, or for this function of the kernel")
	return cmd
}

// bpfListings are the BPF trampoline for a function of that prototype and the programs
// of the command's second argument. Without that argument the program is fentry.
func bpfListings(path, debugFile, proto string, args []string) ([]picture.Listing, error) {
	programs := "fentry"
	if len(args) > 1 {
		programs = args[1]
	}
	im, err := elfscan.Open(path, debugFile)
	if err != nil {
		return nil, err
	}
	defer im.Close()
	l, err := picture.BPFTrampoline(im, proto, programs)
	return []picture.Listing{l}, err
}
