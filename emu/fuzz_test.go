package emu

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// FuzzEmu executes any bytes as code, twice: the machine must stop within its
// limits, with the same state both times, and say why.
func FuzzEmu(f *testing.F) {
	g := generator{rand.New(rand.NewPCG(5, 6))}
	for range 50 {
		var code []byte
		for range 20 {
			code = binary.LittleEndian.AppendUint32(code, g.word(&forms[g.IntN(len(forms))]))
		}
		f.Add(code, g.Uint64())
	}
	const maxPages, maxSteps, maxCode = 20, 2000, 16 * PageSize
	// What Load gave, now and before Reset, and what run maps.
	const held = 2*maxPages + maxCode/PageSize + 2
	m := new(Machine)
	f.Fuzz(func(t *testing.T, code []byte, seed uint64) {
		if len(code) >= maxCode {
			return
		}
		type state struct {
			x          [31]uint64
			sp, pc     uint64
			nzcv       uint64
			steps      uint64
			text       string
			writes     int
			maint, brk int
		}
		run := func() (s state) {
			m.Reset()
			m.MaxSteps, m.MaxPages, m.MaxDepth = maxSteps, maxPages, 10
			m.Guarded = seed&1 == 1
			m.Load = func(addr uint64, page []byte) (Perm, bool) { // all but the high half of the address space
				return Read | Write, int64(addr) >= 0
			}
			m.OnWrite = func(pc, addr uint64, size int, value uint64) { s.writes++ }
			m.OnMaint = func(pc uint64, kind MaintKind, addr uint64) { s.maint++ }
			m.OnBreak = func(pc uint64, imm uint16) BreakAction { s.brk++; return BreakAction(imm & 1) }
			m.Map(textAt, uint64(len(code))+1, Read|Write|Exec)
			m.Map(dataAt, PageSize, Read|Write)
			if err := m.Watch(dataAt, PageSize); err != nil {
				t.Fatal(err)
			}
			if err := m.Write(textAt, code); err != nil {
				t.Fatal(err)
			}
			g := generator{rand.New(rand.NewPCG(seed, 0))}
			for i := range m.X {
				m.X[i] = g.value()
				if i%3 == 0 {
					m.X[i] = dataAt + m.X[i]%PageSize
				}
			}
			m.SP, m.PC = dataAt+PageSize/2, textAt
			err := m.Run(1)
			if m.Steps > maxSteps {
				t.Errorf("%d steps", m.Steps)
			}
			if n := len(m.pages) + len(m.free); n > held {
				t.Errorf("%d pages", n)
			}
			if err != nil {
				s.text = err.Error()
				if s.text == "" {
					t.Error("no reason")
				}
			}
			s.x, s.sp, s.pc, s.nzcv, s.steps = m.X, m.SP, m.PC, m.flags(), m.Steps
			return s
		}
		if a, b := run(), run(); a != b {
			t.Errorf("not the same twice:\n%+v\n%+v", a, b)
		}
	})
}
