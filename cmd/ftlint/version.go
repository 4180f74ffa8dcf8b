package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// version is set by scripts/release (-ldflags -X main.version=...). Other builds
// have the version that the Go tool records.
var version string

// buildVersion returns the version of this build: a tag, a module's version, or
// the version of the commit.
func buildVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// reportDate returns the date that reports bear: that of SOURCE_DATE_EPOCH, seconds
// since 1970 (reproducible-builds.org). Without it, reports of the same inputs are the
// same whenever they are made, and the date is zero.
func reportDate() (time.Time, error) {
	const name = "SOURCE_DATE_EPOCH"
	value := os.Getenv(name)
	if value == "" {
		return time.Time{}, nil
	}
	seconds, err := strconv.ParseInt(value, 10, 64)
	if err != nil || seconds < 0 {
		return time.Time{}, fmt.Errorf("%s=%s: want seconds since 1970", name, value)
	}
	return time.Unix(seconds, 0), nil
}

func versionCommand(stdout io.Writer) *cobra.Command {
	var verbose bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version and how it was built",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return printVersion(stdout, verbose)
		},
	}
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "print the modules that it is built from, too")
	return cmd
}

func printVersion(w io.Writer, verbose bool) error {
	if _, err := fmt.Fprintf(w, "ftlint %s\n", buildVersion()); err != nil {
		return err
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	setting := map[string]string{}
	for _, s := range info.Settings {
		setting[s.Key] = s.Value
	}
	if rev := setting["vcs.revision"]; rev != "" {
		changed := ""
		if setting["vcs.modified"] == "true" {
			changed = ", with changes"
		}
		fmt.Fprintf(w, "commit %s of %s%s\n", rev, setting["vcs.time"], changed)
	}
	cgo := "without cgo"
	if setting["CGO_ENABLED"] == "1" {
		cgo = "with cgo"
	}
	if _, err := fmt.Fprintf(w, "built by %s for %s/%s %s\n", info.GoVersion, runtime.GOOS, runtime.GOARCH, cgo); err != nil {
		return err
	}
	if !verbose {
		return nil
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		if _, err := fmt.Fprintf(w, "  %s %s\n", m.Path, m.Version); err != nil {
			return err
		}
	}
	return nil
}
