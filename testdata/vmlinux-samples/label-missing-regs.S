// Era regs, but nothing is named ftrace_call: the kernel would not know which
// instruction of ftrace_common to patch. That there is no ftrace_graph_call is no
// defect: 6.1 has none.
//
// build: label-missing-regs

#include "image.inc"
#include "entry-regs.inc"

	image_head
	site_functions

	notrace	ftrace_return_to_handler
	entry_regs_caller

	entry	ftrace_caller
	bti	c			// want FT101 "ftrace_call([^a-z_]|$)"
	save_callsite 0
	b	ftrace_common
	endentry ftrace_caller

	entry	ftrace_common
	sub	x0, x30, #4
	mov	x1, x9
	load_var x2, function_trace_op
	mov	x3, sp
	bl	ftrace_stub
	restore_callsite
	ret	x9
	endentry ftrace_common
	notrace	ftrace_graph_func

	entry_stub
	entry_return

	traced	vfs_read
	traced	vfs_write
	ftrace_data
