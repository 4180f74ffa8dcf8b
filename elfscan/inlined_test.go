package elfscan

import (
	"path/filepath"
	"testing"

	"github.com/ftlint/ftlint/internal/samples"
)

// Each store of a generator of code stands at the call of the helper that is inlined
// there, if that call is asked for.
func TestInlined(t *testing.T) {
	im, err := Open(filepath.Join(samples.Dir, "builders/bpf-args-swapped.elf"), "")
	if err != nil {
		t.Fatal(err)
	}
	defer im.Close()
	fn, ok := im.Lookup("generate")
	if !ok {
		t.Fatal("no function generate")
	}
	found := map[string]bool{}
	for a := fn.Addr; a < fn.End(); a += 4 {
		calls := im.Inlined(a)
		for i, l := range calls {
			if l.Line == 0 || l.File == "" {
				t.Errorf("%s: call %d is at %+v", im.At(a), i, l)
			}
		}
		own, _ := im.Line(a)
		if len(calls) > 1 && own.File == "bpf-gen.h" { // emit(), called by a step, which generate() calls
			found[im.LineOfCall(a)] = true
		}
	}
	if !found["bpf-args-swapped.c:12"] || found["bpf-gen.h:72"] {
		t.Errorf("emit() is called at %v", found)
	}
	if plain, _ := im.Addr("kvfree"); im.Inlined(plain) != nil {
		t.Errorf("a function without inlined calls has %v", im.Inlined(plain))
	}
}
