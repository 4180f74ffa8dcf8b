package rules

import "github.com/ftlint/ftlint/elfscan"

// Label is a symbol that ftrace's entry code or its builder needs. All of
// them stand in kernel text; data (function_trace_op, the callsite table's
// borders) is not listed, because images whose symbols come from kallsyms may
// lack it.
type Label struct {
	Name     string
	Role     string // one line: what stands there
	Needs    string // needed only if this symbol is in the image; "" = always in this era
	Unless   string // not needed if this symbol is in the image
	NeededBy string // what breaks without it
}

// fgraph and direct are symbols that are in an image if and only if a
// configuration option is on.
const (
	fgraph  = "ftrace_return_to_handler" // FUNCTION_GRAPH_TRACER: core's half of the return path
	direct  = "ftrace_find_rec_direct"   // DYNAMIC_FTRACE_WITH_DIRECT_CALLS
	dynamic = "ftrace_make_call"         // DYNAMIC_FTRACE: the arch hook that enables a callsite
	// DYNAMIC_FTRACE and FUNCTION_GRAPH_TRACER together: the hook that
	// patches ftrace_graph_call, in the arch or as core's weak stub.
	dynamicFgraph = "ftrace_enable_ftrace_graph_caller"
	// The arch hook of kernels in which fgraph is a callback like any other,
	// since "arm64/ftrace: Make function graph use ftrace directly". They
	// have neither ftrace_graph_call nor ftrace_graph_caller.
	fgraphDirectly = "ftrace_graph_func"
)

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

var labelsOf = map[elfscan.Era][]Label{
	elfscan.EraMcount: {
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
	elfscan.EraRegs: labelsOfRegs,
	elfscan.EraArgs: {
		{Name: "ftrace_caller", Role: "entry code: saves ftrace_regs, loads the callback's arguments, calls it, restores, returns",
			NeededBy: "every enabled callsite, whose BL goes here"},
		callSlot,
		stub,
		stubGraph,
		returnToHandler,
	},
	elfscan.EraCallops: {
		{Name: "ftrace_caller", Role: "entry code: loads the ops from before the function, calls ops->func by BLR, restores, returns",
			NeededBy: "every enabled callsite, whose BL goes here"},
		// The next two are local symbols: where one is in the symbol table
		// the other must be, and stripping local symbols takes both.
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
	elfscan.EraDyntramp: append(labelsOfRegs[:len(labelsOfRegs):len(labelsOfRegs)],
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

// Labels returns the labels of an era, in no order that means anything; nil
// for EraNone. The caller must not change them.
func Labels(e elfscan.Era) []Label { return labelsOf[e] }

// NeededIn says whether an image that has these symbols needs the label.
func (l Label) NeededIn(has func(symbol string) bool) bool {
	return (l.Needs == "" || has(l.Needs)) && (l.Unless == "" || !has(l.Unless))
}
