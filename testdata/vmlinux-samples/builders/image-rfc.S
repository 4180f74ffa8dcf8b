// The entry code as the RFC patch labels it: every end label stands on the
// last instruction of its part.

#include "../image.inc"
#include "../entry-dyntramp.inc"

	image_head

	entry	ftrace_regs_caller
	save_callsite 1
	label	ftrace_regs_caller_end
	b	ftrace_common		// want FT104 "ftrace_regs_caller_end.*b.*ftrace_common"
	endentry ftrace_regs_caller

	entry	ftrace_caller
	save_callsite 0
	label	ftrace_caller_end
	b	ftrace_common		// want FT104 "ftrace_caller_end.*b.*ftrace_common"
	endentry ftrace_caller

	entry	ftrace_common
	sub	x0, x30, #4		// want FT112 "ftrace_common|ftrace_caller"
	mov	x1, x9
	label	function_trace_op_ptr
	load_var x2, function_trace_op
	mov	x3, sp
	label	ftrace_call
	bl	ftrace_stub
	label	ftrace_graph_call
	nop
ftrace_common_return:
	restore_callsite
	label	ftrace_common_end
	ret	x9			// want FT104 "ftrace_common_end.*ret"
	endentry ftrace_common

	tramp_rest

	traced	vfs_read
	traced	vfs_write
	ftrace_data
