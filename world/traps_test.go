package world

import (
	"errors"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/emu"
)

// The trap of WARN() goes on, that of BUG() does not. A flag of the trap's entry
// in the bug table tells one from the other, in each form of the table.
func TestTraps(t *testing.T) {
	names := map[string]string{"__module_text_address": "__start___bug_table", "vfs_write": "__stop___bug_table"}
	for _, form := range []struct {
		name        string
		size, flags int
	}{
		{"with file and line", 12, 10},
		{"with format, file and line", 16, 14},
		{"without any", 8, 4},
	} {
		const size = 48 // as many entries of each form as fit
		s := sample(t, names)
		fn := s.Value(t, fnName)
		s, table := withData(t, s, func(addr uint64) []byte {
			b := make([]byte, size)
			for off := 0; off < size; off += form.size {
				i := off / form.size // its trap: word 2*i of the function
				le.PutUint32(b[off:], uint32(fn+uint64(8*i)-addr-uint64(off)))
				for k := off + 4; k < off+form.flags; k++ {
					b[k] = byte(0x41 + i) // file and line
				}
				const warning, taint = 1, 0x900
				flags := uint16(taint)
				if i == 0 {
					flags |= warning
				}
				le.PutUint16(b[off+form.flags:], flags)
			}
			return b
		})
		s.SetValue(t, "__start___bug_table", table)
		s.SetValue(t, "__stop___bug_table", table+size)
		im := open(t, s)
		entries := size / form.size
		for i := range entries + 1 {
			words := make([]uint32, 2*entries+3)
			for k := range words {
				words[k] = brkBug
				if k%2 == 1 {
					words[k] = ret
				}
			}
			w := put(t, im, words...)
			_, err := w.Call(fn + uint64(8*i))
			var stop *emu.Stop
			switch bug := i > 0 && i < entries; { // the last trap has no entry
			case bug != (errors.As(err, &stop) && stop.Reason == emu.Break), !bug && err != nil:
				t.Errorf("table %s: trap %d is of BUG(): %v, and ends with %v", form.name, i, bug, err)
			case bug && !strings.HasPrefix(w.Misdeed(err), "comes to BUG(): brk #0x800 at "):
				t.Errorf("table %s: trap %d proves %q", form.name, i, w.Misdeed(err))
			case len(w.Events) != 1 || w.Events[0].Kind != Trap || w.Events[0].Value != 0x800 || w.Events[0].PC != fn+uint64(8*i):
				t.Errorf("table %s: events of trap %d: %v", form.name, i, w.Events)
			}
		}
	}
}

// Without a bug table a trap counts as WARN(); a trap of something else ends the
// execution.
func TestTrapsWithoutTable(t *testing.T) {
	w, fn := program(t, brkBug, ret, brkOther, ret)
	if _, err := w.Call(fn); err != nil {
		t.Error(err)
	}
	if _, err := w.Call(fn + 2*a64.Size); err == nil {
		t.Error("brk #0x5512 goes on")
	}
	if len(w.Events) != 2 || w.Events[1].Value != 0x5512 {
		t.Errorf("events %v", w.Events)
	}
}
