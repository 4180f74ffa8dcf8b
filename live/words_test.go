package live

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/images"
)

// flat is the Image of a vmlinux: its bytes from _text on.
func flat(t *testing.T, im *elfscan.Image) []byte {
	t.Helper()
	f, err := elf.Open(im.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, ok := im.Addr("_text")
	if !ok {
		t.Fatalf("%s has no _text", im.Path)
	}
	var out []byte
	for _, s := range f.Sections {
		if s.Flags&elf.SHF_ALLOC == 0 || s.Type == elf.SHT_NOBITS || s.Addr < text {
			continue
		}
		b, err := s.Data()
		if err != nil {
			t.Fatal(err)
		}
		at := int(s.Addr - text)
		out = append(out, make([]byte, max(0, at+len(b)-len(out)))...)
		copy(out[at:], b)
	}
	return out
}

// predict is what ftlint predicts of the callsites of a booted kernel, as a file for
// the workload: what the image's own functions leave, executed on each. Callsites
// in memory that the kernel frees when it has booted are left out: they are init's.
func predict(t *testing.T, im *elfscan.Image) (data []byte, n, freed int) {
	t.Helper()
	addr := func(name string) uint64 {
		a, _ := im.Addr(name)
		return a
	}
	table, err := callsite.Of(im)
	if err != nil {
		t.Fatal(err)
	}
	exec, err := callsite.NewExecutor(table)
	if err != nil {
		t.Fatal(err)
	}
	// The ops of the tracer that is chosen by current_tracer.
	ops := addr("global_ops")
	put := func(v ...uint64) {
		for _, v := range v {
			data = binary.LittleEndian.AppendUint64(data, v)
		}
	}
	put(addr("_stext")) // kallsyms has text alone, in some kernels: no _text
	for _, entry := range table.Addrs {
		if entry >= addr("__init_begin") && entry < addr("__init_end") {
			freed++
			continue
		}
		run := exec.Run(entry)
		if run.Err != nil || run.Failed() != nil {
			t.Fatalf("callsite %#x: %v %+v", entry, run.Err, run.Failed())
		}
		var off, on callsite.State
		for i := range run.Steps {
			switch s := &run.Steps[i]; {
			case s.Func == "ftrace_init_nop" && s.Case == "":
				off = s.Got
			case s.Func == "ftrace_make_call" && s.Case == "":
				on = s.Got
			}
		}
		literal := uint64(0)
		if table.Shape.Literal != 0 {
			literal = entry
		}
		pair := func(s callsite.State) uint64 { return uint64(s.First) | uint64(s.Second)<<32 }
		put(run.Site.Call, pair(off), pair(on), literal, off.Literal, ops)
		n++
	}
	return data, n, freed
}

// TestCallsites boots Debian's kernels, and those of scripts/build-kernels, and
// compares every callsite with what ftlint predicts, before, during and after
// tracing, with and without KASLR.
func TestCallsites(t *testing.T) {
	number(t)
	names := append([]string{"trixie", "bookworm", "bullseye", "sid"}, kernels...)
	if s := os.Getenv("FTLINT_LIVE_KERNELS"); s != "" {
		names = strings.Fields(s)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			var im *elfscan.Image
			if strings.Contains(name, "-") {
				_, im = open(t, name)
			} else {
				needQemu(t)
				im = images.Kernel(t, name)
			}
			data, n, freed := predict(t, im)
			image := filepath.Join(t.TempDir(), "Image")
			if err := os.WriteFile(image, flat(t, im), 0o666); err != nil {
				t.Fatal(err)
			}
			m := machine{initrd: initrd(t, "", file{"callsites", isFile, data}), bad: misbehaves, slow: slow[name]}
			for _, args := range []string{"nokaslr", ""} {
				m.args = args
				v, err := m.boot(t, image)
				if err != nil {
					t.Fatal(err)
				}
				for _, line := range v.console {
					if _, said, ok := strings.Cut(line, "LIVE callsites "); ok {
						t.Logf("%s %q: %s", name, args, said)
					}
				}
				if len(v.bad) > 0 {
					t.Errorf("%s %q: %s\n%s", name, args, strings.Join(v.bad, "\n"), strings.Join(v.console[max(0, len(v.console)-40):], "\n"))
				}
			}
			t.Logf("%s: %d callsites compared; %d are init's, and freed", name, n, freed)
		})
	}
}
