// A probed function returns, as in 5.10: instances are in a hash table, SP tells
// the frame, and no stack trace goes through the trampoline, which needs no frame
// record.
//
// build: kretprobe-hashed-good

#include "image.inc"
#include "entry-regs.inc"
#include "kretprobe.inc"

	image_head
	regs_entry_code
	site_functions
	traced	vfs_read
	weak_update_trampoline
	kretprobe_core REGS_SP, 24
	kretprobe_handler REGS_SP
	kretprobe_trampoline record=0
	ftrace_data
	.data
	.balign	8
	.type	kretprobe_inst_table, %object
	.size	kretprobe_inst_table, 512
kretprobe_inst_table:
	.skip	512
