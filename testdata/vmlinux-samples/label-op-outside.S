// The op-pointer label stands on a load of function_trace_op, but on one outside
// of the region that is copied.
//
// build: label-op-outside

#include "image.inc"
#include "entry-dyntramp.inc"

	image_head
	builder
	site_functions

	tramp_regs_caller
	tramp_caller

	entry	ftrace_common
	sub	x0, x30, #4		// want FT112 "ftrace_common|ftrace_caller"
	mov	x1, x9
	load_var x2, function_trace_op
	mov	x3, sp
	tramp_common_call
	endentry ftrace_common
	label	ftrace_common_end

	tramp_rest

	func	current_op
	label	function_trace_op_ptr
	load_var x2, function_trace_op	// want FT102 "function_trace_op_ptr"
	mov	x0, x2
	ret
	endfunc	current_op

	traced	vfs_read
	traced	vfs_write
	ftrace_data
