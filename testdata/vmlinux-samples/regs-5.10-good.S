// Era regs as 5.10 has it: a slot for the graph tracer, a call from the entry
// code to a function that is not traced, no landing pads: this kernel has
// none anywhere, so it needs none here.
//
// build: regs-5.10-good def=BASE=0xffff800010000000

#include "image.inc"
#include "entry-regs.inc"

	image_head
	regs_entry_code pad=0 graph=1
	site_functions

	traced	vfs_read
	traced	vfs_write, local
	weak_update_trampoline
	ftrace_data
