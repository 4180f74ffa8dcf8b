// The table of sites-unsorted in a kernel that calls something which may sort it:
// there is no verdict.
//
// build: sites-sorted-later link=static

#include "image.inc"
#include "entry-regs.inc"
#include "process-locs.inc"

	image_head
	regs_entry_code
	site_functions
	process_locs unknown
	traced	vfs_read
	traced	vfs_write
	weak_update_trampoline
	recorded_first vfs_open
	ftrace_data
