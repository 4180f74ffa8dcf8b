// The assembly of the site functions' samples, era callops.

#include "../image.inc"
#include "../entry-callops.inc"

	image_head
#ifndef DIRECT
#define DIRECT 1
#endif
	callops_entry_code direct=DIRECT
	traced	vfs_read
	traced	vfs_write
	weak_update_trampoline
	.section .init.text, "ax"
	traced	start_kernel
	ftrace_data
