// A function is traced that the graph tracer's hook comes to after two more, where
// no lock keeps tracers from recursion. The core's callback for several tracers is
// traced, too.
//
// build: graph-hook-deep

#include "image.inc"
#include "entry-regs.inc"
#include "graph-hook.inc"

	image_head
	regs_entry_code hook=0
	site_functions
	weak_update_trampoline
	graph_hook
	graph_enter	// want FT406 "^sched_clock has a callsite.*trace_clock_local, called by function_graph_enter, called by ftrace_graph_func, which the entry code calls when the graph tracer is on, calls it with `bl sched_clock`"
	traced	sched_clock
	traced	traced_elsewhere
	traced	arch_ftrace_ops_list_func	// want FT406 "^arch_ftrace_ops_list_func has a callsite.* when several tracers are on"
	ftrace_data
