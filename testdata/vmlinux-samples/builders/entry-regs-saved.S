// Era regs; ftrace_regs_caller saves x19 and x20 the wrong way round: a callback
// that asks for registers sees them swapped. ftrace_caller is well.
//
// build: entry-regs-saved with=sites-regs-good.c,kernel.c

#include "../image.inc"
#include "../entry-regs.inc"

	image_head
	notrace	ftrace_return_to_handler

	entry	ftrace_regs_caller
	landing_pad			// want FT113 "x19|x20"
	sub	sp, sp, #FRAME
	stp	x0, x1, [sp]
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x20, [sp, #144]	// x19
	stp	x19, x21, [sp, #160]	// x20
	stp	x22, x23, [sp, #176]
	stp	x24, x25, [sp, #192]
	stp	x26, x27, [sp, #208]
	stp	x28, x29, [sp, #224]
	add	x11, sp, #FRAME
	stp	x9, x11, [sp, #PT_LR]
	str	x30, [sp, #PT_PC]
	stp	x29, x9, [sp, #PT_SIZE]
	add	x29, sp, #PT_SIZE
	stp	x29, x30, [sp, #PT_STACKFRAME]
	add	x29, sp, #PT_STACKFRAME
	b	ftrace_common
	endentry ftrace_regs_caller

	entry_caller
	entry_common
	entry_stub
	entry_return

	traced	vfs_read
	traced	vfs_write
	weak_update_trampoline
	ftrace_data
