// A kernel with 64 KiB pages whose _end is aligned to 4 KiB alone.
//
// build: end-4k-of-64k def=END_ALIGN=0x1000

#include "image.inc"
#include "entry-regs.inc"

// want-image FT303 "(^|[^a-z_])_end([^a-z_]|$)"

	image_head PAGES_64K
	regs_entry_code
	site_functions

	traced	vfs_read
	traced	vfs_write
	ftrace_data
