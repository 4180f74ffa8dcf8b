// _etext stands right behind the last instruction, in the middle of a page: what
// shares the page is mapped with text's permissions, or text without.
//
// build: etext-loose def=ETEXT_LOOSE

#include "image.inc"
#include "entry-regs.inc"

// want-image FT303 "_etext"

	image_head
	regs_entry_code
	site_functions

	traced	vfs_read
	traced	vfs_write
	ftrace_data
