// Entry code that calls functions which are themselves traced: each call ends up
// in the entry code again. The callsite of count_all is behind a landing pad.
// regs-5.10-good has such calls to functions that are not.
//
// build: entry-calls-traced

#include "image.inc"
#include "entry-regs.inc"

	image_head
	site_functions

	traced	count_hit
	traced	count_all, bti=1
	traced	ftrace_return_to_handler

	entry_regs_caller

	entry	ftrace_caller
	bti	c
	save_callsite 0
	bl	count_hit		// want FT406 "count_hit"
	bl	count_all		// want FT406 "count_all"
	ldr	x30, [sp, #PT_PC]	// what the call took
	ldr	x9, [sp, #PT_LR]
	b	ftrace_common
	endentry ftrace_caller

	entry_common
	entry_stub

	entry	return_to_handler
	sub	sp, sp, #64
	stp	x0, x1, [sp]
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	mov	x0, x29
	bl	ftrace_return_to_handler	// want FT406 "ftrace_return_to_handler"
	mov	x30, x0
	ldp	x0, x1, [sp]
	ldp	x2, x3, [sp, #16]
	ldp	x4, x5, [sp, #32]
	ldp	x6, x7, [sp, #48]
	add	sp, sp, #64
	ret
	endentry return_to_handler

	traced	vfs_read
	traced	vfs_write
	ftrace_data
