// An image of 64 MiB: large, but half of BL's reach is left for modules.
//
// build: image-64m def=LAYOUT_6_12 def=BSS_SIZE=0x3fa0000

#include "image.inc"
#include "entry-args.inc"

	image_head
	args_entry_code
	site_functions

	traced	vfs_read
	ftrace_data
