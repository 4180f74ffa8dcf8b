// Package x64 executes x86-64 code out of an image, in-process, as package emu does
// A64 code: with the same memory, permissions, hooks, limits and reasons for
// stopping. It knows the integer instructions that gcc and clang make of the
// kernel's C, and those of ftrace's assembly: the table in forms.go lists them.
//
// There is one processor, in ring 0, with IF as it was put, and no exceptions: what
// would raise one ends the run with a *emu.Stop. Flags that an instruction leaves
// undefined (SDM, volume 2) have some value. "SDM" is Intel's Software Developer's
// Manual.
package x64

import (
	"errors"

	"github.com/ftlint/ftlint/emu"
	"github.com/ftlint/ftlint/x64"
)

// Numbers of general registers (SDM, volume 2, 3.1.1).
const (
	RAX = iota
	RCX
	RDX
	RBX
	RSP
	RBP
	RSI
	RDI
	R8
	R9
	R10
	R11
	R12
	R13
	R14
	R15
)

var regNames = [...]string{"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"}

// RegName is the name of a general register, without the %.
func RegName(n int) string { return regNames[n] }

// Args are the numbers of the registers with the first arguments of a function
// (psABI, "Parameter Passing"). Saved are those that a function gives back to its
// caller, beside RSP.
var (
	Args  = [...]int{RDI, RSI, RDX, RCX, R8, R9}
	Saved = [...]int{RBX, RBP, R12, R13, R14, R15}
)

// Bits of RFLAGS.
const (
	FlagCF = 1 << 0
	FlagPF = 1 << 2
	FlagAF = 1 << 4
	FlagZF = 1 << 6
	FlagSF = 1 << 7
	FlagIF = 1 << 9
	FlagDF = 1 << 10
	FlagOF = 1 << 11
	FlagAC = 1 << 18

	flagOne  = 1 << 1 // always set
	status   = FlagCF | FlagPF | FlagAF | FlagZF | FlagSF | FlagOF
	changing = status | FlagIF | FlagDF | FlagAC | 1<<8 | 1<<14 | 1<<21 // that POPF changes: and TF, NT, ID
)

// A Machine is one processor and its memory. The zero value is ready for use, with
// no memory. It is not safe for concurrent use; machines are independent of each
// other.
type Machine struct {
	R      [16]uint64 // general registers, by number
	Flags  uint64     // RFLAGS
	FS, GS uint64     // addresses of the segments

	// Guarded has indirect branches stop with NoLandingPad unless they land on
	// ENDBR64, as on a processor with IBT. Hooks need no landing pad.
	Guarded bool

	// OnTrap is called for INT3, UD0, UD1 and UD2; nil halts. It may read memory and
	// registers. If it says emu.Continue, execution goes on behind the instruction.
	OnTrap func(pc uint64) emu.BreakAction

	emu.Core
	hooks map[uint64]Hook

	pages   map[uint64]*codePage // by address
	page    *codePage            // that code was fetched from last
	pageAt  uint64
	seen    uint64 // Core.Changes when page was looked up
	next    uint64 // address of the next instruction
	pending bool   // an indirect branch has just been taken
}

// A Hook stands for a function. It finds arguments in m.R and leaves results there.
// After it, execution goes on at the return address, which is taken from the stack,
// unless the hook set PC or returned emu.ErrProceed; any other error ends the run.
// A hook may use Call.
type Hook func(m *Machine) error

// Hook has h called in place of the code at addr, whichever way PC comes there; nil
// takes the hook away.
func (m *Machine) Hook(addr uint64, h Hook) {
	if m.hooks == nil {
		m.hooks = map[uint64]Hook{}
	}
	if h == nil {
		delete(m.hooks, addr)
	} else {
		m.hooks[addr] = h
	}
}

// Call calls the function at fn with arguments (6 at most), on the stack at RSP,
// and runs until it returns; the result is RAX. RIP is then what it was before;
// other registers are as the function left them. The error is a *emu.Stop, and then
// the registers are those of the place where it stopped.
func (m *Machine) Call(fn uint64, args ...uint64) (uint64, error) {
	if !m.Enter() {
		return 0, &emu.Stop{Reason: emu.DepthLimit, PC: fn}
	}
	defer m.Leave()
	for i, a := range args {
		m.R[Args[i]] = a
	}
	pc := m.PC
	m.PC = fn
	if !m.push(emu.ReturnAddress, 8) {
		return 0, m.Failed()
	}
	if err := m.Run(emu.ReturnAddress); err != nil {
		return 0, err
	}
	m.PC = pc
	return m.R[RAX], nil
}

// Run executes from PC until PC is until; the instruction there is not executed.
// The error is a *emu.Stop; a *emu.Stop that a hook returned is passed on.
func (m *Machine) Run(until uint64) error {
	depth := m.Begin()
	m.page, m.pending = nil, false
	err := m.run(until)
	m.End(depth)
	return err
}

// Reset brings back the state before the first run, as emu.Machine.Reset does.
func (m *Machine) Reset() {
	m.R = [16]uint64{}
	m.Flags = flagOne
	m.FS, m.GS = 0, 0
	m.page = nil
	m.Core.Reset()
}

func (m *Machine) run(until uint64) error {
	for m.PC != until {
		pc := m.PC
		if h := m.hooks[pc]; h != nil {
			proceed, err := m.callHook(pc, h)
			if err != nil {
				return err
			}
			if !proceed {
				continue
			}
		}
		o, err := m.fetch(pc)
		if err != nil {
			return err
		}
		if m.pending && m.Guarded && o.kind != x64.Landing {
			m.Fail(emu.NoLandingPad, pc, emu.Exec)
			return m.Failed()
		}
		m.pending = false
		if !m.Step() {
			return &emu.Stop{Reason: emu.StepLimit, PC: pc}
		}
		m.next = pc + uint64(o.len)
		if !o.do(m, o) {
			return m.failed(pc)
		}
		if m.next != pc+uint64(o.len) || o.kind == x64.Jump || o.kind == x64.Call {
			m.Jumped(pc, m.next)
			m.pending = o.kind == x64.CallReg || o.kind == x64.JumpReg
		}
		m.PC = m.next
	}
	return nil
}

// failed is why the instruction at pc failed.
func (m *Machine) failed(pc uint64) error {
	stop := m.Failed()
	if stop.Reason == emu.Break {
		var buf [x64.MaxSize]byte
		n, _ := m.Code(pc, buf[:])
		stop.Text = x64.Text(buf[:n], pc, nil)
	}
	return stop
}

// callHook calls a hook. proceed reports whether the code under it is to be
// executed.
func (m *Machine) callHook(pc uint64, h Hook) (proceed bool, err error) {
	if !m.Step() {
		return false, &emu.Stop{Reason: emu.StepLimit, PC: pc}
	}
	err = h(m)
	m.page, m.pending = nil, false
	var stop *emu.Stop
	switch {
	case err == emu.ErrProceed:
		return true, nil
	case errors.As(err, &stop):
		return false, err
	case err != nil:
		return false, &emu.Stop{Reason: emu.HookFailed, PC: pc, Err: err}
	case m.PC == pc:
		to, ok := m.pop(8)
		if !ok {
			return false, m.Failed()
		}
		m.PC = to
	}
	m.Jumped(pc, m.PC)
	return false, nil
}

// A codePage is the decoded code of one page.
type codePage struct {
	version uint64 // see emu.Core.Code
	ops     [emu.PageSize]*op
}

// fetch is the decoded instruction at pc.
func (m *Machine) fetch(pc uint64) (*op, error) {
	at := pc &^ (emu.PageSize - 1)
	if m.page != nil && m.pageAt == at && m.seen == m.Changes() {
		if o := m.page.ops[pc-at]; o != nil {
			return o, nil
		}
	}
	var buf [x64.MaxSize]byte
	n, version := m.Code(pc, buf[:])
	if n == 0 {
		return nil, m.Failed()
	}
	p := m.pages[at]
	if p == nil {
		if m.pages == nil {
			m.pages = map[uint64]*codePage{}
		}
		p = new(codePage)
		m.pages[at] = p
	}
	if p.version != version {
		*p = codePage{version: version}
	}
	m.page, m.pageAt, m.seen = p, at, m.Changes()
	if o := p.ops[pc-at]; o != nil {
		return o, nil
	}
	in, ok := x64.Decode(buf[:n])
	switch {
	case !ok && n < len(buf): // its bytes go on where nothing can be executed
		return nil, m.Failed()
	case !ok:
		return nil, &emu.Stop{Reason: emu.UnknownInstruction, PC: pc, Code: string(buf[:])}
	}
	o, ok := compile(&in, pc)
	if !ok {
		return nil, &emu.Stop{Reason: emu.UnknownInstruction, PC: pc, Code: string(buf[:in.Len])}
	}
	if pc-at+uint64(in.Len) <= emu.PageSize { // otherwise the page behind can change it
		p.ops[pc-at] = o
	}
	return o, nil
}

// push and pop are the stack's instructions.
func (m *Machine) push(v uint64, size uint8) bool {
	sp := m.R[RSP] - uint64(size)
	if !m.Put(sp, v, size) {
		return false
	}
	m.R[RSP] = sp
	return true
}

func (m *Machine) pop(size uint8) (uint64, bool) {
	v, ok := m.Get(m.R[RSP], size)
	if ok {
		m.R[RSP] += uint64(size)
	}
	return v, ok
}
