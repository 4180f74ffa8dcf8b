// The assembly of the builders' samples: a template whose labels are where
// they should be, in the live entry code. For the model that is all right.

#include "../image.inc"
#include "../entry-dyntramp.inc"

	image_head
	tramp_regs_caller
	tramp_caller
	tramp_common			// want FT112 "ftrace_common|ftrace_caller"
	tramp_rest

	traced	vfs_read
	traced	vfs_write
	.section .init.text, "ax"
	traced	start_kernel
	ftrace_data
