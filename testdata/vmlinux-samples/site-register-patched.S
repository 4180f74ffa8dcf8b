// A callsite that saves LR in x10 already, where the entry code reads x9.
//
// build: site-register-patched

#include "image.inc"
#include "entry-regs.inc"

	image_head
	regs_entry_code
	site_functions

	func	vfs_read
	record	1f
1:	mov	x10, x30		// want FT411 "x9.*x10|x10.*x9"
	nop
	frame_and_return
	endfunc	vfs_read

	ftrace_data
