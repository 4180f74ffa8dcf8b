// Built for IBT. What CALL calls and RET returns to has no landing pad, and needs none.
//
// build: pad-unneeded link=static with=good.c,sites-good.c,kernel.c

#include "image.inc"

	image_head
	.globl	__fentry__
	.type	__fentry__, @function
__fentry__:
	ret
	.size	__fentry__, . - __fentry__
	func	ftrace_stub
	ret
	endfunc	ftrace_stub
	caller
	regs_caller
	image_rest
	.section .rodata
	.globl	__ibt_endbr_seal, __ibt_endbr_seal_end
__ibt_endbr_seal:
	.long	vfs_read - .
__ibt_endbr_seal_end:
