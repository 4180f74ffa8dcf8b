// A callsite table that does not ascend, in a kernel that sorts those of modules
// alone.
//
// build: sites-unsorted link=static

#include "image.inc"
#include "entry-regs.inc"
#include "process-locs.inc"

	image_head
	regs_entry_code
	site_functions
	process_locs modules
	traced	vfs_read
	traced	vfs_write
	weak_update_trampoline
	recorded_first vfs_open
	ftrace_data

// want-image FT412 "^the callsite table does not ascend.*entry 1 of the callsite table .* is vfs_read .*, below the entry before it, vfs_open .*ftrace_process_locs, executed, does not sort"
