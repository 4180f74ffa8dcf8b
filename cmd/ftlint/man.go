package main

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func manCommand(stdout io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "man",
		Short: "Print the man page, as man -l reads it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := io.WriteString(stdout, manPage(cmd.Root()))
			return err
		},
	}
}

// manPage returns the man page of a program and all its commands, in the macros
// of man(7).
func manPage(root *cobra.Command) string {
	root.InitDefaultHelpFlag()
	root.InitDefaultVersionFlag()
	root.Flags().Lookup("version").Usage = "print the version"
	var commands []*cobra.Command
	for _, c := range root.Commands() {
		if !c.IsAvailableCommand() || c.Name() == "help" {
			continue
		}
		commands = append(commands, c)
		if c.Name() == "completion" { // its commands are the shells
			c.Use = "completion bash|zsh|fish|powershell"
			continue
		}
		commands = append(commands, c.Commands()...)
	}
	var b strings.Builder
	fmt.Fprintf(&b, ".TH FTLINT 1 %q \"ftlint %s\"\n", manDate(), buildVersion())
	fmt.Fprintf(&b, ".SH NAME\nftlint \\- %s\n.SH SYNOPSIS\n", roff(strings.ToLower(root.Short[:1])+root.Short[1:]))
	b.WriteString(manUse(root))
	for _, c := range commands {
		b.WriteString(".br\n" + manUse(c))
	}
	about, status, _ := strings.Cut(root.Long, "Exit status: ")
	_, about, _ = strings.Cut(about, "\n\n") // the first sentence is the name's
	fmt.Fprintf(&b, ".SH DESCRIPTION\n%s.SH COMMANDS\n", manText(about))
	for _, c := range commands {
		fmt.Fprintf(&b, ".TP\n%s%s.\n", manUse(c), roff(c.Short))
		if flags := manFlags(c.LocalFlags()); flags != "" {
			b.WriteString(".RS\n" + flags + ".RE\n")
		}
	}
	b.WriteString(".SH OPTIONS\n.TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\nPrint help, of a command if one is named\n")
	fmt.Fprintf(&b, "%s.SH EXIT STATUS\n%s", manFlags(root.LocalFlags()), manText(status))
	b.WriteString(manEnd)
	return b.String()
}

// manEnd has the sections of which cobra knows nothing.
const manEnd = `.SH ENVIRONMENT
.TP
.B NO_COLOR
No colour, unless \-\-color is always.
.TP
.B GOMEMLIMIT
The most memory to use, as 256MiB.
.SH FILES
.TP
.B .ftlint.yaml
Which rules run, how severe they are, and which findings do not count.
https://github.com/ftlint/ftlint/blob/main/docs/configuration.md describes it.
.SH EXAMPLES
.nf
ftlint vmlinux
ftlint vmlinux /lib/modules/6.12.0/
ftlint \-o sarif=ftlint.sarif vmlinux
git format\-patch \-1 \-\-stdout | ftlint \-
ftlint explain FT103
.fi
.SH SEE ALSO
.BR git\-send\-email (1),
.BR objdump (1)
`

// manUse returns how a command is called, its name in bold.
func manUse(c *cobra.Command) string {
	args := strings.TrimPrefix(c.Use, c.Name())
	if manFlags(c.LocalFlags()) != "" && !strings.Contains(args, "[flags]") {
		args = " [flags]" + args
	}
	return fmt.Sprintf("\\fB%s\\fR%s\n", roff(c.CommandPath()), roff(args))
}

// manFlags returns a list of flags with what they mean, but for --help, which all
// commands have.
func manFlags(flags *pflag.FlagSet) string {
	var b strings.Builder
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		b.WriteString(".TP\n")
		if f.Shorthand != "" {
			fmt.Fprintf(&b, "\\fB\\-%s\\fR, ", f.Shorthand)
		}
		value, usage := pflag.UnquoteUsage(f)
		if value = strings.TrimSuffix(value, "Array"); value != "" {
			value = " \\fI" + roff(value) + "\\fR"
		}
		fmt.Fprintf(&b, "\\fB\\-\\-%s\\fR%s\n%s", roff(f.Name), value, roff(strings.ToUpper(usage[:1])+usage[1:]))
		switch f.DefValue {
		case "", "0", "0s", "[]", "false":
		default:
			fmt.Fprintf(&b, " (default: %s)", roff(f.DefValue))
		}
		b.WriteString("\n")
	})
	return b.String()
}

// manText returns paragraphs.
func manText(s string) string {
	return strings.ReplaceAll(roff(strings.TrimSpace(s)), "\n\n", "\n.PP\n") + "\n"
}

// roff escapes text. A hyphen is a minus, which can be searched for and copied.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	for _, c := range []string{".", "'"} { // a request, at the beginning of a line
		if strings.HasPrefix(s, c) {
			s = `\&` + s
		}
		s = strings.ReplaceAll(s, "\n"+c, "\n\\&"+c)
	}
	return s
}

// manDate returns the date of the page: that of SOURCE_DATE_EPOCH, else that of
// the commit, and "" where neither is known.
func manDate() string {
	if seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
		return time.Unix(seconds, 0).UTC().Format(time.DateOnly)
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.time" {
				day, _, _ := strings.Cut(s.Value, "T")
				return day
			}
		}
	}
	return ""
}
