// Blank entries without relocations, which stay zero, in a kernel that passes over
// those alone that are zero.
//
// build: blank-stays

#include "image.inc"
#include "entry-callops.inc"
#include "process-locs.inc"

	blanked	3
	image_head
	callops_entry_code
	site_functions adjust=callops, far=caller
	process_locs modules, zero, callops
	traced	vfs_read
	traced	vfs_write
	weak_update_trampoline
	ftrace_data
