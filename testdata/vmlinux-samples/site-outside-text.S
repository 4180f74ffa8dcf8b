// Callsite entries that name data, and addresses where the image has nothing. An
// entry of zero would be one, too, but blanked ones at the table's front are not:
// see callops-good.
//
// build: site-outside-text

#include "image.inc"
#include "entry-regs.inc"

// want-image FT403 "linux_banner|[.]rodata"
// want-image FT403 "ftrace_list_end|[.]data"
// want-image FT403 "0xffff800070000000"

	image_head
	regs_entry_code
	site_functions

	traced	vfs_read
	traced	vfs_write
	record	linux_banner + 4
	record	ftrace_list_end
	record	0xffff800070000000
	ftrace_data
