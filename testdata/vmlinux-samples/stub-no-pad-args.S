// Built for BTI, but ftrace_stub, which the core calls by a pointer, has no landing
// pad. ftrace_caller reaches ftrace_stub through BL, and needs none.
//
// build: stub-no-pad-args def=LAYOUT_6_12

#include "image.inc"
#include "entry-args.inc"

	.purgem	entry_stub
.macro	entry_stub pad=1
	func	ftrace_stub
	ret
	endfunc	ftrace_stub
	entry_stub_graph
.endm

	image_head
	args_entry_code			// want FT114 "ftrace_stub begins with no landing pad.*`ret` stands"
	site_functions

	traced	vfs_read, bti=1
	traced	vfs_write, bti=1
	weak_update_trampoline bti=1
	ftrace_data
