package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/report"
)

// A report that is interrupted leaves what was there, and nothing beside it:
// before its first byte, in its midst, and if it has none at all.
func TestInterruptedReport(t *testing.T) {
	const old = "what was there\n"
	for name, write := range map[string]func(w io.Writer, interrupt func()) error{
		"before": func(w io.Writer, interrupt func()) error {
			interrupt()
			_, err := io.WriteString(w, "new")
			return err
		},
		"amid": func(w io.Writer, interrupt func()) error {
			if _, err := io.WriteString(w, strings.Repeat("new\n", 1<<16)); err != nil {
				return err
			}
			interrupt()
			_, err := io.WriteString(w, "new")
			return err
		},
		"behind": func(w io.Writer, interrupt func()) error {
			_, err := io.WriteString(w, "new")
			interrupt()
			return err
		},
		"empty": func(_ io.Writer, interrupt func()) error {
			interrupt()
			return nil
		},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "report")
		if err := os.WriteFile(path, []byte(old), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(context.Background())
		o := output{report.Format{Name: "made-up", Write: func(w io.Writer, _ *report.Run) error {
			return write(w, func() { cancel(errInterrupted) })
		}}, path}
		if err := o.write(ctx, &report.Run{}); !errors.Is(err, errInterrupted) {
			t.Errorf("%s: %v", name, err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != old {
			t.Errorf("%s: the file has now %.20q, %v", name, got, err)
		}
		if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
			t.Errorf("%s: left in the folder: %v, %v", name, list, err)
		}
	}
}

// A panic anywhere else is one line, and exit status 2.
func TestPanic(t *testing.T) {
	formats := report.Formats
	defer func() { report.Formats = formats }()
	report.Formats = append(slices.Clone(formats), report.Format{Name: "panics", Write: func(io.Writer, *report.Run) error { panic("off by\none") }})
	var stdout, stderr bytes.Buffer
	status := run([]string{"-q", "-f", "panics", "../../testdata/vmlinux-samples/regs-good.elf"}, &stdout, &stderr)
	if want := "ftlint: internal error: off by\\none\n"; status != 2 || stderr.String() != want {
		t.Errorf("status %d, %q, want %q", status, &stderr, want)
	}
}
