// Era callops as 6.3 has it: no direct calls yet, so neither
// ftrace_caller_direct nor ftrace_stub_direct_tramp. Not built for BTI.
//
// build: callops-6.3-good

#include "image.inc"
#include "entry-callops.inc"

	image_head
	callops_entry_code pad=0 direct=0
	site_functions adjust=callops

	traced	vfs_read
	traced	vfs_write
	weak_update_trampoline
	ftrace_data
