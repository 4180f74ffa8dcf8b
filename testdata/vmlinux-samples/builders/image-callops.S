// The assembly of the site functions' samples, era callops.

#include "../image.inc"
#include "../entry-callops.inc"

	image_head
	callops_entry_code
	traced	vfs_read
	traced	vfs_write
	weak_update_trampoline
	.section .init.text, "ax"
	traced	start_kernel
	ftrace_data
