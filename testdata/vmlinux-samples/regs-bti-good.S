// Era regs, built for BTI: a landing pad before the callsite's NOPs, and at
// all entry code that a BR or BLR reaches. return_to_handler is reached by
// RET, which needs none.
//
// build: regs-bti-good

#include "image.inc"
#include "entry-regs.inc"

	image_head
	regs_entry_code
	site_functions

	traced	vfs_read, bti=1
	traced	vfs_write, bti=1
	weak_update_trampoline bti=1
	ftrace_data
