// An end label in the middle of an instruction.
//
// build: label-misaligned

#include "image.inc"
#include "entry-dyntramp.inc"

	image_head
	builder
	site_functions

	tramp_regs_caller

	entry	ftrace_caller
	save_callsite 0
	b	ftrace_common		// want FT102 "ftrace_caller_end"
	endentry ftrace_caller
	.globl	ftrace_caller_end
	.set	ftrace_caller_end, . - 2

	tramp_common			// want FT112 "ftrace_common|ftrace_caller"
	tramp_rest

	traced	vfs_read
	traced	vfs_write
	ftrace_data
