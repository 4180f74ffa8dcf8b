// The graph tracer's hook is traced, and so is what it calls: with the graph
// tracer on, a call of either is traced by calling it.
//
// build: graph-hook-traced

#include "image.inc"
#include "entry-regs.inc"
#include "graph-hook.inc"

	image_head
	regs_entry_code hook=0
	site_functions
	weak_update_trampoline
	traced	function_graph_enter
	graph_hook traced=1	// want FT406 "^ftrace_graph_func has a callsite" FT406 "^function_graph_enter has a callsite.*calls it with `bl function_graph_enter`"
	traced	arch_ftrace_update_code
	traced	aarch64_insn_write
	ftrace_data
