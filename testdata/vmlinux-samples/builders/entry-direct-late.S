// Era callops; a callback that sets a direct call: the late path leaves LR as the
// callback left it, so the direct trampoline does not know the callsite.
//
// build: entry-direct-late with=sites-callops-good.c,kernel.c

#include "../image.inc"
#include "../entry-callops.inc"

	image_head
	notrace	ftrace_return_to_handler
	entry	ftrace_caller
	landing_pad			// want FT113 "x30|LR|direct"
	bic	x11, x30, #7
	ldr	x11, [x11, #-16]
	ldr	x17, [x11, #OPS_DIRECT]
	cbnz	x17, ftrace_caller_direct
	save_callsite
	sub	x0, x30, #4
	mov	x1, x9
	mov	x2, x11
	mov	x3, sp
	ldr	x4, [x2, #OPS_FUNC]
	blr	x4
	ldp	x0, x1, [sp]
	ldp	x2, x3, [sp, #16]
	ldp	x4, x5, [sp, #32]
	ldp	x6, x7, [sp, #48]
	ldr	x8, [sp, #64]
	ldr	x29, [sp, #FR_FP]
	ldr	x17, [sp, #FR_DIRECT]
	cbnz	x17, ftrace_caller_direct_late
	ldr	x30, [sp, #FR_LR]
	ldr	x9, [sp, #FR_PC]
	add	sp, sp, #FRAME
	ret	x9
ftrace_caller_direct_late:
	ldr	x9, [sp, #FR_LR]	// and x30 from FR_PC
	add	sp, sp, #FRAME
ftrace_caller_direct:
	br	x17
	endentry ftrace_caller

	entry_stub_direct
	entry_stub
	entry_return

	traced	vfs_read
	traced	vfs_write
	weak_update_trampoline
	ftrace_data
