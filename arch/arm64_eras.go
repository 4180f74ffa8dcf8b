package arch

import "github.com/ftlint/ftlint/a64"

// The eras of arm64.
var (
	// Mcount is the era of kernels up to 5.4, and of kernels whose compiler has no
	// patchable function entries. BL _mcount stands behind the prologue.
	Mcount = &Era{
		Name: "mcount", Shape: BLMcount, Slot: true, Hint: "_mcount", Unknown: true,
		Paths: []Path{{Callback, "ftrace_caller"}, {Graph, "ftrace_caller"}, {ReturnToHandler, "return_to_handler"}},
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
		Name: "regs", Shape: NOPs, Regs: PtRegs, Slot: true, Far: FarRefused, Unknown: true,
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
		Name: "dyntramp", Shape: NOPs, Regs: PtRegs, Slot: true, Template: true,
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
	fromPLT     = Indirect{"ftrace_caller", "BR x16 in a module's PLT entry for ftrace", accepts(a64.BranchIP)}
	fromPLTRegs = Indirect{"ftrace_regs_caller", "BR x16 in a module's PLT entry for ftrace", accepts(a64.BranchIP)}
	fromOps     = Indirect{"ftrace_stub", "BLR x4 of ftrace_caller, as the callback of ftrace_nop_ops", accepts(a64.BranchCall)}
	fromDirect  = Indirect{"ftrace_stub_direct_tramp", "BR x17 of ftrace_caller_direct", accepts(a64.BranchIP)}
	fromFgraph  = Indirect{"ftrace_stub_graph", "an indirect call, as the fgraph callback while there is none", accepts(a64.BranchCall)}
	fromGraph   = Indirect{"ftrace_graph_func", "an indirect call, as the callback of the graph tracer", accepts(a64.BranchCall)}
	fromList    = Indirect{"ftrace_stub", "an indirect call, as the callback of an ops that is no longer registered", accepts(a64.BranchCall)}

	indirect          = []Indirect{fromPLT, fromPLTRegs, fromList, fromFgraph, fromGraph}
	indirectOfCallops = []Indirect{fromPLT, fromPLTRegs, fromOps, fromDirect, fromFgraph, fromGraph}
)

// Paths that eras share, in the order in which they are executed.
var (
	pathsOfRegs = []Path{
		{Callback, "ftrace_caller"}, {Redirect, "ftrace_caller"}, {Graph, "ftrace_caller"},
		{Callback, "ftrace_regs_caller"}, {Redirect, "ftrace_regs_caller"}, {Graph, "ftrace_regs_caller"},
		{ReturnToHandler, "return_to_handler"},
	}
	pathsOfArgs = []Path{
		{Callback, "ftrace_caller"}, {Redirect, "ftrace_caller"}, {Graph, "ftrace_caller"}, {Direct, "ftrace_caller"}, {LateDirect, "ftrace_caller"},
		{StubDirect, "ftrace_stub_direct_tramp"},
		{ReturnToHandler, "return_to_handler"},
	}
)
