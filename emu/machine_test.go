package emu

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ftlint/ftlint/a64"
)

const (
	textAt  = 0xffff800010000000
	dataAt  = 0xffff800011000000
	stackAt = 0xffff800012000000 // the top
)

// newMachine has code at textAt, a page of data and a page of stack.
func newMachine(t testing.TB, code ...uint32) *Machine {
	t.Helper()
	m := new(Machine)
	m.Map(textAt, PageSize, Read|Exec)
	m.Map(dataAt, PageSize, Read|Write)
	m.Map(stackAt-PageSize, PageSize, Read|Write)
	m.SP = stackAt
	put(t, m, textAt, code...)
	return m
}

func put(t testing.TB, m *Machine, addr uint64, code ...uint32) {
	t.Helper()
	for i, w := range code {
		if err := m.Write32(addr+uint64(i)*4, w); err != nil {
			t.Fatal(err)
		}
	}
}

// wantStop fails the test unless err is a *Stop for that reason at pc.
func wantStop(t *testing.T, err error, reason Reason, pc uint64) *Stop {
	t.Helper()
	var s *Stop
	if !errors.As(err, &s) {
		t.Fatalf("error is %v, want %v", err, reason)
	}
	if s.Reason != reason || s.PC != pc {
		t.Fatalf("stopped with %q (%v), want %v at %#x", s, s.Reason, reason, pc)
	}
	return s
}

// Some words, for code in tests.
const (
	addX0X0X1  = 0x8b010000
	ldrX0X0    = 0xf9400000
	strX1X0    = 0xf9000001
	strW1X0    = 0xb9000001
	blrX0      = 0xd63f0000
	brX0       = 0xd61f0000
	brX16      = 0xd61f0200
	brk800     = 0xd4210000
	movX0x2a   = 0xd2800540
	pushLR     = 0xf81f0ffe // str x30, [sp, #-16]!
	popLR      = 0xf84107fe // ldr x30, [sp], #16
	subSP8     = 0xd10023ff
	ldrX0SP    = 0xf94003e0
	udf        = 0x00000000
	mrsX0SPEL0 = 0xd5384100
)

func bl(t testing.TB, pc, target uint64) uint32 {
	w, err := a64.EncodeBL(pc, target)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestCall(t *testing.T) {
	m := newMachine(t, addX0X0X1, a64.RET)
	m.PC, m.X[30] = 1, 2
	got, err := m.Call(textAt, 40, 2)
	if err != nil || got != 42 {
		t.Fatalf("Call = %d, %v, want 42", got, err)
	}
	if m.PC != 1 || m.X[30] != 2 || m.Steps != 2 {
		t.Errorf("PC %d, LR %d, %d steps, want 1, 2 and 2", m.PC, m.X[30], m.Steps)
	}
}

func TestRunUntil(t *testing.T) {
	m := newMachine(t, addX0X0X1, addX0X0X1, addX0X0X1)
	m.X[1], m.PC = 1, textAt
	if err := m.Run(textAt + 8); err != nil || m.X[0] != 2 || m.PC != textAt+8 {
		t.Errorf("X0 is %d at %#x: %v", m.X[0], m.PC, err)
	}
}

func TestPermissions(t *testing.T) {
	const far = 0xffff900000000000
	tests := []struct {
		name   string
		code   uint32
		x0     uint64
		perm   Perm // of the page at dataAt
		reason Reason
		access Perm
		text   string
	}{
		{"read", ldrX0X0, dataAt, Write, Permission, Read, "read of 0xffff800011000000, which is not permitted there at 0xffff800010000000"},
		{"write", strX1X0, dataAt, Read | Exec, Permission, Write, "write of 0xffff800011000000"},
		{"write across", strX1X0, dataAt - 4, Read | Write, Unmapped, Write, "write of unmapped 0xffff800010fffffc"},
		{"write across the end", strX1X0, dataAt + PageSize - 4, Read | Write, Unmapped, Write, "write of unmapped 0xffff800011001000"},
		{"read across the end", ldrX0X0, dataAt + PageSize - 4, Read | Write, Unmapped, Read, "read of unmapped 0xffff800011001000"},
		{"unmapped read", ldrX0X0, far, Read, Unmapped, Read, "read of unmapped 0xffff900000000000 at 0xffff800010000000"},
		{"unmapped write", strX1X0, far, Read, Unmapped, Write, "write of unmapped"},
		{"no permission", ldrX0X0, dataAt, 0, Permission, Read, "read of"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := newMachine(t, test.code, a64.RET)
			if err := m.Protect(dataAt, PageSize, test.perm); err != nil {
				t.Fatal(err)
			}
			_, err := m.Call(textAt, test.x0)
			s := wantStop(t, err, test.reason, textAt)
			if s.Access != test.access || !strings.Contains(s.Error(), test.text) {
				t.Errorf("%q, access %v, want %q, %v", s, s.Access, test.text, test.access)
			}
			if m.X[0] != test.x0 {
				t.Errorf("X0 changed to %#x", m.X[0])
			}
		})
	}

	t.Run("fetch", func(t *testing.T) {
		m := newMachine(t, brX0)
		_, err := m.Call(textAt, dataAt)
		if s := wantStop(t, err, Permission, dataAt); s.Access != Exec {
			t.Errorf("access %v, want %v", s.Access, Exec)
		}
		_, err = m.Call(textAt, far)
		wantStop(t, err, Unmapped, far)
		_, err = m.Call(textAt, textAt+2)
		wantStop(t, err, Misaligned, textAt+2)
	})

	t.Run("later", func(t *testing.T) { // caches must notice
		m := newMachine(t, strX1X0, ldrX0X0, a64.RET)
		for _, perm := range []Perm{Read | Write, Read, Read | Write, Write, Read | Write} {
			if err := m.Protect(dataAt, PageSize, perm); err != nil {
				t.Fatal(err)
			}
			if _, err := m.Call(textAt, dataAt); (err == nil) != (perm == Read|Write) {
				t.Errorf("%v: %v", perm, err)
			}
		}
		m.Unmap(dataAt, PageSize)
		_, err := m.Call(textAt, dataAt)
		wantStop(t, err, Unmapped, textAt)
		if err := m.Protect(textAt, PageSize, Read|Write); err != nil {
			t.Fatal(err)
		}
		_, err = m.Call(textAt, dataAt)
		wantStop(t, err, Permission, textAt)
	})
}

// A store across a page border that the second page forbids changes nothing.
func TestStoreIsWhole(t *testing.T) {
	m := newMachine(t, strX1X0, a64.RET)
	m.Map(dataAt+PageSize, PageSize, Read)
	_, err := m.Call(textAt, dataAt+PageSize-4, ^uint64(0))
	if s := wantStop(t, err, Permission, textAt); s.Addr != dataAt+PageSize {
		t.Errorf("address %#x", s.Addr)
	}
	if v, _ := m.Read32(dataAt + PageSize - 4); v != 0 {
		t.Errorf("stored %#x", v)
	}
	if err := m.Protect(dataAt+PageSize, PageSize, Read|Write); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Call(textAt, dataAt+PageSize-4, 0x0102030405060708); err != nil {
		t.Fatal(err)
	}
	if v, _ := m.Read64(dataAt + PageSize - 4); v != 0x0102030405060708 {
		t.Errorf("stored %#x", v)
	}
}

func TestSelfModifyingCode(t *testing.T) {
	m := newMachine(t, strW1X0, movX0x2a, a64.RET)
	if err := m.Protect(textAt, PageSize, Read|Write|Exec); err != nil {
		t.Fatal(err)
	}
	if got, err := m.Call(textAt, dataAt, 0); err != nil || got != 42 {
		t.Fatalf("%d, %v", got, err)
	}
	if got, err := m.Call(textAt, textAt+4, a64.NOP); err != nil || got != textAt+4 {
		t.Errorf("after a store: %#x, %v: the old instruction was executed", got, err)
	}
	put(t, m, textAt+4, movX0x2a)
	if got, err := m.Call(textAt, dataAt, 0); err != nil || got != 42 {
		t.Errorf("after Write: %#x, %v", got, err)
	}
	// Part of a word.
	m.Map(textAt+PageSize, PageSize, Read|Exec)
	if err := m.Write(textAt+7, []byte{0x92}); err != nil { // MOVZ becomes MOVN
		t.Fatal(err)
	}
	if got, err := m.Call(textAt, dataAt, 0); err != nil || got != ^uint64(42) {
		t.Errorf("after Write of a byte: %#x, %v", got, err)
	}
	// A byte inside a word, which becomes MOVN X0, #0x6a.
	if err := m.Write(textAt+5, []byte{0x0d}); err != nil {
		t.Fatal(err)
	}
	if v, _ := m.Read32(textAt + 4); v == 0 {
		t.Fatal("nothing there")
	} else if got, err := m.Call(textAt, dataAt, 0); err != nil || got != ^uint64(v>>5&0xffff) {
		t.Errorf("after Write of the second byte: %#x, %v, the word is %08x", got, err, v)
	}
	// Code from before Map is not executed.
	m.Map(textAt, PageSize, Read|Exec)
	put(t, m, textAt, a64.NOP)
	_, err := m.Call(textAt, dataAt, 0)
	wantStop(t, err, Undefined, textAt+4)
}

// A page that is executed has its code looked at anew after each store to it,
// however many stores there were before, and before it was executed at all.
func TestStoresToCode(t *testing.T) {
	m := newMachine(t, strW1X0, a64.RET)
	const code = textAt + 0x100000
	m.Map(code, PageSize, Read|Write|Exec)
	movz := func(imm uint32) uint64 { return uint64(0xd2800000 | imm<<5) } // movz x0, #imm
	store := func(at, w uint64) {
		t.Helper()
		if _, err := m.Call(textAt, at, w); err != nil {
			t.Fatal(err)
		}
	}
	store(code+4, a64.RET)
	for i := range uint32(6) {
		store(code, movz(i))
		if i == 3 {
			store(code, movz(i)) // twice in a row
		}
		if got, err := m.Call(code); err != nil || got != uint64(i) {
			t.Errorf("store %d: %d, %v", i, got, err)
		}
	}
	// A page that may no longer be written, is not.
	if err := m.Protect(code, PageSize, Read|Exec); err != nil {
		t.Fatal(err)
	}
	_, err := m.Call(textAt, code, a64.NOP)
	wantStop(t, err, Permission, textAt)
	m.Map(dataAt, PageSize, Read|Write)
	store(dataAt, 1) // cached as writable
	store(dataAt, 2)
	if err := m.Protect(dataAt, PageSize, Read); err != nil {
		t.Fatal(err)
	}
	_, err = m.Call(textAt, dataAt, 3)
	wantStop(t, err, Permission, textAt)
	if v, _ := m.Read64(dataAt); v != 2 {
		t.Errorf("%d was stored", v)
	}
}

// A store exclusive of another size than the load before it fails.
func TestExclusiveSize(t *testing.T) {
	const ldxrX1, ldxrW1, stxrX1, stxrW1 = 0xc85f7c01, 0x885f7c01, 0xc8027c01, 0x88027c01 // status in w2
	for _, test := range []struct {
		load, store uint32
		fails       uint64
	}{{ldxrX1, stxrX1, 0}, {ldxrW1, stxrW1, 0}, {ldxrX1, stxrW1, 1}, {ldxrW1, stxrX1, 1}} {
		m := newMachine(t, test.load, test.store, a64.RET)
		if _, err := m.Call(textAt, dataAt); err != nil || m.X[2] != test.fails {
			t.Errorf("%08x, %08x: status %d, %v", test.load, test.store, m.X[2], err)
		}
	}
}

func TestHooks(t *testing.T) {
	const fn = textAt + 0x100
	call := []uint32{pushLR, bl(t, textAt+4, fn), addX0X0X1, popLR, a64.RET}

	t.Run("in place of a function", func(t *testing.T) {
		m := newMachine(t, call...)
		var from uint64
		m.Hook(fn, func(m *Machine) error {
			from = m.X[30]
			m.X[0], m.X[1] = m.X[0]*2, 1
			return nil
		})
		got, err := m.Call(textAt, 20)
		if err != nil || got != 41 || from != textAt+8 {
			t.Errorf("%d, %v, called from %#x", got, err, from)
		}
		if m.depth != 0 {
			t.Errorf("depth is %d after all", m.depth)
		}
		m.Hook(fn, nil)
		_, err = m.Call(textAt, 20)
		wantStop(t, err, Undefined, fn)
	})
	t.Run("proceed", func(t *testing.T) {
		m := newMachine(t, call...)
		put(t, m, fn, addX0X0X1, a64.RET)
		n := 0
		m.Hook(fn, func(m *Machine) error { n++; return ErrProceed })
		for range 2 {
			if got, err := m.Call(textAt, 20, 1); err != nil || got != 22 {
				t.Errorf("%d, %v", got, err)
			}
		}
		if n != 2 {
			t.Errorf("called %d times", n)
		}
	})
	t.Run("reached by falling through", func(t *testing.T) {
		m := newMachine(t, movX0x2a, udf)
		m.Hook(textAt+4, func(m *Machine) error { m.X[0]++; return nil })
		if got, err := m.Call(textAt); err != nil || got != 43 {
			t.Errorf("%d, %v", got, err)
		}
	})
	t.Run("where no memory is", func(t *testing.T) {
		m := newMachine(t, brX0)
		m.Hook(0x1000, func(m *Machine) error { m.X[0] = 7; return nil })
		if got, err := m.Call(textAt, 0x1000); err != nil || got != 7 {
			t.Errorf("%d, %v", got, err)
		}
		m.Hook(0x1000, func(m *Machine) error { return ErrProceed })
		_, err := m.Call(textAt, 0x1000)
		wantStop(t, err, Unmapped, 0x1000)
	})
	t.Run("set PC", func(t *testing.T) {
		m := newMachine(t, udf, movX0x2a, a64.RET)
		m.Hook(textAt, func(m *Machine) error { m.PC += 4; return nil })
		if got, err := m.Call(textAt); err != nil || got != 42 {
			t.Errorf("%d, %v", got, err)
		}
	})
	t.Run("error", func(t *testing.T) {
		m := newMachine(t)
		m.Hook(textAt, func(m *Machine) error { return errors.New("no memory left") })
		_, err := m.Call(textAt)
		s := wantStop(t, err, HookFailed, textAt)
		if s.Error() != "hook at 0xffff800010000000: no memory left" {
			t.Error(s)
		}
	})
	t.Run("call", func(t *testing.T) { // a hook that calls
		m := newMachine(t, call...)
		put(t, m, fn+0x100, addX0X0X1, a64.RET)
		m.Hook(fn, func(m *Machine) error {
			_, err := m.Call(fn+0x100, 1, 2)
			return err
		})
		if got, err := m.Call(textAt, 5, 6); err != nil || got != 5 {
			t.Errorf("%d, %v", got, err)
		}
		put(t, m, fn+0x100, udf)
		_, err := m.Call(textAt, 5, 6)
		wantStop(t, err, Undefined, fn+0x100)
	})
	t.Run("added after the code ran", func(t *testing.T) {
		m := newMachine(t, movX0x2a, a64.RET)
		if _, err := m.Call(textAt); err != nil {
			t.Fatal(err)
		}
		m.Hook(textAt, func(m *Machine) error { m.X[0] = 1; return nil })
		if got, err := m.Call(textAt); err != nil || got != 1 {
			t.Errorf("%d, %v", got, err)
		}
		put(t, m, textAt, a64.NOP) // a store does not take it away
		if got, err := m.Call(textAt); err != nil || got != 1 {
			t.Errorf("%d, %v", got, err)
		}
	})
}

func TestLimits(t *testing.T) {
	m := newMachine(t, 0x14000000) // b .
	m.MaxSteps = 100
	_, err := m.Call(textAt)
	wantStop(t, err, StepLimit, textAt)
	if m.Steps != 100 {
		t.Errorf("%d steps", m.Steps)
	}
	if _, err = m.Call(textAt); m.Steps != 200 {
		t.Errorf("the second call: %d steps, %v", m.Steps, err)
	}

	m = newMachine(t, bl(t, textAt, textAt))
	m.MaxDepth = 10
	_, err = m.Call(textAt)
	wantStop(t, err, DepthLimit, textAt)
	if m.Steps != 10 {
		t.Errorf("%d steps to depth 10", m.Steps)
	}
	// Hooks that call each other without end.
	m = newMachine(t)
	m.Hook(textAt, func(m *Machine) error { _, err := m.Call(textAt); return err })
	_, err = m.Call(textAt)
	wantStop(t, err, DepthLimit, textAt)

	m = newMachine(t, ldrX0X0, a64.RET)
	m.Load = func(uint64, []byte) (Perm, bool) { return Read, true }
	m.MaxPages = 1 + codePages + 5 // the code, decoded, and five of data
	for range 2 {                  // Reset counts anew, although it keeps pages
		for i := range uint64(5) {
			if _, err := m.Call(textAt, i*PageSize); err != nil {
				t.Fatal(err)
			}
		}
		_, err = m.Call(textAt, 5*PageSize)
		wantStop(t, err, PageLimit, textAt)
		m.Reset()
		m.Map(textAt, PageSize, Read|Exec)
		put(t, m, textAt, ldrX0X0, a64.RET)
	}
}

// Mapped pages count when they are touched, and decoded code counts, too. No code
// makes a machine take more memory than its limit says.
func TestMemoryLimit(t *testing.T) {
	const most = 64
	for _, test := range []struct {
		name string
		code []uint32
	}{
		{"stores", []uint32{strX1X0, 0x91400400, 0x17fffffe}},         // str x1, [x0]; add x0, x0, #1, lsl #12; b .-8
		{"loads", []uint32{ldrX0X0 | 2, 0x91400400, 0x17fffffe}},      // ldr x2, [x0]; ...
		{"branches", []uint32{brX0}},                                  // to a page of: add x0, x0, #1, lsl #12; br x0
		{"maintenance", []uint32{0xd50b7420, 0x91400400, 0x17fffffe}}, // dc zva, x0; ...
	} {
		m := new(Machine)
		for range 3 {
			m.Reset()
			m.MaxPages = most
			m.Map(textAt, PageSize, Read|Exec)
			put(t, m, textAt, test.code...)
			for i := range uint64(32) {
				m.Map(dataAt+i<<26, 64<<20, Read|Write|Exec)
				if err := m.Watch(dataAt+i<<26, 64<<20); err != nil {
					t.Fatal(err)
				}
			}
			if n := len(m.pages); n > most/2+1 {
				t.Errorf("%s: %d pages before anything is executed", test.name, n)
			}
			if test.name == "branches" {
				for i := range uint64(most / 2) {
					put(t, m, dataAt+i*PageSize, 0x91400400, brX0)
				}
			}
			_, err := m.Call(textAt, dataAt)
			var s *Stop
			if !errors.As(err, &s) || s.Reason != PageLimit {
				t.Errorf("%s: %v, want %v", test.name, err, PageLimit)
			}
			pages, code := len(m.pages)+len(m.free), m.decoded+len(m.freeCode)
			if pages+codePages*code > most+most/2 {
				t.Errorf("%s: %d pages and the code of %d, with a limit of %d", test.name, pages, code, most)
			}
		}
	}
}

// A page that was mapped and never touched is zero, has the permission that was
// asked for last, and is watched if it was to be.
func TestMapUntouched(t *testing.T) {
	m := newMachine(t, strX1X0, a64.RET)
	var writes int
	m.OnWrite = func(uint64, uint64, int, uint64) { writes++ }
	const far = dataAt + 1<<30
	m.Map(far, 8*PageSize, Read|Write)
	if err := m.Watch(far+PageSize, 2*PageSize); err != nil {
		t.Fatal(err)
	}
	m.Map(far+2*PageSize, PageSize, Read)
	m.Unmap(far+4*PageSize, PageSize)
	if err := m.Watch(far+4*PageSize, 1); err == nil {
		t.Error("what is not mapped is watched")
	}
	for i, want := range []string{"rw-", "rw- watched", "r--", "rw-", "unmapped", "rw-"} {
		at, before := far+uint64(i)*PageSize, writes
		v, err := m.Read64(at)
		perm, ok := m.PermAt(at)
		got := perm.String()
		if !ok {
			got = "unmapped"
		}
		if _, err := m.Call(textAt, at, 1); (err == nil) != (perm&Write != 0) {
			t.Errorf("page %d: a store: %v", i, err)
		}
		if writes != before {
			got += " watched"
		}
		if v != 0 || ok != (err == nil) || got != want {
			t.Errorf("page %d is %s and holds %#x (%v), want %s and 0", i, got, v, err, want)
		}
	}
	// Touched pages, mapped again, are as new.
	m.Map(far, 8*PageSize, Read)
	for i := range uint64(8) {
		v, err := m.Read64(far + i*PageSize)
		if perm, _ := m.PermAt(far + i*PageSize); v != 0 || err != nil || perm != Read {
			t.Errorf("page %d, mapped again: %#x, %v, %v", i, v, perm, err)
		}
	}
	m.Unmap(far, 1<<40)
	if _, ok := m.PermAt(far); ok {
		t.Error("an unmapped page is there")
	}
	m.Reset()
	if _, ok := m.PermAt(far); ok {
		t.Error("a mapped page is there after Reset")
	}
}

func TestUnknownInstruction(t *testing.T) {
	m := newMachine(t, a64.NOP, 0x1e622820) // fadd d0, d1, d2
	_, err := m.Call(textAt)
	s := wantStop(t, err, UnknownInstruction, textAt+4)
	if want := "unknown instruction 0x1e622820 at 0xffff800010000004"; s.Error() != want {
		t.Errorf("%q, want %q", s, want)
	}
	m = newMachine(t, 0xd5389b00) // mrs x0, pmcr_el0's neighbour
	_, err = m.Call(textAt)
	s = wantStop(t, err, UnknownSysReg, textAt)
	if want := "unknown system register S3_0_C9_C11_0 in 0xd5389b00 at 0xffff800010000000"; s.Error() != want {
		t.Errorf("%q, want %q", s, want)
	}
}

// What no processor executes is told from what the machine does not know.
func TestUndefined(t *testing.T) {
	for _, c := range []struct {
		word uint32
		want Reason
	}{
		{0x00000000, Undefined},          // udf #0
		{0x0000ffff, Undefined},          // udf #0xffff
		{0x00010000, Undefined},          // reserved
		{0x02000000, Undefined},          // op0 is 0b0001
		{0x86000000, Undefined},          // op0 is 0b0011
		{0x0bc00000, Undefined},          // add w0, w0, w0 with the shift ROR
		{0x12400000, Undefined},          // and w0, w0 with N set
		{0x52c00000, Undefined},          // movz w0, shifted by 32
		{0xf8600800, Undefined},          // ldr x0, [x0, x0] with option 0
		{0x80800000, UnknownInstruction}, // SME
		{0x04200000, UnknownInstruction}, // SVE
		{0x1e622820, UnknownInstruction}, // fadd d0, d1, d2
		{0x328002a0, Undefined},          // a MOVN, MOVZ or MOVK with opc 1
		{0x73000000, Undefined},          // a bitfield move with opc 3
		{0x13400000, Undefined},          // sbfm w0, w0 with N set
		{0xd65e03c0, Undefined},          // ret with op2 other than 31
		{0xd65f03c1, Undefined},          // ret with op4 other than 0
		{0xd4200001, Undefined},          // brk with LL other than 0
		{0xd4c00000, Undefined},          // an exception with opc 6
		{0xd5384121, Undefined},          // mrs x1, a neighbour of SP_EL0
		{0xd5382062, Undefined},          // mrs x2, tcr2_el1
		{0xd5182062, Undefined},          // msr tcr2_el1, x2
		{0xa8c10000, Unpredictable},      // ldp x0, x0, [x0], #16
		{0x7400000c, UnknownInstruction}, // a group of branches that extensions fill
	} {
		m := newMachine(t, c.word)
		_, err := m.Call(textAt)
		if s := wantStop(t, err, c.want, textAt); c.want == Undefined && s.Error() != fmt.Sprintf("undefined instruction %#08x at 0xffff800010000000", c.word) {
			t.Error(s)
		}
	}
}

// The Trail is the way that execution took.
func TestTrail(t *testing.T) {
	const b8, cbnz8, blr1 = 0x14000002, 0xb5000040, 0xd63f0020
	m := newMachine(t, a64.NOP, b8, 0, cbnz8, blr1, 0)
	m.Hook(far, func(m *Machine) error { return nil })
	_, err := m.Call(textAt, 0, far)
	wantStop(t, err, Undefined, textAt+20)
	want := []Jump{{0, textAt}, {textAt + 4, textAt + 12}, {textAt + 16, far}, {far, textAt + 20}}
	if got := m.Trail(); !slices.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
	m.PC = textAt + 12
	m.X[0] = 0
	wantStop(t, m.Run(0), Undefined, textAt+20)
	if got := m.Trail(); len(got) != 3 || got[0] != (Jump{0, textAt + 12}) {
		t.Errorf("%x", got)
	}
	const b4, bl4 = 0x14000001, 0x94000001
	last := newMachine(t, b4, a64.NOP, bl4, 0)
	_, err = last.Call(textAt)
	wantStop(t, err, Undefined, textAt+12)
	if got, want := last.Trail(), []Jump{{0, textAt}, {textAt, textAt + 4}, {textAt + 8, textAt + 12}}; !slices.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
	loop := newMachine(t, 0xd1000400, 0xb5ffffe0, 0) // sub x0, x0, #1; cbnz x0, .-4
	_, err = loop.Call(textAt, 1000)
	wantStop(t, err, Undefined, textAt+8)
	if got := loop.Trail(); len(got) != trailSize || got[0] != (Jump{textAt + 4, textAt}) {
		t.Errorf("%x", got)
	}
}

func TestBreak(t *testing.T) {
	m := newMachine(t, brk800, movX0x2a, a64.RET)
	_, err := m.Call(textAt)
	s := wantStop(t, err, Break, textAt)
	if s.Error() != "brk #0x800 at 0xffff800010000000" {
		t.Error(s)
	}
	var at uint64
	var imm uint16
	m.OnBreak = func(pc uint64, i uint16) BreakAction { at, imm = pc, i; return Continue }
	if got, err := m.Call(textAt); err != nil || got != 42 || at != textAt || imm != 0x800 {
		t.Errorf("%d, %v; brk %#x at %#x", got, err, imm, at)
	}
}

func TestException(t *testing.T) {
	for _, w := range []uint32{0xd4000001, 0xd4000002, 0xd4000003, 0xd4400000, 0xd69f03e0} {
		m := newMachine(t, w)
		_, err := m.Call(textAt)
		wantStop(t, err, Exception, textAt)
	}
}

// A signature of LR is checked with the stack pointer and the key that it was made
// with.
func TestSignsLR(t *testing.T) {
	const (
		autiasp = 0xd50323bf
		autibsp = 0xd50323ff
		paciaz  = 0xd503231f
		autiaz  = 0xd503239f
		xpaclri = 0xd50320ff
		retaa   = 0xd65f0bff
		retab   = 0xd65f0fff
		push    = 0xd10043ff // sub sp, sp, #16
		pop     = 0x910043ff // add sp, sp, #16
	)
	for _, c := range []struct {
		name  string
		words []uint32
		wrong int // the word that stops; 0: none
	}{
		{"PACIASP, AUTIASP", []uint32{a64.PACIASP, push, pop, autiasp, a64.RET}, 0},
		{"PACIBSP, AUTIBSP", []uint32{a64.PACIBSP, autibsp, a64.RET}, 0},
		{"PACIAZ, AUTIAZ", []uint32{paciaz, push, autiaz, a64.RET}, 0},
		{"PACIASP, RETAA", []uint32{a64.PACIASP, retaa}, 0},
		{"PACIBSP, RETAB", []uint32{a64.PACIBSP, retab}, 0},
		{"stripped", []uint32{a64.PACIASP, xpaclri, a64.RET}, 0},
		{"not signed", []uint32{a64.NOP, autiasp, a64.RET}, 1},
		{"not signed, RETAA", []uint32{a64.NOP, retaa}, 1},
		{"signed twice", []uint32{a64.PACIASP, a64.PACIASP, push, autiasp, a64.RET}, 3},
		{"another key", []uint32{a64.PACIASP, autibsp, a64.RET}, 1},
		{"another key, RETAB", []uint32{a64.PACIASP, retab}, 1},
		{"another SP", []uint32{a64.PACIASP, push, autiasp, a64.RET}, 2},
	} {
		m := newMachine(t, c.words...)
		m.SP = 0x1234_5670
		if _, err := m.Call(textAt); err != nil {
			t.Errorf("%s: it does not sign: %v", c.name, err)
		}
		m.SignsLR, m.SP = true, 0x1234_5670
		_, err := m.Call(textAt)
		if c.wrong == 0 {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if s := wantStop(t, err, BadSignature, textAt+4*uint64(c.wrong)); s.Addr != m.X[30] {
			t.Errorf("%s: %v", c.name, s)
		}
	}
	// Without a check, a signed address is not one of code.
	m := newMachine(t, a64.PACIASP, a64.RET)
	m.SignsLR = true
	_, err := m.Call(textAt)
	if s := wantStop(t, err, Unmapped, m.PC); s.Access != Exec || s.Addr>>48 == 0xffff {
		t.Error(s)
	}
}

func TestGuarded(t *testing.T) {
	for _, test := range []struct {
		name         string
		branch, land uint32
		ok           bool
	}{
		{"BLR to BTI c", blrX0, a64.BTIc, true},
		{"BLR to PACIASP", blrX0, a64.PACIASP, true},
		{"BLR to BTI j", blrX0, a64.BTIj, false},
		{"BLR to NOP", blrX0, a64.NOP, false},
		{"BR to BTI j", brX0, a64.BTIj, true},
		{"BR to BTI c", brX0, a64.BTIc, false},
		{"BR x16 to BTI c", brX16, a64.BTIc, true},
		{"BR to BTI jc", brX0, a64.BTIjc, true},
		{"BR to PACIASP", brX0, a64.PACIASP, false},
		{"BR x16 to BTI j", brX16, a64.BTIj, true},
		{"BR x17 to BTI j", 0xd61f0220, a64.BTIj, true},
		{"BR x17 to PACIBSP", 0xd61f0220, a64.PACIBSP, true},
		{"BR x16 to BTI", brX16, a64.BTI, false},
		{"BR x16 to NOP", brX16, a64.NOP, false},
		{"BLR to BTI jc", blrX0, a64.BTIjc, true},
		{"BL to NOP", bl(t, textAt+8, textAt+16), a64.NOP, true},
		{"RET to NOP", 0xd65f0000, a64.NOP, true}, // ret x0
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newMachine(t, a64.EncodeMOV(16, 0), a64.EncodeMOV(17, 0), test.branch, udf, test.land, a64.EncodeMOV(30, 19), a64.RET)
			m.X[19] = ReturnAddress
			if _, err := m.Call(textAt, textAt+16); err != nil {
				t.Fatalf("not guarded: %v", err)
			}
			m.Guarded = true
			_, err := m.Call(textAt, textAt+16)
			if test.ok {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if s := wantStop(t, err, NoLandingPad, textAt+8); s.Addr != textAt+16 {
				t.Error(s)
			}
		})
	}
}

// BRK and HLT at the target of an indirect branch take their own exceptions.
func TestGuardedBreak(t *testing.T) {
	for _, test := range []struct {
		land   uint32
		reason Reason
	}{{0xd4210000, Break}, {0xd4400000, Exception}} { // brk #0x800, hlt #0
		for _, branch := range []uint32{blrX0, brX0, 0xd61f0220} {
			m := newMachine(t, a64.EncodeMOV(17, 0), branch, udf, udf, test.land)
			m.Guarded = true
			_, err := m.Call(textAt, textAt+16)
			wantStop(t, err, test.reason, textAt+16)
		}
	}
}

func TestStackAlignment(t *testing.T) {
	for _, w := range []uint32{
		ldrX0SP,
		0xa94007e0, // ldp x0, x1, [sp]
		0xf85f0fe0, // ldr x0, [sp, #-16]!
		0xf86163e0, // ldumax x1, x0, [sp]
		0xc8dfffe0, // ldar x0, [sp]
	} {
		m := newMachine(t, subSP8, w, a64.RET)
		m.SP -= 64
		_, err := m.Call(textAt)
		if s := wantStop(t, err, Misaligned, textAt+4); s.Addr != stackAt-72 {
			t.Error(s)
		}
	}
}

// Misaligned atomics fault.
func TestAtomicAlignment(t *testing.T) {
	for _, w := range []uint32{
		0xc85f7c01, // ldxr x1, [x0]
		0xc8dffc01, // ldar x1, [x0]
		0xf8210001, // ldadd x1, x1, [x0]
		0xc8a17c02, // cas x1, x2, [x0]
	} {
		m := newMachine(t, w, a64.RET)
		_, err := m.Call(textAt, dataAt+4)
		wantStop(t, err, Misaligned, textAt)
		if _, err := m.Call(textAt, dataAt+8); err != nil {
			t.Errorf("%#x: %v", w, err)
		}
	}
}

func TestOnWrite(t *testing.T) {
	type write struct {
		pc, addr uint64
		size     int
		value    uint64
	}
	var got []write
	m := newMachine(t,
		strX1X0,    // 8 bytes
		0x39000401, // strb w1, [x0, #1]
		0xa9010801, // stp x1, x2, [x0, #16]
		0x3d800800, // str q0, [x0, #32]
		pushLR,
		popLR,
		a64.RET)
	m.Q[0] = [2]uint64{5, 6}
	if err := m.Watch(dataAt, 1); err != nil {
		t.Fatal(err)
	}
	m.OnWrite = func(pc, addr uint64, size int, value uint64) {
		if old, err := m.Read64(addr); err != nil || size == 8 && old == value {
			t.Errorf("%#x is there before it is stored, %v", old, err)
		}
		got = append(got, write{pc - textAt, addr - dataAt, size, value})
	}
	if _, err := m.Call(textAt, dataAt, 0x1234, 7); err != nil {
		t.Fatal(err)
	}
	want := []write{{0, 0, 8, 0x1234}, {4, 1, 1, 0x34}, {8, 16, 8, 0x1234}, {8, 24, 8, 7}, {12, 32, 8, 5}, {12, 40, 8, 6}}
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("store %d: %v, want %v", i, got[i], want[i])
		}
	}
}

func TestOnMaint(t *testing.T) {
	var got []string
	m := newMachine(t,
		0xd50b7b20, // dc cvau, x0
		0xd5033b9f, // dsb ish
		0xd50b7520, // ic ivau, x0
		0xd5033fdf, // isb
		0xd50b7420, // dc zva, x0
		a64.RET)
	m.OnMaint = func(pc uint64, kind MaintKind, addr uint64) { got = append(got, kind.String()) }
	if err := m.Write64(dataAt+56, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Call(textAt, dataAt+8); err != nil {
		t.Fatal(err)
	}
	if s := strings.Join(got, ", "); s != "dc cvau, dsb, ic ivau, isb, dc zva" {
		t.Error(s)
	}
	if v, _ := m.Read64(dataAt + 56); v != 0 {
		t.Errorf("dc zva left %#x", v)
	}
}

func TestSysRegs(t *testing.T) {
	m := newMachine(t,
		mrsX0SPEL0,
		0xd538d081, // mrs x1, tpidr_el1
		0xd5384242, // mrs x2, CurrentEL
		0xd50342df, // msr daifset, #2
		0xd53b4223, // mrs x3, daif
		0xd50343ff, // msr daifclr, #3
		0xd53b4224, // mrs x4, daif
		0xd5380745, // mrs x5, id_aa64mmfr2_el1
		a64.RET)
	m.Sys[SPEL0], m.Sys[TPIDREL1], m.Sys[DAIF] = 11, 12, 0x140
	if _, err := m.Call(textAt); err != nil {
		t.Fatal(err)
	}
	if got, want := [6]uint64(m.X[:6]), [6]uint64{11, 12, 4, 0x1c0, 0x100, 0}; got != want {
		t.Errorf("%#x, want %#x", got, want)
	}
}

func TestReset(t *testing.T) {
	image := map[uint64][]uint32{textAt: {strX1X0, ldrX0X0, a64.RET}}
	loads := 0
	m := &Machine{Core: Core{Load: func(addr uint64, page []byte) (Perm, bool) {
		loads++
		switch addr {
		case textAt:
			for i, w := range image[textAt] {
				page[4*i], page[4*i+1], page[4*i+2], page[4*i+3] = byte(w), byte(w>>8), byte(w>>16), byte(w>>24)
			}
			return Read | Exec, true
		case dataAt:
			return Read | Write, true
		}
		return 0, false
	}}}
	for range 3 {
		if got, err := m.Call(textAt, dataAt, 99); err != nil || got != 99 {
			t.Fatalf("%d, %v", got, err)
		}
		if err := m.Protect(textAt, 4, Read); err != nil {
			t.Fatal(err)
		}
		m.Map(dataAt+PageSize, 1, Read)
		m.Reset()
		if v, err := m.Read64(dataAt); err != nil || v != 0 || m.X != [31]uint64{} || m.Steps != 0 {
			t.Errorf("after Reset: %d, %v, %v, %d steps", v, err, m.X, m.Steps)
		}
		if perm, ok := m.PermAt(textAt); !ok || perm != Read|Exec {
			t.Errorf("permission after Reset: %v", perm)
		}
		if _, ok := m.PermAt(dataAt + PageSize); ok {
			t.Error("a mapped page survived")
		}
	}
	// A page that nobody changed is not loaded again.
	m.Reset()
	if _, err := m.Call(textAt+4, dataAt); err != nil {
		t.Fatal(err)
	}
	before := loads
	m.Reset()
	if _, err := m.Call(textAt+4, dataAt); err != nil || loads != before {
		t.Errorf("%v, %d more loads", err, loads-before)
	}
	m.Unmap(textAt, 4)
	_, err := m.Call(textAt)
	wantStop(t, err, Unmapped, textAt)
}

// Executing allocates nothing once the code is decoded.
func TestAllocs(t *testing.T) {
	m := benchMachine(t)
	n := testing.AllocsPerRun(10, func() {
		if _, err := m.Call(textAt, dataAt, 100); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations a call", n)
	}
	// Nor does a machine that is used again.
	n = testing.AllocsPerRun(10, func() {
		m.Unmap(dataAt, PageSize)
		m.Map(dataAt, PageSize, Read|Write)
		if _, err := m.Call(textAt, dataAt, 100); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations a call with a new page", n)
	}
}

// benchMachine has at textAt a function of the kind that kernels are made of:
// loads, stores, calls, bit tests, and a loop of x1 rounds over x0.
func benchMachine(t testing.TB) *Machine {
	fn := uint64(textAt + 0x100)
	m := newMachine(t,
		0xa9be7bfd,            // stp x29, x30, [sp, #-32]!
		0x910003fd,            // mov x29, sp
		0xa90153f3,            // stp x19, x20, [sp, #16]
		0xaa0003f3,            // mov x19, x0
		0xaa0103f4,            // mov x20, x1
		0xf9400260,            // loop: ldr x0, [x19]
		bl(t, textAt+6*4, fn), // bl fn
		0xf9000260,            // str x0, [x19]
		0x37180040,            // tbnz w0, #3, .+8
		0x91000400,            // add x0, x0, #1
		0xb9400a61,            // ldr w1, [x19, #8]
		0x53037c22,            // lsr w2, w1, #3
		0x4a020021,            // eor w1, w1, w2
		0xb9000a61,            // str w1, [x19, #8]
		0xf1000694,            // subs x20, x20, #1
		0x54fffec1,            // b.ne loop
		0xa94153f3,            // ldp x19, x20, [sp, #16]
		0xa8c27bfd,            // ldp x29, x30, [sp], #32
		a64.RET)
	put(t, m, fn,
		0xf100401f, // cmp x0, #16
		0x9a9f37e1, // cset x1, cs
		0x8b010c00, // add x0, x0, x1, lsl #3
		0x92401c00, // and x0, x0, #0xff
		a64.RET)
	return m
}

func BenchmarkRun(b *testing.B) {
	m := benchMachine(b)
	m.MaxSteps = 1 << 40
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Call(textAt, dataAt, 10000); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(m.Steps)/b.Elapsed().Seconds(), "instr/s")
}

// BenchmarkCall is a short function in a machine that is reset for it, as for
// one callsite of many.
func BenchmarkCall(b *testing.B) {
	m := benchMachine(b)
	text := make([]byte, PageSize)
	if err := m.Read(textAt, text); err != nil {
		b.Fatal(err)
	}
	m = &Machine{Core: Core{Load: func(addr uint64, page []byte) (Perm, bool) {
		copy(page, text)
		return Read | Exec, addr == textAt
	}}}
	steps := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		m.Reset()
		m.Map(stackAt-PageSize, PageSize, Read|Write)
		m.Map(dataAt, PageSize, Read|Write)
		m.SP = stackAt
		if _, err := m.Call(textAt, dataAt, 10); err != nil {
			b.Fatal(err)
		}
		steps += m.Steps
	}
	b.ReportMetric(float64(steps)/b.Elapsed().Seconds(), "instr/s")
}

func BenchmarkDecode(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	var words [1024]uint32
	for i := range words {
		f := forms[rng.IntN(len(forms))]
		words[i] = f.value | rng.Uint32()&^f.mask
	}
	i := 0
	for b.Loop() {
		decode(words[i%len(words)], textAt)
		i++
	}
}

// A hook where no memory is counts as a step, also if it returns to itself.
func TestHookReturnsToItself(t *testing.T) {
	m := newMachine(t)
	const nowhere = 0x1000
	m.MaxSteps, m.X[30], m.PC = 100, nowhere, nowhere
	n := 0
	m.Hook(nowhere, func(*Machine) error {
		if n++; n > 1000 {
			t.Fatal("the limit is 100 steps")
		}
		return nil
	})
	wantStop(t, m.Run(textAt), StepLimit, nowhere)
}

// A branch to any address below the first page is an error of its own, whatever
// the code before it did to the page that it is in.
func TestBranchToNowhere(t *testing.T) {
	const code = 0x10000
	for _, to := range []uint64{0, 1, 2, 3, 4, 5, 8, 0x401, 0x801, 0xffd} {
		m := &Machine{}
		m.Map(code, PageSize, Read|Exec)
		if err := m.Write32(code, 0xd65f03c0); err != nil { // RET
			t.Fatal(err)
		}
		m.X[30], m.PC = to, code
		want := Unmapped
		if to%4 != 0 {
			want = Misaligned
		}
		err := m.Run(ReturnAddress)
		var stop *Stop
		if !errors.As(err, &stop) || stop.PC != to || stop.Reason != want {
			t.Errorf("to %#x: %v, want %v", to, err, want)
		}
		// A page that has just been taken away is the code of no PC.
		m.Unmap(code, PageSize)
		m.PC = to
		if err := m.Run(ReturnAddress); !errors.As(err, &stop) || stop.PC != to || stop.Reason != want {
			t.Errorf("at %#x: %v, want %v", to, err, want)
		}
	}
}
