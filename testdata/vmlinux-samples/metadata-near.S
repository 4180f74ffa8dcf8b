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
	sub	sp, sp, #64
	stp	x0, x1, [sp]
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	mov	x0, x29
	bl	ftrace_return_to_handler
	mov	x30, x0
	ldp	x0, x1, [sp]
	ldp	x2, x3, [sp, #16]
	ldp	x4, x5, [sp, #32]
	ldp	x6, x7, [sp, #48]
	add	sp, sp, #64
	ret
	endentry return_to_handler

	traced	vfs_read
	traced	vfs_write
	ftrace_data
