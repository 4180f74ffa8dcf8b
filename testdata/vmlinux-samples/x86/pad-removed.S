// Built for IBT. The kernel removes the landing pad of the callback of an ops, which it
// calls by a pointer.
//
// build: pad-removed link=static with=good.c,sites-good.c,kernel.c

#include "image.inc"

	image_head
	entry_stub
	caller
	regs_caller
	func	trace_all, globl	// want FT114 "^trace_all loses its landing pad when the kernel boots.*the callback of global_ops.*entry 1 of __ibt_endbr_seal says that no indirect branch reaches it"
	ret
	endfunc	trace_all
	image_rest
	.section .rodata
	.globl	__ibt_endbr_seal, __ibt_endbr_seal_end
__ibt_endbr_seal:
	.long	vfs_read - .
	.long	trace_all - .
__ibt_endbr_seal_end:
	.data
	data	global_ops, 1, trace_all
