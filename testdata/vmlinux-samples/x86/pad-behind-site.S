// Built for IBT by a compiler that puts a function's landing pad behind its callsite.
//
// build: pad-behind-site link=static with=good.c,sites-good.c,kernel.c

#include "image.inc"

	image_head
	entry_stub
	caller
	regs_caller
	.pushsection __mcount_loc, "a"
	.quad	vfs_fsync
	.popsection
	.balign	16
	.globl	vfs_fsync
	.type	vfs_fsync, @function
vfs_fsync:
	nopl.d8	0(%rax,%rax,1)	// want FT114 "^vfs_fsync has its landing pad behind its callsite.*an indirect call of the function lands on the callsite"
	endbr64
	ret
	.size	vfs_fsync, . - vfs_fsync
	image_rest
