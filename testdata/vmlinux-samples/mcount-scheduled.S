// Era mcount, without a defect: the compiler has moved code of the function before
// its callsite, so a register of the caller is changed there already.
//
// build: mcount-scheduled

#include "image.inc"
#include "entry-mcount.inc"

	image_head
	mcount_entry_code

	func	vfs_open
	stp	x29, x30, [sp, #-32]!
	mov	x29, sp
	stp	x19, x20, [sp, #16]
	adrp	x19, vfs_open
	mov	x20, x0
	mov	x0, x30
	record	1f, __mcount_loc
1:	bl	_mcount
	add	x0, x19, x20
	ldp	x19, x20, [sp, #16]
	ldp	x29, x30, [sp], #32
	ret
	endfunc	vfs_open

	traced	vfs_read
	weak_update_trampoline
	ftrace_data
