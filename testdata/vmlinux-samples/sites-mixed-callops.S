// Era callops with one object built as for era regs: its entry names the NOPs at
// the function's entry, and there is no literal.
//
// build: sites-mixed-callops

#include "image.inc"
#include "entry-callops.inc"

	image_head
	callops_entry_code
	site_functions adjust=callops, far=caller

	traced	vfs_read
	traced	vfs_write
	traced	vfs_fsync

	.balign	16
	func	from_other_object
	record	1f
1:	nop				// want FT410 "from_other_object"
	nop
	frame_and_return
	endfunc	from_other_object

	ftrace_data
