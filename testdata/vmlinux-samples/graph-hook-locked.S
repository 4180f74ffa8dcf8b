// A function is traced that the graph tracer's hook comes to behind a lock against
// recursion. Functions are traced that it comes to before the lock, but only to warn,
// as a kernel that is compiled for size has it. prepare_ftrace_return is traced where nothing calls it, which does no
// harm: the hook has its own copy, as in 6.12.
//
// build: graph-hook-locked

#include "image.inc"
#include "entry-regs.inc"
#include "graph-hook.inc"

	image_head
	regs_entry_code hook=0
	site_functions
	weak_update_trampoline
	graph_hook
	graph_enter locked=1
	traced	sched_clock
	traced	traced_elsewhere
	traced	__warn_printk
	traced	prepare_ftrace_return
	ftrace_data
