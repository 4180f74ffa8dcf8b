// The same _end, aligned to 4 KiB, in a kernel with 4 KiB pages.
//
// build: end-4k-of-4k def=END_ALIGN=0x1000

#include "image.inc"
#include "entry-regs.inc"

	image_head
	regs_entry_code
	site_functions

	traced	vfs_read
	traced	vfs_write
	ftrace_data
