// The same three kinds of entries, for the instructions right before and right
// after the copied regions, and in entry code that is not copied.
//
// build: metadata-near

#include "image.inc"
#include "entry-dyntramp.inc"

#include "metadata.inc"

	image_head
	builder
	site_functions

	metadata_targets

	func	before
	alternative 1f
1:	nop
	endfunc	before
	tramp_regs_caller
	tramp_caller
	tramp_common			// want FT112 "ftrace_common|ftrace_caller"
	func	after
	jump_label 1f
1:	nop
	fixup	1f
1:	ldr	x0, [x0]
	ret
	endfunc	after

	notrace	prepare_ftrace_return
	entry_graph_caller
	entry_stub 0
	notrace	ftrace_return_to_handler

	entry	return_to_handler
	alternative 1f
1:	nop
	mov	x0, x29
	bl	ftrace_return_to_handler
	mov	x30, x0
	ret
	endentry return_to_handler

	traced	vfs_read
	traced	vfs_write
	ftrace_data
