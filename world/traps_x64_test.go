package world

import (
	"errors"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/internal/images"
)

// UD2 goes on where the bug table lists it as a warning alone. What stops is said by the
// name of the instruction.
func TestTrapsX64(t *testing.T) {
	im := images.Kernel(t, "trixie-amd64")
	w := New(im)
	start, b := w.between("__start___bug_table", "__stop___bug_table")
	const entry, flags = 12, 10
	found := map[bool]uint64{} // a trap of WARN(), and one of BUG()
	for off := 0; off+entry <= len(b); off += entry {
		at := start + uint64(off) + uint64(int64(int32(le.Uint32(b[off:]))))
		found[le.Uint16(b[off+flags:])&1 != 0] = at
	}
	fn, ok := im.Addr("ftrace_caller")
	if !ok || found[true] == 0 || found[false] == 0 {
		t.Fatal("no function, or no traps")
	}
	for _, c := range []struct {
		what string
		at   uint64
		code string
		want string // "": it goes on
	}{
		{"WARN()", found[true], "", ""},
		{"BUG()", found[false], "", "comes to BUG(): ud2 at "},
		{"UD2 beside the table", fn, "\x0f\x0b", "comes to a trap: ud2 at "},
		{"INT3", fn, "\xcc", "comes to a trap: int3 at "},
	} {
		w.Reset()
		if err := w.Mem.Write(c.at, []byte(c.code)); err != nil {
			t.Fatal(err)
		}
		w.Mem.PC = c.at
		err := w.X.Run(c.at + 2)
		var stop *emu.Stop
		switch {
		case c.want == "" && err != nil, c.want != "" && !errors.As(err, &stop):
			t.Errorf("%s: %v, want %q", c.what, err, c.want)
		case c.want != "" && !strings.HasPrefix(w.Misdeed(err), c.want):
			t.Errorf("%s proves %q, want %q", c.what, w.Misdeed(err), c.want)
		}
	}
	e := Event{Kind: Trap, PC: found[true]}
	if got := e.InWords(im); got != "ud2" {
		t.Errorf("the event of WARN() is %q", got)
	}
}

// A trap that clang lists as the check of a call's type is known as one.
func TestTrapsOfCFI(t *testing.T) {
	s := sample(t, map[string]string{"__module_text_address": "__start___kcfi_traps", "vfs_write": "__stop___kcfi_traps"})
	fn := s.Value(t, fnName)
	const size = 8
	s, table := withData(t, s, func(addr uint64) []byte {
		b := le.AppendUint32(nil, uint32(fn+8-addr))
		return le.AppendUint32(b, uint32(fn+24-addr-4))
	})
	s.SetValue(t, "__start___kcfi_traps", table)
	s.SetValue(t, "__stop___kcfi_traps", table+size)
	w := New(open(t, s))
	for off, want := range map[uint64]bool{0: false, 8: true, 16: false, 24: true, 32: false} {
		if got := w.ofCFI(fn + off); got != want {
			t.Errorf("the trap at +%d is listed: %v, want %v", off, got, want)
		}
	}
}
