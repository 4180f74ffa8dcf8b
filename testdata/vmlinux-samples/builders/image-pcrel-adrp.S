// A template that aims out of itself with an ADRP, beside its op load. The CBNZ
// stays within: the one in the copy aims where it should.

#include "../image.inc"
#include "../entry-dyntramp.inc"

	image_head
	tramp_regs_caller
	tramp_caller

	entry	ftrace_common
	sub	x0, x30, #4		// want FT112 "ftrace_common|ftrace_caller"
	mov	x1, x9
	adrp	x10, ftrace_graph_active
	ldr	w10, [x10, #:lo12:ftrace_graph_active]
	cbnz	w10, 1f
	nop
1:
	label	function_trace_op_ptr
	load_var x2, function_trace_op
	mov	x3, sp
	tramp_common_call
	endentry ftrace_common
	label	ftrace_common_end

	tramp_rest

	traced	vfs_read
	traced	vfs_write
	ftrace_data
