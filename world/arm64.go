package world

import (
	"fmt"

	"github.com/ftlint/ftlint/a64"
	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/emu"
)

// cpuA64 is the cpu of an arm64 image.
type cpuA64 struct {
	w *World
	*emu.Machine
}

func newA64(w *World) {
	w.M = &emu.Machine{SignsLR: true, OnBreak: w.onBreak}
	w.Mem, w.cpu = &w.M.Core, cpuA64{w, w.M}
}

func (c cpuA64) reset() {
	c.Reset()
	c.Sys[emu.SPEL0] = Task
	c.SP, c.X[18] = StackTop, scs
}

func (c cpuA64) enter() {
	for i := range c.X {
		c.X[i] = own | uint64(i)
	}
	c.SP, c.X[18] = StackTop, scs
	c.N, c.Z, c.C, c.V = true, false, true, false
}

func (c cpuA64) call(fn uint64, args []uint64) (uint64, error) {
	c.SP = StackTop
	return c.Call(fn, args...)
}

func (c cpuA64) lost(fn uint64) (diffs []string) {
	if c.X[18] != scs && c.w.HasSCS(fn) {
		diffs = append(diffs, "loses its caller's x18")
	}
	for i := 19; i < 30; i++ {
		if c.X[i] != own|uint64(i) {
			diffs = append(diffs, fmt.Sprintf("loses its caller's x%d", i))
		}
	}
	if c.SP != StackTop {
		diffs = append(diffs, fmt.Sprintf("leaves SP at %+d bytes", int64(c.SP-StackTop)))
	}
	return diffs
}

func (c cpuA64) guard(on bool) { c.Guarded = on }

func (c cpuA64) pagePerm(prot uint64) emu.Perm {
	const readOnly, noExec = 1 << 7, 1 << 53 // AP[2], PXN
	perm := emu.Read
	if prot&readOnly == 0 {
		perm |= emu.Write
	}
	if prot&noExec == 0 {
		perm |= emu.Exec
	}
	return perm
}

func (c cpuA64) arg(i int) uint64   { return c.X[i] }
func (c cpuA64) result() uint64     { return c.X[0] }
func (c cpuA64) setResult(v uint64) { c.X[0] = v }
func (c cpuA64) sp() uint64         { return c.SP }
func (c cpuA64) caller() uint64     { return c.X[30] - a64.Size }

// clobber is about AAPCS64, 6.1.1.
func (c cpuA64) clobber(flags bool) {
	for i := uint64(1); i < 18; i++ {
		c.X[i] = clobbered | i
	}
	c.N, c.Z, c.C, c.V = flags, flags, flags, flags
}

func (c cpuA64) hook(addr uint64, f func() error) {
	if f == nil {
		c.Hook(addr, nil)
		return
	}
	c.Hook(addr, func(*emu.Machine) error { return f() })
}

func (c cpuA64) trap(stop *emu.Stop) string { return trapOf(uint16(stop.Word >> 5)) }

func (c cpuA64) insn(addr uint64) (what string, in arch.Insn, ok bool) {
	var code [a64.Size]byte
	if c.Read(addr, code[:]) != nil {
		return "", in, false
	}
	w, _ := c.Read32(addr)
	if kind := a64.Classify(w); kind != a64.Other {
		what = kind.String()
	}
	in, ok = arch.ARM64.Insn(code[:], addr)
	return what, in, ok
}
