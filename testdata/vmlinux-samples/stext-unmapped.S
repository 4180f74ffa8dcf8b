// A kernel without EFI that maps its text from _text, as up to 5.10: _stext stands
// right behind the image header, and that is no boundary.
//
// build: stext-unmapped def=STEXT_LOOSE

#include "image.inc"
#include "entry-regs.inc"
#include "maps.inc"

	image_head
	regs_entry_code
	site_functions
	maps_kernel _text

	traced	vfs_read
	traced	vfs_write
	ftrace_data
