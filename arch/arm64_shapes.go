package arch

// The shapes of arm64's callsites.
var (
	BLMcount   = &Shape{Text: "`bl _mcount`", Words: 1, Tracer: "_mcount"}
	NOPs       = &Shape{Text: "`nop; nop` at the function's entry", Words: 2, SavesLR: true}
	OpsAndNOPs = &Shape{Text: "`nop; nop` before the function and `nop; nop` in it", Words: 4, SavesLR: true, Literal: 8}
)

// The structures in which the callback finds a callsite's registers.
var (
	// PtRegs is struct pt_regs: regs[31], sp, pc, pstate.
	PtRegs = &Regs{FP: 29 * 8, LR: 30 * 8, SP: 31 * 8, PC: 32 * 8, PState: 33 * 8}
	// FtraceRegs is struct ftrace_regs: regs[9], direct_tramp, fp, lr, sp, pc
	// ("ftrace: arm64: move from REGS to ARGS").
	FtraceRegs = &Regs{Direct: 72, FP: 80, LR: 88, SP: 96, PC: 104}
)
