// Entry code with the label of the op load behind it.

#include "image.inc"

	image_head
	entry_stub
	caller_head
	mov	function_trace_op(%rip), %rdx
	label	ftrace_caller_op_ptr	// want+1 FT107 "ftrace_caller_op_ptr is not on the load"
	caller_call
	caller_tail
	regs_caller
	image_rest
