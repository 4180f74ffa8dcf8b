// Era callops: a callsite that no function symbol goes with.
//
// build: site-not-at-entry-callops

#include "image.inc"
#include "entry-callops.inc"

	image_head
	callops_entry_code
	site_functions adjust=callops, far=caller

	traced	vfs_read
	traced	vfs_write
	traced	vfs_fsync, local

	.balign	8
	record	1f
1:	nop				// want FT407 "vfs_fsync"
	nop
	nop
	nop
	frame_and_return

	ftrace_data
