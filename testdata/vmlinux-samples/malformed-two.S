// Two malformed callsites, one in the middle of a function. The image called moved is
// of another build: there is more code, before the findings and in the function.
//
// build: malformed-two
// build: malformed-two-moved asdef=MOVED

#include "image.inc"
#include "entry-regs.inc"

	image_head
	regs_entry_code
	site_functions

#ifdef MOVED
	traced	vfs_open
	.rept	1000
	nop
	.endr
#endif
	traced	vfs_read
	traced	vfs_write

	func	vfs_fsync
	record	1f
1:	nop				// want FT401 "vfs_fsync"
	frame_and_return
	endfunc	vfs_fsync

	func	late
	paciasp
	mov	x10, x0
#ifdef MOVED
	mov	x11, x1
#endif
	record	1f
1:	nop				// want FT401 "late[+]0x[8c]"
	autiasp
	ret
	endfunc	late

	ftrace_data
