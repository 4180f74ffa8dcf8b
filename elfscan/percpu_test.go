package elfscan_test

import (
	"strings"
	"testing"

	"github.com/ftlint/ftlint/internal/images"
)

// A small number is not called by the name of a processor's variable that stands at that
// address in the image. An instruction that refers to the variable is.
func TestPerCPU(t *testing.T) {
	im := images.Kernel(t, "trixie-amd64")
	tss, ok := im.Addr("cpu_tss_rw")
	if !ok {
		t.Fatal("no cpu_tss_rw")
	}
	for addr, want := range map[uint64]string{0: "fixed_percpu_data", 0x10: "fixed_percpu_data+0x10", tss: "cpu_tss_rw"} {
		if got := im.Operand(addr); got != want {
			t.Errorf("an operand at %#x is %q, want %q", addr, got, want)
		}
		if got := im.At(addr); !strings.HasPrefix(got, "0x") {
			t.Errorf("%#x is called %q", addr, got)
		}
	}
	fn, ok := im.Lookup("scheduler_tick")
	if !ok {
		fn, ok = im.Lookup("sched_tick")
	}
	if !ok {
		t.Fatal("no function that reads the processor's variables")
	}
	named := false
	for a := fn.Addr; a < fn.End() && !named; {
		text, size := im.Text(a)
		named = strings.Contains(text, "%gs:") && strings.Contains(text, "(%rip)") && !strings.Contains(text, "%gs:0x")
		a += uint64(size)
	}
	if !named {
		t.Errorf("no instruction of %s names a variable of the processor", fn.Name)
	}
}
