package elfscan_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/child"
	"github.com/ftlint/ftlint/internal/samples"
)

var traceEvent = regexp.MustCompile(`^(__traceiter_|__probestub_|__bpf_trace_|perf_trace_|trace_event_raw_event_|trace_raw_output_|trace_event_get_offsets_)`)

// GNU addr2line is the judge of lines on real kernels: where it knows the
// line of an instruction it is ours in 99 of 100 cases, and where it knows none
// we know none. Functions that a trace event's macro makes it puts in the unit's
// own file, under the header's line: of those the line alone is compared. With
// -short one kernel is compared: addr2line takes seconds for each.
func TestLinesAgreeWithAddr2line(t *testing.T) {
	const tool = "aarch64-linux-gnu-addr2line"
	if _, err := exec.LookPath(tool); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("no %s (Debian: binutils-aarch64-linux-gnu)", tool)
	}
	all := samples.Kernels(t)
	if testing.Short() {
		one := slices.Max(slices.Collect(maps.Keys(all)))
		maps.DeleteFunc(all, func(suite, _ string) bool { return suite != one })
	}
	for suite, vmlinux := range all {
		t.Run(suite, func(t *testing.T) {
			t.Parallel()
			im, err := elfscan.Open(vmlinux, "")
			if err != nil {
				t.Fatal(err)
			}
			defer im.Close()
			callsite.Attach(im)
			table, err := callsite.Of(im)
			if err != nil {
				t.Fatal(err)
			}
			random := rand.New(rand.NewPCG(2020, 7))
			var in bytes.Buffer
			addrs := make([]uint64, 300)
			for i := range addrs {
				// Behind the callsite (see TestLineOfCallsite), and no padding.
				for {
					entry := table.Addrs[random.IntN(len(table.Addrs))]
					addrs[i] = table.Site(entry).Call + 4 + 4*uint64(random.IntN(4))
					if f, ok := im.SymbolAt(addrs[i]); ok && addrs[i]-f.Addr < f.Size {
						break
					}
				}
				fmt.Fprintf(&in, "%#x\n", addrs[i])
			}
			cmd := child.Command(t, tool, "-e", vmlinux)
			cmd.Stdin = &in
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			theirs := strings.Split(strings.TrimSpace(string(out)), "\n")
			if len(theirs) != len(addrs) {
				t.Fatalf("%s gives %d lines for %d addresses", tool, len(theirs), len(addrs))
			}
			known, agree := 0, 0
			var differ []string
			for i, a := range addrs {
				their, _, _ := strings.Cut(theirs[i], " (discriminator")
				l, ok := im.Line(a)
				switch ours := fmt.Sprintf("%s:%d", path.Base(l.File), l.Line); {
				case strings.HasPrefix(their, "??"):
					if ok {
						t.Errorf("%s: we say %s:%d, %s knows none", im.At(a), l.File, l.Line, tool)
					}
				case strings.HasSuffix(their, ":?"):
				case ok && (ours == path.Base(their) || traceEvent.MatchString(im.Name(a)) && strings.HasSuffix(their, fmt.Sprintf(":%d", l.Line))):
					known++
					agree++
				default:
					known++
					differ = append(differ, fmt.Sprintf("%s: we say %s:%d, %s %s", im.At(a), l.File, l.Line, tool, their))
				}
			}
			if err := im.LineProblem(); err != nil {
				t.Error(err)
			}
			if known < len(addrs)/2 || agree*100 < known*99 {
				t.Errorf("%d of %d agree:\n%s", agree, known, strings.Join(differ, "\n"))
			}
			t.Logf("%d of %d agree", agree, known)
		})
	}
}

// A callsite has the line that its function begins on: one line for all of
// it, in the file of the code behind it and at most a few lines before that,
// and not the line of the function before.
func TestLineOfCallsite(t *testing.T) {
	for suite, vmlinux := range samples.Kernels(t) {
		im, err := elfscan.Open(vmlinux, "")
		if err != nil {
			t.Fatal(err)
		}
		callsite.Attach(im)
		table, err := callsite.Of(im)
		if err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewPCG(6, 1))
		n, agree := 100, 0
		var differ []string
		for range n {
			entry := table.Addrs[random.IntN(len(table.Addrs))]
			site := table.Site(entry)
			body, ok := im.FindLine(site.Call+4, true)
			if !ok { // assembly, built without DWARF
				n--
				continue
			}
			before, _ := im.FindLine(entry-4, false)
			at, _ := im.Line(entry)
			call, _ := im.Line(site.Call)
			if at == call && at != before && at.File == body.File && body.Line-10 <= at.Line && at.Line <= body.Line {
				agree++
			} else {
				differ = append(differ, fmt.Sprintf("%s: its entry has the line %v, its call %v, the code behind it %v, before it %v", im.At(entry), at, call, body, before))
			}
		}
		im.Close()
		if n < 95 || agree*100 < n*97 {
			t.Errorf("%s: %d of %d callsites have the line of their function:\n%s", suite, agree, n, strings.Join(differ, "\n"))
		}
	}
}
