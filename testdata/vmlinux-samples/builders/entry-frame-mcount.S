// Era mcount; the entry code asks for its caller one frame too high: the callback
// gets the parent's parent.
//
// build: entry-frame-mcount with=sites-mcount-good.c,kernel.c

#include "../image.inc"
#include "../entry-mcount.inc"

	image_head
	notrace	prepare_ftrace_return
	notrace	ftrace_return_to_handler
	mcount_entry

	func	ftrace_caller
	mcount_enter			// want FT113 "parent_ip"
	mcount_ip x0
	ldr	x1, [x29]
	ldr	x1, [x1]		// too far
	ldr	x1, [x1, #8]
	label	ftrace_call
	nop
	label	ftrace_graph_call
	nop
	mcount_exit
	endfunc	ftrace_caller

	mcount_stub
	mcount_graph_caller
	entry_return

	traced	vfs_read
	traced	vfs_write
	weak_update_trampoline
	ftrace_data
