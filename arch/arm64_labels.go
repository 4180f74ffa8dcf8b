package arch

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
