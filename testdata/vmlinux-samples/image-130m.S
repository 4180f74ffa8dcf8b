// An image of 130 MiB: no room for modules within BL reach of all of it.
//
// build: image-130m def=LAYOUT_6_12 def=BSS_SIZE=0x81a0000

#include "image.inc"
#include "entry-args.inc"

// want-image FT207 "no room|MiB"

	image_head
	args_entry_code
	site_functions

	traced	vfs_read
	ftrace_data
