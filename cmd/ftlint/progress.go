package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/ftlint/ftlint/internal/plural"
)

// progress is a bar on a terminal that shows how many modules are done. It is
// silent if the output is not a terminal.
type progress struct {
	w     io.Writer // nil: silent
	total int
	last  time.Time
	shown bool
}

func newProgress(w io.Writer, total int) *progress {
	if !isTerminal(w) || os.Getenv("TERM") == "dumb" {
		w = nil
	}
	return &progress{w: w, total: total}
}

// set shows the number of modules that are done, at most ten times a second.
func (p *progress) set(done int) {
	if p.w == nil || time.Since(p.last) < time.Second/10 {
		return
	}
	p.last, p.shown = time.Now(), true
	const width = 30
	full := done * width / max(p.total, 1)
	fmt.Fprintf(p.w, "\r[%s%s] %s of %s", strings.Repeat("=", full), strings.Repeat(" ", width-full), plural.Number(done), plural.Of(p.total, "module"))
}

// clear removes the bar, before something else is written.
func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}
