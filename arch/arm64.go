package arch

import (
	"debug/elf"

	"github.com/ftlint/ftlint/a64"
)

// ARM64 is the arm64 architecture.
var ARM64 = &Arch{
	Name:     "arm64",
	Machine:  elf.EM_AARCH64,
	Class:    elf.ELFCLASS64,
	Data:     elf.ELFDATA2LSB,
	InsnSize: a64.Size,
	Call:     a64.ReachOf(a64.Call),

	// Dyntramp stands before RegsEra because its images have RegsEra's symbols, too.
	Eras:   []*Era{Dyntramp, RegsEra, Mcount, Args, Callops},
	Shapes: []*Shape{BLMcount, NOPs, OpsAndNOPs},

	EntryPoints: []string{
		"ftrace_regs_caller", "ftrace_caller", "ftrace_common", "ftrace_graph_caller",
		"ftrace_caller_direct_late", "ftrace_caller_direct", "ftrace_stub_direct_tramp",
		"_mcount", "return_to_handler",
	},
	CallSlot:  "ftrace_call",
	GraphSlot: "ftrace_graph_call",
	Regions: []Region{
		{"ftrace_regs_caller", "ftrace_regs_caller_end"},
		{"ftrace_caller", "ftrace_caller_end"},
		{"ftrace_common", "ftrace_common_end"},
	},
	OpLoad: "function_trace_op_ptr",

	// Live leaves out X9-X17, which may be clobbered at a callsite: see the
	// comment in arch/arm64/kernel/ftrace.c. Saved is from AAPCS64, 6.1.1.
	Live:  []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30},
	Saved: []int{19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29},

	Patching: Patching{
		Read:          []string{"aarch64_insn_read"},
		Write:         []string{"aarch64_insn_patch_text_nosync", "aarch64_insn_write"},
		WriteLiteral:  []string{"aarch64_insn_write_literal_u64"},
		Branch:        "aarch64_insn_gen_branch_imm",
		Makers:        []string{"aarch64_insn_gen_branch_imm", "aarch64_insn_gen_nop", "aarch64_insn_gen_move_reg"},
		MakerPrefixes: []string{"aarch64_insn_gen_", "aarch64_set_branch_offset", "aarch64_insn_adrp_set_offset", "aarch64_insn_encode_"},
	},
	Modules: Modules{
		Tables:   []string{"__patchable_function_entries", "__mcount_loc"},
		PLT:      ".text.ftrace_trampoline",
		InitPLT:  ".init.text.ftrace_trampoline",
		PLTEntry: 3 * a64.Size, // ADRP, ADD, BR
	},
}

// The shapes of arm64's callsites.
var (
	BLMcount   = &Shape{Text: "`bl _mcount`", Words: 1}
	NOPs       = &Shape{Text: "`nop; nop` at the function's entry", Words: 2, SavesLR: true}
	OpsAndNOPs = &Shape{Text: "`nop; nop` before the function and `nop; nop` in it", Words: 4, SavesLR: true, Literal: 8}
)

// The structures in which the callback finds a callsite's registers.
var (
	// ptRegs is struct pt_regs: regs[31], sp, pc.
	ptRegs = &Regs{FP: 29 * 8, LR: 30 * 8, SP: 31 * 8, PC: 32 * 8}
	// FtraceRegs is struct ftrace_regs: regs[9], direct_tramp, fp, lr, sp, pc
	// ("ftrace: arm64: move from REGS to ARGS").
	FtraceRegs = &Regs{Direct: 72, FP: 80, LR: 88, SP: 96, PC: 104}
)

// The eras of arm64.
var (
	// Mcount is the era of kernels up to 5.4, and of kernels whose compiler has no
	// patchable function entries. BL _mcount stands behind the prologue.
	Mcount = &Era{
		Name: "mcount", Shape: BLMcount, Slot: true, Hint: "_mcount", Unknown: true,
		Paths: []Path{{Callback, "ftrace_caller"}, {ReturnToHandler, "return_to_handler"}},
		Labels: []Label{
			{Name: "_mcount", Role: "what the compiler's BL at each function calls",
				NeededBy: "every callsite, whose BL goes here until ftrace has patched it"},
			{Name: "ftrace_caller", Role: "entry code: calls the callback, returns to the callsite", Needs: dynamic,
				NeededBy: "every enabled callsite, whose BL goes here"},
			{Name: "ftrace_call", Role: "a NOP, patched to the BL to the callback", Needs: dynamic,
				NeededBy: "ftrace_update_ftrace_func(), which patches it"},
			{Name: "ftrace_graph_call", Role: "a NOP, patched to B ftrace_graph_caller", Needs: dynamicFgraph,
				NeededBy: "ftrace_enable_ftrace_graph_caller(), which patches it"},
			{Name: "ftrace_graph_caller", Role: "calls prepare_ftrace_return()", Needs: fgraph,
				NeededBy: "ftrace_graph_call (or _mcount, where ftrace is not dynamic), which branches to it when fgraph is on"},
			{Name: "ftrace_stub", Role: "a RET: the callback while there is none",
				NeededBy: "the core, whose callback it is until one is set"},
			returnToHandler,
		},
	}
	// RegsEra is the era of kernels 5.5 to 6.1. ftrace_regs_caller and
	// ftrace_caller both end in a branch to ftrace_common.
	RegsEra = &Era{
		Name: "regs", Shape: NOPs, Regs: ptRegs, Slot: true, Far: FarRefused, Unknown: true,
		Symbols:  []string{"ftrace_regs_caller", "ftrace_common"},
		Paths:    pathsOfRegs,
		Indirect: indirect,
		Labels:   labelsOfRegs,
	}
	// Args is the era of kernels from 6.2 on without CALL_OPS. They have one
	// ftrace_caller, which contains ftrace_call.
	Args = &Era{
		Name: "args", Shape: NOPs, Regs: FtraceRegs, Slot: true, Hint: "ftrace_call",
		Paths:    pathsOfArgs,
		Indirect: indirect,
		Labels: []Label{
			{Name: "ftrace_caller", Role: "entry code: saves ftrace_regs, loads the callback's arguments, calls it, restores, returns",
				NeededBy: "every enabled callsite, whose BL goes here"},
			callSlot,
			stub,
			stubGraph,
			returnToHandler,
		},
	}
	// Callops is the era of kernels from 6.3 on with CALL_OPS. A pointer to the
	// ops stands before each function.
	Callops = &Era{
		Name: "callops", Shape: OpsAndNOPs, Regs: FtraceRegs, Far: FarByOps, Unknown: true,
		Paths:    pathsOfArgs,
		Indirect: indirectOfCallops,
		Labels: []Label{
			{Name: "ftrace_caller", Role: "entry code: loads the ops from before the function, calls ops->func by BLR, restores, returns",
				NeededBy: "every enabled callsite, whose BL goes here"},
			// The next two are local symbols. Stripping local symbols removes both,
			// so where one is in the symbol table the other must be, too.
			{Name: "ftrace_caller_direct", Role: "BR x17 to the direct trampoline", Needs: "ftrace_caller_direct_late",
				NeededBy: "ftrace_caller, which branches here if ops->direct_call is set"},
			{Name: "ftrace_caller_direct_late", Role: "restores LR, PC and SP, then goes on into ftrace_caller_direct", Needs: "ftrace_caller_direct",
				NeededBy: "ftrace_caller, which branches here if a callback has set a direct trampoline"},
			{Name: "ftrace_stub_direct_tramp", Role: "a direct trampoline that does nothing: returns to the callsite", Needs: direct,
				NeededBy: "users of direct calls, as the trampoline while there is none"},
			{Name: "ftrace_stub", Role: "a RET: the callback while there is none",
				NeededBy: "ftrace_nop_ops, whose callback it is"},
			stubGraph,
			returnToHandler,
		},
	}
	// Dyntramp is RegsEra with the dynamic trampolines of the RFC of 2020.
	Dyntramp = &Era{
		Name: "dyntramp", Shape: NOPs, Regs: ptRegs, Slot: true, Template: true,
		Symbols:  []string{"ftrace_caller_end", "ftrace_regs_caller_end", "function_trace_op_ptr", "ftrace_common_end"},
		Paths:    pathsOfRegs,
		Indirect: indirect,
		Labels: append(labelsOfRegs[:len(labelsOfRegs):len(labelsOfRegs)],
			Label{Name: "ftrace_caller_end", Role: "end of what is copied of ftrace_caller",
				NeededBy: "the builder, which copies from ftrace_caller to here"},
			Label{Name: "ftrace_regs_caller_end", Role: "end of what is copied of ftrace_regs_caller",
				NeededBy: "the builder, which copies from ftrace_regs_caller to here"},
			Label{Name: "function_trace_op_ptr", Role: "the ADRP of the pair that loads function_trace_op",
				NeededBy: "the builder, which puts a load of the trampoline's own ops in its place"},
			Label{Name: "ftrace_common_end", Role: "end of what is copied of ftrace_common",
				NeededBy: "the builder, which copies from ftrace_common to here and counts call slots back from it"},
			Label{Name: "arch_ftrace_update_trampoline", Role: "the arch hook that builds or updates an ops' trampoline",
				NeededBy: "the core, which calls it for each ops; its own weak stub builds nothing"},
		),
	}
)

// The entry points that indirect branches reach. The other entry points need no
// landing pad: BL calls them, and RET goes to return_to_handler.
var (
	fromPLT     = Indirect{"ftrace_caller", "BR x16 in a module's PLT entry for ftrace", a64.BranchIP}
	fromPLTRegs = Indirect{"ftrace_regs_caller", "BR x16 in a module's PLT entry for ftrace", a64.BranchIP}
	fromOps     = Indirect{"ftrace_stub", "BLR x4 of ftrace_caller, as the callback of ftrace_nop_ops", a64.BranchCall}
	fromDirect  = Indirect{"ftrace_stub_direct_tramp", "BR x17 of ftrace_caller_direct", a64.BranchIP}
	fromFgraph  = Indirect{"ftrace_stub_graph", "an indirect call, as the fgraph callback while there is none", a64.BranchCall}

	indirect          = []Indirect{fromPLT, fromPLTRegs, fromFgraph}
	indirectOfCallops = []Indirect{fromPLT, fromPLTRegs, fromOps, fromDirect, fromFgraph}
)

// Paths that eras share, in the order in which they are executed.
var (
	pathsOfRegs = []Path{
		{Callback, "ftrace_caller"}, {Redirect, "ftrace_caller"}, {Graph, "ftrace_caller"},
		{Callback, "ftrace_regs_caller"}, {Redirect, "ftrace_regs_caller"}, {Graph, "ftrace_regs_caller"},
		{ReturnToHandler, "return_to_handler"},
	}
	pathsOfArgs = []Path{
		{Callback, "ftrace_caller"}, {Redirect, "ftrace_caller"}, {Direct, "ftrace_caller"}, {LateDirect, "ftrace_caller"},
		{StubDirect, "ftrace_stub_direct_tramp"},
		{ReturnToHandler, "return_to_handler"},
	}
)

// Symbols that are in an image if and only if configuration options are on.
const (
	fgraph  = "ftrace_return_to_handler" // FUNCTION_GRAPH_TRACER: the core's half of the return path
	direct  = "ftrace_find_rec_direct"   // DYNAMIC_FTRACE_WITH_DIRECT_CALLS
	dynamic = "ftrace_make_call"         // DYNAMIC_FTRACE: the arch hook that enables a callsite
	// dynamicFgraph tells of DYNAMIC_FTRACE and FUNCTION_GRAPH_TRACER together:
	// the hook that patches ftrace_graph_call, or the core's weak stub of it.
	dynamicFgraph = "ftrace_enable_ftrace_graph_caller"
	// fgraphDirectly is the arch hook of kernels in which fgraph is a callback
	// like any other, since "arm64/ftrace: Make function graph use ftrace
	// directly". They have neither ftrace_graph_call nor ftrace_graph_caller.
	fgraphDirectly = "ftrace_graph_func"
)

// Labels that eras share.
var (
	stub = Label{Name: "ftrace_stub", Role: "a RET: the callback while there is none",
		NeededBy: "ftrace_call, which calls it until a callback is set"}
	stubGraph = Label{Name: "ftrace_stub_graph", Role: "a RET: the fgraph callback while there is none", Needs: fgraph,
		NeededBy: "fgraph, whose callbacks it stands in for"}
	returnToHandler = Label{Name: "return_to_handler", Role: "where a function that fgraph traces returns to", Needs: fgraph,
		NeededBy: "prepare_ftrace_return(), which writes its address over the saved LR"}
	callSlot = Label{Name: "ftrace_call", Role: "the BL to the callback, patched",
		NeededBy: "ftrace_update_ftrace_func(), which patches it"}
	graphCallSlot = Label{Name: "ftrace_graph_call", Role: "a NOP, patched to B ftrace_graph_caller", Needs: fgraph, Unless: fgraphDirectly,
		NeededBy: "ftrace_enable_ftrace_graph_caller(), which patches it"}
	graphCaller = Label{Name: "ftrace_graph_caller", Role: "calls prepare_ftrace_return()", Needs: fgraph, Unless: fgraphDirectly,
		NeededBy: "ftrace_graph_call, which branches to it when fgraph is on"}
)

var labelsOfRegs = []Label{
	{Name: "ftrace_regs_caller", Role: "entry code that saves all registers; ends in B ftrace_common",
		NeededBy: "callsites whose ops ask for registers (FTRACE_OPS_FL_SAVE_REGS)"},
	{Name: "ftrace_caller", Role: "entry code that saves what is live at a callsite; ends in B ftrace_common",
		NeededBy: "every enabled callsite, whose BL goes here"},
	{Name: "ftrace_common", Role: "loads the callback's arguments, calls it, restores, returns",
		NeededBy: "ftrace_caller and ftrace_regs_caller, which end in a branch to it"},
	callSlot,
	graphCallSlot,
	graphCaller,
	stub,
	returnToHandler,
}
