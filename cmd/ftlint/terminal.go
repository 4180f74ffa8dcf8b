package main

import (
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/term"

	"github.com/ftlint/ftlint/report"
)

// terminalOf describes what w is: whether to colour, and how wide it is. color is
// the value of --color. auto colours a terminal, unless NO_COLOR is set
// (no-color.org), CLICOLOR is 0 or the terminal is dumb; CLICOLOR_FORCE colours
// anything (bixense.com/clicolors).
func terminalOf(color string, w io.Writer) (report.Terminal, error) {
	t := report.Terminal{Writer: w}
	fd, isTerm := terminalFd(w)
	if isTerm {
		t.Width = 80
		if width, _, err := term.GetSize(fd); err == nil && width > 0 {
			t.Width = width
		}
		if width, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && width > 0 {
			t.Width = width
		}
	}
	force := os.Getenv("CLICOLOR_FORCE")
	switch color {
	case "always":
		t.Color = true
	case "never":
	case "auto":
		switch {
		case os.Getenv("NO_COLOR") != "":
		case force != "" && force != "0":
			t.Color = true
		default:
			t.Color = isTerm && os.Getenv("CLICOLOR") != "0" && os.Getenv("TERM") != "dumb"
		}
	default:
		return t, fmt.Errorf("--color %q: want auto, always or never", color)
	}
	return t, nil
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	_, ok := terminalFd(w)
	return ok
}

// terminalFd returns the file descriptor of w, and whether w is a terminal.
func terminalFd(w io.Writer) (fd int, ok bool) {
	if u, ok := w.(untilClosed); ok {
		w = u.Writer
	}
	file, ok := w.(*os.File)
	if !ok {
		return 0, false
	}
	return int(file.Fd()), term.IsTerminal(int(file.Fd()))
}
