// Entry code whose end label stands behind its return, as arm64's does.
//
// build: end-label-late link=static with=good.c,sites-good.c,kernel.c

#include "image.inc"

	image_head
	entry_stub
	caller_head
	op_load	ftrace_caller_op_ptr
	caller_call
	restore
	add	$FRAME, %rsp
	ret		// want FT102 "ftrace_caller_end is not at the end"
	label	ftrace_caller_end
	endfunc	ftrace_caller
	regs_caller
	image_rest
