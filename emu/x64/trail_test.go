package x64

import (
	"slices"
	"testing"

	"github.com/ftlint/ftlint/emu"
)

// A branch to the next instruction is a Jump: the last call of a function is one, to the
// function behind.
func TestTrail(t *testing.T) {
	const at = 0x1000
	m := &Machine{}
	m.Map(at, emu.PageSize, emu.Read|emu.Write|emu.Exec)
	if err := m.Write(at, []byte{0xeb, 0, 0x90, 0xe9, 0, 0, 0, 0, 0x0f, 0x0b}); err != nil { // jmp .+2; nop; jmp .+5; ud2
		t.Fatal(err)
	}
	m.PC = at
	if err := m.Run(at + 8); err != nil {
		t.Fatal(err)
	}
	if got, want := m.Trail(), []emu.Jump{{From: 0, To: at}, {From: at, To: at + 2}, {From: at + 3, To: at + 8}}; !slices.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}
