// Era regs with one object built as for era mcount: it calls _mcount.
//
// build: sites-mixed-mcount

#include "image.inc"
#include "entry-regs.inc"

	image_head
	regs_entry_code
	site_functions

	func	_mcount
	ret
	endfunc	_mcount

	traced	vfs_read
	traced	vfs_write
	traced	vfs_fsync

	func	from_other_object
	stp	x29, x30, [sp, #-16]!
	mov	x29, sp
	mov	x0, x30
	record	1f
1:	bl	_mcount			// want FT410 "from_other_object"
	ldp	x29, x30, [sp], #16
	ret
	endfunc	from_other_object

	ftrace_data
