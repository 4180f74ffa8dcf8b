// The graph tracer's hook is not traced, and calls a function that is under a lock
// against recursion. Functions that patch are traced, which does no harm: 6.1 has
// that.
//
// build: graph-hook-guarded

#include "image.inc"
#include "entry-regs.inc"
#include "graph-hook.inc"

	image_head
	regs_entry_code hook=0
	site_functions
	weak_update_trampoline
	traced	function_graph_enter
	graph_hook guarded=1
	traced	arch_ftrace_update_code
	traced	aarch64_insn_write
	ftrace_data
