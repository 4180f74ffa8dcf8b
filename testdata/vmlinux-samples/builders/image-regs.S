// The assembly of the site functions' samples, era regs.

#include "../image.inc"
#include "../entry-regs.inc"

	image_head
	regs_entry_code
	traced	vfs_read
	traced	vfs_write
	weak_update_trampoline
	.section .init.text, "ax"
	traced	start_kernel
	ftrace_data
