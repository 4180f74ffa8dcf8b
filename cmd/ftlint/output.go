package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
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

// parseOutputs parses the values of -o.
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

// keep returns an error if a file to be written is one of the inputs, or if two
// files to be written are the same.
func (f *lintFlags) keep(outputs []output, inputs []string) error {
	inputs = append([]string{f.patch.image, f.debugFile}, inputs...)
	check := func(flag, path string) error {
		out, err := os.Stat(path)
		if err != nil || !out.Mode().IsRegular() {
			return nil
		}
		for _, in := range inputs {
			if info, err := os.Stat(in); err == nil && os.SameFile(info, out) {
				return fmt.Errorf("%s: that is an input", flag)
			}
		}
		return nil
	}
	for _, o := range outputs {
		flag := fmt.Sprintf("-o %s=%s", o.format.Name, o.path)
		if filepath.Clean(o.path) == filepath.Clean(f.setup.writeBaseline) {
			return fmt.Errorf("%s: --write-baseline writes to it, too", flag)
		}
		if err := check(flag, o.path); err != nil {
			return err
		}
	}
	return check("--write-baseline "+f.setup.writeBaseline, f.setup.writeBaseline)
}

// write writes the report as a whole or not at all: an interrupt leaves the old
// file.
func (o output) write(ctx context.Context, run *report.Run) error {
	err := writeWhole(o.path, func(w io.Writer) error {
		return cmp.Or(o.format.Write(untilInterrupt{w, ctx}, run), interrupted(ctx)) // a report may write nothing
	})
	if pe := (*os.PathError)(nil); errors.As(err, &pe) {
		err = pe.Err // its path may be that of the temporary file
	}
	if err != nil {
		return fmt.Errorf("-o %s=%s: %w", o.format.Name, o.path, err)
	}
	return nil
}

// writeWhole lets write fill a temporary file beside path, and renames it to path.
// If path is not a regular file (a pipe, a terminal), or is standard output or
// error (/dev/stdout), write fills it directly.
func writeWhole(path string, write func(io.Writer) error) error {
	old, err := os.Stat(path)
	switch {
	case err == nil && !old.Mode().IsRegular():
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return cmp.Or(fill(untilClosed{f}, write), f.Close())
	case err == nil:
		for _, std := range []*os.File{os.Stdout, os.Stderr} {
			if info, err := std.Stat(); err == nil && os.SameFile(info, old) {
				return fill(std, write)
			}
		}
		if target, err := filepath.EvalSymlinks(path); err == nil {
			path = target
		}
	default:
		old = nil
	}
	f, err := createIn(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails after the rename
	if old != nil {
		err = f.Chmod(old.Mode().Perm())
	}
	if err == nil {
		err = fill(f, write)
	}
	if err = cmp.Or(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// createIn makes a temporary file in dir with the permissions that the umask
// allows. os.CreateTemp would let only the user read it.
func createIn(dir string) (*os.File, error) {
	for {
		f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf(".ftlint-%x.tmp", rand.Uint64())), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

// fill lets write fill w through a buffer.
func fill(w io.Writer, write func(io.Writer) error) error {
	b := bufio.NewWriterSize(w, 64<<10)
	if err := write(b); err != nil {
		return err
	}
	return b.Flush()
}

// formatNames returns the names of the formats, with commas.
func formatNames() string {
	var names []string
	for _, f := range report.Formats {
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}
