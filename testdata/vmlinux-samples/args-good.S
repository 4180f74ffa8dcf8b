// Era args: 6.2 on, without CALL_OPS.
//
// build: args-good def=LAYOUT_6_12
// build: args-good-relr link=relr def=LAYOUT_6_12 def=RELR_BITS=3

#include "image.inc"
#include "entry-args.inc"

	image_head
	args_entry_code
	site_functions

	traced	vfs_read
	traced	vfs_write
	weak_update_trampoline
	ftrace_data
