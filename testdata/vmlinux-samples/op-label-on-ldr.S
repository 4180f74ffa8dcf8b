// The op-pointer label stands on the LDR of the pair, one instruction late: a
// builder that overwrites the label's instruction and the next spoils the MOV.
//
// build: op-label-on-ldr

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
	adrp	x2, function_trace_op
	label	function_trace_op_ptr
	ldr	x2, [x2, #:lo12:function_trace_op]	// want FT107 "function_trace_op_ptr is not on the load.*, on .ldr"
	mov	x3, sp
	tramp_common_call
	endentry ftrace_common
	label	ftrace_common_end

	tramp_rest

	traced	vfs_read
	traced	vfs_write
	ftrace_data
