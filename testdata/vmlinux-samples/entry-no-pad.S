// Built for BTI, but ftrace_caller has no landing pad: a module that is out of BL
// range comes through a PLT's BR. Nor has the graph tracer's callback, which BLR calls.
//
// build: entry-no-pad

#include "image.inc"
#include "entry-regs.inc"

	image_head
	site_functions

	notrace	ftrace_return_to_handler
	entry_regs_caller

	entry	ftrace_caller
	save_callsite 0			// want FT114 "ftrace_caller([^a-z_]|$)"
	b	ftrace_common
	endentry ftrace_caller

	entry_common hook=0		// reached by B alone: needs none

	func	ftrace_graph_func
	mov	x4, x30			// want FT114 "ftrace_graph_func"
	ret	x4
	endfunc	ftrace_graph_func

	entry_stub
	entry_return

	traced	vfs_read, bti=1
	traced	vfs_write, bti=1
	ftrace_data
