// The rest of an image whose callsite table does not ascend: the function that is
// recorded first stands behind others.

#include "image.inc"

	.section __mcount_loc, "a"
	.quad	vfs_fsync + 4
	image_head
	entry_stub
	caller
	regs_caller
	image_rest
	.text
	func	vfs_fsync
	.byte	0x0f, 0x1f, 0x44, 0x00, 0x00
	ret
	endfunc	vfs_fsync
