package entry_test

import (
	"strings"
	"testing"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/callsite"
	"github.com/ftlint/ftlint/elfscan"
	"github.com/ftlint/ftlint/entry"
	"github.com/ftlint/ftlint/internal/images"
)

// probeFuncs are the functions by which a probed function returns, as kernels
// name them.
var probeFuncs = []string{
	"arch_prepare_kretprobe", "trampoline_probe_handler", "kretprobe_brk_handler", "arch_kretprobe_fixup_return",
	"__kretprobe_trampoline", "kretprobe_trampoline",
}

var probeSamples = []string{"kretprobe-good.elf", "kretprobe-hashed-good.elf", "kretprobe-break-good.elf"}

func returns(t *testing.T, im *elfscan.Image) []entry.Run {
	t.Helper()
	table, err := callsite.Of(im)
	if err != nil {
		t.Fatal(err)
	}
	return entry.Returns(table, false)
}

// eachProbed runs the test on images in which functions can be probed.
func eachProbed(t *testing.T, test func(t *testing.T, im *elfscan.Image)) {
	for _, suite := range images.Kernels {
		t.Run(suite, func(t *testing.T) { test(t, images.Kernel(t, suite)) })
	}
	for _, name := range probeSamples {
		t.Run(name, func(t *testing.T) { test(t, images.Sample(t, name)) })
	}
}

// In a good image each function by which a probed function returns is executed,
// and is as it should be.
func TestReturns(t *testing.T) {
	eachProbed(t, func(t *testing.T, im *elfscan.Image) {
		done := map[string]bool{}
		for _, r := range returns(t, im) {
			done[r.Name] = true
			if r.Err != nil || len(r.Diffs) > 0 {
				t.Errorf("%s: %v %v", r.Name, r.Err, r.Diffs)
			}
		}
		for _, name := range probeFuncs {
			if _, ok := im.Addr(name); ok != done[name] {
				t.Errorf("%s: in the image %v, executed %v", name, ok, done[name])
			}
		}
	})
}

// An image without kretprobes has nothing to execute.
func TestNoReturns(t *testing.T) {
	if r := returns(t, images.Sample(t, "regs-good.elf")); r != nil {
		t.Errorf("%v", r)
	}
}

// changes are the words that the word w is changed to: NOP; of a load or store one
// of the next offset, of a branch one to the next instruction or on the opposite
// condition.
func changes(w uint32) []uint32 {
	out := []uint32{a64.NOP}
	switch a64.Classify(w) {
	case a64.Call:
		return append(out, w+1)
	case a64.BCond:
		return append(out, w^1)
	}
	switch {
	case w&0x3e00_0000 == 0x2800_0000 || w&0x3e00_0000 == 0x2900_0000: // a pair: LDP, STP
		out = append(out, w^1<<15)
	case w&0x3f00_0000 == 0x3900_0000: // LDR, STR with an unsigned offset
		out = append(out, w^1<<10)
	}
	return out
}

// Each instruction of these functions is needed as it is: what happens without it,
// or if it is a little different, is noticed.
func TestReturnsChanged(t *testing.T) {
	// These make no difference to what is executed.
	spared := func(name, text string) bool {
		switch {
		case strings.HasPrefix(text, "hint") || text == "nop" || text == "paciasp" || text == "autiasp":
			return true // the emulator has no keys
		case strings.HasSuffix(name, "kretprobe_trampoline"):
			return text == "and x0, x0, #0xf0000000" || // MSR NZCV looks at no other bits
				text == "brk #0x800" // is not reached
		case name == "kretprobe_brk_handler":
			return text == "mov w0, #0x1" // X0 is not 0 before it, either
		}
		return false
	}
	eachProbed(t, func(t *testing.T, im *elfscan.Image) {
		tried := 0
		for _, name := range probeFuncs {
			s, ok := im.Lookup(name)
			if !ok {
				continue
			}
			done := false // behind the last instruction: padding
			for a := s.Addr; a < s.End() && !done; a += a64.Size {
				w, _ := im.Word(a)
				text := a64.Text(w, a, im.Name)
				done = w == 0 || strings.HasSuffix(name, "trampoline") && a64.Classify(w) == a64.Ret
				if w == 0 || spared(name, text) {
					continue
				}
				for _, other := range changes(w) {
					if err := im.SetWord(a, other); err != nil {
						t.Fatal(err)
					}
					tried++
					noticed := false
					for _, r := range returns(t, im) {
						noticed = noticed || len(r.Diffs) > 0
					}
					if !noticed {
						t.Errorf("%s with `%s` in place of `%s` at +%#x is good", name, a64.Text(other, a, im.Name), text, a-s.Addr)
					}
				}
				if err := im.SetWord(a, w); err != nil {
					t.Fatal(err)
				}
			}
		}
		if tried < 40 {
			t.Errorf("%d instructions were tried", tried)
		}
	})
}
