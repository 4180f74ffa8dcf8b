package emu

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/ftlint/ftlint/internal/hostile"
)

// FuzzEmu executes any bytes as code, twice, and once with half the steps: the
// machine stops within its limits, with the same state both times, and says
// why. Memory that must not be written is as before. Other memory has changed by
// the stores that OnWrite saw alone. Reset takes all changes back.
func FuzzEmu(f *testing.F) {
	g := generator{rand.New(rand.NewPCG(5, 6))}
	for range 50 {
		var code []byte
		for range 20 {
			code = binary.LittleEndian.AppendUint32(code, g.word(&forms[g.IntN(len(forms))]))
		}
		f.Add(code, g.Uint64())
	}
	words := func(words ...uint32) (b []byte) {
		for _, w := range words {
			b = binary.LittleEndian.AppendUint32(b, w)
		}
		return b
	}
	f.Add(words(0xaa0203fe, 0xd61f0040), uint64(0)) // mov x30, x2; br x2: a hook that returns to itself
	f.Add(words(0xaa0203fe, 0xd61f0040), uint64(2))
	f.Add(words(0xd63f0040), uint64(0))
	f.Add(words(0xd61f0040), uint64(4))
	f.Add(words(0xd50b7420, 0xf9000001, 0xa9000400, 0x3d800000), uint64(8)) // dc zva, x0 and stores

	const maxPages, maxSteps, maxDepth, maxCode = 64, 2000, 10, 16 * PageSize
	const (
		hookAt   = 0xffff_8000_2000_0000 // where no memory is
		sealedAt = 0xffff_8000_3000_0000 // what may be read alone
	)
	// The pages that Reset keeps, and those that run touches.
	const held = maxPages + maxPages/2
	le := binary.LittleEndian
	sealed := bytes.Repeat([]byte("sealed  "), PageSize/8)
	// Load gives pages in the low half of the address space alone.
	load := func(addr uint64, page []byte) (Perm, bool) {
		le.PutUint64(page[addr>>12%8*8:], addr^0x5a5a)
		return Read | Write, int64(addr) >= 0
	}
	m := new(Machine)
	f.Fuzz(func(t *testing.T, code []byte, seed uint64) {
		if len(code) >= maxCode {
			return
		}
		type state struct {
			x          [31]uint64
			sp, pc     uint64
			nzcv       uint64
			q          [32][2]uint64
			sys        [numSysRegs]uint64
			steps      uint64
			text       string
			writes     int
			maint, brk int
			hooks      int
		}
		run := func(most uint64) (s state) {
			m.Reset()
			checkReset(t, m, load)
			m.MaxSteps, m.MaxPages, m.MaxDepth = most, maxPages, maxDepth
			m.Guarded = seed&1 == 1
			m.Load = load
			var shadow [PageSize]byte // of the page that is watched
			m.OnWrite = func(pc, addr uint64, size int, value uint64) {
				s.writes++
				if size != 1 && size != 2 && size != 4 && size != 8 || size < 8 && value>>(8*size) != 0 {
					t.Errorf("%d bytes, %#x, are stored", size, value)
				}
				var b [8]byte
				le.PutUint64(b[:], value)
				for i, v := range b[:size] {
					if off := addr + uint64(i) - dataAt; off < PageSize {
						shadow[off] = v
					}
				}
			}
			m.OnMaint = func(pc uint64, kind MaintKind, addr uint64) { s.maint++ }
			m.OnBreak = func(pc uint64, imm uint16) BreakAction { s.brk++; return BreakAction(imm & 1) }
			depth := 0
			m.Hook(hookAt, func(m *Machine) error {
				if s.hooks++; uint64(s.hooks) > most {
					t.Fatalf("%d calls of a hook", s.hooks)
				}
				switch depth++; seed >> 1 & 3 {
				case 0:
				case 1:
					return ErrProceed
				case 2:
					if depth > 2*maxDepth {
						return nil
					}
					if _, err := m.Call(textAt, m.X[3]); err != nil {
						return err
					}
				default:
					m.PC = textAt + m.X[0]%64
				}
				return nil
			})
			m.Map(textAt, uint64(len(code))+1, Read|Write|Exec)
			m.Map(dataAt, PageSize, Read|Write)
			m.Map(sealedAt, PageSize, Read|Write)
			for _, err := range []error{m.Watch(dataAt, PageSize), m.Write(textAt, code), m.Write(sealedAt, sealed), m.Protect(sealedAt, PageSize, Read)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			g := generator{rand.New(rand.NewPCG(seed, 0))}
			for i := range m.X {
				m.X[i] = g.value()
				switch i % 6 {
				case 0, 3:
					m.X[i] = dataAt + m.X[i]%PageSize
				case 1:
					m.X[i] = sealedAt + m.X[i]%PageSize
				case 2:
					m.X[i] = hookAt
				}
			}
			m.SP, m.PC = dataAt+PageSize/2, textAt
			err := m.Run(1)
			if m.Steps > most {
				t.Errorf("%d steps of %d", m.Steps, most)
			}
			if n := len(m.pages) + len(m.free); n > held {
				t.Errorf("%d pages", n)
			}
			stop := &Stop{}
			switch {
			case err == nil && m.PC == 1: // where Run was to end
				return s
			case !errors.As(err, &stop):
				t.Fatalf("at %#x it ended with %v", m.PC, err)
			}
			hostile.OneLine(t, err, "")
			if m.PC%4 != 0 && stop.Reason != Misaligned && stop.Reason != HookFailed {
				t.Errorf("PC is %#x: %v", m.PC, err)
			}
			if stop.Reason == StepLimit && m.Steps != most {
				t.Errorf("after %d steps of %d: %v", m.Steps, most, err)
			}
			var data, after [PageSize]byte
			if err := errors.Join(m.Read(dataAt, data[:]), m.Read(sealedAt, after[:])); err != nil {
				t.Fatal(err)
			}
			if data != shadow {
				t.Errorf("%d stores were told of, which explain\n% x\nthere is\n% x", s.writes, shadow, data)
			}
			if !bytes.Equal(after[:], sealed) {
				t.Errorf("what may be read alone is\n%q", after)
			}
			s.x, s.sp, s.pc, s.nzcv, s.steps, s.q, s.sys, s.text = m.X, m.SP, m.PC, m.flags(), m.Steps, m.Q, m.Sys, err.Error()
			return s
		}
		var a, b state
		// A machine and its pages, nested runs and events.
		hostile.Bounded(t, 32<<20, 1000, len(code), func() { a, b = run(maxSteps), run(maxSteps) })
		if a != b {
			t.Errorf("not the same twice:\n%+v\n%+v", a, b)
		}
		if half := run(maxSteps / 2); a.steps <= maxSteps/2 && half.steps != a.steps {
			t.Errorf("%d steps, with half the limit %d", a.steps, half.steps)
		}
	})
}

// checkReset checks that the machine is as before its first run: registers are
// zero, and its pages are what load gives.
func checkReset(t *testing.T, m *Machine, load func(uint64, []byte) (Perm, bool)) {
	t.Helper()
	if m.X != [31]uint64{} || m.SP != 0 || m.PC != 0 || m.flags() != 0 ||
		m.Q != [32][2]uint64{} || m.Sys != [numSysRegs]uint64{} || m.Steps != 0 || m.depth != 0 || m.monitor.valid {
		t.Errorf("after Reset: %+v, SP %#x, PC %#x", m.X, m.SP, m.PC)
	}
	for at, p := range m.pages {
		var want [PageSize]byte
		if perm, ok := load(at, want[:]); !ok || p.perm != perm || p.data != want || p.gone || p.watch || p.addr != at {
			t.Errorf("after Reset the page at %#x, %v, is not what Load gives", at, p.perm)
		}
	}
}
