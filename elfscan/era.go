package elfscan

// Era is a generation of arm64 ftrace: what the callsites and the entry code
// look like. Eras are told apart by symbols and by the callsites, never by a
// version string.
type Era uint8

const (
	EraNone     Era = iota // no ftrace, or nothing that tells
	EraMcount              // to 5.4: BL _mcount after the prologue
	EraRegs                // 5.5 to 6.1: ftrace_regs_caller and ftrace_caller, joined by ftrace_common
	EraArgs                // 6.2 on, without CALL_OPS: one ftrace_caller with ftrace_call in it
	EraCallops             // 6.3 on, with CALL_OPS: the ops pointer stands before each function
	EraDyntramp            // era regs plus dynamic trampolines, as the 2020 RFC has them
)

var eraNames = [...]string{"none", "mcount", "regs", "args", "callops", "dyntramp"}

func (e Era) String() string { return eraNames[e] }
