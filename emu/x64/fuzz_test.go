package x64

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/internal/hostile"
)

// FuzzEmu executes any bytes as code, twice, and once with half the steps: the
// machine stops within its limits, with the same state both times, and says why.
// Memory that must not be written is as before. Other memory has changed by the
// stores that OnWrite saw alone.
func FuzzEmu(f *testing.F) {
	for seed, code := range [][]byte{
		{0x55, 0x48, 0x89, 0xe5, 0x5d, 0xc3},                               // push %rbp; mov %rsp,%rbp; pop %rbp; ret
		{0xf3, 0x48, 0xa5, 0xf3, 0xa4, 0xf2, 0xae},                         // rep movsq; rep movsb; repne scasb
		{0xfd, 0xf3, 0xaa, 0xfc, 0xf3, 0x48, 0xab},                         // std; rep stosb; cld; rep stosq
		{0xff, 0xd2, 0xf3, 0x0f, 0x1e, 0xfa, 0xff, 0xe2},                   // call *%rdx; endbr64; jmp *%rdx
		{0xe8, 0xfb, 0xff, 0xff, 0xff},                                     // call itself
		{0xeb, 0xfe},                                                       // jmp to itself
		{0x9c, 0x58, 0x50, 0x9d, 0x48, 0xf7, 0xf1},                         // pushf; pop %rax; push %rax; popf; div %rcx
		{0xf0, 0x48, 0x0f, 0xc1, 0x07, 0x48, 0x0f, 0xb1, 0x0f},             // lock xadd %rax,(%rdi); cmpxchg %rcx,(%rdi)
		{0x65, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0, 0xcc},                // mov %gs:0x28,%rax; int3
		{0xc6, 0x05, 0, 0, 0, 0, 0xc3, 0x90, 0xc9, 0xc2, 8, 0},             // movb $0xc3 behind itself; nop; leave; ret $8
		{0x48, 0xd3, 0xe0, 0x66, 0xc1, 0xc8, 0x11, 0x0f, 0xa5, 0xc2, 0x3b}, // shl %cl,%rax; ror $17,%ax; shld %cl,%eax,%edx
	} {
		f.Add(code, uint64(seed))
	}
	const (
		textAt, dataAt, sealedAt = 0xffff_ffff_8100_0000, 0xffff_8880_0100_0000, 0xffff_8880_0200_0000
		hookAt                   = 0xffff_ffff_8200_0000 // where no memory is
		maxCode                  = 4 * emu.PageSize
		maxSteps                 = 2000
	)
	sealed := bytes.Repeat([]byte("sealed  "), emu.PageSize/8)
	m := new(Machine)
	f.Fuzz(func(t *testing.T, code []byte, seed uint64) {
		if len(code) >= maxCode {
			return
		}
		type state struct {
			r                [16]uint64
			flags, pc, steps uint64
			writes, hooks    int
			text             string
			data             [emu.PageSize]byte
		}
		run := func(most uint64) (s state) {
			m.Reset()
			m.MaxSteps, m.MaxPages, m.MaxDepth = most, 64, 10
			m.Guarded = seed&1 == 1
			var shadow [emu.PageSize]byte // of the page that is watched
			m.OnWrite = func(pc, addr uint64, size int, value uint64) {
				s.writes++
				if size != 1 && size != 2 && size != 4 && size != 8 || size < 8 && value>>(8*size) != 0 {
					t.Errorf("%d bytes, %#x, are stored", size, value)
				}
				var b [8]byte
				binary.LittleEndian.PutUint64(b[:], value)
				for i, v := range b[:size] {
					if off := addr + uint64(i) - dataAt; off < emu.PageSize {
						shadow[off] = v
					}
				}
			}
			m.OnTrap = func(uint64) emu.BreakAction { return emu.BreakAction(seed >> 1 & 1) }
			m.Hook(hookAt, func(m *Machine) error {
				s.hooks++
				if seed&4 == 0 {
					_, err := m.Call(textAt, m.R[RAX])
					return err
				}
				return nil
			})
			m.Map(textAt, maxCode, emu.Read|emu.Write|emu.Exec)
			m.Map(dataAt, emu.PageSize, emu.Read|emu.Write)
			m.Map(sealedAt, emu.PageSize, emu.Read|emu.Write)
			for _, err := range []error{m.Watch(dataAt, emu.PageSize), m.Write(textAt, code), m.Write(sealedAt, sealed), m.Protect(sealedAt, emu.PageSize, emu.Read)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			r := rand.New(rand.NewPCG(seed, 0))
			for i := range m.R {
				switch v := r.Uint64(); i % 5 {
				case 0:
					m.R[i] = v >> (v % 64)
				case 1:
					m.R[i] = sealedAt + v%emu.PageSize
				case 2:
					m.R[i] = hookAt
				default:
					m.R[i] = dataAt + v%emu.PageSize
				}
			}
			m.R[RSP], m.GS, m.PC = dataAt+emu.PageSize/2, dataAt, textAt
			err := m.Run(1)
			if m.Steps > most {
				t.Errorf("%d steps of %d", m.Steps, most)
			}
			if err == nil && m.PC != 1 {
				t.Errorf("it ended at %#x", m.PC)
			}
			if stop := (&emu.Stop{}); err != nil {
				if !errors.As(err, &stop) {
					t.Fatalf("at %#x it ended with %v", m.PC, err)
				}
				hostile.OneLine(t, err, "")
				s.text = err.Error()
			}
			var after [emu.PageSize]byte
			if err := errors.Join(m.Read(dataAt, s.data[:]), m.Read(sealedAt, after[:])); err != nil {
				t.Fatal(err)
			}
			if s.data != shadow {
				t.Errorf("%d stores were told of, which explain\n% x\nthere is\n% x", s.writes, shadow, s.data)
			}
			if !bytes.Equal(after[:], sealed) {
				t.Errorf("what may be read alone is\n%q", after)
			}
			s.r, s.flags, s.pc, s.steps = m.R, m.Flags, m.PC, m.Steps
			return s
		}
		var a, b state
		hostile.Bounded(t, 32<<20, 1000, len(code), func() { a, b = run(maxSteps), run(maxSteps) })
		if a != b {
			t.Errorf("not the same twice:\n%+v\n%+v", a, b)
		}
		if half := run(maxSteps / 2); a.steps <= maxSteps/2 && half.steps != a.steps {
			t.Errorf("%d steps, with half the limit %d", a.steps, half.steps)
		}
	})
}
