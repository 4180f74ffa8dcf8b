// Another register than x9, but callsites and entry code agree on it.
//
// build: site-register-x10

#include "image.inc"
#include "entry-regs.inc"

	image_head
	regs_entry_code lr=x10
	site_functions dst=10

	traced	vfs_read
	ftrace_data
