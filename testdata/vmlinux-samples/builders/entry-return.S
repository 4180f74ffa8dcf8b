// Era regs; return_to_handler, where a traced function returns to, keeps x0 alone
// of its results.
//
// build: entry-return with=sites-regs-good.c,kernel.c

#include "../image.inc"
#include "../entry-regs.inc"

	image_head
	notrace	ftrace_return_to_handler
	entry_regs_caller
	entry_caller
	entry_common
	entry_stub

	entry	return_to_handler
	sub	sp, sp, #64		// want FT113 "x1"
	str	x0, [sp]		// x0 to x7
	mov	x0, x29
	bl	ftrace_return_to_handler
	mov	x30, x0
	ldr	x0, [sp]
	add	sp, sp, #64
	ret
	endentry return_to_handler

	traced	vfs_read
	traced	vfs_write
	weak_update_trampoline
	ftrace_data
