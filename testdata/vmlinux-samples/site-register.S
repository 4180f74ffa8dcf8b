// ftrace_init_nop makes "mov x9, x30", but the entry code takes the caller's LR
// from x10.
//
// build: site-register

#include "image.inc"
#include "entry-regs.inc"

	image_head
	regs_entry_code lr=x10
	site_functions dst=9		// want FT411 "save LR in x9, the entry code reads x10.*ftrace_init_nop"

	traced	vfs_read
	ftrace_data
