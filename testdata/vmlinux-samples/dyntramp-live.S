// Dynamic trampolines with every label where it should be; but what is copied
// is the live entry code.
//
// build: dyntramp-live

#include "image.inc"
#include "entry-dyntramp.inc"

	image_head
	builder
	site_functions

	tramp_regs_caller
	tramp_caller
	tramp_common			// want FT112 "ftrace_common|ftrace_caller"
	tramp_rest

	traced	vfs_read
	traced	vfs_write
	ftrace_data
