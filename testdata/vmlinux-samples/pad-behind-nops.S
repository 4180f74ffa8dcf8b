// Built for BTI by a compiler that puts a function's landing pad behind the NOPs of
// its callsite. A function that no BLR reaches has none: vfs_write.
//
// build: pad-behind-nops

#include "image.inc"
#include "entry-regs.inc"

	image_head
	regs_entry_code
	site_functions

	func	vfs_read
	record	.Lsite_vfs_read
.Lsite_vfs_read:
	nop		// want FT114 "^vfs_read has its landing pad behind ftrace's NOPs.*1 more function"
	nop
	bti	c
	frame_and_return
	endfunc	vfs_read

	func	vfs_llseek
	record	.Lsite_vfs_llseek
.Lsite_vfs_llseek:
	nop
	nop
	bti	c
	frame_and_return
	endfunc	vfs_llseek

	traced	vfs_write
	traced	vfs_fsync, bti=1
	weak_update_trampoline bti=1
	ftrace_data
