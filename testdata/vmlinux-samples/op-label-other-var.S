// The op-pointer label stands on an ADRP+LDR pair, but on that of another
// variable.
//
// build: op-label-other-var

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
	load_var x2, ftrace_ops_list	// want FT107 "function_trace_op_ptr.*ftrace_ops_list"
	load_var x2, function_trace_op
	mov	x3, sp
	tramp_common_call
	endentry ftrace_common
	label	ftrace_common_end

	tramp_rest

	traced	vfs_read
	traced	vfs_write
	ftrace_data
