// The assembly of the site functions' samples, era mcount.

#include "../image.inc"
#include "../entry-mcount.inc"

	image_head
	mcount_entry_code
	traced	vfs_read
	traced	vfs_write
	weak_update_trampoline
	.section .init.text, "ax"
	traced	start_kernel
	ftrace_data
