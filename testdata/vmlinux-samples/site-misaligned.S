// Era callops: a literal that is not 8-byte aligned. ftrace_caller finds it with
// "bic x11, x30, #7" and would load something else.
//
// build: site-misaligned

#include "image.inc"
#include "entry-callops.inc"

	image_head
	callops_entry_code
	site_functions adjust=callops, far=caller

	traced	vfs_read
	traced	vfs_write

	.balign	8
	nop
	record	1f
1:	nop				// want FT402 "vfs_open"
	nop
	func	vfs_open
	nop
	nop
	frame_and_return
	endfunc	vfs_open

	// 4-byte alignment is all that era regs asks for: see regs-good
	ftrace_data
