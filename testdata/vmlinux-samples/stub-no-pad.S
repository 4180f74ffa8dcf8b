// Built for BTI, but ftrace_stub, which ftrace_caller reaches through BLR, begins
// with a landing pad for BR alone.
//
// build: stub-no-pad

#include "image.inc"
#include "entry-callops.inc"

	image_head
	site_functions adjust=callops, far=caller

	notrace	ftrace_return_to_handler
	entry_caller
	entry_stub_direct

	func	ftrace_stub
	bti	j			// want FT114 "ftrace_stub([^a-z_]|$)"
	ret
	endfunc	ftrace_stub
	entry_stub_graph

	entry_return

	traced	vfs_read, bti=1
	traced	vfs_write, bti=1
	ftrace_data
