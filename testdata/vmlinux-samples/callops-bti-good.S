// Era callops, built for BTI: literal, landing pad, two NOPs.
//
// build: callops-bti-good def=LAYOUT_6_12

#include "image.inc"
#include "entry-callops.inc"

	image_head
	callops_entry_code
	site_functions adjust=callops, far=caller

	traced	vfs_read, bti=1
	traced	vfs_write, local, bti=1
	weak_update_trampoline bti=1
	ftrace_data
