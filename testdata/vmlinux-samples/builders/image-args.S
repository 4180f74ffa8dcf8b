// The assembly of the site functions' samples, era args.

#include "../image.inc"
#include "../entry-args.inc"

	image_head
	args_entry_code
	traced	vfs_read
	traced	vfs_write, bti=1
	weak_update_trampoline
	.section .init.text, "ax"
	traced	start_kernel
	ftrace_data
