// Entry code whose end label stands before the frame is left: a copy returns to what lies in it.

#include "image.inc"

	image_head
	entry_stub
	caller_head
	op_load	ftrace_caller_op_ptr
	caller_call
	restore
	label	ftrace_caller_end	// want+1 FT102 "ftrace_caller_end is not at the end"
	add	$FRAME, %rsp
	ret
	endfunc	ftrace_caller
	regs_caller
	image_rest
