// Callsites of era mcount that are not a BL, or a BL to another function.
//
// build: site-malformed-mcount

#include "image.inc"
#include "entry-mcount.inc"

	image_head
	mcount_entry_code

	traced	vfs_read
	traced	vfs_write
	traced	vfs_fsync

	func	no_call
	mcount_enter
	record	1f, __mcount_loc
1:	mov	x0, x30			// want FT401 "no_call"
	bl	_mcount
	mcount_exit
	endfunc	no_call

	func	other_call
	mcount_enter
	mov	x0, x30
	record	1f, __mcount_loc
1:	bl	ftrace_stub		// want FT401 "other_call"
	mcount_exit
	endfunc	other_call

	ftrace_data
