// An end label that lies in .data.
// 
// want-image FT102 "ftrace_common_end.*[.]data|ftrace_common_end.*text"
//
// build: label-outside-text

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
	label	function_trace_op_ptr
	load_var x2, function_trace_op
	mov	x3, sp
	tramp_common_call
	endentry ftrace_common

	.data
	label	ftrace_common_end
	.quad	0
	.text

	tramp_rest

	traced	vfs_read
	traced	vfs_write
	ftrace_data
