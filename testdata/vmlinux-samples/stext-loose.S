// A kernel that maps its text from _stext, as from 5.11 on, which stands right
// behind the image header.
//
// build: stext-loose def=STEXT_LOOSE

#include "image.inc"
#include "entry-regs.inc"
#include "maps.inc"

// want-image FT303 "^_stext is not on a page boundary.*, 0x40 bytes into a page"

	image_head
	regs_entry_code
	site_functions
	maps_kernel _stext

	traced	vfs_read
	traced	vfs_write
	ftrace_data
