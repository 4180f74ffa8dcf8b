// Package emu executes A64 code out of an image, in-process: registers,
// memory with permissions, hooks on functions, and callbacks for the stores,
// traps and cache maintenance that a caller wants to see. Nothing is booted:
// a function is called with arguments and runs until it returns or until the
// machine cannot go on; a *Stop says why.
//
// The machine knows the integer instructions that compilers use for kernels
// (DDI 0487, C3.1 to C3.4), LSE atomics, and loads and stores of SIMD registers;
// the table in forms.go lists them. There is one processor, at
// EL1, and time is counted in instructions.
//
// Pointer authentication does nothing: PAC* and AUT* and XPAC* keep the
// pointer as it is, as on a processor whose keys are off, and RETAA, BRAA and
// their kin branch as RET and BR do. With SignsLR, PACIASP and its kin sign LR,
// and AUTIASP and RETAA and their kin check the signature.
package emu

import "errors"

// ReturnAddress is what LR holds when Call enters a function. No image has
// memory there, nor where a load or store comes to from there.
const ReturnAddress = 0xffff_ffff_ff00_0000

// A Machine is one processor and its memory. The zero value is ready for use,
// with no memory. It is not safe for concurrent use; machines are independent
// of each other.
type Machine struct {
	X          [31]uint64 // general registers X0..X30
	SP         uint64
	N, Z, C, V bool               // condition flags
	Q          [32][2]uint64      // SIMD registers; the low half first
	Sys        [numSysRegs]uint64 // system registers, by SysReg

	// Guarded has indirect branches stop with NoLandingPad unless they land on
	// a BTI or PACIASP that accepts them, as if all pages were guarded on a
	// processor with BTI. Hooks need no landing pad.
	Guarded bool

	// SignsLR has LR signed and checked where code asks for that, as on a processor
	// with pointer authentication that faults where a signature is wrong
	// (FEAT_FPAC).
	SignsLR bool

	// Callbacks, which may be nil. They may read memory and registers; only
	// hooks may change registers.
	OnBreak func(pc uint64, imm uint16) BreakAction      // BRK; nil halts
	OnMaint func(pc uint64, kind MaintKind, addr uint64) // cache maintenance and barriers

	Core
	hooks map[uint64]Hook
	cpu
}

// cpu is what executing needs beside the architectural state.
type cpu struct {
	// r is the register file as instructions see it while Run is active:
	// X0..X30, SP, a register that is always zero and one that takes what is
	// written to XZR. It has 256 entries so that no uint8 is out of range.
	r       [256]uint64
	monitor struct { // of the exclusive instructions
		valid bool
		addr  uint64
		size  uint8 // bytes
	}
	proceed op // the instruction under a hook
}

// Numbers of the registers in cpu.r that are not X0..X30.
const (
	regSP   = 31
	regZero = 32 // source XZR
	regSink = 33 // destination XZR
)

// A Hook stands for a function. It finds arguments in m.X and leaves results
// there. After it, execution goes on at LR, unless the hook set PC or returned
// ErrProceed; any other error ends the run. A hook may use Call.
type Hook func(m *Machine) error

// ErrProceed is what a Hook returns to have the hooked code itself executed.
var ErrProceed = errors.New("emu: execute the hooked code")

// BreakAction is what to do after BRK.
type BreakAction uint8

const (
	Halt     BreakAction = iota // end the run with a *Stop: BUG()
	Continue                    // go on behind the BRK: WARN()
)

// MaintKind says which maintenance or barrier instruction was executed.
type MaintKind uint8

const (
	DCClean      MaintKind = iota // DC CVAC, CVAP, CVADP: clean to memory, by address
	DCCleanPoU                    // DC CVAU: clean to where instruction fetches see it, by address
	DCCleanInval                  // DC CIVAC, by address
	DCInval                       // DC IVAC, by address
	DCZero                        // DC ZVA; zeroes the block of 64 bytes, too
	DCSetWay                      // DC ISW, CSW, CISW; the address is the operand
	ICInval                       // IC IVAU, by address
	ICInvalAll                    // IC IALLU, IALLUIS
	TLBInval                      // TLBI; the address is the operand
	DMB
	DSB
	ISB
)

var maintNames = [...]string{"dc cvac", "dc cvau", "dc civac", "dc ivac", "dc zva", "dc (set/way)", "ic ivau", "ic iallu", "tlbi", "dmb", "dsb", "isb"}

func (k MaintKind) String() string { return maintNames[k] }

// Hook has h called in place of the code at addr, whichever way PC comes
// there; nil takes the hook away.
func (m *Machine) Hook(addr uint64, h Hook) {
	if m.hooks == nil {
		m.hooks = make(map[uint64]Hook)
	}
	if h == nil {
		delete(m.hooks, addr)
	} else {
		m.hooks[addr] = h
	}
	m.forgetAt(addr, 1)
}

// Call calls the function at fn with arguments in X0.. (8 at most), on the
// stack at m.SP, and runs until it returns; the result is X0. PC and LR are
// then what they were before; other registers are as the function left them.
// The error is a *Stop, and then the registers are those of the place where it
// stopped.
func (m *Machine) Call(fn uint64, args ...uint64) (uint64, error) {
	if !m.Enter() {
		return 0, &Stop{Reason: DepthLimit, PC: fn}
	}
	pc, lr := m.PC, m.X[30]
	copy(m.X[:8], args)
	m.X[30] = ReturnAddress
	m.PC = fn
	err := m.Run(ReturnAddress)
	m.Leave()
	if err != nil {
		return 0, err
	}
	m.PC, m.X[30] = pc, lr
	return m.X[0], nil
}

// Run executes from m.PC until PC is until; the instruction there is not
// executed. The error is a *Stop; a *Stop that a hook returned is passed on.
func (m *Machine) Run(until uint64) error {
	depth := m.Begin()
	m.codeAt = noPage
	m.regsIn()
	err := m.run(until)
	m.regsOut()
	m.End(depth)
	return err
}

// Reset brings back the state before the first run: registers, flags, system
// registers and Steps are zero, and memory is what Load gives. Hooks,
// callbacks and limits stay. Pages of Load that nobody changed are kept, with
// their decoded code, so that a machine can serve many runs cheaply: Load must
// give the same for the same address.
func (m *Machine) Reset() {
	m.X = [31]uint64{}
	m.SP = 0
	m.N, m.Z, m.C, m.V = false, false, false, false
	m.Q = [32][2]uint64{}
	m.Sys = [numSysRegs]uint64{}
	m.monitor.valid = false
	m.Core.Reset()
}

// regsIn and regsOut move the general registers between X and SP, which
// callers see, and r, which instructions use.
func (m *Machine) regsIn() {
	copy(m.r[:31], m.X[:])
	m.r[regSP] = m.SP
	m.r[regZero] = 0
}

func (m *Machine) regsOut() {
	copy(m.X[:], m.r[:31])
	m.SP = m.r[regSP]
}
