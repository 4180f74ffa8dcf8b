// The table of blank-moved in a kernel that passes over all that is not text.
//
// build: blank-passed-over link=relr def=RELR_BITS=0xff

#include "image.inc"
#include "entry-callops.inc"
#include "process-locs.inc"

	blanked	3
	image_head
	callops_entry_code
	site_functions adjust=callops, far=caller
	process_locs modules, text, callops
	traced	vfs_read
	traced	vfs_write
	weak_update_trampoline
	ftrace_data
