// Era args; the callback's ip is the address to return to, not that of the BL.
//
// build: entry-ip with=sites-args-good.c,kernel.c

#include "../image.inc"
#include "../entry-args.inc"

	image_head
	entry	ftrace_caller
	landing_pad			// want FT113 "ip"
	mov	x10, sp
	sub	sp, sp, #FRAME
	stp	x0, x1, [sp]
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	str	x8, [sp, #64]
	str	x29, [sp, #FR_FP]
	str	x9, [sp, #FR_LR]
	str	x10, [sp, #FR_SP]
	str	x30, [sp, #FR_PC]
	stp	x29, x9, [sp, #FR_SIZE + 16]
	add	x29, sp, #FR_SIZE + 16
	stp	x29, x30, [sp, #FR_SIZE]
	add	x29, sp, #FR_SIZE
	mov	x0, x30			// less 4
	mov	x1, x9
	load_var x2, function_trace_op
	mov	x3, sp
	label	ftrace_call
	bl	ftrace_stub
	ldp	x0, x1, [sp]
	ldp	x2, x3, [sp, #16]
	ldp	x4, x5, [sp, #32]
	ldp	x6, x7, [sp, #48]
	ldr	x8, [sp, #64]
	ldr	x29, [sp, #FR_FP]
	ldr	x30, [sp, #FR_LR]
	ldr	x9, [sp, #FR_PC]
	add	sp, sp, #FRAME
	ret	x9
	endentry ftrace_caller

	entry_stub
	notrace	ftrace_return_to_handler
	entry_return

	traced	vfs_read
	traced	vfs_write
	weak_update_trampoline
	ftrace_data
