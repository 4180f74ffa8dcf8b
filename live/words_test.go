package live

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/internal/images"
	"github.com/ftlint/ftlint/x64"
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

// A predicted is what ftlint predicts of the callsites of a booted kernel, as a file for
// the workload. Callsites in memory that the kernel frees when it has booted are left
// out: they are init's.
type predicted struct {
	data               []byte
	n, freed, disabled int
}

func (p *predicted) put(v ...uint64) {
	for _, v := range v {
		p.data = binary.LittleEndian.AppendUint64(p.data, v)
	}
}

// predict executes the image's own functions on each callsite.
func predict(t *testing.T, im *elfscan.Image) *predicted {
	t.Helper()
	table, err := callsite.Of(im)
	if err != nil {
		t.Fatal(err)
	}
	addr := func(name string) uint64 {
		a, _ := im.Addr(name)
		return a
	}
	p, of := &predicted{}, ofWords
	p.put(addr("_stext")) // kallsyms has text alone, in some kernels: no _text
	if im.Arch() == arch.X86 {
		of = ofInsns
		p.put(addr("ftrace_caller"))
	} else {
		p.put(0)
	}
	each := of(t, table, p)
	for _, entry := range table.Addrs {
		if entry >= addr("__init_begin") && entry < addr("__init_end") {
			p.freed++
			continue
		}
		each(entry)
		p.n++
	}
	return p
}

// ofWords predicts callsites of two words, and a literal.
func ofWords(t *testing.T, table *callsite.Table, p *predicted) func(entry uint64) {
	t.Helper()
	exec, err := callsite.NewExecutor(table)
	if err != nil {
		t.Fatal(err)
	}
	// The ops of the tracer that is chosen by current_tracer.
	ops, _ := table.Image.Addr("global_ops")
	return func(entry uint64) {
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
		p.put(run.Site.Call-a64.Size, ^uint64(0), pair(off), pair(on), literal, off.Literal, ops)
	}
}

// weakCheck is the function of kernels that disable at boot what overridden weak functions
// leave behind: see FT407.
const weakCheck = "ftrace_check_work_func"

// executed is of how many callsites the life of an x86-64 one is executed.
const executed = 500

// ofInsns predicts callsites of one instruction: what RunInsn requires of the image's
// functions, which it executes on some.
func ofInsns(t *testing.T, table *callsite.Table, p *predicted) func(entry uint64) {
	caller, _ := table.Image.Addr("ftrace_caller")
	value := func(code [x64.CallSize]byte) uint64 {
		var b [8]byte
		copy(b[:], code[:])
		return binary.LittleEndian.Uint64(b[:])
	}
	_, disables := table.Image.Lookup(weakCheck)
	every := max(1, len(table.Addrs)/executed)
	x, err := callsite.NewInsnExecutor(table)
	if err != nil {
		t.Fatal(err)
	}
	return func(entry uint64) {
		s := table.Site(entry)
		if !s.OK {
			t.Fatalf("no callsite at %#x", entry)
		}
		if p.n%every == 0 {
			if run := x.Run(s); run.Err != nil || run.Failed != nil {
				t.Fatalf("callsite %#x: %v %+v", entry, run.Err, run.Failed)
			}
		}
		on, ok := x64.EncodeCall(s.Call, caller)
		if !ok {
			t.Fatalf("callsite %#x cannot reach ftrace_caller", entry)
		}
		if disables && !s.AtFunc {
			on, p.disabled = x64.Nop5, p.disabled+1
		}
		p.put(s.Call, 1<<(8*x64.CallSize)-1, value(x64.Nop5), value(on), 0, 0, 0)
	}
}

// TestCallsites boots Debian's kernels, and those of scripts/build-kernels, and
// compares every callsite with what ftlint predicts, before, during and after
// tracing, with KASLR, and on arm64 without it, too.
func TestCallsites(t *testing.T) {
	number(t)
	names := append([]string{"trixie", "bookworm", "bullseye", "sid", "trixie-amd64", "bookworm-amd64"}, kernels...)
	if s := os.Getenv("FTLINT_LIVE_KERNELS"); s != "" {
		names = strings.Fields(s)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			var im *elfscan.Image
			if strings.Contains(name, "-") && !strings.HasSuffix(name, "-amd64") {
				_, im = open(t, name)
			} else {
				im = images.Kernel(t, name)
			}
			needQemu(t, im)
			p := predict(t, im)
			m, image := bootable(t, im, file{"callsites", isFile, p.data})
			m.slow = max(m.slow, slow[name])
			for _, args := range m.board.kaslr {
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
				t.Logf("%s %q: qemu took %.0f s of processor time", name, args, v.cpu.Seconds())
				if len(v.bad) > 0 {
					t.Errorf("%s %q: %s\n%s", name, args, strings.Join(v.bad, "\n"), strings.Join(v.console[max(0, len(v.console)-40):], "\n"))
				}
			}
			t.Logf("%s: %d callsites compared, of which the kernel disables %d; %d are init's, and freed", name, p.n, p.disabled, p.freed)
		})
	}
}
