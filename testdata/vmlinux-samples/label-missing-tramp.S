// A dynamic trampoline's labels, all but function_trace_op_ptr: the builder could
// not find the load that it has to rewrite.
//
// build: label-missing-tramp

#include "image.inc"
#include "entry-dyntramp.inc"

	image_head
	builder
	site_functions

	tramp_regs_caller

	entry	ftrace_caller
	save_callsite 0			// want FT101 "function_trace_op_ptr"
	b	ftrace_common
	endentry ftrace_caller
	label	ftrace_caller_end

	entry	ftrace_common
	sub	x0, x30, #4		// want FT112 "ftrace_common|ftrace_caller"
	mov	x1, x9
	load_var x2, function_trace_op
	mov	x3, sp
	tramp_common_call
	endentry ftrace_common
	label	ftrace_common_end

	tramp_rest

	traced	vfs_read
	traced	vfs_write
	ftrace_data
