package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/ftlint/ftlint/report"
)

// An output is a report to a file: -o FORMAT=FILE.
type output struct {
	format report.Format
	path   string
}

// parseOutputs takes apart the values of -o.
func parseOutputs(specs []string) ([]output, error) {
	var out []output
	seen := map[string]bool{}
	for _, spec := range specs {
		name, path, ok := strings.Cut(spec, "=")
		if !ok || path == "" {
			return nil, fmt.Errorf("-o %s: want FORMAT=FILE", spec)
		}
		format, err := report.LookupFormat(name)
		if err != nil {
			return nil, fmt.Errorf("-o %s: %w", spec, err)
		}
		if seen[filepath.Clean(path)] {
			return nil, fmt.Errorf("-o %s: two reports to one file", spec)
		}
		seen[filepath.Clean(path)] = true
		out = append(out, output{format, path})
	}
	return out, nil
}

// write writes the report, whole or not at all: an interrupt leaves what was
// there.
func (o output) write(ctx context.Context, run *report.Run) error {
	err := writeWhole(o.path, func(w io.Writer) error { return o.format.Write(untilInterrupt{w, ctx}, run) })
	if pe := (*os.PathError)(nil); errors.As(err, &pe) {
		err = pe.Err // its path may be that of the file beside
	}
	if err != nil {
		return fmt.Errorf("-o %s=%s: %w", o.format.Name, o.path, err)
	}
	return nil
}

// writeWhole has write fill a file beside path, which then takes the place of
// what was at path. What is no regular file (/dev/stdout, a pipe) is written to
// as it is.
func writeWhole(path string, write func(io.Writer) error) error {
	old, err := os.Stat(path)
	switch {
	case err == nil && !old.Mode().IsRegular():
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return fill(f, write)
	case err == nil:
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
	default:
		old = nil
	}
	// os.CreateTemp would make a file that its owner alone can read.
	f, err := os.OpenFile(fmt.Sprintf("%s.%d.tmp", path, os.Getpid()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone by then, if all went well
	if old != nil {
		if err := f.Chmod(old.Mode().Perm()); err != nil {
			f.Close()
			return err
		}
	}
	if err := fill(f, write); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// fill has write fill f, and closes it.
func fill(f *os.File, write func(io.Writer) error) error {
	b := bufio.NewWriterSize(f, 64<<10)
	err := write(b)
	if err == nil {
		err = b.Flush()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	return err
}

// formatNames lists the formats.
func formatNames() string {
	var names []string
	for _, f := range report.Formats {
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}
