// Era mcount with a slot for the graph tracer, ftrace_graph_call, but without
// ftrace_graph_caller to branch to.
//
// build: label-missing-mcount

#include "image.inc"
#include "entry-mcount.inc"

	image_head
	notrace	ftrace_return_to_handler
	mcount_entry

	func	ftrace_caller
	mcount_enter			// want FT101 "ftrace_graph_caller"
	mcount_ip x0
	mcount_parent x1
	label	ftrace_call
	nop
	label	ftrace_graph_call
	nop
	mcount_exit
	endfunc	ftrace_caller

	mcount_stub
	entry_return

	traced	vfs_read
	traced	vfs_write
	ftrace_data
