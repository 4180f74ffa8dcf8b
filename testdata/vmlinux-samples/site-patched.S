// Callsites that were patched already, as an image taken from memory has them:
// LR saved; one of them calls. All is well.
//
// build: site-patched

#include "image.inc"
#include "entry-regs.inc"

	image_head
	regs_entry_code
	site_functions

	traced	vfs_read

	func	vfs_write
	record	1f
1:	mov	x9, x30
	nop
	frame_and_return
	endfunc	vfs_write

	func	vfs_fsync
	record	1f
1:	mov	x9, x30
	bl	ftrace_caller
	frame_and_return
	endfunc	vfs_fsync

	ftrace_data
