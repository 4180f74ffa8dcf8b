// Era mcount: what 5.4 and older are.
//
// build: mcount-good

#include "image.inc"
#include "entry-mcount.inc"

	image_head
	mcount_entry_code

	traced	vfs_read
	traced	vfs_write, local
	weak_update_trampoline

	// a longer prologue
	func	vfs_open
	stp	x29, x30, [sp, #-48]!
	mov	x29, sp
	stp	x19, x20, [sp, #16]
	mov	x19, x0
	mov	x0, x30
	record	1f, __mcount_loc
1:	bl	_mcount
	mov	x0, x19
	ldp	x19, x20, [sp, #16]
	ldp	x29, x30, [sp], #48
	ret
	endfunc	vfs_open

	ftrace_data
