// The table of sites-unsorted in a kernel that sorts it.
//
// build: sites-sorted-at-boot link=static

#include "image.inc"
#include "entry-regs.inc"
#include "process-locs.inc"

	image_head
	regs_entry_code
	site_functions
	process_locs all
	traced	vfs_read
	traced	vfs_write
	weak_update_trampoline
	recorded_first vfs_open
	ftrace_data
