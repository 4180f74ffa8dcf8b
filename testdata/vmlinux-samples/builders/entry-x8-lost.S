// Era regs; the entry code gives back in x8 what x9 was.
//
// build: entry-x8-lost with=sites-regs-good.c,kernel.c

#include "../image.inc"
#include "../entry-regs.inc"

	image_head
	notrace	ftrace_return_to_handler
	entry_regs_caller		// want FT113 "x8"
	entry_caller			// want FT113 "x8"

	entry	ftrace_common
	sub	x0, x30, #4
	mov	x1, x9
	load_var x2, function_trace_op
	mov	x3, sp
	label	ftrace_call
	bl	ftrace_stub
	ldp	x0, x1, [sp]
	ldp	x2, x3, [sp, #16]
	ldp	x4, x5, [sp, #32]
	ldp	x6, x7, [sp, #48]
	ldr	x8, [sp, #72]		// 64
	ldr	x29, [sp, #PT_FP]
	ldr	x30, [sp, #PT_LR]
	ldr	x9, [sp, #PT_PC]
	add	sp, sp, #FRAME
	ret	x9
	endentry ftrace_common

	notrace	ftrace_graph_func
	entry_stub
	entry_return

	traced	vfs_read
	traced	vfs_write
	weak_update_trampoline
	ftrace_data
