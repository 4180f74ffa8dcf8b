// An end label that stands before its start: the size of the copy would be
// negative.
//
// build: label-order

#include "image.inc"
#include "entry-dyntramp.inc"

	image_head
	builder
	site_functions

	tramp_regs_caller

	entry	ftrace_caller
	label	ftrace_common_end
	nop				// want FT102 "ftrace_common_end"
	save_callsite 0
	b	ftrace_common
	endentry ftrace_caller
	label	ftrace_caller_end

	entry	ftrace_common
	sub	x0, x30, #4		// want FT112 "ftrace_common|ftrace_caller"
	mov	x1, x9
	label	function_trace_op_ptr
	load_var x2, function_trace_op
	mov	x3, sp
	tramp_common_call
	endentry ftrace_common

	tramp_rest

	traced	vfs_read
	traced	vfs_write
	ftrace_data
