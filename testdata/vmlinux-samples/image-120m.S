// An image of 120 MiB: 8 MiB are left for modules within BL reach of all of it.
//
// build: image-120m def=LAYOUT_6_12 def=BSS_SIZE=0x77a0000

#include "image.inc"
#include "entry-args.inc"

// want-image FT207 "8([.]0)? MiB"

	image_head
	args_entry_code
	site_functions

	traced	vfs_read
	ftrace_data
