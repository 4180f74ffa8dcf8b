package world

import (
	"fmt"

	"github.com/ftlint/ftlint/arch"
	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/emu/x64"
	code "github.com/ftlint/ftlint/x64"
)

// cpuX64 is the cpu of an x86-64 image. The variables of the processor are those of the
// image, which the kernel copies for each processor. Where they lie from address 0 on, GS
// leads to a copy elsewhere, so that nothing is at NULL.
type cpuX64 struct {
	w *World
	*x64.Machine
	canary uint64 // address of the stack protector's; 0 if the image has none
	this   uint64 // address of this_cpu_off, by which code computes addresses of variables; 0: none
}

func newX64(w *World) {
	w.X = &x64.Machine{}
	w.X.OnTrap = func(pc uint64) emu.BreakAction {
		w.event(Event{Kind: Trap, PC: pc})
		what, _, _ := w.cpu.insn(pc)
		switch kind := w.bugAt(pc); {
		case kind == warning, what == ud2 && (kind == noTable || w.ofCFI(pc)):
			return emu.Continue
		}
		return emu.Halt
	}
	if start, ok := w.Image.Addr("__per_cpu_start"); ok && start == 0 {
		end, _ := w.Image.Addr("__per_cpu_end")
		w.perCPU, w.perCPUSize = perCPU, min(end, 16<<20)
	}
	c := cpuX64{w: w, Machine: w.X}
	c.canary, _ = w.PerCPU(w.arch.Canary)
	c.this, _ = w.PerCPU([]arch.PerCPU{{Symbol: "this_cpu_off"}})
	w.Mem, w.cpu = &w.X.Core, c
	w.current, _ = w.PerCPU(w.arch.Current)
}

// ud2 is the instruction of BUG() and WARN(), as insn names it.
const ud2 = "UD2"

func (c cpuX64) reset() {
	c.Reset()
	c.R[x64.RSP] = StackTop
	c.GS = c.w.perCPU
	for _, v := range [][2]uint64{{c.canary, canary}, {c.this, c.w.perCPU}, {c.w.current, Task}} {
		if v[0] != 0 {
			_ = c.Write64(v[0], v[1]) // an image without that page has no code that reads it
		}
	}
}

// perCPU is where the variables of the processor are.
const perCPU = 0xffff_0000_5000_0000

// canary is what boot_init_stack_canary() makes up.
const canary = 0xca4a_4a59_1234_5600

func (c cpuX64) enter() {
	for i := range c.R {
		c.R[i] = own | uint64(i)
	}
	c.R[x64.RSP] = StackTop
	c.Flags = x64.FlagIF | x64.FlagZF
}

// call puts the seventh argument and those behind it on the stack, which is aligned to
// 16 bytes at the call (psABI, "The Stack Frame").
func (c cpuX64) call(fn uint64, args []uint64) (uint64, error) {
	c.R[x64.RSP] = StackTop
	if n := len(args) - len(x64.Args); n > 0 {
		c.R[x64.RSP] -= uint64(8*n+15) &^ 15
		for i, v := range args[len(x64.Args):] {
			if err := c.Write64(c.R[x64.RSP]+8*uint64(i), v); err != nil {
				return 0, err
			}
		}
		args = args[:len(x64.Args)]
	}
	return c.Call(fn, args...)
}

func (c cpuX64) lost(uint64) (diffs []string) {
	for _, i := range x64.Saved {
		if c.R[i] != own|uint64(i) {
			diffs = append(diffs, "loses its caller's "+x64.RegName(i))
		}
	}
	if c.R[x64.RSP] != StackTop {
		diffs = append(diffs, fmt.Sprintf("leaves RSP at %+d bytes", int64(c.R[x64.RSP]-StackTop)))
	}
	if c.Flags&x64.FlagDF != 0 {
		diffs = append(diffs, "returns with DF set")
	}
	return diffs
}

// arg finds the seventh argument and those behind it on the stack, above the return
// address.
func (c cpuX64) arg(i int) uint64 {
	if n := i - len(x64.Args); n >= 0 {
		v, _ := c.Read64(c.R[x64.RSP] + 8 + 8*uint64(n))
		return v
	}
	return c.R[x64.Args[i]]
}

func (c cpuX64) guard(on bool) { c.Guarded = on }

func (c cpuX64) pagePerm(prot uint64) emu.Perm {
	const writable, noExec = 1 << 1, 1 << 63 // SDM, volume 3, 4.5
	perm := emu.Read
	if prot&writable != 0 {
		perm |= emu.Write
	}
	if prot&noExec == 0 {
		perm |= emu.Exec
	}
	return perm
}

func (c cpuX64) result() uint64     { return c.R[x64.RAX] }
func (c cpuX64) setResult(v uint64) { c.R[x64.RAX] = v }
func (c cpuX64) sp() uint64         { return c.R[x64.RSP] }

func (c cpuX64) caller() uint64 {
	ret, _ := c.Read64(c.R[x64.RSP])
	return ret - code.CallSize
}

// clobber is about the psABI, "Registers".
func (c cpuX64) clobber(flags bool) {
	for _, i := range []int{x64.RCX, x64.RDX, x64.RSI, x64.RDI, x64.R8, x64.R9, x64.R10, x64.R11} {
		c.R[i] = clobbered | uint64(i)
	}
	const all = x64.FlagCF | x64.FlagPF | x64.FlagAF | x64.FlagZF | x64.FlagSF | x64.FlagOF
	c.Flags &^= all
	if flags {
		c.Flags |= all
	}
}

func (c cpuX64) hook(addr uint64, f func() error) {
	if f == nil {
		c.Hook(addr, nil)
		return
	}
	c.Hook(addr, func(*x64.Machine) error { return f() })
}

func (c cpuX64) trap(stop *emu.Stop) string {
	what, _, _ := c.insn(stop.PC)
	switch {
	case c.w.bugAt(stop.PC) == bug:
		return "BUG()"
	case what == "UD1":
		return "" // of a sanitizer
	}
	return "a trap"
}

func (c cpuX64) insn(addr uint64) (what string, in arch.Insn, ok bool) {
	buf := make([]byte, code.MaxSize)
	for len(buf) > 0 && c.Read(addr, buf) != nil {
		buf = buf[:len(buf)-1] // its end may not be mapped
	}
	i, ok := code.Decode(buf)
	if !ok {
		return "", in, false
	}
	in, _ = arch.X86.Insn(buf, addr)
	switch in.Flow {
	case arch.GoesOn, arch.DoesNought:
		return "", in, true
	}
	return i.Op.String(), in, true
}
